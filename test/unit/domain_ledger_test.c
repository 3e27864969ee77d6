/* domain_ledger_test.c - the ledger's rules, one by one (SEMANTICS section 4). */
#include "domain/ledger.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define DAY US_PER_DAY

static struct arena *arena;
static struct error err;
static struct card card;

static void
setup (void)
{
    arena = arena_new (1 << 20);
    card = (struct card){ .card_id = 7, .program_id = 1, .complete = true };
    err = (struct error){ 0 };
}

static void
teardown (void)
{
    arena_destroy (&arena);
}

TestSuite (ledger, .init = setup, .fini = teardown);

#define sound() cr_assert_null (ledger_check (&card), "%s", ledger_check (&card))

static int32_t
gain (int64_t points, int64_t gained, int64_t expires)
{
    int32_t lot_no;
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, points, gained, gained, expires, 0, arena, &lot_no, &err), 0);
    sound ();
    return lot_no;
}

static const struct journal_row *
spend (int64_t points, int64_t instant)
{
    const struct journal_row *row = NULL;
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, points, instant, NULL, arena, &row, &err), 0, "%s", err.message);
    sound ();
    return row;
}

static int64_t
balance (int64_t instant)
{
    int64_t points;
    cr_assert_eq (ledger_balance (&card, instant, NULL, arena, &points, &err), 0, "%s", err.message);
    return points;
}

static const struct lot *
lot (int32_t lot_no)
{
    for (uint32_t i = 0; i < card.loaded_count; i++)
        if (card.lots[i].lot_no == lot_no)
            return &card.lots[i];
    cr_fatal ("there is no lot %d", lot_no);
}

static const struct journal_row *
row_last (unsigned back)
{
    cr_assert (card.journal_size > back);
    return &card.journal[card.journal_size - 1 - back];
}

static void
expect_row (const struct journal_row *row, enum journal_kind kind, int64_t amount, int64_t points, int64_t debt)
{
    cr_assert_eq (row->kind, kind, "%s, not %s", JOURNAL_NAMES[row->kind], JOURNAL_NAMES[kind]);
    cr_assert_eq (row->amount, amount, "amount %lld", (long long)row->amount);
    cr_assert_eq (row->balance, points, "balance %lld", (long long)row->balance);
    cr_assert_eq (row->debt, debt, "debt %lld", (long long)row->debt);
}

static void
expect_use (const struct journal_row *row, uint32_t index, int32_t lot_no, int64_t points)
{
    cr_assert (index < row->use_count);
    cr_assert_eq (row->uses[index].lot_no, lot_no, "lot %d", row->uses[index].lot_no);
    cr_assert_eq (row->uses[index].points, points, "%lld points", (long long)row->uses[index].points);
}

/* ---------------------------------------------------------------- rule 19: lots */

Test (ledger, rule_19_a_gain_opens_a_lot_and_a_row)
{
    int32_t first = gain (1000, 5, 100), second = gain (250, 6, INSTANT_NEVER);
    cr_assert_eq (first, 1);
    cr_assert_eq (second, 2);
    cr_assert_eq (card.points, 1250);
    cr_assert_eq (lot (1)->remaining, 1000);
    cr_assert (lot (1)->is_new);
    expect_row (row_last (1), JOURNAL_EARN, 1000, 1000, 0);
    expect_row (row_last (0), JOURNAL_EARN, 250, 1250, 0);
    expect_use (row_last (0), 0, 2, 250);
    cr_assert_eq (row_last (0)->seq, 2);
    cr_assert_eq (row_last (0)->time, 6);
}

Test (ledger, rule_19_pending_points_are_not_usable_before_their_time)
{
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 500, 10, 10 + DAY, INSTANT_NEVER, 0, arena, NULL, &err), 0);
    cr_assert_eq (balance (10), 0);
    cr_assert_eq (balance (9 + DAY), 0);
    cr_assert_eq (balance (10 + DAY), 500);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 1, 9 + DAY, NULL, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    spend (500, 10 + DAY);
}

Test (ledger, rule_19_a_gain_is_not_usable_before_it_happened)
{
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 500, 10, 0, INSTANT_NEVER, 0, arena, NULL, &err), 0);
    cr_assert_eq (lot (1)->usable_from, 10);
    cr_assert_eq (balance (9), 0);
    cr_assert_eq (balance (10), 500);
}

Test (ledger, rule_19_more_points_than_can_be_counted_are_refused)
{
    gain (INT64_MAX - 5, 1, INSTANT_NEVER);
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 6, 2, 2, INSTANT_NEVER, 0, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INVALID_REQUEST);
    cr_assert_eq (card.points, INT64_MAX - 5);
    cr_assert_eq (card.lot_count, 1);
    sound ();
}

/* ---------------------------------------------------------------- rule 20: FEFO and expiry */

