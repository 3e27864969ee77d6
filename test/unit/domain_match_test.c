/* domain_match_test.c - which programs take part, which rules hold, and how many points they give (rules 1 to 8, 37). */
#include "support/domain_cart.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct cart *cart;

static void
setup (void)
{
    cart = cart_new ();
}

static void
teardown (void)
{
    cart_free (cart);
}

static void
run (void)
{
    cr_assert_eq (cart_run (cart), 0, "%s", cart->err.message);
    cr_assert_null (cart_unsound (cart), "%s", cart_unsound (cart));
}

/* A cart of 10.00 and a promotion of 1.00 off, to be restricted. */
static struct program *
one_off (void)
{
    cart_line (cart, 1, "1", "10");
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "1");
    return cart_program (cart, 1);
}

static bool
applies (void)
{
    run ();
    return cart_gave (cart, 1) != NULL;
}

/* The first reason that `explain` gives for program 1. */
static enum reason
reason (void)
{
    cart->order.explain = true;
    run ();
    return cart_rejected (cart, 1);
}

#define reason_is(name) cr_expect (eq (int, reason (), REASON_##name))
#define earned_is(program, text) cr_expect (eq (i64, cart_earned (cart, (program)), POINTS (text)))

TestSuite (rule_1, .init = setup, .fini = teardown);

Test (rule_1, an_active_program_takes_part)
{
    one_off ();
    cr_expect (applies ());
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("9")));
}

Test (rule_1, drafts_and_archived_ones_do_not)
{
    struct program *program = one_off ();
    program->state = PROGRAM_DRAFT;
    cr_expect (not(applies ()));
    program->state = PROGRAM_ARCHIVED;
    cr_expect (not(applies ()));
}

Test (rule_1, a_draft_takes_part_in_a_quote_that_names_it)
{
    static const int64_t DRAFTS[] = { 1 };
    one_off ()->state = PROGRAM_DRAFT;
    cart->order.draft_count = 1;
    cart->order.draft_program_ids = DRAFTS;
    cr_expect (applies ());
}

Test (rule_1, days_are_inclusive)
{
    struct program *program = one_off ();
    program->has_date_from = program->has_date_to = true;
    program->date_from = program->date_to = 14959;
    cr_expect (applies ());
    program->date_from = program->date_to = 14960;
    reason_is (BEFORE_DATE_FROM);
    program->date_from = program->date_to = 14958;
    reason_is (AFTER_DATE_TO);
}

Test (rule_1, days_are_the_stores)
{
    static const int64_t CHANGES[] = { INT64_MIN };
    static const int32_t OFFSETS[] = { 13 * 3600 };
    static struct store stores[] = { { 3, { { "Pacific/Tongatapu", 17 }, 1, CHANGES, OFFSETS } } };
    struct program *program = one_off ();
    cart->catalog.stores = stores;
    cart->catalog.store_count = 1;
    program->has_date_from = true;
    program->date_from = 14960; /* it is already tomorrow in the store */
    cr_expect (not(applies ()));
    cart->order.has_store = true;
    cart->order.store_id = 3;
    cr_expect (applies ());
}

Test (rule_1, weekdays)
{
    struct program *program = one_off ();
    program->weekdays = 1u << 3; /* Thursday */
    cr_expect (applies ());
    program->weekdays = 1u << 2 | 1u << 4;
    reason_is (WRONG_WEEKDAY);
}

static void
at_minute (int64_t day, int hour, int minute)
{
    cart->order.instant = day * US_PER_DAY + (hour * 60 + minute) * US_PER_MINUTE;
}

Test (rule_1, hours_begin_with_the_first_minute_and_end_before_the_last)
{
    struct program *program = one_off ();
    program->has_hours = true;
    program->hours_from_minute = 17 * 60;
    program->hours_to_minute = 19 * 60;
    at_minute (14959, 16, 59);
    reason_is (WRONG_HOURS);
    at_minute (14959, 17, 0);
    cr_expect (applies ());
    at_minute (14959, 18, 59);
    cr_expect (applies ());
    at_minute (14959, 19, 0);
    cr_expect (not(applies ()));
}

