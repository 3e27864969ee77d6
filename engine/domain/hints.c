/* hints.c - what is nearly reached: at least half of it is there. */
#include "domain/sort.h"
#include "domain/work.h"

static bool
is_near (int64_t needed, int64_t missing)
{
    return missing > 0 && needed > 0 && missing <= needed / 2;
}

/* By the part of it that is missing; then by program and reward. */
static int
compare_hints (const void *a, const void *b)
{
    const struct hint *x = a, *y = b;
    int128 left = (int128)x->missing * y->needed, right = (int128)y->missing * x->needed;
    if (left != right)
        return left < right ? -1 : 1;
    if (x->program_id != y->program_id)
        return compare_int64 (x->program_id, y->program_id);
    return x->reward_id != y->reward_id ? compare_int64 (x->reward_id, y->reward_id)
                                        : compare_int64 (x->rule_id, y->rule_id);
}

/* Keeps the nearest. */
static int
add_hint (struct work *work, const struct hint *hint)
{
    if (work->hints == NULL)
        work->hints = arena_array_of (work->arena, HINTS_MAX + 1, struct hint);
    if (work->hints == NULL)
        return work_exhausted (work);
    uint32_t at = work->hint_count;
    for (; at > 0 && compare_hints (hint, &work->hints[at - 1]) < 0; at--)
        work->hints[at] = work->hints[at - 1];
    work->hints[at] = *hint;
    if (work->hint_count < HINTS_MAX)
        work->hint_count++;
    return 0;
}

int
hint_minimum (struct work *work, const struct candidate *candidate)
{
    bool units = candidate->reason == REASON_MINIMUM_QTY;
    int64_t missing = candidate->needed - candidate->had;
    if ((!units && candidate->reason != REASON_MINIMUM_AMOUNT) || candidate->had < 0 ||
        !is_near (candidate->needed, missing))
        return 0;
    return add_hint (work, &(struct hint){ .kind = units ? HINT_MINIMUM_QTY : HINT_MINIMUM_AMOUNT,
                                           .program_id = candidate->program->id,
                                           .rule_id = candidate->failing != NULL ? candidate->failing->id : 0,
                                           .needed = candidate->needed,
                                           .missing = missing });
}

/* Rewards of the member's card, by what is on it in the end. */
static int
hint_points (struct work *work, const struct candidate *candidate)
{
    const struct purse *purse = &work->purses[candidate->purse];
    const struct program *program = candidate->program;
    if (candidate->destination != POINTS_TO_CARD || !candidate->earns)
        return 0;
    int64_t usable = purse_usable (purse, candidate->points) - purse->spent;
    for (uint32_t r = 0; r < program->reward_count; r++) {
        const struct reward *reward = &program->rewards[r];
        if (is_near (reward->required_points, reward->required_points - usable) &&
            add_hint (work, &(struct hint){ .kind = HINT_POINTS,
                                            .program_id = program->id,
                                            .reward_id = reward->id,
                                            .needed = reward->required_points,
                                            .missing = reward->required_points - usable }) < 0)
            return -1;
    }
    return 0;
}

int
hints_write (struct work *work, struct evaluation *out)
{
    for (uint32_t c = 0; c < work->candidate_count; c++)
        if (hint_points (work, &work->candidates[c]) < 0)
            return -1;
    out->hints = work->hints;
    out->hint_count = work->hint_count;
    return 0;
}
