/* executor.c - see executor.h. */
#include "worker/executor.h"
#include "base/clock.h"
#include "base/log.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REQUESTS_BYTES_MAX = 512 * 1024 * 1024,
    TRANSACTION_BYTES_MAX = 512 * 1024 * 1024,
    CONNECT_TIMEOUT_MS = 2000,
    REPLICA_CONNECT_TIMEOUT_MS = 500,
    LOCK_SLACK_MS = 1000,
};
#define REPLICA_PATIENCE_US (1000 * INT64_C (1000))
#define PARTITIONS_EVERY_US (3600 * INT64_C (1000000))

int
request_fail (struct request *request, enum error_code code, const char *format, ...)
{
    char text[sizeof request->error.message];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return error_set (&request->error, code, "%s", text);
}

void
request_explain (struct request *request)
{
    if (request->error.code == ERROR_NONE)
        request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

void
request_tells_of (struct request *request, int64_t partner_id)
{
    for (unsigned i = 0; i < request->partner_count; i++)
        if (request->partners[i] == partner_id)
            return;
    if (request->partner_count < sizeof request->partners / sizeof request->partners[0])
        request->partners[request->partner_count++] = partner_id;
}

int
executor_init (struct executor *executor, const struct worker_settings *settings, const struct lease *lease,
               enum executor_kind kind, struct error *err)
{
    static const struct {
        const char *application;
        int connect_timeout_ms;
    } KINDS[] = {
        [EXECUTOR_BATCH] = { "loyalty-worker batch", CONNECT_TIMEOUT_MS },
        [EXECUTOR_READ] = { "loyalty-worker read", CONNECT_TIMEOUT_MS },
        /* Whoever waits for it could have been answered by the primary. */
        [EXECUTOR_REPLICA] = { "loyalty-worker replica", REPLICA_CONNECT_TIMEOUT_MS },
    };
    *executor =
        (struct executor){ .settings = settings, .lease = lease, .kind = kind, .reading = kind != EXECUTOR_BATCH };
    executor->engine = &executor->engine_storage;
    executor->patience_us = settings->statement_timeout_ms * INT64_C (1000);
    struct pg_options options = {
        .url = kind == EXECUTOR_REPLICA ? settings->replica : settings->database,
        .application = KINDS[kind].application,
        .connect_timeout_ms = KINDS[kind].connect_timeout_ms,
        .lock_timeout_ms = settings->lock_timeout_ms,
        .idle_in_transaction_timeout_ms = settings->idle_in_transaction_timeout_ms,
        .read_only = executor->reading,
        .replica = kind == EXECUTOR_REPLICA,
    };
    executor->pg = pg_new (&options);
    executor->requests = arena_new (REQUESTS_BYTES_MAX);
    executor->transaction = arena_new (TRANSACTION_BYTES_MAX);
    if (executor->pg == NULL || executor->requests == NULL || executor->transaction == NULL ||
        catalog_cache_init (&executor->cache, executor->engine) < 0) {
        executor_free (executor);
        return error_set (err, ERROR_INTERNAL, "out of memory");
    }
    return 0;
}

void
executor_free (struct executor *executor)
{
    pg_destroy (&executor->pg);
    catalog_cache_free (&executor->cache);
    arena_destroy (&executor->requests);
    arena_destroy (&executor->transaction);
}

int64_t
executor_deadline_us (const struct executor *executor)
{
    return clock_monotonic_us () + executor->patience_us;
}

/* Three quarters of the time that the most patient of them has left; but longer than locks are waited for, since giving up costs
 * the connection. */
void
executor_set_patience (struct executor *executor, struct request *const *requests, unsigned count)
{
    int64_t now_us = clock_monotonic_us (), left_us = 0;
    for (unsigned i = 0; i < count; i++)
        if (requests[i]->deadline_us - now_us > left_us)
            left_us = requests[i]->deadline_us - now_us;
    if (executor->kind == EXECUTOR_REPLICA) {
        executor->patience_us = REPLICA_PATIENCE_US; /* the primary can still answer after that */
        return;
    }
    int64_t least_us = (executor->settings->lock_timeout_ms + LOCK_SLACK_MS) * INT64_C (1000);
    int64_t most_us = executor->settings->statement_timeout_ms * INT64_C (1000);
    int64_t patience_us = left_us / 4 * 3 > least_us ? left_us / 4 * 3 : least_us;
    executor->patience_us = patience_us < most_us ? patience_us : most_us;
}

/* Months of partitions are made ahead; where that fails, rows go to the default partition, which is no loss. */
static void
look_after_partitions (struct executor *executor)
{
    int64_t now_us = clock_monotonic_us ();
    enum pg_failure failure;
    struct error err;
    if (executor->reading ||
        (executor->partitions_at_us != 0 && now_us - executor->partitions_at_us < PARTITIONS_EVERY_US))
        return;
    executor->partitions_at_us = now_us;
    PGresult *result =
        pg_run (executor->pg, STATEMENT_PARTITIONS_ENSURE, NULL, executor_deadline_us (executor), &failure, &err);
    if (result == NULL)
        log_warning ("partitions were not made ahead: %s", err.message);
    PQclear (result);
}

void
executor_end_stopped_sessions (struct executor *executor)
{
    struct pg_params params = { .arena = executor->requests };
    enum pg_failure failure;
    struct error err;
    pg_param_int4 (&params, executor->settings->idle_in_transaction_timeout_ms);
    pg_param_text (&params, STR ("loyalty-worker batch"));
    PGresult *result =
        pg_run (executor->pg, STATEMENT_SESSIONS_END, &params, executor_deadline_us (executor), &failure, &err);
    if (result == NULL)
        log_warning ("sessions that hold locks were not looked for: %s", err.message);
    for (int row = 0; result != NULL && row < PQntuples (result); row++)
        log_warning ("ended the database session %lld of a worker that stopped in the middle of a transaction",
                     (long long)pg_int (result, row, 0));
    PQclear (result);
}

/* After a failover nothing that was read before is sure: a standby that came too late may number catalogs, orders and cards anew. */
static int
forget_other_history (struct executor *executor, struct error *err)
{
    if (pg_server (executor->pg)->history == executor->history)
        return 0;
    executor->history = pg_server (executor->pg)->history;
    executor->order_ids = executor->card_ids = (struct id_block){ 0 };
    executor->settings_read = false;
    catalog_cache_free (&executor->cache);
    return catalog_cache_init (&executor->cache, executor->engine) < 0
               ? error_set (err, ERROR_UNAVAILABLE, "the worker is out of memory")
               : 0;
}

int
executor_ready (struct executor *executor, struct error *err)
{
    if (pg_ensure (executor->pg, err) < 0 || forget_other_history (executor, err) < 0)
        return -1;
    if (!executor->settings_read) {
        if (engine_settings_read (executor->pg, &executor->engine_storage, err) < 0)
            return -1;
        executor->settings_read = true;
    }
    look_after_partitions (executor);
    return pg_ensure (executor->pg, err);
}

void
executor_begin (struct executor *executor)
{
    arena_reset (executor->requests);
    executor->members = executor->cards = (struct wanted_ids){ 0 };
}

int
executor_want (struct executor *executor, struct wanted_ids *list, int64_t id)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return 0;
    if (list->count == list->capacity) {
        uint32_t larger = list->capacity > 0 ? list->capacity * 2 : 16;
        int64_t *ids = arena_array_of (executor->requests, larger, int64_t);
        if (ids == NULL)
            return -1;
        if (list->count > 0)
            memcpy (ids, list->ids, list->count * sizeof *ids);
        list->ids = ids;
        list->capacity = larger;
    }
    list->ids[list->count++] = id;
    return 0;
}

