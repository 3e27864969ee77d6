/* coupon_generate.c - coupon.generate: a part of a batch of cards, whose codes are made by a pattern and are unique for ever.
 *
 * Number n of a batch is one card. A call makes those of its numbers that are not there yet and answers with all of them,
 * so that it can be sent again after a failure, also with another key. */
#include "wire/msgpack.h"
#include "worker/card_methods.h"
#include "worker/coupon_methods.h"
#include "render/render.h"
#include "worker/event.h"

#include <sodium.h>
#include <stdlib.h>

/* Of a pattern with 1,000 times as many codes as are wanted every round finds nearly all that are missing. */
enum { ROUNDS_MAX = 20 };

struct coupon {
    int32_t number;
    bool has_partner, claimed;
    int64_t partner_id, card_id;
    int16_t code_bucket;
    struct str code;
};

struct generation {
    struct executor *executor;
    struct request *request;
    struct unit *unit;
    const struct program *program;
    struct str pattern, batch; /* pattern: folded */
    int32_t offset;
    uint32_t count;         /* numbers of this call */
    struct coupon *coupons; /* those that are not there yet */
    uint32_t missing;
};

struct generate_request {
    struct str pattern;
    uint32_t count;
};

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

static PGresult *
run (struct generation *generation, enum statement statement, const struct pg_params *params)
{
    struct unit *unit = generation->unit;
    return pg_run (unit->pg, statement, params, unit->deadline_us, &unit->failure, &generation->request->error);
}

/* ---- from the body */

static int
check_pattern (struct request *request, struct str pattern)
{
    unsigned places = 0;
    for (uint32_t i = 0; i < pattern.size; i++) {
        if (pattern.data[i] < ' ' || pattern.data[i] > '~')
            return error_field (&request->error, ERROR_INVALID_REQUEST, "pattern", "has a character that is not ASCII");
        places += pattern.data[i] == '#';
    }
    if (places == 0)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "pattern",
                            "has no #, so that it makes one code only");
    return 0;
}

int
coupon_generate_prepare (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    uint32_t partners = fields[F_COUPON_GENERATE_PARTNER_IDS].list.count;
    struct generate_request *data = arena_new_of (executor->requests, struct generate_request);
    request->data = data;
    if (data == NULL)
        return no_memory (request);
    data->pattern = code_fold (fields[F_COUPON_GENERATE_PATTERN].text, executor->requests);
    data->count = partners > 0 ? partners : (uint32_t)fields[F_COUPON_GENERATE_COUNT].integer;
    if (data->pattern.data == NULL)
        return no_memory (request);
    if (fields[F_COUPON_GENERATE_COUNT].present && fields[F_COUPON_GENERATE_COUNT].integer != data->count)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "count", "is not the number of partner_ids");
    return check_pattern (request, data->pattern);
}

int
coupon_generate_want (struct executor *executor, struct request *request)
{
    const struct wire_list *partners = &request->record->fields[F_COUPON_GENERATE_PARTNER_IDS].list;
    for (uint32_t i = 0; i < partners->count; i++)
        if (unit_want_member (&executor->unit, partners->integers[i], false) < 0)
            return -1;
    return 0;
}

/* ---- the batch */

static int
check_program (struct generation *generation)
{
    int64_t id = generation->request->record->fields[F_COUPON_GENERATE_PROGRAM_ID].integer;
    struct error *err = &generation->request->error;
    generation->program = catalog_program (generation->executor->cache.catalog, id);
    if (generation->program == NULL)
        return error_field (err, ERROR_NOT_FOUND, "program_id", "there is no active program %lld", (long long)id);
    switch (generation->program->type) {
    case PROGRAM_PROMOTION:
    case PROGRAM_BUY_X_GET_Y:
    case PROGRAM_PROMO_CODE:
    case PROGRAM_REFERRAL:
        return error_field (err, ERROR_INVALID_REQUEST, "program_id", "is of a type that has no coupons");
    case PROGRAM_COUPONS:
    case PROGRAM_NEXT_ORDER_COUPONS:
    case PROGRAM_LOYALTY:
    case PROGRAM_GIFT_CARD:
    case PROGRAM_EWALLET:
        break;
    }
    return 0;
}

