/* loyalty/client.h - a client of the Loyalty Engine: requests to its brokers, one at a time or many at once.
 *
 * One call:
 *
 *     struct loyalty_options options;
 *     struct loyalty_error error;
 *     loyalty_options_init (&options);
 *     struct loyalty_client *client = loyalty_client_new (&options, &error);
 *     struct loyalty_reply reply;
 *     if (loyalty_call (client, &(struct loyalty_request){ .method = "admin.health" }, &reply) == 0)
 *         …;                          // reply.result: a MessagePack map (loyalty/value.h, loyalty/json.h read it)
 *     else
 *         fprintf (stderr, "%s: %s\n", reply.error.name, reply.error.message);
 *     loyalty_reply_free (&reply);
 *     loyalty_client_destroy (&client);
 *
 * Many at once: loyalty_submit each, then loyalty_poll (callbacks) or loyalty_next (a queue of what is done).
 *
 * What the library does by itself (docs/protocol.md, "Retries"): it gives every changing method a key where
 * the body has none, sets the affinity hint, and until the request's deadline sends it again, with the same
 * key, after `busy` (when the engine says so), `unavailable`, `worker_lost` and silence, waiting longer each
 * time, on a fresh socket and through the next endpoint when a broker is gone, hangs, or is about to stop. So a
 * request has one effect however often it was sent.
 *
 * Threads: a client belongs to one thread at a time. Nothing here is locked; use one client per thread.
 * Clients share nothing but the ZeroMQ context, where one is given. Processes: make clients after fork.
 * Errors are values: no function prints, exits or raises a signal. */
#ifndef LOYALTY_CLIENT_H
#define LOYALTY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOYALTY_API __attribute__ ((visibility ("default")))

/* Why a request failed: the protocol's codes (docs/protocol.md, "Errors"). */
enum loyalty_code {
    LOYALTY_OK = 0,
    LOYALTY_INVALID_REQUEST,
    LOYALTY_UNAUTHENTICATED,
    LOYALTY_FORBIDDEN,
    LOYALTY_NOT_FOUND,
    LOYALTY_CONFLICT,
    LOYALTY_INSUFFICIENT_POINTS,
    LOYALTY_CLAIM_REFUSED,
    LOYALTY_PRICE_CHANGED,
    LOYALTY_LIMIT_REACHED,
    LOYALTY_REFUND_EXCEEDS,
    LOYALTY_CODE_USED,
    LOYALTY_CARD_BLOCKED,
    LOYALTY_HOLD_EXPIRED,
    LOYALTY_INVALID_MEMBERSHIP,
    LOYALTY_EXPIRED_DEADLINE,
    LOYALTY_BUSY,
    LOYALTY_WORKER_LOST,
    LOYALTY_UNAVAILABLE,
    LOYALTY_TOO_LARGE,
    LOYALTY_TOO_OLD,
    LOYALTY_INTERNAL, /* also for codes that this version of the library does not know: see `name` */
};

/* A failure. The library itself uses: invalid_request (wrong arguments), too_large (the body), busy (too many
 * in flight), unavailable (no broker answered in time), unauthenticated (every broker refuses this client's key, or
 * wants one) and internal (no memory; a reply that is none). */
struct loyalty_error {
    enum loyalty_code code;
    char name[32];          /* the code's name, as it came ("busy") */
    char message[256];      /* for a person */
    bool retryable;         /* the same request may succeed later */
    bool outcome_unknown;   /* it may have been done all the same: send it again with the same key to know */
    int64_t retry_after_ms; /* busy: when to try again; 0: not said */
    bool elsewhere;         /* it is this broker that cannot: another may (the library goes there by itself) */
};

struct loyalty_client;

struct loyalty_options {
    const char *const *endpoints; /* of brokers; each may be several, with commas; NULL: LOYALTY_ENDPOINT_DEFAULT. Copied */
    unsigned endpoint_count;
    unsigned timeout_ms;          /* deadline of a request that names none; 1 .. 600000 */
    unsigned in_flight_max;       /* requests under way at once; 1 .. 65536 */
    unsigned silence_ms;          /* no answer to a request for so long: it is sent again */
    unsigned connect_ms;          /* no connection for so long: the next endpoint */
    unsigned backoff_min_ms;      /* first wait before a request is sent again … */
    unsigned backoff_max_ms;      /* … which doubles up to this; each with up to half of it as jitter */
    const char *server_key;       /* CURVE: the broker's public key in Z85 (40 characters); NULL: no CURVE */
    const char *public_key;       /* CURVE: this client's keys in Z85; both or neither (a fresh pair is made) */
    const char *secret_key;
    void *zmq_context;            /* NULL: the client makes its own; else it must outlive the client */
    const char *key_file;         /* CURVE: a file made by `loyalty keys`, which holds all three keys; read once */
    unsigned probe_ms;            /* nothing at all from a broker that owes answers for so long: it is asked for a sign of
                                   * life, and given up after as long again */
    bool in_order;                /* begin with the first endpoint; else with one at random, so that clients spread */
};

/* The endpoint of `loyalty up` where nothing else is said. */
#define LOYALTY_ENDPOINT_DEFAULT "tcp://127.0.0.1:7600"

/* Fills in the defaults: LOYALTY_ENDPOINT_DEFAULT, 5000 ms, 1024 in flight, silence 2000 ms, connect 500 ms,
 * probe 250 ms, backoff 20 to 1000 ms, no CURVE, any order. */
LOYALTY_API void loyalty_options_init (struct loyalty_options *options);

