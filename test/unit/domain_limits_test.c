/* domain_limits_test.c - levels, limits, birthdays, first orders, what is sold and made, late orders, hints (rules 6 to 8, 13, 27,
 * 30, 31, 33, 35). */
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

static struct usage_state *
used (int64_t program_id, enum limit limit, int64_t count)
{
    struct usage_state *usage = arena_new_of (cart->arena, struct usage_state);
    usage->program_id = program_id;
    usage->used[limit] = count;
    cart->order.usages = usage;
    cart->order.usage_count = 1;
    return usage;
}

#define claim_is(index, name) cr_expect (eq (int, cart->result.claims[index].reason, REASON_##name))
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))
#define earned_is(program, text) cr_expect (eq (i64, cart_earned (cart, (program)), POINTS (text)))

/* A cart of 100.00 and 10 % off. */
static struct program *
ten_percent (void)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    return cart_program (cart, 1);
}

TestSuite (rule_27, .init = setup, .fini = teardown);

Test (rule_27, each_limit_is_named_when_it_is_reached)
{
    struct program *program = ten_percent ();
    cart_claim (cart, 1);
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++) {
        program->limits[limit] = 500;
        used (1, (enum limit)limit, 499);
        run ();
        cr_expect (gt (i64, cart_saved (cart, 1), 0));
        cr_assert_eq (cart->result.usage_count, 1);
        cr_expect (eq (i64, cart->result.usages[0].given_minor, cart_saved (cart, 1)));
        used (1, (enum limit)limit, 500);
        run ();
        saved_is (1, "0");
        claim_is (0, LIMIT_REACHED);
        cr_expect (strncmp (cart->result.claims[0].text, LIMIT_NAMES[limit], strlen (LIMIT_NAMES[limit])) == 0);
        cr_expect (eq (int, cart->result.usage_count, 0));
        cr_assert_eq (cart_run_as (cart, true), -1);
        cr_expect (eq (int, cart->err.code, ERROR_LIMIT_REACHED));
        cr_expect_str_eq (cart->err.details[1].name, "limit");
        cr_expect_str_eq (cart->err.details[1].value, LIMIT_NAMES[limit]);
        program->limits[limit] = 0;
    }
}

Test (rule_27, a_budget_caps_what_is_given)
{
    ten_percent ()->limits[LIMIT_BUDGET] = MONEY ("50");
    used (1, LIMIT_BUDGET, MONEY ("43"));
    run ();
    saved_is (1, "7");
}

Test (rule_27, a_budget_counts_what_the_order_was_given_before)
{
    ten_percent ()->limits[LIMIT_BUDGET] = MONEY ("15");
    struct program *program = cart_program (cart, 1);
    ((struct rule *)program->rules)->point_amount_micro = MICROS ("2");
    ((struct reward *)program->rewards)->applicability = APPLY_SPECIFIC;
    cart_claim (cart, 1);
    cart_claim (cart, 1);
    run ();
    saved_is (1, "15"); /* 10.00, and 5.00 of 9.00 */
    cr_assert_eq (cart->result.usage_count, 1);
}

Test (rule_27, what_gives_nothing_is_not_counted)
{
    ten_percent ()->limits[LIMIT_TOTAL] = 3;
    cart->order.auto_claim = false;
    run ();
    cr_expect (eq (int, cart->result.usage_count, 0));
}

/* How many programs' counters an order needs. */
static uint32_t
limited_count (void)
{
    const int64_t *ids;
    uint32_t count;
    cr_assert_eq (evaluate_limited (&cart->catalog, &cart->order, cart->arena, &ids, &count, &cart->err), 0);
    return count;
}

Test (rule_27, limited_programs_are_known_beforehand)
{
    struct program *program = ten_percent ();
    program->limits[LIMIT_DAY] = 1;
    run ();
    cr_expect (eq (u32, limited_count (), 1));
    program->channels = 1u << CHANNEL_SALE;
    cr_expect (eq (u32, limited_count (), 0));
}

