/* request.h - one request on its way through a worker, and the hooks that its method has in that way. */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "store/unit.h"
#include "wire/envelope.h"
#include "wire/method.h"
#include "worker/catalog_cache.h"

enum request_status {
    REQUEST_PENDING,
    REQUEST_DONE,     /* `reply` holds the answer's body */
    REQUEST_FAILED,   /* `error` says why */
    REQUEST_DEFERRED, /* to be run again, in a later transaction, or by another executor */
};

/* A stored key, as it was found. */
struct stored_key {
    int16_t method;
    uint8_t hash[WIRE_HASH_BYTES];
    struct order_place place; /* order_ref 0 under scope order: a tombstone */
    struct str reply;         /* in the transaction's arena */
};

struct request_key {
    int16_t scope, bucket;
    struct str key;
    bool claimed;              /* this transaction made the row */
    struct stored_key *stored; /* else what is there; NULL: not read */
};

struct executor;

struct request {
    /* Given by the service. */
    int method;
    struct str body;
    struct str header_key;
    unsigned roles;
    int64_t deadline_us;
    uint32_t pauses; /* lease.h: the count when it was taken in */
    void *tag;

    /* The answer. */
    enum request_status status;
    struct error error;
    int64_t retry_after_ms;
    struct buf reply;    /* the answer's body, on the heap */
    bool error_rendered; /* `reply` of a FAILED one is its error, and says more than `error` can; else it is empty */

    /* On the way. */
    struct wire_record *record;
    uint8_t hash[WIRE_HASH_BYTES];
    struct request_key keys[2]; /* cancel has two */
    unsigned key_count;
    int64_t order_ref;          /* of what it will write; 0: it writes no order */
    int16_t member_bucket;
    bool replayed;
    int64_t partners[2];        /* of whom the reply tells, where it is kept under the key */
    unsigned partner_count;
    void *data;                 /* the method's */
};

/* What a method does in each step of the batch (batch.h); NULL: nothing. Each returns 0, or -1 with request->error set. */
struct handler {
    int (*prepare) (struct executor *executor, struct request *request);  /* from the body alone: arena `requests` */
    int (*look_up) (struct executor *executor, struct request *request);  /* reads before the transaction; may ask for more members and cards */
    bool (*waits_for) (const struct request *request, const struct request *earlier); /* to be run after an earlier one of the batch */
    int (*want) (struct executor *executor, struct request *request);     /* names members and cards to the unit */
    int (*count) (struct executor *executor, struct request *request);    /* under these locks, with the catalog in force: names counters of uses */
    int (*execute) (struct executor *executor, struct request *request);  /* under the locks: effects into the unit, the answer into `reply` */
    int (*replay) (struct executor *executor, struct request *request);   /* answer from keys[0].stored */
    bool alone;        /* its own transaction, in which `execute` runs statements itself */
    bool makes_order;  /* needs an order_ref */
    bool background;   /* waits for locks only briefly: others are in more of a hurry */
    bool may_be_late;  /* a replica that is late by a moment may answer: what never changes, or is history. Never what is worth money */
};

/* By method; those of the broker have none. */
extern const struct handler HANDLERS[METHOD_COUNT];

/* The reply tells of this member. */
void request_tells_of (struct request *request, int64_t partner_id);

/* A step has failed: one that does not say why had no memory (`internal`). */
void request_explain (struct request *request);

/* Sets the request's failure. Always -1. */
int request_fail (struct request *request, enum error_code code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
