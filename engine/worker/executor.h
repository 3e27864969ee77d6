/* executor.h - what runs requests: a connection, a catalog, an arena for the requests and one for the transaction.
 *
 * A worker has one for the batch, one for reads, and one for reads from a replica where there is one; each belongs to one thread. */
#ifndef WORKER_EXECUTOR_H
#define WORKER_EXECUTOR_H

#include "worker/lease.h"
#include "worker/request.h"

/* The blocks are as large as the sequences' increments (sql/migrations/0001_ledger.sql). */
enum { ID_BLOCK = 1024, CARDS_PER_REQUEST = 8, CARDS_RESERVED_MIN = 64 };

struct id_block {
    int64_t next, end;
};

/* What an executor is for: a worker has one of each; the last only where a replica is known. */
enum executor_kind {
    EXECUTOR_BATCH,
    EXECUTOR_READ,
    EXECUTOR_REPLICA, /* reads that may be late, from a standby */
};

struct executor_stats {
    uint64_t batches, requests, retries, bisections, failures;
    uint64_t batch_requests_max;
    uint64_t database_us, evaluate_us; /* time spent waiting for the database, and evaluating */
    struct pg_server server;
    int64_t replica_lag_ms;            /* as it was found last; -1: unknown, or no replica answers */
    uint64_t replica_declined;         /* requests that were left to the primary */
};

/* Ids that are wanted besides those that requests name. */
struct wanted_ids {
    uint32_t count, capacity;
    int64_t *ids;
};

struct executor {
    const struct worker_settings *settings;
    const struct engine_settings *engine;
    const struct lease *lease;
    struct pg *pg;
    struct catalog_cache cache;
    struct arena *requests;    /* lives as long as the requests of one run */
    struct wanted_ids members, cards; /* what those that these requests name became: wanted too. In `requests` */
    struct arena *transaction; /* reset at every attempt */
    struct unit unit;
    struct id_block order_ids, card_ids;
    struct executor_stats stats;
    enum executor_kind kind;
    bool reading;              /* not that of the batch: snapshots, no locks */
    bool hurried;              /* locks were waited for in vain just now: wait for them only briefly */
    bool settings_read;
    unsigned history;          /* pg_server: of what was read and reserved */
    int64_t patience_us;       /* how long to wait for the database at most: executor_set_patience */
    int64_t partitions_at_us;  /* when partitions were last looked after; 0 never */
    struct engine_settings engine_storage;
};

int executor_init (struct executor *executor, const struct worker_settings *settings, const struct lease *lease,
                   enum executor_kind kind, struct error *err);
void executor_free (struct executor *executor);

/* Connects when needed, reads the settings once. -1: `unavailable`. */
int executor_ready (struct executor *executor, struct error *err);

/* After a lock was waited for in vain: ends sessions of workers that stopped in the middle of a transaction. */
void executor_end_stopped_sessions (struct executor *executor);

/* Forgets the requests of the run before, and what was found out about them. */
void executor_begin (struct executor *executor);
/* Adds an id to one of the executor's lists. -1: out of memory. */
int executor_want (struct executor *executor, struct wanted_ids *list, int64_t id);

/* Takes the next id of a block, which must not be empty. */
int64_t id_take (struct id_block *block);
/* Makes sure that so many order references and card ids can be taken. */
int executor_ids (struct executor *executor, unsigned orders, unsigned cards, struct error *err);
/* A new card's id: in its member's bucket; a bearer's is in that of the hash of its number. 0 with err: the ids that were
 * reserved are used up, and no more could be had. */
int64_t executor_card_id (struct executor *executor, bool has_partner, int64_t partner_id, struct error *err);
/* A new random code: 16 of 32 unambiguous letters and digits. In the transaction's arena. */
struct str executor_new_code (struct executor *executor);
/* A code as it is stored and compared: outer blanks off, ASCII upper case. In `arena`. */
struct str code_fold (struct str code, struct arena *arena);

/* How long the requests of one run let the executor wait for a database that says nothing: so long that those who sent them
 * are told `unavailable` while there is time to try again. */
void executor_set_patience (struct executor *executor, struct request *const *requests, unsigned count);
/* Deadline of a wait for the database, on clock_monotonic_us. */
int64_t executor_deadline_us (const struct executor *executor);

#endif
