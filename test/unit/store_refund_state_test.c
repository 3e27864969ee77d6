/* store_refund_state_test.c - an original and what was taken of it, rebuilt from stored records. */
#include "store/refund_state.h"
#include "support/random.h"
#include "unit/store_record_sample.h"

#include <criterion/criterion.h>

enum { ORDERS = 300, LINES = 4 };

static struct arena *arena;
static struct error err;

static void
setup (void)
{
    arena = arena_new (64 << 20);
    err = (struct error){ 0 };
}

static void
teardown (void)
{
    arena_destroy (&arena);
}

TestSuite (refund_state, .init = setup, .fini = teardown);

/* The record as it is read from the store. */
static struct order_record *
stored (const struct order_record *record)
{
    struct buf buf = { 0 };
    struct order_record *read = arena_new_of (arena, struct order_record);
    cr_assert_eq (order_record_encode (record, &buf, &err), 0, "%s", err.message);
    struct str bytes = { (const char *)buf.data, (uint32_t)buf.size };
    cr_assert_eq (order_record_decode (bytes, arena, read, &err), 0, "%s", err.message);
    buf_free (&buf);
    return read;
}

/* A refund of `qty` units of a line of the sample, worth `net`, that takes points back. */
static struct order_record *
refund (const char *order_id, const char *line_id, int64_t units, int64_t net, int64_t tax, int64_t take_back)
{
    struct order_record *record = arena_new_of (arena, struct order_record);
    struct record_original *original = arena_new_of (arena, struct record_original);
    struct record_part *part = arena_new_of (arena, struct record_part);
    struct record_points *points = arena_new_of (arena, struct record_points);
    struct tax_amount *taxes = arena_new_of (arena, struct tax_amount);
    sample_order (record, 1, arena);
    record->kind = RECORD_REFUND;
    *original = (struct record_original){ str_of (order_id), 1234567, false, { 0 } };
    *taxes = (struct tax_amount){ 5, tax };
    *part = (struct record_part){ .line_id = str_of (line_id),
                                  .qty_micro = units * MICRO,
                                  .net_minor = net,
                                  .untaxed_minor = net - tax,
                                  .tax_count = 1,
                                  .taxes = taxes };
    *points = (struct record_points){ 0, 100123, 3, take_back, 0, 0 };
    record->refund = (struct record_refund){ 1, 1, 0, 1, original, part, NULL, points };
    return record;
}

static const char SAMPLE_ID[] = "8d2f5f3a-0c55-4b0a-9a57-0f6f5be2d9c1";

Test (refund_state, the_original_as_it_was_sold)
{
    struct order_record record;
    struct original original;
    sample_order (&record, 4, arena);
    record.order.lines[1].qty_micro = -MICRO; /* a return in the same order is not for returning */
    const struct order_record *read = stored (&record);
    cr_assert_eq (refund_original_from_records (read, NULL, 0, 2, arena, &original, &err), 0);
    cr_assert (str_equal (original.order_id, str_of (SAMPLE_ID)));
    cr_assert_eq (original.order_ref, 1234567);
    cr_assert (original.has_partner);
    cr_assert_eq (original.partner_id, 17850);
    cr_assert_not (original.cancelled);
    cr_assert_eq (original.line_count, 3);
    const struct original_line *line = &original.lines[1];
    const struct line_result *result = &record.evaluation.lines[2];
    cr_assert (str_equal (line->line_id, STR ("2")));
    cr_assert_eq (line->product_id, record.order.lines[2].product_id);
    cr_assert_eq (line->qty_micro, 3 * MICRO);
    cr_assert_eq (line->price_unit_micro, record.order.lines[2].price_unit_micro);
    cr_assert_eq (line->net_minor, result->net_minor);
    cr_assert_eq (line->net_untaxed_minor, result->net_untaxed_minor);
    cr_assert_eq (line->net_tax_minor, result->net_tax_minor);
    cr_assert_eq (line->list_minor, result->total_minor);
    cr_assert_eq (line->taxes[0].amount_minor, result->net_tax_minor);
    cr_assert_eq (line->refunded_qty_micro, 0);
    cr_assert_eq (line->refunded_taxes_minor[0], 0);
    cr_assert_eq (original.points_count, 1);
    cr_assert_eq (original.points[0].earned, record.effects[0].earned);
    cr_assert_eq (original.points[0].earned_lot_count, 1);
    cr_assert_eq (original.points[0].earned_lots[0], 37);
    cr_assert_eq (original.points[0].taken_back, 0);
}