/* A client; connecting goes on in the background, so that this does not fail where no broker runs yet. NULL
 * with `error` filled: invalid_request (an option, by name), internal. */
LOYALTY_API struct loyalty_client *loyalty_client_new (const struct loyalty_options *options,
                                                       struct loyalty_error *error);
/* Frees it and sets *client to NULL. What is in flight is forgotten: no callback runs, and the engine may
 * still do it. NULL is fine. Not to be called from a callback. */
LOYALTY_API void loyalty_client_destroy (struct loyalty_client **client);

struct loyalty_request {
    const char *method;      /* "order.process" */
    const void *body;        /* a MessagePack map (loyalty/body.h and loyalty/json.h make them); NULL: empty. Copied */
    size_t body_size;        /* at most 1 MiB */
    const char *key;         /* at most 64 bytes; NULL: made where the method needs one. Copied */
    unsigned timeout_ms;     /* deadline from now, retries included; 0: the client's */
    uint64_t affinity;       /* 0: from the body (loyalty_affinity) */
    const char *traceparent; /* W3C trace context, passed on; NULL: none. Copied */
};

struct loyalty_reply {
    uint64_t handle;       /* what loyalty_submit returned */
    void *context;         /* as given to loyalty_submit */
    bool ok;
    const void *result;    /* ok: a MessagePack map */
    size_t result_size;
    struct loyalty_error error; /* not ok */
    const void *details;   /* not ok: the error's details, a MessagePack map; NULL where there are none */
    size_t details_size;
    const char *key;       /* the key it was sent with; "" where it has none in the header */
    unsigned attempts;     /* times it was sent; 0: never, as no broker was reached */
    int64_t elapsed_us;    /* from submit to now */
    void *memory;          /* the library's; NULL in a callback */
};

/* Runs when a submitted request is done, from within loyalty_poll, loyalty_next or loyalty_call. `reply` and
 * all that it points to are gone when it returns. It may submit more, but not poll, call or destroy. */
typedef void loyalty_done (const struct loyalty_reply *reply);

/* Starts a request. With `done` it is answered through it, without one through loyalty_next. Never blocks.
 * Returns the request's handle; 0 with `error` filled: invalid_request, too_large, busy (in_flight_max
 * reached, where queued answers not taken yet count too), internal. */
LOYALTY_API uint64_t loyalty_submit (struct loyalty_client *client, const struct loyalty_request *request,
                                     loyalty_done *done, void *context, struct loyalty_error *error);

/* Sends, receives, retries, and runs callbacks: returns as soon as something was done, or after `timeout_ms`
 * (0: without waiting; negative: as long as anything is in flight). Returns how many requests got done. */
LOYALTY_API unsigned loyalty_poll (struct loyalty_client *client, int timeout_ms);

/* Takes the next answer of those submitted without a callback, waiting like loyalty_poll. 1: *reply filled,
 * to be freed with loyalty_reply_free; 0: none in that time. */
LOYALTY_API int loyalty_next (struct loyalty_client *client, int timeout_ms, struct loyalty_reply *reply);

/* One request, waiting for its answer; others in flight go on meanwhile. 0: ok; -1: reply->error says why.
 * *reply is filled in both cases and to be freed. Not to be called from a callback. */
LOYALTY_API int loyalty_call (struct loyalty_client *client, const struct loyalty_request *request,
                              struct loyalty_reply *reply);

/* Frees what loyalty_next or loyalty_call filled in, and clears it. */
LOYALTY_API void loyalty_reply_free (struct loyalty_reply *reply);

/* Forgets a request: no answer comes for it any more, though the engine may still do it. 0; -1: not in flight. */
LOYALTY_API int loyalty_forget (struct loyalty_client *client, uint64_t handle);

/* Requests under way, and answers not taken yet. */
LOYALTY_API unsigned loyalty_in_flight (const struct loyalty_client *client);

/* What happened so far. */
struct loyalty_stats {
    uint64_t submitted;  /* requests */
    uint64_t sent;       /* times one was put on the wire */
    uint64_t resent;     /* of these, after the first time */
    uint64_t succeeded, failed;
    uint64_t late;       /* replies to requests that were done or forgotten: dropped */
    uint64_t garbage;    /* messages that are no replies: dropped */
    uint64_t connects;   /* sockets opened */
    uint64_t connected;  /* of these, that got through to a broker */
    uint64_t probes;     /* times that a broker was asked for a sign of life */
};
LOYALTY_API void loyalty_client_stats (const struct loyalty_client *client, struct loyalty_stats *stats);

/* The endpoint in use, or tried at the moment. Borrowed from the client. */
LOYALTY_API const char *loyalty_client_endpoint (const struct loyalty_client *client);

/* "busy" of LOYALTY_BUSY; "ok" of LOYALTY_OK. */
LOYALTY_API const char *loyalty_code_name (enum loyalty_code code);

/* A new key: a random UUID (version 4) in text form, from the system's source. 0; -1: it gave nothing. */
enum { LOYALTY_KEY_SIZE = 37 }; /* with the final NUL */
LOYALTY_API int loyalty_key_make (char key[LOYALTY_KEY_SIZE]);

/* The affinity of a body: FNV-1a 64 of `partner_id` as eight bytes, little-endian; else of the card's code
 * (`code`, or that of the first of `cards`); else of `order_id`; 0 when it has none of these. */
LOYALTY_API uint64_t loyalty_affinity (const void *body, size_t size);

#ifdef __cplusplus
}
#endif
#endif
