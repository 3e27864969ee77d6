/* service.c - see service.h. One thread owns the sockets; requests wait in two queues, bounded by the credit that was
 * granted, until their lane is idle: so a batch gathers while another is in flight. */
#include "worker/service.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/socket.h"
#include "net/worker_link.h"
#include "wire/msgpack.h"
#include "worker/batch.h"
#include "worker/lane.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

enum {
    FDS_MAX = 34,
    TICK_MS = 200,
    REPLICA_PAUSE_MS = 2000,
    BROKERS_MAX = 32,
    REPLY_KEPT_BYTES = 64 * 1024,
    RETRY_AFTER_MS = 100,
    START_CONNECT_MS = 2000,
    GATHER_MEAN_16 = 12 * 16 /* batches of twelve */
};

struct job {
    struct request request;
    struct worker_request from;
    struct job *next;
};

struct job_queue {
    struct job *first, **last;
    unsigned count;
};

struct service {
    const struct worker_settings *settings;
    void *zmq;
    struct certificate certificate; /* of the sockets; empty without keys */
    struct worker_link *link;
    struct lease lease;
    struct lane *batches, *reads, *late_reads; /* late_reads NULL: no replica */
    struct job_queue batch_queue, read_queue, late_queue;
    int64_t replica_at_ms;      /* the replica is not asked before */
    unsigned batch_mean_16;     /* requests of the last batches, a sliding mean in sixteenths */
    int64_t batch_submitted_us; /* when the last one was handed over */
    struct job *jobs, *idle;    /* as many as credit was granted */
    unsigned in_hand;
    int done_fd, signal_fd;
    int stops;     /* signals to stop that came */
    bool is_unfit; /* the database is none that this program may work on */
    struct request **list;
    struct buf stats, error_body;
};

static void
queue_begin (struct job_queue *queue)
{
    *queue = (struct job_queue){ .last = &queue->first };
}

static void
queue_append (struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
    queue->count++;
}

static struct job *
queue_take (struct job_queue *queue)
{
    struct job *job = queue->first;
    if (job != NULL && (queue->first = job->next) == NULL)
        queue->last = &queue->first;
    queue->count -= job != NULL;
    return job;
}

/* ---- answers */

static void
answer (struct service *service, struct job *job)
{
    struct request *request = &job->request;
    const struct buf *body = &request->reply;
    uint32_t broker = job->from.broker;
    /* A longer frame would end the session with the broker, and with it all that is in hand. */
    if (body->size > SOCKET_FRAME_BYTES_MAX) {
        error_set (&request->error, ERROR_TOO_LARGE, "the answer has %zu bytes, more than a message may have",
                   body->size);
        request->status = REQUEST_FAILED;
        request->retry_after_ms = 0;
        buf_clear (&request->reply);
    }
    if (request->status != REQUEST_DONE && (request->status != REQUEST_FAILED || request->reply.size == 0)) {
        buf_clear (&service->error_body);
        reply_error_encode (&request->error, request->retry_after_ms, &service->error_body);
        body = &service->error_body;
    }
    worker_link_reply (service->link, &job->from, body);
    worker_link_grant (service->link, broker, 1);
    service->in_hand--;
    /* A huge answer must not keep its memory. */
    if (request->reply.capacity > REPLY_KEPT_BYTES)
        buf_free (&request->reply);
    buf_clear (&request->reply);
    job->next = service->idle;
    service->idle = job;
}

static void
refuse (struct service *service, struct job *job, enum error_code code, const char *text)
{
    job->request.status = REQUEST_FAILED;
    job->request.retry_after_ms = error_code_retryable (code) ? RETRY_AFTER_MS : 0;
    error_set (&job->request.error, code, "%s", text);
    answer (service, job);
}

/* What a replica has answered; the rest goes to the primary. One that has answered nothing is left in peace for a moment. */
static void
collect_late (struct service *service)
{
    unsigned count = lane_collect (service->late_reads, service->list), declined = 0;
    for (unsigned i = 0; i < count; i++) {
        struct job *job = service->list[i]->tag;
        bool is_answered = job->request.status == REQUEST_DONE;
        declined += !is_answered;
        if (is_answered)
            answer (service, job);
        else
            queue_append (&service->read_queue, job);
    }
    if (count > 0 && declined == count)
        service->replica_at_ms = clock_monotonic_ms () + REPLICA_PAUSE_MS;
}

