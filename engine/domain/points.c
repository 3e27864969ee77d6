/* points.c - how many points the rules give, and whether they still hold, with the discounts applied so far (rules 3, 4, 7). */
#include "domain/filter.h"
#include "domain/work.h"

static int64_t
not_below_zero (int64_t value)
{
    return value > 0 ? value : 0;
}

/* Discounts that do not lower what a program counts as paid: payments, and its own (on the server those of any program of
 * its type). */
static bool
is_left_out (const struct work *work, const struct candidate *candidate, const struct applied *applied)
{
    const struct program *other = work->entries[applied->entry].program;
    return applied->discount.layer == LAYER_PAYMENT || other == candidate->program ||
           (work->order->channel == CHANNEL_SALE && other->type == candidate->program->type);
}

/* Whether a discount lowers the money that a rule counts. At the till what is free was not paid for, whoever gave it. */
static bool
lowers_money (const struct work *work, const struct candidate *candidate, const struct held_rule *held,
              const struct applied *applied)
{
    const struct entry *entry = &work->entries[applied->entry];
    if (applied->discount.layer != LAYER_FREE && candidate->program->earn_on == EARN_GROSS &&
        is_left_out (work, candidate, applied))
        return false;
    return held->whole || entry->layer != LAYER_DISCOUNT || entry->reward->applicability != APPLY_ORDER;
}

/* What discounts took off the money that a rule counts. */
static int64_t
discounts_on_rule (const struct work *work, const struct candidate *candidate, const struct held_rule *held)
{
    int64_t taken = 0;
    for (uint32_t d = 0; d < work->applied_count; d++) {
        const struct discount *discount = &work->applied[d].discount;
        if (!lowers_money (work, candidate, held, &work->applied[d]))
            continue;
        if (held->whole) {
            taken += discount->amount_minor;
            continue;
        }
        for (uint32_t p = 0; p < discount->part_count; p++)
            if (filter_fits (&held->rule->filter, work->lines[discount->parts[p].line].order))
                taken += discount->parts[p].amount_minor;
    }
    return taken;
}

int64_t
points_units (const struct work *work, const struct held_rule *held)
{
    int64_t units = held->tally.units_micro;
    for (uint32_t i = 0; work->gave_free && i < work->line_count; i++)
        if (work->free_micro[i] > 0 && filter_fits (&held->rule->filter, work->lines[i].order))
            units -= work->free_micro[i];
    return not_below_zero (units);
}

/* amount × count / divisor in hundredths of a point: halves away from zero at the till, down on the server. */
static int
add_points (struct work *work, const struct candidate *candidate, int128 product, int128 divisor, int64_t *points)
{
    if (candidate->multiplier_micro != MICRO) {
        if (__builtin_mul_overflow (product, candidate->multiplier_micro, &product))
            product = (int128)POINTS_MAX * divisor * MICRO + divisor * MICRO;
        divisor *= MICRO;
    }
    int128 rounded = work->order->channel == CHANNEL_POS ? div_round (product, divisor) : div_down (product, divisor);
    if (rounded + *points > POINTS_MAX)
        return error_field (work->err, ERROR_INVALID_REQUEST, "lines", "too many points in program %lld",
                            (long long)candidate->program->id);
    *points += (int64_t)rounded;
    return 0;
}

int
points_of_rule (struct work *work, const struct candidate *candidate, const struct held_rule *held, int64_t *points)
{
    const struct rule *rule = held->rule;
    const int64_t to_points = decimal_power (MICRO_DIGITS - POINTS_DIGITS);
    switch (rule->point_mode) {
    case POINTS_PER_ORDER:
        return add_points (work, candidate, rule->point_amount_micro, to_points, points);
    case POINTS_PER_UNIT:
        return add_points (work, candidate, (int128)rule->point_amount_micro * points_units (work, held),
                           (int128)to_points * MICRO, points);
    case POINTS_PER_MONEY:
        break;
    }
    int64_t paid = not_below_zero (held->tally.incl_minor - discounts_on_rule (work, candidate, held));
    return add_points (work, candidate, (int128)rule->point_amount_micro * paid,
                       decimal_power (work->digits + MICRO_DIGITS - POINTS_DIGITS), points);
}

int
points_of_unit (struct work *work, const struct candidate *candidate, const struct rule *rule, int64_t *points)
{
    return add_points (work, candidate, rule->point_amount_micro, decimal_power (MICRO_DIGITS - POINTS_DIGITS), points);
}

