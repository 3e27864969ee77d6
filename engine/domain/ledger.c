/* ledger.c - lots gained, consumed first-expired-first-out, taken back and expired (SEMANTICS section 4).
 *
 * Every function first reads what it needs and takes the memory it will write to, and only then changes the
 * card: a failure on the way leaves nothing behind but lots that were read.
 *
 * Lots in memory are sorted FEFO. Of an incomplete card only those up to the horizon are known to be the first:
 * a lot beyond it (gained in this batch, or read by its number) waits until the stored ones before it are in memory. */
#include "domain/ledger_private.h"

#include <assert.h>
#include <inttypes.h>

const char *const JOURNAL_NAMES[] = { "",          "earn",   "redeem",   "adjust",    "take_back",
                                      "give_back", "expire", "unexpire", "debt_paid", "transfer" };

enum { CAPACITY_FIRST = 8, LOT_NO_MAX = INT32_MAX };

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for a card's lots");
}

/* ---------------------------------------------------------------- lots in memory */

int
lot_compare (const struct lot *a, const struct lot *b)
{
    if (a->expires != b->expires)
        return a->expires < b->expires ? -1 : 1;
    if (a->gained != b->gained)
        return a->gained < b->gained ? -1 : 1;
    return (a->lot_no > b->lot_no) - (a->lot_no < b->lot_no);
}

static bool
lot_counts (const struct lot *lot)
{
    return lot->state == LOT_ACTIVE && lot->remaining > 0;
}

bool
ledger_lot_is_alive (const struct lot *lot, int64_t instant)
{
    return lot_counts (lot) && lot->expires > instant;
}

/* Whether nothing that is still in the store comes before this lot. */
static bool
lot_is_in_reach (const struct card *card, const struct lot *lot)
{
    return card->complete || lot_compare (lot, &card->horizon) <= 0;
}

struct lot *
ledger_lot (const struct card *card, int32_t lot_no)
{
    for (uint32_t i = card->loaded_count; i > 0; i--) /* refunds are mostly of recent orders */
        if (card->lots[i - 1].lot_no == lot_no)
            return &card->lots[i - 1];
    return NULL;
}

int
ledger_lots_reserve (struct card *card, uint32_t more, struct arena *arena)
{
    if (card->loaded_capacity - card->loaded_count >= more)
        return 0;
    if (more > UINT32_MAX / 4 || card->loaded_count > UINT32_MAX / 4)
        return -1;
    uint32_t capacity = card->loaded_capacity ? card->loaded_capacity : CAPACITY_FIRST;
    while (capacity - card->loaded_count < more)
        capacity *= 2;
    struct lot *lots = arena_array_of (arena, capacity, struct lot);
    if (lots == NULL)
        return -1;
    if (card->loaded_count > 0)
        memcpy (lots, card->lots, card->loaded_count * sizeof *lots);
    card->lots = lots;
    card->loaded_capacity = capacity;
    return 0;
}

/* Puts a lot in its place; there is room. One with the same key is the same lot: it stays as it is. */
static void
lot_insert (struct card *card, const struct lot *lot)
{
    uint32_t low = 0, high = card->loaded_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lot_compare (&card->lots[middle], lot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < card->loaded_count && lot_compare (&card->lots[low], lot) == 0)
        return;
    memmove (&card->lots[low + 1], &card->lots[low], (card->loaded_count - low) * sizeof *lot);
    card->lots[low] = *lot;
    card->loaded_count++;
}

int
ledger_add_stored_lot (struct card *card, const struct lot *lot, struct arena *arena)
{
    if (ledger_lots_reserve (card, 1, arena) != 0)
        return -1;
    lot_insert (card, lot);
    return 0;
}

/* Reads the next lots of an incomplete card. */
int
ledger_lots_read_more (struct card *card, const struct lot_source *source, struct error *err)
{
    struct lot before = card->horizon;
    if (source == NULL || source->more == NULL)
        return error_set (err, ERROR_INTERNAL, "card %" PRId64 " has lots that cannot be read", card->card_id);
    if (source->more (source->context, card, err) != 0)
        return -1;
    if (!card->complete && lot_compare (&card->horizon, &before) <= 0)
        return error_set (err, ERROR_INTERNAL, "reading the lots of card %" PRId64 " makes no progress", card->card_id);
    return 0;
}