static void
collect (struct service *service, struct lane *lane)
{
    unsigned count = lane_collect (lane, service->list);
    for (unsigned i = 0; i < count; i++)
        answer (service, service->list[i]->tag);
}

/* ---- requests */

static void
take (struct service *service, struct job *job)
{
    const struct worker_request *from = &job->from;
    struct buf reply = job->request.reply;
    job->request = (struct request){ .method = method_by_name (from->header.method),
                                     .body = from->body,
                                     .header_key = from->header.key,
                                     .roles = from->roles,
                                     .deadline_us = from->deadline_us,
                                     .pauses = service->lease.pauses,
                                     .reply = reply,
                                     .tag = job };
    service->in_hand++;
    if (job->request.method < 0 || HANDLERS[job->request.method].execute == NULL)
        refuse (service, job, ERROR_INVALID_REQUEST, "there is no such method");
    else if (HANDLERS[job->request.method].may_be_late && service->late_reads != NULL &&
             clock_monotonic_ms () >= service->replica_at_ms)
        queue_append (&service->late_queue, job);
    else if (METHOD_TABLE[job->request.method].target == TARGET_READ)
        queue_append (&service->read_queue, job);
    else
        queue_append (&service->batch_queue, job);
}

static void
receive (struct service *service)
{
    int64_t now_ms = clock_monotonic_ms ();
    while (service->idle != NULL) {
        struct job *job = service->idle;
        if (worker_link_receive (service->link, now_ms, &job->from) != 1)
            return;
        service->idle = job->next;
        take (service, job);
    }
}

/* Whether the broker still waits for this worker to do it. */
static bool
is_ours (const struct service *service, const struct job *job)
{
    return lease_holds (&service->lease, job->request.pauses, clock_monotonic_us ()) &&
           worker_link_holds (service->link, &job->from);
}

static void
feed (struct service *service, struct lane *lane, struct job_queue *queue)
{
    unsigned count = 0;
    struct job *job;
    if (!lane_idle (lane))
        return;
    while (count < service->settings->batch_max && (job = queue_take (queue)) != NULL) {
        if (is_ours (service, job))
            service->list[count++] = &job->request;
        else
            refuse (service, job, ERROR_WORKER_LOST, "the worker stood still for too long: nothing was done");
    }
    if (count > 0)
        lane_submit (lane, service->list, count);
}

/* How long an idle batch lane still waits for more, in microseconds. A batch has a price of its own, whatever its size (some sixteen
 * statements and a commit), which matters where there is more to do than time. Batches that stay small by themselves tell that there
 * is time: then nobody is made to wait. */
static int64_t
gather_us (const struct service *service, int64_t now_us)
{
    if (service->batch_queue.count == 0 || service->batch_queue.count >= service->settings->batch_max / 2 ||
        service->batch_mean_16 < GATHER_MEAN_16 || !lane_idle (service->batches) || service->stops > 0)
        return 0;
    int64_t left_us = service->batch_submitted_us + service->settings->gather_us - now_us;
    return left_us > 0 ? left_us : 0;
}

static void
feed_batches (struct service *service)
{
    unsigned waiting = service->batch_queue.count;
    int64_t now_us = clock_monotonic_us ();
    if (waiting == 0 || !lane_idle (service->batches) || gather_us (service, now_us) > 0)
        return;
    if (waiting > service->settings->batch_max)
        waiting = service->settings->batch_max;
    service->batch_mean_16 = (service->batch_mean_16 * 7 + waiting * 16) / 8;
    service->batch_submitted_us = now_us;
    feed (service, service->batches, &service->batch_queue);
}

/* ---- figures for admin.stats */

static void
stat (struct buf *out, const char *name, uint64_t value)
{
    wire_write_cstr (out, name);
    wire_write_uint (out, value);
}

