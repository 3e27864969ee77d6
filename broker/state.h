/* state.h - what the core's files share: requests, clients, accounts, workers and how they hang together.
 *
 * Each state is a list. A request waits in its client's queue, is in work in its worker's list, or is free; only
 * request_wait, request_work and request_detach (queue.c) move it. A client is a connection: busy (has requests
 * waiting: it takes its turn among those of its account), waiting (only requests in work) or idle; only client_settle
 * moves it. An account is whose connections they are, and what bounds are about: quiet, taking its turns, capped (has
 * its share of the work already), or left (a user without connections); only account_settle moves it. */
#ifndef BROKER_STATE_H
#define BROKER_STATE_H

#include "base/histogram.h"
#include "broker/core.h"
#include "broker/list.h"
#include "net/key_list.h"
#include "net/worker_protocol.h"
#include "wire/envelope.h"
#include "wire/method.h"

enum {
    WHEEL_SLOTS = 1024, /* of WHEEL_SLOT_US each: one turn is 8.4 s */
    WHEEL_SLOT_SHIFT = 13,
    SLAB_REQUESTS = 256,
    SLOT_BITS = 20, /* of a dispatch number: the request's place in the slabs */
    SLABS_MAX = (BROKER_REQUESTS_MAX + SLAB_REQUESTS - 1) / SLAB_REQUESTS,
    CLIENT_BUCKETS = 16384,
    ACCOUNT_BUCKETS = 1024,
    ACTIVE_US = 1000000, /* who sent something in this time or the one before counts as one who asks */
    RETRY_MS_MIN = 20,
    RETRY_MS_MAX = 5000,
    RETRY_MS_UNKNOWN = 200,
};

enum request_state { REQUEST_FREE, REQUEST_WAITING, REQUEST_IN_WORK };

struct request {
    struct list link;  /* the free list, its client's queue, or its worker's list */
    struct list timer; /* a slot of the wheel */
    struct client *client;
    struct worker *worker; /* in work only */
    void *frames;
    uint64_t id, affinity;
    uint64_t dispatch; /* the number of the last dispatch; its low bits are the request's slot */
    int64_t arrived_us, deadline_us;
    int64_t due_us; /* when the timer is to fire */
    uint32_t bytes, slot;
    unsigned roles;
    uint8_t state; /* enum request_state */
    uint8_t dispatches;
    uint8_t user_size;
    char user[WORKER_NAME_BYTES_MAX];
};

/* X (identifier, name in admin.stats, meaning): bounds of one account. */
#define CLIENT_LIMITS(X)                                              \
    X (REQUESTS, requests, "requests waiting or in work")             \
    X (RATE, rate, "requests a second")                               \
    X (BYTES, bytes, "bytes of the requests waiting or in work")

enum client_limit {
#define X(id, name, text) LIMIT_##id,
    CLIENT_LIMITS (X)
#undef X
        LIMIT_COUNT
};

enum account_state { ACCOUNT_LEFT, ACCOUNT_QUIET, ACCOUNT_TURN, ACCOUNT_CAPPED, ACCOUNT_STATE_COUNT };

/* Whoever takes turns and has bounds: a user with all connections of its, or a connection without a user. */
struct account {
    struct list link;      /* the list of its state */
    struct list busy;      /* its busy clients, in the order of their turns */
    struct list limited;   /* core->limited, once a bound refused it something */
    struct account *chain; /* of a user: the next one of its bucket */
    uint64_t peer;         /* of a connection without a user */
    uint32_t clients, queued, held;
    enum account_state state;
    uint64_t bytes;
    int64_t active_second; /* the last one in which it sent something */
    int64_t full_ns;       /* when its bucket of tokens is full again (account.c) */
    int64_t promised_ns;   /* the last time that it was told to try again at */
    int64_t left_us;       /* when its last connection went */
    int64_t limited_us;    /* when a bound last refused it something */
    int64_t told_us;       /* when the log last said so */
    uint64_t refused[LIMIT_COUNT];
    uint8_t user_size; /* 0: a connection's own */
    char user[WORKER_NAME_BYTES_MAX];
};

enum client_state { CLIENT_IDLE, CLIENT_BUSY, CLIENT_WAITING, CLIENT_STATE_COUNT };

struct client {
    struct list link;     /* the list of its state; busy: its account's */
    struct client *chain; /* the next one of its bucket */
    uint64_t peer;
    struct list queue;
    uint32_t queued, held; /* held: waiting or in work */
    enum client_state state;
    bool is_gone; /* a reply found no connection: forgotten as soon as nothing is held */
    int64_t idle_us;
    uint64_t received, bytes;
    struct account *account; /* of its user; without one &own */
    struct account own;
};