Test (ledger, rule_20_soonest_expiry_then_oldest_gain_then_number)
{
    gain (10, 5, INSTANT_NEVER); /* 1 */
    gain (10, 5, 900);           /* 2 */
    gain (10, 4, 900);           /* 3 */
    gain (10, 4, 900);           /* 4 */
    gain (10, 9, 800);           /* 5 */
    const struct journal_row *row = spend (50, 10);
    const int32_t order[] = { 5, 3, 4, 2, 1 };
    cr_assert_eq (row->use_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        expect_use (row, i, order[i], 10);
    expect_row (row, JOURNAL_REDEEM, -50, 0, 0);
    cr_assert_eq (lot (2)->state, LOT_DEPLETED);
}

Test (ledger, rule_20_a_lot_is_used_in_part)
{
    gain (100, 1, 900);
    gain (100, 1, 950);
    const struct journal_row *row = spend (130, 2);
    expect_use (row, 0, 1, 100);
    expect_use (row, 1, 2, 30);
    cr_assert_eq (lot (2)->remaining, 70);
    cr_assert_eq (lot (2)->state, LOT_ACTIVE);
}

Test (ledger, rule_20_expired_from_the_instant_of_expiry_though_no_job_ran)
{
    gain (100, 1, 1000);
    gain (40, 1, 2000);
    cr_assert_eq (balance (999), 140);
    cr_assert_eq (balance (1000), 40);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 41, 1000, NULL, arena, NULL, &err), -1);
    cr_assert_str_eq (err.details[0].name, "required");
    cr_assert_str_eq (err.details[0].value, "0.41");
    cr_assert_str_eq (err.details[1].name, "available");
    cr_assert_str_eq (err.details[1].value, "0.40");
    cr_assert_eq (card.points, 140);
    expect_use (spend (40, 1000), 0, 2, 40);
}

Test (ledger, rule_20_a_job_books_what_expired)
{
    int64_t expired;
    gain (100, 1, 1000);
    gain (40, 1, 1001);
    spend (30, 5);
    cr_assert_eq (ledger_expire (&card, 1000, NULL, arena, &expired, &err), 0);
    sound ();
    cr_assert_eq (expired, 70);
    expect_row (row_last (0), JOURNAL_EXPIRE, -70, 40, 0);
    expect_use (row_last (0), 0, 1, 70);
    cr_assert_eq (lot (1)->state, LOT_EXPIRED);
    cr_assert_eq (lot (1)->remaining, 70);
    cr_assert_eq (ledger_expire (&card, 1000, NULL, arena, &expired, &err), 0);
    cr_assert_eq (expired, 0);
    cr_assert_eq (card.journal_size, 4);
}

/* ---------------------------------------------------------------- rule 20: lots that are still in the store */

static const struct lot STORED[] = {
    { 1, LOT_ACTIVE, 1, 1, 1000, 10, 10, 0, 0, false, false },
    { 2, LOT_ACTIVE, 1, 1, 2000, 10, 10, 0, 0, false, false },
    { 3, LOT_ACTIVE, 1, 1, 3000, 10, 10, 0, 0, false, false },
    { 4, LOT_ACTIVE, 1, 500, 4000, 10, 10, 0, 0, false, false },
    { 5, LOT_ACTIVE, 1, 1, INSTANT_NEVER, 10, 10, 0, 0, false, false },
};
enum { STORED_COUNT = sizeof STORED / sizeof *STORED };

struct reads {
    unsigned more, find, pending;
    bool fail, stuck;
};

static int
read_more (void *context, struct card *of, struct error *error)
{
    struct reads *reads = context;
    reads->more++;
    if (reads->fail)
        return error_set (error, ERROR_UNAVAILABLE, "the store is out of reach");
    for (unsigned i = 0; i < STORED_COUNT && !reads->stuck; i++)
        if (lot_compare (&STORED[i], &of->horizon) > 0) {
            cr_assert_eq (ledger_add_stored_lot (of, &STORED[i], arena), 0);
            of->horizon = STORED[i];
            of->complete = i + 1 == STORED_COUNT;
            break;
        }
    return 0;
}

static int
read_one (void *context, struct card *of, int32_t lot_no, struct error *error)
{
    struct reads *reads = context;
    reads->find++;
    if (reads->fail)
        return error_set (error, ERROR_UNAVAILABLE, "the store is out of reach");
    return lot_no >= 1 && lot_no <= STORED_COUNT ? ledger_add_stored_lot (of, &STORED[lot_no - 1], arena) : 0;
}

static int
read_pending (void *context, struct card *of, int64_t instant, struct error *error)
{
    struct reads *reads = context;
    reads->pending++;
    if (reads->fail)
        return error_set (error, ERROR_UNAVAILABLE, "the store is out of reach");
    for (unsigned i = 0; i < STORED_COUNT; i++)
        if (STORED[i].usable_from > instant)
            cr_assert_eq (ledger_add_stored_lot (of, &STORED[i], arena), 0);
    return 0;
}

/* A card of five stored lots, none of them read. */
static struct lot_source
stored_card (struct reads *reads)
{
    card.complete = false;
    card.points = 10 * STORED_COUNT;
    card.lot_count = STORED_COUNT;
    card.pending_until = 500;
    return (struct lot_source){ read_more, reads, read_one, read_pending, NULL };
}

Test (ledger, rule_20_reads_no_more_lots_than_it_spends)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    const struct journal_row *row;
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 15, 600, &source, arena, &row, &err), 0);
    cr_assert_eq (reads.more, 2);
    expect_use (row, 0, 1, 10);
    expect_use (row, 1, 2, 5);
    sound ();
}

Test (ledger, rule_20_a_new_lot_beyond_the_horizon_waits_for_the_stored_ones)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    const struct journal_row *row;
    int64_t points;
    cr_assert_eq (ledger_balance (&card, 600, &source, arena, &points, &err), 0);
    cr_assert_eq (reads.more, 1);
    cr_assert_eq (gain (10, 600, 2500), 6); /* between the stored lots 2 and 3, of which none is in memory */
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 35, 600, &source, arena, &row, &err), 0);
    expect_use (row, 0, 1, 10);
    expect_use (row, 1, 2, 10);
    expect_use (row, 2, 6, 10);
    expect_use (row, 3, 3, 5);
    cr_assert_eq (reads.more, 3);
    sound ();
}

