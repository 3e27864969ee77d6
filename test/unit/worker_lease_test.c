/* worker_lease_test.c - when a worker that stood still may go on with what it had taken in. */
#include "worker/lease.h"

#include <criterion/criterion.h>

enum { MAX_US = 1000 };

static struct lease
lease_of_a_running_worker (void)
{
    struct lease lease;
    lease_begin (&lease, 0);
    cr_assert_not (lease_renew (&lease, 100, MAX_US));
    return lease;
}

Test (lease, holds_while_the_process_runs)
{
    struct lease lease = lease_of_a_running_worker ();
    for (int64_t now_us = 500; now_us < 50000; now_us += 900) {
        cr_assert_not (lease_renew (&lease, now_us, MAX_US));
        cr_assert (lease_holds (&lease, lease.pauses, now_us + 600));
    }
}

Test (lease, does_not_hold_after_a_pause_that_nobody_has_noted_yet)
{
    struct lease lease = lease_of_a_running_worker ();
    cr_assert (lease_holds (&lease, lease.pauses, 100 + MAX_US));
    cr_assert_not (lease_holds (&lease, lease.pauses, 100 + MAX_US + 1));
}

Test (lease, is_over_for_what_was_taken_in_before_a_pause)
{
    struct lease lease = lease_of_a_running_worker ();
    uint32_t before = lease.pauses;
    cr_assert (lease_renew (&lease, 100 + MAX_US + 1, MAX_US));
    cr_assert_not (lease_holds (&lease, before, 100 + MAX_US + 1));
    cr_assert (lease_holds (&lease, lease.pauses, 100 + MAX_US + 1));
}

Test (lease, a_new_bound_counts_from_the_next_round)
{
    struct lease lease = lease_of_a_running_worker ();
    cr_assert_not (lease_renew (&lease, 1000, 50));
    cr_assert (lease_renew (&lease, 1051, 50));
}

Test (lease, nothing_counts_before_the_first_round)
{
    struct lease lease;
    lease_begin (&lease, 0);
    cr_assert (lease_holds (&lease, 0, INT64_C (3600000000)));
    cr_assert_not (lease_renew (&lease, INT64_C (3600000000), MAX_US));
}
