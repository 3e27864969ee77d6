/* domain_membership_test.c - levels by dates and spending (rules 8, 32), and lots that move with them (rule 23). */
#include "domain/ledger.h"
#include "domain/membership.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { BRONZE = 1, SILVER, GOLD, STAFF };
#define DAY(year, month, day) (day_from_civil (year, month, day) * US_PER_DAY)

static const int64_t ZONE_UTC[] = { 0 };
static const int32_t ZONE_OFFSET[] = { 0 };
static struct level levels[4];
static struct catalog catalog;

static void
setup (void)
{
    const struct level path[] = {
        { BRONZE, 1, 0, 1000000, true, true, WINDOW_LIFETIME, 12, 0, CHANGE_TRANSFER },
        { SILVER, 2, 10000, 1000000, true, true, WINDOW_CALENDAR_YEAR, 12, 30, CHANGE_TRANSFER },
        { GOLD, 3, 30000, 1000000, true, true, WINDOW_ROLLING_MONTHS, 3, 0, CHANGE_TRANSFER },
        { STAFF, 4, 0, 1000000, false, false, WINDOW_LIFETIME, 12, 0, CHANGE_TRANSFER },
    };
    memcpy (levels, path, sizeof path);
    catalog = (struct catalog){ .level_count = 4,
                                .levels = levels,
                                .zone = { .count = 1, .utc_us = ZONE_UTC, .offset_s = ZONE_OFFSET } };
}

static struct membership
held (int64_t level, int64_t from, int64_t to)
{
    return (struct membership){
        .has_level = true, .membership_product_id = level, .from = from, .to = to, .below_since = INSTANT_NONE
    };
}

#define level_is(level, id) cr_expect (eq (i64, (level)->membership_product_id, id))

Test (rule_8, level_held_at_an_instant, .init = setup)
{
    struct membership silver = held (SILVER, DAY (2024, 5, 1), DAY (2024, 6, 1)), none = { 0 };
    level_is (membership_level_at (&catalog, &none, 0), BRONZE);
    level_is (membership_level_at (&catalog, &silver, DAY (2024, 5, 1) - 1), BRONZE);
    level_is (membership_level_at (&catalog, &silver, DAY (2024, 5, 1)), SILVER);
    level_is (membership_level_at (&catalog, &silver, DAY (2024, 6, 1) - 1), SILVER);
    level_is (membership_level_at (&catalog, &silver, DAY (2024, 6, 1)), BRONZE);
    catalog.level_count = 0;
    cr_expect_null (membership_level_at (&catalog, &silver, 0));
}

Test (rule_32, windows_of_spending, .init = setup)
{
    const struct spent_day days[] = { { day_from_civil (2023, 12, 31), 1 },
                                      { day_from_civil (2024, 1, 1), 20 },
                                      { day_from_civil (2024, 2, 15), 300 },
                                      { day_from_civil (2024, 2, 16), 4000 } };
    struct member_spending spending = { 99999, 4, days };
    int64_t now = DAY (2024, 5, 15);
    cr_expect (eq (i64, membership_spending (&catalog, &levels[0], &spending, now), 99999));
    cr_expect (eq (i64, membership_spending (&catalog, &levels[1], &spending, now), 4320));
    cr_expect (eq (i64, membership_spending (&catalog, &levels[2], &spending, now), 4000));
    cr_expect (eq (int, membership_first_day (&catalog, now), day_from_civil (2024, 1, 1)));
}

Test (rule_32, upgrade_by_several_and_only_along_the_path, .init = setup)
{
    const struct spent_day day = { day_from_civil (2024, 5, 1), 30000 };
    struct member_spending spending = { 30000, 1, &day };
    level_is (membership_upgrade (&catalog, &levels[0], &spending, DAY (2024, 5, 2)), GOLD);
    levels[2].is_upgradable = false;
    level_is (membership_upgrade (&catalog, &levels[0], &spending, DAY (2024, 5, 2)), SILVER);
    levels[1].is_upgradable = false;
    level_is (membership_upgrade (&catalog, &levels[0], &spending, DAY (2024, 5, 2)), BRONZE);
}

