/* workers.c - the sessions of workers: hello, credit, heartbeats, answers, and their end. */
#include "broker/state.h"

#include <stdio.h>
#include <string.h>

enum { TELL_VERSION_US = 10000000 };

bool
worker_has_credit (const struct worker *worker)
{
    return worker->dispatched < worker->granted && worker->in_flight < WORKER_CREDIT_MAX;
}

/* From when on nobody serves, for the answer `unavailable`. */
static void
note_serving (struct core *core)
{
    bool is_served = false;
    for (uint32_t i = 0; i < core->worker_count; i++)
        is_served |= !core->workers[i]->is_draining;
    if (is_served)
        core->no_worker_us = INT64_MAX;
    else if (core->no_worker_us == INT64_MAX)
        core->no_worker_us = core->now_us;
    /* Another set of workers serves at another rate. */
    rate_reset (core);
}

static enum sent
send_control (struct core *core, uint64_t peer, const struct worker_message *message)
{
    buf_clear (&core->control);
    worker_message_encode (message, &core->control);
    struct str control = { (const char *)core->control.data, (uint32_t)core->control.size };
    return core->output.to_worker (core->output.context, peer, control, NULL);
}

static void
send_reset (struct core *core, uint64_t peer, uint64_t session, enum reset_reason reason)
{
    struct worker_message message = { .kind = MESSAGE_RESET, .session = session, .reason = reason };
    send_control (core, peer, &message);
}

static struct worker *
worker_by_session (const struct core *core, uint64_t session)
{
    for (uint32_t i = 0; i < core->worker_count; i++)
        if (core->workers[i]->session == session)
            return core->workers[i];
    return NULL;
}

static struct worker *
worker_by_peer (const struct core *core, uint64_t peer)
{
    for (uint32_t i = 0; i < core->worker_count; i++)
        if (core->workers[i]->peer == peer)
            return core->workers[i];
    return NULL;
}

static void
worker_forget (struct core *core, struct worker *worker)
{
    uint32_t i = 0;
    while (core->workers[i] != worker)
        i++;
    core->workers[i] = core->workers[--core->worker_count];
    note_serving (core);
}

void
worker_end (struct core *core, struct worker *worker, const char *why)
{
    core_event (core, LOG_WARNING, "worker %s: session %016llx over, %s; %u requests go to others", worker->name,
                (unsigned long long)worker->session, why, worker->in_flight);
    core->counters.workers_left++;
    worker_forget (core, worker);
    /* The newest first, each to the front of its client's queue, so that they wait in their old order. */
    while (!list_empty (&worker->requests))
        request_requeue (core, list_last (&worker->requests, struct request, link));
    core->output.free (core->output.context, worker);
}

/* A name that fits one line of a log: what is not plain ASCII becomes a question mark. */
static void
name_copy (char name[WORKER_NAME_BYTES_MAX + 1], struct str text)
{
    for (uint32_t i = 0; i < text.size; i++)
        name[i] = text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '?';
    name[text.size] = '\0';
}

