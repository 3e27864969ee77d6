/* broker_sim.h - a seeded world around the broker's core: model clients, workers that run the real session state
 * machine, and a network that delays, loses and doubles; everything the core says is checked as it says it. */
#ifndef SIM_BROKER_SIM_H
#define SIM_BROKER_SIM_H

#include "broker/core.h"
#include "net/worker_session.h"

enum { SIM_CLIENTS_MAX = 12, SIM_WORKERS_MAX = 5, SIM_IN_HAND_MAX = 256, SIM_REQUESTS_MAX = 6000, SIM_USERS_MAX = 2 };
enum { SIM_CALM_US = 6000000 }; /* at the end of a world with faults: each request has to succeed */

/* What may go wrong in one world, in parts of 10,000 messages (or of looks at a process, one every 20 ms). */
struct sim_faults {
    unsigned lose, doubled, garbage;
    unsigned kill_worker, hang_worker, reconnect_worker, idle_worker, drain_worker, restart_client, full, no_memory,
        stall_broker;
};

struct sim_options {
    uint64_t seed;
    struct settings settings;
    struct sim_faults faults;
    unsigned client_count, worker_count;
    unsigned credit, batch_max;
    int64_t service_us_max;  /* of one batch */
    int64_t delay_us_max;    /* of one message */
    int64_t pause_us_max;    /* of a client between two bursts */
    unsigned burst_max;
    unsigned user_count;     /* clients share so many users; 0: each stands for itself */
    unsigned flooder;        /* requests in each burst of client 0; 0: as the others */
    uint32_t ttl_ms_max, body_bytes_max;
    int64_t faults_until_us; /* then everything heals */
    int64_t requests_until_us;
    int64_t drain_at_us;     /* 0: at the end */
    bool tell;               /* print what the core tells its operator */
    bool check_turns;        /* fairness, request by request: only where nothing dies */
};

struct sim_result {
    char failure[300]; /* empty: every check held */
    uint64_t trace;    /* hash of all that the core sent: equal for equal seeds */
    unsigned requests, ok, errors[ERROR_CODE_COUNT], requeued, dispatched, calm_requests;
    uint64_t worst_wait_us[SIM_CLIENTS_MAX]; /* per client, of answers by workers */
};

/* Draws a world from a seed: faults, bounds, loads. */
void sim_options_random (struct sim_options *options, uint64_t seed);
/* A world without faults. */
void sim_options_calm (struct sim_options *options, uint64_t seed);

void sim_run (const struct sim_options *options, struct sim_result *result);

#endif
