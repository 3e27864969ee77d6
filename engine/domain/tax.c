/* tax.c - what lines cost and what tax is in it (SEMANTICS 1), and the tax in a part that is taken off (rule 12).
 *
 * With U the untaxed amount, a percent tax is rate × (U + earlier taxes that affect it), which is factor × U
 * + extra: the factor comes from percent taxes alone and is the same for all lines of a group; the
 * extra comes from fixed taxes that affect it. U is what makes the price together with the included taxes:
 * U = (price − included fixed taxes − included extras) / (1 + included factors). Included taxes
 * are taken of that exact U; taxes on top are taken of what was rounded so far, as Odoo's tills do. */
#include "domain/tax.h"

#define RATE_MAX (10 * PERCENT_ONE) /* 1,000 % */

int
work_exhausted (struct work *work)
{
    return error_set (work->err, ERROR_INTERNAL, "the order needs more memory than a request may have");
}

int
work_refuse_line (struct work *work, uint32_t line, const char *field, const char *why)
{
    char path[64];
    struct text text = text_open (path, sizeof path);
    text_add (&text, "lines[");
    text_add_int (&text, line);
    text_add (&text, "]");
    if (field[0] != '\0' && field[0] != '.')
        text_add (&text, ".");
    text_add (&text, field);
    return error_field (work->err, ERROR_INVALID_REQUEST, path, "%s", why);
}

void *
work_grow (struct work *work, void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    uint32_t larger = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = arena_array (work->arena, larger, size);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy (grown, array, count * size);
    *capacity = larger;
    return grown;
}

struct warning *
work_warn (struct work *work, enum warning_kind kind)
{
    work->warnings =
        work_grow (work, work->warnings, work->warning_count, &work->warning_capacity, sizeof *work->warnings);
    if (work->warnings == NULL) {
        work_exhausted (work);
        return NULL;
    }
    struct warning *warning = &work->warnings[work->warning_count++];
    *warning = (struct warning){ .kind = kind };
    return warning;
}

/* The percent taxes of a line, in order. */
static uint32_t
percent_taxes (const struct order_line *line, const struct tax **taxes)
{
    uint32_t count = 0;
    for (uint32_t j = 0; j < line->tax_count; j++)
        if (line->taxes[j].type == TAX_PERCENT)
            taxes[count++] = &line->taxes[j];
    return count;
}

static bool
group_equals (const struct tax_group *group, const struct tax *const *taxes, uint32_t count)
{
    if (group->count != count)
        return false;
    for (uint32_t k = 0; k < count; k++) {
        const struct tax *a = group->taxes[k], *b = taxes[k];
        if (a != b && (a->id != b->id || a->amount_micro != b->amount_micro || a->included != b->included ||
                       a->affects_base != b->affects_base))
            return false;
    }
    return true;
}

static bool
group_factors (struct tax_group *group)
{
    int128 affecting = FACTOR_ONE, sum = 0, included = 0;
    for (uint32_t k = 0; k < group->count; k++) {
        int128 factor = div_round (affecting * group->taxes[k]->amount_micro, PERCENT_ONE);
        sum += factor;
        if (group->taxes[k]->included)
            included += factor;
        if (group->taxes[k]->affects_base)
            affecting += factor;
        if (sum > INT64_MAX / 2)
            return false;
        group->factors[k] = (int64_t)factor;
    }
    group->factor_sum = (int64_t)sum;
    group->included_sum = (int64_t)included;
    return true;
}