/* Brings the lot into memory, if there is such a lot. */
static int
lot_read (struct card *card, int32_t lot_no, const struct lot_source *source, struct error *err)
{
    if (ledger_lot (card, lot_no) != NULL || card->complete)
        return 0;
    if (source != NULL && source->find != NULL)
        return source->find (source->context, card, lot_no, err);
    while (!card->complete && ledger_lot (card, lot_no) == NULL)
        if (ledger_lots_read_more (card, source, err) != 0)
            return -1;
    return 0;
}

/* A new lot, numbered; there is room. */
int32_t
ledger_lot_open (struct card *card, struct lot lot)
{
    lot.lot_no = ++card->lot_count;
    lot.state = LOT_ACTIVE;
    lot.remaining = lot.initial;
    lot.is_new = true;
    lot.is_changed = false;
    if (lot.usable_from > card->pending_until) {
        if (!card->pending_read) {
            /* What the store holds is usable by the old mark at the latest. */
            card->pending_read = true;
            card->pending_read_from = card->pending_until;
        }
        card->pending_until = lot.usable_from;
    }
    lot_insert (card, &lot);
    return lot.lot_no;
}

void
ledger_lot_take (struct lot *lot, int64_t points)
{
    lot->remaining -= points;
    if (lot->remaining == 0)
        lot->state = LOT_DEPLETED;
    lot->is_changed = true;
}

/* ---------------------------------------------------------------- the journal */

int
ledger_journal_reserve (struct card *card, uint32_t rows, struct arena *arena)
{
    if (card->journal_count > INT32_MAX - (int32_t)rows)
        return -1;
    if (card->journal_capacity - card->journal_size >= rows)
        return 0;
    if (card->journal_size > UINT32_MAX / 4)
        return -1;
    uint32_t capacity = card->journal_capacity ? card->journal_capacity * 2 : CAPACITY_FIRST;
    struct journal_row *journal = arena_array_of (arena, capacity, struct journal_row);
    if (journal == NULL)
        return -1;
    if (card->journal_size > 0)
        memcpy (journal, card->journal, card->journal_size * sizeof *journal);
    card->journal = journal;
    card->journal_capacity = capacity;
    return 0;
}

/* Moves the stored points by `amount` and writes the row; there is room. */
const struct journal_row *
ledger_journal_add (struct card *card, enum journal_kind kind, int64_t amount, int64_t time, const struct lot_use *uses,
                    uint32_t use_count)
{
    struct journal_row *row = &card->journal[card->journal_size++];
    card->points += amount;
    card->is_changed = true;
    *row = (struct journal_row){ ++card->journal_count, kind, amount, card->points, card->debt, time, use_count, uses };
    return row;
}

/* ---------------------------------------------------------------- the balance */

/* Brings every lot that is expired at `instant` into memory: they come first. */
static int
expired_read (struct card *card, int64_t instant, const struct lot_source *source, struct error *err)
{
    while (!card->complete && card->horizon.expires <= instant)
        if (ledger_lots_read_more (card, source, err) != 0)
            return -1;
    return 0;
}

/* Brings every lot that is pending at `instant` into memory. */
static int
pending_read (struct card *card, int64_t instant, const struct lot_source *source, struct error *err)
{
    if (instant >= card->pending_until || card->complete)
        return 0;
    if (card->pending_read && card->pending_read_from <= instant)
        return 0;
    if (source == NULL || source->pending == NULL) {
        while (!card->complete)
            if (ledger_lots_read_more (card, source, err) != 0)
                return -1;
        return 0;
    }
    if (source->pending (source->context, card, instant, err) != 0)
        return -1;
    card->pending_read = true;
    card->pending_read_from = instant;
    return 0;
}

