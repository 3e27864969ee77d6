/* settings.h - what this process was started with. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "store/engine_settings.h"

struct worker_settings {
    const char *const *brokers; /* worker ports of the brokers */
    unsigned broker_count;
    const char *database;       /* connection URI */
    const char *replica;        /* of a standby for reads that may be late; NULL: none */
    int replica_lag_ms;         /* one that is later than this is not asked */
    const char *name;
    const char *key_file;       /* this worker's keys, a certificate; NULL: the brokers have none */
    unsigned credit;            /* requests in hand at most, per broker */
    unsigned batch_max;         /* changing requests in one transaction at most */
    int gather_us;              /* from one batch's start an idle worker waits so long for the next to fill */
    int lock_timeout_ms, idle_in_transaction_timeout_ms, statement_timeout_ms, commit_timeout_ms;
};

#endif