Test (ledger, rule_21_the_balance_reads_expired_and_pending_lots_only)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    int64_t points;
    cr_assert_eq (ledger_balance (&card, 1500, &source, arena, &points, &err), 0);
    cr_assert_eq (points, 40);
    cr_assert_eq (reads.more, 2); /* the first one that is not expired ends it */
    cr_assert_eq (reads.pending, 0);
    cr_assert_eq (ledger_balance (&card, 400, &source, arena, &points, &err), 0);
    cr_assert_eq (points, 40);
    cr_assert_eq (reads.pending, 1);
    cr_assert_eq (ledger_balance (&card, 450, &source, arena, &points, &err), 0);
    cr_assert_eq (points, 40);
    cr_assert_eq (reads.more, 2);
    cr_assert_eq (reads.pending, 1, "what was read once is not read again");
    sound ();
}

Test (ledger, rule_21_without_a_way_to_read_pending_lots_all_are_read)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    int64_t points;
    source.pending = NULL;
    cr_assert_eq (ledger_balance (&card, 400, &source, arena, &points, &err), 0);
    cr_assert_eq (points, 40);
    cr_assert (card.complete);
}

Test (ledger, rule_20_a_store_that_fails_changes_nothing)
{
    struct reads reads = { .fail = true };
    struct lot_source source = stored_card (&reads);
    int64_t points;
    int32_t named = 3;
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 15, 600, &source, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_UNAVAILABLE);
    cr_assert_eq (ledger_balance (&card, 600, &source, arena, &points, &err), -1);
    cr_assert_eq (ledger_expire (&card, 1000, &source, arena, NULL, &err), -1);
    cr_assert_eq (ledger_take_back (&card, 5, &named, 1, SHORTFALL_DEBT, 600, &source, arena, NULL, &err), -1);
    cr_assert_eq (card.journal_size, 0);
    cr_assert_eq (card.points, 50);
    sound ();
}

Test (ledger, rule_20_a_store_that_makes_no_progress_is_an_error)
{
    struct reads reads = { .stuck = true };
    struct lot_source source = stored_card (&reads);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 15, 600, &source, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 15, 600, NULL, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
}

/* ---------------------------------------------------------------- rule 33: taking back, debt */