struct worker {
    uint64_t peer, session;
    uint32_t version; /* of the worker protocol, in this session */
    uint64_t granted, dispatched; /* totals of the session */
    struct list requests;         /* in work, the oldest first */
    uint32_t in_flight;
    bool is_draining;
    bool is_suspect; /* let a deadline pass unanswered: the last choice until it answers something */
    int64_t heard_us, told_us, joined_us;
    uint64_t answered, overdue;
    uint32_t stats_size;
    char name[WORKER_NAME_BYTES_MAX + 1];
    char key[KEY_TEXT_SIZE]; /* of its connection; empty without keys */
    char stats[WORKER_STATS_BYTES_MAX];
};

/* See rate.c. */
struct service_rate {
    int64_t since_us;
    uint64_t answered;    /* the count at since_us */
    bool was_always_busy; /* something waited all the time since */
    bool is_known;
    double per_s;
};

#define CORE_COUNTERS(X)                                                                             \
    X (received, "messages of clients")                                                              \
    X (answered, "requests that a worker answered")                                                  \
    X (limited, "requests refused because their client had reached a bound of its own")              \
    X (dispatched, "dispatches to workers")                                                          \
    X (requeued, "requests given to another worker after one died")                                  \
    X (abandoned, "requests dropped because their client's connection is gone")                      \
    X (replies_dropped, "replies that could not be delivered: connection gone or its queue full")    \
    X (replies_late, "answers of workers to requests that are no longer waited for")                 \
    X (overdue, "requests that a worker did not answer by their deadline and the grace")             \
    X (workers_joined, "sessions of workers begun")                                                  \
    X (workers_left, "sessions of workers ended, for whatever reason")                               \
    X (malformed, "messages of workers that could not be read")                                      \
    X (handshakes_refused, "connections refused for a key that is not listed, or has no role for that port") \
    X (handshakes_broken, "connections that ended before they showed a key: no CURVE, a wrong server key, garbage")

struct counters {
#define X(name, text) uint64_t name;
    CORE_COUNTERS (X)
#undef X
};

struct core {
    struct settings settings;
    struct core_output output;
    int64_t started_us, now_us, ticked_us;
    bool is_draining;
    int64_t drain_by_us;
    int64_t no_worker_us; /* since when no worker takes requests; INT64_MAX while one does */

    struct client *buckets[CLIENT_BUCKETS];
    struct list clients[CLIENT_STATE_COUNT]; /* busy ones are in their accounts' lists */
    uint32_t client_count, busy_count;

    struct account *account_buckets[ACCOUNT_BUCKETS]; /* of users */
    struct list accounts[ACCOUNT_STATE_COUNT];
    struct list limited; /* accounts that a bound refused something, the last one in front */
    uint32_t user_count, waiting_accounts;
    uint32_t share; /* requests that one account may have in work now */
    int64_t active_second;
    uint32_t active_now, active_before; /* accounts that sent something in this second; in the one before */

    struct request *slabs[SLABS_MAX];
    uint32_t slab_count;
    struct list free_requests;
    uint32_t queued, in_flight;
    uint64_t bytes;
    uint64_t sequence; /* of dispatches */

    struct worker *workers[BROKER_WORKERS_MAX];
    uint32_t worker_count;
    int64_t version_told_us; /* when the log last spoke of a worker of another version */

    struct list wheel[WHEEL_SLOTS];
    int64_t wheel_turn; /* number of the next slot to look at, counted from the origin of the clock */

    struct service_rate rate;
    struct counters counters;
    uint64_t errors[ERROR_CODE_COUNT]; /* answered by the broker itself */
    struct histogram latency[2];       /* from arrival to reply: in this half minute, and in the one before */
    int64_t latency_us;                /* when this half minute began */
    double answered_per_s;             /* in the last full second */
    int64_t second_us;                 /* when this second began, and the count then */
    uint64_t second_answered;

    /* Bytes of the message that is being sent: big enough from the start that an error can always be told. */
    struct buf header, body, control;
};

static inline int64_t
us_of_ms (int64_t ms)
{
    return ms * 1000;
}