Test (rule_27, a_program_of_other_products_is_not_waited_for)
{
    struct program *program = ten_percent ();
    program->limits[LIMIT_DAY] = 1;
    struct rule *rule = (struct rule *)program->rules;
    rule->filter.products = IDS (cart, 77);
    run ();
    cr_expect (eq (u32, limited_count (), 0));
    cart_claim (cart, 1);
    cr_expect (eq (u32, limited_count (), 1), "it may be asked for, and then says what is missing");
    cart->order.claim_count = 0;
    rule->filter.products = IDS (cart, cart->order.lines[0].product_id, 77);
    run ();
    cr_expect (eq (u32, limited_count (), 1));
}

Test (rule_27, a_program_whose_code_is_not_entered_is_not_waited_for)
{
    struct program *program = ten_percent ();
    program->limits[LIMIT_TOTAL] = 3;
    program->trigger = TRIGGER_WITH_CODE;
    struct rule *rule = (struct rule *)program->rules;
    rule->mode = RULE_WITH_CODE;
    rule->code = str_of ("HELLO");
    run ();
    cr_expect (eq (u32, limited_count (), 0));
    struct claim *claim = cart_claim (cart, 2);
    cr_expect (eq (u32, limited_count (), 1), "2 is no program here: it may be anything");
    *claim = (struct claim){ .code = str_of (" hello ") };
    cr_expect (eq (u32, limited_count (), 1));
    *claim = (struct claim){ .code = str_of ("SOMEBODY-S-CARD") };
    cr_expect (eq (u32, limited_count (), 1), "it may be a card's");
}

TestSuite (rule_30, .init = setup, .fini = teardown);

/* Today is 2010-12-16. */
static struct rule *
birthday (int32_t day, int before, int after)
{
    cart_member (cart, 5);
    cart->order.member.has_birthday = true;
    cart->order.member.birthday = day;
    struct rule *rule = (struct rule *)ten_percent ()->rules;
    rule->has_birthday = true;
    rule->birthday_days_before = before;
    rule->birthday_days_after = after;
    return rule;
}

Test (rule_30, days_before_and_after_count)
{
    struct rule *rule = birthday (day_from_civil (1980, 12, 19), 3, 0);
    run ();
    saved_is (1, "10");
    cr_assert_eq (cart->result.usage_count, 1);
    cr_expect (cart->result.usages[0].birthday);
    rule->birthday_days_before = 2;
    run ();
    saved_is (1, "0");
    cart->order.member.birthday = day_from_civil (1980, 12, 14);
    rule->birthday_days_after = 2;
    run ();
    saved_is (1, "10");
    rule->birthday_days_after = 1;
    cart->order.explain = true;
    run ();
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_NOT_BIRTHDAY));
}

Test (rule_30, across_the_turn_of_the_year)
{
    birthday (day_from_civil (1980, 1, 2), 17, 0);
    run ();
    saved_is (1, "10");
    cr_expect (eq (int, birthday_nearest (day_from_civil (1980, 1, 2), 14959), day_from_civil (2011, 1, 2)));
}

Test (rule_30, the_29th_of_february_is_the_28th_where_there_is_none)
{
    int32_t born = day_from_civil (1980, 2, 29);
    cr_expect (eq (int, birthday_nearest (born, day_from_civil (2011, 3, 5)), day_from_civil (2011, 2, 28)));
    cr_expect (eq (int, birthday_nearest (born, day_from_civil (2012, 1, 5)), day_from_civil (2012, 2, 29)));
}

Test (rule_30, once_in_a_calendar_year)
{
    birthday (day_from_civil (1980, 12, 16), 0, 0);
    used (1, LIMIT_TOTAL, 0)->birthday_used = true;
    cart_claim (cart, 1);
    run ();
    claim_is (0, LIMIT_REACHED);
    cr_expect_str_eq (cart->result.claims[0].text, "birthday, used");
}

TestSuite (rule_31, .init = setup, .fini = teardown);

Test (rule_31, a_first_order_of_a_member)
{
    ((struct rule *)ten_percent ()->rules)->first_order = true;
    cart_claim (cart, 1);
    run ();
    claim_is (0, NO_MEMBER);
    cart_member (cart, 5);
    run ();
    claim_is (0, NOT_FIRST_ORDER);
    cart->order.member.is_first_order = true;
    run ();
    saved_is (1, "10");
}