Test (rule_1, hours_past_midnight_belong_to_the_day_they_began_on)
{
    struct program *program = one_off ();
    program->has_hours = true;
    program->hours_from_minute = 22 * 60;
    program->hours_to_minute = 2 * 60;
    program->weekdays = 1u << 3; /* Thursday, 14959 */
    program->has_date_to = true;
    program->date_to = 14959;
    at_minute (14959, 23, 0);
    cr_expect (applies ());
    at_minute (14960, 1, 59); /* early on Friday: Thursday's night */
    cr_expect (applies ());
    at_minute (14960, 2, 0);
    cr_expect (not(applies ()));
    at_minute (14959, 1, 0); /* early on Thursday: Wednesday's night */
    reason_is (WRONG_WEEKDAY);
}

Test (rule_1, stores)
{
    struct program *program = one_off ();
    program->stores = IDS (cart, 9, 4);
    reason_is (WRONG_STORE);
    cart->order.has_store = true;
    cart->order.store_id = 4;
    cr_expect (applies ());
    cart->order.store_id = 5;
    cr_expect (not(applies ()));
}

Test (rule_1, channels)
{
    one_off ()->channels = 1u << CHANNEL_SALE;
    reason_is (WRONG_CHANNEL);
    cart->order.channel = CHANNEL_SALE;
    cr_expect (applies ());
}

Test (rule_1, pricelists)
{
    one_off ()->pricelists = IDS (cart, 2);
    reason_is (WRONG_PRICELIST);
    cart->order.has_pricelist = true;
    cart->order.pricelist_id = 2;
    cr_expect (applies ());
}

TestSuite (rule_2, .init = setup, .fini = teardown);

static struct rule *
rule_of (int64_t program_id)
{
    return (struct rule *)&cart_program (cart, program_id)->rules[0];
}

Test (rule_2, minimum_quantity_is_reached_when_equal)
{
    one_off ();
    cart_line (cart, 2, "1.5", "3");
    rule_of (1)->minimum_qty_micro = MICROS ("2.5");
    cr_expect (applies ());
    rule_of (1)->minimum_qty_micro = MICROS ("2.500001");
    reason_is (MINIMUM_QTY);
    cr_expect_str_eq (cart->result.rejections[0].text, "minimum_qty 2.500001, has 2.5");
}

Test (rule_2, minimum_amount_is_reached_when_equal)
{
    one_off ();
    rule_of (1)->minimum_amount_minor = MONEY ("10");
    cr_expect (applies ());
    rule_of (1)->minimum_amount_minor = MONEY ("10.01");
    reason_is (MINIMUM_AMOUNT);
    cr_expect_str_eq (cart->result.rejections[0].text, "minimum_amount 10.01, has 10.00");
}

Test (rule_2, a_rule_counts_only_its_products)
{
    one_off ();
    cart_line (cart, 2, "1", "10");
    rule_of (1)->filter.products = IDS (cart, 2);
    rule_of (1)->minimum_qty_micro = MICROS ("2");
    reason_is (MINIMUM_QTY);
    cart->lines[1].qty_micro = MICROS ("2");
    cr_expect (applies ());
}

Test (rule_2, a_rule_for_products_needs_one_of_them)
{
    one_off ();
    rule_of (1)->filter.products = IDS (cart, 2); /* and no minimum */
    reason_is (NO_MATCHING_PRODUCT);
}

Test (rule_2, products_fit_by_category_subtree_and_by_tag)
{
    static const struct str TAGS[] = { { "summer", 6 }, { "sale", 4 } };
    one_off ();
    cart->lines[0].categories = IDS (cart, 4, 30, 1);
    cart->lines[0].tags = TAGS;
    cart->lines[0].tag_count = 2;
    struct product_filter *filter = &rule_of (1)->filter;
    filter->has_category = true;
    filter->category_id = 30;
    cr_expect (applies ());
    filter->category_id = 31;
    cr_expect (not(applies ()));
    filter->tag = STR ("sale");
    cr_expect (applies ());
    filter->tag = STR ("sal");
    cr_expect (not(applies ()));
}

