/* job_referrals.c - the job that books the points that wait for owners of referral codes who do not come (rule 29). */
#include "worker/jobs.h"

int
job_referrals_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err)
{
    struct unit *unit = &executor->unit;
    int32_t size = (int32_t)(step->limit - step->row_count);
    struct pg_params params = { .arena = unit->arena };
    *more = true;
    if (size == 0)
        return 0;
    pg_param_int2 (&params, step->to.bucket);
    pg_param_int8 (&params, step->to.id);
    pg_param_int4 (&params, size);
    PGresult *page = pg_run (unit->pg, STATEMENT_REFERRALS_PAGE, &params, unit->deadline_us, &unit->failure, err);
    if (page == NULL)
        return -1;
    int status = job_take_page (executor, step, page, size, more, err);
    PQclear (page);
    return status;
}

/* Whoever locks a card books what waits for it: with the locks it is done. */
int
job_referrals_work (struct executor *executor, struct job_step *step, struct error *err)
{
    const struct unit *unit = &executor->unit;
    (void)err;
    for (uint32_t i = 0; i < step->row_count; i++)
        for (uint32_t j = 0; j < unit->booking_count; j++)
            step->changed += unit->bookings[j].card_id == step->rows[i].card_id;
    return 0;
}