TestSuite (rule_8_levels, .init = setup, .fini = teardown);

/* Silver (31) and gold (32: twice the points), and a loyalty program of a point for 1.00. */
static void
levels (void)
{
    static struct level LEVELS[] = {
        { .membership_product_id = 31, .sequence = 1, .earn_multiplier_micro = MICRO },
        { .membership_product_id = 32, .sequence = 2, .earn_multiplier_micro = 2 * MICRO }
    };
    cart->catalog.levels = LEVELS;
    cart->catalog.level_count = 2;
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "10");
    for (int64_t id = 1; id <= 2; id++)
        cart_rule (cart_loyalty (cart, id), POINTS_PER_MONEY, "1");
}

static void
hold_level (int64_t membership_product_id)
{
    cart->order.member.has_level = true;
    cart->order.member.membership_product_id = membership_product_id;
}

Test (rule_8_levels, only_the_primary_program_of_the_level_earns)
{
    levels ();
    struct program *program = cart_program (cart, 2);
    program->is_primary_loyalty = program->has_membership = true;
    program->membership_product_id = 31;
    run ();
    earned_is (1, "10");
    earned_is (2, "0");
    hold_level (31);
    run ();
    earned_is (1, "0");
    earned_is (2, "10");
    cr_expect (eq (i64, cart->result.primary_program_id, 2));
    hold_level (32);
    run ();
    earned_is (1, "20");
    earned_is (2, "0");
    cr_expect (eq (i64, cart->result.primary_program_id, 1));
}

Test (rule_8_levels, other_programs_points_can_still_be_spent)
{
    levels ();
    struct program *program = cart_program (cart, 2);
    program->is_primary_loyalty = program->has_membership = true;
    program->membership_product_id = 31;
    cart_discount (cart_program (cart, 1), DISCOUNT_PER_ORDER, "3")->required_points = POINTS ("7");
    cart_card (cart, 71, 1, "7");
    hold_level (31);
    cart_claim (cart, 1);
    run ();
    saved_is (1, "3");
}

Test (rule_8_levels, a_multiplier_is_rounded_with_its_rule)
{
    levels ();
    hold_level (32);
    cart->lines[0].price_unit_micro = MICROS ("0.33");
    ((struct rule *)cart_program (cart, 1)->rules)->point_amount_micro = MICROS ("0.1"); /* 0.033, doubled 0.066 */
    run ();
    earned_is (1, "0.07");
    earned_is (2, "0.66");
}

Test (rule_8_levels, programs_and_rules_of_a_membership)
{
    cart_member (cart, 5);
    struct program *program = ten_percent ();
    program->has_membership = true;
    program->membership_product_id = 31;
    cart_claim (cart, 1);
    run ();
    claim_is (0, WRONG_MEMBERSHIP);
    hold_level (31);
    run ();
    saved_is (1, "10");
    ((struct rule *)program->rules)->membership_product_ids = IDS (cart, 32, 33);
    run ();
    claim_is (0, WRONG_MEMBERSHIP);
    ((struct rule *)program->rules)->membership_product_ids = IDS (cart, 31);
    run ();
    saved_is (1, "10");
}

TestSuite (rule_6, .init = setup, .fini = teardown);

Test (rule_6, one_card_or_one_for_each_unit)
{
    cart_line (cart, 1, "3", "10");
    struct program *program = cart_promotion (cart, 1);
    program->type = PROGRAM_NEXT_ORDER_COUPONS;
    program->applies_on = APPLIES_FUTURE;
    struct rule *rule = cart_rule (program, POINTS_PER_MONEY, "0.1");
    run ();
    cr_assert_eq (cart->result.card_count, 1);
    cr_expect (eq (i64, cart->result.cards[0].points, POINTS ("3")));
    rule->split = true;
    run ();
    cr_assert_eq (cart->result.card_count, 3);
    cr_expect (eq (i64, cart->result.cards[2].points, POINTS ("1")));
    cart_rule (program, POINTS_PER_ORDER, "5");
    run ();
    cr_assert_eq (cart->result.card_count, 4);
    cr_expect (eq (i64, cart->result.cards[3].points, POINTS ("5")));
    cr_expect (eq (int, cart->result.points_count, 0));
}

