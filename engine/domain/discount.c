/* discount.c - what a discount takes off, from which lines, and for how many points (rules 9 to 12). */
#include "domain/filter.h"
#include "domain/sort.h"
#include "domain/tax.h"

bool
discount_is_order_wide (const struct reward *reward)
{
    return reward->type == REWARD_DISCOUNT && reward->applicability == APPLY_ORDER &&
           reward->mode != DISCOUNT_PER_POINT;
}

/* The lines that a discount is about, and what they are worth together (rule 11). */
struct base {
    uint32_t count;
    const uint32_t *lines;
    int64_t left, first; /* now; before all discounts */
};

static struct base
base_of (struct work *work, const struct reward *reward)
{
    if (reward->applicability == APPLY_ORDER)
        return (struct base){ work->line_count, work->all_lines, work->left_sum, work->first_left_sum };
    struct base base = { 0, work->base_lines, 0, 0 };
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        if (line->discountable == 0 || line->order->is_covered_return || !filter_fits (&reward->filter, line->order))
            continue;
        work->base_lines[base.count++] = i;
        base.left += work->left[i];
        base.first += line->discountable;
    }
    return base;
}

/* Usable now (rule 7): what the card has, and the order's points of the program so far, less what was spent. */
static int
usable_points (struct work *work, const struct entry *entry, int64_t *usable)
{
    const struct purse *purse = &work->purses[entry->purse];
    *usable = 0;
    if (purse->earns && match_points (work, &work->candidates[entry->candidate], usable) < 0)
        return -1;
    if (purse->card != NULL && purse->card->usable > INT64_MAX - *usable)
        return error_field (work->err, ERROR_INVALID_REQUEST, "cards", "card %lld has too many points",
                            (long long)purse->card->card_id);
    *usable += purse->card != NULL ? purse->card->usable : 0;
    *usable -= purse->spent;
    return 0;
}

/* Points that a per_point reward may turn into money: whole multiples, or fewer if the claim says so (but not where
 * everything is spent in any case). */
static int64_t
convertible_points (const struct entry *entry, int64_t usable)
{
    int64_t points = usable / entry->reward->required_points * entry->reward->required_points;
    bool limited = entry->points_limit > 0 && !entry->reward->clear_wallet;
    return limited && entry->points_limit < points ? entry->points_limit : points;
}

static int64_t
smaller (int128 a, int64_t b)
{
    return a < b ? (int64_t)a : b;
}

/* What the reward is worth before caps. */
static int128
full_value (const struct work *work, const struct entry *entry, const struct base *base, int64_t usable)
{
    const struct reward *reward = entry->reward;
    switch (reward->mode) {
    case DISCOUNT_PERCENT: {
        int64_t of = entry->program->discount_base == BASE_INITIAL ? base->first : base->left;
        return div_round ((int128)of * reward->discount_micro, PERCENT_ONE);
    }
    case DISCOUNT_PER_ORDER:
        return reward->discount_micro / decimal_power (MICRO_DIGITS - work->digits);
    case DISCOUNT_PER_POINT:
        return div_down ((int128)convertible_points (entry, usable) * reward->discount_micro,
                         decimal_power (POINTS_DIGITS + MICRO_DIGITS - work->digits));
    }
    return 0;
}

static void
gives_nothing (struct entry *entry, enum reason reason, int64_t needed, int64_t had)
{
    entry->reason = reason;
    entry->needed = needed;
    entry->had = had;
}

/* Value and cost of the reward where the order stands now; *value 0 with the entry's reason when it gives nothing. */
static int
appraise (struct work *work, struct entry *entry, const struct base *base, int64_t *value)
{
    const struct reward *reward = entry->reward;
    int64_t usable;
    *value = 0;
    if (usable_points (work, entry, &usable) < 0)
        return -1;
    if (usable < reward->required_points) {
        gives_nothing (entry, REASON_NOT_ENOUGH_POINTS, reward->required_points, usable > 0 ? usable : 0);
        return 0;
    }
    int64_t amount = smaller (full_value (work, entry, base, usable), base->left);
    if (reward->max_amount_minor > 0)
        amount = smaller (amount, reward->max_amount_minor);
    amount = smaller (amount, work->total);
    if (amount <= 0) {
        gives_nothing (entry, REASON_NOTHING_TO_DISCOUNT, 0, 0);
        return 0;
    }
    *value = amount;
    entry->least_cost = reward->required_points;
    if (reward->mode == DISCOUNT_PER_POINT)
        entry->least_cost =
            smaller (div_round ((int128)amount * decimal_power (POINTS_DIGITS + MICRO_DIGITS - work->digits),
                                reward->discount_micro),
                     usable);
    entry->cost = reward->clear_wallet ? usable : entry->least_cost;
    return 0;
}