/* --- core.c --- */
/* The time of the input that is being handled. */
void core_advance (struct core *core, int64_t now_us);
void core_event (struct core *core, enum log_level level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* --- queue.c: clients, their queues and the requests in them --- */
struct client *client_find (struct core *core, uint64_t peer);
/* The client of a connection and its user (text borrowed), new ones where there are none yet. When there are as many
 * clients as may be, the one that was idle longest is forgotten for it. NULL: all have requests, or there is no memory. */
struct client *client_of (struct core *core, uint64_t peer, struct str user);
/* Puts it in the list of its state. `first`: when it becomes busy, it is the next to take its turn. A client that
 * is gone loses what it has waiting, and is freed once it has nothing in work. */
void client_settle (struct core *core, struct client *client, bool first);
void clients_forget_idle (struct core *core);
/* Frees all clients with their accounts, and all requests. */
void clients_free (struct core *core);
/* The client whose turn is next, of an account that may have more in work; NULL: there is none. */
struct client *client_next (struct core *core);

/* A request of the client that owns the message's frames, in no list yet; NULL when there is no memory for one. */
struct request *request_new (struct core *core, struct client *client, const struct client_message *message);
/* Frees one that is detached, with its frames; its client is settled, and perhaps freed. */
void request_free (struct core *core, struct request *request);
/* To its client's queue; `first`: before all others. */
void request_wait (struct core *core, struct request *request, bool first);
/* To its worker's list; the client has taken its turn. */
void request_work (struct core *core, struct request *request, struct worker *worker);
/* Out of its list and off the wheel: the caller frees it, or puts it elsewhere. */
void request_detach (struct core *core, struct request *request);
/* The request of that dispatch while it is in work; NULL. */
struct request *request_by_dispatch (struct core *core, uint64_t dispatch);

/* --- account.c: whose connections they are, and what each may have --- */
void account_init (struct account *account);
/* The account of a user, a new one where there is none yet, for account_join; NULL: no memory. */
struct account *account_of_user (struct core *core, struct str user);
/* The client and what it has belong to that account from now on; *leave*: no longer. */
void account_join (struct core *core, struct account *account, struct client *client);
void account_leave (struct core *core, struct client *client);
/* Puts it in the list of its state. `first`: when its turns begin, the next one is its. */
void account_settle (struct core *core, struct account *account, bool first);
/* Takes note that it sent something. */
void account_active (struct core *core, struct account *account);
/* Whether its bounds allow this message. -1: busy, in `failure`, and when to try again. */
int account_check (struct core *core, struct account *account, const struct client_message *message,
                   struct error *failure, int64_t *retry_ms);
/* Shares out the work anew, and forgets users that left long ago. */
void accounts_tick (struct core *core);
/* No bound on anybody's share of the work, until the next tick. */
void accounts_uncap (struct core *core);
void accounts_free (struct core *core);

/* --- deadline.c: the wheel of timers --- */
void timer_set (struct core *core, struct request *request, int64_t due_us);
void timers_fire (struct core *core);
/* Answers a request whose time is over, and frees it. */
void request_expire (struct core *core, struct request *request);

/* --- rate.c --- */
/* Forgets what was measured: the set of workers has changed. */
void rate_reset (struct core *core);
void rate_tick (struct core *core);
/* How long the next request of an account with `queued` waiting will wait; 0 when that is not known. */
int64_t rate_wait_ms (const struct core *core, uint32_t queued);
/* When an account that was refused for want of room may try again. */
int64_t rate_retry_ms (const struct core *core, uint32_t queued);

/* --- reply.c: what clients are told --- */
enum sent reply_failure (struct core *core, uint64_t peer, uint64_t id, const struct error *failure, int64_t retry_ms);
/* The reply body in core->body. */
void reply_result (struct core *core, uint64_t peer, uint64_t id);
/* Answers with a body (`passed` as in core_output) and frees the request, which must be detached. */
void request_answer (struct core *core, struct request *request, struct str body, void *passed);
/* Likewise with a failure that has details. */
void request_refuse (struct core *core, struct request *request, const struct error *failure, int64_t retry_ms);
/* Answers with a failure and frees the request, which must be detached. */
void request_fail (struct core *core, struct request *request, enum error_code code, int64_t retry_ms,
                   const char *format, ...) __attribute__ ((format (printf, 5, 6)));

/* --- own.c --- */
/* Answers a request to the broker itself. */
void own_answer (struct core *core, const struct client_message *message, const struct request_header *header,
                 const struct method *method);

/* --- dispatch.c --- */
/* Gives waiting requests to workers until one of both runs out. */
void dispatch_all (struct core *core);
/* A request whose worker is gone: to another one, or back to its client as worker_lost. */
void request_requeue (struct core *core, struct request *request);
/* Answers all waiting requests with the code and details.reason (worker_lost where a worker had them before) and frees
 * them. */
void dispatch_give_up (struct core *core, enum error_code code, const char *reason, const char *text);

/* --- workers.c: sessions --- */
bool worker_has_credit (const struct worker *worker);
/* Ends a session and frees the worker; what it had in work goes to others. `why` is for the log. */
void worker_end (struct core *core, struct worker *worker, const char *why);
void workers_tick (struct core *core);
/* Asks all workers of that name to answer what they have and end. Returns how many. */
unsigned workers_stop (struct core *core, const char *name);
/* Answers what is in work as worker_lost, and takes leave of all workers. */
void workers_leave (struct core *core);
void workers_free (struct core *core);

/* --- stats.c --- */
void stats_latency (struct core *core, int64_t latency_us);
void stats_tick (struct core *core);
/* The reply body of admin.stats into core->body; core->body.failed when there was no memory. */
void stats_encode (struct core *core);
/* Likewise that of admin.ping: short, as clients ask often. */
void ping_encode (struct core *core);

#endif
