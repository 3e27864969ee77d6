/* slots.h - the table of requests in flight: each is in one list, by what it waits for, and one function moves it. */
#ifndef CLIENT_SLOTS_H
#define CLIENT_SLOTS_H

#include "loyalty/client.h"
#include "base/arena.h"
#include "wire/envelope.h"
#include "wire/schema.h"

#include <zmq.h>

enum list_name {
    LIST_FREE,
    LIST_READY,   /* to be sent as soon as there is a connection */
    LIST_SENT,    /* waiting for an answer until due_ms */
    LIST_BACKOFF, /* waiting to be sent again at due_ms */
    LIST_DONE,    /* answered or failed, and nobody was told yet */
    LIST_QUEUED,  /* the same, for loyalty_next to take */
    LIST_TELLING, /* the one whose callback runs */
    LIST_COUNT
};

enum { NOBODY = UINT32_MAX, METHOD_NAME_MAX = 64 };

struct slot {
    uint64_t id; /* of the request, over all its attempts; 0 while free */
    uint32_t next, previous;
    enum list_name list;
    unsigned attempts, silences; /* silences: attempts that were not answered */
    int64_t submitted_us, deadline_ms, due_ms;
    loyalty_done *done;
    void *context;
    zmq_msg_t body, reply; /* reply: empty until there is one */
    bool ok, outcome_unknown;
    struct str result, details; /* borrowed from reply */
    struct loyalty_error error; /* of the last attempt; code 0: it was not answered */
    uint64_t affinity;
    char method[METHOD_NAME_MAX + 1], key[WIRE_NAME_MAX + 1], traceparent[TRACEPARENT_MAX + 1];
};

struct slots {
    struct slot *all;
    uint32_t count;
    uint64_t sequence;
    struct {
        uint32_t first, last, count;
    } lists[LIST_COUNT];
};

/* 0; -1: no memory. */
int slots_init (struct slots *slots, uint32_t count);
void slots_free (struct slots *slots);

/* The first of a list; NULL: it is empty. The one after `slot` in its list; NULL: it is the last. */
struct slot *slots_first (struct slots *slots, enum list_name list);
struct slot *slots_next (struct slots *slots, const struct slot *slot);

/* Puts it at the end of a list, out of the one it is in. */
void slots_move (struct slots *slots, struct slot *slot, enum list_name list);

/* Takes a free one, with a new id and empty messages, into no list but LIST_TELLING, which the caller moves
 * it out of; NULL: none is free. */
struct slot *slots_take (struct slots *slots);
/* Closes its messages and frees it; its id is never given again. */
void slots_release (struct slots *slots, struct slot *slot);

/* The request of that id; NULL: it is over, or never was. */
struct slot *slots_by_id (struct slots *slots, uint64_t id);

#endif
