/* catalog_methods.c - see catalog_methods.h. */
#include "worker/catalog_methods.h"
#include "wire/msgpack.h"
#include "worker/catalog_change.h"
#include "render/render.h"
#include "worker/event.h"

#include <stdio.h>

static const struct change_fields REFERENCE_FIELDS = { F_REFERENCE_PUT_STORES,   F_REFERENCE_PUT_PARTNERS,
                                                       F_REFERENCE_PUT_PRODUCTS, F_REFERENCE_PUT_CATEGORIES,
                                                       F_REFERENCE_PUT_LEVELS,   -1 };
static const struct change_fields LOAD_FIELDS = { F_LOAD_PUT_STORES,     F_LOAD_PUT_PARTNERS, F_LOAD_PUT_PRODUCTS,
                                                  F_LOAD_PUT_CATEGORIES, F_LOAD_PUT_LEVELS,   F_LOAD_PUT_PROGRAMS };

static PGresult *
run (struct executor *executor, struct request *request, enum statement statement, struct pg_params *params)
{
    struct unit *unit = &executor->unit;
    return pg_run (unit->pg, statement, params, executor_deadline_us (executor), &unit->failure, &request->error);
}

static int
run_only (struct executor *executor, struct request *request, enum statement statement, struct pg_params *params)
{
    PGresult *result = run (executor, request, statement, params);
    if (result == NULL)
        return -1;
    PQclear (result);
    return 0;
}

/* ---- programs */

int
program_put_execute (struct executor *executor, struct request *request)
{
    struct change change;
    int64_t version;
    change_begin (&change, executor, request, executor->transaction);
    if (change_add_program (&change, request->record, request->body, "") < 0 || change_check (&change) < 0 ||
        change_apply (&change, &version) < 0)
        return -1;
    render_ok (&request->reply, 4);
    render_bool (&request->reply, "replayed", false);
    render_int (&request->reply, "program_id", change.checked[0].id);
    render_text (&request->reply, "state", str_of (NAMES_PROGRAM_STATE[change.checked[0].state]));
    render_int (&request->reply, "catalog_version", version);
    return 0;
}

/* What stood as active stays as an archived version; a draft goes. */
int
program_delete_execute (struct executor *executor, struct request *request)
{
    int64_t id = request->record->fields[F_PROGRAM_GET_PROGRAM_ID].integer, version = 0;
    struct pg_params get = { .arena = executor->transaction }, close = get, insert = get, draft = get;
    PGresult *result = run (executor, request, STATEMENT_CATALOG_LOCK, NULL);
    if (result == NULL)
        return -1;
    version = pg_int (result, 0, 0);
    PQclear (result);
    pg_param_int8 (&draft, id);
    if ((result = run (executor, request, STATEMENT_DRAFT_DELETE, &draft)) == NULL)
        return -1;
    bool had_draft = strcmp (PQcmdTuples (result), "0") != 0;
    PQclear (result);
    pg_param_int8 (&close, id);
    pg_param_int8 (&close, version + 1);
    if ((result = run (executor, request, STATEMENT_PROGRAM_CLOSE, &close)) == NULL)
        return -1;
    bool had = PQntuples (result) > 0;
    if (had) {
        pg_param_int8 (&insert, id);
        pg_param_int8 (&insert, version + 1);
        pg_param_text (&insert, arena_str (executor->transaction, pg_text (result, 0, 2)));
        pg_param_int2 (&insert, (int16_t)pg_int (result, 0, 3));
        pg_param_int2 (&insert, PROGRAM_ARCHIVED);
        pg_param_null (&insert);
        pg_param_bool (&insert, false);
        pg_param_bytes (&insert, arena_str (executor->transaction, pg_text (result, 0, 1)));
    }
    PQclear (result);
    if (!had && !had_draft)
        return error_field (&request->error, ERROR_NOT_FOUND, "program_id", "there is no program %lld", (long long)id);
    if (had) {
        const struct event_ids changed[CHANGED_KINDS] = { [CHANGED_PROGRAMS] = { 1, &id } };
        if (run_only (executor, request, STATEMENT_CATALOG_BUMP, NULL) < 0 ||
            run_only (executor, request, STATEMENT_PROGRAM_INSERT, &insert) < 0 ||
            event_catalog_changed (&executor->unit, version + 1, changed, &request->error) < 0)
            return -1;
        version++;
    }
    render_ok (&request->reply, 4);
    render_bool (&request->reply, "replayed", false);
    render_int (&request->reply, "program_id", id);
    render_text (&request->reply, "state", STR ("archived"));
    render_int (&request->reply, "catalog_version", version);
    return 0;
}

static void
render_program (struct buf *out, struct str state, int64_t version_from, struct str definition)
{
    render_ok (out, 3);
    render_text (out, "state", state);
    if (version_from > 0)
        render_int (out, "catalog_version", version_from);
    else
        render_nil (out, "catalog_version");
    wire_write_cstr (out, "program");
    wire_write_raw (out, definition);
}