int
discount_measure (struct work *work, struct entry *entry, int64_t *value)
{
    struct base base = base_of (work, entry->reward);
    return appraise (work, entry, &base, value);
}

/* The tax groups of the base's lines, by their first line, and what is left of each. */
static uint32_t
base_groups (struct work *work, const struct base *base)
{
    uint32_t count = 0;
    for (uint32_t b = 0; b < base->count; b++) {
        uint32_t line = base->lines[b], at = 0;
        if (work->left[line] == 0)
            continue;
        while (at < count && work->base_groups[at] != work->lines[line].group)
            at++;
        if (at == count) {
            work->base_groups[count++] = work->lines[line].group;
            work->weights[at] = 0;
        }
        work->weights[at] += work->left[line];
    }
    for (uint32_t g = 0; g < count; g++)
        work->weights[g] = work->weights[g] > 0 ? work->weights[g] : 0;
    return count;
}

/* Takes one group's part off its lines; the parts of lines are appended to the discount. */
static void
take_group (struct work *work, const struct base *base, uint32_t group, int64_t part, bool whole,
            struct applied *applied, struct discount_part *parts)
{
    uint32_t count = 0;
    /* Lines that are given back stand beside those that pay: in the group's taxes, not in the split. */
    for (uint32_t b = 0; b < base->count; b++)
        if (work->lines[base->lines[b]].group == group && work->left[base->lines[b]] != 0) {
            work->members[count] = base->lines[b];
            work->weights[count++] = work->left[base->lines[b]] > 0 ? work->left[base->lines[b]] : 0;
        }
    split_by_largest_remainder (part, work->weights, count, work->shares, work->remainders);
    tax_take (work, &work->groups[group], work->members, count, work->shares, part, whole, applied->taken);
    for (uint32_t m = 0; m < count; m++) {
        if (work->shares[m] == 0)
            continue;
        work->left[work->members[m]] -= work->shares[m];
        parts[applied->discount.part_count++] =
            (struct discount_part){ .line = work->members[m], .amount_minor = work->shares[m] };
    }
}

static int
compare_parts (const void *a, const void *b)
{
    const struct discount_part *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* Splits an amount that is not more than what is left of the base, and takes it off (rule 12). */
static int
take (struct work *work, const struct base *base, int64_t amount, struct applied *applied)
{
    struct discount_part *parts = arena_array_of (work->arena, base->count, struct discount_part);
    applied->taken = arena_array_of (work->arena, work->tax_count, int128);
    if (parts == NULL || applied->taken == NULL)
        return work_exhausted (work);
    uint32_t group_count = base_groups (work, base);
    int64_t *group_left = work->group_left;
    memcpy (group_left, work->weights, group_count * sizeof *group_left);
    split_by_largest_remainder (amount, group_left, group_count, work->parts, work->remainders);
    for (uint32_t g = 0; g < group_count; g++)
        if (work->parts[g] > 0)
            take_group (work, base, work->base_groups[g], work->parts[g], work->parts[g] == group_left[g], applied,
                        parts);
    if (group_count > 1)
        sort_items (parts, applied->discount.part_count, sizeof *parts, compare_parts);
    applied->discount.parts = parts;
    applied->discount.amount_minor = amount;
    work->left_sum -= amount;
    work->total -= amount;
    return 0;
}

int
discount_apply (struct work *work, uint32_t index)
{
    struct entry *entry = &work->entries[index];
    struct base base = base_of (work, entry->reward);
    int64_t amount;
    if (appraise (work, entry, &base, &amount) < 0)
        return -1;
    if (amount == 0)
        return 0;
    struct candidate *candidate = &work->candidates[entry->candidate];
    struct purse *purse = &work->purses[entry->purse];
    struct applied *applied = &work->applied[work->applied_count];
    *applied = (struct applied){ .entry = index };
    if (take (work, &base, amount, applied) < 0)
        return -1;
    applied->discount.layer = LAYER_DISCOUNT;
    applied->discount.program_id = entry->program->id;
    applied->discount.rule_id = candidate->rule != NULL ? candidate->rule->id : 0;
    applied->discount.reward_id = entry->reward->id;
    applied->discount.card_id = purse->card != NULL ? purse->card->card_id : 0;
    applied->discount.code = purse->card != NULL ? purse->card->code : (struct str){ NULL, 0 };
    applied->discount.automatic = entry->claim < 0;
    applied->discount.claim = entry->claim;
    entry->discount = (int32_t)work->applied_count++;
    purse->spent += entry->cost;
    return 0;
}
