/* tax_take.c - the tax in a part of a tax group's money that is taken off, and from which lines it goes (rule 12). */
#include "domain/tax.h"

/* What of each of the group's taxes goes with `part` of its money. */
static void
group_targets (const struct work *work, const struct tax_group *group, const uint32_t *members, uint32_t member_count,
               int64_t part, bool whole, int128 *targets)
{
    int128 left[TAXES_PER_LINE_MAX] = { 0 }, rest_worth = -(int128)part * work->fine, rest_tax = 0;
    for (uint32_t m = 0; m < member_count; m++) {
        const struct work_line *line = &work->lines[members[m]];
        rest_worth += (int128)work->left[members[m]] * work->fine;
        for (uint32_t k = 0; k < group->count; k++)
            if (line->percent_at[k] != TAX_NONE)
                left[k] += work->taxes[line->tax_first + line->percent_at[k]];
    }
    for (uint32_t k = 0; k < group->count; k++) {
        left[k] = left[k] < 0 ? 0 : left[k];
        targets[k] = left[k];
        if (!whole)
            targets[k] = tax_clamp (
                tax_scaled ((int128)group->factors[k] * part, (int128)FACTOR_ONE + group->factor_sum, work->fine), 0,
                left[k]);
        rest_tax += left[k] - targets[k];
    }
    /* Never so little that the rest would be worth less than its tax. */
    for (uint32_t k = 0; k < group->count && rest_tax > rest_worth; k++) {
        int128 more = tax_clamp (rest_tax - rest_worth, 0, left[k] - targets[k]);
        targets[k] += more;
        rest_tax -= more;
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
    int128 targets[TAXES_PER_LINE_MAX], given[TAXES_PER_LINE_MAX] = { 0 };
    int64_t reached = 0;
    if (group->count == 0)
        return;
    group_targets (work, group, members, member_count, part, whole, targets);
    /* Over the lines as their shares add up, so that the parts sum to the target; two more rounds
     * move what a line's own bounds did not let it have. */
    for (int round = 0; round < 3; round++) {
        bool done = round > 0;
        for (uint32_t k = 0; k < group->count && done; k++)
            done = given[k] == targets[k];
        if (done)
            break;
        reached = 0;
        for (uint32_t m = 0; m < member_count; m++) {
            const struct work_line *line = &work->lines[members[m]];
            if (shares[m] == 0)
                continue;
            reached += shares[m];
            /* What the rest of the line is worth, less the taxes that stay on it. */
            int128 slack = (int128)(work->left[members[m]] - shares[m]) * work->fine;
            for (uint32_t k = 0; k < group->count; k++)
                slack -= line->percent_at[k] == TAX_NONE ? 0 : work->taxes[line->tax_first + line->percent_at[k]];
            for (uint32_t k = 0; k < group->count; k++) {
                if (line->percent_at[k] == TAX_NONE)
                    continue;
                uint32_t place = line->tax_first + line->percent_at[k];
                int128 *left = &work->taxes[place];
                int128 want = (round == 0 ? proportion (targets[k], reached, part) : targets[k]) - given[k];
                /* In a later round a line may give some of what it took back, if it is worth its tax. */
                int128 least = round == 0 ? 0 : tax_clamp (*left - work->first_fine[place], slack < 0 ? 0 : -slack, 0);
                want = *left <= 0 ? 0 : tax_clamp (want, least, *left);
                *left -= want;
                slack += want;
                given[k] += want;
                taken[work->slot_tax[place]] += want;
            }
            for (uint32_t k = 0; k < group->count && slack < 0; k++) {
                if (line->percent_at[k] == TAX_NONE)
                    continue;
                uint32_t place = line->tax_first + line->percent_at[k];
                int128 more = tax_clamp (-slack, 0, work->taxes[place] < 0 ? 0 : work->taxes[place]);
                work->taxes[place] -= more;
                slack += more;
                given[k] += more;
                taken[work->slot_tax[place]] += more;
            }
        }
    }
}
