/* ledger_hold.c - points of named lots reserved for a time, then spent or let go (rule 22). */
#include "domain/ledger_private.h"

#include <assert.h>

enum { HOLDS_FIRST = 4 };

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for a card's holds");
}

int
ledger_holds_reserve (struct card *card, uint32_t more, struct arena *arena)
{
    if (card->hold_capacity - card->hold_count >= more)
        return 0;
    if (more > UINT32_MAX / 4 || card->hold_count > UINT32_MAX / 4)
        return -1;
    uint32_t capacity = card->hold_capacity ? card->hold_capacity : HOLDS_FIRST;
    while (capacity - card->hold_count < more)
        capacity *= 2;
    struct hold *holds = arena_array_of (arena, capacity, struct hold);
    if (holds == NULL)
        return -1;
    if (card->hold_count > 0)
        memcpy (holds, card->holds, card->hold_count * sizeof *holds);
    card->holds = holds;
    card->hold_capacity = capacity;
    return 0;
}

/* NULL: out of memory. */
static struct hold *
hold_append (struct card *card, struct hold hold, struct arena *arena)
{
    if (ledger_holds_reserve (card, 1, arena) != 0)
        return NULL;
    card->holds[card->hold_count] = hold;
    return &card->holds[card->hold_count++];
}

struct hold *
ledger_hold_find (const struct card *card, struct str hold_id)
{
    for (uint32_t i = 0; i < card->hold_count; i++)
        if (card->holds[i].state == HOLD_OPEN && str_equal (card->holds[i].hold_id, hold_id))
            return &card->holds[i];
    return NULL;
}

int
ledger_add_stored_hold (struct card *card, struct str hold_id, int64_t until, const struct lot *lot, int64_t points,
                        struct arena *arena)
{
    struct hold *hold = ledger_hold_find (card, hold_id);
    if (hold == NULL &&
        (hold = hold_append (card, (struct hold){ .hold_id = hold_id, .state = HOLD_OPEN, .until = until }, arena)) ==
            NULL)
        return -1;
    struct lot_use *uses = arena_array_of (arena, (size_t)hold->use_count + 1, struct lot_use);
    if (uses == NULL || ledger_add_stored_lot (card, lot, arena) != 0)
        return -1;
    if (hold->use_count > 0)
        memcpy (uses, hold->uses, hold->use_count * sizeof *uses);
    uses[hold->use_count++] = (struct lot_use){ lot->lot_no, points };
    hold->uses = uses;
    hold->points += points;
    ledger_lot (card, lot->lot_no)->held += points;
    return 0;
}

static void
let_go (struct card *card, struct hold *hold, enum hold_state state)
{
    assert (hold->state == HOLD_OPEN);
    for (uint32_t i = 0; i < hold->use_count; i++)
        ledger_lot (card, hold->uses[i].lot_no)->held -= hold->uses[i].points;
    card->held -= hold->points;
    card->is_changed = true;
    hold->state = state;
    hold->is_changed = true;
}

void
ledger_holds_expire (struct card *card, int64_t instant)
{
    for (uint32_t i = 0; i < card->hold_count; i++)
        if (card->holds[i].state == HOLD_OPEN && card->holds[i].until <= instant)
            let_go (card, &card->holds[i], HOLD_EXPIRED);
    assert (ledger_check (card) == NULL);
}

int
ledger_hold (struct card *card, struct str hold_id, int64_t points, int64_t instant, int64_t until,
             const struct lot_source *source, struct arena *arena, struct error *err)
{
    struct consumption what = { .points = points, .instant = instant };
    struct hold hold = { .hold_id = hold_id, .state = HOLD_OPEN, .until = until, .points = points, .is_new = true };
    int64_t available;
    uint32_t lot_count;
    assert (points > 0);
    if (ledger_consumption_prepare (card, &what, source, &available, &lot_count, err) != 0)
        return -1;
    if (available < points)
        return ledger_insufficient (card, points, available, err);
    hold.uses = arena_array_of (arena, lot_count, struct lot_use);
    if (hold.uses == NULL)
        return out_of_memory (err);
    int64_t left = points;
    for (uint32_t i = 0; i < card->loaded_count && left > 0; i++) {
        const struct lot *lot = &card->lots[i];
        if (!ledger_lot_fits (&what, lot))
            continue;
        int64_t free = lot->remaining - lot->held, taken = free < left ? free : left;
        hold.uses[hold.use_count++] = (struct lot_use){ lot->lot_no, taken };
        left -= taken;
    }
    if (hold_append (card, hold, arena) == NULL)
        return out_of_memory (err);
    for (uint32_t i = 0; i < hold.use_count; i++)
        ledger_lot (card, hold.uses[i].lot_no)->held += hold.uses[i].points;
    card->held += points;
    card->is_changed = true;
    assert (ledger_check (card) == NULL);
    return 0;
}

int
ledger_hold_capture (struct card *card, struct hold *hold, enum journal_kind kind, int64_t points, int64_t instant,
                     struct arena *arena, const struct journal_row **row, struct error *err)
{
    assert (points > 0 && points <= hold->points);
    struct lot_use *uses = arena_array_of (arena, hold->use_count, struct lot_use);
    if (uses == NULL || ledger_journal_reserve (card, 1, arena) != 0)
        return out_of_memory (err);
    let_go (card, hold, HOLD_CAPTURED);
    uint32_t count = 0;
    for (int64_t left = points; left > 0; count++) {
        const struct lot_use *use = &hold->uses[count];
        uses[count] = (struct lot_use){ use->lot_no, use->points < left ? use->points : left };
        ledger_lot_take (ledger_lot (card, use->lot_no), uses[count].points);
        left -= uses[count].points;
    }
    const struct journal_row *written = ledger_journal_add (card, kind, -points, instant, uses, count);
    if (row != NULL)
        *row = written;
    assert (ledger_check (card) == NULL);
    return 0;
}

void
ledger_hold_release (struct card *card, struct hold *hold)
{
    let_go (card, hold, HOLD_RELEASED);
    assert (ledger_check (card) == NULL);
}

/* ---------------------------------------------------------------- to another card */

static int32_t
lot_moved_to (const struct lot_move *moves, uint32_t count, int32_t lot_no)
{
    for (uint32_t i = 0; i < count; i++)
        if (moves[i].from_lot == lot_no)
            return moves[i].to_lot;
    assert (false);
    return 0;
}

void
ledger_holds_move (struct card *from, struct card *to, const struct lot_move *moves, uint32_t move_count,
                   struct lot_use *uses)
{
    for (uint32_t i = 0; i < from->hold_count; i++) {
        struct hold *hold = &from->holds[i];
        if (hold->state != HOLD_OPEN)
            continue;
        struct hold moved = { .hold_id = hold->hold_id,
                              .state = HOLD_OPEN,
                              .until = hold->until,
                              .points = hold->points,
                              .use_count = hold->use_count,
                              .uses = uses,
                              .is_new = true };
        for (uint32_t use = 0; use < hold->use_count; use++)
            *uses++ =
                (struct lot_use){ lot_moved_to (moves, move_count, hold->uses[use].lot_no), hold->uses[use].points };
        hold->state = HOLD_MOVED;
        hold->moved_to = to->card_id;
        hold->is_changed = true;
        from->held -= hold->points;
        to->held += hold->points;
        assert (to->hold_count < to->hold_capacity);
        to->holds[to->hold_count++] = moved;
    }
    from->is_changed = to->is_changed = true;
}
