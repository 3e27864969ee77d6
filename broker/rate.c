/* rate.c - how fast requests are served, measured while some wait, and what a new request can expect.
 *
 * Times when nobody waits say how much is asked, not how much can be done, and are left out. */
#include "broker/state.h"

/* A sample is long enough for a figure: so many answers, or a time after which few answers are a figure too. */
enum { SAMPLE_US = 200000, SAMPLE_LONGEST_US = 2000000, SAMPLE_ANSWERS = 20 };

void
rate_reset (struct core *core)
{
    core->rate = (struct service_rate){
        .since_us = core->now_us,
        .answered = core->counters.answered,
        .was_always_busy = core->queued > 0,
    };
}

void
rate_tick (struct core *core)
{
    struct service_rate *rate = &core->rate;
    int64_t elapsed_us = core->now_us - rate->since_us;
    uint64_t answered = core->counters.answered - rate->answered;
    if (elapsed_us < SAMPLE_US ||
        (rate->was_always_busy && answered < SAMPLE_ANSWERS && elapsed_us < SAMPLE_LONGEST_US))
        return;
    if (rate->was_always_busy) {
        double sample = (double)answered * 1e6 / (double)elapsed_us;
        rate->per_s = rate->is_known ? rate->per_s + (sample - rate->per_s) * 0.3 : sample;
        rate->is_known = true;
    }
    rate->since_us = core->now_us;
    rate->answered = core->counters.answered;
    rate->was_always_busy = core->queued > 0;
}

/* Requests that will be served before the next one of an account that has `queued` waiting: with turns taken one
 * by one, each other account gets at most as many turns as this one. */
static uint64_t
requests_ahead (const struct core *core, uint32_t queued)
{
    uint64_t turns = ((uint64_t)queued + 1) * (core->waiting_accounts + (queued == 0));
    return turns < core->queued ? turns : core->queued;
}

int64_t
rate_wait_ms (const struct core *core, uint32_t queued)
{
    uint64_t ahead = requests_ahead (core, queued);
    if (ahead == 0 || !core->rate.is_known)
        return 0;
    double per_s = core->rate.per_s > 0.1 ? core->rate.per_s : 0.1;
    return (int64_t)((double)ahead * 1000 / per_s);
}

int64_t
rate_retry_ms (const struct core *core, uint32_t queued)
{
    if (!core->rate.is_known)
        return RETRY_MS_UNKNOWN;
    int64_t wait_ms = rate_wait_ms (core, queued);
    return wait_ms < RETRY_MS_MIN ? RETRY_MS_MIN : wait_ms > RETRY_MS_MAX ? RETRY_MS_MAX : wait_ms;
}
