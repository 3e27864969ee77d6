/* unit_orders.c - stored orders by place, and the refunds of them. */
#include "store/unit_private.h"

#include <stdlib.h>

/* Sorts places by bucket, then reference: the order in which they are locked. */
static int
compare_places (const void *a, const void *b)
{
    const struct order_place *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return (x->order_ref > y->order_ref) - (x->order_ref < y->order_ref);
}

static int
receive_orders (struct unit *unit, int16_t bucket, struct stored_order *orders, uint32_t *count, uint32_t capacity,
                struct error *err)
{
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result) && *count < capacity; row++) {
        struct stored_order *order = &orders[(*count)++];
        *order = (struct stored_order){
            .bucket = bucket,
            .order_ref = pg_int (result, row, 0),
            .recorded_at = pg_time (result, row, 1),
            .kind = (int16_t)pg_int (result, row, 2),
            .cancelled = pg_int (result, row, 3) == 2,
            .has_partner = !pg_is_null (result, row, 4),
            .partner_id = pg_int (result, row, 4),
            .record = arena_str (unit->arena, pg_text (result, row, 5)),
        };
        if (order->record.data == NULL) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
    }
    PQclear (result);
    return 0;
}

int
unit_read_orders (struct unit *unit, const struct order_place *places, uint32_t count, bool lock,
                  struct stored_order **orders, uint32_t *order_count, struct error *err)
{
    struct order_place *sorted = arena_array_of (unit->arena, count + 1, struct order_place);
    *orders = arena_array_of (unit->arena, count + 1, struct stored_order);
    *order_count = 0;
    if (count == 0)
        return 0;
    if (sorted == NULL || *orders == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    memcpy (sorted, places, count * sizeof *sorted);
    qsort (sorted, count, sizeof *sorted, compare_places);
    for (uint32_t from = 0, to; from < count; from = to) {
        struct pg_array refs, times;
        struct pg_params params = unit_params (unit);
        pg_array_begin (&refs, PG_INT8);
        pg_array_begin (&times, PG_TIMESTAMPTZ);
        for (to = from; to < count && sorted[to].bucket == sorted[from].bucket; to++) {
            if (to > from && sorted[to].order_ref == sorted[to - 1].order_ref)
                continue;
            pg_array_int (&refs, sorted[to].order_ref);
            pg_array_time (&times, sorted[to].recorded_at);
        }
        pg_param_int2 (&params, sorted[from].bucket);
        pg_param_array (&params, &refs);
        pg_param_array (&params, &times);
        if (pg_send (unit->pg, lock ? STATEMENT_ORDERS_LOCK : STATEMENT_ORDERS_READ, &params) < 0 ||
            pg_sync (unit->pg) < 0) {
            unit->failure = PG_UNAVAILABLE;
            return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
        }
        if (receive_orders (unit, sorted[from].bucket, *orders, order_count, count, err) < 0)
            return -1;
        if (pg_finish (unit->pg, unit->deadline_us, &unit->failure, err) < 0)
            return -1;
    }
    return 0;
}

int
unit_read_refunds (struct unit *unit, const struct order_place *originals, uint32_t count, struct order_place **refunds,
                   uint32_t **owners, uint32_t *refund_count, struct error *err)
{
    uint32_t capacity = 0;
    *refunds = NULL;
    *owners = NULL;
    *refund_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pg_params params = unit_params (unit);
        pg_param_int2 (&params, originals[i].bucket);
        pg_param_int8s (&params, &originals[i].order_ref, 1);
        PGresult *result = pg_run (unit->pg, STATEMENT_REFUNDS_READ, &params, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        for (int row = 0; row < PQntuples (result); row++) {
            uint32_t same = capacity;
            if (!unit_grow (unit->arena, (void **)refunds, *refund_count, &capacity, sizeof **refunds) ||
                !unit_grow (unit->arena, (void **)owners, *refund_count, &same, sizeof **owners)) {
                PQclear (result);
                return error_set (err, ERROR_INTERNAL, "out of memory");
            }
            (*owners)[*refund_count] = i;
            (*refunds)[(*refund_count)++] = (struct order_place){
                .order_ref = pg_int (result, row, 1),
                .bucket = (int16_t)pg_int (result, row, 2),
                .recorded_at = pg_time (result, row, 3),
            };
        }
        PQclear (result);
    }
    return 0;
}
