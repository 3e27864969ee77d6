/* job_partitions.c - the job that makes the next months' partitions, and says when rows fell beside them. */
#include "base/log.h"
#include "worker/jobs.h"

int
job_partitions_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err)
{
    (void)executor;
    (void)step;
    (void)err;
    *more = false; /* there are no rows to look at */
    return 0;
}

static PGresult *
run (struct executor *executor, enum statement statement, struct error *err)
{
    struct unit *unit = &executor->unit;
    return pg_run (unit->pg, statement, NULL, unit->deadline_us, &unit->failure, err);
}

/* Rows of a month without a partition lie in the default one, which retention cannot drop. */
static int
look_beside (struct executor *executor, struct job_step *step, struct error *err)
{
    PGresult *result = run (executor, STATEMENT_PARTITIONS_MISSED, err);
    if (result == NULL)
        return -1;
    if (pg_bool (result, 0, 0)) {
        log_error (
            "alert: orders or point_history have rows in their default partitions: this job did not run for months, or "
            "a clock was wrong");
        step->failed++;
    }
    PQclear (result);
    return 0;
}

int
job_partitions_work (struct executor *executor, struct job_step *step, struct error *err)
{
    if (!step->is_done)
        return 0; /* once, with the last bucket */
    PGresult *result = run (executor, STATEMENT_PARTITIONS_ENSURE, err);
    if (result == NULL)
        return -1;
    step->changed += pg_int (result, 0, 0);
    PQclear (result);
    return look_beside (executor, step, err);
}
