/* unit_usage.c - counters of uses (program_usage): locked and read in a round trip of their own, after members and cards. */
#include "store/unit_private.h"

#include <stdlib.h>

static int
compare_keys (const struct usage_key *a, const struct usage_key *b)
{
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    if (a->program_id != b->program_id)
        return a->program_id < b->program_id ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->subject != b->subject)
        return a->subject < b->subject ? -1 : 1;
    return (a->period > b->period) - (a->period < b->period);
}

static int
compare_usages (const void *a, const void *b)
{
    return compare_keys (&(*(struct unit_usage *const *)a)->key, &(*(struct unit_usage *const *)b)->key);
}

struct unit_usage *
unit_usage (struct unit *unit, const struct usage_key *key)
{
    for (uint32_t i = 0; i < unit->usage_count; i++)
        if (compare_keys (&unit->usages[i].key, key) == 0)
            return &unit->usages[i];
    return NULL;
}

int
unit_want_usage (struct unit *unit, const struct usage_key *key, bool to_count)
{
    struct unit_usage *known = unit_usage (unit, key);
    if (known != NULL) {
        known->to_count |= to_count;
        return 0;
    }
    if (!unit_grow (unit->arena, (void **)&unit->usages, unit->usage_count, &unit->usage_capacity,
                    sizeof *unit->usages))
        return -1;
    unit->usages[unit->usage_count++] = (struct unit_usage){ .key = *key, .to_count = to_count };
    return 0;
}

/* Queues a statement over the keys of a bucket; nothing when there are none. */
static int
send_keys (struct unit *unit, enum statement statement, struct unit_usage *const *rows, uint32_t count,
           bool to_count_only, unsigned *sent)
{
    struct pg_params params = unit_params (unit);
    struct pg_array programs, kinds, subjects, periods;
    uint32_t picked = 0;
    pg_array_begin (&programs, PG_INT8);
    pg_array_begin (&kinds, PG_INT2);
    pg_array_begin (&subjects, PG_INT8);
    pg_array_begin (&periods, PG_INT4);
    for (uint32_t i = 0; i < count; i++) {
        if (to_count_only && !rows[i]->to_count)
            continue;
        picked++;
        pg_array_int (&programs, rows[i]->key.program_id);
        pg_array_int (&kinds, rows[i]->key.kind);
        pg_array_int (&subjects, rows[i]->key.subject);
        pg_array_int (&periods, rows[i]->key.period);
    }
    pg_param_int2 (&params, rows[0]->key.bucket);
    pg_param_array (&params, &programs);
    pg_param_array (&params, &kinds);
    pg_param_array (&params, &subjects);
    pg_param_array (&params, &periods);
    if (picked == 0)
        return 0;
    (*sent)++;
    return pg_send (unit->pg, statement, &params);
}

static int
receive_rows (struct unit *unit, unsigned sent, struct error *err)
{
    for (unsigned i = 0; i < sent; i++) {
        PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        /* Inserts answer with no rows. */
        for (int row = 0; row < PQntuples (result); row++) {
            struct usage_key key = { (int16_t)pg_int (result, row, 0), (int16_t)pg_int (result, row, 2),
                                     (int32_t)pg_int (result, row, 4), pg_int (result, row, 1),
                                     pg_int (result, row, 3) };
            struct unit_usage *usage = unit_usage (unit, &key);
            if (usage == NULL)
                continue;
            usage->found = true;
            usage->used = pg_int (result, row, 5);
            usage->amount_minor = pg_int (result, row, 6);
        }
        PQclear (result);
    }
    return 0;
}

/* Rows that are made here may be somebody else's at the same time: the insert waits for that one's end, and the statement
 * after it locks and reads what it left. All go bucket by bucket, each statement sorted. */
int
unit_lock_usages (struct unit *unit, struct error *err)
{
    unsigned sent = 0;
    if (unit->usage_count == 0)
        return 0;
    struct unit_usage **rows = arena_array_of (unit->arena, unit->usage_count, struct unit_usage *);
    if (rows == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    for (uint32_t i = 0; i < unit->usage_count; i++)
        rows[i] = &unit->usages[i];
    qsort (rows, unit->usage_count, sizeof *rows, compare_usages);
    int status = 0;
    for (uint32_t from = 0, to; from < unit->usage_count && status == 0; from = to) {
        for (to = from; to < unit->usage_count && rows[to]->key.bucket == rows[from]->key.bucket;)
            to++;
        if (unit->locking)
            status = send_keys (unit, STATEMENT_USAGES_INSERT, rows + from, to - from, true, &sent);
        if (status == 0)
            status = send_keys (unit, unit->locking ? STATEMENT_USAGES_LOCK : STATEMENT_USAGES_READ, rows + from,
                                to - from, false, &sent);
    }
    if (status < 0 || pg_sync (unit->pg) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
    }
    return receive_rows (unit, sent, err) < 0 || pg_finish (unit->pg, unit->deadline_us, &unit->failure, err) < 0 ? -1
                                                                                                                  : 0;
}

int
unit_count_usage (struct unit *unit, struct unit_savepoint *savepoint, const struct usage_key *key, int64_t uses,
                  int64_t amount_minor, bool *counted)
{
    struct unit_usage *usage = unit_usage (unit, key);
    *counted = usage != NULL && usage->found;
    if (!*counted)
        return 0;
    if (!unit_grow (unit->arena, (void **)&savepoint->usages, savepoint->usage_count, &savepoint->usage_capacity,
                    sizeof *savepoint->usages))
        return -1;
    savepoint->usages[savepoint->usage_count++] = (struct saved_usage){ (uint32_t)(usage - unit->usages), *usage };
    usage->changed = true;
    usage->used += uses;
    usage->amount_minor += amount_minor;
    return 0;
}
