/* domain_ledger_test.c - thousands of random histories of one card, against a model that is plainly right.
 *
 * The model is an array of lots and linear scans. The ledger gets the card as the worker would: in batches, each
 * beginning with a prefix of the stored lots, the rest fetched from a pretended store; at the end of a batch only lots
 * marked new or changed are written back. After every change points, debt, journal rows and invariants are
 * compared, after every batch every lot. Now and then the store or the memory fails: then nothing may have changed. */
#include "domain/ledger.h"
#include "support/random.h"

#include <criterion/criterion.h>

enum { HISTORIES = 10000, BATCHES_MAX = 12, STEPS_MAX = 8, LOTS_MAX = 256, ROWS_MAX = 512, USES_MAX = 64 };

struct model_row {
    enum journal_kind kind;
    int64_t amount, balance, debt, time;
    uint32_t use_count;
    struct lot_use uses[USES_MAX];
};

/* The model: lots[n] has number n + 1. */
struct model {
    struct lot lots[LOTS_MAX];
    int32_t lot_count;
    int64_t points, debt;
    struct model_row rows[ROWS_MAX];
    uint32_t row_count, unexpired;
};

struct history {
    struct random random;
    unsigned seed;
    struct model model;
    struct lot stored[LOTS_MAX]; /* by number */
    int32_t stored_count;
    struct card card;
    uint32_t rows_before; /* journal rows of earlier batches */
    int64_t now;
    struct arena *arena, *starved;
    bool store_fails;
    unsigned failures, refusals, extensions;
};

#define check(condition, ...) cr_assert (condition, "history %u: " #condition, history->seed)

/* ---------------------------------------------------------------- the model */

static bool
model_alive (const struct lot *lot, int64_t instant)
{
    return lot->state == LOT_ACTIVE && lot->remaining > 0 && lot->expires > instant;
}

/* Also what was alive then and was booked as expired since. */
static bool
model_was_alive (const struct lot *lot, int64_t instant)
{
    return (lot->state == LOT_ACTIVE || lot->state == LOT_EXPIRED) && lot->remaining > 0 && lot->expires > instant;
}

static struct lot *
model_next (struct model *model, int64_t instant, bool pending_too)
{
    struct lot *next = NULL;
    for (int32_t i = 0; i < model->lot_count; i++) {
        struct lot *lot = &model->lots[i];
        if (!model_was_alive (lot, instant) || (!pending_too && lot->usable_from > instant))
            continue;
        if (next == NULL || lot->expires < next->expires ||
            (lot->expires == next->expires &&
             (lot->gained < next->gained || (lot->gained == next->gained && lot->lot_no < next->lot_no))))
            next = lot;
    }
    return next;
}

static int64_t
model_sum (struct model *model, int64_t instant, bool pending_too)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < model->lot_count; i++)
        if (model_was_alive (&model->lots[i], instant) && (pending_too || model->lots[i].usable_from <= instant))
            sum += model->lots[i].remaining;
    return sum;
}

static struct model_row *
model_row (struct model *model, enum journal_kind kind, int64_t time)
{
    struct model_row *row = &model->rows[model->row_count++];
    *row = (struct model_row){ .kind = kind, .time = time };
    return row;
}

static void
model_use (struct model *model, struct model_row *row, int32_t lot_no, int64_t signed_points)
{
    (void)model;
    row->uses[row->use_count++] = (struct lot_use){ lot_no, signed_points < 0 ? -signed_points : signed_points };
    row->amount += signed_points;
}

static void
model_row_end (struct model *model, struct model_row *row)
{
    model->points += row->amount;
    row->balance = model->points;
    row->debt = model->debt;
}

static void
model_take (struct lot *lot, int64_t points)
{
    lot->remaining -= points;
    if (lot->remaining == 0)
        lot->state = LOT_DEPLETED;
}