Test (ledger, rule_33_taken_back_from_the_orders_lots_first_then_fefo)
{
    gain (10, 1, 1000); /* 1 */
    gain (10, 1, 2000); /* 2 */
    gain (10, 1, 3000); /* 3 */
    int32_t named[] = { 3, 99 };
    int64_t missing = -1;
    cr_assert_eq (ledger_take_back (&card, 15, named, 2, SHORTFALL_DEBT, 5, NULL, arena, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 0);
    expect_row (row_last (0), JOURNAL_TAKE_BACK, -15, 15, 0);
    expect_use (row_last (0), 0, 3, 10);
    expect_use (row_last (0), 1, 1, 5);
}

Test (ledger, rule_35_rewards_that_were_given_take_what_there_is_and_the_rest_is_owed)
{
    const struct journal_row *row;
    int64_t missing = -1;
    gain (10, 1, 1000);  /* 1 */
    gain (20, 50, 1000); /* 2: gained after the order's date */
    cr_assert_eq (ledger_spend_owing (&card, 15, 5, NULL, arena, &row, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 5);
    expect_row (row, JOURNAL_REDEEM, -10, 20, 5);
    expect_use (row, 0, 1, 10);
    cr_assert_eq (ledger_spend_owing (&card, 3, 5, NULL, arena, &row, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 3);
    expect_row (row, JOURNAL_REDEEM, 0, 20, 8);
    cr_assert_eq (ledger_spend_owing (&card, 3, 60, NULL, arena, &row, &missing, &err), 0);
    cr_assert_eq (missing, 0);
    cr_assert_eq (card.debt, 8);
    card.debt = INT64_MAX - 1;
    cr_assert_eq (ledger_spend_owing (&card, 30, 5, NULL, arena, &row, &missing, &err), -1);
    cr_assert_eq (err.code, ERROR_INVALID_REQUEST);
    cr_assert_eq (card.points, 17);
}

Test (ledger, rule_35_a_lot_that_was_booked_as_expired_since_is_used_and_its_expiry_taken_back)
{
    gain (100, 1, 1000);
    gain (40, 1, 2000);
    cr_assert_eq (ledger_expire (&card, 1500, NULL, arena, NULL, &err), 0);
    cr_assert_eq (balance (1500), 40);
    cr_assert_eq (balance (999), 140, "what was alive then counts then");
    const struct journal_row *row = spend (70, 999);
    expect_row (row_last (1), JOURNAL_UNEXPIRE, 70, 110, 0);
    expect_use (row_last (1), 0, 1, 70);
    expect_row (row, JOURNAL_REDEEM, -70, 40, 0);
    expect_use (row, 0, 1, 70);
    cr_assert_eq (lot (1)->state, LOT_EXPIRED);
    cr_assert_eq (lot (1)->remaining, 30);
    cr_assert_eq (balance (1500), 40);
    row = spend (50, 999);
    expect_row (row_last (1), JOURNAL_UNEXPIRE, 30, 70, 0);
    expect_row (row, JOURNAL_REDEEM, -50, 20, 0);
    expect_use (row, 0, 1, 30);
    expect_use (row, 1, 2, 20);
    cr_assert_eq (lot (1)->state, LOT_DEPLETED);
    cr_assert_eq (balance (999), 20);
}

Test (ledger, rule_35_what_expired_before_the_orders_date_is_not_used_nor_is_what_was_gained_after)
{
    int64_t missing;
    const struct journal_row *row;
    gain (100, 1, 1000);
    gain (40, 1200, 1300);
    cr_assert_eq (ledger_expire (&card, 1500, NULL, arena, NULL, &err), 0);
    cr_assert_eq (balance (1000), 0);
    cr_assert_eq (balance (1250), 40);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 1, 1000, NULL, arena, &row, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    cr_assert_eq (ledger_spend_owing (&card, 50, 1250, NULL, arena, &row, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 10);
    expect_row (row_last (1), JOURNAL_UNEXPIRE, 40, 40, 0);
    expect_row (row, JOURNAL_REDEEM, -40, 0, 10);
}

static int
read_booked (void *context, struct card *of, int64_t instant, struct error *error)
{
    static const struct lot BOOKED = { 1, LOT_EXPIRED, 1, 1, 1000, 10, 10, 0, 0, false, false };
    struct reads *reads = context;
    reads->more++;
    if (reads->fail)
        return error_set (error, ERROR_UNAVAILABLE, "the store is out of reach");
    return instant < BOOKED.expires ? ledger_add_stored_lot (of, &BOOKED, arena) : 0;
}

Test (ledger, rule_35_booked_lots_are_read_only_for_a_time_before_the_last_of_them_expired)
{
    struct reads reads = { 0 };
    struct lot_source source = { .booked = read_booked, .context = &reads };
    int64_t points;
    card.complete = true;
    card.lot_count = 1;
    card.booked_until = 1000;
    cr_assert_eq (ledger_balance (&card, 1000, &source, arena, &points, &err), 0);
    cr_assert_eq (points, 0);
    cr_assert_eq (reads.more, 0);
    reads.fail = true;
    cr_assert_eq (ledger_balance (&card, 999, &source, arena, &points, &err), -1);
    cr_assert_eq (err.code, ERROR_UNAVAILABLE);
    reads.fail = false;
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq (ledger_balance (&card, 999, &source, arena, &points, &err), 0);
        cr_assert_eq (points, 10);
    }
    cr_assert_eq (reads.more, 2, "what was read once is not read again");
    card.points = INT64_MAX - 5;
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 6, 999, &source, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INVALID_REQUEST, "more points than can be counted");
}

Test (ledger, rule_33_a_named_lot_is_read_by_its_number)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    int32_t named = 5;
    cr_assert_eq (ledger_take_back (&card, 4, &named, 1, SHORTFALL_DEBT, 600, &source, arena, NULL, &err), 0);
    sound ();
    cr_assert_eq (reads.find, 1);
    cr_assert_eq (reads.more, 0);
    expect_use (row_last (0), 0, 5, 4);
    /* It does not jump the queue for others, nor is it read a second time with what the store says. */
    const struct journal_row *row;
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 46, 600, &source, arena, &row, &err), 0);
    sound ();
    expect_use (row, 0, 1, 10);
    expect_use (row, 4, 5, 6);
    cr_assert_eq (card.points, 0);
}

Test (ledger, rule_33_pending_points_can_be_taken_back)
{
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 50, 10, 10 + DAY, INSTANT_NEVER, 3, arena, NULL, &err), 0);
    int32_t named = 1;
    int64_t missing;
    cr_assert_eq (ledger_take_back (&card, 50, &named, 1, SHORTFALL_REFUSE, 20, NULL, arena, &missing, &err), 0);
    sound ();
    cr_assert_eq (card.points, 0);
}