Test (rule_2, exclusions_take_products_out)
{
    static const struct str TAG = { "gift", 4 };
    one_off ();
    cart->lines[0].categories = IDS (cart, 4, 30);
    cart->lines[0].tags = &TAG;
    cart->lines[0].tag_count = 1;
    struct product_filter *filter = &rule_of (1)->filter;
    filter->exclude_products = IDS (cart, 1);
    cr_expect (not(applies ()));
    *filter = (struct product_filter){ .has_exclude_category = true, .exclude_category_id = 30 };
    cr_expect (not(applies ()));
    *filter = (struct product_filter){ .products = IDS (cart, 1), .exclude_tag = STR ("gift") };
    cr_expect (not(applies ()));
    *filter = (struct product_filter){ .exclude_products = IDS (cart, 2), .exclude_tag = STR ("gif") };
    cr_expect (applies ());
}

Test (rule_2, several_rules_add_up)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "2", "10");
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "5");
    cart_rule (program, POINTS_PER_UNIT, "1.5");
    cart_rule (program, POINTS_PER_MONEY, "2");
    cart_rule (program, POINTS_PER_ORDER, "100")->minimum_qty_micro = MICROS ("3");
    run ();
    earned_is (1, "48"); /* 5 + 3 + 40 */
}

Test (rule_2, lines_given_back_lower_units_and_money_but_not_below_0)
{
    one_off ();
    cart_line (cart, 1, "-1", "4");
    rule_of (1)->minimum_amount_minor = MONEY ("6");
    cr_expect (applies ());
    rule_of (1)->minimum_amount_minor = MONEY ("6.01");
    cr_expect (not(applies ()));
    rule_of (1)->minimum_amount_minor = 0;
    rule_of (1)->minimum_qty_micro = 1;
    reason_is (MINIMUM_QTY);
}

Test (rule_2, covered_returns_do_not_count)
{
    one_off ();
    struct order_line *line = cart_line (cart, 1, "-1", "4");
    line->is_covered_return = true;
    line->covered_untaxed_minor = MONEY ("-4");
    rule_of (1)->minimum_amount_minor = MONEY ("10");
    rule_of (1)->minimum_qty_micro = MICROS ("1");
    cr_expect (applies ());
    rule_of (1)->filter.exclude_products = IDS (cart, 2);
    cr_expect (applies ());
    rule_of (1)->filter.products = IDS (cart, 1);
    cr_expect (applies ());
}

TestSuite (rule_3, .init = setup, .fini = teardown);

Test (rule_3, minimum_is_with_or_without_tax)
{
    one_off ();
    cart_tax (cart, &cart->lines[0], 1, "21", false); /* 10.00, with tax 12.10 */
    rule_of (1)->minimum_amount_minor = MONEY ("12.10");
    cr_expect (applies ());
    rule_of (1)->minimum_amount_tax_mode = TAX_MODE_EXCL;
    cr_expect (not(applies ()));
    rule_of (1)->minimum_amount_minor = MONEY ("10");
    cr_expect (applies ());
}

Test (rule_3, automatic_discounts_do_not_lower_it)
{
    one_off ();
    rule_of (1)->minimum_amount_minor = MONEY ("10");
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    run ();
    cr_expect (eq (i64, cart_saved (cart, 2), MONEY ("5")));
    cr_expect (eq (i64, cart_saved (cart, 1), MONEY ("1")));
}

TestSuite (rule_4, .init = setup, .fini = teardown);

static struct program *
money_program (const char *amount)
{
    if (!cart->order.has_partner)
        cart_member (cart, 5);
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_MONEY, amount);
    return program;
}

Test (rule_4, points_are_rounded_half_away_at_the_till_and_down_on_the_server)
{
    cart_line (cart, 1, "1", "12.35");
    money_program ("0.1"); /* 1.235 points */
    run ();
    earned_is (1, "1.24");
    cart->order.channel = CHANNEL_SALE;
    run ();
    earned_is (1, "1.23");
}