static int32_t
model_open (struct model *model, int64_t gained, int64_t usable_from, int64_t expires, int64_t points)
{
    struct lot *lot = &model->lots[model->lot_count++];
    *lot =
        (struct lot){ model->lot_count, LOT_ACTIVE, gained, usable_from, expires, points, points, 0, 0, false, false };
    return lot->lot_no;
}

static void
model_gain (struct model *model, enum journal_kind kind, int64_t points, int64_t gained, int64_t usable_from,
            int64_t expires)
{
    struct model_row *row = model_row (model, kind, gained);
    int32_t lot_no = model_open (model, gained, usable_from < gained ? gained : usable_from, expires, points);
    model_use (model, row, lot_no, points);
    model_row_end (model, row);
    int64_t paid = model->debt < points ? model->debt : points;
    if (paid > 0 && expires > gained) {
        row = model_row (model, JOURNAL_DEBT_PAID, gained);
        model_take (&model->lots[lot_no - 1], paid);
        model->debt -= paid;
        model_use (model, row, lot_no, -paid);
        model_row_end (model, row);
    }
}

static void
model_consume (struct model *model, struct model_row *unexpired, struct model_row *row, struct lot *lot, int64_t points)
{
    if (lot->state == LOT_EXPIRED)
        model_use (model, unexpired, lot->lot_no, points);
    model_use (model, row, lot->lot_no, -points);
    model_take (lot, points);
}

static void
model_row_add (struct model *model, const struct model_row *row)
{
    model->rows[model->row_count] = *row;
    model_row_end (model, &model->rows[model->row_count++]);
}

/* What comes from lots whose expiry was booked is unexpired first. */
static void
model_unexpired (struct model *model, const struct model_row *unexpired)
{
    if (unexpired->use_count > 0)
        model_row_add (model, unexpired);
    model->unexpired += unexpired->use_count;
}

static bool
model_spend (struct model *model, enum journal_kind kind, int64_t points, int64_t instant)
{
    if (model_sum (model, instant, false) < points)
        return false;
    struct model_row spent = { .kind = kind, .time = instant }, *row = &spent;
    struct model_row unexpired = { .kind = JOURNAL_UNEXPIRE, .time = instant };
    while (points > 0) {
        struct lot *lot = model_next (model, instant, false);
        int64_t taken = lot->remaining < points ? lot->remaining : points;
        model_consume (model, &unexpired, row, lot, taken);
        points -= taken;
    }
    model_unexpired (model, &unexpired);
    model_row_add (model, row);
    return true;
}

static bool
model_take_back (struct model *model, int64_t points, const int32_t *named, uint32_t named_count,
                 enum shortfall shortfall, int64_t instant, int64_t *missing)
{
    int64_t there = model_sum (model, instant, true), left = points < there ? points : there;
    *missing = points - left;
    if (*missing > 0 && shortfall == SHORTFALL_REFUSE)
        return false;
    if (left == 0 && shortfall == SHORTFALL_FORGIVE)
        return true;
    struct model_row taken_back = { .kind = JOURNAL_TAKE_BACK, .time = instant }, *row = &taken_back;
    struct model_row unexpired = { .kind = JOURNAL_UNEXPIRE, .time = instant };
    for (uint32_t i = 0; left > 0; i++) {
        struct lot *lot;
        if (i < named_count) {
            if (named[i] > model->lot_count || !model_was_alive (&model->lots[named[i] - 1], instant))
                continue;
            lot = &model->lots[named[i] - 1];
        } else
            lot = model_next (model, instant, true);
        int64_t taken = lot->remaining < left ? lot->remaining : left;
        model_consume (model, &unexpired, row, lot, taken);
        left -= taken;
    }
    int64_t debt = model->debt + (shortfall == SHORTFALL_DEBT ? *missing : 0);
    model_unexpired (model, &unexpired);
    model->debt = debt;
    model_row_add (model, row);
    return true;
}