Test (ledger, rule_33_what_is_missing_is_debt_and_paid_by_the_next_points)
{
    gain (10, 1, INSTANT_NEVER);
    int64_t missing;
    cr_assert_eq (ledger_take_back (&card, 25, NULL, 0, SHORTFALL_DEBT, 5, NULL, arena, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 15);
    expect_row (row_last (0), JOURNAL_TAKE_BACK, -10, 0, 15);
    gain (6, 6, INSTANT_NEVER);
    expect_row (row_last (1), JOURNAL_EARN, 6, 6, 15);
    expect_row (row_last (0), JOURNAL_DEBT_PAID, -6, 0, 9);
    cr_assert_eq (lot (2)->state, LOT_DEPLETED);
    gain (20, 7, INSTANT_NEVER);
    expect_row (row_last (0), JOURNAL_DEBT_PAID, -9, 11, 0);
    expect_use (row_last (0), 0, 3, 9);
    cr_assert_eq (balance (8), 11);
}

Test (ledger, rule_33_debt_alone_has_its_row)
{
    int64_t missing;
    cr_assert_eq (ledger_take_back (&card, 25, NULL, 0, SHORTFALL_DEBT, 5, NULL, arena, &missing, &err), 0);
    sound ();
    expect_row (row_last (0), JOURNAL_TAKE_BACK, 0, 0, 25);
    cr_assert (card.is_changed);
}

Test (ledger, rule_33_points_that_were_never_usable_pay_no_debt)
{
    cr_assert_eq (ledger_take_back (&card, 25, NULL, 0, SHORTFALL_DEBT, 5, NULL, arena, NULL, &err), 0);
    gain (30, 10, 10);
    cr_assert_eq (card.debt, 25);
    cr_assert_eq (balance (10), 0);
}

Test (ledger, rule_33_forgiven_and_refused)
{
    int64_t missing;
    gain (10, 1, INSTANT_NEVER);
    cr_assert_eq (ledger_take_back (&card, 25, NULL, 0, SHORTFALL_REFUSE, 5, NULL, arena, &missing, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    cr_assert_eq (card.points, 10);
    cr_assert_eq (card.journal_size, 1);
    cr_assert_eq (ledger_take_back (&card, 25, NULL, 0, SHORTFALL_FORGIVE, 5, NULL, arena, &missing, &err), 0);
    cr_assert_eq (missing, 15);
    cr_assert_eq (card.debt, 0);
    expect_row (row_last (0), JOURNAL_TAKE_BACK, -10, 0, 0);
    cr_assert_eq (ledger_take_back (&card, 5, NULL, 0, SHORTFALL_FORGIVE, 5, NULL, arena, &missing, &err), 0);
    cr_assert_eq (missing, 5);
    cr_assert_eq (card.journal_size, 2, "nothing moved, so there is no row");
    sound ();
}

Test (ledger, rule_33_debt_has_a_bound)
{
    cr_assert_eq (ledger_take_back (&card, INT64_MAX, NULL, 0, SHORTFALL_DEBT, 5, NULL, arena, NULL, &err), 0);
    cr_assert_eq (ledger_take_back (&card, 1, NULL, 0, SHORTFALL_DEBT, 5, NULL, arena, NULL, &err), -1);
    cr_assert_eq (err.code, ERROR_INVALID_REQUEST);
    cr_assert_eq (card.debt, INT64_MAX);
    sound ();
}

static struct hold *
hold (const char *id, int64_t points, int64_t instant, int64_t until)
{
    cr_assert_eq (ledger_hold (&card, str_of (id), points, instant, until, NULL, arena, &err), 0, "%s", err.message);
    sound ();
    return ledger_hold_find (&card, str_of (id));
}

Test (ledger, rule_22_a_hold_names_its_lots)
{
    const struct journal_row *row;
    gain (10, 1, 2000);
    gain (10, 1, 1000);
    hold ("A", 15, 5, 500);
    cr_assert (lot (2)->held == 10 && lot (1)->held == 5 && card.held == 15);
    spend (5, 6); /* the rest of lot 1, as lot 2 is held */
    cr_assert_eq (lot (1)->remaining, 5);
    gain (10, 7, 900); /* would be spent first, but the hold names other lots */
    cr_assert_eq (
        ledger_hold_capture (&card, ledger_hold_find (&card, STR ("A")), JOURNAL_REDEEM, 12, 8, arena, &row, &err), 0);
    sound ();
    expect_row (row, JOURNAL_REDEEM, -12, 13, 0);
    expect_use (row, 0, 2, 10);
    expect_use (row, 1, 1, 2);
    cr_assert (card.held == 0 && lot (1)->held == 0 && lot (1)->remaining == 3, "what was not captured is let go");
    cr_assert_null (ledger_hold_find (&card, STR ("A")));
}

Test (ledger, rule_22_what_is_held_does_not_expire)
{
    int64_t gone;
    gain (10, 1, 100);
    struct hold *held = hold ("A", 6, 5, 500);
    cr_assert_eq (balance (99), 10);
    cr_assert_eq (balance (100), 6, "what is not held is gone");
    cr_assert_eq (ledger_expire (&card, 200, NULL, arena, &gone, &err), 0);
    sound ();
    cr_assert_eq (gone, 0, "the lot is booked when the hold is let go");
    ledger_hold_release (&card, held);
    sound ();
    cr_assert_eq (balance (200), 0);
    cr_assert_eq (ledger_expire (&card, 200, NULL, arena, &gone, &err), 0);
    cr_assert_eq (gone, 10);
    sound ();
}

Test (ledger, rule_22_captured_after_its_lots_expired)
{
    gain (10, 1, 100);
    struct hold *held = hold ("A", 6, 5, 500);
    cr_assert_eq (ledger_hold_capture (&card, held, JOURNAL_REDEEM, 6, 300, arena, NULL, &err), 0);
    sound ();
    cr_assert_eq (card.points, 4);
    cr_assert_eq (balance (300), 0);
}

Test (ledger, rule_22_an_expired_hold_releases_itself)
{
    gain (10, 1, INSTANT_NEVER);
    hold ("A", 6, 5, 500);
    hold ("B", 4, 5, 600);
    cr_assert_eq (ledger_hold (&card, STR ("C"), 1, 5, 500, NULL, arena, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    ledger_holds_expire (&card, 499);
    cr_assert_eq (card.held, 10);
    ledger_holds_expire (&card, 500);
    sound ();
    cr_assert_eq (card.held, 4);
    cr_assert_null (ledger_hold_find (&card, STR ("A")));
    cr_assert_eq (card.holds[0].state, HOLD_EXPIRED);
    spend (6, 501);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 1, 501, NULL, arena, NULL, &err), -1);
}

Test (ledger, rule_22_a_stored_hold_is_read_back)
{
    gain (10, 1, 2000);
    struct card stored = {
        .card_id = 7, .points = 10, .held = 7, .lot_count = 1, .journal_count = 1, .pending_until = 1
    };
    cr_assert_eq (ledger_add_stored_hold (&stored, STR ("A"), 500, lot (1), 3, arena), 0);
    cr_assert_eq (ledger_add_stored_hold (&stored, STR ("B"), 500, lot (1), 4, arena), 0);
    cr_assert_null (ledger_check (&stored), "%s", ledger_check (&stored));
    cr_assert (stored.loaded_count == 1 && stored.lots[0].held == 7 && stored.hold_count == 2);
}

Test (ledger, rule_22_what_is_held_is_not_spent_by_anyone_else)
{
    int64_t missing;
    gain (100, 1, INSTANT_NEVER);
    hold ("A", 60, 5, 1000);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 41, 5, NULL, arena, NULL, &err), -1);
    cr_assert_str_eq (err.details[1].value, "0.40");
    cr_assert_eq (ledger_take_back (&card, 41, NULL, 0, SHORTFALL_FORGIVE, 5, NULL, arena, &missing, &err), 0);
    cr_assert_eq (missing, 1);
    cr_assert_eq (card.points, 60);
    cr_assert_eq (balance (5), 60, "the balance that is seen includes what is held");
}

Test (ledger, rule_22_what_is_held_of_an_orders_own_lot_is_not_taken_back)
{
    int64_t missing;
    int32_t named = gain (100, 1, 1000);
    hold ("A", 60, 5, 500);
    gain (100, 6, 2000);
    cr_assert_eq (ledger_take_back (&card, 100, &named, 1, SHORTFALL_DEBT, 7, NULL, arena, &missing, &err), 0);
    sound ();
    cr_assert_eq (missing, 0);
    expect_use (row_last (0), 0, 1, 40);
    expect_use (row_last (0), 1, 2, 60);
    cr_assert_eq (lot (1)->remaining, 60);
}

/* ---------------------------------------------------------------- rule 33: giving back */

Test (ledger, rule_33_given_back_to_its_lots)
{
    gain (10, 1, 1000);
    gain (10, 1, 2000);
    spend (15, 5);
    const struct lot_use uses[] = { { 2, 5 }, { 1, 3 } };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 2, 0, 6, NULL, arena, &err), 0);
    sound ();
    expect_row (row_last (0), JOURNAL_GIVE_BACK, 8, 13, 0);
    expect_use (row_last (0), 0, 2, 5);
    expect_use (row_last (0), 1, 1, 3);
    cr_assert_eq (lot (1)->remaining, 3);
    cr_assert_eq (lot (1)->state, LOT_ACTIVE);
    cr_assert_eq (balance (6), 13);
}

