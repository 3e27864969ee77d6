/* tax_settle.c - from fine units to minor units: each tax rounded once for the order, lines and discounts together. */
#include "domain/sort.h"
#include "domain/tax.h"

/* Rounding a sum of fine units for the order: the few 10^-12 that each of up to 1,000 lines was rounded by must not turn
 * an exact half into less than a half. */
#define FINE_TOLERANCE 10000

/* A sum of fine units in minor units, halves away from zero. */
static int64_t
fine_round (const struct work *work, int128 value)
{
    if (work->fine == 1)
        return (int64_t)value;
    int128 half = work->fine / 2 - FINE_TOLERANCE;
    int128 size = value < 0 ? -value : value;
    int64_t rounded = (int64_t)(size / work->fine + (size % work->fine >= half));
    return value < 0 ? -rounded : rounded;
}

/* Does the line bound this tax? Before discounts (`moving` NULL) its included percent taxes together are not more than its
 * price, after them its percent taxes not more than what is left of it. */
static bool
is_bounded (const struct work *work, uint32_t place, const struct tax *tax, const bool *moving)
{
    if (tax->type == TAX_FIXED)
        return false;
    return moving == NULL ? tax->included : moving[work->slot_tax[place]];
}

/* What a line's bounded taxes may come to together. */
static int64_t
line_room (const struct work *work, uint32_t index, const bool *moving, const int64_t *cents)
{
    const struct work_line *line = &work->lines[index];
    int64_t room = moving == NULL ? line->price : work->left[index];
    room = room < 0 ? -room : room;
    for (uint32_t j = 0; moving != NULL && j < line->tax_count; j++) {
        uint32_t place = line->tax_first + j;
        if (line->order->taxes[j].type == TAX_PERCENT && !moving[work->slot_tax[place]])
            room -= cents[place] < 0 ? -cents[place] : cents[place];
    }
    return room;
}

static int
compare_rests (const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return compare_int64 (x->index, y->index);
}

/* A tax being rounded: the places that may get one minor unit more (or less, where the sum is negative). */
struct rounding {
    const int128 *fine;
    const bool *moving;
    int64_t *cents, *rooms;
    struct remainder *rests; /* index: of a line */
};

/* The place of one of the order's taxes among a line's; -1 when the line does not have it, or it stays as it is. */
static int64_t
place_of (const struct work *work, const struct work_line *line, uint32_t tax, const bool *moving)
{
    for (uint32_t j = 0; j < line->tax_count; j++)
        if (work->slot_tax[line->tax_first + j] == tax)
            return moving != NULL && line->order->taxes[j].type == TAX_FIXED ? -1 : (int64_t)line->tax_first + j;
    return -1;
}

static int64_t *
room_of (const struct work *work, const struct rounding *rounding, uint32_t index, uint32_t place)
{
    const struct work_line *line = &work->lines[index];
    return is_bounded (work, place, &line->order->taxes[place - line->tax_first], rounding->moving)
               ? &rounding->rooms[index]
               : NULL;
}

/* Every line's whole minor units of a tax, and what is missing to the rounded sum. */
static int64_t
round_down (struct work *work, struct rounding *rounding, uint32_t tax)
{
    int128 sum = 0;
    int64_t given = 0;
    for (uint32_t i = 0; i < work->line_count; i++) {
        int64_t place =
            work->lines[i].order->is_covered_return ? -1 : place_of (work, &work->lines[i], tax, rounding->moving);
        if (place < 0)
            continue;
        int64_t whole = (int64_t)(rounding->fine[place] / work->fine);
        int64_t *room = room_of (work, rounding, i, (uint32_t)place);
        sum += rounding->fine[place];
        given += whole;
        rounding->cents[place] = whole;
        if (room != NULL)
            *room -= whole < 0 ? -whole : whole;
    }
    return fine_round (work, sum) - given;
}