static struct rule *
coupons_for_units (enum point_mode mode, const char *amount)
{
    struct program *program = cart_promotion (cart, 1);
    program->type = PROGRAM_NEXT_ORDER_COUPONS;
    program->applies_on = APPLIES_FUTURE;
    struct rule *rule = cart_rule (program, mode, amount);
    rule->split = true;
    return rule;
}

Test (rule_6, a_card_has_the_points_of_its_unit)
{
    cart_line (cart, 1, "2.5", "10");
    cart_line (cart, 2, "1", "40");
    coupons_for_units (POINTS_PER_MONEY, "0.1");
    run ();
    cr_assert_eq (cart->result.card_count, 3);
    cr_expect (eq (i64, cart->result.cards[0].points, POINTS ("1")));
    cr_expect (eq (i64, cart->result.cards[1].points, POINTS ("1")));
    cr_expect (eq (i64, cart->result.cards[2].points, POINTS ("4")));
}

Test (rule_6, parts_of_units_make_whole_ones_by_unit)
{
    cart_line (cart, 1, "2.5", "10");
    cart_line (cart, 2, "1.5", "40");
    cart_line (cart, 3, "-1", "40");
    coupons_for_units (POINTS_PER_UNIT, "2");
    run ();
    cr_assert_eq (cart->result.card_count, 3);
    cr_expect (eq (i64, cart->result.cards[2].points, POINTS ("2")));
}

Test (rule_6, cards_of_money_are_never_more_than_the_rule_gives)
{
    cart_line (cart, 1, "3", "10");
    cart_line (cart, 2, "-1", "15");
    coupons_for_units (POINTS_PER_MONEY, "1");
    run ();
    cr_assert_eq (cart->result.card_count, 2);
    cr_expect (eq (i64, cart->result.cards[0].points, POINTS ("10")));
    cr_expect (eq (i64, cart->result.cards[1].points, POINTS ("5")));
}

TestSuite (rule_13_selling, .init = setup, .fini = teardown);

static struct program *
gift_cards (void)
{
    struct program *program = cart_promotion (cart, 1);
    program->type = PROGRAM_GIFT_CARD;
    program->applies_on = APPLIES_FUTURE;
    cart_rule (program, POINTS_PER_MONEY, "1")->filter.products = IDS (cart, 50);
    return program;
}

Test (rule_13_selling, a_card_for_each_unit_with_the_price_on_it)
{
    gift_cards ();
    cart_line (cart, 50, "2", "25");
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    cart_member (cart, 5);
    cart_rule (cart_loyalty (cart, 3), POINTS_PER_MONEY, "1");
    run ();
    cr_assert_eq (cart->result.card_count, 2);
    cr_expect (eq (i64, cart->result.cards[1].points, POINTS ("25")));
    cr_expect (eq (int, cart->result.cards[1].line, 0));
    cr_expect (eq (u32, cart->result.cards[1].code.size, 0));
    cr_expect (not(cart->result.cards[1].for_partner));
    saved_is (2, "10"); /* of what is not a gift card */
    earned_is (3, "90");
}

Test (rule_13_selling, a_printed_code_is_activated)
{
    gift_cards ();
    cart_line (cart, 1, "1", "40")->gift_code = STR ("PRINTED");
    run ();
    cr_assert_eq (cart->result.card_count, 1);
    cr_expect (str_equal (cart->result.cards[0].code, STR ("PRINTED")));
    cr_expect (eq (i64, cart->result.cards[0].points, POINTS ("40")));
    cart->lines[0].qty_micro = MICROS ("2");
    cr_assert_eq (cart_run (cart), -1);
    cr_expect_str_eq (cart->err.details[0].value, "lines[0].qty");
}

Test (rule_13_selling, a_rule_that_names_nothing_sells_nothing)
{
    struct rule *rule = (struct rule *)gift_cards ()->rules;
    rule->filter.products = (struct id_list){ 0 };
    cart_line (cart, 50, "1", "25");
    run ();
    cr_expect (eq (int, cart->result.card_count, 0));
}

