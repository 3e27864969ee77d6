/* order_parts.c - see order_parts.h. */
#include "render/order_parts.h"
#include "wire/msgpack.h"

void
order_money (const struct renderer *to, const char *name, int64_t minor)
{
    wire_write_cstr (to->out, name);
    wire_write_decimal (to->out, to->sign * minor, to->digits, to->digits);
}

static void
quantity (const struct renderer *to, const char *name, int64_t micro)
{
    wire_write_cstr (to->out, name);
    wire_write_decimal (to->out, to->sign * micro, MICRO_DIGITS, 0);
}

static void
list (const struct renderer *to, const char *name, uint32_t count)
{
    wire_write_cstr (to->out, name);
    wire_write_array (to->out, count);
}

void
order_taxes (const struct renderer *to, uint32_t count, const struct tax_amount *amounts)
{
    list (to, "taxes", count);
    for (uint32_t i = 0; i < count; i++) {
        wire_write_map (to->out, 2);
        render_int (to->out, "tax_id", amounts[i].tax_id);
        order_money (to, "amount", amounts[i].amount_minor);
    }
}

/* Free units of a sale come on a line of their own, at full discount: the engine knows no list prices (rule 14). */
static void
added_line (const struct renderer *to, const struct discount *discount)
{
    static const char *const figures[] = { "amount_untaxed", "amount_tax", "amount_total", "discount" };
    wire_write_map (to->out, 7);
    render_nil (to->out, "line_id");
    render_int (to->out, "product_id", discount->free_product_id);
    quantity (to, "qty", discount->free_qty_micro);
    for (unsigned f = 0; f < sizeof figures / sizeof *figures; f++)
        order_money (to, figures[f], 0);
}

void
order_lines (const struct renderer *to)
{
    const struct order *order = &to->record->order;
    const struct evaluation *evaluation = &to->record->evaluation;
    uint32_t added = 0;
    for (uint32_t i = 0; i < evaluation->discount_count; i++)
        added += evaluation->discounts[i].free_qty_micro != 0;
    list (to, "lines", order->line_count + added);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        const struct line_result *result = &to->record->evaluation.lines[i];
        wire_write_map (to->out, 7);
        render_text (to->out, "line_id", line->line_id);
        render_int (to->out, "product_id", line->product_id);
        quantity (to, "qty", line->qty_micro);
        order_money (to, "amount_untaxed", result->net_untaxed_minor);
        order_money (to, "amount_tax", result->net_tax_minor);
        order_money (to, "amount_total", result->net_minor);
        order_money (to, "discount", result->discount_minor);
    }
    for (uint32_t i = 0; i < evaluation->discount_count; i++)
        if (evaluation->discounts[i].free_qty_micro != 0)
            added_line (to, &evaluation->discounts[i]);
}

static void
discount_parts (const struct renderer *to, const struct discount *discount)
{
    const struct order *order = &to->record->order;
    bool added = discount->free_qty_micro != 0;
    list (to, "lines", discount->part_count + added);
    if (added) {
        wire_write_map (to->out, 4);
        render_nil (to->out, "line_id");
        render_int (to->out, "product_id", discount->free_product_id);
        quantity (to, "qty", discount->free_qty_micro);
        order_money (to, "amount", 0);
    }
    for (uint32_t i = 0; i < discount->part_count; i++) {
        const struct discount_part *part = &discount->parts[i];
        const struct order_line *line = &order->lines[part->line];
        wire_write_map (to->out, 4);
        render_text (to->out, "line_id", line->line_id);
        render_int (to->out, "product_id", line->product_id);
        quantity (to, "qty", part->qty_micro);
        order_money (to, "amount", part->amount_minor);
    }
}

/* The card that paid for a discount; a new card's number is known only when it was made. */
static int64_t
card_of_discount (const struct renderer *to, const struct discount *discount)
{
    if (discount->card_id != 0)
        return discount->card_id;
    for (uint32_t i = 0; i < to->record->effect_count; i++)
        if (to->record->effects[i].program_id == discount->program_id && to->record->effects[i].is_created)
            return to->record->effects[i].card_id;
    return 0;
}

static void
card_id (const struct renderer *to, int64_t id)
{
    if (id > 0)
        render_int (to->out, "card_id", id);
    else
        render_nil (to->out, "card_id");
}

static void
id_or_nil (const struct renderer *to, const char *name, int64_t id)
{
    if (id != 0)
        render_int (to->out, name, id);
    else
        render_nil (to->out, name);
}

