/* ledger_transfer.c - a change of level: points that move to another card of the member, or are reset (SEMANTICS 23). */
#include "domain/ledger_private.h"

#include <assert.h>
#include <inttypes.h>

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for a card's lots");
}

static bool
is_alive (const struct lot *lot, int64_t instant)
{
    return lot->state == LOT_ACTIVE && lot->remaining > 0 && lot->expires > instant;
}

/* What leaves a lot: on the way to another card what is held goes too, alive or not. */
static int64_t
leaves (const struct lot *lot, const struct card *to, int64_t instant)
{
    if (to == NULL)
        return is_alive (lot, instant) ? lot->remaining - lot->held : 0;
    return is_alive (lot, instant) ? lot->remaining : lot->held;
}

/* Reads the whole card. Sets what leaves it for `to` (NULL: for nowhere) at `instant`, and of how many lots. */
static int
transfer_prepare (struct card *from, const struct card *to, int64_t instant, const struct lot_source *source,
                  int64_t *points, uint32_t *count, struct error *err)
{
    *points = 0;
    *count = 0;
    while (from->points > 0 && !from->complete)
        if (ledger_lots_read_more (from, source, err) != 0)
            return -1;
    for (uint32_t i = 0; i < from->loaded_count; i++) {
        int64_t leaving = leaves (&from->lots[i], to, instant);
        *points += leaving;
        *count += leaving > 0;
    }
    return 0;
}

/* Takes what leaves off the lots, FEFO: a lot that is emptied is closed, and opened on `to`. */
static uint32_t
transfer_apply (struct card *from, struct card *to, int64_t instant, struct lot_use *closed, struct lot_use *opened,
                struct lot_move *moves)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->loaded_count; i++) {
        struct lot *lot = &from->lots[i];
        int64_t moved = leaves (lot, to, instant), held = lot->held;
        if (moved == 0)
            continue;
        ledger_lot_take (lot, moved);
        if (lot->remaining == 0)
            lot->state = LOT_CLOSED;
        closed[count] = (struct lot_use){ lot->lot_no, moved };
        if (to != NULL) {
            lot->held = 0;
            int32_t number = ledger_lot_open (to, (struct lot){ .gained = lot->gained,
                                                                .usable_from = lot->usable_from,
                                                                .expires = lot->expires,
                                                                .initial = moved,
                                                                .held = held,
                                                                .origin_ref = lot->origin_ref });
            opened[count] = (struct lot_use){ number, moved };
            moves[count] = (struct lot_move){ lot->lot_no, number, moved };
        }
        count++;
    }
    return count;
}

/* Room on `to` for the open holds of `from`, and for their parts; NULL: out of memory. */
static struct lot_use *
holds_prepare (const struct card *from, struct card *to, struct arena *arena)
{
    uint32_t holds = 0, parts = 0;
    for (uint32_t i = 0; i < from->hold_count; i++)
        if (from->holds[i].state == HOLD_OPEN) {
            holds++;
            parts += from->holds[i].use_count;
        }
    return ledger_holds_reserve (to, holds, arena) != 0 ? NULL
                                                        : arena_array_of (arena, (size_t)parts + 1, struct lot_use);
}

/* Pays what a card owes from what it has. */
static int
debt_pay_all (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena,
              struct error *err)
{
    struct consumption what = { .points = card->debt, .instant = instant, .pending_too = true };
    int64_t available;
    uint32_t lot_count;
    if (card->debt == 0 || card->points == 0)
        return 0;
    if (ledger_consumption_prepare (card, &what, source, &available, &lot_count, err) != 0)
        return -1;
    int64_t paid = available < card->debt ? available : card->debt;
    struct lot_use *uses = arena_array_of (arena, lot_count, struct lot_use);
    if (uses == NULL || ledger_consumption_reserve (card, &what, lot_count, 1, arena) != 0)
        return out_of_memory (err);
    if (paid == 0)
        return 0;
    uint32_t count = ledger_consumption_apply (card, &what, paid, uses);
    card->debt -= paid;
    ledger_journal_add (card, JOURNAL_DEBT_PAID, -paid, instant, uses, count);
    return 0;
}

int
ledger_transfer (struct card *from, struct card *to, int64_t instant, const struct lot_source *source,
                 struct arena *arena, const struct lot_move **moves, uint32_t *move_count, struct error *err)
{
    int64_t points, after, debt;
    uint32_t lot_count;
    *moves = NULL;
    *move_count = 0;
    if (transfer_prepare (from, to, instant, source, &points, &lot_count, err) != 0)
        return -1;
    if (points == 0 && from->debt == 0)
        return 0;
    if (__builtin_add_overflow (to->points, points, &after) || __builtin_add_overflow (to->debt, from->debt, &debt))
        return error_field (err, ERROR_INVALID_REQUEST, "points", "card %" PRId64 " would hold or owe too many points",
                            to->card_id);
    struct lot_use *uses = arena_array_of (arena, (size_t)lot_count * 2 + 1, struct lot_use);
    struct lot_move *list = arena_array_of (arena, (size_t)lot_count + 1, struct lot_move);
    struct lot_use *held_uses = holds_prepare (from, to, arena);
    if (uses == NULL || list == NULL || held_uses == NULL || lot_count > (uint32_t)(INT32_MAX - to->lot_count) ||
        ledger_lots_reserve (to, lot_count, arena) != 0 || ledger_journal_reserve (from, 1, arena) != 0 ||
        ledger_journal_reserve (to, 2, arena) != 0)
        return out_of_memory (err);

    uint32_t count = transfer_apply (from, to, instant, uses, uses + lot_count, list);
    ledger_holds_move (from, to, list, count, held_uses);
    from->debt = 0;
    ledger_journal_add (from, JOURNAL_TRANSFER, -points, instant, uses, count);
    to->debt = debt;
    ledger_journal_add (to, JOURNAL_TRANSFER, points, instant, uses + lot_count, count);
    *moves = list;
    *move_count = count;
    assert (ledger_check (from) == NULL && ledger_check (to) == NULL);
    return debt_pay_all (to, instant, source, arena, err);
}

int
ledger_reset (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *lost,
              struct error *err)
{
    int64_t points;
    uint32_t lot_count;
    if (transfer_prepare (card, NULL, instant, source, &points, &lot_count, err) != 0)
        return -1;
    *lost = points;
    if (points == 0)
        return 0;
    struct lot_use *uses = arena_array_of (arena, lot_count, struct lot_use);
    if (uses == NULL || ledger_journal_reserve (card, 1, arena) != 0)
        return out_of_memory (err);
    uint32_t count = transfer_apply (card, NULL, instant, uses, NULL, NULL);
    ledger_journal_add (card, JOURNAL_TRANSFER, -points, instant, uses, count);
    assert (ledger_check (card) == NULL);
    return 0;
}