static int
line_group (struct work *work, uint32_t index, uint32_t *capacity)
{
    const struct tax *taxes[TAXES_PER_LINE_MAX];
    struct work_line *line = &work->lines[index];
    uint32_t count = percent_taxes (line->order, taxes);
    /* Neighbours mostly have the same taxes. */
    uint32_t likely = index > 0 ? work->lines[index - 1].group : 0;
    if (likely < work->group_count && group_equals (&work->groups[likely], taxes, count)) {
        line->group = likely;
        return 0;
    }
    for (uint32_t g = 0; g < work->group_count; g++)
        if (group_equals (&work->groups[g], taxes, count)) {
            line->group = g;
            return 0;
        }
    work->groups = work_grow (work, work->groups, work->group_count, capacity, sizeof *work->groups);
    if (work->groups == NULL)
        return work_exhausted (work);
    struct tax_group *group = &work->groups[work->group_count];
    group->count = count;
    memcpy (group->taxes, taxes, count * sizeof taxes[0]);
    if (!group_factors (group))
        return work_refuse_line (work, index, "taxes", "together they are out of range");
    line->group = work->group_count++;
    return 0;
}

static uint32_t
order_tax (struct work *work, int64_t id)
{
    for (uint32_t k = 0; k < work->tax_count; k++)
        if (work->tax_ids[k] == id)
            return k;
    work->tax_ids[work->tax_count] = id;
    return work->tax_count++;
}

static int
check_line (struct work *work, uint32_t index)
{
    const struct order_line *line = &work->order->lines[index];
    if (line->qty_micro == 0)
        return work_refuse_line (work, index, "qty", "must not be 0");
    if (line->discount_micro < 0 || line->discount_micro > PERCENT_ONE)
        return work_refuse_line (work, index, "discount", "must be from 0 to 100");
    if (line->tax_count > TAXES_PER_LINE_MAX)
        return work_refuse_line (work, index, "taxes", "more than 16");
    for (uint32_t j = 0; j < line->tax_count; j++) {
        const struct tax *tax = &line->taxes[j];
        if (tax->amount_micro < 0 || (tax->type == TAX_PERCENT && tax->amount_micro > RATE_MAX))
            return work_refuse_line (work, index, "taxes", "a percent tax must be from 0 to 1000");
        for (uint32_t k = 0; k < j; k++)
            if (line->taxes[k].id == tax->id)
                return work_refuse_line (work, index, "taxes", "the same tax twice");
    }
    return 0;
}

/* price × quantity less the line's own percent, rounded. */
static int
line_price (struct work *work, uint32_t index)
{
    struct work_line *line = &work->lines[index];
    int128 product = (int128)line->order->price_unit_micro * line->order->qty_micro;
    int128 divisor = decimal_power (2 * MICRO_DIGITS - work->digits);
    if (line->order->discount_micro != 0) {
        if (__builtin_mul_overflow (product, (int128)(PERCENT_ONE - line->order->discount_micro), &product))
            return work_refuse_line (work, index, "", "the amount is out of range");
        divisor *= PERCENT_ONE;
    }
    int128 price = div_round (product, divisor);
    if (price > AMOUNT_MAX || price < -AMOUNT_MAX)
        return work_refuse_line (work, index, "", "the amount is out of range");
    line->price = (int64_t)price;
    line->negative = line->price < 0 || (line->price == 0 && line->order->qty_micro < 0);
    return 0;
}

/* Per unit, whatever the unit's price; given back with a return, and with a negative price as Odoo does. */
static bool
fixed_tax (const struct work *work, const struct order_line *line, const struct tax *tax, int128 *fine)
{
    int128 product;
    if (__builtin_mul_overflow ((int128)tax->amount_micro * line->qty_micro, (int128)work->fine, &product))
        return false;
    *fine = div_round (product, decimal_power (2 * MICRO_DIGITS - work->digits));
    if (line->price_unit_micro < 0)
        *fine = -*fine;
    return true;
}

/* Fixed taxes into `fine`, and what those that affect later taxes add to each percent tax into `extra`
 * (10^-12 of a minor unit); *included: their sum where it is in the price. */
