/* member_forget_orders.c - the orders of a member that is forgotten, and those of others that name it, rewritten without it. */
#include "worker/member_forget.h"
#include "worker/order_request.h"

enum { PAGE = 200, IDS_AT_ONCE = 500 };

static int
no_memory (struct forgetting *forgetting)
{
    return request_fail (forgetting->request, ERROR_INTERNAL, "the worker is out of memory");
}

/* ---- rewriting */

struct rewrite {
    struct pg_array refs, times, partners, records;
};

static void
rewrite_begin (struct rewrite *rewrite)
{
    pg_array_begin (&rewrite->refs, PG_INT8);
    pg_array_begin (&rewrite->times, PG_TIMESTAMPTZ);
    pg_array_begin (&rewrite->partners, PG_INT8);
    pg_array_begin (&rewrite->records, PG_BYTEA);
}

static int
rewrite_add (struct forgetting *forgetting, struct rewrite *rewrite, const struct stored_order *stored)
{
    struct order_record record;
    struct buf bytes = { 0 };
    struct error *err = &forgetting->request->error;
    arena_reset (forgetting->scratch);
    if (order_record_decode (stored->record, forgetting->scratch, &record, err) < 0)
        return -1;
    if (order_record_forget (&record, &forgetting->who, forgetting->scratch) < 0)
        return no_memory (forgetting);
    int status = order_record_encode (&record, &bytes, err);
    if (status == 0) {
        pg_array_int (&rewrite->refs, stored->order_ref);
        pg_array_time (&rewrite->times, stored->recorded_at);
        if (record.order.has_partner)
            pg_array_int (&rewrite->partners, record.order.partner_id);
        else
            pg_array_null (&rewrite->partners);
        pg_array_bytes (&rewrite->records, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size });
    }
    buf_free (&bytes);
    return status;
}

/* Orders of one bucket. */
static int
rewrite_orders (struct forgetting *forgetting, int16_t bucket, const struct stored_order *orders, uint32_t count)
{
    struct rewrite rewrite;
    struct pg_params params = { .arena = forgetting->unit->arena };
    int status = 0;
    if (count == 0)
        return 0;
    rewrite_begin (&rewrite);
    for (uint32_t i = 0; status == 0 && i < count; i++)
        status = rewrite_add (forgetting, &rewrite, &orders[i]);
    pg_param_int2 (&params, bucket);
    pg_param_array (&params, &rewrite.refs);
    pg_param_array (&params, &rewrite.times);
    pg_param_array (&params, &rewrite.partners);
    pg_param_array (&params, &rewrite.records);
    if (status < 0)
        return -1;
    PGresult *result = forget_run (forgetting, STATEMENT_ORDERS_REWRITE, &params);
    PQclear (result);
    forgetting->orders += count;
    return result != NULL ? 0 : -1;
}

/* ---- its own */

/* The next orders of a bucket that are called the member's. */
static int
next_page (struct forgetting *forgetting, int16_t bucket, int64_t partner_id, struct stored_order **orders,
           uint32_t *count)
{
    struct pg_params params = { .arena = forgetting->unit->arena };
    pg_param_int2 (&params, bucket);
    pg_param_int8 (&params, partner_id);
    pg_param_int4 (&params, PAGE);
    PGresult *result = forget_run (forgetting, STATEMENT_FORGET_ORDERS, &params);
    if (result == NULL)
        return -1;
    *count = (uint32_t)PQntuples (result);
    *orders = arena_array_of (forgetting->unit->arena, (size_t)*count + 1, struct stored_order);
    bool failed = *orders == NULL;
    for (uint32_t i = 0; !failed && i < *count; i++) {
        (*orders)[i] =
            (struct stored_order){ .bucket = bucket,
                                   .order_ref = pg_int (result, (int)i, 0),
                                   .recorded_at = pg_time (result, (int)i, 1),
                                   .record = arena_str (forgetting->unit->arena, pg_text (result, (int)i, 5)) };
        failed = (*orders)[i].record.data == NULL;
    }
    PQclear (result);
    return failed ? no_memory (forgetting) : 0;
}

static int
own_orders (struct forgetting *forgetting, int16_t bucket, int64_t partner_id, bool *done)
{
    struct stored_order *orders;
    for (uint32_t count = PAGE; *done && count == PAGE;) {
        *done = forgetting->orders < forgetting->budget;
        if (!*done)
            return 0;
        if (next_page (forgetting, bucket, partner_id, &orders, &count) < 0 ||
            rewrite_orders (forgetting, bucket, orders, count) < 0)
            return -1;
    }
    return 0;
}

/* An order lies where the member lay that it named, also when that one had become another. */
static int
all_own_orders (struct forgetting *forgetting, bool *done)
{
    const struct forgotten *who = &forgetting->who;
    int64_t survivor = forgetting->member->partner_id;
    *done = true;
    for (uint32_t i = 0; *done && i < who->partner_count; i++) {
        int16_t bucket = bucket_of_partner (who->partners[i], forgetting->unit->buckets);
        if (own_orders (forgetting, bucket, who->partners[i], done) < 0 ||
            (who->partners[i] != survivor && own_orders (forgetting, bucket, survivor, done) < 0))
            return -1;
    }
    return 0;
}

/* ---- of others that used its cards: returns without a member, orders with its referral code */