Test (rule_13_selling, a_line_tops_up_the_card_it_names_for_the_next_order)
{
    gift_cards ();
    cart_discount (cart_program (cart, 1), DISCOUNT_PER_POINT, "1");
    struct card_state *card = cart_card (cart, 71, 1, "10");
    struct order_line *line = cart_line (cart, 60, "1", "30");
    line->has_card = true;
    line->card.card_id = 71;
    cart_line (cart, 1, "1", "50");
    struct claim *claim = cart_claim (cart, 1);
    claim->has_card = true;
    claim->card.card_id = 71;
    run ();
    saved_is (1, "10");
    cr_assert_eq (cart->result.points_count, 1);
    cr_expect (eq (i64, cart->result.points[0].earned, POINTS ("30")));
    cr_expect (eq (i64, cart->result.points[0].redeemed, POINTS ("10")));
    cr_expect (not(cart->result.points[0].usable_now));
    card->card_id = 72;
    cr_assert_eq (cart_run (cart), -1);
    cr_expect_str_eq (cart->err.details[0].value, "lines[0].card");
}

TestSuite (rule_7_later, .init = setup, .fini = teardown);

Test (rule_7_later, a_wallet_is_topped_up_for_the_next_order)
{
    cart_member (cart, 5);
    struct program *program = gift_cards ();
    program->type = PROGRAM_EWALLET;
    cart_discount (program, DISCOUNT_PER_POINT, "1");
    cart_line (cart, 50, "1", "30");
    cart_card (cart, 71, 1, "4");
    cart_claim (cart, 1);
    run ();
    saved_is (1, "4");
    cr_assert_eq (cart->result.points_count, 1);
    cr_expect (eq (i64, cart->result.points[0].card_id, 71));
    cr_expect (eq (i64, cart->result.points[0].earned, POINTS ("30")));
    cr_expect (not(cart->result.points[0].usable_now));
    cart->order.card_count = 0;
    run ();
    earned_is (1, "30"); /* on a new wallet */
}

Test (rule_7_later, a_wallet_that_gives_less_than_the_price_is_a_bonus_on_goods)
{
    cart_member (cart, 5);
    struct program *program = gift_cards ();
    program->type = PROGRAM_EWALLET;
    struct rule *rule = (struct rule *)program->rules;
    rule->point_amount_micro = MICROS ("0.05");
    cart_line (cart, 50, "2", "50");
    struct reward *reward = cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    reward->applicability = APPLY_SPECIFIC;
    run ();
    saved_is (2, "10");
    earned_is (1, "4.5"); /* of what is paid */
    rule->point_mode = POINTS_PER_UNIT;
    rule->point_amount_micro = MICROS ("49.99");
    run ();
    saved_is (2, "10");
    earned_is (1, "99.98");
    rule->point_amount_micro = MICROS ("50");
    run ();
    saved_is (2, "0"); /* that is money, sold at its price */
    earned_is (1, "100");
}

Test (rule_7_later, points_that_become_usable_later_pay_nothing_now)
{
    cart_member (cart, 5);
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "10");
    cart_discount (program, DISCOUNT_PER_ORDER, "1")->required_points = POINTS ("10");
    program->pending_days = 3;
    cart_line (cart, 1, "1", "30");
    cart_claim (cart, 1);
    run ();
    saved_is (1, "0");
    earned_is (1, "10");
    program->pending_days = 0;
    run ();
    saved_is (1, "1");
}

TestSuite (rule_33_debt, .init = setup, .fini = teardown);

Test (rule_33_debt, is_paid_before_anything_is_spent)
{
    cart_member (cart, 5);
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_MONEY, "1");
    cart_discount (program, DISCOUNT_PER_POINT, "0.1");
    cart_line (cart, 1, "1", "100");
    cart_card (cart, 71, 1, "0")->debt = POINTS ("18");
    cart_claim (cart, 1);
    run ();
    saved_is (1, "8.20");
    cr_expect (eq (i64, cart_redeemed (cart, 1), POINTS ("82")));
    earned_is (1, "100");
    ((struct reward *)program->rewards)->required_points = POINTS ("83");
    run ();
    claim_is (0, NOT_ENOUGH_POINTS);
}

