/* tax_take.c - the tax in a part of a tax group's money that is taken off, and from which lines it goes (rule 12). */
#include "domain/tax.h"

/* What is being taken of one group: of each of its taxes, what should go and what went so far. */
struct taking {
    struct work *work;
    const struct tax_group *group;
    int128 targets[TAXES_PER_LINE_MAX], given[TAXES_PER_LINE_MAX];
    int128 *taken; /* of each of the order's taxes */
};

/* The taxes of the part: as from a price that includes them, but not more than is left of the group's; all of these, when
 * the part is all that is left of the group. (That the rest stays worth its tax, each line sees to for itself.) */
static void
set_targets (struct taking *taking, const uint32_t *members, uint32_t member_count, int64_t part, bool whole)
{
    const struct tax_group *group = taking->group;
    const struct work *work = taking->work;
    for (uint32_t k = 0; k < group->count; k++) {
        int128 left = 0;
        for (uint32_t m = 0; m < member_count; m++) {
            const struct work_line *line = &work->lines[members[m]];
            if (line->percent_at[k] != TAX_NONE)
                left += work->taxes[line->tax_first + line->percent_at[k]];
        }
        left = left < 0 ? 0 : left;
        taking->targets[k] = whole ? left
                                   : tax_clamp (tax_scaled ((int128)group->factors[k] * part,
                                                            (int128)FACTOR_ONE + group->factor_sum, work->fine),
                                                0, left);
    }
}

static void
move (struct taking *taking, uint32_t place, uint32_t k, int128 amount)
{
    taking->work->taxes[place] -= amount;
    taking->given[k] += amount;
    taking->taken[taking->work->slot_tax[place]] += amount;
}

/* Takes from one line what is wanted of each tax, within what it has, so that the rest of it (`rest` of its money)
 * stays worth the taxes that stay on it. `give_back`: a negative want puts back what the line can bear. */
static void
take_from_line (struct taking *taking, const struct work_line *line, int64_t rest, const int128 *wants, bool give_back)
{
    struct work *work = taking->work;
    const struct tax_group *group = taking->group;
    int128 slack = (int128)rest * work->fine;
    for (uint32_t k = 0; k < group->count; k++)
        slack -= line->percent_at[k] == TAX_NONE ? 0 : work->taxes[line->tax_first + line->percent_at[k]];
    for (uint32_t k = 0; k < group->count; k++) {
        uint32_t place = line->tax_first + line->percent_at[k];
        if (line->percent_at[k] == TAX_NONE || work->taxes[place] < 0)
            continue;
        int128 least = 0;
        if (give_back)
            least = tax_clamp (work->taxes[place] - work->first_fine[place], slack < 0 ? 0 : -slack, 0);
        int128 amount = tax_clamp (wants[k], least, work->taxes[place]);
        move (taking, place, k, amount);
        slack += amount;
    }
    for (uint32_t k = 0; k < group->count && slack < 0; k++) {
        uint32_t place = line->tax_first + line->percent_at[k];
        if (line->percent_at[k] == TAX_NONE || work->taxes[place] < 0)
            continue;
        int128 amount = tax_clamp (-slack, 0, work->taxes[place]);
        move (taking, place, k, amount);
        slack += amount;
    }
}

/* total × reached / whole, rounded, without leaving 128 bits. */
static int128
proportion (int128 total, int64_t reached, int64_t whole)
{
    return total / whole * reached + div_round (total % whole * reached, whole);
}

void
tax_take (struct work *work, const struct tax_group *group, const uint32_t *members, uint32_t member_count,
          const int64_t *shares, int64_t part, bool whole, int128 *taken)
{
    if (group->count == 0)
        return;
    struct taking taking = { .work = work, .group = group, .taken = taken };
    int128 wants[TAXES_PER_LINE_MAX] = { 0 };
    set_targets (&taking, members, member_count, part, whole);
    /* Over the lines as their shares add up, so that what they lose sums to the target; */
    int64_t reached = 0;
    for (uint32_t m = 0; m < member_count; m++) {
        if (shares[m] == 0)
            continue;
        reached += shares[m];
        for (uint32_t k = 0; k < group->count; k++)
            wants[k] = proportion (taking.targets[k], reached, part) - taking.given[k];
        take_from_line (&taking, &work->lines[members[m]], work->left[members[m]] - shares[m], wants, false);
    }
    /* then what a line's own bounds did not let it lose goes to others. */
    bool done = true;
    for (uint32_t k = 0; k < group->count; k++)
        done &= taking.given[k] == taking.targets[k];
    for (uint32_t m = 0; m < member_count && !done; m++) {
        if (shares[m] == 0)
            continue;
        for (uint32_t k = 0; k < group->count; k++)
            wants[k] = taking.targets[k] - taking.given[k];
        take_from_line (&taking, &work->lines[members[m]], work->left[members[m]] - shares[m], wants, true);
    }
}
