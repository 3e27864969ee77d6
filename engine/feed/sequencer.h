/* sequencer.h - the feed's work in the database: who leads, and the move of committed changes into the one sequence
 * (docs/decisions/012-the-feed.md). The SQL is in sql/migrations/0003_feed.sql.
 *
 * Whatever fails, the leader is none any more: it takes the lead anew, and with it the newest number, when it can. */
#ifndef FEED_SEQUENCER_H
#define FEED_SEQUENCER_H

#include "feed/settings.h"
#include "store/pg.h"

struct sequencer {
    const struct feed_settings *settings;
    struct pg *pg;
    struct arena *arena;  /* of one statement's parameters */
    char name[160];       /* of this process, no other has it */
    int64_t epoch;        /* 0: stands by */
    int64_t last;         /* the newest number, while it leads */
    int64_t at_most;      /* changes that the next move takes; 0: all there are */
    int64_t moved_at_ms;  /* the end of the last move */
    bool has_told;        /* the last move returned every change with its record, not only the last one */
    int slots;            /* of the outbox, as it was last seen */
    bool is_stuck;        /* no slot of the outbox could be emptied, and there may be no more */
};

/* NULL with `err`. `settings` is borrowed. */
struct sequencer *sequencer_new (const struct feed_settings *settings, struct error *err);
void sequencer_destroy (struct sequencer **sequencer);

/* Tries to lead. 1: it does, from sequencer->last on; 0: another does; -1 with `err`. */
int sequencer_take (struct sequencer *sequencer, struct error *err);
/* Lets another lead at once. */
void sequencer_release (struct sequencer *sequencer);

/* Extends the lease. -1 with `err`: it leads no more. */
int sequencer_renew (struct sequencer *sequencer, struct error *err);

/* Moves what was committed, and commits that. *moved: the changes, to be freed with PQclear, in the columns of enum moved_column, of
 * which none may have been moved; with the records of orders where `with_records` says so. Of a large backlog only the last change is
 * told, whatever it says: who follows reads the others again. -1 with `err`: it leads no more. */
int sequencer_move (struct sequencer *sequencer, bool with_records, PGresult **moved, struct error *err);
enum moved_column { MOVED_NUMBER, MOVED_TOPICS, MOVED_RECORDED_AT, MOVED_BUCKET, MOVED_ORDER_REF, MOVED_CARD_ID, MOVED_PARTNER_ID,
                    MOVED_BODY, MOVED_RECORD };
/* Whether the last move took as much as it may: there is more. */
bool sequencer_has_more (const struct sequencer *sequencer);

/* Empties and changes the slots of the outbox. -1 with `err`: it leads no more. */
int sequencer_rotate (struct sequencer *sequencer, struct error *err);
/* Makes and drops the feed's days. -1 with `err`: it leads no more. */
int sequencer_partitions (struct sequencer *sequencer, struct error *err);

/* What a move may take next: after one of `taken` events that was to take `at_most` changes (0: all) and took `took_ms`. */
int64_t sequencer_next_at_most (int64_t at_most, int64_t taken, int64_t took_ms, int64_t move_max);

#endif
