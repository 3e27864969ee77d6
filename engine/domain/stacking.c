/* stacking.c - the order in which rewards apply, which of them stay, and asking each again at the end (rules 24 and 25).
 *
 * A pass works the whole order: layer by layer, entry by entry as they were sorted (payments have no groups). An entry that gives nothing where it stands is passed over. One that was chosen
 * from a group and then gives nothing is refused, and the order worked again, so that its group is measured without
 * it. When all discounts are known, each is asked whether its program still holds and its points suffice: the last
 * that does not is refused for good, and the order is worked again from the start without it. */
#include "domain/work.h"

/* From so many passes on, what was refused stays refused, so that even a catalog of programs that all undo one
 * another needs no more passes than it has rewards. */
enum { FRESH_PASSES_MAX = 32 };

/* What a pass changes, to go back to: where a program's several rewards are measured together. */
struct snapshot {
    int64_t left_sum, total, paid;
    bool gave_free;
    uint32_t applied_count;
    int64_t *left, *free_micro, *set_micro;
    struct purse *purses;
    int128 *taxes;
};

static void
copy_lines (struct work *work, int64_t *to, const int64_t *from)
{
    memcpy (to, from, work->line_count * sizeof *to);
}

static int
snapshot_take (struct work *work, struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){ work->left_sum,
                                   work->total,
                                   work->paid,
                                   work->gave_free,
                                   work->applied_count,
                                   arena_array_of (work->arena, work->line_count, int64_t),
                                   arena_array_of (work->arena, work->line_count, int64_t),
                                   arena_array_of (work->arena, work->line_count, int64_t),
                                   arena_array_of (work->arena, work->purse_count, struct purse),
                                   arena_array_of (work->arena, work->slot_count, int128) };
    if (snapshot->left == NULL || snapshot->free_micro == NULL || snapshot->set_micro == NULL ||
        snapshot->purses == NULL || snapshot->taxes == NULL)
        return work_exhausted (work);
    copy_lines (work, snapshot->left, work->left);
    copy_lines (work, snapshot->free_micro, work->free_micro);
    copy_lines (work, snapshot->set_micro, work->set_micro);
    memcpy (snapshot->taxes, work->taxes, work->slot_count * sizeof *work->taxes);
    memcpy (snapshot->purses, work->purses, work->purse_count * sizeof *work->purses);
    return 0;
}

static void
snapshot_restore (struct work *work, const struct snapshot *snapshot)
{
    work->left_sum = snapshot->left_sum;
    work->total = snapshot->total;
    work->paid = snapshot->paid;
    work->gave_free = snapshot->gave_free;
    work->applied_count = snapshot->applied_count;
    copy_lines (work, work->left, snapshot->left);
    copy_lines (work, work->free_micro, snapshot->free_micro);
    copy_lines (work, work->set_micro, snapshot->set_micro);
    memcpy (work->taxes, snapshot->taxes, work->slot_count * sizeof *work->taxes);
    memcpy (work->purses, snapshot->purses, work->purse_count * sizeof *work->purses);
}

static void
begin_pass (struct work *work)
{
    work->left_sum = work->total = work->paid = 0;
    work->gave_free = false;
    memset (work->free_micro, 0, work->line_count * sizeof *work->free_micro);
    memset (work->set_micro, 0, work->line_count * sizeof *work->set_micro);
    for (uint32_t i = 0; i < work->line_count; i++) {
        work->left[i] = work->lines[i].discountable;
        work->left_sum += work->left[i];
        work->total += work->lines[i].total;
    }
    work->first_left_sum = work->left_sum;
    memcpy (work->taxes, work->first_fine, work->slot_count * sizeof *work->taxes);
    work->applied_count = 0;
    for (uint32_t p = 0; p < work->purse_count; p++)
        work->purses[p].spent = work->purses[p].granted = 0;
    for (uint32_t e = 0; e < work->entry_count; e++) {
        struct entry *entry = &work->entries[e];
        entry->won = entry->group_decided = entry->order_wide_decided = false;
        entry->discount = -1;
        if (entry->out == PLAYS) {
            entry->beaten_by = -1;
            entry->reason = REASON_NONE;
        }
    }
}