/* Brings every lot that was booked as expired, but was not at `instant`, into memory. */
static int
booked_read (struct card *card, int64_t instant, const struct lot_source *source, struct error *err)
{
    if (instant >= card->booked_until || (card->booked_read && card->booked_read_from <= instant))
        return 0;
    if (source != NULL && source->booked != NULL && source->booked (source->context, card, instant, err) != 0)
        return -1;
    card->booked_read = true;
    card->booked_read_from = instant;
    return 0;
}

int
ledger_balance (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena,
                int64_t *balance, struct error *err)
{
    (void)arena;
    *balance = card->points;
    if (card->points == 0 && instant >= card->booked_until)
        return 0;
    if (expired_read (card, instant, source, err) != 0 || pending_read (card, instant, source, err) != 0 ||
        booked_read (card, instant, source, err) != 0)
        return -1;
    for (uint32_t i = 0; i < card->loaded_count; i++) {
        const struct lot *lot = &card->lots[i];
        if (lot->expires > instant && instant >= card->pending_until && instant >= card->booked_until)
            break; /* neither this nor any later one */
        if (lot->state == LOT_EXPIRED && lot->expires > instant && lot->usable_from <= instant)
            *balance += lot->remaining;
        if (lot_counts (lot) && (lot->expires <= instant || lot->usable_from > instant))
            *balance -= lot->remaining - lot->held; /* what is held does not expire */
    }
    assert (*balance >= 0);
    if (*balance < 0)
        *balance = 0;
    return 0;
}

/* ---------------------------------------------------------------- gains */

/* Pays debt with at most `points` of one lot. Returns what was paid; the caller writes the row. */
int64_t
ledger_debt_pay (struct card *card, int32_t lot_no, int64_t points, struct lot_use *use)
{
    int64_t paid = points < card->debt ? points : card->debt;
    if (paid > 0) {
        ledger_lot_take (ledger_lot (card, lot_no), paid);
        card->debt -= paid;
        *use = (struct lot_use){ lot_no, paid };
    }
    return paid;
}

int
ledger_gain (struct card *card, enum journal_kind kind, int64_t points, int64_t gained, int64_t usable_from,
             int64_t expires, int64_t origin_ref, struct arena *arena, int32_t *lot_no, struct error *err)
{
    int64_t after;
    assert (points > 0);
    if (__builtin_add_overflow (card->points, points, &after))
        return error_field (err, ERROR_INVALID_REQUEST, "points", "card %" PRId64 " would hold too many points",
                            card->card_id);
    struct lot_use *uses = arena_array_of (arena, 2, struct lot_use);
    if (uses == NULL || card->lot_count == LOT_NO_MAX || ledger_lots_reserve (card, 1, arena) != 0 ||
        ledger_journal_reserve (card, 2, arena) != 0)
        return out_of_memory (err);

    int32_t number = ledger_lot_open (card, (struct lot){ .gained = gained,
                                                          .usable_from = usable_from > gained ? usable_from : gained,
                                                          .expires = expires,
                                                          .initial = points,
                                                          .origin_ref = origin_ref });
    uses[0] = (struct lot_use){ number, points };
    ledger_journal_add (card, kind, points, gained, &uses[0], 1);
    int64_t paid = expires > gained ? ledger_debt_pay (card, number, points, &uses[1]) : 0;
    if (paid > 0)
        ledger_journal_add (card, JOURNAL_DEBT_PAID, -paid, gained, &uses[1], 1);
    if (lot_no != NULL)
        *lot_no = number;
    assert (ledger_check (card) == NULL);
    return 0;
}

/* ---------------------------------------------------------------- spending and taking back */

bool
ledger_lot_fits (const struct consumption *what, const struct lot *lot)
{
    bool is_there = lot->state == LOT_ACTIVE || (what->booked_too && lot->state == LOT_EXPIRED);
    return is_there && lot->expires > what->instant && lot->remaining > lot->held &&
           (what->pending_too || lot->usable_from <= what->instant);
}

static bool
lot_is_named (const struct consumption *what, const struct lot *lot)
{
    for (uint32_t i = 0; i < what->named_count; i++)
        if (what->named[i] == lot->lot_no)
            return true;
    return false;
}