Test (refund_state, rule_33_list_prices_are_before_the_discount_by_hand)
{
    struct order_record record;
    struct original original;
    static const struct tax tax = { .id = 1, .type = TAX_PERCENT, .amount_micro = 20 * MICRO };
    sample_order (&record, 2, arena);
    record.order.lines[1].price_unit_micro = 9 * MICRO;
    record.order.lines[1].qty_micro = 2 * MICRO;
    record.order.lines[1].discount_micro = 100 * MICRO;
    record.order.lines[1].tax_count = 1;
    record.order.lines[1].taxes = &tax;
    cr_assert_eq (refund_original_from_records (stored (&record), NULL, 0, 2, arena, &original, &err), 0);
    cr_assert_eq (original.lines[0].list_minor, record.evaluation.lines[0].total_minor);
    cr_assert_eq (original.lines[1].list_minor, 2160);
}

Test (refund_state, rule_33_a_list_price_out_of_range_counts_as_sold)
{
    struct order_record record;
    struct original original;
    sample_order (&record, 1, arena);
    record.order.lines[0].price_unit_micro = INT64_MAX;
    record.order.lines[0].qty_micro = INT64_MAX;
    record.order.lines[0].discount_micro = 100 * MICRO;
    cr_assert_eq (refund_original_from_records (stored (&record), NULL, 0, 2, arena, &original, &err), 0);
    cr_assert_eq (original.lines[0].list_minor, record.evaluation.lines[0].total_minor);
}

Test (refund_state, what_refunds_took_adds_up)
{
    struct order_record record;
    struct original original;
    sample_order (&record, 4, arena);
    const struct order_record *refunds[] = { stored (refund (SAMPLE_ID, "2", 1, 300, 52, 10)),
                                             stored (refund (SAMPLE_ID, "2", 1, 301, 53, 11)),
                                             stored (refund ("another", "2", 1, 999, 99, 99)) };
    cr_assert_eq (refund_original_from_records (stored (&record), refunds, 3, 2, arena, &original, &err), 0, "%s",
                  err.message);
    cr_assert_eq (original.lines[2].refunded_qty_micro, 2 * MICRO);
    cr_assert_eq (original.lines[2].refunded_net_minor, 601);
    cr_assert_eq (original.lines[2].refunded_untaxed_minor, 496);
    cr_assert_eq (original.lines[2].refunded_taxes_minor[0], 105);
    cr_assert_eq (original.lines[1].refunded_qty_micro, 0);
    cr_assert_eq (original.points[0].taken_back, 21);
}