static bool
is_playing (const struct entry *entry)
{
    return entry->out == PLAYS && entry->beaten_by < 0;
}

/* The loser keeps out of this pass. One whose points would not have sufficed anyway is refused for that. */
static int
beat (struct work *work, uint32_t loser, uint32_t winner, enum reason reason)
{
    struct entry *entry = &work->entries[loser];
    int64_t value;
    if (reward_measure (work, entry, &value) < 0)
        return -1;
    entry->beaten_by = (int32_t)winner;
    if (value > 0 || entry->reason != REASON_NOT_ENOUGH_POINTS)
        entry->reason = reason;
    return 0;
}

/* Of a program's order-wide entries only the best would stay: the others do not count towards what it saves. */
static int
best_order_wide (struct work *work, const struct program *program, int32_t *best)
{
    int64_t most = 0;
    *best = -1;
    for (uint32_t e = work->layer_first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        int64_t value;
        if (entry->program != program || !is_playing (entry) || !reward_is_order_wide (entry))
            continue;
        if (reward_measure (work, entry, &value) < 0)
            return -1;
        if (value > most) {
            most = value;
            *best = (int32_t)e;
        }
    }
    return 0;
}

/* What all of a program's entries in this layer would save together from here. */
static int
program_saving (struct work *work, const struct program *program, int64_t *saving)
{
    uint32_t count = 0, only = 0;
    *saving = 0;
    for (uint32_t e = work->layer_first; e < work->layer_end; e++)
        if (work->entries[e].program == program && is_playing (&work->entries[e])) {
            only = e;
            count++;
        }
    if (count == 1)
        return reward_measure (work, &work->entries[only], saving);
    struct snapshot snapshot;
    int32_t best;
    if (snapshot_take (work, &snapshot) < 0 || best_order_wide (work, program, &best) < 0)
        return -1;
    for (uint32_t e = work->layer_first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        if (entry->program != program || !is_playing (entry) || (reward_is_order_wide (entry) && (int32_t)e != best))
            continue;
        if (reward_apply (work, e) < 0)
            return -1;
        *saving += entry->discount >= 0 ? entry->saving : 0;
        entry->discount = -1;
    }
    snapshot_restore (work, &snapshot);
    return 0;
}

/* The first entry of the program at or after one that saves something by itself: it is what the others made room for. */
static int
first_that_saves (struct work *work, uint32_t *entry)
{
    const struct program *program = work->entries[*entry].program;
    for (uint32_t e = *entry; e < work->layer_end; e++) {
        int64_t value;
        if (work->entries[e].program != program || !is_playing (&work->entries[e]))
            continue;
        if (reward_measure (work, &work->entries[e], &value) < 0)
            return -1;
        if (value > 0) {
            *entry = e;
            return 0;
        }
    }
    return 0;
}

/* The first exclusive program that saves money has the layer to itself, whatever stands before it. */
static int
decide_exclusive (struct work *work)
{
    const struct program *asked = NULL;
    for (uint32_t e = work->layer_first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        int64_t saving;
        if (entry->program->stacking != STACK_EXCLUSIVE || entry->out != PLAYS || entry->program == asked)
            continue;
        asked = entry->program;
        if (program_saving (work, entry->program, &saving) < 0)
            return -1;
        if (saving == 0)
            continue;
        if (first_that_saves (work, &e) < 0)
            return -1;
        for (uint32_t other = work->layer_first; other < work->layer_end; other++)
            if (work->entries[other].program != asked && is_playing (&work->entries[other]) &&
                beat (work, other, e, REASON_EXCLUDED_BY_OTHER) < 0)
                return -1;
        return 0;
    }
    return 0;
}

static bool
in_group (const struct entry *entry, struct str name)
{
    return entry->program->stacking == STACK_BEST_OF && str_equal (entry->program->best_of, name);
}

