/* loyalty/events.h - follows the event feed: every event once, in order, without a gap, from a stored number on.
 *
 *     struct loyalty_events_options options;
 *     struct loyalty_error error;
 *     struct loyalty_event event;
 *     loyalty_events_options_init (&options);
 *     options.after = number_of_the_last_event_that_was_dealt_with; // 0: from the first; LOYALTY_EVENTS_NEW: new ones
 *     struct loyalty_events *events = loyalty_events_new (&client_options, &options, &error);
 *     while (loyalty_events_next (events, -1, &event, &error) == 1) {
 *         deal_with (event.topic, event.body, event.body_size); // a MessagePack map (loyalty/value.h, loyalty/json.h)
 *         store (event.number);                                 // best together with what was done
 *     }
 *     loyalty_events_destroy (&events);
 *
 * What the library does by itself (docs/protocol.md, "Events"): it subscribes to every feed, reads what is missing
 * from the engine (`events.read`) - from the stored number at the start, and whenever a number is left out, or a
 * tip message tells of events that did not come -, drops what it has had, and brings everything into order. It goes
 * on while feeds or brokers are away: without a feed it reads, without a broker it takes what the feeds publish as
 * long as nothing is missing. What arrives ahead of its turn is kept up to a bound, dropped beyond, and read later.
 *
 * Threads and processes: as of a client (loyalty/client.h); it has a client of its own inside. */
#ifndef LOYALTY_EVENTS_H
#define LOYALTY_EVENTS_H

#include "loyalty/client.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loyalty_events;

/* `after` of whoever wants only what happens from now on. */
#define LOYALTY_EVENTS_NEW INT64_C (-1)
/* The endpoint of the feed of `loyalty up` where its clients connect to LOYALTY_ENDPOINT_DEFAULT. */
#define LOYALTY_FEED_DEFAULT "tcp://127.0.0.1:7650"

struct loyalty_events_options {
    int64_t after;            /* the number of the last event had; 0: none yet; LOYALTY_EVENTS_NEW */
    const char *const *feeds; /* endpoints of every feed, at most 16; each may be several, with commas. Copied */
    unsigned feed_count;      /* 0: none; then new events are asked for every `silence_ms` */
    const char *const *topics; /* names of the topics wanted ("order.processed"). Copied */
    unsigned topic_count;     /* 0: all; at most 32 */
    unsigned silence_ms;      /* nothing heard of any feed for so long: the engine is asked; 1 .. 600000 */
    const char *feed_key;     /* CURVE: the feeds' public key in Z85, where it is not the brokers' (server_key) */
};

/* Fills in the defaults: new events of all topics from LOYALTY_FEED_DEFAULT, silence 2000 ms. */
LOYALTY_API void loyalty_events_options_init (struct loyalty_events_options *options);

/* Follows the feed of the engine that `client` describes (endpoints, timeouts, CURVE keys; its `in_flight_max` is
 * not used). Connecting goes on in the background. NULL with `error` filled: invalid_request (an option, by name),
 * internal. */
LOYALTY_API struct loyalty_events *loyalty_events_new (const struct loyalty_options *client,
                                                       const struct loyalty_events_options *options,
                                                       struct loyalty_error *error);
/* Frees it and sets *events to NULL. NULL is fine. */
LOYALTY_API void loyalty_events_destroy (struct loyalty_events **events);

/* One event; what it points to is the library's, until the next call. */
struct loyalty_event {
    int64_t number;   /* its place in the feed: dense, from 1 */
    const char *topic;
    const void *body; /* a MessagePack map: number, topic, at, and what the topic tells */
    size_t body_size;
};

/* Takes the next event, waiting for one up to `timeout_ms` (0: without waiting; negative: for ever). 1: *event is
 * filled. 0: none in that time; error->code is LOYALTY_OK, or tells why events cannot be read at the moment
 * (unavailable, busy, …), which goes on being tried. -1: *error tells what does not pass by itself:
 *   too_old                     events after the position are past their retention: loyalty_events_oldest says where
 *                               the feed begins now. To lose the rest is the caller's decision: loyalty_events_resume
 *   conflict                    the feed ends before the position: it is another engine, or one restored from a backup
 *   unauthenticated, forbidden  the keys, or their roles, do not allow it
 *   invalid_request             a topic that the engine does not know
 *   internal                    no memory, or an answer that is none
 * The call after one that failed tries the same again. */
LOYALTY_API int loyalty_events_next (struct loyalty_events *events, int timeout_ms, struct loyalty_event *event,
                                     struct loyalty_error *error);

/* Where it stands: every event up to this number was handed out, or is of a topic not asked for. What to store, and
 * to give as `after`, once the last event is dealt with. LOYALTY_EVENTS_NEW: not known yet. */
LOYALTY_API int64_t loyalty_events_position (const struct loyalty_events *events);

/* The newest number heard of; 0: none yet. What lies between is on its way. */
LOYALTY_API int64_t loyalty_events_newest (const struct loyalty_events *events);

/* After too_old: the oldest number that can still be read. 0: not known. */
LOYALTY_API int64_t loyalty_events_oldest (const struct loyalty_events *events);

/* Goes on after another number (or LOYALTY_EVENTS_NEW): after too_old, loyalty_events_oldest () - 1. */
LOYALTY_API void loyalty_events_resume (struct loyalty_events *events, int64_t after);

/* What happened so far. */
struct loyalty_events_stats {
    uint64_t delivered; /* events handed out */
    uint64_t received;  /* messages that feeds sent, tips included */
    uint64_t repeated;  /* of these, events that were had already */
    uint64_t dropped;   /* of these, events beyond the bound, read later */
    uint64_t garbage;   /* of these, that were no events */
    uint64_t reads;     /* times the engine was asked */
    uint64_t gaps;      /* of these, because events were known to be missing */
};
LOYALTY_API void loyalty_events_stats (const struct loyalty_events *events, struct loyalty_events_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
