/* schedule.h - which step of which background job is due: a state machine without clock and socket.
 *
 * Each job is done once for each of its periods (the hour, the day, in UTC). The period's name goes with every step, and the
 * engine does a period once, so that a new leader just asks for the running one and goes on where the last one was. One step at
 * a time; jobs give way to orders, by a pause after each step that is longer the longer the step took. Of periods that passed while
 * nobody led only the running one is done: jobs look at what is there, not at what happened. */
#ifndef FEED_SCHEDULE_H
#define FEED_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* By the names of job.run (wire/schemas.h); of several that are due the first goes first. */
#define SCHEDULED_JOBS(X) X (partitions) X (expire) X (memberships) X (holds) X (referrals)

enum scheduled_job {
#define X(job) SCHEDULED_##job,
    SCHEDULED_JOBS (X)
#undef X
        SCHEDULED_COUNT
};

enum {
    SCHEDULE_PERIOD_MAX = 40,     /* bytes of a period's name, with its end */
    SCHEDULE_REST_MS = 60000,     /* how long a job that was stopped, or cannot be done, is left alone */
    SCHEDULE_PAUSE_MS_MIN = 20,
    SCHEDULE_PAUSE_MS_MAX = 10000,
};

struct schedule {
    struct {
        int64_t every_us;      /* 0: never */
        int64_t done_until_us; /* the end of the last period that was done; no period before it is asked for */
        int64_t rest_until_ms; /* on the monotonic clock */
        int64_t failures;      /* in a row */
    } jobs[SCHEDULED_COUNT];
    int64_t pause_until_ms;
    int running;               /* the job whose step is under way; -1: none */
    int64_t period_us, asked_ms;
};

/* What to send: job.run {job, period}. */
struct schedule_step {
    const char *job;
    char period[SCHEDULE_PERIOD_MAX]; /* "2026-11-21T14:00:00Z" */
};

/* `minutes` of each job, in the order of SCHEDULED_JOBS; 0: never. */
void schedule_init (struct schedule *schedule, const int64_t minutes[SCHEDULED_COUNT]);

/* Leadership begins: whatever was under way is not waited for. */
void schedule_begin (struct schedule *schedule);

/* The step that is due, if there is one: then it is under way until schedule_answer. The first job that is due goes first, up to
 * its end. */
bool schedule_next (struct schedule *schedule, int64_t real_us, int64_t monotonic_ms, struct schedule_step *step);

/* How the step under way ended. */
enum schedule_outcome {
    STEP_DONE,    /* the period is done */
    STEP_MORE,    /* there is more of it */
    STEP_FAILED,  /* it may be tried again soon */
    STEP_REFUSED, /* stopped by an operator, or a fault: not before a while */
};
void schedule_answer (struct schedule *schedule, enum schedule_outcome outcome, int64_t monotonic_ms);

#endif