/* Of the programs of a named group only the one that saves most stays; the first of equals. */
static int
decide_group (struct work *work, uint32_t first)
{
    struct str name = work->entries[first].program->best_of;
    const struct program *winner = NULL;
    uint32_t winner_entry = 0;
    int64_t most = 0;
    bool contested = false;
    for (uint32_t e = first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        if (!in_group (entry, name) || !is_playing (entry) || entry->group_decided)
            continue;
        for (uint32_t own = e; own < work->layer_end; own++)
            work->entries[own].group_decided |= work->entries[own].program == entry->program;
        contested |= entry->program != work->entries[first].program;
        int64_t saving;
        if (program_saving (work, entry->program, &saving) < 0)
            return -1;
        if (saving > most) {
            most = saving;
            winner = entry->program;
            winner_entry = e;
        }
    }
    if (winner == NULL || !contested)
        return 0;
    for (uint32_t e = first; e < work->layer_end; e++) {
        if (!in_group (&work->entries[e], name) || !is_playing (&work->entries[e]))
            continue;
        if (work->entries[e].program == winner)
            work->entries[e].won = true;
        else if (beat (work, e, winner_entry, REASON_BETTER_DISCOUNT) < 0)
            return -1;
    }
    return 0;
}

/* Of order-wide percent and per_order discounts only the one that saves most stays; the first of equals. */
static int
decide_order_wide (struct work *work, uint32_t first)
{
    int64_t most = 0;
    int32_t winner = -1;
    bool contested = false;
    for (uint32_t e = first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        if (!reward_is_order_wide (entry) || !is_playing (entry))
            continue;
        entry->order_wide_decided = true;
        contested |= e != first;
        int64_t value;
        if (reward_measure (work, entry, &value) < 0)
            return -1;
        if (value > most) {
            most = value;
            winner = (int32_t)e;
        }
    }
    if (winner < 0 || !contested)
        return 0;
    work->entries[winner].won = true;
    for (uint32_t e = first; e < work->layer_end; e++)
        if ((int32_t)e != winner && reward_is_order_wide (&work->entries[e]) && is_playing (&work->entries[e]) &&
            beat (work, e, (uint32_t)winner, REASON_BETTER_DISCOUNT) < 0)
            return -1;
    return 0;
}

/* Works the entries of one layer. *again: one was refused, and everything has to be worked without it. */
static int
work_layer (struct work *work, bool *again)
{
    bool grouped = work->entries[work->layer_first].layer != LAYER_PAYMENT;
    *again = true;
    if (grouped && decide_exclusive (work) < 0)
        return -1;
    for (uint32_t e = work->layer_first; e < work->layer_end; e++) {
        struct entry *entry = &work->entries[e];
        if (grouped && is_playing (entry) && entry->program->stacking == STACK_BEST_OF && !entry->group_decided &&
            decide_group (work, e) < 0)
            return -1;
        if (grouped && is_playing (entry) && reward_is_order_wide (entry) && !entry->order_wide_decided &&
            decide_order_wide (work, e) < 0)
            return -1;
        if (is_playing (entry) && reward_apply (work, e) < 0)
            return -1;
        /* Chosen from one group, but beaten in another or left with nothing: those it beat have to be asked again. */
        if (entry->won && entry->discount < 0 && entry->out == PLAYS) {
            entry->out = OUT_OF_GROUP;
            return 0;
        }
    }
    *again = false;
    return 0;
}

/* Works the order once. *again: an entry was refused, and everything has to be worked without it. */
static int
work_once (struct work *work, bool *again)
{
    begin_pass (work);
    *again = false;
    for (uint32_t first = 0, end; first < work->entry_count && !*again; first = end) {
        for (end = first; end < work->entry_count && work->entries[end].layer == work->entries[first].layer; end++)
            ;
        work->layer_first = first;
        work->layer_end = end;
        if (work_layer (work, again) < 0)
            return -1;
    }
    return 0;
}

static int64_t
purse_available (const struct work *work, const struct entry *entry)
{
    return purse_usable (&work->purses[entry->purse], work->candidates[entry->candidate].points);
}