int
ledger_consumption_prepare (struct card *card, const struct consumption *what, const struct lot_source *source,
                            int64_t *available, uint32_t *lot_count, struct error *err)
{
    int64_t wanted = what->points;
    int64_t after;
    if (what->booked_too && booked_read (card, what->instant, source, err) != 0)
        return -1;
    if (what->instant < card->booked_until && __builtin_add_overflow (card->points, what->points, &after))
        return error_field (err, ERROR_INVALID_REQUEST, "points", "card %" PRId64 " would hold too many points",
                            card->card_id);
    for (uint32_t i = 0; i < what->named_count; i++)
        if (lot_read (card, what->named[i], source, err) != 0)
            return -1;
    for (;;) {
        int64_t sum = 0;
        *lot_count = 0;
        for (uint32_t i = 0; i < card->loaded_count && sum < wanted; i++) {
            const struct lot *lot = &card->lots[i];
            if (!lot_is_in_reach (card, lot) && what->named_count == 0)
                break;
            if (ledger_lot_fits (what, lot) && (lot_is_in_reach (card, lot) || lot_is_named (what, lot))) {
                sum += lot->remaining - lot->held;
                ++*lot_count;
            }
        }
        *available = sum;
        if (sum >= wanted || card->complete)
            return 0;
        if (ledger_lots_read_more (card, source, err) != 0)
            return -1;
    }
}

int
ledger_consumption_reserve (struct card *card, struct consumption *what, uint32_t lot_count, uint32_t rows,
                            struct arena *arena)
{
    if (what->booked_too && what->instant < card->booked_until &&
        (what->unexpired = arena_array_of (arena, (size_t)lot_count + what->named_count, struct lot_use)) == NULL)
        return -1;
    return ledger_journal_reserve (card, rows + 1, arena);
}

/* Notes that points are taken of a lot whose expiry was booked. */
static int64_t
note_unexpired (const struct consumption *what, const struct lot *lot, int64_t taken, uint32_t *count)
{
    if (lot->state != LOT_EXPIRED)
        return 0;
    what->unexpired[(*count)++] = (struct lot_use){ lot->lot_no, taken };
    return taken;
}

/* Takes `points`, which are there, and lists what came from where. Returns how many lots. */
uint32_t
ledger_consumption_apply (struct card *card, const struct consumption *what, int64_t points, struct lot_use *uses)
{
    uint32_t count = 0, unexpired_count = 0;
    int64_t unexpired = 0;
    for (uint32_t i = 0; i < what->named_count && points > 0; i++) {
        struct lot *lot = ledger_lot (card, what->named[i]);
        if (lot == NULL || !ledger_lot_fits (what, lot))
            continue;
        int64_t free = lot->remaining - lot->held, taken = free < points ? free : points;
        uses[count++] = (struct lot_use){ lot->lot_no, taken };
        unexpired += note_unexpired (what, lot, taken, &unexpired_count);
        ledger_lot_take (lot, taken);
        points -= taken;
    }
    for (uint32_t i = 0; i < card->loaded_count && points > 0; i++) {
        struct lot *lot = &card->lots[i];
        if (!ledger_lot_fits (what, lot))
            continue;
        assert (lot_is_in_reach (card, lot));
        int64_t free = lot->remaining - lot->held, taken = free < points ? free : points;
        uses[count++] = (struct lot_use){ lot->lot_no, taken };
        unexpired += note_unexpired (what, lot, taken, &unexpired_count);
        ledger_lot_take (lot, taken);
        points -= taken;
    }
    assert (points == 0);
    if (unexpired > 0)
        ledger_journal_add (card, JOURNAL_UNEXPIRE, unexpired, what->instant, what->unexpired, unexpired_count);
    return count;
}