Test (rule_4, each_rule_is_rounded_by_itself)
{
    cart_line (cart, 1, "1", "12.34");
    struct program *program = money_program ("0.1"); /* 1.234 */
    cart_rule (program, POINTS_PER_MONEY, "0.1");
    run ();
    earned_is (1, "2.46");
}

Test (rule_4, money_is_paid_with_tax)
{
    cart_tax (cart, cart_line (cart, 1, "1", "10"), 1, "21", false);
    money_program ("1");
    run ();
    earned_is (1, "12.1");
}

Test (rule_4, discounts_of_others_lower_money_paid)
{
    cart_line (cart, 1, "1", "60");
    cart_line (cart, 2, "1", "40");
    money_program ("1");
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    cart_offer_on (cart, 3, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    run ();
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("85.5"))); /* (100 − 5) − 10 % */
    earned_is (1, "85.5");
}

Test (rule_4, a_rule_that_names_products_ignores_order_wide_discounts)
{
    cart_line (cart, 1, "1", "60");
    cart_line (cart, 2, "1", "40");
    ((struct rule *)money_program ("1")->rules)->filter.products = IDS (cart, 1);
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    cart_offer_on (cart, 3, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    cart_offer_on (cart, 4, DISCOUNT_PER_ORDER, "7", IDS (cart, 2));
    run ();
    earned_is (1, "55");
}

static void
own_redemption (void)
{
    cart_line (cart, 1, "1", "50");
    struct program *program = money_program ("1");
    struct reward *reward = cart_discount (program, DISCOUNT_PER_POINT, "0.01");
    reward->required_points = POINTS ("100");
    cart_card (cart, 7, 1, "500");
    cart_claim (cart, 1)->points = POINTS ("500");
}

Test (rule_4, spending_points_does_not_shrink_earning)
{
    own_redemption ();
    run ();
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("45")));
    earned_is (1, "50");
}

Test (rule_4, net_counts_what_is_left_to_pay)
{
    own_redemption ();
    cart_program (cart, 1)->earn_on = EARN_NET;
    run ();
    earned_is (1, "45");
}

Test (rule_4, the_server_leaves_out_discounts_of_any_program_of_the_type)
{
    own_redemption ();
    struct program *other = cart_loyalty (cart, 2);
    cart_rule (other, POINTS_PER_MONEY, "1");
    run ();
    earned_is (2, "45");
    cart->order.channel = CHANNEL_SALE;
    run ();
    earned_is (2, "50");
}

Test (rule_4, money_paid_is_never_below_0)
{
    cart_line (cart, 1, "1", "5");
    cart_line (cart, 1, "-1", "20");
    struct program *program = money_program ("1");
    cart_rule (program, POINTS_PER_UNIT, "1");
    run ();
    earned_is (1, "0");
    cr_expect (eq (u32, cart->result.points_count, 0));
}

Test (rule_4, points_out_of_range_are_refused)
{
    cart_line (cart, 1, "999999", "9999999");
    money_program ("999999999");
    cr_assert_eq (cart_run (cart), -1);
    cr_expect (eq (int, cart->err.code, ERROR_INVALID_REQUEST));
    cr_expect (strstr (cart->err.message, "too many points in program 1") != NULL);
}

TestSuite (rule_5, .init = setup, .fini = teardown);

Test (rule_5, a_card_is_spent_without_asking_the_rules)
{
    own_redemption ();
    ((struct rule *)cart_program (cart, 1)->rules)->minimum_amount_minor = MONEY ("1000");
    run ();
    cr_expect (eq (i64, cart_saved (cart, 1), MONEY ("5")));
    earned_is (1, "0");
}

Test (rule_5, a_members_program_is_available_without_points)
{
    cart_line (cart, 1, "1", "50");
    struct reward *reward = cart_discount (money_program ("1"), DISCOUNT_PER_POINT, "0.01");
    reward->required_points = POINTS ("100");
    cart_claim (cart, 1);
    run ();
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_NOT_ENOUGH_POINTS));
    cr_expect_str_eq (cart->result.claims[0].text, "required_points 100.00, has 50.00");
    earned_is (1, "50");
}

