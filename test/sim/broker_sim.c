/* broker_sim.c - the world: its clock, its network, its processes; see broker_sim.h. The checks are in the functions
 * named check_…, and in the three that the core calls: to_client, to_worker, release. */
#include "sim/broker_sim.h"
#include "base/hash.h"
#include "wire/envelope.h"
#include "wire/method.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_US = 20000, HEAP_MAX = 65536, GONE_AFTER_US_MAX = 1500000, TICK_SLACK_US = 120000 };

enum event_kind { TICK, TO_BROKER_FROM_CLIENT, TO_BROKER_FROM_WORKER, TO_WORKER, CLIENT_WAKES, WORKER_WAKES, LOOK };

struct event {
    int64_t at_us;
    uint64_t order;
    enum event_kind kind;
    unsigned index; /* of the client or worker */
    uint64_t peer;
    uint32_t id; /* of the request */
    bool is_reply;
    struct worker_message message;
    char garbage; /* not 0: instead of a message, so many bytes of nonsense */
};

/* A request, over all the times that it was delivered. */
struct tracked {
    uint64_t peer;
    unsigned client;
    unsigned deliveries, replies, dispatches;
    int64_t sent_us, deadline_us; /* of the last delivery */
    uint32_t ttl_ms, body_size;
    bool is_calm;     /* sent when nothing could go wrong any more */
    bool is_garbage;  /* one of its deliveries was: that one's answer may carry no id */
    bool is_given_up; /* its client's connection was found gone */
};

/* The frames that the core holds for one delivery. */
struct held {
    uint32_t id;
    unsigned dispatches;
    const struct known_session *session; /* that was given it last */
};

struct sim_client {
    uint64_t peer;
    int64_t gone_at_us; /* of a connection that ended: from when on sends fail; see `dead` */
    int64_t arrive_us;  /* when its last message arrives: none overtakes another */
    unsigned turns_of_others[SIM_CLIENTS_MAX];
    unsigned waiting; /* delivered and admitted, not yet dispatched */
    unsigned pending; /* delivered, not yet answered */
};

struct in_hand {
    uint64_t session, dispatch;
    uint32_t id;
};

struct sim_worker {
    uint64_t peer;
    struct worker_session session;
    bool is_running;
    int64_t hangs_until_us, idles_until_us, starts_at_us, batch_done_us;
    int64_t arrive_us, arrive_there_us;
    struct in_hand in_hand[SIM_IN_HAND_MAX];
    unsigned in_hand_count, batch; /* the first `batch` of them are being worked on */
};

/* What the broker may know of a session, from what was delivered to it. */
struct known_session {
    uint64_t session, peer, granted, dispatched;
    int64_t heard_us;
    bool is_over, is_draining;
};

/* A plain model of the tokens that one user has left. */
struct sim_user {
    double tokens;
    int64_t at_us;
};

struct sim {
    const struct sim_options *options;
    struct sim_result *result;
    struct core *core;
    int64_t now_us;
    uint64_t random, order, next_peer;
    struct event heap[HEAP_MAX];
    unsigned heap_count;
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct sim_user users[SIM_USERS_MAX];
    struct sim_worker workers[SIM_WORKERS_MAX];
    struct known_session sessions[1024];
    unsigned session_count;
    struct {
        uint64_t peer;
        int64_t at_us;
    } dead[1024]; /* connections that ended, and when sends begin to fail */
    unsigned dead_count;
    struct tracked requests[SIM_REQUESTS_MAX];
    uint32_t request_count;
    unsigned held_count;
    long memory_count;
    int64_t broker_stalls_until_us;
    int64_t calm_from_us; /* from when on each request has to succeed */
    bool is_calm;
};

