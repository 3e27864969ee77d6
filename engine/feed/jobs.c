/* jobs.c - see jobs.h. */
#include "feed/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "feed/schedule.h"
#include "loyalty/body.h"
#include "loyalty/client.h"
#include "loyalty/value.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_TIMEOUT_MS = 30000 };

struct jobs {
    const struct feed_settings *settings;
    struct schedule schedule;
    struct loyalty_client *client;
    struct loyalty_body *body;
    uint64_t handle; /* of the step under way */
    struct schedule_step step;
    bool is_leading, is_failing; /* the latter: a failure was logged, and no step worked since */
};

/* ---- answers */

static int64_t
figure (const struct loyalty_reply *reply, const char *name)
{
    struct loyalty_value value;
    return loyalty_find (reply->result, reply->result_size, name, &value) && value.type == LOYALTY_INT ? value.integer
                                                                                                       : 0;
}

static bool
is_done (const struct loyalty_reply *reply)
{
    struct loyalty_value value;
    return loyalty_find (reply->result, reply->result_size, "done", &value) && value.type == LOYALTY_BOOL &&
           value.boolean;
}

static void
tell_done (const struct jobs *jobs, const struct loyalty_reply *reply)
{
    int64_t changed = figure (reply, "total_changed"), failed = figure (reply, "total_failed");
    log_write (failed > 0 ? LOG_WARNING : LOG_INFO, "job %s for %s: %lld looked at, %lld changed, %lld failed",
               jobs->step.job, jobs->step.period, (long long)figure (reply, "total_examined"), (long long)changed,
               (long long)failed);
}

static enum schedule_outcome
judge (struct jobs *jobs, const struct loyalty_reply *reply)
{
    if (!reply->ok) {
        if (!jobs->is_failing)
            log_warning ("job %s: %s", jobs->step.job, reply->error.message);
        jobs->is_failing = true;
        return reply->error.retryable ? STEP_FAILED : STEP_REFUSED;
    }
    jobs->is_failing = false;
    if (!is_done (reply))
        return STEP_MORE;
    if (figure (reply, "examined") > 0 || figure (reply, "changed") > 0 || figure (reply, "failed") > 0)
        tell_done (jobs, reply);
    return STEP_DONE;
}

static void
take_answer (const struct loyalty_reply *reply)
{
    struct jobs *jobs = reply->context;
    jobs->handle = 0;
    schedule_answer (&jobs->schedule, judge (jobs, reply), clock_monotonic_ms ());
}

/* ---- steps */

static void
send_step (struct jobs *jobs)
{
    struct loyalty_error failure;
    size_t size;
    loyalty_body_clear (jobs->body);
    loyalty_body_string (jobs->body, "job", jobs->step.job);
    loyalty_body_string (jobs->body, "period", jobs->step.period);
    const void *bytes = loyalty_body_bytes (jobs->body, &size);
    struct loyalty_request request = {
        .method = "job.run", .body = bytes, .body_size = size, .timeout_ms = STEP_TIMEOUT_MS
    };
    jobs->handle = bytes == NULL ? 0 : loyalty_submit (jobs->client, &request, take_answer, jobs, &failure);
    if (jobs->handle == 0)
        schedule_answer (&jobs->schedule, STEP_FAILED, clock_monotonic_ms ());
}

void
jobs_tick (struct jobs *jobs)
{
    if (jobs->client == NULL || !jobs->is_leading)
        return;
    loyalty_poll (jobs->client, 0);
    if (schedule_next (&jobs->schedule, clock_real_us (), clock_monotonic_ms (), &jobs->step))
        send_step (jobs);
}

void
jobs_begin (struct jobs *jobs)
{
    schedule_begin (&jobs->schedule);
    jobs->is_leading = true;
    jobs->is_failing = false;
}

void
jobs_end (struct jobs *jobs)
{
    if (jobs->handle != 0)
        loyalty_forget (jobs->client, jobs->handle);
    jobs->handle = 0;
    jobs->is_leading = false;
}

/* ---- beginning and end */

static int
connect_brokers (struct jobs *jobs, struct error *err)
{
    struct loyalty_options options;
    struct loyalty_error failure;
    const char *endpoint = jobs->settings->broker;
    if (*endpoint == '\0')
        return 0;
    loyalty_options_init (&options);
    options.endpoints = &endpoint;
    options.endpoint_count = 1;
    options.in_flight_max = 1;
    options.timeout_ms = STEP_TIMEOUT_MS;
    options.key_file = *jobs->settings->key_file != '\0' ? jobs->settings->key_file : NULL;
    jobs->client = loyalty_client_new (&options, &failure);
    return jobs->client != NULL ? 0
                                : error_set (err, ERROR_INVALID_REQUEST, "no way to the brokers: %s", failure.message);
}

struct jobs *
jobs_new (const struct feed_settings *settings, struct error *err)
{
    const int64_t minutes[SCHEDULED_COUNT] = {
#define X(job) settings->job##_minutes,
        SCHEDULED_JOBS (X)
#undef X
    };
    struct jobs *jobs = calloc (1, sizeof *jobs);
    if (jobs == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    jobs->settings = settings;
    schedule_init (&jobs->schedule, minutes);
    jobs->body = loyalty_body_new ();
    if (jobs->body == NULL)
        error_set (err, ERROR_INTERNAL, "out of memory");
    if (jobs->body == NULL || connect_brokers (jobs, err) < 0)
        jobs_destroy (&jobs);
    return jobs;
}

void
jobs_destroy (struct jobs **jobs)
{
    if (*jobs == NULL)
        return;
    loyalty_client_destroy (&(*jobs)->client);
    loyalty_body_destroy (&(*jobs)->body);
    free (*jobs);
    *jobs = NULL;
}
