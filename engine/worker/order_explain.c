/* order_explain.c - order.explain: all that a stored order was made from and came to, and the same worked out again. */
#include "wire/msgpack.h"
#include "worker/order_request.h"
#include "render/render.h"

#include <stdio.h>

enum { DIFFERENCES_MAX = 50 };

/* What differs between the record and its evaluation now. */
struct comparison {
    const struct order_record *record;
    const struct evaluation *now;
    uint32_t count; /* of all; the first DIFFERENCES_MAX are kept */
    struct difference {
        char figure[64];
        int64_t recorded, now;
        unsigned digits;
    } list[DIFFERENCES_MAX];
};

static void
compare (struct comparison *to, const char *figure, int64_t recorded, int64_t now, unsigned digits)
{
    if (recorded == now)
        return;
    if (to->count < DIFFERENCES_MAX) {
        struct difference *difference = &to->list[to->count];
        snprintf (difference->figure, sizeof difference->figure, "%s", figure);
        difference->recorded = recorded;
        difference->now = now;
        difference->digits = digits;
    }
    to->count++;
}

static void
compare_at (struct comparison *to, const char *list, uint32_t index, const char *field, int64_t recorded, int64_t now,
            unsigned digits)
{
    char figure[64];
    snprintf (figure, sizeof figure, "%s[%u].%s", list, index, field);
    compare (to, figure, recorded, now, digits);
}

static void
compare_discounts (struct comparison *to, unsigned digits)
{
    const struct evaluation *was = &to->record->evaluation, *now = to->now;
    compare (to, "discounts", was->discount_count, now->discount_count, 0);
    for (uint32_t i = 0; i < was->discount_count && i < now->discount_count; i++) {
        const struct discount *a = &was->discounts[i], *b = &now->discounts[i];
        compare_at (to, "discounts", i, "layer", a->layer, b->layer, 0);
        compare_at (to, "discounts", i, "program_id", a->program_id, b->program_id, 0);
        compare_at (to, "discounts", i, "rule_id", a->rule_id, b->rule_id, 0);
        compare_at (to, "discounts", i, "reward_id", a->reward_id, b->reward_id, 0);
        compare_at (to, "discounts", i, "card_id", a->card_id, b->card_id, 0);
        compare_at (to, "discounts", i, "points_cost", a->points_cost, b->points_cost, POINTS_DIGITS);
        compare_at (to, "discounts", i, "amount", a->amount_minor, b->amount_minor, digits);
        compare_at (to, "discounts", i, "amount_untaxed", a->untaxed_minor, b->untaxed_minor, digits);
        compare_at (to, "discounts", i, "lines", a->part_count, b->part_count, 0);
        for (uint32_t part = 0; part < a->part_count && part < b->part_count; part++) {
            compare_at (to, "discounts", i, "line", a->parts[part].line, b->parts[part].line, 0);
            compare_at (to, "discounts", i, "line.amount", a->parts[part].amount_minor, b->parts[part].amount_minor,
                        digits);
        }
    }
}

static void
compare_points (struct comparison *to)
{
    const struct evaluation *was = &to->record->evaluation, *now = to->now;
    compare (to, "points", was->points_count, now->points_count, 0);
    for (uint32_t i = 0; i < was->points_count && i < now->points_count; i++) {
        const struct points_result *a = &was->points[i], *b = &now->points[i];
        compare_at (to, "points", i, "card_id", a->card_id, b->card_id, 0);
        compare_at (to, "points", i, "program_id", a->program_id, b->program_id, 0);
        compare_at (to, "points", i, "earned", a->earned, b->earned, POINTS_DIGITS);
        compare_at (to, "points", i, "redeemed", a->redeemed, b->redeemed, POINTS_DIGITS);
    }
    compare (to, "cards", was->card_count, now->card_count, 0);
    for (uint32_t i = 0; i < was->card_count && i < now->card_count; i++) {
        compare_at (to, "cards", i, "program_id", was->cards[i].program_id, now->cards[i].program_id, 0);
        compare_at (to, "cards", i, "points", was->cards[i].points, now->cards[i].points, POINTS_DIGITS);
    }
    compare (to, "uses", was->usage_count, now->usage_count, 0);
    for (uint32_t i = 0; i < was->usage_count && i < now->usage_count; i++)
        compare_at (to, "uses", i, "program_id", was->usages[i].program_id, now->usages[i].program_id, 0);
}