static void
write_stats (struct service *service)
{
    struct executor_stats batches = lane_stats (service->batches), reads = lane_stats (service->reads);
    struct buf *out = &service->stats;
    buf_clear (out);
    wire_write_map (out, service->late_reads != NULL ? 19 : 15);
    stat (out, "batches", batches.batches);
    stat (out, "batch_requests", batches.requests);
    stat (out, "batch_requests_max", batches.batch_requests_max);
    stat (out, "batch_retries", batches.retries);
    stat (out, "batch_bisections", batches.bisections);
    stat (out, "batch_failures", batches.failures);
    stat (out, "batch_database_us", batches.database_us);
    stat (out, "batch_evaluate_us", batches.evaluate_us);
    stat (out, "read_requests", reads.requests);
    stat (out, "in_hand", service->in_hand);
    wire_write_cstr (out, "server");
    wire_write_cstr (out, batches.server.name);
    wire_write_cstr (out, "in_recovery");
    wire_write_bool (out, batches.server.in_recovery);
    stat (out, "timeline", (uint64_t)batches.server.timeline);
    stat (out, "connects", batches.server.connects + reads.server.connects);
    stat (out, "in_doubt", batches.server.in_doubt);
    if (service->late_reads == NULL)
        return;
    struct executor_stats late = lane_stats (service->late_reads);
    wire_write_cstr (out, "replica");
    wire_write_cstr (out, late.server.name);
    wire_write_cstr (out, "replica_lag_ms");
    wire_write_int (out, late.replica_lag_ms);
    stat (out, "replica_requests", late.requests);
    stat (out, "replica_declined", late.replica_declined);
}

/* ---- the loop */

/* Takes nothing new; what is in hand is answered. */
static void
drain (struct service *service)
{
    log_info ("stopping: %u requests in hand are answered first", service->in_hand);
    worker_link_drain (service->link);
}

/* A database that was migrated beyond this program is for others: the broker gives them what comes. */
static void
look_at_schema (struct service *service)
{
    if (service->is_unfit || !(lane_is_unfit (service->batches) || lane_is_unfit (service->reads)))
        return;
    service->is_unfit = true;
    if (service->stops == 0) {
        service->stops = 1;
        drain (service);
    }
}

/* Somebody may have asked the broker to replace this worker. */
static void
look_at_link (struct service *service)
{
    if (service->stops > 0 || !worker_link_is_stopped (service->link))
        return;
    log_info ("a broker passed on that this worker is to end");
    service->stops = 1;
    drain (service);
}

