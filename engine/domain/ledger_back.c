/* ledger_back.c - points that come back to the lots they were taken from, and that leave them again when that is undone (SEMANTICS
 * 33, 36). */
#include "domain/ledger_private.h"

#include <assert.h>
#include <inttypes.h>

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for a card's lots");
}

/* ---------------------------------------------------------------- coming back */

/* Points that come back to a lot past its expiry become a lot of their own when they are to live on: what the
 * lot itself had left stays expired. So they do when the lot was closed. */
static bool
gets_own_lot (const struct lot *lot, int64_t extended_expiry, int64_t instant)
{
    return lot->state == LOT_CLOSED || (lot->expires <= instant && extended_expiry > instant);
}

/* Adds the points of `use` to its lot, and what it has no room for (a cancelled return took others in the place of those it had
 * given) to one of its own. Lists where they went; returns to how many lots. */
static uint32_t
use_come_back (struct card *card, const struct lot_use *use, int64_t extended_expiry, int64_t instant,
               struct lot_use *list)
{
    struct lot *lot = ledger_lot (card, use->lot_no);
    const struct lot like = *lot;
    int64_t room = gets_own_lot (lot, extended_expiry, instant) ? 0 : lot->initial - lot->remaining;
    int64_t fits = use->points < room ? use->points : room;
    uint32_t count = 0;
    if (fits > 0) {
        lot->remaining += fits;
        lot->is_changed = true;
        if (lot->state == LOT_DEPLETED)
            lot->state = LOT_ACTIVE;
        list[count++] = (struct lot_use){ lot->lot_no, fits };
    }
    if (fits < use->points) {
        bool extends = like.expires <= instant && extended_expiry > instant;
        list[count] = (struct lot_use){ .points = use->points - fits };
        list[count++].lot_no = ledger_lot_open (card, (struct lot){ .gained = like.gained,
                                                                    .usable_from = like.usable_from,
                                                                    .expires = extends ? extended_expiry : like.expires,
                                                                    .initial = use->points - fits,
                                                                    .origin_ref = like.origin_ref });
    }
    return count;
}

/* Reads the lots of `uses`. *total: all points. */
static int
come_back_prepare (struct card *card, const struct lot_use *uses, uint32_t use_count, const struct lot_finder *finder,
                   int64_t *total, struct error *err)
{
    int64_t after;
    *total = 0;
    for (uint32_t i = 0; i < use_count; i++) {
        if (ledger_lot (card, uses[i].lot_no) == NULL && finder != NULL &&
            finder->find (finder->context, card, uses[i].lot_no, err) != 0)
            return -1;
        if (ledger_lot (card, uses[i].lot_no) == NULL || uses[i].points <= 0)
            return error_set (err, ERROR_INTERNAL, "card %" PRId64 " has no lot %d to give points back to",
                              card->card_id, (int)uses[i].lot_no);
        if (__builtin_add_overflow (*total, uses[i].points, total))
            return error_set (err, ERROR_INTERNAL, "too many points are given back to card %" PRId64, card->card_id);
    }
    if (__builtin_add_overflow (card->points, *total, &after))
        return error_field (err, ERROR_INVALID_REQUEST, "points", "card %" PRId64 " would hold too many points",
                            card->card_id);
    return 0;
}

/* Books again what came back to lots whose expiry was booked before. */
static void
expire_again (struct card *card, const struct lot_use *returned, uint32_t count, int64_t instant, struct lot_use *uses)
{
    int64_t gone = 0;
    uint32_t use_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (ledger_lot (card, returned[i].lot_no)->state == LOT_EXPIRED) {
            uses[use_count++] = returned[i];
            gone += returned[i].points;
        }
    if (gone > 0)
        ledger_journal_add (card, JOURNAL_EXPIRE, -gone, instant, uses, use_count);
}

void
ledger_debt_pay_with (struct card *card, const struct lot_use *returned, uint32_t count, int64_t instant,
                      struct lot_use *uses)
{
    int64_t paid = 0;
    uint32_t use_count = 0;
    for (uint32_t i = count; i > 0 && card->debt > 0; i--) {
        if (!ledger_lot_is_alive (ledger_lot (card, returned[i - 1].lot_no), instant))
            continue;
        paid += ledger_debt_pay (card, returned[i - 1].lot_no, returned[i - 1].points, &uses[use_count]);
        use_count++;
    }
    if (paid > 0)
        ledger_journal_add (card, JOURNAL_DEBT_PAID, -paid, instant, uses, use_count);
}

int
ledger_give_back (struct card *card, enum journal_kind kind, const struct lot_use *uses, uint32_t use_count,
                  int64_t extended_expiry, int64_t instant, const struct lot_finder *finder, struct arena *arena,
                  struct error *err)
{
    int64_t total;
    uint32_t count = 0;
    if (use_count == 0)
        return 0;
    if (come_back_prepare (card, uses, use_count, finder, &total, err) != 0)
        return -1;
    struct lot_use *lists = arena_array_of (arena, (size_t)use_count * 6, struct lot_use);
    if (lists == NULL || use_count > (uint32_t)(INT32_MAX - card->lot_count) ||
        ledger_lots_reserve (card, use_count, arena) != 0 || ledger_journal_reserve (card, 3, arena) != 0)
        return out_of_memory (err);