static void
model_give_back (struct model *model, const struct lot_use *uses, uint32_t use_count, int64_t extended, int64_t instant)
{
    struct model_row *row = model_row (model, JOURNAL_GIVE_BACK, instant);
    for (uint32_t i = 0; i < use_count; i++) {
        struct lot *lot = &model->lots[uses[i].lot_no - 1];
        int32_t lot_no = lot->lot_no;
        if (lot->expires <= instant && extended > instant)
            lot_no = model_open (model, lot->gained, lot->usable_from, extended, uses[i].points);
        else {
            lot->remaining += uses[i].points;
            if (lot->state == LOT_DEPLETED)
                lot->state = LOT_ACTIVE;
        }
        model_use (model, row, lot_no, uses[i].points);
    }
    model_row_end (model, row);

    const struct model_row *given = row;
    struct model_row again = { .kind = JOURNAL_EXPIRE, .time = instant };
    for (uint32_t i = 0; i < given->use_count; i++)
        if (model->lots[given->uses[i].lot_no - 1].state == LOT_EXPIRED)
            model_use (model, &again, given->uses[i].lot_no, -given->uses[i].points);
    if (again.use_count > 0) {
        model->rows[model->row_count] = again;
        model_row_end (model, &model->rows[model->row_count++]);
    }
    struct model_row paid = { .kind = JOURNAL_DEBT_PAID, .time = instant };
    for (uint32_t i = given->use_count; i > 0 && model->debt > 0; i--) {
        struct lot *lot = &model->lots[given->uses[i - 1].lot_no - 1];
        int64_t points = given->uses[i - 1].points < model->debt ? given->uses[i - 1].points : model->debt;
        if (!model_alive (lot, instant))
            continue;
        model_take (lot, points);
        model->debt -= points;
        model_use (model, &paid, lot->lot_no, -points);
    }
    if (paid.use_count > 0) {
        model->rows[model->row_count] = paid;
        model_row_end (model, &model->rows[model->row_count++]);
    }
}

static void
model_expire (struct model *model, int64_t instant)
{
    struct model_row row = { .kind = JOURNAL_EXPIRE, .time = instant };
    for (;;) {
        struct lot *next = NULL;
        for (int32_t i = 0; i < model->lot_count; i++) {
            struct lot *lot = &model->lots[i];
            if (lot->state == LOT_ACTIVE && lot->expires <= instant && (next == NULL || lot_compare (lot, next) < 0))
                next = lot;
        }
        if (next == NULL)
            break;
        next->state = LOT_EXPIRED;
        model_use (model, &row, next->lot_no, -next->remaining);
    }
    if (row.use_count > 0) {
        model->rows[model->row_count] = row;
        model_row_end (model, &model->rows[model->row_count++]);
    }
}

/* ---------------------------------------------------------------- the pretended store */

static int
store_failure (struct history *history, struct error *err)
{
    if (history->store_fails && random_chance (&history->random, 50))
        return error_set (err, ERROR_UNAVAILABLE, "the store is out of reach");
    return 0;
}

static int
store_more (void *context, struct card *card, struct error *err)
{
    struct history *history = context;
    if (store_failure (history, err) != 0)
        return -1;
    for (int64_t count = random_between (&history->random, 1, 3); count > 0; count--) {
        const struct lot *next = NULL;
        for (int32_t i = 0; i < history->stored_count; i++) {
            const struct lot *lot = &history->stored[i];
            if (lot->state == LOT_ACTIVE && lot_compare (lot, &card->horizon) > 0 &&
                (next == NULL || lot_compare (lot, next) < 0))
                next = lot;
        }
        if (next == NULL) {
            card->complete = true;
            return 0;
        }
        check (ledger_add_stored_lot (card, next, history->arena) == 0);
        card->horizon = *next;
    }
    return 0;
}

