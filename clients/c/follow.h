/* follow.h - where a subscriber stands in the feed: which event is next, what arrived ahead of its turn, and when
 * the engine has to be asked. No sockets and no clock: events.c moves the bytes. */
#ifndef CLIENT_FOLLOW_H
#define CLIENT_FOLLOW_H

#include "loyalty/events.h"
#include "loyalty/value.h"

#include "base/arena.h"

enum {
    FOLLOW_TOPICS_MAX = 32,
    FOLLOW_TOPIC_BYTES_MAX = 31,
    FOLLOW_ARRIVED_MAX = 4096,              /* events kept ahead of their turn … */
    FOLLOW_ARRIVED_BYTES_MAX = 8 * 1048576, /* … and their bytes */
    FOLLOW_PAGE_EVENTS = 1000,              /* asked for at a time: the engine's bound */
};

/* An event that came ahead of its turn. */
struct arrival {
    int64_t number;
    uint32_t size;
    char *body; /* owned; NULL: of a topic that nobody asked for */
};

struct follow {
    int64_t position; /* LOYALTY_EVENTS_NEW: not known yet */
    int64_t newest;   /* the highest number heard of */
    unsigned silence_ms;
    unsigned topic_count;
    char topics[FOLLOW_TOPICS_MAX][FOLLOW_TOPIC_BYTES_MAX + 1];

    bool is_unsure;    /* nothing said so far how far the feed goes */
    unsigned failures; /* reads in a row that failed, or brought nothing of what is missing */
    int64_t read_ms;   /* the engine is not asked before */
    int64_t heard_ms;  /* when a feed was last heard, or a read was answered */

    int64_t epoch, tip;  /* of the newest leader heard, and its last tip */
    unsigned tips_below; /* tips in a row that end before the position */
    unsigned tips_stale; /* tips in a row of an older epoch */

    struct arrival *arrived; /* a ring, ordered by number */
    unsigned first, count;
    size_t arrived_bytes;
    char *current; /* the body handed out last, where it is an arrival's */

    struct loyalty_value page; /* events of the last answer that were not handed out yet; borrowed */
    int64_t page_after;        /* the position once they are */
    char topic[FOLLOW_TOPIC_BYTES_MAX + 1];

    struct loyalty_events_stats stats;
};

/* 0; -1: no memory. The topics are to be filled in afterwards. */
int follow_init (struct follow *follow, int64_t after, unsigned silence_ms, int64_t now_ms);
void follow_free (struct follow *follow);

/* Forgets what is at hand and goes on after another number. */
void follow_resume (struct follow *follow, int64_t after);

/* A message of a feed: its two frames. */
void follow_message (struct follow *follow, struct str topic, struct str body, int64_t now_ms);

/* The next event, where it is at hand. Its bytes stay until the next call. */
bool follow_next (struct follow *follow, struct loyalty_event *event);

/* Whether the engine is to be asked (events.read) now; and when that will be so, if no message comes before. Both are
 * for when follow_next has nothing. */
bool follow_wants_read (const struct follow *follow, int64_t now_ms);
int64_t follow_read_due_ms (const struct follow *follow);
/* Whether events are known to be missing. */
bool follow_has_gap (const struct follow *follow);
/* How many events to ask for: as many as are missing before those that arrived, as far as that is known. */
int64_t follow_read_limit (const struct follow *follow);

/* An answer to events.read: the bytes are borrowed until follow_next has nothing more. -1: it is none, `error`
 * filled. */
int follow_page (struct follow *follow, const void *result, size_t size, int64_t now_ms, struct loyalty_error *error);
/* It could not be read. */
void follow_read_failed (struct follow *follow, int64_t now_ms);

/* Whether the feed ends before the position, and not only for a moment. */
bool follow_is_ahead (const struct follow *follow);

#endif
