/* event.h - the events of a change, as subscribers get them (docs/protocol.md, "Events"): of an order from its record, of all else
 * from the body that was written with the change. */
#ifndef RENDER_EVENT_H
#define RENDER_EVENT_H

#include "store/record.h"
#include "base/topic.h"

/* A larger event is told in short: its envelope, `left_out` and, of an order, its figures. */
enum { EVENT_BYTES_MAX = 384 * 1024 };

/* One row of the outbox, or of the feed. */
struct event_change {
    int64_t number;      /* of its first event; the others follow in the order of their topics */
    uint32_t topics;     /* TOPIC_BIT each */
    int64_t recorded_at; /* instant */
    int16_t bucket;
    int64_t order_ref, card_id, partner_id; /* 0: none. partner_id < 0: one who was forgotten */
    struct str body;                        /* without an order: a map of the events' own fields; empty: none */
    const struct order_record *record;      /* with an order; NULL: it is past its retention, or cannot be read: */
    bool is_damaged;                        /* its events are told without fields of their own */
};

/* How many events it is. */
static inline unsigned
event_count (uint32_t topics)
{
    return (unsigned)__builtin_popcount (topics);
}

/* The lowest topic of a set that is not empty: start with the change's, take it out, go on. */
static inline enum topic
event_first (uint32_t topics)
{
    return (enum topic) (__builtin_ctz (topics) + 1);
}

/* Appends one event, a map; `topic` is one of the change's, `number` the event's. What is damaged is logged, and told as such: an
 * event that could not be told would be a gap for ever. -1: internal, no memory; what was appended by then has to be cut off by the
 * caller. */
int event_render (const struct event_change *change, enum topic topic, int64_t number, unsigned currency_digits,
                  struct buf *out, struct error *err);

/* What is told of an order: its topics. */
uint32_t event_order_topics (const struct order_record *record);

/* What of a body still may be told when its member was forgotten: appends it without codes, reasons and whoever else it names.
 * -1: as event_render. */
int event_body_forget (struct str body, struct buf *out, struct error *err);

#endif