void
order_discount_head (const struct renderer *to, const struct discount *discount)
{
    render_text (to->out, "layer", str_of (LAYER_NAMES[discount->layer]));
    render_int (to->out, "program_id", discount->program_id);
    id_or_nil (to, "rule_id", discount->rule_id);
    render_int (to->out, "reward_id", discount->reward_id);
    card_id (to, card_of_discount (to, discount));
    if (discount->code.size > 0)
        render_text (to->out, "code", discount->code);
    else
        render_nil (to->out, "code");
    render_points (to->out, "points_cost", to->sign * discount->points_cost);
    order_money (to, "amount", discount->amount_minor);
}

void
order_discounts (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    list (to, "discounts", evaluation->discount_count);
    for (uint32_t i = 0; i < evaluation->discount_count; i++) {
        const struct discount *discount = &evaluation->discounts[i];
        wire_write_map (to->out, ORDER_DISCOUNT_FIELDS + 2);
        order_discount_head (to, discount);
        discount_parts (to, discount);
        order_taxes (to, discount->tax_count, discount->taxes);
    }
}

void
order_claims (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    const struct order *order = &to->record->order;
    list (to, "claims", evaluation->claim_count);
    for (uint32_t i = 0; i < evaluation->claim_count; i++) {
        const struct claim_result *result = &evaluation->claims[i];
        wire_write_map (to->out, 9);
        render_int (to->out, "index", i);
        render_bool (to->out, "ok", result->ok);
        if (i < order->claim_count && order->claims[i].code.size > 0)
            render_text (to->out, "code", order->claims[i].code);
        else
            render_nil (to->out, "code");
        render_int (to->out, "program_id", result->program_id);
        render_int (to->out, "reward_id", result->reward_id);
        if (result->ok) {
            render_nil (to->out, "reason");
            render_nil (to->out, "text");
        } else {
            render_text (to->out, "reason", str_of (REASON_NAMES[result->reason]));
            render_text (to->out, "text", str_of (result->text));
        }
        if (result->discount >= 0)
            render_int (to->out, "discount", result->discount);
        else
            render_nil (to->out, "discount");
        if (result->replaced)
            render_int (to->out, "replaced_by", result->replaced_by);
        else
            render_nil (to->out, "replaced_by");
    }
}

int64_t
order_earned (const struct card_effect *effect)
{
    return effect->earned - effect->taken_back;
}

int64_t
order_redeemed (const struct card_effect *effect)
{
    return effect->redeemed - effect->given_back;
}

void
order_points (const struct renderer *to, bool changes)
{
    const struct order_record *record = to->record;
    list (to, "points", record->effect_count);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        wire_write_map (to->out, 7 + changes);
        card_id (to, effect->card_id);
        render_int (to->out, "program_id", effect->program_id);
        render_points (to->out, "earned", order_earned (effect));
        render_points (to->out, "redeemed", order_redeemed (effect));
        render_points (to->out, "balance", effect->balance);
        render_points (to->out, "debt", effect->debt);
        render_time (to->out, "expires", effect->lot_count > 0 ? effect->lots[0].expires : INSTANT_NEVER);
        if (changes)
            render_points (to->out, "change", effect->change);
    }
}

void
order_cards (const struct renderer *to)
{
    const struct order_record *record = to->record;
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->effect_count; i++)
        count += record->effects[i].is_created;
    list (to, "cards", count);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        if (!effect->is_created)
            continue;
        wire_write_map (to->out, 5);
        card_id (to, effect->card_id);
        render_int (to->out, "program_id", effect->program_id);
        if (effect->code.size > 0)
            render_text (to->out, "code", effect->code);
        else
            render_nil (to->out, "code");
        render_points (to->out, "points", effect->balance);
        render_time (to->out, "expires", effect->lot_count > 0 ? effect->lots[0].expires : INSTANT_NEVER);
    }
}

static void
referral (const struct renderer *to, const struct referral_result *result, int64_t points)
{
    if (result->points == 0)
        return;
    wire_write_map (to->out, 3);
    card_id (to, result->card_id);
    render_int (to->out, "program_id", result->program_id);
    render_points (to->out, "points", points);
}

/* Points for the owner of a referral code, and those that are taken back of one. */
void
order_referrals (const struct renderer *to)
{
    const struct order_record *record = to->record;
    const struct referral_result *own = &record->evaluation.referral;
    uint32_t count = own->points != 0;
    for (uint32_t i = 0; i < record->refund.original_count; i++)
        count += record->refund.originals[i].referral.points != 0;
    list (to, "referrals", count);
    referral (to, own, to->sign * own->points);
    for (uint32_t i = 0; i < record->refund.original_count; i++)
        referral (to, &record->refund.originals[i].referral, -to->sign * record->refund.originals[i].referral.points);
}