int
program_get_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    int64_t id = fields[F_PROGRAM_GET_PROGRAM_ID].integer;
    bool at_version = fields[F_PROGRAM_GET_CATALOG_VERSION].present;
    struct pg_params params = { .arena = executor->transaction }, draft = params;
    pg_param_int8 (&params, id);
    pg_param_int8 (&params, at_version ? fields[F_PROGRAM_GET_CATALOG_VERSION].integer : INT64_MAX - 1);
    PGresult *result = run (executor, request, STATEMENT_PROGRAM_GET, &params);
    if (result == NULL)
        return -1;
    bool found = PQntuples (result) > 0;
    if (found)
        render_program (&request->reply, str_of (NAMES_PROGRAM_STATE[pg_int (result, 0, 1)]), pg_int (result, 0, 0),
                        pg_text (result, 0, 2));
    PQclear (result);
    if (found || at_version)
        return found ? 0
                     : error_field (&request->error, ERROR_NOT_FOUND, "program_id",
                                    "program %lld was not there in that version", (long long)id);
    pg_param_int8 (&draft, id);
    if ((result = run (executor, request, STATEMENT_DRAFT_GET, &draft)) == NULL)
        return -1;
    found = PQntuples (result) > 0;
    if (found)
        render_program (&request->reply, STR ("draft"), 0, pg_text (result, 0, 0));
    PQclear (result);
    return found ? 0
                 : error_field (&request->error, ERROR_NOT_FOUND, "program_id", "there is no program %lld",
                                (long long)id);
}

static void
render_program_row (struct buf *out, const PGresult *result, int row)
{
    enum { ID, NAME, TYPE, STATE, VERSION };
    wire_write_map (out, 5);
    render_int (out, "program_id", pg_int (result, row, ID));
    render_text (out, "name", pg_text (result, row, NAME));
    if (pg_is_null (result, row, TYPE))
        render_nil (out, "program_type");
    else
        render_text (out, "program_type", str_of (NAMES_PROGRAM_TYPE[pg_int (result, row, TYPE)]));
    render_text (out, "state", str_of (NAMES_PROGRAM_STATE[pg_int (result, row, STATE)]));
    if (pg_is_null (result, row, VERSION))
        render_nil (out, "catalog_version");
    else
        render_int (out, "catalog_version", pg_int (result, row, VERSION));
}

int
program_list_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    int limit = (int)fields[F_PROGRAM_LIST_LIMIT].integer;
    int64_t after = INT64_MIN;
    struct pg_params params = { .arena = executor->transaction };
    if (fields[F_PROGRAM_LIST_CURSOR].present && !decimal_parse (fields[F_PROGRAM_LIST_CURSOR].text, 0, &after))
        return error_field (&request->error, ERROR_INVALID_REQUEST, "cursor", "is not a `next_cursor` of this method");
    pg_param_int8 (&params, after);
    if (fields[F_PROGRAM_LIST_STATE].present)
        pg_param_int2 (&params, (int16_t)fields[F_PROGRAM_LIST_STATE].integer);
    else
        pg_param_null (&params);
    /* A program may have two rows, one of them its draft: the last id of a full page is left to the next. */
    pg_param_int4 (&params, limit + 2);
    PGresult *result = run (executor, request, STATEMENT_PROGRAM_LIST, &params);
    if (result == NULL)
        return -1;
    int rows = PQntuples (result), shown = rows;
    if (rows > limit) {
        shown = limit;
        while (shown > 0 && pg_int (result, shown, 0) == pg_int (result, shown - 1, 0))
            shown--;
        if (shown == 0)
            shown = 2;
    }
    render_ok (&request->reply, 2);
    wire_write_cstr (&request->reply, "programs");
    wire_write_array (&request->reply, (uint32_t)shown);
    for (int row = 0; row < shown; row++)
        render_program_row (&request->reply, result, row);
    if (shown < rows) {
        char text[24];
        snprintf (text, sizeof text, "%lld", (long long)pg_int (result, shown - 1, 0));
        render_text (&request->reply, "next_cursor", str_of (text));
    } else {
        render_nil (&request->reply, "next_cursor");
    }
    PQclear (result);
    return 0;
}

/* ---- reference data and loads */

static void
render_change (struct request *request, const struct change *change, int64_t version)
{
    struct buf *out = &request->reply;
    render_ok (out, 8);
    render_bool (out, "replayed", false);
    render_int (out, "catalog_version", version);
    render_int (out, "stores", change->stores.count);
    render_int (out, "partners", change->partners.count);
    render_int (out, "products", change->products.count);
    render_int (out, "categories", change->categories.count);
    render_int (out, "levels", change->levels.count);
    render_int (out, "programs", change->programs.count);
}