int64_t
id_take (struct id_block *block)
{
    return block->next < block->end ? block->next++ : 0;
}

static int
fill_block (struct executor *executor, struct id_block *block, enum statement statement, enum pg_failure *failure,
            struct error *err)
{
    PGresult *result = pg_run (executor->pg, statement, NULL, executor_deadline_us (executor), failure, err);
    if (result == NULL)
        return -1;
    block->next = pg_int (result, 0, 0);
    block->end = block->next + ID_BLOCK;
    PQclear (result);
    return 0;
}

int
executor_ids (struct executor *executor, unsigned orders, unsigned cards, struct error *err)
{
    enum pg_failure failure;
    /* What is left of an old block is given up: ids are plenty. */
    if (executor->order_ids.end - executor->order_ids.next < orders &&
        fill_block (executor, &executor->order_ids, STATEMENT_ORDER_BLOCK, &failure, err) < 0)
        return -1;
    if (executor->card_ids.end - executor->card_ids.next < cards &&
        fill_block (executor, &executor->card_ids, STATEMENT_CARD_BLOCK, &failure, err) < 0)
        return -1;
    return 0;
}

int64_t
executor_card_id (struct executor *executor, bool has_partner, int64_t partner_id, struct error *err)
{
    int buckets = executor->engine->buckets;
    if (executor->card_ids.next == executor->card_ids.end &&
        fill_block (executor, &executor->card_ids, STATEMENT_CARD_BLOCK, &executor->unit.failure, err) < 0)
        return 0;
    int64_t number = id_take (&executor->card_ids);
    return number * buckets + bucket_of_partner (has_partner ? partner_id : number, buckets);
}

struct str
executor_new_code (struct executor *executor)
{
    static const char SYMBOLS[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    char text[16];
    uint8_t random[16];
    randombytes_buf (random, sizeof random);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = SYMBOLS[random[i] % 32];
    return arena_str (executor->transaction, (struct str){ text, sizeof text });
}

struct str
code_fold (struct str code, struct arena *arena)
{
    while (code.size > 0 && (code.data[0] == ' ' || code.data[0] == '\t'))
        code = (struct str){ code.data + 1, code.size - 1 };
    while (code.size > 0 && (code.data[code.size - 1] == ' ' || code.data[code.size - 1] == '\t'))
        code.size--;
    struct str folded = arena_str (arena, code);
    char *at = (char *)folded.data;
    for (uint32_t i = 0; at != NULL && i < folded.size; i++)
        if (at[i] >= 'a' && at[i] <= 'z')
            at[i] = (char)(at[i] - 'a' + 'A');
    return folded;
}
