/* job_holds.c - the job that lets go of holds whose time is over, books what of their lots ran out meanwhile, and forgets holds that
 * were closed long ago (rule 22). */
#include "worker/jobs.h"

enum { EXAMINED_PER_ROW = 20, FORGOTTEN_MAX = 5000 };
#define HOLDS_KEPT_US (30 * US_PER_DAY) /* after their time: a late capture is told why it is refused */

int
job_holds_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err)
{
    struct unit *unit = &executor->unit;
    int64_t size = (int64_t)step->limit * EXAMINED_PER_ROW;
    struct pg_params params = { .arena = unit->arena };
    *more = true;
    if (step->examined >= size || step->row_count == step->limit)
        return 0;
    pg_param_int2 (&params, step->to.bucket);
    pg_param_int8 (&params, step->to.id);
    pg_param_int4 (&params, (int32_t)size);
    pg_param_time (&params, unit->recorded_at);
    pg_param_time (&params, unit->recorded_at - HOLDS_KEPT_US);
    PGresult *page = pg_run (unit->pg, STATEMENT_HOLDS_PAGE, &params, unit->deadline_us, &unit->failure, err);
    if (page == NULL)
        return -1;
    /* A page counts rows of holds, and tells cards: only an empty one is the bucket's end. */
    int status = job_take_page (executor, step, page, INT64_MAX, more, err);
    *more |= status == 0 && PQntuples (page) > 0;
    PQclear (page);
    return status;
}

/* The cards of a bucket among the rows. */
static uint32_t
cards_in (const struct executor *executor, const struct job_step *step, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < step->row_count; i++)
        if (bucket_of_card (step->rows[i].card_id, executor->engine->buckets) == bucket)
            ids[count++] = step->rows[i].card_id;
    return count;
}

static int
forget (struct executor *executor, struct job_step *step, int bucket, const int64_t *ids, uint32_t count,
        struct error *err)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, ids, count);
    pg_param_time (&params, unit->recorded_at - HOLDS_KEPT_US);
    pg_param_int4 (&params, FORGOTTEN_MAX);
    PGresult *result = pg_run (unit->pg, STATEMENT_HOLDS_FORGET, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    int64_t forgotten = pg_affected (result);
    PQclear (result);
    step->changed += forgotten;
    if (forgotten == FORGOTTEN_MAX) { /* perhaps not all: the same page again */
        step->to = step->from;
        step->is_done = false;
    }
    return 0;
}

/* The card was locked, and with that its holds that ran out were let go. */
static int
let_go (struct executor *executor, struct job_step *step, struct unit_card *card, struct error *err)
{
    int64_t gone = 0;
    bool was_let_go = false;
    for (uint32_t i = 0; i < card->card.hold_count; i++)
        was_let_go |= card->card.holds[i].state == HOLD_EXPIRED && card->card.holds[i].is_changed;
    step->changed += was_let_go;
    return was_let_go ? job_expire_card (executor, card, STR ("holds"), &gone, err) : 0;
}

int
job_holds_work (struct executor *executor, struct job_step *step, struct error *err)
{
    int64_t *ids = arena_array_of (executor->unit.arena, (size_t)step->row_count + 1, int64_t);
    if (ids == NULL)
        return error_set (err, ERROR_INTERNAL, "the worker is out of memory");
    for (uint32_t i = 0; i < step->row_count; i++) {
        struct unit_card *card = unit_card (&executor->unit, step->rows[i].card_id);
        if (card != NULL && let_go (executor, step, card, err) < 0)
            return -1;
    }
    for (int bucket = 0; bucket < executor->engine->buckets; bucket++)
        if (forget (executor, step, bucket, ids, cards_in (executor, step, bucket, ids), err) < 0)
            return -1;
    return 0;
}
