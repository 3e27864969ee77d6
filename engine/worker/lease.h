/* lease.h - whether this process may still do what brokers gave it.
 *
 * A process that stood still (stopped, swapped out, on a machine that was paused) wakes up with requests that a broker may have
 * given to another worker meanwhile, which perhaps refused them finally: done now, they would be in the ledger although the
 * client was told that nothing was done. So the thread of the sockets, which never waits for anything, notes when it goes round;
 * and a transaction asks before its COMMIT, with its keys claimed: had it been given away, the other worker would have met them. */
#ifndef WORKER_LEASE_H
#define WORKER_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lease {
    _Atomic int64_t awake_us;     /* when the thread of the sockets last went round, on clock_monotonic_us */
    _Atomic int64_t pause_us_max; /* how long the brokers' sessions let it stand still */
    _Atomic uint32_t pauses;      /* how often it stood still for longer */
};

void lease_begin (struct lease *lease, int64_t now_us);
/* The thread of the sockets goes round. True: it stood still for too long since the last time. */
bool lease_renew (struct lease *lease, int64_t now_us, int64_t pause_us_max);
/* Whether what was taken in when `pauses` was the count may still be done. Any thread. */
bool lease_holds (const struct lease *lease, uint32_t pauses, int64_t now_us);

#endif