static int
store_find (void *context, struct card *card, int32_t lot_no, struct error *err)
{
    struct history *history = context;
    if (store_failure (history, err) != 0)
        return -1;
    if (lot_no <= history->stored_count)
        check (ledger_add_stored_lot (card, &history->stored[lot_no - 1], history->arena) == 0);
    return 0;
}

static int
store_pending (void *context, struct card *card, int64_t instant, struct error *err)
{
    struct history *history = context;
    if (store_failure (history, err) != 0)
        return -1;
    for (int32_t i = 0; i < history->stored_count; i++)
        if (history->stored[i].state == LOT_ACTIVE && history->stored[i].usable_from > instant)
            check (ledger_add_stored_lot (card, &history->stored[i], history->arena) == 0);
    return 0;
}

static int
store_booked (void *context, struct card *card, int64_t instant, struct error *err)
{
    struct history *history = context;
    if (store_failure (history, err) != 0)
        return -1;
    for (int32_t i = 0; i < history->stored_count; i++)
        if (history->stored[i].state == LOT_EXPIRED && history->stored[i].expires > instant)
            check (ledger_add_stored_lot (card, &history->stored[i], history->arena) == 0);
    return 0;
}

static void
batch_begin (struct history *history)
{
    struct card *card = &history->card;
    struct card fresh = { .card_id = 1,
                          .points = card->points,
                          .debt = card->debt,
                          .lot_count = card->lot_count,
                          .journal_count = card->journal_count,
                          .pending_until = card->pending_until,
                          .booked_until = card->booked_until };
    *card = fresh;
    history->rows_before = history->model.row_count;
    history->store_fails = false;
    int64_t chunks = random_between (&history->random, 0, 3);
    for (; chunks > 0 && !card->complete; chunks--)
        store_more (history, card, NULL);
}

static void
batch_end (struct history *history)
{
    const struct card *card = &history->card;
    for (uint32_t i = 0; i < card->loaded_count; i++) {
        struct lot lot = card->lots[i];
        if (!lot.is_new && !lot.is_changed)
            continue;
        check (lot.is_new == (lot.lot_no > history->stored_count));
        lot.is_new = lot.is_changed = false;
        history->stored[lot.lot_no - 1] = lot;
    }
    history->stored_count = card->lot_count;
    check (history->stored_count == history->model.lot_count);
    int64_t sums[LOTS_MAX] = { 0 };
    for (uint32_t i = 0; i < history->model.row_count; i++) {
        const struct model_row *row = &history->model.rows[i];
        for (uint32_t use = 0; use < row->use_count; use++)
            sums[row->uses[use].lot_no - 1] += row->amount < 0 ? -row->uses[use].points : row->uses[use].points;
    }
    for (int32_t i = 0; i < history->stored_count; i++) {
        const struct lot *is = &history->stored[i], *should = &history->model.lots[i];
        check (is->lot_no == should->lot_no && is->state == should->state);
        check (is->gained == should->gained && is->usable_from == should->usable_from);
        check (is->expires == should->expires);
        check (is->initial == should->initial && is->remaining == should->remaining);
        /* Every lot's uses in the journal sum to what it holds. */
        check (sums[i] == (is->state == LOT_EXPIRED ? 0 : is->remaining));
    }
}

/* ---------------------------------------------------------------- one step */

static void
compare (const struct history *history)
{
    const struct card *card = &history->card;
    const struct model *model = &history->model;
    const char *fault = ledger_check (card);
    cr_assert (fault == NULL, "history %u: %s", history->seed, fault);
    check (card->points == model->points && card->points >= 0);
    check (card->debt == model->debt && card->debt >= 0);
    check (card->lot_count == model->lot_count);
    check (card->journal_size == model->row_count - history->rows_before);
    check (card->journal_count == (int32_t)model->row_count);
    for (uint32_t i = 0; i < card->journal_size; i++) {
        const struct journal_row *is = &card->journal[i];
        const struct model_row *should = &model->rows[history->rows_before + i];
        check (is->kind == should->kind && is->amount == should->amount && is->balance == should->balance);
        check (is->debt == should->debt && is->time == should->time && is->use_count == should->use_count);
        for (uint32_t use = 0; use < is->use_count; use++)
            check (is->uses[use].lot_no == should->uses[use].lot_no &&
                   is->uses[use].points == should->uses[use].points);
    }
}