TestSuite (rule_35_forgiving, .init = setup, .fini = teardown);

static const struct warning *
warned (enum warning_kind kind)
{
    for (uint32_t i = 0; i < cart->result.warning_count; i++)
        if (cart->result.warnings[i].kind == kind)
            return &cart->result.warnings[i];
    return NULL;
}

Test (rule_35_forgiving, limits_are_passed_with_a_warning)
{
    ten_percent ()->limits[LIMIT_TOTAL] = 2;
    used (1, LIMIT_TOTAL, 2);
    cart->order.forgiving = true;
    run ();
    saved_is (1, "10");
    cr_assert_not_null (warned (WARNING_OVER_LIMIT));
    cr_expect_str_eq (warned (WARNING_OVER_LIMIT)->text, "program 1: max_usage 2, used 2");
}

Test (rule_35_forgiving, claims_are_given_and_differences_told)
{
    struct rule *rule = (struct rule *)ten_percent ()->rules;
    rule->minimum_amount_minor = MONEY ("200");
    cart_claim (cart, 1);
    cart->order.forgiving = true;
    cr_assert_eq (cart_run_as (cart, true), 0, "%s", cart->err.message);
    saved_is (1, "10");
    cr_assert_not_null (warned (WARNING_DIFFERENCE));
    cr_expect_str_eq (warned (WARNING_DIFFERENCE)->text, "claims[0]: minimum_amount 200.00, has 100.00");
}

Test (rule_35_forgiving, missing_points_are_spent_all_the_same)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    cart_discount (cart_loyalty (cart, 1), DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("50");
    cart_card (cart, 71, 1, "20");
    cart_claim (cart, 1);
    cart->order.forgiving = true;
    run ();
    saved_is (1, "5");
    cr_expect (eq (i64, cart_redeemed (cart, 1), POINTS ("50")));
}

/* What nobody claimed was not given by anybody: a program that applies by itself needs its points. */
Test (rule_35_forgiving, what_applies_by_itself_needs_its_points)
{
    cart_line (cart, 1, "1", "100");
    cart_discount (cart_promotion (cart, 1), DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("10");
    cart->order.forgiving = true;
    run ();
    cr_expect (eq (i64, cart->result.total_minor, MONEY ("100")));
}

Test (rule_35_forgiving, another_total_is_a_difference)
{
    ten_percent ();
    cart->order.has_charged_total = true;
    cart->order.charged_total_minor = MONEY ("91");
    run ();
    cr_assert_not_null (warned (WARNING_DIFFERENCE));
    cr_expect_str_eq (warned (WARNING_DIFFERENCE)->text, "amount_total: charged 91.00, comes to 90.00");
}

TestSuite (hints, .init = setup, .fini = teardown);

Test (hints, what_is_nearly_reached_comes_nearest_first)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "2", "30");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    ((struct rule *)cart_program (cart, 1)->rules)->minimum_amount_minor = MONEY ("80");
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    ((struct rule *)cart_program (cart, 2)->rules)->minimum_qty_micro = MICROS ("3");
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    ((struct rule *)cart_program (cart, 3)->rules)->minimum_amount_minor = MONEY ("1000");
    struct program *loyalty = cart_loyalty (cart, 4);
    cart_rule (loyalty, POINTS_PER_ORDER, "1");
    cart_discount (loyalty, DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("10");
    cart_card (cart, 71, 4, "8");
    run ();
    cr_assert_eq (cart->result.hint_count, 3);
    cr_expect (eq (int, cart->result.hints[0].kind, HINT_POINTS));
    cr_expect (eq (i64, cart->result.hints[0].missing, POINTS ("1")));
    cr_expect (eq (int, cart->result.hints[1].kind, HINT_MINIMUM_AMOUNT));
    cr_expect (eq (i64, cart->result.hints[1].missing, MONEY ("20")));
    cr_expect (eq (int, cart->result.hints[2].kind, HINT_MINIMUM_QTY));
    cr_expect (eq (i64, cart->result.hints[2].missing, MICROS ("1")));
}
