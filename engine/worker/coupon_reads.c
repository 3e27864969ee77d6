/* coupon_reads.c - coupon.list and coupon.check: what coupons are worth now. */
#include "wire/msgpack.h"
#include "worker/coupon_methods.h"
#include "worker/referral_methods.h"
#include "render/render.h"

#include <stdio.h>
#include <stdlib.h>

enum { CARD_ID, PROGRAM_ID, PARTNER_ID, CODE, STATE, HELD, USABLE, PENDING, EXPIRED, EXPIRES };
enum { CARD_BLOCKED = 2, COUPON_FIELDS = 7 };

static PGresult *
run (struct executor *executor, struct request *request, enum statement statement, const struct pg_params *params)
{
    struct unit *unit = &executor->unit;
    return pg_run (unit->pg, statement, params, unit->deadline_us, &unit->failure, &request->error);
}

/* Cards of one bucket, with what they are worth now. */
static PGresult *
read_cards (struct executor *executor, struct request *request, int16_t bucket, const int64_t *ids, uint32_t count)
{
    struct pg_params params = { .arena = executor->transaction };
    pg_param_int2 (&params, bucket);
    pg_param_int8s (&params, ids, count);
    pg_param_time (&params, executor->unit.recorded_at);
    return run (executor, request, STATEMENT_COUPON_CARDS, &params);
}

/* What a coupon is: the first of these that is true of it. */
static struct str
state_of (const PGresult *result, int row)
{
    int64_t usable = pg_int (result, row, USABLE), held = pg_int (result, row, HELD);
    if (pg_int (result, row, STATE) == CARD_BLOCKED)
        return STR ("blocked");
    if (usable > held)
        return STR ("usable");
    if (held > 0)
        return STR ("held");
    if (pg_int (result, row, PENDING) > 0)
        return STR ("pending");
    return pg_int (result, row, EXPIRED) > 0 ? STR ("expired") : STR ("used");
}

/* Seven fields, in the caller's map. */
static void
render_coupon (struct buf *out, const PGresult *result, int row)
{
    int64_t usable = pg_int (result, row, USABLE), held = pg_int (result, row, HELD);
    render_text (out, "code", pg_text (result, row, CODE));
    render_int (out, "card_id", pg_int (result, row, CARD_ID));
    render_int (out, "program_id", pg_int (result, row, PROGRAM_ID));
    if (pg_is_null (result, row, PARTNER_ID))
        render_nil (out, "partner_id");
    else
        render_int (out, "partner_id", pg_int (result, row, PARTNER_ID));
    render_text (out, "state", state_of (result, row));
    render_points (out, "points", usable > held ? usable - held : 0);
    if (pg_is_null (result, row, EXPIRES))
        render_nil (out, "expires");
    else
        render_time (out, "expires", pg_time (result, row, EXPIRES));
}

/* A referral code is worth nothing itself: whether one more friend may use it. The points of its owner are nobody's business. */
static int
render_referral_code (struct executor *executor, struct request *request, const PGresult *result,
                      const struct program *program)
{
    struct unit *unit = &executor->unit;
    struct buf *out = &request->reply;
    struct usage_key key = referral_usage_key (unit->buckets, program->id, pg_int (result, 0, CARD_ID));
    if (unit_want_usage (unit, &key, false) < 0)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    if (unit_lock_usages (unit, &request->error) < 0)
        return -1;
    bool is_used_up = program->max_referral_usage > 0 && unit_usage (unit, &key)->used >= program->max_referral_usage;
    render_ok (out, COUPON_FIELDS);
    render_text (out, "code", pg_text (result, 0, CODE));
    render_int (out, "card_id", pg_int (result, 0, CARD_ID));
    render_int (out, "program_id", program->id);
    render_nil (out, "partner_id");
    render_text (out, "state",
                 pg_int (result, 0, STATE) == CARD_BLOCKED ? STR ("blocked")
                 : is_used_up                              ? STR ("used")
                                                           : STR ("usable"));
    render_points (out, "points", 0);
    render_nil (out, "expires");
    return 0;
}

static int
render_code (struct executor *executor, struct request *request, const PGresult *result)
{
    const struct program *program = catalog_program (executor->cache.catalog, pg_int (result, 0, PROGRAM_ID));
    if (program != NULL && program->type == PROGRAM_REFERRAL)
        return render_referral_code (executor, request, result, program);
    render_ok (&request->reply, COUPON_FIELDS);
    render_coupon (&request->reply, result, 0);
    return 0;
}

int
coupon_check_execute (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct str code = code_fold (request->record->fields[F_COUPON_CHECK_CODE].text, executor->transaction);
    struct pg_params params = { .arena = unit->arena };
    struct pg_array codes;
    if (code.data == NULL)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    pg_array_begin (&codes, PG_TEXT);
    pg_array_bytes (&codes, code);
    pg_param_int2 (&params, bucket_of_text (code, unit->buckets));
    pg_param_array (&params, &codes);
    PGresult *result = run (executor, request, STATEMENT_CODES_READ, &params);
    if (result == NULL)
        return -1;
    int64_t card_id = PQntuples (result) > 0 ? pg_int (result, 0, 1) : 0;
    PQclear (result);
    result = read_cards (executor, request, bucket_of_card (card_id, unit->buckets), &card_id, 1);
    if (result == NULL)
        return -1;
    int status = PQntuples (result) > 0 ? render_code (executor, request, result)
                                        : request_fail (request, ERROR_NOT_FOUND, "there is no card with code %.*s",
                                                        (int)code.size, code.data);
    PQclear (result);
    return status;
}

