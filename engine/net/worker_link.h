/* worker_link.h - the worker's side of the broker's worker protocol (docs/protocol.md, "Workers"):
 * sessions, credit and heartbeats towards one or several brokers. One thread; never blocks. */
#ifndef NET_WORKER_LINK_H
#define NET_WORKER_LINK_H

#include "base/arena.h"
#include "base/error.h"
#include "net/certificate.h"
#include "wire/envelope.h"

struct worker_link;

/* A request as a broker handed it over. The bytes belong to the request and live until
 * worker_link_reply or worker_link_drop is called on it. */
struct worker_request {
    uint32_t broker;        /* which of the brokers */
    uint64_t session;       /* the session it came in */
    uint64_t dispatch;      /* the broker's number for it */
    int64_t deadline_us;    /* on clock_monotonic_us: computed from the remaining ttl on arrival */
    struct str user;        /* the client's authenticated name; empty without keys */
    unsigned roles;         /* the client's roles, as the broker knows them */
    struct request_header header; /* decoded; borrows from the frames */
    struct str body;
    void *frames;           /* the library's */
};

struct worker_link_options {
    void *zmq_context;
    const char *const *endpoints; /* of brokers' worker ports */
    unsigned endpoint_count;
    const char *name;             /* for people: in statistics and logs */
    unsigned credit;              /* requests that may be given to this worker at once, per broker */
    const struct certificate *certificate; /* this worker's keys; NULL: no CURVE. Copied */
};

struct worker_link *worker_link_new (const struct worker_link_options *options, struct error *err);
/* Says goodbye to the brokers and closes; what is in hand and unanswered is requeued by them. */
void worker_link_destroy (struct worker_link **link);

/* File descriptors that become readable when there may be something to receive (edge-triggered, as ZMQ_FD:
 * call worker_link_receive until it returns 0 before sleeping). Returns how many, at most `max`. */
unsigned worker_link_fds (struct worker_link *link, int *fds, unsigned max);

/* Takes one request that has arrived, handling the protocol's own messages on the way. 1: *request filled; 0: none now. */
int worker_link_receive (struct worker_link *link, int64_t now_ms, struct worker_request *request);

/* Sends the reply body (copied) and frees the request. A reply to a session that is over is dropped
 * (the broker has given the request to another worker; the key makes that harmless). */
void worker_link_reply (struct worker_link *link, struct worker_request *request, const struct buf *body);
/* Frees the request without an answer (the broker will requeue it when the session ends). */
void worker_link_drop (struct worker_link *link, struct worker_request *request);
/* Whether the session that the request came in still stands; if not, the broker has given it to another worker. */
bool worker_link_holds (const struct worker_link *link, const struct worker_request *request);
/* How long the caller may go without worker_link_tick before a broker might take it for dead, and give its requests to others. */
int worker_link_pause_ms_max (const struct worker_link *link);
/* Grants the broker of index `broker` credit for `count` more requests. It is told with the next worker_link_receive
 * or worker_link_tick, so that the grants of a whole batch are one message. */
void worker_link_grant (struct worker_link *link, uint32_t broker, unsigned count);

/* Heartbeats, sessions that timed out, reconnects; call at least every 200 ms. `stats` (a MessagePack map, may
 * be empty) is passed to the brokers for admin.stats. Returns milliseconds until it wants to be called again. */
int worker_link_tick (struct worker_link *link, int64_t now_ms, struct str stats);

/* Whether one of the brokers passed on that this worker is to end (`loyalty drain --worker`). */
bool worker_link_is_stopped (const struct worker_link *link);
/* Stops taking requests: the brokers give no more; what is in hand can still be answered. */
void worker_link_drain (struct worker_link *link);

#endif