Test (ledger, rule_33_a_lot_takes_back_no_more_than_it_lost)
{
    gain (10, 1, 1000);
    gain (10, 1, 2000);
    spend (12, 5);
    const struct lot_use uses[] = { { 2, 2 }, { 1, 6 }, { 1, 5 } }, unknown = { 9, 1 }, nothing = { 1, 0 };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &unknown, 1, 0, 6, NULL, arena, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &nothing, 1, 0, 6, NULL, arena, &err), -1);
    cr_assert_eq (card.points, 8);
    cr_assert_eq (card.journal_size, 3);
    sound ();
    /* What it has no room for is a lot of its own with the same dates. */
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 3, 0, 6, NULL, arena, &err), 0);
    sound ();
    cr_assert_eq (card.points, 21);
    cr_assert_eq (lot (1)->remaining, 10);
    cr_assert_eq (lot (2)->remaining, 10);
    cr_assert_eq (lot (3)->remaining, 1);
    cr_assert (lot (3)->gained == 1 && lot (3)->expires == 1000);
}

Test (ledger, rule_36_spent_again_from_where_it_was_given_back)
{
    gain (10, 1, 1000);
    gain (10, 1, 2000);
    spend (15, 5);
    const struct lot_use uses[] = { { 2, 5 }, { 1, 10 } };
    int64_t missing;
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 2, 0, 6, NULL, arena, &err), 0);
    cr_assert_eq (ledger_redeem_again (&card, uses, 2, SHORTFALL_DEBT, 7, NULL, arena, &missing, &err), 0);
    sound ();
    expect_row (row_last (0), JOURNAL_REDEEM, -15, 5, 0);
    expect_use (row_last (0), 0, 2, 5);
    cr_assert (missing == 0 && lot (2)->remaining == 5 && lot (1)->remaining == 0);
}

Test (ledger, rule_36_spent_again_though_it_expired)
{
    gain (10, 1, 1000);
    gain (10, 1, 1200);
    spend (15, 5);
    cr_assert_eq (ledger_expire (&card, 1300, NULL, arena, NULL, &err), 0);
    const struct lot_use uses[] = { { 2, 5 }, { 1, 10 } };
    int64_t missing;
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 2, 0, 1400, NULL, arena, &err), 0);
    cr_assert_eq (card.points, 10); /* of the first lot, whose expiry is not booked */
    cr_assert_eq (ledger_redeem_again (&card, uses, 2, SHORTFALL_REFUSE, 1500, NULL, arena, &missing, &err), 0);
    sound ();
    expect_row (row_last (1), JOURNAL_UNEXPIRE, 5, 15, 0);
    expect_row (row_last (0), JOURNAL_REDEEM, -15, 0, 0);
    cr_assert (missing == 0 && lot (1)->remaining == 0);
    cr_assert (lot (2)->remaining == 5 && lot (2)->state == LOT_EXPIRED);
}