static void
compare_all (struct comparison *to, unsigned digits)
{
    const struct evaluation *was = &to->record->evaluation, *now = to->now;
    compare (to, "amount_untaxed", was->untaxed_minor, now->untaxed_minor, digits);
    compare (to, "amount_tax", was->tax_minor, now->tax_minor, digits);
    compare (to, "amount_total", was->total_minor, now->total_minor, digits);
    for (uint32_t i = 0; i < to->record->order.line_count; i++) {
        const struct line_result *a = &was->lines[i], *b = &now->lines[i];
        compare_at (to, "lines", i, "amount_untaxed", a->net_untaxed_minor, b->net_untaxed_minor, digits);
        compare_at (to, "lines", i, "amount_tax", a->net_tax_minor, b->net_tax_minor, digits);
        compare_at (to, "lines", i, "amount_total", a->net_minor, b->net_minor, digits);
        compare_at (to, "lines", i, "discount", a->discount_minor, b->discount_minor, digits);
    }
    compare_discounts (to, digits);
    compare (to, "claims", was->claim_count, now->claim_count, 0);
    for (uint32_t i = 0; i < was->claim_count && i < now->claim_count; i++) {
        compare_at (to, "claims", i, "ok", was->claims[i].ok, now->claims[i].ok, 0);
        compare_at (to, "claims", i, "reason", was->claims[i].reason, now->claims[i].reason, 0);
    }
    compare_points (to);
}

/* ---- what it was made from */

static void
array (struct buf *out, const char *name, uint32_t count)
{
    wire_write_cstr (out, name);
    wire_write_array (out, count);
}

static void
decimal (struct buf *out, const char *name, int64_t value, unsigned digits, unsigned least)
{
    wire_write_cstr (out, name);
    wire_write_decimal (out, value, digits, least);
}

static void
optional_int (struct buf *out, const char *name, bool has, int64_t value)
{
    if (has)
        render_int (out, name, value);
    else
        render_nil (out, name);
}

static void
input_lines (const struct order *order, struct buf *out)
{
    array (out, "lines", order->line_count);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        wire_write_map (out, 8);
        render_text (out, "line_id", line->line_id);
        render_int (out, "product_id", line->product_id);
        render_bool (out, "known", line->product_known);
        decimal (out, "qty", line->qty_micro, MICRO_DIGITS, 0);
        decimal (out, "price_unit", line->price_unit_micro, MICRO_DIGITS, 0);
        decimal (out, "discount", line->discount_micro, MICRO_DIGITS, 0);
        array (out, "categories", line->categories.count);
        for (uint32_t j = 0; j < line->categories.count; j++)
            wire_write_int (out, line->categories.ids[j]);
        array (out, "tags", line->tag_count);
        for (uint32_t j = 0; j < line->tag_count; j++)
            wire_write_str (out, line->tags[j]);
    }
}

static void
input (const struct order *order, struct buf *out)
{
    wire_write_cstr (out, "input");
    wire_write_map (out, 9);
    render_text (out, "channel", order->channel == CHANNEL_SALE ? STR ("sale") : STR ("pos"));
    optional_int (out, "store_id", order->has_store, order->store_id);
    optional_int (out, "partner_id", order->has_partner, order->partner_id);
    optional_int (out, "membership_product_id", order->member.has_level, order->member.membership_product_id);
    render_bool (out, "first_order", order->member.is_first_order);
    render_bool (out, "forgiving", order->forgiving);
    if (order->hold_id.size > 0)
        render_text (out, "hold_id", order->hold_id);
    else
        render_nil (out, "hold_id");
    array (out, "cards", order->card_count);
    for (uint32_t i = 0; i < order->card_count; i++) {
        const struct card_state *card = &order->cards[i];
        wire_write_map (out, 7);
        render_int (out, "card_id", card->card_id);
        render_int (out, "program_id", card->program_id);
        render_int (out, "referral_uses", card->referral_uses);
        render_bool (out, "presented", card->presented);
        render_bool (out, "blocked", card->blocked);
        render_points (out, "usable", card->usable);
        render_points (out, "debt", card->debt);
    }
    input_lines (order, out);
}

