/* lease.c - see lease.h. */
#include "worker/lease.h"

void
lease_begin (struct lease *lease, int64_t now_us)
{
    lease->pauses = 0;
    lease->pause_us_max = INT64_MAX;
    lease->awake_us = now_us;
}

bool
lease_renew (struct lease *lease, int64_t now_us, int64_t pause_us_max)
{
    bool paused = now_us - lease->awake_us > lease->pause_us_max;
    /* Counted before the time is set: who sees the new time sees the new count. */
    if (paused)
        lease->pauses++;
    lease->pause_us_max = pause_us_max;
    lease->awake_us = now_us;
    return paused;
}

bool
lease_holds (const struct lease *lease, uint32_t pauses, int64_t now_us)
{
    int64_t awake_us = lease->awake_us;
    return now_us - awake_us <= lease->pause_us_max && pauses == lease->pauses;
}