/* Gives what is missing to the largest remainders of its sign, first to lines that are worth it. */
static void
give_missing (struct work *work, struct rounding *rounding, uint32_t tax, int64_t missing)
{
    int64_t sign = missing < 0 ? -1 : 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < work->line_count; i++) {
        int64_t place =
            work->lines[i].order->is_covered_return ? -1 : place_of (work, &work->lines[i], tax, rounding->moving);
        int128 rest = place < 0 ? 0 : rounding->fine[place] % work->fine * sign;
        if (rest > 0)
            rounding->rests[count++] = (struct remainder){ (uint64_t)rest, i };
    }
    sort_items (rounding->rests, count, sizeof *rounding->rests, compare_rests);
    for (int force = 0; force < 2; force++)
        for (uint32_t r = 0; r < count && missing != 0; r++) {
            uint32_t line = rounding->rests[r].index;
            int64_t place = place_of (work, &work->lines[line], tax, rounding->moving);
            int64_t *room = room_of (work, rounding, line, (uint32_t)place);
            if (force == 0 && room != NULL && *room < 1)
                continue;
            if (room != NULL)
                --*room;
            rounding->cents[place] += sign;
            missing -= sign;
        }
}

int
tax_round_for_order (struct work *work, const int128 *fine, const bool *moving, int64_t *cents)
{
    struct rounding rounding = { fine, moving, cents, arena_array_of (work->arena, work->line_count, int64_t),
                                 arena_array_of (work->arena, work->line_count, struct remainder) };
    if (rounding.rooms == NULL || rounding.rests == NULL)
        return work_exhausted (work);
    for (uint32_t i = 0; i < work->line_count; i++)
        if (!work->lines[i].order->is_covered_return)
            rounding.rooms[i] = line_room (work, i, moving, cents);
    int64_t *missing = arena_array_of (work->arena, work->tax_count, int64_t);
    if (missing == NULL)
        return work_exhausted (work);
    for (uint32_t k = 0; k < work->tax_count; k++)
        if (moving == NULL || moving[k])
            missing[k] = round_down (work, &rounding, k);
    for (uint32_t k = 0; k < work->tax_count; k++)
        if (missing[k] != 0)
            give_missing (work, &rounding, k, missing[k]);
    return 0;
}

/* The taxes of each discount: where they are rounded once for the order, what the rounded sum falls by. */
static int
settle_discounts (struct work *work)
{
    int128 *sum = arena_array_of (work->arena, work->tax_count, int128);
    if (sum == NULL)
        return work_exhausted (work);
    /* Covered returns have their rounded taxes from their original: they are not part of the sum. */
    for (uint32_t i = 0; i < work->line_count; i++)
        for (uint32_t j = 0; j < work->lines[i].tax_count && !work->lines[i].order->is_covered_return; j++)
            sum[work->slot_tax[work->lines[i].tax_first + j]] += work->first_fine[work->lines[i].tax_first + j];
    for (uint32_t d = 0; d < work->applied_count; d++) {
        struct applied *applied = &work->applied[d];
        struct tax_amount *taxes = arena_array_of (work->arena, work->tax_count, struct tax_amount);
        if (taxes == NULL)
            return work_exhausted (work);
        applied->discount.untaxed_minor = applied->discount.amount_minor;
        for (uint32_t k = 0; k < work->tax_count; k++) {
            if (applied->taken[k] == 0)
                continue;
            int64_t amount = fine_round (work, sum[k]) - fine_round (work, sum[k] - applied->taken[k]);
            sum[k] -= applied->taken[k];
            applied->discount.untaxed_minor -= amount;
            taxes[applied->discount.tax_count++] = (struct tax_amount){ work->tax_ids[k], amount };
        }
        applied->discount.taxes = taxes;
    }
    return 0;
}

int
tax_settle (struct work *work, int64_t *cents)
{
    memcpy (cents, work->first_taxes, work->slot_count * sizeof *cents);
    if (work->applied_count == 0)
        return 0;
    if (work->fine == 1) {
        for (uint32_t place = 0; place < work->slot_count; place++)
            cents[place] = (int64_t)work->taxes[place];
        return settle_discounts (work);
    }
    /* Taxes that no discount touched stay as they are. */
    bool *moving = arena_array_of (work->arena, work->tax_count, bool);
    if (moving == NULL)
        return work_exhausted (work);
    for (uint32_t d = 0; d < work->applied_count; d++)
        for (uint32_t k = 0; k < work->tax_count; k++)
            moving[k] |= work->applied[d].taken[k] != 0;
    if (tax_round_for_order (work, work->taxes, moving, cents) < 0)
        return -1;
    return settle_discounts (work);
}