Test (rule_32, downgrade_after_grace, .init = setup)
{
    struct member_spending spending = { 0 };
    struct membership silver = held (SILVER, 0, INSTANT_NEVER);
    int64_t first = DAY (2024, 5, 1);
    level_is (membership_evaluate (&catalog, &silver, &spending, first, &silver.below_since), SILVER);
    cr_expect (eq (i64, silver.below_since, first));
    level_is (membership_evaluate (&catalog, &silver, &spending, first + 29 * US_PER_DAY, &silver.below_since), SILVER);
    level_is (membership_evaluate (&catalog, &silver, &spending, first + 30 * US_PER_DAY, &silver.below_since), BRONZE);
    cr_expect (eq (i64, silver.below_since, INSTANT_NONE));
    silver.to = DAY (2030, 1, 1);
    silver.below_since = first;
    level_is (membership_evaluate (&catalog, &silver, &spending, first + 90 * US_PER_DAY, &silver.below_since), SILVER);
    struct membership staff = held (STAFF, 0, INSTANT_NEVER);
    levels[3].threshold_minor = 1;
    level_is (membership_evaluate (&catalog, &staff, &spending, first, &staff.below_since), STAFF);
}

Test (rule_32, what_is_missing, .init = setup)
{
    const struct spent_day day = { day_from_civil (2024, 5, 1), 2500 };
    struct member_spending spending = { 2500, 1, &day };
    struct membership_outlook outlook = membership_outlook (&catalog, &levels[0], &spending, DAY (2024, 5, 2));
    level_is (outlook.next, SILVER);
    cr_expect (eq (i64, outlook.missing_minor, 7500));
    cr_expect_null (membership_outlook (&catalog, &levels[2], &spending, DAY (2024, 5, 2)).next);
}

Test (rule_23, a_transfer_conserves_points_and_dates)
{
    struct arena *arena = arena_new (1 << 20);
    struct card from = { .card_id = 1, .complete = true, .pending_until = INT64_MIN };
    struct card to = { .card_id = 2, .complete = true, .pending_until = INT64_MIN };
    const struct lot_move *moves;
    uint32_t count;
    struct error err = { 0 };
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 1000, 10, 10, 500, 7, arena, NULL, &err), 0);
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 300, 20, 900, INSTANT_NEVER, 8, arena, NULL, &err), 0);
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 50, 20, 20, 90, 9, arena, NULL, &err), 0);
    cr_assert_eq (ledger_spend (&from, JOURNAL_REDEEM, 400, 95, NULL, arena, NULL, &err), 0);
    from.debt = 100;
    cr_assert_eq (ledger_transfer (&from, &to, 100, NULL, arena, &moves, &count, &err), 0);
    cr_expect (eq (u32, count, 2));
    cr_expect (eq (i64, from.points, 50)); /* expired, and not booked yet */
    cr_expect (eq (i64, from.debt, 0));
    cr_expect (eq (i64, to.points, 600 + 300 - 100));
    cr_expect (eq (i64, to.debt, 0));
    cr_expect (eq (i64, to.lots[0].expires, 500));
    cr_expect (eq (i64, to.lots[0].gained, 10));
    cr_expect (eq (i64, to.lots[0].initial, 600));
    cr_expect (eq (i64, to.lots[1].usable_from, 900));
    cr_expect (eq (i64, to.lots[1].origin_ref, 8));
    cr_expect_null (ledger_check (&from));
    cr_expect_null (ledger_check (&to));
    cr_assert_eq (ledger_transfer (&from, &to, 100, NULL, arena, &moves, &count, &err), 0);
    cr_expect (eq (u32, count, 0));
    arena_destroy (&arena);
}

