/* schedule.c - see schedule.h. */
#include "feed/schedule.h"
#include "base/timestamp.h"

#include <string.h>

enum { PAUSE_TIMES = 4, FAILURE_PAUSE_MS = 500, FAILURES_MAX = 6 };

static const char *const NAMES[SCHEDULED_COUNT] = {
#define X(job) #job,
    SCHEDULED_JOBS (X)
#undef X
};

void
schedule_init (struct schedule *schedule, const int64_t minutes[SCHEDULED_COUNT])
{
    memset (schedule, 0, sizeof *schedule);
    for (int job = 0; job < SCHEDULED_COUNT; job++) {
        schedule->jobs[job].every_us = minutes[job] * US_PER_MINUTE;
        schedule->jobs[job].done_until_us = INT64_MIN;
    }
    schedule->running = -1;
}

void
schedule_begin (struct schedule *schedule)
{
    schedule->running = -1;
    for (int job = 0; job < SCHEDULED_COUNT; job++)
        schedule->jobs[job].failures = schedule->jobs[job].rest_until_ms = 0;
}

/* Since the epoch, rounded down also before it. */
static int64_t
period_start (int64_t real_us, int64_t every_us)
{
    int64_t into = real_us % every_us;
    return real_us - (into < 0 ? into + every_us : into);
}

static bool
is_due (const struct schedule *schedule, int job, int64_t real_us, int64_t monotonic_ms)
{
    return schedule->jobs[job].every_us > 0 && monotonic_ms >= schedule->jobs[job].rest_until_ms &&
           real_us >= schedule->jobs[job].done_until_us;
}

bool
schedule_next (struct schedule *schedule, int64_t real_us, int64_t monotonic_ms, struct schedule_step *step)
{
    if (schedule->running >= 0 || monotonic_ms < schedule->pause_until_ms)
        return false;
    for (int job = 0; job < SCHEDULED_COUNT; job++) {
        if (!is_due (schedule, job, real_us, monotonic_ms))
            continue;
        schedule->running = job;
        schedule->asked_ms = monotonic_ms;
        schedule->period_us = period_start (real_us, schedule->jobs[job].every_us);
        step->job = NAMES[job];
        timestamp_format (schedule->period_us, step->period);
        return true;
    }
    return false;
}

static int64_t
bounded (int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

void
schedule_answer (struct schedule *schedule, enum schedule_outcome outcome, int64_t monotonic_ms)
{
    int job = schedule->running;
    if (job < 0)
        return;
    int64_t *failures = &schedule->jobs[job].failures;
    int64_t took_ms = monotonic_ms - schedule->asked_ms;
    schedule->running = -1;
    *failures = outcome == STEP_FAILED ? *failures + 1 : 0;
    if (outcome == STEP_DONE)
        schedule->jobs[job].done_until_us = schedule->period_us + schedule->jobs[job].every_us;
    if (outcome == STEP_REFUSED)
        schedule->jobs[job].rest_until_ms = monotonic_ms + SCHEDULE_REST_MS;
    if (outcome == STEP_FAILED)
        schedule->jobs[job].rest_until_ms = monotonic_ms + (FAILURE_PAUSE_MS << bounded (*failures, 1, FAILURES_MAX));
    schedule->pause_until_ms =
        monotonic_ms + bounded (took_ms * PAUSE_TIMES, SCHEDULE_PAUSE_MS_MIN, SCHEDULE_PAUSE_MS_MAX);
}