/* Makes the batch, or finds it as it was made; it is locked from here on. */
static int
open_batch (struct generation *generation)
{
    const struct wire_value *fields = generation->request->record->fields;
    const struct wire_value *expires = &fields[F_COUPON_GENERATE_EXPIRES];
    int64_t until = expires->present ? card_time (generation->executor, expires->time) : 0;
    int64_t total = (int64_t)generation->offset + generation->count;
    if (fields[F_COUPON_GENERATE_TOTAL].integer > total)
        total = fields[F_COUPON_GENERATE_TOTAL].integer;
    struct pg_params params = { .arena = generation->unit->arena };
    pg_param_text (&params, generation->batch);
    pg_param_int8 (&params, generation->program->id);
    pg_param_text (&params, generation->pattern);
    pg_param_int8 (&params, fields[F_COUPON_GENERATE_POINTS].integer);
    if (expires->present)
        pg_param_time (&params, until);
    else
        pg_param_null (&params);
    pg_param_int4 (&params, (int32_t)total);
    pg_param_time (&params, generation->unit->recorded_at);
    PGresult *result = run (generation, STATEMENT_COUPON_BATCH_PUT, &params);
    if (result == NULL)
        return -1;
    bool same =
        pg_int (result, 0, 0) == generation->program->id && str_equal (pg_text (result, 0, 1), generation->pattern) &&
        pg_int (result, 0, 2) == fields[F_COUPON_GENERATE_POINTS].integer &&
        pg_is_null (result, 0, 3) == !expires->present && (!expires->present || pg_time (result, 0, 3) == until);
    PQclear (result);
    if (!same)
        return error_field (&generation->request->error, ERROR_CONFLICT, "batch",
                            "%.*s is a batch of another program, pattern, points or expiry",
                            (int)generation->batch.size, generation->batch.data);
    return 0;
}

/* Codes must not be guessed: a pattern has so many times more of them than all its batches use. */
static int
check_room (struct generation *generation)
{
    struct pg_params params = { .arena = generation->unit->arena };
    int64_t codes = 1;
    for (uint32_t i = 0; i < generation->pattern.size && codes < INT64_MAX / COUPON_SYMBOL_COUNT; i++)
        if (generation->pattern.data[i] == '#')
            codes *= COUPON_SYMBOL_COUNT;
    pg_param_text (&params, generation->pattern);
    PGresult *result = run (generation, STATEMENT_COUPON_TOTAL, &params);
    if (result == NULL)
        return -1;
    int64_t wanted = pg_int (result, 0, 0);
    PQclear (result);
    if (codes / COUPON_SPARSENESS < wanted)
        return error_field (&generation->request->error, ERROR_INVALID_REQUEST, "pattern",
                            "has %lld codes; %lld coupons need one with %d times as many: add a #", (long long)codes,
                            (long long)wanted, COUPON_SPARSENESS);
    return 0;
}

/* ---- which are missing */

static PGresult *
read_numbers (struct generation *generation)
{
    struct pg_params params = { .arena = generation->unit->arena };
    pg_param_int2 (&params, bucket_of_text (generation->batch, generation->unit->buckets));
    pg_param_text (&params, generation->batch);
    pg_param_int4 (&params, generation->offset);
    pg_param_int4 (&params, (int32_t)generation->count);
    return run (generation, STATEMENT_COUPONS_READ, &params);
}

static int
find_missing (struct generation *generation)
{
    const struct wire_list *partners = &generation->request->record->fields[F_COUPON_GENERATE_PARTNER_IDS].list;
    PGresult *result = read_numbers (generation);
    int row = 0;
    if (result == NULL)
        return -1;
    generation->coupons = arena_array_of (generation->unit->arena, generation->count, struct coupon);
    for (uint32_t i = 0; generation->coupons != NULL && i < generation->count; i++) {
        int32_t number = generation->offset + (int32_t)i;
        if (row < PQntuples (result) && pg_int (result, row, 0) == number)
            row++;
        else
            generation->coupons[generation->missing++] = (struct coupon){
                .number = number,
                .has_partner = partners->count > 0,
                .partner_id = partners->count > 0 ? unit_survivor (generation->unit, partners->integers[i]) : 0
            };
    }
    PQclear (result);
    return generation->coupons == NULL ? no_memory (generation->request) : 0;
}

/* ---- numbers and codes of cards */