/* A time around now: mostly now, at times late, or in the future (only for what changes nothing). */
static int64_t
some_instant (struct history *history, bool future)
{
    if (random_chance (&history->random, 70))
        return history->now;
    return history->now + random_between (&history->random, -40, future ? 40 : 0);
}

static int64_t
some_expiry (struct history *history, int64_t gained)
{
    if (random_chance (&history->random, 30))
        return INSTANT_NEVER;
    return gained + (random_chance (&history->random, 5) ? 0 : random_between (&history->random, 1, 60));
}

static uint32_t
some_lots (struct history *history, int32_t lots[4])
{
    uint32_t count = (uint32_t)random_between (&history->random, 0, 3);
    for (uint32_t i = 0; i < count; i++)
        lots[i] = (int32_t)random_between (&history->random, 1, history->model.lot_count + 1);
    return count;
}

/* Up to three uses of lots that lost something; no lot gets more than it lost. */
static uint32_t
some_uses (struct history *history, struct lot_use uses[3])
{
    uint32_t count = 0;
    for (int tries = 0; tries < 6 && count < 3 && history->model.lot_count > 0; tries++) {
        int32_t lot_no = (int32_t)random_between (&history->random, 1, history->model.lot_count);
        const struct lot *lot = &history->model.lots[lot_no - 1];
        int64_t lost = lot->initial - lot->remaining;
        for (uint32_t i = 0; i < count; i++)
            lost -= uses[i].lot_no == lot_no ? uses[i].points : 0;
        if (lost > 0)
            uses[count++] = (struct lot_use){ lot_no, random_between (&history->random, 1, lost) };
    }
    return count;
}

/* Whether the change failed for want of memory or store: then the model makes no change either. */
static bool
failed (struct history *history, int rc, const struct error *err)
{
    if (rc == 0 || (err->code != ERROR_UNAVAILABLE && err->code != ERROR_INTERNAL))
        return false;
    check (history->store_fails || history->starved != NULL);
    history->failures++;
    return true;
}