static struct worker *
worker_begin (struct core *core, uint64_t peer, struct str key, const struct worker_message *hello)
{
    struct worker *worker = NULL;
    if (core->worker_count < core->settings.workers_max)
        worker = core->output.allocate (core->output.context, sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->peer = peer;
    worker->session = hello->session;
    worker->version = worker_version_common (hello);
    worker->heard_us = worker->told_us = worker->joined_us = core->now_us;
    name_copy (worker->name, hello->text);
    snprintf (worker->key, sizeof worker->key, "%.*s", (int)key.size, key.data);
    list_init (&worker->requests);
    core->workers[core->worker_count++] = worker;
    core->counters.workers_joined++;
    note_serving (core);
    core_event (core, LOG_INFO, "worker %s: session %016llx begins with credit for %llu requests", worker->name,
                (unsigned long long)worker->session, (unsigned long long)hello->granted);
    return worker;
}

/* Totals only grow, so that a late or doubled one changes nothing. */
static void
take_grant (struct worker *worker, const struct worker_message *message)
{
    if (message->granted > worker->granted)
        worker->granted = message->granted;
}

/* It says hello again and again until one of the two is replaced: the log speaks of it now and then. */
static void
refuse_version (struct core *core, uint64_t peer, const struct worker_message *hello)
{
    char name[WORKER_NAME_BYTES_MAX + 1];
    name_copy (name, hello->text);
    if (core->now_us >= core->version_told_us) {
        core->version_told_us = core->now_us + TELL_VERSION_US;
        core_event (core, LOG_WARNING,
                    "worker %s is refused: it speaks versions %u to %u of the worker protocol, this broker %d to %d",
                    name, hello->compatible_from, hello->version, WORKER_PROTOCOL_COMPATIBLE_FROM,
                    WORKER_PROTOCOL_VERSION);
    }
    send_reset (core, peer, hello->session, RESET_VERSION);
}

static void
on_hello (struct core *core, const struct broker_worker_message *from, const struct worker_message *message)
{
    uint64_t peer = from->peer;
    struct worker *worker = worker_by_peer (core, peer);
    if (worker != NULL && worker->session != message->session) {
        worker_end (core, worker, "it began another");
        worker = NULL;
    }
    struct worker *elsewhere = worker_by_session (core, message->session);
    if (elsewhere != NULL && elsewhere != worker)
        worker_end (core, elsewhere, "it came back over another connection");
    if (worker == NULL && worker_version_common (message) == 0) {
        refuse_version (core, peer, message);
        return;
    }
    if (worker == NULL)
        worker = worker_begin (core, peer, from->key, message);
    if (worker == NULL) {
        core_event (core, LOG_WARNING, "a worker was refused: %u have a session already", core->worker_count);
        send_reset (core, peer, message->session, RESET_FULL);
        return;
    }
    take_grant (worker, message);
    worker->heard_us = core->now_us;
    struct worker_message welcome = {
        .kind = MESSAGE_WELCOME,
        .version = worker->version,
        .session = worker->session,
        .heartbeat_ms = (uint32_t)core->settings.heartbeat_ms,
        .timeout_ms = (uint32_t)core->settings.worker_timeout_ms,
    };
    if (send_control (core, peer, &welcome) != SENT)
        worker_end (core, worker, "its connection is gone");
}

static void
on_reply (struct core *core, struct worker *worker, const struct worker_message *message,
          const struct broker_worker_message *from)
{
    struct request *request = request_by_dispatch (core, message->dispatch);
    worker->is_suspect = false;
    if (request == NULL || request->worker != worker) {
        core->counters.replies_late++;
        return;
    }
    worker->answered++;
    core->counters.answered++;
    request_detach (core, request);
    request_answer (core, request, from->payload, from->passed);
}

static void
on_beat (struct worker *worker, const struct broker_worker_message *from)
{
    if (from->frame_count < 2 || !worker_stats_valid (from->payload))
        return;
    memcpy (worker->stats, from->payload.data, from->payload.size);
    worker->stats_size = from->payload.size;
}

/* A message of a session that is known, over its own connection. */
static void
on_message (struct core *core, struct worker *worker, const struct worker_message *message,
            const struct broker_worker_message *from)
{
    worker->heard_us = core->now_us;
    switch (message->kind) {
    case MESSAGE_REPLY:
        on_reply (core, worker, message, from);
        break;
    case MESSAGE_GRANT:
        take_grant (worker, message);
        break;
    case MESSAGE_WORKER_BEAT:
        take_grant (worker, message);
        on_beat (worker, from);
        break;
    case MESSAGE_DRAIN:
        worker->is_draining = true;
        note_serving (core);
        break;
    case MESSAGE_GOODBYE:
        worker_end (core, worker, "it said goodbye");
        break;
    default: /* hello has been seen to; the others are the broker's own */
        break;
    }
}

/* What cannot be read cannot be answered either: the worker starts anew. */
static void
on_unreadable (struct core *core, uint64_t peer, const struct error *failure)
{
    bool is_version = failure->detail_count > 0 && strcmp (failure->details[0].name, "version") == 0;
    struct worker *worker = worker_by_peer (core, peer);
    core->counters.malformed++;
    /* Who has no session could fill the log with warnings; a session ends by it, and so is spoken of once. */
    core_event (core, worker != NULL ? LOG_WARNING : LOG_DEBUG, "a message of %s%s cannot be read: %s",
                worker != NULL ? "worker " : "a worker without session", worker != NULL ? worker->name : "",
                failure->message);
    if (worker != NULL)
        worker_end (core, worker, "it sent what cannot be read");
    send_reset (core, peer, 0, is_version ? RESET_VERSION : RESET_MALFORMED);
}

void
core_worker_message (struct core *core, int64_t now_us, const struct broker_worker_message *from)
{
    struct worker_message message;
    struct error failure;
    core_advance (core, now_us);
    if (from->frame_count == 0 ||
        worker_message_decode (from->control, from->frame_count - 1, true, &message, &failure) != 0) {
        if (from->frame_count == 0)
            error_set (&failure, ERROR_INVALID_REQUEST, "it has no frames");
        on_unreadable (core, from->peer, &failure);
        dispatch_all (core);
        return;
    }
    struct worker *worker = worker_by_session (core, message.session);
    if (message.kind == MESSAGE_HELLO) {
        on_hello (core, from, &message);
    } else if (worker == NULL) {
        if (message.kind != MESSAGE_GOODBYE)
            send_reset (core, from->peer, message.session, RESET_UNKNOWN_SESSION);
    } else if (worker->peer != from->peer) {
        /* Its connection broke and was made again; what was under way on the old one is lost. */
        worker_end (core, worker, "it came back over another connection");
        send_reset (core, from->peer, message.session, RESET_CONNECTION_CHANGED);
    } else {
        on_message (core, worker, &message, from);
    }
    dispatch_all (core);
}

static void
worker_refuse (struct core *core, struct worker *worker)
{
    send_reset (core, worker->peer, worker->session, RESET_REFUSED);
    worker_end (core, worker, "its key opens the workers' port no longer");
}

void
core_worker_refuse (struct core *core, int64_t now_us, uint64_t peer)
{
    core_advance (core, now_us);
    struct worker *worker = worker_by_peer (core, peer);
    if (worker == NULL) {
        send_reset (core, peer, 0, RESET_REFUSED);
        return;
    }
    worker_refuse (core, worker);
    dispatch_all (core);
}

void
core_workers_check (struct core *core, int64_t now_us, bool (*is_good) (void *context, struct str key), void *context)
{
    core_advance (core, now_us);
    for (uint32_t i = 0; i < core->worker_count;) {
        struct worker *worker = core->workers[i];
        if (is_good (context, str_of (worker->key)))
            i++;
        else
            worker_refuse (core, worker);
    }
    dispatch_all (core);
}

/* True: the session is over. */
static bool
worker_tick (struct core *core, struct worker *worker)
{
    if (core->now_us - worker->heard_us > us_of_ms (core->settings.worker_timeout_ms)) {
        send_reset (core, worker->peer, worker->session, RESET_UNKNOWN_SESSION);
        worker_end (core, worker, "nothing was heard from it");
        return true;
    }
    if (core->now_us - worker->told_us < us_of_ms (core->settings.heartbeat_ms))
        return false;
    struct worker_message beat = { .kind = MESSAGE_BROKER_BEAT,
                                   .version = worker->version,
                                   .session = worker->session };
    worker->told_us = core->now_us;
    if (send_control (core, worker->peer, &beat) == SENT)
        return false;
    /* A process that was killed is found here, long before the timeout. */
    worker_end (core, worker, "its connection is gone");
    return true;
}

void
workers_tick (struct core *core)
{
    /* When the broker itself was stopped, silence is its own fault: the messages wait to be read. */
    if (core->now_us - core->ticked_us > us_of_ms (core->settings.worker_timeout_ms) / 2)
        for (uint32_t i = 0; i < core->worker_count; i++)
            core->workers[i]->heard_us = core->now_us;
    for (uint32_t i = 0; i < core->worker_count;)
        i += !worker_tick (core, core->workers[i]);
}

unsigned
workers_stop (struct core *core, const char *name)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct worker *worker = core->workers[i];
        struct worker_message stop = { .kind = MESSAGE_STOP, .version = worker->version, .session = worker->session };
        if (strcmp (worker->name, name) != 0 || send_control (core, worker->peer, &stop) != SENT)
            continue;
        worker->is_draining = true;
        count++;
        core_event (core, LOG_INFO, "worker %s is asked to end: %u requests in work", worker->name, worker->in_flight);
    }
    if (count > 0)
        note_serving (core);
    return count;
}

void
workers_leave (struct core *core)
{
    while (core->worker_count > 0) {
        struct worker *worker = core->workers[0];
        while (!list_empty (&worker->requests)) {
            struct request *request = list_first (&worker->requests, struct request, link);
            request_detach (core, request);
            request_fail (core, request, ERROR_WORKER_LOST, 0,
                          "the broker stops; the outcome is unknown until the request is resent");
        }
        send_reset (core, worker->peer, worker->session, RESET_STOPPING);
        worker_forget (core, worker);
        core->output.free (core->output.context, worker);
    }
}

void
workers_free (struct core *core)
{
    while (core->worker_count > 0)
        core->output.free (core->output.context, core->workers[--core->worker_count]);
}