Test (ledger, rule_36_spent_again_when_others_had_it)
{
    gain (10, 1, 1000);
    spend (10, 5);
    const struct lot_use uses[] = { { 1, 10 } };
    int64_t missing;
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 1, 0, 6, NULL, arena, &err), 0);
    spend (7, 7);
    gain (4, 8, 2000);
    hold ("A", 1, 8, 5000); /* of what is left in the first lot */
    const struct lot before = *lot (1);
    cr_assert_eq (ledger_redeem_again (&card, uses, 1, SHORTFALL_REFUSE, 9, NULL, arena, &missing, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    cr_assert (lot (1)->remaining == before.remaining && card.points == 7);
    cr_assert_eq (ledger_redeem_again (&card, uses, 1, SHORTFALL_DEBT, 9, NULL, arena, &missing, &err), 0);
    sound ();
    cr_assert (missing == 4 && card.debt == 4 && card.points == 1 && card.held == 1);
    expect_row (row_last (0), JOURNAL_REDEEM, -6, 1, 4);
    cr_assert_eq (ledger_redeem_again (&card, uses, 1, SHORTFALL_FORGIVE, 9, NULL, arena, &missing, &err), 0);
    cr_assert (missing == 10 && card.debt == 4);
    sound ();
}

Test (ledger, rule_33_past_its_expiry_a_lot_keeps_it)
{
    gain (10, 1, 1000);
    spend (10, 5);
    const struct lot_use use = { 1, 10 };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &use, 1, 0, 1000, NULL, arena, &err), 0);
    sound ();
    cr_assert_eq (card.points, 10);
    cr_assert_eq (balance (1000), 0);
    cr_assert_eq (balance (999), 10);
}

Test (ledger, rule_33_or_lives_on_in_a_lot_of_its_own)
{
    gain (10, 1, 1000);
    spend (6, 5);
    const struct lot_use use = { 1, 6 };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &use, 1, 5000, 1000, NULL, arena, &err), 0);
    sound ();
    cr_assert_eq (balance (1000), 6, "what had expired in the lot stays expired");
    cr_assert_eq (lot (1)->remaining, 4);
    cr_assert_eq (lot (2)->expires, 5000);
    cr_assert_eq (lot (2)->gained, 1);
    expect_use (row_last (0), 0, 2, 6);
    /* An extension changes nothing for a lot that is alive. */
    spend (6, 1500);
    const struct lot_use again = { 2, 6 };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &again, 1, 9000, 2000, NULL, arena, &err), 0);
    cr_assert_eq (card.lot_count, 2);
    cr_assert_eq (balance (5000), 0);
    sound ();
}

Test (ledger, rule_33_a_lot_whose_expiry_is_booked_loses_it_again)
{
    gain (10, 1, 1000);
    spend (6, 5);
    cr_assert_eq (ledger_expire (&card, 1000, NULL, arena, NULL, &err), 0);
    const struct lot_use use = { 1, 6 };
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &use, 1, 0, 1500, NULL, arena, &err), 0);
    sound ();
    expect_row (row_last (1), JOURNAL_GIVE_BACK, 6, 6, 0);
    expect_row (row_last (0), JOURNAL_EXPIRE, -6, 0, 0);
    cr_assert_eq (lot (1)->remaining, 10);
    cr_assert_eq (lot (1)->state, LOT_EXPIRED);
}

Test (ledger, rule_33_what_comes_back_pays_debt)
{
    gain (10, 1, 1000);
    gain (10, 1, 2000);
    gain (10, 1, 500);
    spend (30, 5);
    cr_assert_eq (ledger_take_back (&card, 12, NULL, 0, SHORTFALL_DEBT, 6, NULL, arena, NULL, &err), 0);
    const struct lot_use uses[] = { { 2, 10 }, { 1, 10 }, { 3, 10 } }; /* lot 3 is expired by then */
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, uses, 3, 0, 700, NULL, arena, &err), 0);
    sound ();
    expect_row (row_last (1), JOURNAL_GIVE_BACK, 30, 30, 12);
    expect_row (row_last (0), JOURNAL_DEBT_PAID, -12, 18, 0);
    expect_use (row_last (0), 0, 1, 10);
    expect_use (row_last (0), 1, 2, 2);
    cr_assert_eq (balance (700), 8);
}

static int
find_depleted (void *context, struct card *of, int32_t lot_no, struct error *error)
{
    (void)error;
    ++*(unsigned *)context;
    struct lot depleted = { lot_no, LOT_DEPLETED, 1, 1, 3500, 10, 0, 0, 0, false, false };
    return lot_no == 9 ? ledger_add_stored_lot (of, &depleted, arena) : 0;
}

Test (ledger, rule_33_a_lot_beyond_the_horizon_gets_its_points_back_and_waits_its_turn)
{
    struct reads reads = { 0 };
    struct lot_source source = stored_card (&reads);
    unsigned found = 0;
    struct lot_finder finder = { find_depleted, &found };
    const struct lot_use use = { 9, 10 };
    const struct journal_row *row;
    card.lot_count = 9;
    cr_assert_eq (ledger_give_back (&card, JOURNAL_GIVE_BACK, &use, 1, 0, 600, &finder, arena, &err), 0);
    cr_assert_eq (found, 1);
    cr_assert_eq (card.points, 60);
    cr_assert_eq (ledger_spend (&card, JOURNAL_REDEEM, 45, 600, &source, arena, &row, &err), 0);
    expect_use (row, 2, 3, 10);
    expect_use (row, 3, 9, 10);
    expect_use (row, 4, 4, 5);
    sound ();
}

