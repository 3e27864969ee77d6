/* job_memberships.c - the job that evaluates every member's level (rule 32). Members are judged without locks first, a page at a
 * time: nearly all of them stay as they are. */
#include "base/log.h"
#include "worker/event.h"
#include "worker/jobs.h"
#include "worker/membership.h"
#include "worker/membership_methods.h"

enum { EXAMINED_PER_ROW = 5 };

/* A unit of its own for what is read without locks. */
static void
begin_reading (struct executor *executor)
{
    struct unit *unit = &executor->unit;
    unit_begin (unit, unit->arena, unit->pg, unit->buckets, false, unit->recorded_at, unit->deadline_us);
}

static int
read_members (struct executor *executor, const struct job_step *step, int64_t size, int64_t **ids, uint32_t *count,
              struct error *err)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, step->to.bucket);
    pg_param_int8 (&params, step->to.id);
    pg_param_int4 (&params, (int32_t)size);
    PGresult *page = pg_run (unit->pg, STATEMENT_MEMBERS_PAGE, &params, unit->deadline_us, &unit->failure, err);
    if (page == NULL)
        return -1;
    *count = (uint32_t)PQntuples (page);
    *ids = arena_array_of (unit->arena, (size_t)*count + 1, int64_t);
    bool failed = *ids == NULL;
    for (uint32_t i = 0; !failed && i < *count; i++) {
        (*ids)[i] = pg_int (page, (int)i, 0);
        failed = unit_want_member (unit, (*ids)[i], false) < 0;
    }
    PQclear (page);
    return failed ? error_set (err, ERROR_INTERNAL, "the worker is out of memory") : 0;
}

static int
read_states (struct executor *executor, struct error *err)
{
    struct unit *unit = &executor->unit;
    if (unit_send_members (unit) < 0 || unit_send_cards (unit) < 0 || pg_sync (unit->pg) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
    }
    return unit_receive_members (unit, err) < 0 || unit_receive_cards (unit, err) < 0 ||
                   pg_finish (unit->pg, unit->deadline_us, &unit->failure, err) < 0 ||
                   unit_read_absorbed (unit, err) < 0 ||
                   unit_read_spending (unit, membership_first_day (executor->cache.catalog, unit->recorded_at), err) < 0
               ? -1
               : 0;
}

static int
judge (struct executor *executor, struct job_step *step, const int64_t *ids, uint32_t count, bool *more,
       struct error *err)
{
    for (uint32_t i = 0; i < count && !*more; i++) {
        struct unit_member *member = unit_member (&executor->unit, ids[i]);
        bool needs = false;
        if (member != NULL && membership_needs_evaluation (executor, member, &needs, err) < 0)
            return -1;
        *more = needs && step->row_count == step->limit;
        if (*more)
            return 0;
        if (needs && job_add_row (executor, step, &(struct job_row){ 0, true, ids[i] }, err) < 0)
            return -1;
        step->to.id = ids[i];
        step->examined++;
    }
    return 0;
}

int
job_memberships_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err)
{
    int64_t size = (int64_t)step->limit * EXAMINED_PER_ROW - step->examined, *ids;
    uint32_t count;
    *more = size <= 0 || step->row_count == step->limit;
    if (*more || executor->cache.catalog->level_count == 0)
        return 0;
    begin_reading (executor);
    if (read_members (executor, step, size, &ids, &count, err) < 0 || read_states (executor, err) < 0 ||
        judge (executor, step, ids, count, more, err) < 0) {
        pg_abandon (executor->pg);
        return -1;
    }
    *more |= count == size;
    return 0;
}

int
job_memberships_work (struct executor *executor, struct job_step *step, struct error *err)
{
    struct unit *unit = &executor->unit;
    if (executor->cache.catalog->level_count > 0 &&
        unit_read_spending (unit, membership_first_day (executor->cache.catalog, unit->recorded_at), err) < 0)
        return -1;
    for (uint32_t i = 0; i < step->row_count; i++) {
        struct unit_member *member = unit_member (unit, step->rows[i].partner_id);
        bool changed = false;
        if (member == NULL)
            continue;
        if (membership_evaluate_member (executor, member, &changed, err) < 0) {
            if (unit->failure != PG_NONE)
                return -1;
            step->failed++; /* it stays as it is; the others go on */
            struct error failure = *err;
            if (event_member_alert (unit, member, STR ("evaluation_failed"), str_of (failure.message), err) < 0)
                return -1;
            log_warning ("member %lld could not be evaluated: %s", (long long)member->partner_id, failure.message);
            *err = (struct error){ 0 };
        } else {
            step->changed += changed;
        }
    }
    return 0;
}