/* ---- coupon.list */

/* One coupon of a page: where its card's figures are. */
struct listed {
    int64_t number, card_id;
    const PGresult *cards;
    int row;
};

/* Reads the cards of a page, bucket by bucket; `results` are freed by the caller. */
static int
read_page (struct executor *executor, struct request *request, struct listed *page, uint32_t count, PGresult **results)
{
    int64_t *ids = arena_array_of (executor->transaction, count + 1, int64_t);
    if (ids == NULL)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    for (int bucket = 0; bucket < executor->unit.buckets; bucket++) {
        uint32_t in_bucket = 0, at = 0;
        for (uint32_t i = 0; i < count; i++)
            if (bucket_of_card (page[i].card_id, executor->unit.buckets) == bucket)
                ids[in_bucket++] = page[i].card_id;
        if (in_bucket == 0)
            continue;
        results[bucket] = read_cards (executor, request, (int16_t)bucket, ids, in_bucket);
        if (results[bucket] == NULL)
            return -1;
        /* The rows are in the order of the ids. */
        for (int row = 0; row < PQntuples (results[bucket]); row++) {
            while (at < count && page[at].card_id != pg_int (results[bucket], row, CARD_ID))
                at++;
            if (at < count) {
                page[at].cards = results[bucket];
                page[at++].row = row;
            }
        }
    }
    return 0;
}

static void
render_page (struct buf *out, const struct listed *page, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        found += page[i].cards != NULL;
    wire_write_cstr (out, "coupons");
    wire_write_array (out, found);
    for (uint32_t i = 0; i < count; i++) {
        if (page[i].cards == NULL)
            continue;
        wire_write_map (out, COUPON_FIELDS + 1);
        render_int (out, "number", page[i].number);
        render_coupon (out, page[i].cards, page[i].row);
    }
}

static int
list_page (struct executor *executor, struct request *request, const PGresult *numbers, uint32_t limit)
{
    struct buf *out = &request->reply;
    uint32_t rows = (uint32_t)PQntuples (numbers), count = rows < limit ? rows : limit;
    struct listed *page = arena_array_of (executor->transaction, count + 1, struct listed);
    PGresult **results = arena_array_of (executor->transaction, (size_t)executor->unit.buckets, PGresult *);
    if (page == NULL || results == NULL)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    for (uint32_t i = 0; i < count; i++)
        page[i] = (struct listed){ .number = pg_int (numbers, (int)i, 0), .card_id = pg_int (numbers, (int)i, 1) };
    int status = read_page (executor, request, page, count, results);
    if (status == 0) {
        render_page (out, page, count);
        char text[24];
        snprintf (text, sizeof text, "%lld", (long long)(count > 0 ? page[count - 1].number : 0));
        if (rows > count)
            render_text (out, "next_cursor", str_of (text));
        else
            render_nil (out, "next_cursor");
    }
    for (int bucket = 0; bucket < executor->unit.buckets; bucket++)
        PQclear (results[bucket]);
    return status;
}

static int
render_batch (struct executor *executor, struct request *request, struct str batch)
{
    struct buf *out = &request->reply;
    struct pg_params params = { .arena = executor->transaction };
    pg_param_text (&params, batch);
    PGresult *result = run (executor, request, STATEMENT_COUPON_BATCH_GET, &params);
    if (result == NULL)
        return -1;
    bool found = PQntuples (result) > 0;
    if (found) {
        render_ok (out, 7);
        render_text (out, "batch", batch);
        render_int (out, "program_id", pg_int (result, 0, 0));
        render_text (out, "pattern", pg_text (result, 0, 1));
        render_points (out, "points", pg_int (result, 0, 2));
        render_int (out, "total", pg_int (result, 0, 4));
    }
    PQclear (result);
    return found ? 0 : request_fail (request, ERROR_NOT_FOUND, "there is no batch %.*s", (int)batch.size, batch.data);
}

int
coupon_list_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct str batch = fields[F_COUPON_LIST_BATCH].text;
    const struct wire_value *cursor = &fields[F_COUPON_LIST_CURSOR];
    uint32_t limit = (uint32_t)fields[F_COUPON_LIST_LIMIT].integer;
    struct pg_params params = { .arena = executor->transaction };
    int64_t after = -1;
    if (cursor->present && (!decimal_parse (cursor->text, 0, &after) || after < 0 || after >= INT32_MAX))
        return error_field (&request->error, ERROR_INVALID_REQUEST, "cursor", "is not a `next_cursor` of this method");
    if (render_batch (executor, request, batch) < 0)
        return -1;
    pg_param_int2 (&params, bucket_of_text (batch, executor->unit.buckets));
    pg_param_text (&params, batch);
    pg_param_int4 (&params, (int32_t)(after + 1));
    pg_param_int4 (&params, (int32_t)limit + 1); /* one more than is shown tells whether there is another page */
    PGresult *numbers = run (executor, request, STATEMENT_COUPONS_READ, &params);
    if (numbers == NULL)
        return -1;
    int status = list_page (executor, request, numbers, limit);
    PQclear (numbers);
    return status;
}
