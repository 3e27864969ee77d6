/* core.h - the broker as a state machine without sockets and without a clock.
 *
 * Messages, the time and a tick go in; sends go out through `struct core_output`. So the server runs it on
 * ZeroMQ, and the simulator on lists of its own. It balances requests over workers by credit, keeps every queue
 * bounded and every deadline, and looks into no body. One thread; time never runs backwards (it is held if so). */
#ifndef BROKER_CORE_H
#define BROKER_CORE_H

#include "base/arena.h"
#include "base/log.h"
#include "broker/settings.h"
#include "net/socket.h"

struct core;

/* Where the core's messages go. None of these may call the core. All bytes are borrowed for the call. */
struct core_output {
    void *context;
    /* Sends a reply: its header, and as body either `body` or, when `passed` is not NULL, the frame that the
     * worker's message brought (broker_worker_message.passed), unread. */
    enum sent (*to_client) (void *context, uint64_t peer, struct str header, struct str body, void *passed);
    /* Sends a control frame and, when `frames` is not NULL, the header and body frames that the client's message
     * brought; they stay the core's, which may have to send them again. */
    enum sent (*to_worker) (void *context, uint64_t peer, struct str control, void *frames);
    /* Frees frames that the core took over. */
    void (*release) (void *context, void *frames);
    /* Something an operator wants to know; may be NULL. */
    void (*event) (void *context, enum log_level level, const char *text);
    /* Zeroed memory; NULL when there is none. */
    void *(*allocate) (void *context, size_t size);
    void (*free) (void *context, void *memory);
};

/* A message of a client. `peer` names its connection; user and roles are those that its key gave it. */
struct client_message {
    uint64_t peer;
    struct str user; /* at most WORKER_NAME_BYTES_MAX bytes; empty without keys */
    unsigned roles;
    bool is_unknown; /* its key is not listed, or no longer */
    unsigned frame_count; /* behind the routing id; a request has 2 */
    struct str header;    /* the first of them */
    uint32_t body_size;   /* of the second */
    struct str body;      /* the second; read only where it is for the broker itself */
    void *frames;         /* both, owned; NULL when there was no memory to keep them */
};

/* A message of a worker. */
struct broker_worker_message {
    uint64_t peer;
    struct str key;       /* the key of its connection, in Z85; empty without keys */
    unsigned frame_count; /* behind the routing id */
    struct str control;   /* the first of them */
    struct str payload;   /* the second, empty when there is none; the core reads only statistics */
    void *passed;         /* the second as a handle for to_client; borrowed */
};

/* A new core; NULL when there is no memory. Both structs are copied. */
struct core *core_new (const struct settings *settings, const struct core_output *output, int64_t now_us);
/* Frees it and all that it holds, without a word to anybody; sets *core to NULL. */
void core_destroy (struct core **core);

/* Takes over message->frames, whatever comes of it. */
void core_client_message (struct core *core, int64_t now_us, const struct client_message *message);
void core_worker_message (struct core *core, int64_t now_us, const struct broker_worker_message *message);

/* Ends the session of that connection, if it has one: its key opens the workers' port no longer. */
void core_worker_refuse (struct core *core, int64_t now_us, uint64_t peer);
/* Ends the sessions of all workers whose key is not good any more, as `is_good` says. */
void core_workers_check (struct core *core, int64_t now_us, bool (*is_good) (void *context, struct str key),
                         void *context);
/* Adds to the counters of handshakes that failed. */
void core_count_handshakes (struct core *core, uint64_t refused, uint64_t broken);

/* Deadlines, heartbeats, dead workers, idle clients. Call at least as often as core_wait_ms says. */
void core_tick (struct core *core, int64_t now_us);
/* Milliseconds until the next tick is due. */
int core_wait_ms (const struct core *core);

/* Takes no more requests (they are answered busy), finishes those that it has; core_is_drained says when. */
void core_drain (struct core *core, int64_t now_us);
bool core_is_drained (const struct core *core);
/* Answers all that is left (busy what waits, worker_lost what is in work) and takes leave of the workers. */
void core_stop (struct core *core, int64_t now_us);

/* New settings; bounds that are passed already hold for what comes. */
void core_configure (struct core *core, const struct settings *settings);

/* Figures that tests and the server look at. */
struct core_gauges {
    uint32_t clients, queued, in_flight, workers;
    uint64_t bytes;
    bool draining;
};
struct core_gauges core_gauges (const struct core *core);

#endif