static int
take_card_id (struct generation *generation, struct coupon *coupon)
{
    coupon->card_id =
        executor_card_id (generation->executor, coupon->has_partner, coupon->partner_id, &generation->request->error);
    return coupon->card_id == 0 ? -1 : 0;
}

static struct str
new_code (struct generation *generation)
{
    struct str code = arena_str (generation->unit->arena, generation->pattern);
    char *at = (char *)code.data;
    uint8_t random[WIRE_NAME_MAX];
    randombytes_buf (random, sizeof random);
    for (uint32_t i = 0; at != NULL && i < code.size; i++)
        if (at[i] == '#')
            at[i] = COUPON_SYMBOLS[random[i] % COUPON_SYMBOL_COUNT];
    return code;
}

static int
compare_codes (const void *a, const void *b)
{
    const struct coupon *x = *(struct coupon *const *)a, *y = *(struct coupon *const *)b;
    return x->code_bucket != y->code_bucket ? x->code_bucket - y->code_bucket : str_compare (x->code, y->code);
}

/* Claims the codes of one bucket; marks those that were free. */
static int
claim_bucket (struct generation *generation, struct coupon **coupons, uint32_t count)
{
    struct pg_params params = { .arena = generation->unit->arena };
    struct pg_array codes, cards;
    pg_array_begin (&codes, PG_TEXT);
    pg_array_begin (&cards, PG_INT8);
    for (uint32_t i = 0; i < count; i++) {
        pg_array_bytes (&codes, coupons[i]->code);
        pg_array_int (&cards, coupons[i]->card_id);
    }
    pg_param_int2 (&params, coupons[0]->code_bucket);
    pg_param_array (&params, &codes);
    pg_param_array (&params, &cards);
    PGresult *result = run (generation, STATEMENT_CODES_CLAIM, &params);
    if (result == NULL)
        return -1;
    /* They come back in the order in which they were offered, each once. */
    uint32_t at = 0;
    for (int row = 0; row < PQntuples (result); row++) {
        while (at < count && !str_equal (coupons[at]->code, pg_text (result, row, 0)))
            at++;
        if (at < count)
            coupons[at++]->claimed = true;
    }
    PQclear (result);
    return 0;
}

/* Gives every missing coupon a code that was nobody's: those that were taken get another, round by round. */
static int
claim_codes (struct generation *generation)
{
    struct coupon **open = arena_array_of (generation->unit->arena, generation->missing + 1, struct coupon *);
    uint32_t count = generation->missing;
    if (open == NULL)
        return no_memory (generation->request);
    for (int round = 0; count > 0 && round < ROUNDS_MAX; round++) {
        count = 0;
        for (uint32_t i = 0; i < generation->missing; i++) {
            struct coupon *coupon = &generation->coupons[i];
            if (coupon->claimed)
                continue;
            coupon->code = new_code (generation);
            if (coupon->code.data == NULL)
                return no_memory (generation->request);
            coupon->code_bucket = bucket_of_text (coupon->code, generation->unit->buckets);
            open[count++] = coupon;
        }
        qsort (open, count, sizeof (struct coupon *), compare_codes);
        for (uint32_t from = 0, to; from < count; from = to) {
            for (to = from; to < count && open[to]->code_bucket == open[from]->code_bucket;)
                to++;
            if (claim_bucket (generation, open + from, to - from) < 0)
                return -1;
        }
    }
    if (count == 0)
        return 0;
    for (uint32_t i = 0; i < generation->missing; i++)
        if (!generation->coupons[i].claimed)
            return error_field (&generation->request->error, ERROR_INVALID_REQUEST, "pattern",
                                "has too few codes that are not in use");
    return 0;
}

/* ---- the cards */

static int
check_single (struct generation *generation, const struct coupon *coupon)
{
    struct unit_card *card = NULL;
    while (coupon->has_partner && program_is_single (generation->program) &&
           (card = unit_card_of_partner (generation->unit, coupon->partner_id, card)) != NULL)
        if (card->card.program_id == generation->program->id)
            return error_field (&generation->request->error, ERROR_CONFLICT, "partner_ids",
                                "member %lld has card %lld of this program already", (long long)coupon->partner_id,
                                (long long)card->card.card_id);
    return 0;
}