int
ledger_insufficient (const struct card *card, int64_t required, int64_t available, struct error *err)
{
    char required_text[DECIMAL_TEXT_MAX], available_text[DECIMAL_TEXT_MAX];
    decimal_format (required, POINTS_DIGITS, POINTS_DIGITS, required_text);
    decimal_format (available, POINTS_DIGITS, POINTS_DIGITS, available_text);
    error_set (err, ERROR_INSUFFICIENT_POINTS, "card %" PRId64 " has %s points, %s are required", card->card_id,
               available_text, required_text);
    error_detail (err, "required", "%s", required_text);
    return error_detail (err, "available", "%s", available_text);
}

int
ledger_spend (struct card *card, enum journal_kind kind, int64_t points, int64_t instant,
              const struct lot_source *source, struct arena *arena, const struct journal_row **row, struct error *err)
{
    struct consumption what = { .points = points, .instant = instant, .booked_too = true };
    int64_t available;
    uint32_t lot_count;
    assert (points > 0);
    if (ledger_consumption_prepare (card, &what, source, &available, &lot_count, err) != 0)
        return -1;
    if (available < points)
        return ledger_insufficient (card, points, available, err);
    struct lot_use *uses = arena_array_of (arena, lot_count, struct lot_use);
    if (uses == NULL || ledger_consumption_reserve (card, &what, lot_count, 1, arena) != 0)
        return out_of_memory (err);

    uint32_t count = ledger_consumption_apply (card, &what, points, uses);
    const struct journal_row *written = ledger_journal_add (card, kind, -points, instant, uses, count);
    if (row != NULL)
        *row = written;
    assert (ledger_check (card) == NULL);
    return 0;
}

int
ledger_spend_owing (struct card *card, int64_t points, int64_t instant, const struct lot_source *source,
                    struct arena *arena, const struct journal_row **row, int64_t *missing, struct error *err)
{
    struct consumption what = { .points = points, .instant = instant, .booked_too = true };
    int64_t available, debt;
    uint32_t lot_count;
    assert (points > 0);
    if (ledger_consumption_prepare (card, &what, source, &available, &lot_count, err) != 0)
        return -1;
    int64_t taken = points < available ? points : available;
    if (__builtin_add_overflow (card->debt, points - taken, &debt))
        return error_set (err, ERROR_INVALID_REQUEST, "card %" PRId64 " would owe too many points", card->card_id);
    struct lot_use *uses = arena_array_of (arena, lot_count, struct lot_use);
    if (uses == NULL || ledger_consumption_reserve (card, &what, lot_count, 1, arena) != 0)
        return out_of_memory (err);

    uint32_t count = ledger_consumption_apply (card, &what, taken, uses);
    card->debt = debt;
    *row = ledger_journal_add (card, JOURNAL_REDEEM, -taken, instant, uses, count);
    *missing = points - taken;
    assert (ledger_check (card) == NULL);
    return 0;
}

int
ledger_take_back (struct card *card, int64_t points, const int32_t *lot_nos, uint32_t lot_no_count,
                  enum shortfall shortfall, int64_t instant, const struct lot_source *source, struct arena *arena,
                  int64_t *missing, struct error *err)
{
    struct consumption what = { .points = points,
                                .instant = instant,
                                .pending_too = true,
                                .booked_too = true,
                                .named = lot_nos,
                                .named_count = lot_no_count };
    int64_t available, debt = card->debt;
    uint32_t lot_count;
    assert (points > 0);
    if (ledger_consumption_prepare (card, &what, source, &available, &lot_count, err) != 0)
        return -1;
    int64_t taken = points < available ? points : available;
    if (taken < points && shortfall == SHORTFALL_REFUSE)
        return ledger_insufficient (card, points, available, err);
    if (shortfall == SHORTFALL_DEBT && __builtin_add_overflow (debt, points - taken, &debt))
        return error_set (err, ERROR_INVALID_REQUEST, "card %" PRId64 " would owe too many points", card->card_id);
    /* Named lots may come out of turn, so that one more lot than was counted is begun. */
    struct lot_use *uses = arena_array_of (arena, (size_t)lot_count + lot_no_count, struct lot_use);
    if (uses == NULL || ledger_consumption_reserve (card, &what, lot_count, 1, arena) != 0)
        return out_of_memory (err);

    uint32_t count = ledger_consumption_apply (card, &what, taken, uses);
    if (taken > 0 || debt != card->debt) {
        card->debt = debt;
        ledger_journal_add (card, JOURNAL_TAKE_BACK, -taken, instant, uses, count);
    }
    if (missing != NULL)
        *missing = points - taken;
    assert (ledger_check (card) == NULL);
    return 0;
}

