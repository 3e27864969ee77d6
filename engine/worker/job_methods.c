/* job_methods.c - job.list, job.stop, and job.run: a step of a background job from where the last one ended (job_runs), in a transaction with its work. */
#include "worker/job_methods.h"
#include "base/log.h"
#include "wire/msgpack.h"
#include "worker/jobs.h"
#include "render/render.h"

#include <stdio.h>

enum { ANSWER_FIELDS = 11, JOB_FIELDS = 8, CURSOR_TEXT_MAX = 40, BUCKETS_PER_STEP = 16 };

const struct job JOBS[JOB_COUNT] = {
    [JOB_EXPIRE] = { job_expire_scan, job_expire_work },
    [JOB_MEMBERSHIPS] = { job_memberships_scan, job_memberships_work },
    [JOB_HOLDS] = { job_holds_scan, job_holds_work },
    [JOB_REFERRALS] = { job_referrals_scan, job_referrals_work },
    [JOB_PARTITIONS] = { job_partitions_scan, job_partitions_work },
};

/* A run of a job, as it is stored, and the step that this request is. */
struct job_request {
    const struct job *job;
    struct str name, period;
    bool is_new, was_done; /* the run begins with this step; it was done before */
    bool is_stopped, resumes;
    int64_t step_no; /* of the last step; 0: there was none */
    int64_t examined, changed, failed;
    struct job_step step;
};

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

/* ---- what is stored */

/* A run for another period is given up: what it would have done, a new one does too. */
static void
take_run (struct executor *executor, struct job_request *data, const PGresult *result, bool names_period)
{
    enum { PERIOD, STEP, CURSOR_BUCKET, CURSOR_ID, EXAMINED, CHANGED, FAILED, IS_DONE, IS_STOPPED };
    data->is_new = true;
    data->step.from = JOB_BEGIN;
    if (PQntuples (result) == 0)
        return;
    bool is_done = pg_bool (result, 0, IS_DONE);
    struct str period = pg_text (result, 0, PERIOD);
    data->step_no = pg_int (result, 0, STEP);
    data->is_stopped = pg_bool (result, 0, IS_STOPPED);
    if (names_period ? !str_equal (period, data->period) : is_done)
        return;
    data->is_new = false;
    data->was_done = is_done;
    data->period = arena_str (executor->requests, period);
    data->step.from = (struct job_place){ (int16_t)pg_int (result, 0, CURSOR_BUCKET), pg_int (result, 0, CURSOR_ID) };
    data->examined = pg_int (result, 0, EXAMINED);
    data->changed = pg_int (result, 0, CHANGED);
    data->failed = pg_int (result, 0, FAILED);
}

static int
read_run (struct executor *executor, struct request *request, struct job_request *data)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_text (&params, data->name);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_JOB_READ, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    take_run (executor, data, result, request->record->fields[F_JOB_RUN_PERIOD].present);
    PQclear (result);
    return data->period.data == NULL ? no_memory (request) : 0;
}

/* Of two steps at once the later one finds that the job moved on. */
static int
save_run (struct executor *executor, struct request *request, const struct job_request *data)
{
    struct unit *unit = &executor->unit;
    const struct job_step *step = &data->step;
    struct pg_params params = { .arena = unit->arena };
    pg_param_text (&params, data->name);
    pg_param_text (&params, data->period);
    pg_param_int8 (&params, data->step_no);
    pg_param_int2 (&params, step->to.bucket);
    pg_param_int8 (&params, step->to.id);
    pg_param_int8 (&params, data->examined + step->examined);
    pg_param_int8 (&params, data->changed + step->changed);
    pg_param_int8 (&params, data->failed + step->failed);
    pg_param_time (&params, unit->recorded_at);
    pg_param_bool (&params, step->is_done);
    pg_param_bool (&params, data->is_new);
    pg_param_bool (&params, data->resumes);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_JOB_SAVE, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    bool is_saved = PQntuples (result) == 1;
    PQclear (result);
    return is_saved ? 0 : request_fail (request, ERROR_BUSY, "another step of this job was done just now");
}

/* ---- before the locks */