Test (rule_5, a_member_program_does_not_apply_by_itself)
{
    own_redemption ();
    cart->order.claim_count = 0;
    run ();
    cr_expect (eq (u32, cart->result.discount_count, 0));
}

TestSuite (rule_7, .init = setup, .fini = teardown);

Test (rule_7, points_of_the_order_are_usable_now)
{
    cart_line (cart, 1, "1", "250");
    struct reward *reward = cart_discount (money_program ("1"), DISCOUNT_PER_POINT, "0.01");
    reward->required_points = POINTS ("100");
    cart_card (cart, 7, 1, "60");
    cart_claim (cart, 1);
    run ();
    /* 60 + 250 = 310 usable: three hundred are 3.00. */
    cr_expect (eq (i64, cart_saved (cart, 1), MONEY ("3")));
    cr_expect (eq (i64, cart_redeemed (cart, 1), POINTS ("300")));
    earned_is (1, "250");
    cr_assert (eq (u32, cart->result.points_count, 1));
    cr_expect (eq (i64, cart->result.points[0].card_id, 7));
    cr_expect (cart->result.points[0].usable_now);
}

Test (rule_7, what_was_spent_on_the_order_is_gone)
{
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_loyalty (cart, 1);
    cart_member (cart, 5);
    cart_discount (program, DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("40");
    cart_program (cart, 1)->stacking = STACK;
    ((struct reward *)program->rewards)->applicability =
        APPLY_SPECIFIC; /* of everything: not in the order-wide group */
    cart_card (cart, 7, 1, "100");
    for (int i = 0; i < 3; i++)
        cart_claim (cart, 1);
    run ();
    cr_expect (eq (i64, cart_saved (cart, 1), MONEY ("10")));
    cr_expect (eq (i64, cart_redeemed (cart, 1), POINTS ("80")));
    cr_expect (cart->result.claims[1].ok);
    cr_expect (eq (int, cart->result.claims[2].reason, REASON_NOT_ENOUGH_POINTS));
}

TestSuite (rule_8, .init = setup, .fini = teardown);

Test (rule_8, without_levels_every_loyalty_program_earns_and_the_lowest_is_primary)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "10");
    cart_rule (cart_loyalty (cart, 8), POINTS_PER_MONEY, "1");
    cart_rule (cart_loyalty (cart, 3), POINTS_PER_ORDER, "2");
    struct program *elsewhere = cart_loyalty (cart, 2);
    cart_rule (elsewhere, POINTS_PER_ORDER, "2");
    elsewhere->stores = IDS (cart, 1);
    cart_card (cart, 70, 8, "0");
    run ();
    earned_is (8, "10");
    earned_is (3, "2");
    earned_is (2, "0");
    cr_assert (eq (u32, cart->result.points_count, 2));
    cr_expect (eq (i64, cart->result.points[0].program_id, 3));
    cr_expect (eq (i64, cart->result.points[0].card_id, 0)); /* to be made */
    cr_expect (eq (i64, cart->result.points[1].card_id, 70));
    cr_expect (cart->result.has_primary);
    cr_expect (eq (i64, cart->result.primary_program_id, 3));
}

TestSuite (rule_37, .init = setup, .fini = teardown);

Test (rule_37, without_a_partner_nothing_is_earned_but_promotions_apply)
{
    cart_line (cart, 1, "1", "10");
    cart_rule (cart_loyalty (cart, 2), POINTS_PER_MONEY, "1");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_claim (cart, 2);
    cart_discount (cart_program (cart, 2), DISCOUNT_PERCENT, "5");
    run ();
    cr_expect (eq (u32, cart->result.points_count, 0));
    cr_expect (not(cart->result.has_primary));
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("9")));
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_NO_MEMBER));
}