/* A reward that clears the wallet takes what there is in the end: less, where later discounts left fewer points. */
static void
settle_cleared (struct work *work)
{
    for (uint32_t d = 0; d < work->applied_count; d++) {
        struct entry *entry = &work->entries[work->applied[d].entry];
        struct purse *purse = &work->purses[entry->purse];
        int64_t over = purse->spent - purse_available (work, entry);
        if (!entry->reward->clear_wallet || over <= 0)
            continue;
        int64_t spared = entry->cost - entry->least_cost < over ? entry->cost - entry->least_cost : over;
        entry->cost -= spared;
        purse->spent -= spared;
    }
}

/* Everything taken off: the last reward whose points do not suffice any more is refused. Rules hold or not by
 * units and by money before automatic discounts, so that only points can have changed. */
static int
ask_again (struct work *work, bool *again)
{
    *again = false;
    for (uint32_t c = 0; c < work->candidate_count; c++)
        if (match_points (work, &work->candidates[c], &work->candidates[c].points) < 0)
            return -1;
    settle_cleared (work);
    for (uint32_t d = work->applied_count; d-- > 0;) {
        struct entry *entry = &work->entries[work->applied[d].entry];
        int64_t available = purse_available (work, entry), spent = work->purses[entry->purse].spent;
        int64_t needed = 0, had = 0;
        enum reason reason =
            entry->asks_rules ? match_holds (work, &work->candidates[entry->candidate], &needed, &had) : REASON_NONE;
        if ((reason == REASON_NONE && spent <= available) || entry_is_forgiven (work, entry))
            continue;
        *again = true;
        if (reason != REASON_NONE) {
            entry->out = OUT_FOR_GOOD;
            entry->reason = reason;
            entry->needed = needed;
            entry->had = had;
            return 0;
        }
        entry->out = OUT_FOR_GOOD;
        entry->reason = REASON_NOT_ENOUGH_POINTS;
        entry->needed = entry->cost;
        entry->had = available - (spent - entry->cost) > 0 ? available - (spent - entry->cost) : 0;
        return 0;
    }
    return 0;
}

/* What passes work with: places for all that may be given, and scratch. */
static int
prepare_arrays (struct work *work)
{
    uint32_t lines = work->line_count, steps = 0;
    int64_t **const arrays[] = { &work->free_micro, &work->set_micro,  &work->worth, &work->units,
                                 &work->weights,    &work->group_left, &work->parts, &work->shares };
    for (uint32_t e = 0; e < work->entry_count; e++)
        steps += work->entries[e].reward->type == REWARD_MULTIPLE_DISCOUNT ? work->entries[e].reward->step_count : 1;
    work->applied = arena_array_of (work->arena, steps, struct applied);
    work->base_lines = arena_array_of (work->arena, lines, uint32_t);
    work->base_groups = arena_array_of (work->arena, lines, uint32_t);
    work->members = arena_array_of (work->arena, lines, uint32_t);
    work->remainders = arena_array_of (work->arena, lines, struct remainder);
    bool whole = work->applied != NULL && work->base_lines != NULL && work->base_groups != NULL &&
                 work->members != NULL && work->remainders != NULL;
    for (unsigned i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = arena_array_of (work->arena, lines, int64_t);
        whole &= *arrays[i] != NULL;
    }
    return whole ? 0 : work_exhausted (work);
}

int
stacking_run (struct work *work)
{
    if (prepare_arrays (work) < 0)
        return -1;
    bool again = true;
    for (unsigned pass = 0; again; pass++) {
        if (work_once (work, &again) < 0)
            return -1;
        if (again)
            continue;
        if (ask_again (work, &again) < 0)
            return -1;
        for (uint32_t e = 0; e < work->entry_count && again && pass < FRESH_PASSES_MAX; e++)
            if (work->entries[e].out == OUT_OF_GROUP)
                work->entries[e].out = PLAYS;
    }
    /* Of a reward in several steps the first one tells its cost. */
    for (uint32_t e = 0; e < work->entry_count; e++)
        if (work->entries[e].discount >= 0)
            work->applied[work->entries[e].discount].discount.points_cost = work->entries[e].cost;
    return 0;
}