static void
take_signals (struct service *service)
{
    struct signalfd_siginfo info;
    while (read (service->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        service->stops++;
        if (service->stops == 1)
            drain (service);
    }
}

static void
wait_for_events (struct service *service, int64_t timeout_us)
{
    struct timespec timeout = { timeout_us / 1000000, timeout_us % 1000000 * 1000 };
    struct pollfd fds[FDS_MAX];
    int link_fds[FDS_MAX - 2];
    unsigned count = worker_link_fds (service->link, link_fds, FDS_MAX - 2);
    uint64_t drained;
    fds[0] = (struct pollfd){ .fd = service->signal_fd, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = service->done_fd, .events = POLLIN };
    for (unsigned i = 0; i < count; i++)
        fds[i + 2] = (struct pollfd){ .fd = link_fds[i], .events = POLLIN };
    if (ppoll (fds, count + 2, &timeout, NULL) <= 0)
        return;
    if ((fds[1].revents & POLLIN) && read (service->done_fd, &drained, sizeof drained) < 0 && errno != EAGAIN)
        log_warning ("the lanes' event counter cannot be read");
    if (fds[0].revents & POLLIN)
        take_signals (service);
}

static void
serve (struct service *service)
{
    int64_t tick_at_ms = 0;
    /* After a signal to stop: until what is in hand is answered, or a second signal. */
    while (service->stops == 0 || (service->stops == 1 && service->in_hand > 0)) {
        int64_t now_ms = clock_monotonic_ms ();
        if (lease_renew (&service->lease, now_ms * 1000, worker_link_pause_ms_max (service->link) * INT64_C (1000)))
            log_warning ("stood still for too long: what was in hand may have been given to others, and is not begun");
        if (now_ms >= tick_at_ms) {
            write_stats (service);
            int next_ms =
                worker_link_tick (service->link, now_ms,
                                  (struct str){ (const char *)service->stats.data, (uint32_t)service->stats.size });
            tick_at_ms = now_ms + (next_ms < 1 ? 1 : next_ms < TICK_MS ? next_ms : TICK_MS);
        }
        collect (service, service->batches);
        collect (service, service->reads);
        if (service->late_reads != NULL)
            collect_late (service);
        look_at_schema (service);
        receive (service);
        look_at_link (service);
        feed_batches (service);
        feed (service, service->reads, &service->read_queue);
        if (service->late_reads != NULL)
            feed (service, service->late_reads, &service->late_queue);
        int64_t left_us = (tick_at_ms - clock_monotonic_ms ()) * 1000;
        int64_t more_us = gather_us (service, clock_monotonic_us ());
        if (more_us > 0 && more_us < left_us)
            left_us = more_us;
        wait_for_events (service, left_us < 0 ? 0 : left_us);
    }
}

/* The lanes' threads inherit the mask, so that signals come through the descriptor alone. */
static int
open_signals (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
start (struct service *service, struct error *err)
{
    const struct worker_settings *settings = service->settings;
    unsigned job_count = settings->credit * settings->broker_count;
    queue_begin (&service->batch_queue);
    queue_begin (&service->read_queue);
    queue_begin (&service->late_queue);
    service->signal_fd = open_signals ();
    service->done_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    service->zmq = zmq_ctx_new ();
    service->jobs = calloc (job_count, sizeof *service->jobs);
    service->list = calloc (settings->batch_max, sizeof *service->list);
    if (service->signal_fd < 0 || service->done_fd < 0 || service->zmq == NULL || service->jobs == NULL ||
        service->list == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory or file descriptors");
    for (unsigned i = 0; i < job_count; i++) {
        service->jobs[i].next = service->idle;
        service->idle = &service->jobs[i];
    }
    if (settings->key_file != NULL && certificate_load (&service->certificate, settings->key_file, err) != 0)
        return -1;
    struct worker_link_options options = { .zmq_context = service->zmq,
                                           .endpoints = settings->brokers,
                                           .endpoint_count = settings->broker_count,
                                           .name = settings->name,
                                           .credit = settings->credit,
                                           .certificate = settings->key_file != NULL ? &service->certificate : NULL };
    if ((service->batches = lane_new (settings, &service->lease, EXECUTOR_BATCH, batch_run, service->done_fd, err)) ==
            NULL ||
        (service->reads = lane_new (settings, &service->lease, EXECUTOR_READ, batch_read, service->done_fd, err)) ==
            NULL ||
        (settings->replica != NULL &&
         (service->late_reads = lane_new (settings, &service->lease, EXECUTOR_REPLICA, batch_read_late,
                                          service->done_fd, err)) == NULL) ||
        (service->link = worker_link_new (&options, err)) == NULL)
        return -1;
    return 0;
}

static void
stop (struct service *service)
{
    unsigned job_count = service->settings->credit * service->settings->broker_count;
    lane_destroy (&service->batches);
    lane_destroy (&service->reads);
    lane_destroy (&service->late_reads);
    if (service->link != NULL)
        worker_link_destroy (&service->link);
    certificate_wipe (&service->certificate);
    if (service->zmq != NULL)
        zmq_ctx_term (service->zmq);
    for (unsigned i = 0; service->jobs != NULL && i < job_count; i++)
        buf_free (&service->jobs[i].request.reply);
    buf_free (&service->stats);
    buf_free (&service->error_body);
    free (service->jobs);
    free (service->list);
    if (service->done_fd >= 0)
        close (service->done_fd);
    if (service->signal_fd >= 0)
        close (service->signal_fd);
}

/* A worker that must not work on the database shall not even ask for work. One whose database is away may: it says so to
 * whoever asks, and goes on when the database is back. */
static int
check_database (const struct worker_settings *settings, struct error *err)
{
    struct pg_options options = { .url = settings->database,
                                  .application = "loyalty-worker start",
                                  .connect_timeout_ms = START_CONNECT_MS,
                                  .read_only = true };
    struct pg *pg = pg_new (&options);
    int status = pg != NULL ? 0 : error_set (err, ERROR_INTERNAL, "out of memory");
    if (pg != NULL && pg_ensure (pg, err) < 0 && pg_is_unfit (pg))
        status = -1;
    pg_destroy (&pg);
    return status;
}

int
service_run (const struct worker_settings *settings, struct error *err)
{
    struct service service = { .settings = settings, .done_fd = -1, .signal_fd = -1 };
    lease_begin (&service.lease, clock_monotonic_us ());
    int status = start (&service, err);
    if (status == 0 && (status = check_database (settings, err)) == 0) {
        log_info ("worker %s serves %u broker%s", settings->name, settings->broker_count,
                  settings->broker_count == 1 ? "" : "s");
        serve (&service);
        log_info ("worker %s stops", settings->name);
    }
    if (service.stops > 1)
        _exit (0); /* asked twice: what is in hand is left to the brokers and the keys */
    stop (&service);
    if (status == 0 && service.is_unfit)
        return error_set (err, ERROR_UNAVAILABLE, "the database's schema is for other programs than this one");
    return status;
}