Test (rule_37, a_bearer_card_that_is_shown_earns_and_spends)
{
    cart_line (cart, 1, "1", "10");
    struct program *program = cart_loyalty (cart, 2);
    cart_rule (program, POINTS_PER_MONEY, "1");
    cart_discount (program, DISCOUNT_PER_ORDER, "2")->required_points = POINTS ("30");
    cart_card (cart, 9, 2, "30");
    cart_claim (cart, 2);
    run ();
    earned_is (2, "10");
    cr_expect (eq (i64, cart_redeemed (cart, 2), POINTS ("30")));
    cr_expect (eq (i64, cart->result.points[0].card_id, 9));
}

Test (rule_37, a_members_card_does_nothing_on_an_order_without_partner)
{
    cart_line (cart, 1, "1", "10");
    cart_rule (cart_loyalty (cart, 2), POINTS_PER_MONEY, "1");
    struct card_state *card = cart_card (cart, 9, 2, "30");
    card->has_partner = true;
    card->partner_id = 5;
    run ();
    cr_expect (eq (u32, cart->result.points_count, 0));
}

Test (rule_37, unknown_products_and_partners_are_warned_of)
{
    cart_member (cart, 5);
    cart->order.member.known = false;
    cart_line (cart, 1, "1", "10");
    cart_line (cart, 77, "1", "5")->product_known = false;
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("13.5")));
    cr_assert (eq (u32, cart->result.warning_count, 2));
    cr_expect (eq (int, cart->result.warnings[0].kind, WARNING_UNKNOWN_PARTNER));
    cr_expect (eq (int, cart->result.warnings[1].kind, WARNING_UNKNOWN_PRODUCT));
    cr_expect (eq (u32, cart->result.warnings[1].line, 1));
}

Test (rule_37, a_blocked_card_neither_earns_nor_spends)
{
    own_redemption ();
    cart->cards[0].blocked = true;
    cart->order.explain = true;
    run ();
    cr_expect (eq (u32, cart->result.points_count, 0));
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_CARD_BLOCKED));
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_CARD_BLOCKED));
}

Test (rule_37, a_blocked_card_that_is_shown_stops_the_order)
{
    own_redemption ();
    cart->cards[0].blocked = cart->cards[0].presented = true;
    cr_assert_eq (cart_run (cart), -1);
    cr_expect (eq (int, cart->err.code, ERROR_CARD_BLOCKED));
    cart->order.skip_refused = true;
    run ();
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("50")));
}

TestSuite (explain, .init = setup, .fini = teardown);

Test (explain, matching_programs_come_first)
{
    one_off ();
    cart_program (cart, 1)->channels = 1u << CHANNEL_SALE;
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    rule_of (2)->filter.products = IDS (cart, 99);
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    rule_of (3)->minimum_amount_minor = MONEY ("50");
    cart_offer (cart, 4, DISCOUNT_PERCENT, "1")->required_points = POINTS ("3");
    cart_offer (cart, 5, DISCOUNT_PERCENT, "1");
    cart_discount (cart_program (cart, 5), DISCOUNT_PERCENT, "2"); /* a choice */
    cart->order.explain = true;
    run ();
    static const struct {
        int64_t program;
        enum reason reason;
    } EXPECTED[] = { { 1, REASON_WRONG_CHANNEL },
                     { 3, REASON_MINIMUM_AMOUNT },
                     { 4, REASON_NOT_ENOUGH_POINTS },
                     { 5, REASON_NOT_CLAIMED },
                     { 2, REASON_NO_MATCHING_PRODUCT } };
    cr_assert (eq (u32, cart->result.rejection_count, 5));
    for (int i = 0; i < 5; i++) {
        cr_expect (eq (i64, cart->result.rejections[i].program_id, EXPECTED[i].program));
        cr_expect (eq (int, cart->result.rejections[i].reason, EXPECTED[i].reason));
        cr_expect_str_neq (cart->result.rejections[i].text, "");
    }
}

Test (explain, what_gave_something_is_not_rejected)
{
    one_off ();
    cart_member (cart, 5);
    cart_rule (cart_loyalty (cart, 2), POINTS_PER_MONEY, "1");
    cart->order.explain = true;
    run ();
    cr_expect (eq (u32, cart->result.rejection_count, 0));
}