Test (rule_23, what_is_held_moves_with_its_holds)
{
    struct arena *arena = arena_new (1 << 20);
    struct card from = { .card_id = 1, .complete = true, .pending_until = INT64_MIN };
    struct card to = { .card_id = 2, .complete = true, .pending_until = INT64_MIN };
    const struct lot_move *moves;
    uint32_t count;
    int64_t left;
    struct error err = { 0 };
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 50, 10, 10, 90, 7, arena, NULL, &err), 0);
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 1000, 10, 10, 500, 7, arena, NULL, &err), 0);
    cr_assert_eq (ledger_hold (&from, STR ("A"), 30, 20, 700, NULL, arena, &err), 0);
    cr_assert_eq (ledger_hold (&from, STR ("B"), 40, 20, 800, NULL, arena, &err), 0); /* 20 of each lot */
    cr_assert_eq (ledger_gain (&to, JOURNAL_EARN, 5, 30, 30, 400, 8, arena, NULL, &err), 0);
    from.debt = 2000;
    cr_assert_eq (ledger_transfer (&from, &to, 100, NULL, arena, &moves, &count, &err),
                  0); /* the first lot is expired */
    cr_expect (eq (u32, count, 2));
    cr_expect (eq (i64, from.points, 0));
    cr_expect (eq (i64, from.held, 0));
    cr_expect (eq (i64, to.held, 70));
    cr_expect (eq (i64, to.points, 70)); /* debt is paid from what is free alone */
    cr_expect (eq (i64, to.debt, 2000 - 980 - 5));
    cr_expect_null (ledger_hold_find (&from, STR ("A")));
    cr_expect (from.holds[0].state == HOLD_MOVED && from.holds[0].moved_to == 2);
    struct hold *first = ledger_hold_find (&to, STR ("A")), *second = ledger_hold_find (&to, STR ("B"));
    cr_assert (first != NULL && second != NULL && first->is_new && first->until == 700 && second->use_count == 2);
    cr_expect (first->uses[0].lot_no == moves[0].to_lot && second->uses[1].lot_no == moves[1].to_lot);
    cr_expect_null (ledger_check (&from));
    cr_expect_null (ledger_check (&to));
    cr_assert_eq (ledger_hold_capture (&to, first, JOURNAL_REDEEM, 25, 100, arena, NULL, &err), 0);
    ledger_hold_release (&to, second);
    cr_assert_eq (ledger_expire (&to, 100, NULL, arena, &left, &err), 0);
    cr_expect (eq (i64, left, 25)); /* what was let go of the lot that is past its expiry */
    cr_expect (eq (i64, to.points, 20));
    arena_destroy (&arena);
}

Test (rule_23, only_the_held_part_of_an_expired_lot_moves)
{
    struct arena *arena = arena_new (1 << 20);
    struct card from = { .card_id = 1, .complete = true, .pending_until = INT64_MIN };
    struct card to = { .card_id = 2, .complete = true, .pending_until = INT64_MIN };
    const struct lot_move *moves;
    uint32_t count;
    struct error err = { 0 };
    cr_assert_eq (ledger_gain (&from, JOURNAL_EARN, 50, 10, 10, 90, 7, arena, NULL, &err), 0);
    cr_assert_eq (ledger_hold (&from, STR ("A"), 30, 20, 700, NULL, arena, &err), 0);
    cr_assert_eq (ledger_transfer (&from, &to, 100, NULL, arena, &moves, &count, &err), 0);
    cr_expect (eq (i64, from.points, 20));
    cr_expect (from.lots[0].state == LOT_ACTIVE && from.lots[0].held == 0);
    cr_expect (eq (i64, to.points, 30));
    cr_expect (to.lots[0].expires == 90 && to.lots[0].held == 30);
    /* And on to a third, and back: the hold is open on one card at a time. */
    struct card third = { .card_id = 3, .complete = true, .pending_until = INT64_MIN };
    cr_assert_eq (ledger_transfer (&to, &third, 110, NULL, arena, &moves, &count, &err), 0);
    cr_assert_eq (ledger_transfer (&third, &from, 120, NULL, arena, &moves, &count, &err), 0);
    cr_expect_null (ledger_hold_find (&to, STR ("A")));
    cr_expect_null (ledger_hold_find (&third, STR ("A")));
    cr_assert_not_null (ledger_hold_find (&from, STR ("A")));
    cr_expect (eq (i64, from.points, 50));
    cr_expect_null (ledger_check (&from));
    arena_destroy (&arena);
}

Test (rule_23, a_reset_leaves_what_is_held)
{
    struct arena *arena = arena_new (1 << 20);
    struct card card = { .card_id = 1, .complete = true, .pending_until = INT64_MIN };
    int64_t lost;
    struct error err = { 0 };
    cr_assert_eq (ledger_gain (&card, JOURNAL_EARN, 50, 10, 10, 900, 7, arena, NULL, &err), 0);
    cr_assert_eq (ledger_hold (&card, STR ("A"), 30, 20, 700, NULL, arena, &err), 0);
    cr_assert_eq (ledger_reset (&card, 100, NULL, arena, &lost, &err), 0);
    cr_expect (eq (i64, lost, 20));
    cr_expect (card.points == 30 && card.held == 30);
    cr_expect_null (ledger_check (&card));
    arena_destroy (&arena);
}