    for (uint32_t i = 0; i < use_count; i++)
        count += use_come_back (card, &uses[i], extended_expiry, instant, lists + count);
    ledger_journal_add (card, kind, total, instant, lists, count);
    expire_again (card, lists, count, instant, lists + 2 * (size_t)use_count);
    ledger_debt_pay_with (card, lists, count, instant, lists + 4 * (size_t)use_count);
    assert (ledger_check (card) == NULL);
    return 0;
}

/* ---------------------------------------------------------------- leaving again */

/* Reads the lots of `uses`, and all that are live. */
static int
leave_prepare (struct card *card, const struct lot_use *uses, uint32_t use_count, const struct lot_source *source,
               struct error *err)
{
    for (uint32_t i = 0; i < use_count; i++)
        if (uses[i].lot_no != 0 && ledger_lot (card, uses[i].lot_no) == NULL && source != NULL &&
            source->find != NULL && source->find (source->context, card, uses[i].lot_no, err) != 0)
            return -1;
    while (card->points > 0 && !card->complete)
        if (ledger_lots_read_more (card, source, err) != 0)
            return -1;
    return 0;
}

/* What of a use is still in its lot, which may have expired since, and is not held. */
static int64_t
still_there (const struct card *card, const struct lot_use *use)
{
    const struct lot *lot = ledger_lot (card, use->lot_no);
    if (lot == NULL || (lot->state != LOT_ACTIVE && lot->state != LOT_EXPIRED))
        return 0;
    int64_t free = lot->remaining - lot->held;
    return free < use->points ? free : use->points;
}

/* What is there is taken from the lots of `uses`; *expired lists what of it was booked as expired. */
struct leaving {
    int64_t points, expired_points;
    uint32_t count, expired_count;
    struct lot_use *uses, *expired;
};

static void
leave_lots (struct card *card, const struct lot_use *uses, uint32_t use_count, struct leaving *leaving)
{
    for (uint32_t i = 0; i < use_count; i++) {
        int64_t points = still_there (card, &uses[i]);
        struct lot *lot = ledger_lot (card, uses[i].lot_no);
        if (points == 0)
            continue;
        leaving->uses[leaving->count++] = (struct lot_use){ lot->lot_no, points };
        leaving->points += points;
        if (lot->state == LOT_ACTIVE) {
            ledger_lot_take (lot, points);
            continue;
        }
        lot->remaining -= points;
        lot->is_changed = true;
        leaving->expired[leaving->expired_count++] = (struct lot_use){ lot->lot_no, points };
        leaving->expired_points += points;
    }
}

int
ledger_redeem_again (struct card *card, const struct lot_use *uses, uint32_t use_count, enum shortfall shortfall,
                     int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *missing,
                     struct error *err)
{
    struct consumption what = { .instant = instant };
    int64_t total = 0, free = 0, debt;
    *missing = 0;
    for (uint32_t i = 0; i < use_count; i++)
        total += uses[i].points;
    if (total == 0)
        return 0;
    if (leave_prepare (card, uses, use_count, source, err) != 0)
        return -1;
    uint32_t lots_max = use_count + card->loaded_count;
    struct leaving leaving = { .uses = arena_array_of (arena, lots_max, struct lot_use),
                               .expired = arena_array_of (arena, use_count, struct lot_use) };
    struct lot *before = arena_array_of (arena, card->loaded_count + 1, struct lot);
    if (leaving.uses == NULL || leaving.expired == NULL || before == NULL ||
        ledger_journal_reserve (card, 2, arena) != 0)
        return out_of_memory (err);
    if (card->loaded_count > 0)
        memcpy (before, card->lots, card->loaded_count * sizeof *before);

    leave_lots (card, uses, use_count, &leaving);
    for (uint32_t i = 0; i < card->loaded_count; i++)
        if (ledger_lot_fits (&what, &card->lots[i]))
            free += card->lots[i].remaining - card->lots[i].held;
    int64_t rest = total - leaving.points, taken = rest < free ? rest : free;
    bool refused = taken < rest && shortfall == SHORTFALL_REFUSE;
    bool owes_too_much = __builtin_add_overflow (card->debt, shortfall == SHORTFALL_DEBT ? rest - taken : 0, &debt);
    if (refused || owes_too_much) {
        if (card->loaded_count > 0)
            memcpy (card->lots, before, card->loaded_count * sizeof *before);
        return refused ? ledger_insufficient (card, total, leaving.points + taken, err)
                       : error_set (err, ERROR_INVALID_REQUEST, "card %" PRId64 " would owe too many points",
                                    card->card_id);
    }
    leaving.count += ledger_consumption_apply (card, &what, taken, leaving.uses + leaving.count);
    if (leaving.expired_points > 0)
        ledger_journal_add (card, JOURNAL_UNEXPIRE, leaving.expired_points, instant, leaving.expired,
                            leaving.expired_count);
    *missing = rest - taken;
    bool owes = debt != card->debt;
    card->debt = debt;
    if (leaving.points + taken > 0 || owes)
        ledger_journal_add (card, JOURNAL_REDEEM, -(leaving.points + taken), instant, leaving.uses, leaving.count);
    assert (ledger_check (card) == NULL);
    return 0;
}