static void
step (struct history *history)
{
    struct random *random = &history->random;
    struct model *model = &history->model;
    struct card *card = &history->card;
    struct lot_source source = { store_more, history, random_chance (random, 70) ? store_find : NULL,
                                 random_chance (random, 70) ? store_pending : NULL, store_booked };
    struct lot_finder finder = { store_find, history };
    struct arena *arena = history->starved != NULL && random_chance (random, 30) ? history->starved : history->arena;
    struct error err = { 0 };
    int64_t points = random_between (random, 1, 40), instant = some_instant (history, false), missing, should_miss;
    int64_t points_before = model->points;
    int32_t lots_before = model->lot_count;
    int rc;

    history->store_fails = random_chance (random, 5);
    switch (random_between (random, 0, 10)) {
    case 0:
    case 1:
    case 2:
    case 3: {
        enum journal_kind kind = random_chance (random, 80) ? JOURNAL_EARN : JOURNAL_ADJUST;
        int64_t usable_from = random_chance (random, 20) ? instant + random_between (random, -5, 40) : 0;
        int64_t expires = some_expiry (history, instant);
        int32_t lot_no = 0;
        rc = ledger_gain (card, kind, points, instant, usable_from, expires, 0, arena, &lot_no, &err);
        if (failed (history, rc, &err))
            break;
        check (rc == 0);
        model_gain (model, kind, points, instant, usable_from, expires);
        check (lot_no == model->lot_count);
        break;
    }
    case 4:
    case 5: {
        enum journal_kind kind = random_chance (random, 80) ? JOURNAL_REDEEM : JOURNAL_ADJUST;
        const struct journal_row *row = NULL;
        rc = ledger_spend (card, kind, points, instant, &source, arena, &row, &err);
        if (failed (history, rc, &err))
            break;
        bool fine = model_spend (model, kind, points, instant);
        check ((rc == 0) == fine);
        check (fine ? row != NULL && row->amount == -points : err.code == ERROR_INSUFFICIENT_POINTS);
        history->refusals += !fine;
        break;
    }
    case 6: {
        int32_t lots[4];
        uint32_t lot_count = some_lots (history, lots);
        enum shortfall shortfall = (enum shortfall)random_between (random, SHORTFALL_DEBT, SHORTFALL_FORGIVE);
        rc = ledger_take_back (card, points, lots, lot_count, shortfall, instant, &source, arena, &missing, &err);
        if (failed (history, rc, &err))
            break;
        bool fine = model_take_back (model, points, lots, lot_count, shortfall, instant, &should_miss);
        check ((rc == 0) == fine);
        check (fine ? missing == should_miss : err.code == ERROR_INSUFFICIENT_POINTS);
        break;
    }
    case 7:
    case 8: {
        struct lot_use uses[3];
        uint32_t use_count = some_uses (history, uses);
        int64_t extended = random_chance (random, 40) ? instant + random_between (random, -10, 50) : 0;
        if (use_count == 0 || extended < 0)
            break;
        rc = ledger_give_back (card, JOURNAL_GIVE_BACK, uses, use_count, extended, instant, &finder, arena, &err);
        if (failed (history, rc, &err))
            break;
        check (rc == 0);
        model_give_back (model, uses, use_count, extended, instant);
        history->extensions += model->lot_count > lots_before;
        break;
    }
    case 9: {
        int64_t expired;
        rc = ledger_expire (card, instant, &source, arena, &expired, &err);
        if (failed (history, rc, &err))
            break;
        check (rc == 0);
        model_expire (model, instant);
        check (expired == points_before - model->points);
        break;
    }
    case 10:
        history->now += random_between (random, 0, 30);
        break;
    }
    history->store_fails = false;
    compare (history);

    instant = some_instant (history, true);
    check (ledger_balance (card, instant, &source, history->arena, &points, &err) == 0);
    check (points == model_sum (model, instant, false));
    compare (history);
}

static void
run (struct history *history)
{
    int64_t batches = random_between (&history->random, 1, BATCHES_MAX);
    for (int64_t batch = 0; batch < batches; batch++) {
        history->starved =
            random_chance (&history->random, 10) ? arena_new ((size_t)random_between (&history->random, 0, 600)) : NULL;
        batch_begin (history);
        for (int64_t steps = random_between (&history->random, 1, STEPS_MAX); steps > 0; steps--)
            step (history);
        batch_end (history);
        arena_destroy (&history->starved);
        arena_reset (history->arena);
    }
}

Test (ledger, random_histories_match_the_model)
{
    static struct history history;
    struct arena *arena = arena_new (16 << 20);
    unsigned rows = 0, lots = 0, failures = 0, refusals = 0, extensions = 0, unexpired = 0;
    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        history = (struct history){ .random = { seed }, .seed = seed, .arena = arena, .now = 100 };
        run (&history);
        rows += history.model.row_count;
        lots += (unsigned)history.model.lot_count;
        failures += history.failures;
        refusals += history.refusals;
        extensions += history.extensions;
        unexpired += history.model.unexpired;
    }
    arena_destroy (&arena);
    cr_log_info ("%u rows, %u lots, %u failures, %u refusals, %u extensions, %u unexpired", rows, lots, failures,
                 refusals, extensions, unexpired);
    /* The histories did go through what they are for. */
    cr_assert (rows > 10 * HISTORIES && lots > 5 * HISTORIES);
    cr_assert (failures > 200 && refusals > 1000 && extensions > 200 && unexpired > 200);
}
