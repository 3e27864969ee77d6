/* dispatch.c - which request goes next, to which worker, and what becomes of it when that worker dies. */
#include "broker/state.h"

/* How well a worker suits an affinity: the highest wins (rendezvous hashing), so that one worker's coming or going
 * moves only the affinities that it has or had. */
static uint64_t
suits (uint64_t affinity, const struct worker *worker)
{
    uint64_t z = affinity ^ worker->session;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Less is better: one that let a deadline pass is the last choice, then the idler one, then the one that has
 * had less. */
static bool
is_better (const struct worker *worker, const struct worker *than)
{
    if (than == NULL || worker->is_suspect != than->is_suspect)
        return than == NULL || than->is_suspect;
    if (worker->in_flight != than->in_flight)
        return worker->in_flight < than->in_flight;
    return worker->dispatched < than->dispatched;
}

/* The worker of the affinity, so that two batches rarely wait for one member's locks; but never while it has no
 * credit or far more to do than another, so that no worker idles while there is work. NULL: none has credit. */
static struct worker *
worker_choose (const struct core *core, uint64_t affinity)
{
    struct worker *best = NULL, *suited = NULL;
    uint64_t suited_by = 0;
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct worker *worker = core->workers[i];
        if (worker->is_draining)
            continue;
        if (worker_has_credit (worker) && is_better (worker, best))
            best = worker;
        if (affinity != 0 && (suited == NULL || suits (affinity, worker) > suited_by)) {
            suited = worker;
            suited_by = suits (affinity, worker);
        }
    }
    if (best == NULL || suited == NULL || suited->is_suspect || !worker_has_credit (suited))
        return best;
    return suited->in_flight <= best->in_flight + core->settings.affinity_slack ? suited : best;
}

/* -1: the worker could not be reached; the request still waits. */
static int
send_dispatch (struct core *core, struct request *request, struct worker *worker)
{
    uint64_t dispatch = ++core->sequence << SLOT_BITS | request->slot;
    struct worker_message message = {
        .kind = MESSAGE_DISPATCH,
        .version = worker->version,
        .session = worker->session,
        .dispatch = dispatch,
        .ttl_ms = (uint32_t)((request->deadline_us - core->now_us + 999) / 1000),
        .roles = request->roles,
        .text = { request->user, request->user_size },
    };
    buf_clear (&core->control);
    worker_message_encode (&message, &core->control);
    struct str control = { (const char *)core->control.data, (uint32_t)core->control.size };
    if (core->output.to_worker (core->output.context, worker->peer, control, request->frames) != SENT)
        return -1;
    request->dispatch = dispatch;
    request->dispatches++;
    worker->dispatched++;
    core->counters.dispatched++;
    request_detach (core, request);
    request_work (core, request, worker);
    return 0;
}

void
dispatch_all (struct core *core)
{
    struct client *client;
    while ((client = client_next (core)) != NULL) {
        struct request *request = list_first (&client->queue, struct request, link);
        /* The wheel is up to a tick late; no worker shall begin what is too late already. */
        if (request->deadline_us <= core->now_us) {
            request_expire (core, request);
            continue;
        }
        struct worker *worker = worker_choose (core, request->affinity);
        if (worker == NULL)
            return;
        if (send_dispatch (core, request, worker) != 0)
            worker_end (core, worker, "its connection is gone");
    }
    core->rate.was_always_busy = false;
}

void
request_requeue (struct core *core, struct request *request)
{
    request_detach (core, request);
    if (request->dispatches > core->settings.requeues_max) {
        request_fail (core, request, ERROR_WORKER_LOST, 0,
                      "%u workers that had the request died; the outcome is unknown until it is resent",
                      request->dispatches);
    } else if (request->deadline_us <= core->now_us) {
        request_fail (core, request, ERROR_WORKER_LOST, 0,
                      "the worker that had the request died; the outcome is unknown until it is resent");
    } else {
        core->counters.requeued++;
        request_wait (core, request, true);
    }
}

void
dispatch_give_up (struct core *core, enum error_code code, const char *reason, const char *text)
{
    int64_t retry_ms =
        core->settings.unavailable_after_ms > RETRY_MS_MIN ? core->settings.unavailable_after_ms : RETRY_MS_MIN;
    accounts_uncap (core);
    while (core->queued > 0) {
        struct client *client = client_next (core);
        struct request *request = list_first (&client->queue, struct request, link);
        bool was_dispatched = request->dispatches > 0;
        request_detach (core, request);
        struct error failure;
        error_set (&failure, was_dispatched ? ERROR_WORKER_LOST : code, "%s", text);
        error_detail (&failure, "reason", "%s", reason);
        request_refuse (core, request, &failure, retry_ms);
    }
}