/* ---------------------------------------------------------------- rule 21, and memory */

Test (ledger, rule_21_the_checks_find_what_is_wrong)
{
    gain (10, 1, 1000);
    gain (10, 1, 2000);
    card.points++;
    cr_assert_not_null (ledger_check (&card));
    card.points--;
    card.lots[0].remaining--;
    cr_assert_not_null (ledger_check (&card));
    card.lots[0].remaining++;
    card.lots[0].expires = 3000;
    cr_assert_not_null (ledger_check (&card));
    card.lots[0].expires = 1000;
    card.journal[0].seq = 5;
    cr_assert_not_null (ledger_check (&card));
    card.journal[0].seq = 1;
    card.debt = 1;
    cr_assert_not_null (ledger_check (&card));
    card.debt = 0;
    sound ();
}

/* One change after another with ever more memory: each either works or leaves the card as it was. */
Test (ledger, rule_21_running_out_of_memory_changes_nothing)
{
    unsigned failed = 0;
    for (size_t limit = 0; limit < 2048; limit += 16) {
        struct arena *small = arena_new (limit);
        struct card before;
        card = (struct card){ .card_id = 7, .complete = true };
        const struct lot_use use = { 1, 4 };
        for (int step = 0; step < 5; step++) {
            int rc = 0;
            before = card;
            switch (step) {
            case 0:
            case 1:
                rc = ledger_gain (&card, JOURNAL_EARN, 10, step, step, 1000, 0, small, NULL, &err);
                break;
            case 2:
                rc = ledger_spend (&card, JOURNAL_REDEEM, 14, 5, NULL, small, NULL, &err);
                break;
            case 3:
                rc = ledger_give_back (&card, JOURNAL_GIVE_BACK, &use, 1, 0, 6, NULL, small, &err);
                break;
            case 4:
                rc = ledger_take_back (&card, 90, NULL, 0, SHORTFALL_DEBT, 6, NULL, small, NULL, &err);
                break;
            }
            sound ();
            if (rc == 0)
                continue;
            failed++;
            cr_assert_eq (err.code, ERROR_INTERNAL);
            cr_assert_eq (card.points, before.points);
            cr_assert_eq (card.debt, before.debt);
            cr_assert_eq (card.lot_count, before.lot_count);
            cr_assert_eq (card.journal_size, before.journal_size);
            break;
        }
        arena_destroy (&small);
    }
    cr_assert (failed > 20 && failed < 128, "%u", failed);
}

Test (ledger, journal_kinds_have_names)
{
    cr_assert_str_eq (JOURNAL_NAMES[JOURNAL_EARN], "earn");
    cr_assert_str_eq (JOURNAL_NAMES[JOURNAL_GIVE_BACK], "give_back");
    cr_assert_str_eq (JOURNAL_NAMES[JOURNAL_TRANSFER], "transfer");
}

/* ---------------------------------------------------------------- rule 19: from card to card */

Test (ledger, rule_19_moved_lots_keep_their_dates)
{
    struct card other = { .card_id = 8, .program_id = 1, .complete = true };
    gain (10, 1, 2000);
    gain (20, 2, 1000);
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 5, 3, 500, 900, 77, arena, NULL, &err), 0); /* usable from 500 */
    cr_assert_eq (ledger_move (&card, &other, 25, 5, NULL, arena, &err), 0, "%s", err.message);
    sound ();
    cr_assert_null (ledger_check (&other));
    expect_row (row_last (0), JOURNAL_TRANSFER, -25, 10, 0);
    cr_assert_eq (lot (2)->state, LOT_CLOSED);
    cr_assert_eq (lot (1)->remaining, 5);
    cr_assert_eq (lot (3)->remaining, 5, "what cannot be used yet stays");
    cr_assert_eq (other.points, 25);
    cr_assert_eq (other.loaded_count, 2);
    cr_assert (other.lots[0].gained == 2 && other.lots[0].expires == 1000 && other.lots[0].initial == 20);
    cr_assert (other.lots[1].gained == 1 && other.lots[1].expires == 2000 && other.lots[1].initial == 5);
    cr_assert_eq (ledger_move (&card, &other, 6, 5, NULL, arena, &err), -1);
    cr_assert_eq (err.code, ERROR_INSUFFICIENT_POINTS);
    cr_assert_eq (card.points + other.points, 35, "nothing is lost or doubled");
}

Test (ledger, rule_19_moved_points_pay_debt)
{
    struct card other = { .card_id = 8, .program_id = 1, .complete = true, .debt = 15 };
    gain (10, 1, 2000);
    gain (10, 1, INSTANT_NEVER);
    cr_assert_eq (ledger_move (&card, &other, 20, 5, NULL, arena, &err), 0);
    cr_assert_null (ledger_check (&other));
    cr_assert (other.debt == 0 && other.points == 5 && other.journal_size == 2);
    cr_assert_eq (other.journal[1].kind, JOURNAL_DEBT_PAID);
    cr_assert_eq (other.journal[1].amount, -15);
}
