/* discount.c - what percentages, sums, points turned into money and payments take off (rules 10, 11, 13, 17, 26). */
#include "domain/filter.h"
#include "domain/reward.h"

/* What a discount is about: the lines, what is left of them together, and what percentages are taken of, in so many parts
 * of a minor unit: a unit of 10.00 / 3 is not rounded before its percentage is. */
struct reach {
    struct base base;
    int64_t left;
    int128 of;
    int64_t parts;
};

static int64_t
smaller (int128 a, int64_t b)
{
    return a < b ? (int64_t)a : b;
}

/* What a line cost before discounts, of its units that are not free. */
static int64_t
first_worth (const struct work *work, uint32_t line)
{
    const struct work_line *of = &work->lines[line];
    if (work->free_micro[line] == 0)
        return of->discountable;
    return (int64_t)div_round ((int128)of->discountable * units_left (work, line), of->order->qty_micro);
}

/* The lines that the reward names: of the whole order, also what is given back. */
static struct reach
reach_lines (struct work *work, const struct reward *reward, bool initial)
{
    bool whole = reward->applicability == APPLY_ORDER;
    bool all = whole && !filter_names (&reward->filter) && !filter_excludes (&reward->filter);
    if (all && !work->gave_free)
        return (struct reach){ { work->line_count, work->all_lines, work->left, NULL },
                               work->left_sum,
                               initial ? work->first_left_sum : work->left_sum,
                               1 };
    struct reach reach = { .base = { 0, work->base_lines, work->left, NULL }, .parts = 1 };
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        if (line->discountable == 0 || (!whole && line->order->is_covered_return) ||
            (!all && !filter_fits (&reward->filter, line->order)))
            continue;
        work->base_lines[reach.base.count++] = i;
        reach.left += work->left[i];
        reach.of += initial ? first_worth (work, i) : work->left[i];
    }
    return reach;
}

/* One unit of the cheapest line; what is less than a unit, whole. */
static int
reach_cheapest (struct work *work, const struct reward *reward, bool initial, struct reach *reach)
{
    const uint32_t *lines = units_cheapest (work);
    if (lines == NULL)
        return -1;
    *reach = (struct reach){ .base = { 0, work->base_lines, work->worth, work->units }, .parts = 1 };
    for (uint32_t i = 0; i < work->line_count; i++) {
        uint32_t line = lines[i];
        if (!units_can_go (work, line) || !filter_fits (&reward->filter, work->lines[line].order))
            continue;
        int64_t units = smaller (units_left (work, line), MICRO);
        work->base_lines[reach->base.count++] = line;
        work->units[line] = units;
        work->worth[line] = reach->left = units_worth (work, line, units);
        reach->of = (int128)(initial ? work->lines[line].discountable : work->left[line]) * units;
        reach->parts = initial ? work->lines[line].order->qty_micro : units_left (work, line);
        return 0;
    }
    return 0;
}

/* Points that a per_point reward may turn into money: whole multiples (a payment: all of them), or fewer if the claim
 * says so (but not where everything is spent in any case). */
static int64_t
convertible_points (const struct entry *entry, int64_t usable)
{
    int64_t unit = entry->layer == LAYER_PAYMENT ? 1 : entry->reward->required_points;
    int64_t points = usable / unit * unit;
    bool limited = entry->points_limit > 0 && !entry->reward->clear_wallet;
    return limited && entry->points_limit < points ? entry->points_limit : points;
}

static int128
percent_of (int128 of, int64_t parts, int64_t percent_micro)
{
    return div_round (of * percent_micro, (int128)parts * PERCENT_ONE);
}

/* What the reward is worth before caps, where percentages are of `of`, in so many parts of a minor unit. */
static int128
full_value (const struct work *work, const struct entry *entry, int128 of, int64_t parts, int64_t usable)
{
    const struct reward *reward = entry->reward;
    switch (reward->mode) {
    case DISCOUNT_PERCENT:
        return percent_of (of, parts, reward->discount_micro);
    case DISCOUNT_PER_ORDER:
        return reward->discount_micro / decimal_power (MICRO_DIGITS - work->digits);
    case DISCOUNT_PER_POINT:
        return div_down ((int128)convertible_points (entry, usable) * reward->discount_micro,
                         decimal_power (POINTS_DIGITS + MICRO_DIGITS - work->digits));
    }
    return 0;
}

/* The percentages of the steps, one after another on what is left of `of`; each at most what is left of `most`. */
static void
step_values (const struct reward *reward, int128 of, int64_t parts, int64_t most, struct offer *offer)
{
    for (uint32_t s = 0; s < reward->step_count && s < REWARD_STEPS_MAX; s++) {
        int64_t value = smaller (percent_of (of, parts, reward->step_percent_micro[s]), most);
        if (value <= 0)
            continue;
        offer->steps_minor[offer->step_count++] = value;
        of -= (int128)value * parts;
        most -= value;
    }
}

static int64_t
points_of_money (const struct work *work, const struct reward *reward, int64_t amount, int64_t usable)
{
    return smaller (div_round ((int128)amount * decimal_power (POINTS_DIGITS + MICRO_DIGITS - work->digits),
                               reward->discount_micro),
                    usable);
}

int
discount_offer (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer)
{
    const struct reward *reward = entry->reward;
    bool steps = reward->type == REWARD_MULTIPLE_DISCOUNT;
    bool initial = entry->program->discount_base == BASE_INITIAL;
    struct reach reach = { .left = work->total, .of = work->total, .parts = 1 };
    if (entry->layer != LAYER_PAYMENT) {
        if (reward->applicability != APPLY_CHEAPEST)
            reach = reach_lines (work, reward, initial);
        else if (reach_cheapest (work, reward, initial, &reach) < 0)
            return -1;
    }
    int64_t most = smaller (reach.left, work->total);
    if (reward->max_amount_minor > 0)
        most = smaller (most, reward->max_amount_minor);
    most = smaller (most, limit_budget_left (work, entry->program));
    offer->base = reach.base;
    if (steps) {
        step_values (reward, reach.of, reach.parts, most, offer);
    } else {
        int64_t amount = smaller (full_value (work, entry, reach.of, reach.parts, usable), most);
        offer->step_count = amount > 0;
        offer->steps_minor[0] = amount;
    }
    for (uint32_t s = 0; s < offer->step_count; s++)
        offer->saving_minor += offer->steps_minor[s];
    offer->least_cost = !steps && reward->mode == DISCOUNT_PER_POINT
                            ? points_of_money (work, reward, offer->saving_minor, usable)
                            : reward->required_points;
    return 0;
}