/* ---- what became of points */

static void
uses (struct buf *out, const char *name, const struct lot_use *list, uint32_t count)
{
    array (out, name, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_write_map (out, 2);
        render_int (out, "lot", list[i].lot_no);
        render_points (out, "points", list[i].points);
    }
}

static void
lots (const struct order_record *record, struct buf *out)
{
    array (out, "lots", record->effect_count);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        wire_write_map (out, 6);
        render_int (out, "card_id", effect->card_id);
        render_points (out, "owed", effect->owed);
        array (out, "gained", effect->lot_count);
        for (uint32_t j = 0; j < effect->lot_count; j++) {
            wire_write_map (out, 4);
            render_int (out, "lot", effect->lots[j].lot_no);
            render_points (out, "points", effect->lots[j].points);
            render_time (out, "usable_from", effect->lots[j].usable_from);
            render_time (out, "expires", effect->lots[j].expires);
        }
        uses (out, "redeemed", effect->redeemed_uses, effect->redeemed_count);
        uses (out, "taken_back", effect->taken_uses, effect->taken_count);
        uses (out, "given_back", effect->given_uses, effect->given_count);
    }
}

static void
differences (const struct comparison *comparison, struct buf *out)
{
    uint32_t count = comparison->count < DIFFERENCES_MAX ? comparison->count : DIFFERENCES_MAX;
    render_bool (out, "same", comparison->count == 0);
    array (out, "differences", count);
    for (uint32_t i = 0; i < count; i++) {
        const struct difference *difference = &comparison->list[i];
        wire_write_map (out, 3);
        render_text (out, "figure", str_of (difference->figure));
        decimal (out, "recorded", difference->recorded, difference->digits, difference->digits);
        decimal (out, "now", difference->now, difference->digits, difference->digits);
    }
}

/* ---- the method */

static int
read_order (struct executor *executor, struct request *request, struct order_record *record)
{
    struct str order_id = request->record->fields[F_ORDER_GET_ORDER_ID].text;
    struct stored_order stored;
    struct order_place place;
    bool found = false;
    if (order_find (executor, order_id, &found, &place, &request->error) < 0)
        return -1;
    if (!found || place.order_ref == 0)
        return request_fail (request, ERROR_NOT_FOUND, "there is no order %.*s%s", (int)order_id.size, order_id.data,
                             found ? ": it was cancelled before it came" : "");
    if (order_read (executor, place, false, executor->transaction, &found, &stored, record, &request->error) < 0)
        return -1;
    return found ? 0 : request_fail (request, ERROR_TOO_OLD, "the order is past its retention: only its key is left");
}

int
order_explain_execute (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct order_record record = { 0 };
    struct evaluation now;
    const struct catalog *catalog = NULL;
    struct buf *out = &request->reply;
    unsigned digits = executor->engine->currency_digits;

    if (read_order (executor, request, &record) < 0 ||
        catalog_cache_version (&executor->cache, unit->pg, record.catalog_version, executor->transaction, &catalog,
                               unit->deadline_us, &unit->failure, &request->error) < 0)
        return -1;
    record.order.explain = true;
    if (evaluate_order (catalog, &record.order, false, executor->transaction, &now, &request->error) < 0)
        return -1;
    struct comparison *comparison = arena_new_of (executor->transaction, struct comparison);
    if (comparison == NULL)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    comparison->record = &record;
    comparison->now = &now;
    compare_all (comparison, digits);
    record.evaluation.rejection_count = now.rejection_count;
    record.evaluation.rejections = now.rejections;
    render_ok (out, 8);
    render_time (out, "recorded", record.recorded);
    render_int (out, "evaluator_version", record.evaluator_version);
    render_int (out, "evaluator_version_now", EVALUATOR_VERSION);
    input (&record.order, out);
    wire_write_cstr (out, "order");
    render_record (&record, digits, out);
    lots (&record, out);
    differences (comparison, out);
    return 0;
}