static void
expect_contradiction (struct order_record *of)
{
    struct order_record record;
    struct original original;
    sample_order (&record, 4, arena);
    const struct order_record *refunds[] = { of };
    err.code = ERROR_NONE;
    cr_assert_eq (refund_original_from_records (&record, refunds, 1, 2, arena, &original, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
}

Test (refund_state, records_that_contradict_each_other)
{
    expect_contradiction (refund (SAMPLE_ID, "2", 4, 300, 52, 0));       /* three were sold */
    expect_contradiction (refund (SAMPLE_ID, "2", 0, 300, 52, 0));       /* none came back */
    expect_contradiction (refund (SAMPLE_ID, "9", 1, 300, 52, 0));       /* no such line */
    expect_contradiction (refund (SAMPLE_ID, "2", 1, 300, 52, 1000000)); /* more points than it gave */
    struct order_record *other_tax = refund (SAMPLE_ID, "2", 1, 300, 52, 0);
    ((struct tax_amount *)other_tax->refund.parts[0].taxes)->tax_id = 6;
    expect_contradiction (other_tax);
    struct order_record *other_card = refund (SAMPLE_ID, "2", 1, 300, 52, 1);
    ((struct record_points *)other_card->refund.points)->card_id = 7;
    expect_contradiction (other_card);
}

Test (refund_state, too_little_memory_is_an_error)
{
    struct order_record record;
    struct original original;
    unsigned refused = 0;
    sample_order (&record, 4, arena);
    for (size_t limit = 0; limit < 2048; limit += 16) {
        struct arena *small = arena_new (limit);
        refused += refund_original_from_records (&record, NULL, 0, 2, small, &original, &err) != 0;
        arena_destroy (&small);
    }
    cr_assert (refused > 10 && refused < 128, "%u", refused);
}

/* Sold, then returned in random parts, each plan made of what the records before it say: all of it goes back. */
static void
return_in_parts (struct random *random)
{
    static const struct lot_use USES[] = { { 3, 70 }, { 5, 31 } };
    const struct order_record *refunds[64];
    struct order_record sale;
    struct original original;
    uint32_t refund_count = 0;
    sample_order (&sale, LINES, arena);
    struct card_effect *effect = (struct card_effect *)sale.effects;
    effect->redeemed = 101;
    effect->redeemed_count = 2;
    effect->redeemed_uses = USES;
    const struct order_record *sold = stored (&sale);
    for (bool left = true; left && refund_count < 64;) {
        struct order_record *record = arena_new_of (arena, struct order_record);
        struct refund_plan plan;
        int rc = refund_original_from_records (sold, refunds, refund_count, 2, arena, &original, &err);
        cr_assert_eq (rc, 0, "%s", err.message);
        sample_order (record, 1, arena);
        record->order.lines = arena_array_of (arena, LINES, struct order_line);
        record->order.line_count = 0;
        left = false;
        for (uint32_t i = 0; i < LINES; i++) {
            const struct original_line *line = &original.lines[i];
            int64_t units = (line->qty_micro - line->refunded_qty_micro) / MICRO;
            left = left || units > 0;
            if (units > 0 && random_chance (random, 50))
                record->order.lines[record->order.line_count++] =
                    (struct order_line){ .line_id = line->line_id,
                                         .product_id = line->product_id,
                                         .qty_micro = -MICRO * random_between (random, 1, units),
                                         .refund_order_id = sold->order.order_id,
                                         .refund_line_id = line->line_id };
        }
        if (record->order.line_count == 0)
            continue;
        rc = refund_plan_make (&record->order, &original, 1, arena, &plan, &err);
        cr_assert_eq (rc, 0, "%s", err.message);
        cr_assert_eq (order_record_set_plan (record, &plan, &original, arena), 0);
        record->evaluation.lines = arena_array_of (arena, LINES, struct line_result);
        record->evaluation.discount_count = 0;
        refunds[refund_count++] = stored (record);
    }
    for (uint32_t i = 0; i < LINES; i++) {
        const struct original_line *line = &original.lines[i];
        cr_assert_eq (line->refunded_qty_micro, line->qty_micro);
        cr_assert_eq (line->refunded_net_minor, line->net_minor);
        cr_assert_eq (line->refunded_untaxed_minor, line->net_untaxed_minor);
        cr_assert_eq (line->refunded_taxes_minor[0], line->net_tax_minor);
    }
    cr_assert_eq (original.points[0].taken_back, original.points[0].earned);
    cr_assert_eq (original.points[0].given_back, 101);
}

Test (refund_state, parts_returned_one_after_another_are_the_whole)
{
    struct random random = { 31 };
    for (unsigned i = 0; i < ORDERS; i++) {
        return_in_parts (&random);
        arena_reset (arena);
    }
}
