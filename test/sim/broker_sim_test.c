/* broker_sim_test.c - thousands of seeded worlds around the broker's core. A failure names its seed:
 * LOYALTY_SIM_SEED=N runs that one world again, and tells; LOYALTY_SIM_SEEDS=N sets how many are run. */
#include "sim/broker_sim.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SEEDS = 2000 };

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
    const char *text = getenv (variable);
    return text != NULL ? strtoull (text, NULL, 10) : otherwise;
}

Test (broker_sim, worlds_with_faults)
{
    uint64_t only = number_from ("LOYALTY_SIM_SEED", 0);
    uint64_t first = only != 0 ? only : 1, count = only != 0 ? 1 : number_from ("LOYALTY_SIM_SEEDS", SEEDS);
    struct sim_result sum = { .failure = "" };
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct sim_options options;
        struct sim_result result;
        sim_options_random (&options, seed);
        options.tell = only != 0;
        sim_run (&options, &result);
        cr_assert (result.failure[0] == '\0', "LOYALTY_SIM_SEED=%llu: %s", (unsigned long long)seed, result.failure);
        sum.requests += result.requests;
        sum.ok += result.ok;
        sum.requeued += result.requeued;
        sum.calm_requests += result.calm_requests;
        for (unsigned code = 0; code < ERROR_CODE_COUNT; code++)
            sum.errors[code] += result.errors[code];
    }
    cr_log_info ("%llu worlds: %u requests, %u answered by workers, %u requeued, %u in calm after faults",
                 (unsigned long long)count, sum.requests, sum.ok, sum.requeued, sum.calm_requests);
    for (unsigned code = 0; code < ERROR_CODE_COUNT; code++)
        if (sum.errors[code] > 0)
            cr_log_info ("  %s: %u", error_code_name ((enum error_code)code), sum.errors[code]);
    if (only != 0 || count < 100)
        return;
    /* A world in which nothing goes wrong proves nothing. */
    cr_expect (sum.ok > sum.requests / 10, "%u of %u answered", sum.ok, sum.requests);
    cr_expect (sum.requeued > 0);
    cr_expect (sum.calm_requests > 0);
    const enum error_code seen[] = { ERROR_BUSY, ERROR_WORKER_LOST, ERROR_EXPIRED_DEADLINE, ERROR_UNAVAILABLE };
    for (unsigned i = 0; i < sizeof seen / sizeof seen[0]; i++)
        cr_expect (sum.errors[seen[i]] > 0, "%s never happened", error_code_name (seen[i]));
}

Test (broker_sim, one_seed_is_one_world)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_options options;
        struct sim_result once, again;
        sim_options_random (&options, seed);
        sim_run (&options, &once);
        sim_run (&options, &again);
        cr_assert_eq (once.trace, again.trace, "seed %llu came out differently", (unsigned long long)seed);
    }
}

Test (broker_sim, a_flooding_client_does_not_starve_the_others)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct sim_options options;
        struct sim_result result;
        sim_options_calm (&options, seed);
        options.flooder = 150;
        options.client_count = 5;
        options.worker_count = 2;
        options.credit = 8;
        options.batch_max = 4;
        options.burst_max = 1;
        options.settings.client_requests_max = 400;
        options.settings.requests_max = 10000;
        options.ttl_ms_max = 60000;
        /* Every other world with shares of the work, where whoever has its share loses its turn. */
        options.check_turns = seed % 2 == 0;
        options.settings.client_work_min = options.check_turns ? 4096 : 1;
        sim_run (&options, &result);
        cr_assert (result.failure[0] == '\0', "seed %llu: %s", (unsigned long long)seed, result.failure);
        cr_assert (result.worst_wait_us[0] > 100000, "seed %llu: the flood never piled up: worst wait %llu us",
                   (unsigned long long)seed, (unsigned long long)result.worst_wait_us[0]);
        /* The others wait for what is in work, and for one turn of each: never behind the flood. */
        for (unsigned i = 1; i < options.client_count; i++)
            cr_assert (result.worst_wait_us[i] < 60000, "seed %llu: client %u waited %llu us behind the flood",
                       (unsigned long long)seed, i, (unsigned long long)result.worst_wait_us[i]);
    }
}