/* `needed` and `missing` are units, money or points, as the kind says. */
void
order_hints (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    list (to, "hints", evaluation->hint_count);
    for (uint32_t i = 0; i < evaluation->hint_count; i++) {
        const struct hint *hint = &evaluation->hints[i];
        const unsigned scales[] = { MICRO_DIGITS, to->digits, POINTS_DIGITS }; /* by kind */
        unsigned scale = scales[hint->kind], least = hint->kind == HINT_MINIMUM_QTY ? 0 : scale;
        wire_write_map (to->out, 6);
        render_text (to->out, "kind", str_of (HINT_NAMES[hint->kind]));
        render_int (to->out, "program_id", hint->program_id);
        id_or_nil (to, "rule_id", hint->rule_id);
        id_or_nil (to, "reward_id", hint->reward_id);
        wire_write_cstr (to->out, "needed");
        wire_write_decimal (to->out, hint->needed, scale, least);
        wire_write_cstr (to->out, "missing");
        wire_write_decimal (to->out, hint->missing, scale, least);
    }
}

void
order_warnings (const struct renderer *to)
{
    const struct order_record *record = to->record;
    list (to, "warnings", record->evaluation.warning_count);
    for (uint32_t i = 0; i < record->evaluation.warning_count; i++) {
        const struct warning *warning = &record->evaluation.warnings[i];
        bool has_line = warning->kind == WARNING_UNKNOWN_PRODUCT && warning->line < record->order.line_count;
        wire_write_map (to->out, 4);
        render_text (to->out, "kind", str_of (WARNING_NAMES[warning->kind]));
        render_text (to->out, "text", str_of (warning->text));
        if (has_line) {
            render_text (to->out, "line_id", record->order.lines[warning->line].line_id);
            render_int (to->out, "product_id", record->order.lines[warning->line].product_id);
        } else {
            render_nil (to->out, "line_id");
            render_nil (to->out, "product_id");
        }
    }
}

void
order_rejected (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    list (to, "rejected", evaluation->rejection_count);
    for (uint32_t i = 0; i < evaluation->rejection_count; i++) {
        const struct rejection *rejection = &evaluation->rejections[i];
        wire_write_map (to->out, 5);
        render_int (to->out, "program_id", rejection->program_id);
        render_int (to->out, "rule_id", rejection->rule_id);
        render_int (to->out, "reward_id", rejection->reward_id);
        render_text (to->out, "reason", str_of (REASON_NAMES[rejection->reason]));
        render_text (to->out, "text", str_of (rejection->text));
    }
}

/* Points that went back to their lots, and those that should have been taken back and were not there. */
static void
points_returned (const struct renderer *to)
{
    static const char *const BECAME[] = { "debt", "refused", "forgiven" };
    const struct order_record *record = to->record;
    uint32_t restored = 0, short_of = 0;
    for (uint32_t i = 0; i < record->effect_count; i++) {
        restored += record->effects[i].given_back > 0;
        short_of += record->effects[i].missing > 0;
    }
    list (to, "restored", restored);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        if (record->effects[i].given_back <= 0)
            continue;
        wire_write_map (to->out, 2);
        card_id (to, record->effects[i].card_id);
        render_points (to->out, "points", record->effects[i].given_back);
    }
    list (to, "shortfall", short_of);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        if (record->effects[i].missing <= 0)
            continue;
        wire_write_map (to->out, 3);
        card_id (to, record->effects[i].card_id);
        render_points (to->out, "points", record->effects[i].missing);
        render_text (to->out, "became", str_of (BECAME[record->effects[i].shortfall]));
    }
}

static void
give_back_to_card (const struct renderer *to, int64_t id, int64_t minor)
{
    wire_write_map (to->out, 3);
    render_text (to->out, "to", STR ("card"));
    card_id (to, id);
    wire_write_cstr (to->out, "amount");
    wire_write_decimal (to->out, minor, to->digits, to->digits);
}

/* Money goes back by the way it came: to the cards that paid (of a cancelled order: all that they paid), the rest as it was paid. */
static void
give_back (const struct renderer *to, int64_t rest_minor)
{
    const struct order_record *record = to->record;
    const struct evaluation *evaluation = &record->evaluation;
    bool cancelled = record->kind == RECORD_CANCEL;
    uint32_t count = rest_minor > 0;
    for (uint32_t i = 0; i < evaluation->discount_count && cancelled; i++)
        count += evaluation->discounts[i].layer == LAYER_PAYMENT;
    for (uint32_t i = 0; i < record->refund.points_count; i++)
        count += record->refund.points[i].paid_back_minor > 0;
    list (to, "give_back", count);
    for (uint32_t i = 0; i < evaluation->discount_count && cancelled; i++)
        if (evaluation->discounts[i].layer == LAYER_PAYMENT)
            give_back_to_card (to, evaluation->discounts[i].card_id, evaluation->discounts[i].amount_minor);
    for (uint32_t i = 0; i < record->refund.points_count; i++)
        if (record->refund.points[i].paid_back_minor > 0)
            give_back_to_card (to, record->refund.points[i].card_id, record->refund.points[i].paid_back_minor);
    if (rest_minor <= 0)
        return;
    wire_write_map (to->out, 2);
    render_text (to->out, "to", STR ("payment"));
    wire_write_cstr (to->out, "amount");
    wire_write_decimal (to->out, rest_minor, to->digits, to->digits);
}

