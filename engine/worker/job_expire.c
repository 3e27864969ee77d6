/* job_expire.c - the job that books what ran out (rules 20, 21): a journal row for each card, and the lots' state. No balance
 * changes by it: a lot is expired from the instant of its expiry. */
#include "worker/event.h"
#include "worker/jobs.h"

enum { EXAMINED_PER_ROW = 20 }; /* cards that are looked at for each one that may be worked on */

int
job_expire_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err)
{
    struct unit *unit = &executor->unit;
    int64_t size = (int64_t)step->limit * EXAMINED_PER_ROW - step->examined;
    struct pg_params params = { .arena = unit->arena };
    *more = true;
    if (size <= 0 || step->row_count == step->limit)
        return 0;
    pg_param_int2 (&params, step->to.bucket);
    pg_param_int8 (&params, step->to.id);
    pg_param_int4 (&params, (int32_t)size);
    pg_param_time (&params, unit->recorded_at);
    PGresult *page = pg_run (unit->pg, STATEMENT_EXPIRE_PAGE, &params, unit->deadline_us, &unit->failure, err);
    if (page == NULL)
        return -1;
    int status = job_take_page (executor, step, page, size, more, err);
    PQclear (page);
    return status;
}

int
job_expire_card (struct executor *executor, struct unit_card *card, struct str origin, int64_t *gone, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct lot_source source = unit_lot_source (unit);
    uint32_t row = card->card.journal_size;
    if (ledger_expire (&card->card, unit->recorded_at, &source, unit->arena, gone, err) < 0)
        return -1;
    /* What the card says of its first expiry may be too early: it is written anew, so that it is not due every day. */
    card->card.is_changed |= card->card.held == 0;
    if (*gone == 0)
        return 0;
    return unit_card_origin (unit, card, 0, origin) < 0 ? error_set (err, ERROR_INTERNAL, "the worker is out of memory")
                                                        : event_card_moved (unit, card, row, 0, origin, err);
}

int
job_expire_work (struct executor *executor, struct job_step *step, struct error *err)
{
    for (uint32_t i = 0; i < step->row_count; i++) {
        struct unit_card *card = unit_card (&executor->unit, step->rows[i].card_id);
        int64_t gone = 0;
        if (card == NULL)
            continue; /* another member's since */
        if (job_expire_card (executor, card, STR ("expire"), &gone, err) < 0)
            return -1;
        step->changed += gone > 0;
    }
    return 0;
}