static int
make_card (struct generation *generation, const struct coupon *coupon, int64_t expires)
{
    struct unit *unit = generation->unit;
    struct request *request = generation->request;
    int64_t now = unit->recorded_at;
    if (check_single (generation, coupon) < 0)
        return -1;
    struct unit_card *card = unit_card_add (unit, coupon->card_id, generation->program->id, coupon->has_partner,
                                            coupon->partner_id, coupon->code, program_is_single (generation->program));
    if (card == NULL)
        return no_memory (request);
    card->code_claimed = true;
    if (ledger_gain (&card->card, JOURNAL_ADJUST, request->record->fields[F_COUPON_GENERATE_POINTS].integer, now, now,
                     expires, 0, unit->arena, NULL, &request->error) < 0)
        return -1;
    return unit_card_origin (unit, card, 0, STR ("coupon.generate")) < 0
               ? no_memory (request)
               : event_card_created (unit, card, &request->error);
}

static int
make_cards (struct generation *generation)
{
    const struct wire_value *expires = &generation->request->record->fields[F_COUPON_GENERATE_EXPIRES];
    const struct zone *zone = &generation->executor->cache.catalog->zone;
    int64_t now = generation->unit->recorded_at;
    int64_t until = expires->present ? card_time (generation->executor, expires->time)
                                     : expiry_instant (&generation->program->expiry, zone, now);
    if (generation->missing > 0 && until <= now)
        return error_field (&generation->request->error, ERROR_INVALID_REQUEST, "expires", "lies in the past");
    for (uint32_t i = 0; i < generation->missing; i++)
        if (take_card_id (generation, &generation->coupons[i]) < 0)
            return -1;
    if (claim_codes (generation) < 0)
        return -1;
    for (uint32_t i = 0; i < generation->missing; i++)
        if (make_card (generation, &generation->coupons[i], until) < 0)
            return -1;
    return 0;
}

static int
write_numbers (struct generation *generation)
{
    struct pg_params params = { .arena = generation->unit->arena };
    struct pg_array numbers, cards, codes;
    if (generation->missing == 0)
        return 0;
    pg_array_begin (&numbers, PG_INT4);
    pg_array_begin (&cards, PG_INT8);
    pg_array_begin (&codes, PG_TEXT);
    for (uint32_t i = 0; i < generation->missing; i++) {
        pg_array_int (&numbers, generation->coupons[i].number);
        pg_array_int (&cards, generation->coupons[i].card_id);
        pg_array_bytes (&codes, generation->coupons[i].code);
    }
    pg_param_int2 (&params, bucket_of_text (generation->batch, generation->unit->buckets));
    pg_param_text (&params, generation->batch);
    pg_param_array (&params, &numbers);
    pg_param_array (&params, &cards);
    pg_param_array (&params, &codes);
    PGresult *result = run (generation, STATEMENT_COUPONS_INSERT, &params);
    if (result == NULL)
        return -1;
    PQclear (result);
    return 0;
}

static int
answer (struct generation *generation)
{
    struct buf *out = &generation->request->reply;
    PGresult *result = read_numbers (generation);
    if (result == NULL)
        return -1;
    render_ok (out, 5);
    render_bool (out, "replayed", false);
    render_text (out, "batch", generation->batch);
    render_int (out, "made", generation->missing);
    render_int (out, "next_offset", (int64_t)generation->offset + generation->count);
    wire_write_cstr (out, "codes");
    wire_write_array (out, (uint32_t)PQntuples (result));
    for (int row = 0; row < PQntuples (result); row++)
        wire_write_str (out, pg_text (result, row, 2));
    PQclear (result);
    return 0;
}

int
coupon_generate_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    const struct generate_request *data = request->data;
    struct generation generation = { .executor = executor,
                                     .request = request,
                                     .unit = &executor->unit,
                                     .pattern = data->pattern,
                                     .batch = fields[F_COUPON_GENERATE_BATCH].text,
                                     .offset = (int32_t)fields[F_COUPON_GENERATE_OFFSET].integer,
                                     .count = data->count };
    if (!fields[F_COUPON_GENERATE_BATCH].present)
        generation.batch = executor_new_code (executor);
    if (generation.batch.data == NULL)
        return no_memory (request);
    /* Its own transaction, which a failure takes back whole. */
    return check_program (&generation) < 0 || open_batch (&generation) < 0 || check_room (&generation) < 0 ||
                   find_missing (&generation) < 0 || make_cards (&generation) < 0 || write_numbers (&generation) < 0
               ? -1
               : answer (&generation);
}
