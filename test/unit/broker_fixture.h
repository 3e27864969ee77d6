/* broker_fixture.h - a broker's core whose sends are kept to be looked at; messages go in by one-line functions. */
#ifndef UNIT_BROKER_FIXTURE_H
#define UNIT_BROKER_FIXTURE_H

#include "broker/core.h"
#include "net/worker_protocol.h"
#include "wire/envelope.h"
#include "wire/method.h"

enum { FIXTURE_KEPT_MAX = 4096 };

struct kept_reply {
    uint64_t peer, id;
    bool is_passed; /* a worker's answer, of this text: */
    char answer[32];
    bool ok;
    struct error failure;
    int64_t retry_ms;
};

struct kept_control {
    uint64_t peer;
    struct worker_message message; /* text is in `text` */
    char text[WORKER_NAME_BYTES_MAX + 1];
    uint64_t request; /* of a dispatch: the client's id */
};

struct fixture {
    struct core *core;
    struct settings settings;
    int64_t now_us;
    struct kept_reply replies[FIXTURE_KEPT_MAX];
    struct kept_control controls[FIXTURE_KEPT_MAX];
    unsigned reply_count, control_count;
    unsigned replies_seen, controls_seen; /* by the functions that take the next one */
    uint64_t gone_peer;                   /* sends there fail: gone */
    uint64_t full_peer;                   /* sends there fail: full */
    uint64_t killed_peer;                 /* as gone_peer, for workers */
    unsigned fail_allocations_from;       /* the N-th allocation and later ones fail; 0: none */
    unsigned allocations;
    long memory_count;
    unsigned frames_count;
    char events[8192];
    uint8_t result[65536]; /* of the last ok answer of the broker's own */
    uint32_t result_size;
};

/* A core with these settings at time 10 s; NULL: the defaults. */
struct fixture *fixture_new (const struct settings *settings);
/* Destroys it and checks that all memory and all frames were given back. */
void fixture_destroy (struct fixture *fixture);

struct request_of {
    uint64_t peer, id;
    uint32_t ttl_ms; /* 0: 5000 */
    uint64_t affinity;
    const char *method; /* NULL: order.quote */
    uint32_t body_size;
    struct str body; /* where the broker itself reads it */
    unsigned roles; /* 0: ROLES_ANY */
    const char *user;
};
void request_send (struct fixture *fixture, struct request_of request);
#define request(fixture, ...) request_send ((fixture), (struct request_of){ __VA_ARGS__ })

void hello (struct fixture *fixture, uint64_t peer, uint64_t session, uint64_t granted);
void worker_says (struct fixture *fixture, uint64_t peer, struct worker_message message);
void worker_answers (struct fixture *fixture, uint64_t peer, uint64_t session, uint64_t dispatch, const char *answer);
void worker_beats (struct fixture *fixture, uint64_t peer, uint64_t session, struct str stats);
void tick_at (struct fixture *fixture, int64_t ms_later);

/* The next reply, or control message of that kind, that was not looked at; a test fails when there is none. */
const struct kept_reply *next_reply (struct fixture *fixture);
const struct kept_control *next_control (struct fixture *fixture, enum worker_message_kind kind);
/* How many of that kind were not looked at. */
unsigned controls_left (const struct fixture *fixture, enum worker_message_kind kind);
unsigned replies_left (const struct fixture *fixture);

#endif