static int
others_of_bucket (struct forgetting *forgetting, int16_t bucket, const struct order_place *places, uint32_t count)
{
    struct unit *unit = forgetting->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array refs, times;
    struct stored_order *orders;
    uint32_t order_count;
    pg_array_begin (&refs, PG_INT8);
    pg_array_begin (&times, PG_TIMESTAMPTZ);
    for (uint32_t i = 0; i < count; i++)
        if (places[i].bucket == bucket) {
            pg_array_int (&refs, places[i].order_ref);
            pg_array_time (&times, places[i].recorded_at);
        }
    uint32_t asked = refs.count;
    pg_param_int2 (&params, bucket);
    pg_param_array (&params, &refs);
    pg_param_array (&params, &times);
    pg_param_int8 (&params, forgetting->who.pseudonym);
    PGresult *result = asked == 0 ? NULL : forget_run (forgetting, STATEMENT_FORGET_ORDERS_OF_OTHERS, &params);
    if (result == NULL)
        return asked == 0 ? 0 : -1;
    uint32_t others = (uint32_t)PQntuples (result);
    struct order_place *found = arena_array_of (unit->arena, (size_t)others + 1, struct order_place);
    for (uint32_t i = 0; found != NULL && i < others; i++)
        found[i] = (struct order_place){ .bucket = bucket,
                                         .order_ref = pg_int (result, (int)i, 0),
                                         .recorded_at = pg_time (result, (int)i, 1) };
    PQclear (result);
    if (found == NULL)
        return no_memory (forgetting);
    return unit_read_orders (unit, found, others, true, &orders, &order_count, &forgetting->request->error) < 0
               ? -1
               : rewrite_orders (forgetting, bucket, orders, order_count);
}

/* Where the orders of these ids are, and their cancellations. */
static int
find_places (struct forgetting *forgetting, const struct str *ids, uint32_t count, struct order_place *places,
             uint32_t *place_count)
{
    struct unit *unit = forgetting->unit;
    *place_count = 0;
    for (int bucket = 0; bucket < unit->buckets; bucket++) {
        struct pg_params params = { .arena = unit->arena };
        struct pg_array scopes, keys;
        pg_array_begin (&scopes, PG_INT2);
        pg_array_begin (&keys, PG_TEXT);
        for (uint32_t i = 0; i < count; i++)
            for (int scope = SCOPE_ORDER; scope <= SCOPE_CANCEL && bucket_of_text (ids[i], unit->buckets) == bucket;
                 scope++) {
                pg_array_int (&scopes, scope);
                pg_array_bytes (&keys, ids[i]);
            }
        uint32_t asked = scopes.count;
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_array (&params, &scopes);
        pg_param_array (&params, &keys);
        PGresult *result = asked == 0 ? NULL : forget_run (forgetting, STATEMENT_KEYS_READ, &params);
        if (result == NULL && asked > 0)
            return -1;
        for (int row = 0; asked > 0 && row < PQntuples (result); row++)
            if (pg_int (result, row, 5) > 0)
                places[(*place_count)++] = (struct order_place){ .bucket = (int16_t)pg_int (result, row, 4),
                                                                 .order_ref = pg_int (result, row, 5),
                                                                 .recorded_at = pg_time (result, row, 6) };
        PQclear (result);
    }
    return 0;
}

static int
others_of_ids (struct forgetting *forgetting, const struct str *ids, uint32_t count)
{
    struct order_place places[IDS_AT_ONCE * 2];
    uint32_t place_count;
    if (find_places (forgetting, ids, count, places, &place_count) < 0)
        return -1;
    for (int bucket = 0; place_count > 0 && bucket < forgetting->unit->buckets; bucket++)
        if (others_of_bucket (forgetting, (int16_t)bucket, places, place_count) < 0)
            return -1;
    return 0;
}

/* The orders that changed the cards of a bucket, whosoever they are. */
static int
orders_of_cards (struct forgetting *forgetting, int bucket)
{
    struct unit *unit = forgetting->unit;
    struct pg_params params = { .arena = unit->arena };
    int64_t *cards = arena_array_of (unit->arena, (size_t)forgetting->all_count + 1, int64_t);
    struct str *ids = arena_array_of (unit->arena, IDS_AT_ONCE, struct str);
    uint32_t count = 0;
    int status = 0;
    if (cards == NULL || ids == NULL)
        return no_memory (forgetting);
    for (uint32_t i = 0; i < forgetting->all_count; i++)
        if (bucket_of_card (forgetting->all_cards[i], unit->buckets) == bucket)
            cards[count++] = forgetting->all_cards[i];
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, cards, count);
    PGresult *result = forget_run (forgetting, STATEMENT_FORGET_ORDER_IDS, &params);
    if (result == NULL)
        return -1;
    uint32_t rows = (uint32_t)PQntuples (result);
    for (uint32_t from = 0; status == 0 && from < rows; from += IDS_AT_ONCE) {
        uint32_t part = rows - from < IDS_AT_ONCE ? rows - from : IDS_AT_ONCE;
        for (uint32_t i = 0; i < part; i++)
            ids[i] = pg_text (result, (int)(from + i), 0);
        status = others_of_ids (forgetting, ids, part);
    }
    PQclear (result);
    return status;
}

int
forget_orders (struct forgetting *forgetting, bool *done)
{
    if (all_own_orders (forgetting, done) < 0)
        return -1;
    for (int bucket = 0; *done && bucket < forgetting->unit->buckets; bucket++)
        if (orders_of_cards (forgetting, bucket) < 0)
            return -1;
    return 0;
}
