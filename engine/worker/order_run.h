/* order_run.h - one order being executed: the state that its steps share (order_execute.c, order_effects.c). */
#ifndef WORKER_ORDER_RUN_H
#define WORKER_ORDER_RUN_H

#include "worker/order_request.h"

struct order_run {
    struct executor *executor;
    struct request *request;
    struct order_request *data;
    struct unit *unit;
    struct arena *arena;      /* the transaction's */
    const struct catalog *catalog; /* in force, or for a quote with drafts in it */
    struct unit_savepoint savepoint;
    struct order_record record; /* grows step by step into what is stored */
    uint32_t original_count;
    struct original *originals;
    struct order_place *original_places;
    const struct order_record **original_records;
    struct refund_plan plan;
    int64_t hold_card_id;     /* the card of the hold that is captured; 0: none */
    uint32_t note_count;      /* of an order that is forgiven: what it would have been refused for before it was evaluated */
    struct warning *notes;
    uint32_t effect_capacity;
    struct card_effect *effects; /* record.effects */
};

/* When the order was, and what follows from it: late, forgiving, the catalog of its date. */
int run_set_time (struct order_run *run);
/* Of an order that is forgiven: notes a difference before the evaluation, and clears the request's error, whose message it is; -1
 * where it is not forgiven. */
int run_forgive (struct order_run *run, const char *figure);
/* Then warnings of all that differs: they are told as an alert too. */
int run_note_differences (struct order_run *run);

/* The effect entry of a card, made when it is the first; NULL: out of memory. Pointers to entries move. */
struct card_effect *run_effect (struct order_run *run, const struct unit_card *card);

/* The records of the returns of an original that stand. */
int run_read_refunds (struct order_run *run, struct order_place original, const struct order_record *const **refunds, uint32_t *count);
/* Names the order as the origin of the journal rows of its cards; then writes its record. */
int run_store_origins (struct order_run *run);
int run_store_record (struct order_run *run);
/* `status`, or -1 with too_large for an answer that no message can carry: nobody could be told what was done, so it is not done.
 * Room is left for the cancellation. */
int run_check_answer (struct request *request, size_t bytes_max, int status);

/* Whether a card is the order's member's own, or nobody's. */
bool run_may_use (const struct order_run *run, const struct card *card);
/* The hold that the order captures, if it names one (order_hold.c): open, of a card that the order may spend from. */
int run_open_hold (struct order_run *run);
/* The points of it that are of a card. */
int64_t run_held_points (const struct order_run *run, const struct card *card);
/* Spends up to `points` of it, if it is the card's; *captured. */
int run_capture_hold (struct order_run *run, struct unit_card *card, int64_t points, int64_t *captured);
/* Lets go of what was not spent; what is past its expiry expires. */
int run_let_go_hold (struct order_run *run);

/* The card, kept as it was in the savepoint; NULL: the request failed. */
struct unit_card *run_card_to_change (struct order_run *run, int64_t card_id);

/* Moves the points that the plan says; before the evaluation, which then sees the balances after it. */
int run_refund_points (struct order_run *run);
/* Earns and redeems what the evaluation says, making cards that are missing. */
int run_evaluated_points (struct order_run *run);
/* A new card of the order's member or, `for_partner` false, of whoever shows its code: `code`, or one that is made up when it is
 * empty. NULL: the request failed. */
struct unit_card *run_new_card (struct order_run *run, int64_t program_id, bool for_partner, struct str code);
/* Makes the cards that the evaluation says. */
int run_made_cards (struct order_run *run);
/* Printed codes: refused when they are another card's already; taken for ever, as the last thing that may fail. */
int run_check_printed (struct order_run *run);
int run_claim_printed (struct order_run *run);
/* Points of a card that ran out, whether that was booked or not. */
int run_expired_points (struct order_run *run, struct unit_card *card, int64_t *expired);
/* Adds a lot of the program's for points that the order earned on a card. */
int run_earn (struct order_run *run, struct unit_card *card, int64_t points);
/* What was used so far of the programs whose use is limited, into the order's state (order_usage.c). */
int run_usage_states (struct order_run *run);
/* Counts the uses that the evaluation says; gives back those of an order that is undone. */
int run_count_usages (struct order_run *run);
int run_return_usages (struct order_run *run, const struct order_record *original);
/* Counts them again, where giving them back is undone. */
int run_use_again (struct order_run *run, const struct order_record *original);
/* Uses of a referral code by other orders (order_referral.c). */
int64_t run_referral_uses (struct order_run *run, int64_t program_id, int64_t card_id);
/* What the evaluation gives the owner of a referral code, to be booked when the owner's card is next locked. */
int run_referral (struct order_run *run);
/* Takes back what an order gave the owner; the caller found that nothing of the order is left. */
int run_return_referral (struct order_run *run, const struct order_record *original);
/* Gives it again, where that (recorded at `returned`) is undone. */
int run_give_referral_again (struct order_run *run, const struct record_original *original, int64_t returned);
/* What becomes of points of the program that are to be taken back and are not there. */
enum shortfall run_shortfall (const struct order_run *run, int64_t program_id);
/* Balances after all, in the effects; the member's primary card is among them. */
int run_balances (struct order_run *run);
/* Takes back and gives back all of an order's points, and undoes what it took and gave back of others' (order.cancel). */
int run_undo (struct order_run *run, const struct order_record *original);

/* The member's level at the order's date, for the evaluation. */
int run_membership_state (struct order_run *run);
/* After the order was counted for its member (NULL: a quote for one who is not known): the money by day, the level that is
 * reached, the points that move with it. */
int run_membership (struct order_run *run, struct unit_member *member);
/* The same for an order that is cancelled. */
int run_membership_cancel (struct order_run *run, const struct order_record *original, struct unit_member *member);
/* What was given back to cards that gave way to others goes on to these. */
int run_empty_merged (struct order_run *run);
/* Follows lots that a change of membership, or a merge of members, moved: *card_id and the list become those where the points are now. */
int run_follow_lots (struct order_run *run, int64_t *card_id, const int32_t **lots, uint32_t *count);

int run_no_memory (struct order_run *run);

#endif