int
reference_put_execute (struct executor *executor, struct request *request)
{
    struct change change;
    int64_t version;
    change_begin (&change, executor, request, executor->transaction);
    if (change_collect (&change, request->record, REFERENCE_FIELDS, request->body, 0) < 0 ||
        change_check (&change) < 0 || change_apply (&change, &version) < 0)
        return -1;
    render_change (request, &change, version);
    return 0;
}

int
load_begin_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *note = &request->record->fields[F_LOAD_BEGIN_NOTE];
    struct pg_params params = { .arena = executor->transaction };
    pg_param_text (&params, note->present ? note->text : STR (""));
    PGresult *result = run (executor, request, STATEMENT_LOAD_BEGIN, &params);
    if (result == NULL)
        return -1;
    render_ok (&request->reply, 2);
    render_bool (&request->reply, "replayed", false);
    render_int (&request->reply, "load_id", pg_int (result, 0, 0));
    PQclear (result);
    return 0;
}

/* A part is judged when it comes, as far as it can be by itself. */
int
load_put_prepare (struct executor *executor, struct request *request)
{
    struct change change;
    change_begin (&change, executor, request, executor->requests);
    return change_collect (&change, request->record, LOAD_FIELDS, request->body, 0) < 0 ? -1 : change_check (&change);
}

static int
lock_load (struct executor *executor, struct request *request, int64_t load_id)
{
    struct pg_params params = { .arena = executor->transaction };
    pg_param_int8 (&params, load_id);
    PGresult *result = run (executor, request, STATEMENT_LOAD_LOCK, &params);
    if (result == NULL)
        return -1;
    int64_t state = PQntuples (result) == 1 ? pg_int (result, 0, 0) : 0;
    PQclear (result);
    if (state == 0)
        return error_field (&request->error, ERROR_NOT_FOUND, "load_id", "there is no load %lld", (long long)load_id);
    if (state == 2)
        return error_field (&request->error, ERROR_CONFLICT, "load_id", "load %lld is committed already",
                            (long long)load_id);
    return 0;
}

int
load_put_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    int64_t load_id = fields[F_LOAD_PUT_LOAD_ID].integer;
    struct pg_params params = { .arena = executor->transaction };
    if (lock_load (executor, request, load_id) < 0)
        return -1;
    pg_param_int8 (&params, load_id);
    pg_param_int4 (&params, (int32_t)fields[F_LOAD_PUT_PART].integer);
    pg_param_bytes (&params, request->body);
    if (run_only (executor, request, STATEMENT_LOAD_PUT, &params) < 0)
        return -1;
    render_ok (&request->reply, 3);
    render_bool (&request->reply, "replayed", false);
    render_int (&request->reply, "load_id", load_id);
    render_int (&request->reply, "part", fields[F_LOAD_PUT_PART].integer);
    return 0;
}

static int
collect_part (struct change *change, const PGresult *result, int row)
{
    struct executor *executor = change->executor;
    struct str body = arena_str (executor->transaction, pg_text (result, row, 1));
    struct wire_record *record = body.data == NULL
                                     ? NULL
                                     : wire_decode (&SCHEMA_LOAD_PUT, body, executor->engine->currency_digits,
                                                    executor->transaction, &change->request->error);
    if (record == NULL)
        return body.data == NULL ? request_fail (change->request, ERROR_TOO_LARGE, "the load is too large") : -1;
    return change_collect (change, record, LOAD_FIELDS, body, pg_int (result, row, 0));
}

int
load_commit_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    int64_t load_id = fields[F_LOAD_COMMIT_LOAD_ID].integer, parts = fields[F_LOAD_COMMIT_PARTS].integer, version;
    struct pg_params params = { .arena = executor->transaction };
    struct change change;
    change_begin (&change, executor, request, executor->transaction);
    if (lock_load (executor, request, load_id) < 0)
        return -1;
    pg_param_int8 (&params, load_id);
    PGresult *result = run (executor, request, STATEMENT_LOAD_PARTS, &params);
    if (result == NULL)
        return -1;
    int rows = PQntuples (result), status = 0;
    for (int row = 0; row < rows && status == 0; row++) {
        if (pg_int (result, row, 0) != row + 1)
            break;
        status = collect_part (&change, result, row);
    }
    bool complete = rows == parts && (rows == 0 || pg_int (result, rows - 1, 0) == parts);
    PQclear (result);
    if (status < 0)
        return -1;
    if (!complete)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "parts",
                            "the load has %d parts, not %lld numbered from 1", rows, (long long)parts);
    if (change_check (&change) < 0 || change_apply (&change, &version) < 0 ||
        run_only (executor, request, STATEMENT_LOAD_FINISH, &params) < 0 ||
        run_only (executor, request, STATEMENT_LOAD_PARTS_DELETE, &params) < 0)
        return -1;
    render_change (request, &change, version);
    return 0;
}