void
order_returned (const struct renderer *to)
{
    const struct order_record *record = to->record;
    int64_t back = -to->sign * record->evaluation.total_minor;
    points_returned (to);
    list (to, "uncovered", record->refund.uncovered_count);
    for (uint32_t i = 0; i < record->refund.uncovered_count; i++) {
        const struct refund_uncovered *uncovered = &record->refund.uncovered[i];
        wire_write_map (to->out, 3);
        render_text (to->out, "line_id", record->order.lines[uncovered->line].line_id);
        render_int (to->out, "product_id", record->order.lines[uncovered->line].product_id);
        wire_write_cstr (to->out, "qty");
        wire_write_decimal (to->out, uncovered->qty_micro, MICRO_DIGITS, 0);
    }
    give_back (to, back);
}

/* Whether a card is the order's member's own: not a bearer's that was shown, nor that of the buyer whose goods somebody
 * else brings back. Cards that were there are among the order's; the others it made (a cancellation: its original did). */
static bool
is_members_own (const struct order_record *record, const struct card_effect *effect)
{
    const struct order *order = &record->order;
    for (uint32_t i = 0; i < order->card_count; i++)
        if (order->cards[i].card_id == effect->card_id)
            return order->cards[i].has_partner && order->cards[i].partner_id == order->partner_id;
    return effect->is_created || record->kind == RECORD_CANCEL;
}

const struct card_effect *
order_effect_of_program (const struct order_record *record, int64_t program_id)
{
    const struct card_effect *effects = record->effects;
    for (uint32_t i = 0; effects != NULL && i < record->effect_count; i++)
        if (effects[i].program_id == program_id && is_members_own (record, &effects[i]))
            return &effects[i];
    return NULL;
}

/* The effect on the member's primary card; without a member, on the first card that was touched. */
const struct card_effect *
order_primary_effect (const struct order_record *record)
{
    if (!record->order.has_partner)
        return record->effect_count > 0 ? &record->effects[0] : NULL;
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        if (record->evaluation.has_primary && effect->program_id == record->evaluation.primary_program_id &&
            is_members_own (record, effect))
            return effect;
    }
    return NULL;
}

bool
order_has_returns (const struct order_record *record)
{
    for (uint32_t i = 0; i < record->order.line_count; i++)
        if (record->order.lines[i].qty_micro < 0)
            return true;
    return record->kind != RECORD_PROCESS;
}

void
order_membership (const struct renderer *to)
{
    const struct record_membership *membership = &to->record->membership;
    if (!membership->is_kept) {
        render_nil (to->out, "membership");
        return;
    }
    /* Of a cancellation too these are figures after it, not of what it reversed. */
    const struct renderer as_they_are = { to->out, to->digits, 1, to->record };
    wire_write_cstr (to->out, "membership");
    wire_write_map (to->out, 5);
    render_int (to->out, "before", membership->before);
    render_int (to->out, "after", membership->after);
    order_money (&as_they_are, "spending", membership->spending_minor);
    if (membership->has_next)
        render_int (to->out, "next_level", membership->next_level);
    else
        render_nil (to->out, "next_level");
    if (membership->has_next)
        order_money (&as_they_are, "missing", membership->missing_minor);
    else
        render_nil (to->out, "missing");
}

void
order_head (const struct renderer *to)
{
    const struct order_record *record = to->record;
    const struct card_effect *primary = order_primary_effect (record);
    render_int (to->out, "catalog_version", record->catalog_version);
    render_bool (to->out, "late", record->is_late);
    order_money (to, "amount_untaxed", record->evaluation.untaxed_minor);
    order_money (to, "amount_tax", record->evaluation.tax_minor);
    order_money (to, "amount_total", record->evaluation.total_minor);
    render_points (to->out, "points_earned", primary != NULL ? order_earned (primary) : 0);
    render_points (to->out, "points_redeemed", primary != NULL ? order_redeemed (primary) : 0);
    if (record->membership.program_id != 0)
        primary = order_effect_of_program (record, record->membership.program_id);
    if (primary != NULL)
        render_points (to->out, "final_balance", primary->balance);
    else
        render_nil (to->out, "final_balance");
}