static void fail (struct sim *sim, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void
fail (struct sim *sim, const char *format, ...)
{
    char text[240];
    va_list args;
    if (sim->result->failure[0] != '\0')
        return;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    snprintf (sim->result->failure, sizeof sim->result->failure, "at %lld us: %s", (long long)sim->now_us, text);
}

/* --- chance and time --- */

static uint64_t
random_next (uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t
below (struct sim *sim, int64_t bound)
{
    return bound > 0 ? (int64_t)(random_next (&sim->random) % (uint64_t)bound) : 0;
}

static bool
chance (struct sim *sim, unsigned of_10000)
{
    return !sim->is_calm && below (sim, 10000) < of_10000;
}

static bool
is_before (const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void
event_add (struct sim *sim, struct event event)
{
    if (sim->heap_count == HEAP_MAX) {
        fail (sim, "the simulator has more events than it can hold");
        return;
    }
    event.order = ++sim->order;
    unsigned at = sim->heap_count++;
    for (; at > 0 && is_before (&event, &sim->heap[(at - 1) / 2]); at = (at - 1) / 2)
        sim->heap[at] = sim->heap[(at - 1) / 2];
    sim->heap[at] = event;
}

static struct event
event_take (struct sim *sim)
{
    struct event first = sim->heap[0], last = sim->heap[--sim->heap_count];
    unsigned at = 0;
    for (unsigned child; (child = 2 * at + 1) < sim->heap_count; at = child) {
        if (child + 1 < sim->heap_count && is_before (&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!is_before (&sim->heap[child], &last))
            break;
        sim->heap[at] = sim->heap[child];
    }
    sim->heap[at] = last;
    return first;
}

/* Sends an event over a connection: none overtakes an earlier one; it may be lost, or arrive twice. */
static void
travel (struct sim *sim, struct event event, int64_t *arrive_us)
{
    unsigned copies = 1;
    if (chance (sim, sim->options->faults.lose))
        copies = 0;
    else if (chance (sim, sim->options->faults.doubled))
        copies = 2;
    for (; copies > 0; copies--) {
        int64_t at_us = sim->now_us + 1 + below (sim, sim->options->delay_us_max);
        *arrive_us = at_us > *arrive_us ? at_us : *arrive_us;
        event.at_us = *arrive_us;
        event_add (sim, event);
    }
}

static void
connection_end (struct sim *sim, uint64_t peer)
{
    if (sim->dead_count == sizeof sim->dead / sizeof sim->dead[0]) {
        fail (sim, "the simulator has more dead connections than it can hold");
        return;
    }
    sim->dead[sim->dead_count].peer = peer;
    sim->dead[sim->dead_count++].at_us = sim->now_us + below (sim, GONE_AFTER_US_MAX);
}

/* 0: alive; 1: it ended, but the broker's side does not know yet; 2: it is known. */
static int
connection_ended (const struct sim *sim, uint64_t peer)
{
    for (unsigned i = 0; i < sim->dead_count; i++)
        if (sim->dead[i].peer == peer)
            return sim->now_us >= sim->dead[i].at_us ? 2 : 1;
    return 0;
}

/* --- what the broker knows of sessions --- */

static struct known_session *
session_known (struct sim *sim, uint64_t session)
{
    for (unsigned i = sim->session_count; i > 0; i--)
        if (sim->sessions[i - 1].session == session)
            return &sim->sessions[i - 1];
    return NULL;
}

static void
session_over_by_peer (struct sim *sim, uint64_t peer)
{
    for (unsigned i = 0; i < sim->session_count; i++)
        if (sim->sessions[i].peer == peer)
            sim->sessions[i].is_over = true;
}

static bool
session_may_be_over (const struct sim *sim, const struct known_session *known)
{
    return known->is_over || sim->now_us - known->heard_us >= sim->options->settings.worker_timeout_ms * 1000;
}

/* --- what the core asks for, and the checks of it --- */

static void
trace (struct sim *sim, uint64_t value)
{
    sim->result->trace = (sim->result->trace ^ value) * 0x100000001b3u;
}

static void
check_failure (struct sim *sim, const struct tracked *tracked, struct str body)
{
    bool ok;
    struct str result;
    struct error failure, err;
    int64_t retry_ms = 0;
    if (reply_body_decode (body, &ok, &result, &failure, &retry_ms, &err) != 0 || ok) {
        fail (sim, "the broker's own answer is not a failure");
        return;
    }
    sim->result->errors[failure.code]++;
    trace (sim, failure.code);
    bool says_nothing_done = failure.code == ERROR_BUSY || failure.code == ERROR_UNAVAILABLE ||
                             failure.code == ERROR_EXPIRED_DEADLINE || failure.code == ERROR_INVALID_REQUEST;
    if (says_nothing_done && tracked->deliveries == 1 && tracked->dispatches > 0)
        fail (sim, "%s, although a worker has had the request", error_code_name (failure.code));
    if ((failure.code == ERROR_BUSY || failure.code == ERROR_UNAVAILABLE) && retry_ms <= 0)
        fail (sim, "%s without retry_after_ms", error_code_name (failure.code));
    if (tracked->is_calm)
        fail (sim, "%s in calm times: %s", error_code_name (failure.code), failure.message);
}

static enum sent
to_client (void *context, uint64_t peer, struct str header, struct str body, void *passed)
{
    struct sim *sim = context;
    struct error err;
    uint64_t id;
    if (reply_header_decode (header, &id, &err) != 0) {
        fail (sim, "a reply's header is unreadable: %s", err.message);
        return SENT;
    }
    trace (sim, id * 2 + (passed != NULL));
    if (id > 0 && id < sim->request_count) {
        struct tracked *tracked = &sim->requests[id];
        if (tracked->peer != peer)
            fail (sim, "request %llu is answered to another connection", (unsigned long long)id);
        if (++tracked->replies > tracked->deliveries)
            fail (sim, "request %llu is answered %u times for %u deliveries", (unsigned long long)id, tracked->replies,
                  tracked->deliveries);
        if (sim->now_us > tracked->deadline_us + (sim->options->settings.grace_ms * 1000) + TICK_SLACK_US &&
            sim->now_us > sim->broker_stalls_until_us + TICK_SLACK_US)
            fail (sim, "request %llu is answered %lld us past its deadline and the grace", (unsigned long long)id,
                  (long long)(sim->now_us - tracked->deadline_us - sim->options->settings.grace_ms * 1000));
        if (passed == NULL) {
            check_failure (sim, tracked, body);
        } else {
            if (*(const uint32_t *)passed != id)
                fail (sim, "request %llu gets the answer to %u", (unsigned long long)id, *(const uint32_t *)passed);
            uint64_t wait_us = (uint64_t)(sim->now_us - tracked->sent_us);
            uint64_t *worst_us = &sim->result->worst_wait_us[tracked->client];
            *worst_us = wait_us > *worst_us ? wait_us : *worst_us;
            sim->result->ok++;
        }
        if (sim->clients[tracked->client].peer == peer && !tracked->is_garbage)
            sim->clients[tracked->client].pending--;
    }
    int ended = connection_ended (sim, peer);
    if (ended == 2) {
        for (uint32_t i = 1; i < sim->request_count; i++)
            if (sim->requests[i].peer == peer)
                sim->requests[i].is_given_up = true;
        return SENT_GONE;
    }
    return chance (sim, sim->options->faults.full) ? SENT_FULL : SENT;
}

/* Turns are taken one by one: while a client waits, no other gets a second one. */
static void
check_turns (struct sim *sim, unsigned taker)
{
    if (!sim->options->check_turns)
        return;
    struct sim_client *client = &sim->clients[taker];
    client->waiting--;
    memset (client->turns_of_others, 0, sizeof client->turns_of_others);
    for (unsigned i = 0; i < sim->options->client_count; i++) {
        if (i == taker || sim->clients[i].waiting == 0)
            continue;
        if (++sim->clients[i].turns_of_others[taker] > 1)
            fail (sim, "client %u had %u turns while client %u waited for one", taker,
                  sim->clients[i].turns_of_others[taker], i);
    }
}

static void
check_dispatch (struct sim *sim, const struct worker_message *message, struct held *held)
{
    struct known_session *known = session_known (sim, message->session);
    struct tracked *tracked = &sim->requests[held->id];
    if (known == NULL || known->is_over) {
        fail (sim, "a dispatch to a session that the broker cannot hold for alive");
        return;
    }
    if (sim->now_us - known->heard_us > sim->options->settings.worker_timeout_ms * 1000 + TICK_SLACK_US &&
        sim->now_us > sim->broker_stalls_until_us + sim->options->settings.worker_timeout_ms * 1000)
        fail (sim, "a dispatch to a worker that was silent for %lld us", (long long)(sim->now_us - known->heard_us));
    if (known->is_draining)
        fail (sim, "a dispatch to a worker that drains");
    if (++known->dispatched > known->granted)
        fail (sim, "dispatch %llu of a session that granted %llu", (unsigned long long)known->dispatched,
              (unsigned long long)known->granted);
    if (message->ttl_ms < 1 || message->ttl_ms > tracked->ttl_ms)
        fail (sim, "a dispatch with %u ms left of %u", message->ttl_ms, tracked->ttl_ms);
    if (held->dispatches > 0) {
        sim->result->requeued++;
        if (!session_may_be_over (sim, held->session))
            fail (sim, "request %u is given to a second session while the first lives", held->id);
    }
    if (++held->dispatches > 1 + sim->options->settings.requeues_max)
        fail (sim, "request %u is given out %u times", held->id, held->dispatches);
    held->session = known;
    tracked->dispatches++;
    sim->result->dispatched++;
    check_turns (sim, tracked->client);
}

static enum sent
to_worker (void *context, uint64_t peer, struct str control, void *frames)
{
    struct sim *sim = context;
    struct worker_message message;
    struct error err;
    if (worker_message_decode (control, frames != NULL ? 2 : 0, false, &message, &err) != 0) {
        fail (sim, "a control frame is unreadable: %s", err.message);
        return SENT;
    }
    trace (sim, message.kind * 31 + message.session + message.dispatch);
    if (message.kind == MESSAGE_RESET) {
        struct known_session *known = session_known (sim, message.session);
        /* Whatever else ends a session has been noted when it was delivered. */
        if (known != NULL && message.reason == RESET_UNKNOWN_SESSION && !session_may_be_over (sim, known))
            fail (sim, "a session that lives is reset");
        if (known != NULL)
            known->is_over = true;
    }
    int ended = connection_ended (sim, peer);
    if (ended == 2 || chance (sim, sim->options->faults.full / 10)) {
        session_over_by_peer (sim, peer);
        return ended == 2 ? SENT_GONE : SENT_FULL;
    }
    if (frames != NULL)
        check_dispatch (sim, &message, frames);
    message.text = (struct str){ "", 0 };
    for (unsigned i = 0; ended == 0 && i < sim->options->worker_count; i++)
        if (sim->workers[i].peer == peer)
            travel (sim,
                    (struct event){ .kind = TO_WORKER,
                                    .index = i,
                                    .peer = peer,
                                    .message = message,
                                    .id = frames != NULL ? ((struct held *)frames)->id : 0 },
                    &sim->workers[i].arrive_there_us);
    return SENT;
}

static void
release (void *context, void *frames)
{
    struct sim *sim = context;
    sim->held_count--;
    free (frames);
}

static void *
allocate (void *context, size_t size)
{
    struct sim *sim = context;
    if (sim->core != NULL && chance (sim, sim->options->faults.no_memory))
        return NULL;
    void *memory = calloc (1, size);
    sim->memory_count += memory != NULL;
    return memory;
}

static void
release_memory (void *context, void *memory)
{
    struct sim *sim = context;
    sim->memory_count -= memory != NULL;
    free (memory);
}

static void
event (void *context, enum log_level level, const char *text)
{
    struct sim *sim = context;
    (void)level;
    if (sim->options->tell)
        fprintf (stderr, "%lld us: %s\n", (long long)sim->now_us, text);
}

static void
check_bounds (struct sim *sim)
{
    const struct settings *settings = &sim->options->settings;
    struct core_gauges gauges = core_gauges (sim->core);
    if (gauges.queued + gauges.in_flight > settings->requests_max)
        fail (sim, "%u waiting and %u in work, over the bound", gauges.queued, gauges.in_flight);
    if (gauges.bytes > (uint64_t)settings->request_mib_max << 20)
        fail (sim, "%llu bytes held, over the bound", (unsigned long long)gauges.bytes);
    if (gauges.clients > settings->clients_max || gauges.workers > settings->workers_max)
        fail (sim, "%u clients, %u workers, over the bound", gauges.clients, gauges.workers);
    if (gauges.queued + gauges.in_flight != sim->held_count)
        fail (sim, "%u waiting and %u in work, but %u messages are held", gauges.queued, gauges.in_flight,
              sim->held_count);
    unsigned user_count = sim->options->user_count;
    unsigned pending[SIM_CLIENTS_MAX] = { 0 };
    for (unsigned i = 0; i < sim->options->client_count; i++)
        pending[user_count > 0 ? i % user_count : i] += sim->clients[i].pending;
    for (unsigned i = 0; i < SIM_CLIENTS_MAX; i++)
        if (pending[i] > settings->client_requests_max)
            fail (sim, "client %u has %u pending, over the bound", i, pending[i]);
}

/* A request was taken in: its user had a token left for it. */
static void
check_rate (struct sim *sim, unsigned client)
{
    const struct settings *settings = &sim->options->settings;
    if (sim->options->user_count == 0 || settings->client_rate_per_s == 0)
        return;
    struct sim_user *user = &sim->users[client % sim->options->user_count];
    user->tokens += (double)(sim->now_us - user->at_us) * 1e-6 * (double)settings->client_rate_per_s;
    if (user->at_us == 0 || user->tokens > (double)settings->client_burst)
        user->tokens = (double)settings->client_burst;
    user->at_us = sim->now_us;
    user->tokens -= 1;
    if (user->tokens < -0.001)
        fail (sim, "client %u sends faster than its user may: %.3f tokens", client, user->tokens);
}

/* --- clients --- */

static void
client_send (struct sim *sim, unsigned index)
{
    struct sim_client *client = &sim->clients[index];
    /* Some are kept for the calm at the end. */
    if (sim->request_count >= SIM_REQUESTS_MAX - (sim->is_calm ? 0 : 500))
        return;
    uint32_t id = sim->request_count++;
    struct tracked *tracked = &sim->requests[id];
    tracked->peer = client->peer;
    tracked->client = index;
    tracked->ttl_ms = 1 + (uint32_t)below (sim, sim->options->ttl_ms_max);
    tracked->body_size = sim->is_calm ? 100 : (uint32_t)below (sim, sim->options->body_bytes_max + 1);
    if (sim->now_us >= sim->calm_from_us && sim->now_us < sim->options->requests_until_us - 1000000) {
        tracked->is_calm = true;
        tracked->ttl_ms = 20000;
        sim->result->calm_requests++;
    }
    sim->result->requests++;
    travel (sim, (struct event){ .kind = TO_BROKER_FROM_CLIENT, .index = index, .peer = client->peer, .id = id },
            &client->arrive_us);
}

static void
client_wakes (struct sim *sim, unsigned index)
{
    int64_t burst = 1 + below (sim, sim->options->burst_max), pause_us = below (sim, sim->options->pause_us_max);
    if (sim->now_us >= sim->options->requests_until_us)
        return;
    if (sim->is_calm && sim->options->faults_until_us > 0) {
        /* Slow enough for the slowest workers: now every request has to succeed. */
        burst = 1;
        pause_us = 2000000;
    } else if (index == 0 && sim->options->flooder > 0) {
        burst = sim->options->flooder;
    }
    for (; burst > 0; burst--)
        client_send (sim, index);
    event_add (sim, (struct event){ .at_us = sim->now_us + 1 + pause_us, .kind = CLIENT_WAKES, .index = index });
}

static void
client_restart (struct sim *sim, unsigned index)
{
    struct sim_client *client = &sim->clients[index];
    connection_end (sim, client->peer);
    client->peer = ++sim->next_peer;
    client->pending = 0;
}

static void
deliver_from_client (struct sim *sim, const struct event *event)
{
    struct tracked *tracked = &sim->requests[event->id];
    struct request_header header = {
        .version = PROTOCOL_VERSION,
        .id = event->id,
        .method = STR ("order.quote"),
        .ttl_ms = tracked->ttl_ms,
        .affinity = event->id % 7,
    };
    struct buf bytes = { 0 };
    struct client_message message = { .peer = event->peer, .roles = ROLES_ANY, .frame_count = 2 };
    struct held *held = NULL;
    bool is_current = sim->clients[event->index].peer == event->peer;
    request_header_encode (&header, &bytes);
    message.header = (struct str){ (const char *)bytes.data, (uint32_t)bytes.size };
    message.body_size = tracked->body_size;
    if (tracked->deliveries == 0 && chance (sim, sim->options->faults.garbage)) {
        message.header.size = (uint32_t)below (sim, message.header.size);
        tracked->is_garbage = true;
    }
    if (!chance (sim, sim->options->faults.no_memory)) {
        held = calloc (1, sizeof *held);
        held->id = event->id;
        sim->held_count++;
    }
    message.frames = held;
    tracked->deliveries++;
    tracked->sent_us = sim->now_us;
    tracked->deadline_us = sim->now_us + tracked->ttl_ms * INT64_C (1000);
    sim->clients[event->index].pending += is_current && !tracked->is_garbage;
    sim->clients[event->index].waiting++;
    unsigned held_before = sim->held_count - (held != NULL);
    bool is_draining = core_gauges (sim->core).draining;
    char user[16] = "";
    if (sim->options->user_count > 0)
        snprintf (user, sizeof user, "user-%u", event->index % sim->options->user_count);
    message.user = str_of (user);
    core_client_message (sim->core, sim->now_us, &message);
    if (sim->held_count > held_before)
        check_rate (sim, event->index);
    if (is_draining && sim->held_count > held_before)
        fail (sim, "request %u is taken in while the broker drains", event->id);
    buf_free (&bytes);
}

/* --- workers --- */

/* `answered`: of a reply, the request that it is the answer to. */
static void
worker_send (struct sim *sim, unsigned index, struct worker_message message, uint32_t answered)
{
    struct sim_worker *worker = &sim->workers[index];
    struct event event = {
        .kind = TO_BROKER_FROM_WORKER,
        .index = index,
        .peer = worker->peer,
        .message = message,
        .id = answered,
        .is_reply = message.kind == MESSAGE_REPLY,
    };
    if (chance (sim, sim->options->faults.garbage))
        event.garbage = (char)(1 + below (sim, 20));
    travel (sim, event, &worker->arrive_us);
}

static void
worker_flush (struct sim *sim, unsigned index)
{
    struct worker_message message;
    while (worker_session_next (&sim->workers[index].session, sim->now_us / 1000, &message)) {
        message.text = (struct str){ "", 0 };
        worker_send (sim, index, message, 0);
    }
}

static void
worker_batch_end (struct sim *sim, unsigned index)
{
    struct sim_worker *worker = &sim->workers[index];
    for (unsigned i = 0; i < worker->batch; i++) {
        struct in_hand *done = &worker->in_hand[i];
        struct worker_message reply = { .kind = MESSAGE_REPLY, .session = done->session, .dispatch = done->dispatch };
        if (done->session == worker->session.session)
            worker_send (sim, index, reply, done->id);
    }
    worker_session_grant (&worker->session, worker->batch);
    worker->in_hand_count -= worker->batch;
    memmove (worker->in_hand, worker->in_hand + worker->batch, worker->in_hand_count * sizeof worker->in_hand[0]);
    worker->batch = 0;
}

static void
worker_wakes (struct sim *sim, unsigned index)
{
    struct sim_worker *worker = &sim->workers[index];
    if (!worker->is_running || sim->now_us < worker->hangs_until_us)
        return;
    if (worker->batch > 0 && sim->now_us >= worker->batch_done_us && sim->now_us >= worker->idles_until_us)
        worker_batch_end (sim, index);
    if (worker->batch == 0 && worker->in_hand_count > 0 && sim->now_us >= worker->idles_until_us) {
        unsigned max = sim->options->batch_max;
        worker->batch = worker->in_hand_count < max ? worker->in_hand_count : max;
        worker->batch_done_us = sim->now_us + 1 + below (sim, sim->options->service_us_max);
        event_add (sim, (struct event){ .at_us = worker->batch_done_us, .kind = WORKER_WAKES, .index = index });
    }
    worker_flush (sim, index);
}

static void
worker_start (struct sim *sim, unsigned index)
{
    struct sim_worker *worker = &sim->workers[index];
    *worker = (struct sim_worker){ .peer = ++sim->next_peer, .is_running = true };
    worker_session_init (&worker->session, sim->options->credit, random_next (&sim->random));
    worker_flush (sim, index);
}

static void
worker_kill (struct sim *sim, unsigned index)
{
    struct sim_worker *worker = &sim->workers[index];
    if (!worker->is_running)
        return;
    connection_end (sim, worker->peer);
    worker->is_running = false;
    worker->starts_at_us = sim->now_us + below (sim, 3000000);
}

static void
deliver_to_worker (struct sim *sim, const struct event *event)
{
    struct sim_worker *worker = &sim->workers[event->index];
    if (!worker->is_running || worker->peer != event->peer)
        return;
    if (sim->now_us < worker->hangs_until_us) {
        /* It waits in the worker's socket. */
        struct event later = *event;
        later.at_us = worker->hangs_until_us;
        event_add (sim, later);
        return;
    }
    if (worker_session_receive (&worker->session, sim->now_us / 1000, &event->message)) {
        if (worker->in_hand_count == SIM_IN_HAND_MAX)
            fail (sim, "worker %u was given more than it can hold", event->index);
        else
            worker->in_hand[worker->in_hand_count++] =
                (struct in_hand){ event->message.session, event->message.dispatch, event->id };
    }
    worker_wakes (sim, event->index);
}

/* What the broker now knows, before it is told. */
static void
note_delivery (struct sim *sim, const struct event *event)
{
    const struct worker_message *message = &event->message;
    struct known_session *known = session_known (sim, message->session);
    if (event->garbage != 0) {
        session_over_by_peer (sim, event->peer);
        return;
    }
    if (message->kind == MESSAGE_HELLO && (known == NULL || known->is_over || known->peer != event->peer)) {
        session_over_by_peer (sim, event->peer);
        if (known != NULL)
            known->is_over = true;
        if (sim->session_count == sizeof sim->sessions / sizeof sim->sessions[0]) {
            fail (sim, "the simulator has more sessions than it can hold");
            return;
        }
        known = &sim->sessions[sim->session_count++];
        *known = (struct known_session){ .session = message->session, .peer = event->peer };
    }
    if (known == NULL)
        return;
    if (known->peer != event->peer || message->kind == MESSAGE_GOODBYE) {
        known->is_over = true;
        return;
    }
    known->heard_us = sim->now_us;
    known->is_draining |= message->kind == MESSAGE_DRAIN;
    known->granted = message->granted > known->granted ? message->granted : known->granted;
}

static void
deliver_from_worker (struct sim *sim, const struct event *event)
{
    struct buf bytes = { 0 };
    uint32_t answer = event->id;
    struct broker_worker_message message = { .peer = event->peer, .frame_count = 1 + event->is_reply };
    worker_message_encode (&event->message, &bytes);
    message.control = (struct str){ (const char *)bytes.data, (uint32_t)bytes.size };
    if (event->garbage != 0) {
        message.control.size = (uint32_t)event->garbage < message.control.size ? (uint32_t)event->garbage - 1 : 0;
        message.frame_count = (unsigned)event->garbage % 4;
    }
    if (event->is_reply)
        message.passed = &answer;
    note_delivery (sim, event);
    core_worker_message (sim->core, sim->now_us, &message);
    buf_free (&bytes);
}

/* --- the world --- */

static void
look_at_worker (struct sim *sim, unsigned index)
{
    const struct sim_faults *faults = &sim->options->faults;
    struct sim_worker *worker = &sim->workers[index];
    if (!worker->is_running) {
        if (sim->now_us >= worker->starts_at_us || sim->is_calm)
            worker_start (sim, index);
        return;
    }
    if (chance (sim, faults->kill_worker)) {
        worker_kill (sim, index);
    } else if (chance (sim, faults->hang_worker)) {
        worker->hangs_until_us = sim->now_us + below (sim, 6000000);
    } else if (chance (sim, faults->idle_worker)) {
        worker->idles_until_us = sim->now_us + below (sim, 6000000);
    } else if (chance (sim, faults->reconnect_worker)) {
        connection_end (sim, worker->peer);
        worker->peer = ++sim->next_peer;
    } else if (chance (sim, faults->drain_worker)) {
        worker_session_drain (&worker->session);
        worker->starts_at_us = sim->now_us + 500000;
    } else if (worker->session.draining && sim->now_us > worker->starts_at_us) {
        struct worker_message goodbye = { .kind = MESSAGE_GOODBYE, .session = worker->session.session };
        if (worker->session.state != WORKER_SESSION_WAITING)
            worker_send (sim, index, goodbye, 0);
        worker_kill (sim, index);
    }
    worker_wakes (sim, index);
}

static void
look (struct sim *sim)
{
    const struct sim_faults *faults = &sim->options->faults;
    if (!sim->is_calm && sim->now_us >= sim->options->faults_until_us) {
        sim->is_calm = true;
        for (unsigned i = 0; i < sim->options->worker_count && sim->options->faults_until_us > 0; i++) {
            sim->workers[i].hangs_until_us = sim->workers[i].idles_until_us = 0;
            worker_kill (sim, i);
        }
    }
    for (unsigned i = 0; i < sim->options->worker_count; i++)
        look_at_worker (sim, i);
    for (unsigned i = 0; i < sim->options->client_count; i++)
        if (chance (sim, faults->restart_client))
            client_restart (sim, i);
    if (sim->now_us >= sim->broker_stalls_until_us && chance (sim, faults->stall_broker))
        sim->broker_stalls_until_us = sim->now_us + below (sim, 5000000);
    if (sim->options->drain_at_us > 0 && sim->now_us >= sim->options->drain_at_us)
        core_drain (sim->core, sim->now_us);
    event_add (sim, (struct event){ .at_us = sim->now_us + LOOK_US, .kind = LOOK });
}

static void
tick (struct sim *sim)
{
    core_tick (sim->core, sim->now_us);
    event_add (sim, (struct event){ .at_us = sim->now_us + core_wait_ms (sim->core) * INT64_C (1000), .kind = TICK });
}

static void
step (struct sim *sim)
{
    struct event event = event_take (sim);
    bool is_for_broker =
        event.kind == TICK || event.kind == TO_BROKER_FROM_CLIENT || event.kind == TO_BROKER_FROM_WORKER;
    if (is_for_broker && event.at_us < sim->broker_stalls_until_us) {
        /* The order among what waits stays as it is: the heap keeps it by `order`. */
        event.at_us = sim->broker_stalls_until_us;
        event_add (sim, event);
        return;
    }
    sim->now_us = event.at_us;
    switch (event.kind) {
    case TICK:
        tick (sim);
        break;
    case TO_BROKER_FROM_CLIENT:
        deliver_from_client (sim, &event);
        break;
    case TO_BROKER_FROM_WORKER:
        deliver_from_worker (sim, &event);
        break;
    case TO_WORKER:
        deliver_to_worker (sim, &event);
        break;
    case CLIENT_WAKES:
        client_wakes (sim, event.index);
        break;
    case WORKER_WAKES:
        worker_wakes (sim, event.index);
        break;
    case LOOK:
        look (sim);
        break;
    }
    if (is_for_broker)
        check_bounds (sim);
}

/* Everything that was delivered has been answered as often as it was delivered. */
static void
check_answered (struct sim *sim)
{
    for (uint32_t id = 1; id < sim->request_count; id++) {
        const struct tracked *tracked = &sim->requests[id];
        if (tracked->replies != tracked->deliveries && !tracked->is_given_up && !tracked->is_garbage)
            fail (sim, "request %u was delivered %u times and answered %u times", id, tracked->deliveries,
                  tracked->replies);
    }
}

static void
finish (struct sim *sim)
{
    const struct settings *settings = &sim->options->settings;
    int64_t longest_us = ((int64_t)sim->options->ttl_ms_max + settings->grace_ms) * 1000 + 21000000;
    core_drain (sim->core, sim->now_us);
    int64_t until_us = sim->now_us + longest_us;
    while (!core_is_drained (sim->core) && sim->now_us < until_us && sim->result->failure[0] == '\0')
        step (sim);
    if (!core_is_drained (sim->core))
        fail (sim, "draining does not end");
    core_stop (sim->core, sim->now_us);
    check_answered (sim);
    core_destroy (&sim->core);
    if (sim->held_count != 0)
        fail (sim, "%u messages were never released", sim->held_count);
    if (sim->memory_count != 0)
        fail (sim, "%ld pieces of memory were never freed", sim->memory_count);
}

void
sim_run (const struct sim_options *options, struct sim_result *result)
{
    *result = (struct sim_result){ .trace = 0xcbf29ce484222325u };
    struct sim *sim = calloc (1, sizeof *sim);
    sim->options = options;
    sim->result = result;
    sim->random = options->seed;
    sim->request_count = 1;
    sim->now_us = 1000000 + below (sim, 1000000000);
    struct sim_options shifted = *options;
    shifted.faults_until_us += options->faults_until_us > 0 ? sim->now_us : 0;
    shifted.requests_until_us += sim->now_us;
    shifted.drain_at_us += options->drain_at_us > 0 ? sim->now_us : 0;
    sim->calm_from_us = shifted.requests_until_us - SIM_CALM_US;
    if (options->faults_until_us == 0 || options->drain_at_us > 0)
        sim->calm_from_us = INT64_MAX;
    sim->options = &shifted;
    const struct core_output output = { sim, to_client, to_worker, release, event, allocate, release_memory };
    sim->core = core_new (&options->settings, &output, sim->now_us);
    for (unsigned i = 0; i < options->client_count; i++) {
        sim->clients[i].peer = ++sim->next_peer;
        event_add (sim, (struct event){ .at_us = sim->now_us + below (sim, options->pause_us_max),
                                        .kind = CLIENT_WAKES,
                                        .index = i });
    }
    for (unsigned i = 0; i < options->worker_count; i++)
        worker_start (sim, i);
    event_add (sim, (struct event){ .at_us = sim->now_us, .kind = TICK });
    event_add (sim, (struct event){ .at_us = sim->now_us, .kind = LOOK });
    while (sim->now_us < shifted.requests_until_us && result->failure[0] == '\0')
        step (sim);
    finish (sim);
    free (sim);
}

/* --- worlds --- */

static unsigned
pick (uint64_t *random, unsigned from, unsigned to)
{
    return from + (unsigned)(random_next (random) % (to - from + 1));
}

/* One of the values, or mostly none. */
static unsigned
perhaps (uint64_t *random, unsigned most)
{
    return random_next (random) % 3 == 0 ? pick (random, 1, most) : 0;
}

void
sim_options_calm (struct sim_options *options, uint64_t seed)
{
    *options = (struct sim_options){
        .seed = seed,
        .client_count = 4,
        .worker_count = 2,
        .credit = 32,
        .batch_max = 16,
        .service_us_max = 4000,
        .delay_us_max = 500,
        .pause_us_max = 20000,
        .burst_max = 4,
        .ttl_ms_max = 5000,
        .body_bytes_max = 1000,
        .requests_until_us = 2000000,
    };
    settings_default (&options->settings);
}

void
sim_options_random (struct sim_options *options, uint64_t seed)
{
    uint64_t random = seed * 0x2545f4914f6cdd1du + 1;
    sim_options_calm (options, seed);
    options->client_count = pick (&random, 1, 10);
    options->worker_count = pick (&random, 1, SIM_WORKERS_MAX);
    options->credit = pick (&random, 1, 100);
    options->batch_max = pick (&random, 1, 64);
    options->service_us_max = pick (&random, 100, 60000);
    options->delay_us_max = pick (&random, 10, 20000);
    options->pause_us_max = pick (&random, 5000, 1000000);
    options->burst_max = pick (&random, 1, 30);
    options->ttl_ms_max = pick (&random, 50, 12000);
    options->body_bytes_max = random_next (&random) % 4 == 0 ? 300000 : 2000;
    options->faults = (struct sim_faults){
        .lose = perhaps (&random, 200),
        .doubled = perhaps (&random, 200),
        .garbage = perhaps (&random, 50),
        .kill_worker = perhaps (&random, 200),
        .hang_worker = perhaps (&random, 100),
        .reconnect_worker = perhaps (&random, 100),
        .idle_worker = perhaps (&random, 100),
        .drain_worker = perhaps (&random, 50),
        .restart_client = perhaps (&random, 50),
        .full = perhaps (&random, 100),
        .no_memory = perhaps (&random, 300),
        .stall_broker = perhaps (&random, 30),
    };
    options->faults_until_us = pick (&random, 1000000, 8000000);
    if (random_next (&random) % 5 == 0)
        options->drain_at_us = pick (&random, 500000, 8000000);
    struct settings *settings = &options->settings;
    settings->clients_max = pick (&random, 2, 20);
    settings->client_requests_max = pick (&random, 5, 200);
    settings->requests_max = pick (&random, 10, 1000);
    settings->request_mib_max = pick (&random, 1, 4);
    settings->workers_max = pick (&random, 1, 8);
    settings->client_idle_ms = pick (&random, 100, 3000);
    if (random_next (&random) % 2 == 0)
        options->user_count = pick (&random, 1, SIM_USERS_MAX);
    settings->client_mib_max = pick (&random, 1, 4);
    settings->client_work_min = pick (&random, 1, 64);
    settings->client_rate_per_s = random_next (&random) % 3 == 0 ? pick (&random, 20, 200) : 0;
    settings->client_burst = pick (&random, 1, 50);
    settings->requeues_max = pick (&random, 0, 3);
    settings->grace_ms = pick (&random, 0, 2000);
    settings->unavailable_after_ms = pick (&random, 0, 3000);
    /* What waits when everything heals is over before the calm: then only what is new is asked for. */
    options->requests_until_us =
        options->faults_until_us + ((int64_t)options->ttl_ms_max + settings->grace_ms) * 1000 + 3000000 + SIM_CALM_US;
    if (settings->clients_max < options->client_count)
        options->drain_at_us = options->faults_until_us / 2; /* some would be refused also in calm times */
}