int
points_of_unit_on (struct work *work, const struct candidate *candidate, const struct held_rule *held, uint32_t line,
                   int64_t *points)
{
    int64_t paid_micro = work->lines[line].order->qty_micro - work->free_micro[line], money = work->lines[line].total;
    for (uint32_t d = 0; d < work->applied_count; d++) {
        const struct discount *discount = &work->applied[d].discount;
        if (!lowers_money (work, candidate, held, &work->applied[d]))
            continue;
        for (uint32_t p = 0; p < discount->part_count; p++)
            money -= discount->parts[p].line == line ? discount->parts[p].amount_minor : 0;
    }
    return add_points (work, candidate, (int128)held->rule->point_amount_micro * not_below_zero (money) * MICRO,
                       (int128)paid_micro * decimal_power (work->digits + MICRO_DIGITS - POINTS_DIGITS), points);
}

/* What discounts of other programs that were entered by code took of the money that a minimum is compared with. */
static int64_t
code_discounts (const struct work *work, const struct candidate *candidate, bool untaxed)
{
    int64_t taken = 0;
    for (uint32_t d = 0; d < work->applied_count; d++) {
        const struct applied *applied = &work->applied[d];
        const struct entry *entry = &work->entries[applied->entry];
        if (entry->program == candidate->program || !entry_by_code (entry) ||
            applied->discount.layer == LAYER_PAYMENT || applied->taken == NULL)
            continue;
        taken += applied->discount.amount_minor;
        int128 taxes = 0;
        for (uint32_t k = 0; k < work->tax_count && untaxed; k++)
            taxes += applied->taken[k];
        taken -= (int64_t)div_round (taxes, work->fine);
    }
    return taken;
}

static bool
still_holds (const struct work *work, const struct candidate *candidate, const struct held_rule *held, int64_t *had)
{
    if (work->code_count == 0 || !held->whole)
        return true;
    bool untaxed = held->rule->minimum_amount_tax_mode == TAX_MODE_EXCL;
    *had = (untaxed ? held->tally.excl_minor : held->tally.incl_minor) - code_discounts (work, candidate, untaxed);
    return *had >= held->rule->minimum_amount_minor;
}

enum reason
match_holds (const struct work *work, const struct candidate *candidate, int64_t *needed, int64_t *had)
{
    if (!candidate->holds) {
        *needed = candidate->needed;
        *had = candidate->had;
        return candidate->reason;
    }
    bool some = candidate->held_count == 0;
    enum reason reason = REASON_NONE;
    for (uint32_t r = 0; r < candidate->held_count; r++) {
        int64_t money = 0;
        if (still_holds (work, candidate, &candidate->held[r], &money)) {
            some = true;
            continue;
        }
        if (reason == REASON_NONE) {
            reason = REASON_MINIMUM_AMOUNT;
            *needed = candidate->held[r].rule->minimum_amount_minor;
            *had = money;
        }
    }
    return some && !candidate->needs_all ? REASON_NONE : reason;
}

/* Those of the rules that count for a claim and for all before it. */
static int
points_until (struct work *work, const struct candidate *candidate, int32_t claim, int64_t *points)
{
    int64_t needed, had;
    *points = 0;
    if (candidate->destination == POINTS_NONE || match_holds (work, candidate, &needed, &had) != REASON_NONE)
        return 0;
    for (uint32_t r = 0; r < candidate->held_count; r++)
        if (candidate->held[r].entered <= claim + 1 && still_holds (work, candidate, &candidate->held[r], &had) &&
            points_of_rule (work, candidate, &candidate->held[r], points) < 0)
            return -1;
    return 0;
}

/* What applies by itself stands before all claims, but is asked for when all codes are entered. */
static int32_t
last_claim (const struct work *work, const struct entry *entry)
{
    return entry->claim < 0 ? (int32_t)work->order->claim_count : entry->claim;
}

int
match_points (struct work *work, const struct candidate *candidate, int64_t *points)
{
    return points_until (work, candidate, (int32_t)work->order->claim_count, points);
}

int
match_points_of (struct work *work, const struct entry *entry, int64_t *points)
{
    return points_until (work, &work->candidates[entry->candidate], last_claim (work, entry), points);
}

int64_t
purse_usable (const struct purse *purse, int64_t points)
{
    if (purse->card == NULL)
        return purse->earns ? points : 0;
    int64_t owed = purse->card->debt < points ? purse->card->debt : points;
    return purse->card->usable + (purse->earns ? points - owed : 0);
}

int64_t
match_unit_points (const struct work *work, const struct entry *entry, uint32_t line)
{
    const struct candidate *candidate = &work->candidates[entry->candidate];
    int64_t points = 0;
    for (uint32_t r = 0; r < candidate->held_count; r++) {
        const struct held_rule *held = &candidate->held[r];
        if (held->entered <= last_claim (work, entry) + 1 && held->rule->point_mode == POINTS_PER_UNIT &&
            filter_fits (&held->rule->filter, work->lines[line].order))
            points += held->rule->point_amount_micro;
    }
    return points;
}