/* Rows are judged by the catalog in force. */
static int
refresh_catalog (struct executor *executor, struct error *err)
{
    struct unit *unit = &executor->unit;
    PGresult *result = pg_run (unit->pg, STATEMENT_CATALOG_STATE, NULL, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    int64_t version = pg_int (result, 0, 0), reference_version = pg_int (result, 0, 1);
    PQclear (result);
    return catalog_cache_refresh (&executor->cache, unit->pg, version, reference_version, unit->arena,
                                  unit->deadline_us, &unit->failure, err);
}

/* Goes through bucket after bucket until the step is full, or went through many, or there is nothing more. */
static int
scan (struct executor *executor, struct job_request *data, struct error *err)
{
    struct job_step *step = &data->step;
    bool more;
    step->to = step->from;
    for (unsigned buckets = 0; buckets < BUCKETS_PER_STEP; buckets++) {
        if (data->job->scan (executor, step, &more, err) < 0)
            return -1;
        if (more)
            return 0;
        if (step->to.bucket + 1 >= executor->engine->buckets) {
            step->is_done = true;
            return 0;
        }
        step->to = (struct job_place){ (int16_t)(step->to.bucket + 1), INT64_MIN };
    }
    return 0;
}

int
job_look_up (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct job_request *data = arena_new_of (executor->requests, struct job_request);
    request->data = data;
    if (data == NULL)
        return no_memory (request);
    *data = (struct job_request){ .job = &JOBS[fields[F_JOB_RUN_JOB].integer],
                                  .name = str_of (NAMES_JOB[fields[F_JOB_RUN_JOB].integer]),
                                  .resumes = fields[F_JOB_RUN_RESUME].boolean,
                                  .period = fields[F_JOB_RUN_PERIOD].present ? fields[F_JOB_RUN_PERIOD].text : STR (""),
                                  .step.limit = (uint32_t)fields[F_JOB_RUN_LIMIT].integer };
    if (read_run (executor, request, data) < 0)
        return -1;
    if (data->is_stopped && !data->resumes)
        return request_fail (request, ERROR_CONFLICT, "job %s is stopped: `resume` lets it go on", data->name.data);
    data->step.to = data->step.from;
    data->step.is_done = data->was_done;
    return data->was_done                                    ? 0
           : refresh_catalog (executor, &request->error) < 0 ? -1
                                                             : scan (executor, data, &request->error);
}

int
job_want (struct executor *executor, struct request *request)
{
    const struct job_request *data = request->data;
    for (uint32_t i = 0; i < data->step.row_count; i++) {
        const struct job_row *row = &data->step.rows[i];
        if (row->has_partner ? unit_want_member (&executor->unit, row->partner_id, true) < 0
                             : unit_want_card (&executor->unit, row->card_id) < 0)
            return -1;
    }
    return 0;
}

/* ---- under the locks */

static void
render_cursor (struct buf *out, const struct job_step *step)
{
    char text[CURSOR_TEXT_MAX];
    if (step->is_done) {
        render_nil (out, "cursor");
        return;
    }
    snprintf (text, sizeof text, "%d:%lld", (int)step->to.bucket, (long long)step->to.id);
    render_text (out, "cursor", str_of (text));
}

static void
render_answer (struct request *request, const struct job_request *data)
{
    const struct job_step *step = &data->step;
    struct buf *out = &request->reply;
    render_ok (out, ANSWER_FIELDS);
    render_bool (out, "replayed", false);
    render_text (out, "job", data->name);
    render_text (out, "period", data->period);
    render_bool (out, "done", step->is_done);
    render_cursor (out, step);
    render_int (out, "examined", step->examined);
    render_int (out, "changed", step->changed);
    render_int (out, "failed", step->failed);
    render_int (out, "total_examined", data->examined + step->examined);
    render_int (out, "total_changed", data->changed + step->changed);
    render_int (out, "total_failed", data->failed + step->failed);
}

int
job_execute (struct executor *executor, struct request *request)
{
    struct job_request *data = request->data;
    data->step.changed = data->step.failed = 0;
    if (!data->was_done &&
        (data->job->work (executor, &data->step, &request->error) < 0 || save_run (executor, request, data) < 0))
        return -1;
    if (data->step.failed > 0)
        log_error ("alert: job %.*s: %lld rows could not be worked on", (int)data->name.size, data->name.data,
                   (long long)data->step.failed);
    render_answer (request, data);
    return 0;
}

/* ---- job.list, job.stop */

static void
render_job (struct buf *out, const PGresult *result, int row)
{
    enum { NAME, PERIOD, EXAMINED, CHANGED, FAILED, STARTED, UPDATED, IS_DONE, IS_STOPPED, STEP };
    bool has_run = row >= 0 && pg_int (result, row, STEP) > 0;
    render_text (out, "state",
                 row >= 0 && pg_bool (result, row, IS_STOPPED) ? STR ("stopped")
                 : !has_run                                    ? STR ("never run")
                 : pg_bool (result, row, IS_DONE)              ? STR ("done")
                                                               : STR ("running"));
    if (!has_run) {
        render_nil (out, "period");
        render_nil (out, "started");
        render_nil (out, "updated");
    } else {
        render_text (out, "period", pg_text (result, row, PERIOD));
        render_time (out, "started", pg_time (result, row, STARTED));
        render_time (out, "updated", pg_time (result, row, UPDATED));
    }
    render_int (out, "examined", has_run ? pg_int (result, row, EXAMINED) : 0);
    render_int (out, "changed", has_run ? pg_int (result, row, CHANGED) : 0);
    render_int (out, "failed", has_run ? pg_int (result, row, FAILED) : 0);
}

/* The row of a job; -1: it was never run, nor stopped. */
static int
row_of (const PGresult *result, struct str name)
{
    for (int row = 0; row < PQntuples (result); row++)
        if (str_equal (pg_text (result, row, 0), name))
            return row;
    return -1;
}

int
job_list_execute (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct buf *out = &request->reply;
    PGresult *result = pg_run (unit->pg, STATEMENT_JOB_LIST, NULL, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    render_ok (out, 1);
    wire_write_cstr (out, "jobs");
    wire_write_array (out, JOB_COUNT);
    for (int job = 0; job < JOB_COUNT; job++) {
        struct str name = str_of (NAMES_JOB[job]);
        wire_write_map (out, JOB_FIELDS);
        render_text (out, "job", name);
        render_job (out, result, row_of (result, name));
    }
    PQclear (result);
    return 0;
}

int
job_stop_execute (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct buf *out = &request->reply;
    struct pg_params params = { .arena = unit->arena };
    struct str name = str_of (NAMES_JOB[request->record->fields[F_JOB_STOP_JOB].integer]);
    pg_param_text (&params, name);
    pg_param_time (&params, unit->recorded_at);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_JOB_STOP, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    bool is_done = pg_bool (result, 0, 0);
    PQclear (result);
    render_ok (out, 3);
    render_bool (out, "replayed", false);
    render_text (out, "job", name);
    render_bool (out, "was_running", !is_done);
    return 0;
}

/* ---- what jobs share */

int
job_add_row (struct executor *executor, struct job_step *step, const struct job_row *row, struct error *err)
{
    if (step->rows == NULL)
        step->rows = arena_array_of (executor->requests, step->limit, struct job_row);
    if (step->rows == NULL)
        return error_set (err, ERROR_INTERNAL, "the worker is out of memory");
    step->rows[step->row_count++] = *row;
    return 0;
}

int
job_take_page (struct executor *executor, struct job_step *step, const PGresult *page, int64_t size, bool *more,
               struct error *err)
{
    enum { CARD_ID, PARTNER_ID, IS_DUE, PLACE };
    int64_t examined = 0;
    *more = false;
    for (int row = 0; row < PQntuples (page); row++) {
        bool is_due = pg_bool (page, row, IS_DUE);
        if (is_due && step->row_count == step->limit) {
            *more = true;
            break;
        }
        struct job_row found = { pg_int (page, row, CARD_ID), !pg_is_null (page, row, PARTNER_ID),
                                 pg_int (page, row, PARTNER_ID) };
        if (is_due && job_add_row (executor, step, &found, err) < 0)
            return -1;
        step->to.id = found.card_id;
        examined = pg_int (page, row, PLACE);
    }
    step->examined += examined;
    *more |= examined == size;
    return 0;
}