static bool
line_fixed_taxes (const struct work *work, const struct order_line *line, int128 *fine, int128 *extra, int128 *included)
{
    int128 affecting = 0;
    *included = 0;
    for (uint32_t j = 0; j < line->tax_count; j++) {
        const struct tax *tax = &line->taxes[j];
        extra[j] = 0;
        if (tax->type == TAX_FIXED) {
            if (!fixed_tax (work, line, tax, &fine[j]))
                return false;
            if (fine[j] > (int128)AMOUNT_MAX * work->fine || fine[j] < -(int128)AMOUNT_MAX * work->fine)
                return false;
            extra[j] = fine[j] * (FACTOR_ONE / work->fine);
        } else if (affecting != 0) {
            int128 product;
            if (__builtin_mul_overflow (affecting, (int128)tax->amount_micro, &product))
                return false;
            extra[j] = div_round (product, PERCENT_ONE);
        }
        if (tax->affects_base)
            affecting += extra[j];
        if (tax->included)
            *included += extra[j];
    }
    return true;
}

/* The line's taxes, fine; false when a figure is out of range. */
static bool
line_taxes (const struct work *work, const struct work_line *line, int128 *fine)
{
    const struct order_line *order = line->order;
    const struct tax_group *group = &work->groups[line->group];
    int128 extra[TAXES_PER_LINE_MAX], included_extra;
    if (!line_fixed_taxes (work, order, fine, extra, &included_extra))
        return false;
    int128 untaxed = (int128)line->price * work->fine, divisor = (int128)FACTOR_ONE + group->included_sum;
    for (uint32_t j = 0, k = 0; j < order->tax_count; j++) {
        const struct tax *tax = &order->taxes[j];
        if (tax->type == TAX_PERCENT) {
            int128 product = (int128)group->factors[k++] * line->price;
            if (!tax->included)
                continue;
            if (included_extra == 0 && extra[j] == 0) {
                fine[j] = tax_scaled (product, divisor, work->fine);
            } else {
                int128 net = (int128)line->price * FACTOR_ONE - included_extra;
                if (__builtin_mul_overflow (net, (int128)group->factors[k - 1], &product))
                    return false;
                fine[j] = div_round (div_round (product, divisor) + extra[j], FACTOR_ONE / work->fine);
            }
        }
        if (tax->included)
            untaxed -= fine[j];
    }
    int128 limit = (int128)AMOUNT_MAX * work->fine, base = untaxed;
    for (uint32_t j = 0; j < order->tax_count; j++) {
        const struct tax *tax = &order->taxes[j];
        if (tax->type == TAX_PERCENT && !tax->included)
            fine[j] = div_round (base * tax->amount_micro, PERCENT_ONE);
        if (fine[j] > limit || fine[j] < -limit)
            return false;
        if (tax->affects_base)
            base += fine[j];
        if (base > limit || base < -limit)
            return false;
    }
    return true;
}

/* Where the group's taxes stand among the line's. A covered return has the taxes of its original. */
static void
line_places (struct work *work, struct work_line *line)
{
    const struct order_line *order = line->order;
    const struct tax_group *group = &work->groups[line->group];
    for (uint32_t k = 0; k < group->count; k++) {
        line->percent_at[k] = TAX_NONE;
        for (uint32_t j = 0; j < line->tax_count; j++) {
            int64_t id = order->is_covered_return ? order->covered_taxes[j].tax_id : order->taxes[j].id;
            if (id == group->taxes[k]->id)
                line->percent_at[k] = (uint8_t)j;
        }
    }
    for (uint32_t j = 0; j < line->tax_count; j++)
        work->slot_tax[line->tax_first + j] =
            order_tax (work, order->is_covered_return ? order->covered_taxes[j].tax_id : order->taxes[j].id);
}

static bool
is_fixed (const struct order_line *line, int64_t tax_id)
{
    for (uint32_t j = 0; j < line->tax_count; j++)
        if (line->taxes[j].id == tax_id)
            return line->taxes[j].type == TAX_FIXED;
    return false;
}

/* A covered return costs what its original did. */
static void
line_covered (struct work *work, struct work_line *line)
{
    const struct order_line *order = line->order;
    line->negative = true;
    line->untaxed = order->covered_untaxed_minor;
    line->price = line->total = order->covered_untaxed_minor + order->covered_tax_minor;
    line->discountable = line->total;
    for (uint32_t j = 0; j < line->tax_count; j++) {
        int64_t amount = order->covered_taxes[j].amount_minor;
        work->first_taxes[line->tax_first + j] = amount;
        work->first_fine[line->tax_first + j] = (int128)amount * work->fine;
        if (is_fixed (order, order->covered_taxes[j].tax_id))
            line->discountable -= amount;
    }
    if (line->discountable > 0)
        line->discountable = 0;
}

