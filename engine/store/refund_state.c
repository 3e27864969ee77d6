/* refund_state.c - see refund_state.h. */
#include "store/refund_state.h"
#include "domain/list_price.h"

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for an original order");
}

static int
contradiction (const struct original *original, struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "the refunds of order %.*s took more than there was",
                      (int)original->order_id.size, original->order_id.data);
}

/* What a line cost before any discount. Where its price without the discount by hand is more than a line may cost, it counts
 * as what it was sold for. */
static int
list_minor (const struct order_record *record, uint32_t line, unsigned digits, struct arena *arena, int64_t *list,
            struct error *err)
{
    *list = record->evaluation.lines[line].total_minor;
    if (record->order.lines[line].discount_micro == 0 ||
        list_price (&record->order.lines[line], digits, arena, list, err) == 0)
        return 0;
    return err->code == ERROR_INVALID_REQUEST ? 0 : -1;
}

static bool
sells_card (const struct order_record *record, uint32_t line)
{
    for (uint32_t i = 0; i < record->evaluation.card_count; i++)
        if (record->evaluation.cards[i].line == (int32_t)line)
            return true;
    return false;
}

/* The lines that were sold; returns in the same order are not for returning. */
static int
lines_make (const struct order_record *record, unsigned digits, struct arena *arena, struct original *original,
            struct error *err)
{
    const struct order *order = &record->order;
    original->lines = arena_array_of (arena, order->line_count, struct original_line);
    if (original->lines == NULL)
        return out_of_memory (err);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        const struct line_result *result = &record->evaluation.lines[i];
        if (line->qty_micro <= 0)
            continue;
        int64_t *refunded_taxes = arena_array_of (arena, result->tax_count, int64_t);
        int64_t list;
        if (refunded_taxes == NULL)
            return out_of_memory (err);
        if (list_minor (record, i, digits, arena, &list, err) != 0)
            return -1;
        original->lines[original->line_count++] =
            (struct original_line){ .line_id = line->line_id,
                                    .product_id = line->product_id,
                                    .qty_micro = line->qty_micro,
                                    .price_unit_micro = line->price_unit_micro,
                                    .net_minor = result->net_minor,
                                    .net_untaxed_minor = result->net_untaxed_minor,
                                    .net_tax_minor = result->net_tax_minor,
                                    .list_minor = list,
                                    .tax_count = result->tax_count,
                                    .taxes = result->taxes,
                                    .refunded_taxes_minor = refunded_taxes,
                                    .sells = line->has_card || sells_card (record, i) };
    }
    return 0;
}

/* The original's line of a line of its order; -1: it was a return. */
static int64_t
sold_line (const struct order *order, uint32_t line)
{
    int64_t index = 0;
    for (uint32_t i = 0; i < line; i++)
        index += order->lines[i].qty_micro > 0;
    return line < order->line_count && order->lines[line].qty_micro > 0 ? index : -1;
}

/* The line that sold the card, if it is one that the order made for it; the last of a line's cards comes back first. */
static bool
sold_by (const struct order_record *record, const struct card_effect *effect, uint32_t *lines,
         struct original_points *points)
{
    const struct evaluation *evaluation = &record->evaluation;
    for (uint32_t i = 0; i < evaluation->card_count && effect->is_created; i++) {
        const struct card_result *made = &evaluation->cards[i];
        int64_t line = made->line >= 0 ? sold_line (&record->order, (uint32_t)made->line) : -1;
        if (line < 0 || !str_equal (made->code, effect->code))
            continue;
        lines[0] = (uint32_t)line;
        points->is_sold = true;
        points->line_count = 1;
        for (uint32_t later = i + 1; later < evaluation->card_count; later++)
            points->units_before += evaluation->cards[later].line == made->line;
        return true;
    }
    return false;
}

/* The lines that put a card's points on it, and what it paid. */
static int
card_make (const struct order_record *record, const struct card_effect *effect, struct arena *arena,
           struct original_points *points, struct error *err)
{
    const struct order *order = &record->order;
    uint32_t *lines = arena_array_of (arena, order->line_count + 1, uint32_t);
    if (lines == NULL)
        return out_of_memory (err);
    points->lines = lines;
    if (!sold_by (record, effect, lines, points))
        for (uint32_t i = 0; i < order->line_count; i++)
            if (order->lines[i].has_card && order->lines[i].card.card_id == effect->card_id &&
                order->lines[i].qty_micro > 0)
                lines[points->line_count++] = (uint32_t)sold_line (order, i);
    for (uint32_t i = 0; i < record->evaluation.discount_count; i++) {
        const struct discount *payment = &record->evaluation.discounts[i];
        if (payment->layer == LAYER_PAYMENT && payment->card_id == effect->card_id)
            points->paid_minor += payment->amount_minor;
    }
    return 0;
}