/* ---------------------------------------------------------------- expiry */

int
ledger_expire (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena,
               int64_t *expired, struct error *err)
{
    uint32_t count = 0, use_count = 0;
    int64_t gone = 0;
    if (card->points > 0 && expired_read (card, instant, source, err) != 0)
        return -1;
    for (uint32_t i = 0; i < card->loaded_count && card->lots[i].expires <= instant; i++)
        count += lot_counts (&card->lots[i]) && card->lots[i].held == 0;
    struct lot_use *uses = arena_array_of (arena, count, struct lot_use);
    if (uses == NULL || ledger_journal_reserve (card, 1, arena) != 0)
        return out_of_memory (err);

    for (uint32_t i = 0; i < card->loaded_count && use_count < count; i++) {
        struct lot *lot = &card->lots[i];
        if (!lot_counts (lot) || lot->held > 0)
            continue; /* a lot of which a part is held is booked when that is let go */
        lot->state = LOT_EXPIRED;
        if (lot->expires > card->booked_until)
            card->booked_until = lot->expires;
        lot->is_changed = true;
        gone += lot->remaining;
        uses[use_count++] = (struct lot_use){ lot->lot_no, lot->remaining };
    }
    if (gone > 0)
        ledger_journal_add (card, JOURNAL_EXPIRE, -gone, instant, uses, use_count);
    if (expired != NULL)
        *expired = gone;
    assert (ledger_check (card) == NULL);
    return 0;
}

/* ---------------------------------------------------------------- from card to card */

int
ledger_move (struct card *from, struct card *to, int64_t points, int64_t instant, const struct lot_source *source,
             struct arena *arena, struct error *err)
{
    struct consumption what = { .points = points, .instant = instant };
    int64_t available, after;
    uint32_t lot_count;
    assert (points > 0 && from != to);
    if (ledger_consumption_prepare (from, &what, source, &available, &lot_count, err) != 0)
        return -1;
    if (available < points)
        return ledger_insufficient (from, points, available, err);
    if (__builtin_add_overflow (to->points, points, &after))
        return error_field (err, ERROR_INVALID_REQUEST, "points", "card %" PRId64 " would hold too many points",
                            to->card_id);
    struct lot_use *lists = arena_array_of (arena, (size_t)lot_count * 3, struct lot_use);
    if (lists == NULL || lot_count > (uint32_t)(LOT_NO_MAX - to->lot_count) ||
        ledger_lots_reserve (to, lot_count, arena) != 0 ||
        ledger_consumption_reserve (from, &what, lot_count, 1, arena) != 0 ||
        ledger_journal_reserve (to, 2, arena) != 0)
        return out_of_memory (err);

    struct lot_use *closed = lists, *opened = lists + lot_count, *paid = lists + 2 * (size_t)lot_count;
    uint32_t count = ledger_consumption_apply (from, &what, points, closed);
    for (uint32_t i = 0; i < count; i++) {
        struct lot *lot = ledger_lot (from, closed[i].lot_no);
        if (lot->remaining == 0)
            lot->state = LOT_CLOSED;
        opened[i] = (struct lot_use){ ledger_lot_open (to, (struct lot){ .gained = lot->gained,
                                                                         .usable_from = lot->usable_from,
                                                                         .expires = lot->expires,
                                                                         .initial = closed[i].points,
                                                                         .origin_ref = lot->origin_ref }),
                                      closed[i].points };
    }
    ledger_journal_add (from, JOURNAL_TRANSFER, -points, instant, closed, count);
    ledger_journal_add (to, JOURNAL_TRANSFER, points, instant, opened, count);
    ledger_debt_pay_with (to, opened, count, instant, paid);
    assert (ledger_check (from) == NULL && ledger_check (to) == NULL);
    return 0;
}
