/* reward_take.c - an amount split over tax groups, then over lines, and taken off them with its taxes (rule 12). */
#include "domain/reward.h"
#include "domain/sort.h"
#include "domain/tax.h"

/* The tax groups of the base's lines, by their first line, and what they are worth. */
static uint32_t
base_groups (struct work *work, const struct base *base)
{
    uint32_t count = 0;
    for (uint32_t b = 0; b < base->count; b++) {
        uint32_t line = base->lines[b], at = 0;
        if (base->worth[line] == 0)
            continue;
        while (at < count && work->base_groups[at] != work->lines[line].group)
            at++;
        if (at == count) {
            work->base_groups[count++] = work->lines[line].group;
            work->weights[at] = 0;
        }
        work->weights[at] += base->worth[line];
    }
    for (uint32_t g = 0; g < count; g++)
        work->weights[g] = work->weights[g] > 0 ? work->weights[g] : 0;
    return count;
}

/* Takes one group's part off its lines; the parts of lines are appended to the discount. */
static void
take_group (struct work *work, const struct base *base, uint32_t group, int64_t part, struct applied *applied,
            struct discount_part *parts)
{
    uint32_t count = 0;
    int64_t left = 0;
    /* Lines that are given back stand beside those that pay: in the group's taxes, not in the split. */
    for (uint32_t b = 0; b < base->count; b++) {
        uint32_t line = base->lines[b];
        if (work->lines[line].group != group || base->worth[line] == 0)
            continue;
        left += work->left[line];
        work->members[count] = line;
        work->weights[count++] = base->worth[line] > 0 ? base->worth[line] : 0;
    }
    split_by_largest_remainder (part, work->weights, count, work->shares, work->remainders);
    tax_take (work, &work->groups[group], work->members, count, work->shares, part, part == left, applied->taken);
    for (uint32_t m = 0; m < count; m++) {
        uint32_t line = work->members[m];
        if (work->shares[m] == 0)
            continue;
        work->left[line] -= work->shares[m];
        if (base->worth != work->left)
            base->worth[line] -= work->shares[m];
        parts[applied->discount.part_count++] = (struct discount_part){
            .line = line, .qty_micro = base->units != NULL ? base->units[line] : 0, .amount_minor = work->shares[m]
        };
    }
}

static int
compare_parts (const void *a, const void *b)
{
    const struct discount_part *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

int
reward_take (struct work *work, const struct base *base, int64_t amount, struct applied *applied)
{
    struct discount_part *parts = arena_array_of (work->arena, base->count, struct discount_part);
    if (parts == NULL)
        return work_exhausted (work);
    uint32_t group_count = base_groups (work, base);
    memcpy (work->group_left, work->weights, group_count * sizeof *work->group_left);
    split_by_largest_remainder (amount, work->group_left, group_count, work->parts, work->remainders);
    for (uint32_t g = 0; g < group_count; g++)
        if (work->parts[g] > 0)
            take_group (work, base, work->base_groups[g], work->parts[g], applied, parts);
    if (group_count > 1)
        sort_items (parts, applied->discount.part_count, sizeof *parts, compare_parts);
    applied->discount.parts = parts;
    work->left_sum -= amount;
    work->total -= amount;
    return 0;
}