static int
points_make (const struct order_record *record, struct arena *arena, struct original *original, struct error *err)
{
    original->points = arena_array_of (arena, record->effect_count, struct original_points);
    if (original->points == NULL)
        return out_of_memory (err);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        int32_t *lots = arena_array_of (arena, effect->lot_count, int32_t);
        uint32_t use_count;
        const struct lot_use *uses = card_effect_uses (effect, arena, &use_count);
        if (lots == NULL || uses == NULL)
            return out_of_memory (err);
        for (uint32_t lot = 0; lot < effect->lot_count; lot++)
            lots[lot] = effect->lots[lot].lot_no;
        original->points[original->points_count++] =
            (struct original_points){ .card_id = effect->card_id,
                                      .program_id = effect->program_id,
                                      .earned = effect->earned,
                                      .earned_lot_count = effect->lot_count,
                                      .earned_lots = lots,
                                      .redeemed = effect->redeemed + effect->owed,
                                      .use_count = use_count,
                                      .uses = uses };
        if (card_make (record, effect, arena, &original->points[original->points_count - 1], err) != 0)
            return -1;
    }
    return 0;
}

static bool
is_of (const struct order_record *refund, uint32_t index, const struct original *original)
{
    return index < refund->refund.original_count &&
           str_equal (refund->refund.originals[index].order_id, original->order_id);
}

static int
part_add (struct original *original, const struct record_part *part, struct error *err)
{
    for (uint32_t i = 0; i < original->line_count; i++) {
        struct original_line *line = &original->lines[i];
        int64_t *taxes = (int64_t *)line->refunded_taxes_minor; /* made in lines_make */
        if (!str_equal (line->line_id, part->line_id))
            continue;
        if (part->qty_micro <= 0 || part->qty_micro > line->qty_micro - line->refunded_qty_micro ||
            part->tax_count != line->tax_count ||
            __builtin_add_overflow (line->refunded_net_minor, part->net_minor, &line->refunded_net_minor) ||
            __builtin_add_overflow (line->refunded_untaxed_minor, part->untaxed_minor, &line->refunded_untaxed_minor))
            return contradiction (original, err);
        line->refunded_qty_micro += part->qty_micro;
        for (uint32_t tax = 0; tax < part->tax_count; tax++)
            if (part->taxes[tax].tax_id != line->taxes[tax].tax_id ||
                __builtin_add_overflow (taxes[tax], part->taxes[tax].amount_minor, &taxes[tax]))
                return contradiction (original, err);
        return 0;
    }
    return contradiction (original, err);
}

static int
points_add (struct original *original, const struct record_points *taken, struct error *err)
{
    for (uint32_t i = 0; i < original->points_count; i++) {
        struct original_points *points = &original->points[i];
        if (points->card_id != taken->card_id)
            continue;
        if (taken->take_back < 0 || taken->take_back > points->earned - points->taken_back || taken->give_back < 0 ||
            taken->give_back > points->redeemed - points->given_back)
            return contradiction (original, err);
        points->taken_back += taken->take_back;
        points->given_back += taken->give_back;
        points->paid_back_minor += taken->paid_back_minor;
        return 0;
    }
    return contradiction (original, err);
}

int
refund_original_from_records (const struct order_record *order, const struct order_record *const *refunds,
                              uint32_t refund_count, unsigned digits, struct arena *arena, struct original *original,
                              struct error *err)
{
    *original = (struct original){ .order_id = order->order.order_id,
                                   .order_ref = order->order_ref,
                                   .has_partner = order->order.has_partner,
                                   .partner_id = order->order.partner_id };
    if (lines_make (order, digits, arena, original, err) != 0 || points_make (order, arena, original, err) != 0)
        return -1;
    for (uint32_t i = 0; i < refund_count; i++) {
        const struct record_refund *refund = &refunds[i]->refund;
        for (uint32_t part = 0; part < refund->part_count; part++)
            if (is_of (refunds[i], refund->parts[part].original, original) &&
                part_add (original, &refund->parts[part], err) != 0)
                return -1;
        for (uint32_t at = 0; at < refund->points_count; at++)
            if (is_of (refunds[i], refund->points[at].original, original) &&
                points_add (original, &refund->points[at], err) != 0)
                return -1;
    }
    return 0;
}