static int
line_totals (struct work *work, uint32_t index)
{
    struct work_line *line = &work->lines[index];
    int64_t included = 0, on_top = 0, fixed = 0;
    for (uint32_t j = 0; j < line->tax_count; j++) {
        int64_t cents = work->first_taxes[line->tax_first + j];
        if (line->order->taxes[j].included)
            included += cents;
        else
            on_top += cents;
        if (line->order->taxes[j].type == TAX_FIXED)
            fixed += cents;
    }
    line->untaxed = line->price - included;
    line->total = line->price + on_top;
    if (line->total > AMOUNT_MAX || line->total < -AMOUNT_MAX)
        return work_refuse_line (work, index, "", "the amount is out of range");
    /* Lines worth zero are not discounted; nor where fixed taxes are more than the whole price. */
    line->discountable = line->total - fixed;
    if (line->price == 0 || (line->negative ? line->discountable > 0 : line->discountable < 0))
        line->discountable = 0;
    return 0;
}

static int
prepare_arrays (struct work *work)
{
    const struct order *order = work->order;
    uint32_t slots = 0;
    for (uint32_t i = 0; i < order->line_count; i++)
        slots += order->lines[i].is_covered_return ? order->lines[i].covered_tax_count : order->lines[i].tax_count;
    work->line_count = order->line_count;
    work->slot_count = slots;
    work->lines = arena_array_of (work->arena, order->line_count, struct work_line);
    work->tax_ids = arena_array_of (work->arena, slots, int64_t);
    work->slot_tax = arena_array_of (work->arena, slots, uint32_t);
    work->first_taxes = arena_array_of (work->arena, slots, int64_t);
    work->first_fine = arena_array_of (work->arena, slots, int128);
    work->taxes = arena_array_of (work->arena, slots, int128);
    work->left = arena_array_of (work->arena, order->line_count, int64_t);
    work->all_lines = arena_array_of (work->arena, order->line_count, uint32_t);
    if (work->lines == NULL || work->tax_ids == NULL || work->slot_tax == NULL || work->first_taxes == NULL ||
        work->first_fine == NULL || work->taxes == NULL || work->left == NULL || work->all_lines == NULL)
        return work_exhausted (work);
    return 0;
}

int
tax_prepare (struct work *work)
{
    uint32_t group_capacity = 0, place = 0;
    if (prepare_arrays (work) < 0)
        return -1;
    for (uint32_t i = 0; i < work->line_count; i++) {
        struct work_line *line = &work->lines[i];
        const struct order_line *order = &work->order->lines[i];
        line->order = order;
        line->tax_first = place;
        line->tax_count = order->is_covered_return ? order->covered_tax_count : order->tax_count;
        place += line->tax_count;
        work->all_lines[i] = i;
        if (check_line (work, i) < 0 || line_group (work, i, &group_capacity) < 0)
            return -1;
        line_places (work, line);
        if (order->is_covered_return) {
            line_covered (work, line);
            continue;
        }
        if (line_price (work, i) < 0)
            return -1;
        if (!line_taxes (work, line, work->first_fine + line->tax_first))
            return work_refuse_line (work, i, "taxes", "an amount is out of range");
        for (uint32_t j = 0; j < line->tax_count && work->fine == 1; j++)
            work->first_taxes[line->tax_first + j] = (int64_t)work->first_fine[line->tax_first + j];
    }
    if (work->fine != 1 && tax_round_for_order (work, work->first_fine, NULL, work->first_taxes) < 0)
        return -1;
    for (uint32_t i = 0; i < work->line_count; i++)
        if (!work->lines[i].order->is_covered_return && line_totals (work, i) < 0)
            return -1;
    return 0;
}
