/* domain_discount_test.c - what rewards take off, and how it is split (rules 9 to 12, 26). */
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

#define total_is(text) cr_expect (eq (i64, cart->result.total_minor, MONEY (text)))
#define tax_is(id, text) cr_expect (eq (i64, cart_order_tax (cart, (id)), MONEY (text)))
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))
#define spent_is(program, text) cr_expect (eq (i64, cart_redeemed (cart, (program)), POINTS (text)))
#define part_is(program, index, text) \
    cr_expect (eq (i64, cart_gave (cart, (program))->parts[index].amount_minor, MONEY (text)))

/* A loyalty program that gives nothing by itself, its member's card and a claim of its reward. */
static struct reward *
claimed_reward (const char *balance, const char *required, enum discount_mode mode, const char *discount)
{
    cart_member (cart, 5);
    struct reward *reward = cart_discount (cart_loyalty (cart, 1), mode, discount);
    reward->required_points = POINTS (required);
    cart_card (cart, 7, 1, balance);
    cart_claim (cart, 1);
    return reward;
}

TestSuite (rule_9, .init = setup, .fini = teardown);

Test (rule_9, a_reward_costs_its_required_points)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("120", "100", DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "5");
    spent_is (1, "100");
    cr_expect (eq (i64, cart->result.discounts[0].points_cost, POINTS ("100")));
    cr_expect (eq (i64, cart->result.discounts[0].card_id, 7));
}

Test (rule_9, points_that_just_suffice_are_enough)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("100", "100", DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "5");
    cart->cards[0].usable--;
    run ();
    saved_is (1, "0");
}

Test (rule_9, clear_wallet_costs_everything_once)
{
    cart_line (cart, 1, "1", "50");
    struct reward *reward = claimed_reward ("250", "100", DISCOUNT_PER_ORDER, "5");
    reward->clear_wallet = true;
    reward->applicability = APPLY_SPECIFIC;
    cart_claim (cart, 1);
    run ();
    saved_is (1, "5");
    spent_is (1, "250");
    cr_expect (eq (int, cart->result.claims[1].reason, REASON_NOT_ENOUGH_POINTS));
}

Test (rule_9, clear_wallet_gives_for_all_it_takes)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("250", "100", DISCOUNT_PER_POINT, "0.01")->clear_wallet = true;
    cart->claims[0].points = POINTS ("100"); /* of no use: everything goes */
    run ();
    saved_is (1, "2");
    spent_is (1, "250");
}

Test (rule_9, clear_wallet_takes_also_what_the_order_earns)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("100", "100", DISCOUNT_PER_ORDER, "5")->clear_wallet = true;
    cart_rule (cart_program (cart, 1), POINTS_PER_MONEY, "1");
    /* A later claim lowers what the order earns to 40: the wallet is cleared of what there is then. */
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    cart_program (cart, 2)->priority = 5;
    run ();
    total_is ("35");
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("40")));
    spent_is (1, "140");
}

TestSuite (rule_10, .init = setup, .fini = teardown);

Test (rule_10, percent_is_rounded_half_away)
{
    cart_line (cart, 1, "1", "0.50");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "25"); /* 0.125 */
    run ();
    saved_is (1, "0.13");
}

Test (rule_10, per_order_is_a_fixed_sum_with_tax_in_it)
{
    /* 5.00 off takes 5.00, not 4.99. */
    cart_tax (cart, cart_line (cart, 1, "1", "30"), 1, "15", false);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "5");
    run ();
    total_is ("29.5");
    cr_expect (eq (i64, cart->result.discounts[0].untaxed_minor, MONEY ("4.35")));
}

Test (rule_10, a_hundred_points_are_one_unit_of_money)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("250", "100", DISCOUNT_PER_POINT, "0.01");
    run ();
    saved_is (1, "2"); /* whole hundreds */
    spent_is (1, "200");
}

Test (rule_10, a_claim_may_spend_fewer_points)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("250", "1", DISCOUNT_PER_POINT, "0.01");
    cart->claims[0].points = POINTS ("120");
    run ();
    saved_is (1, "1.2");
    spent_is (1, "120");
}

Test (rule_10, points_cost_what_they_gave)
{
    /* 10.00 off takes 10.00 from the card, though it holds more. */
    cart_line (cart, 1, "1", "10");
    claimed_reward ("25", "1", DISCOUNT_PER_POINT, "1");
    run ();
    total_is ("0");
    spent_is (1, "10");
}

Test (rule_10, the_cost_is_rounded_to_a_hundredth)
{
    cart_line (cart, 1, "1", "0.20");
    claimed_reward ("100", "1", DISCOUNT_PER_POINT, "0.003"); /* worth 0.30; 0.20 / 0.003 = 66.667 */
    run ();
    saved_is (1, "0.20");
    spent_is (1, "66.67");
}

Test (rule_10, points_times_rate_is_rounded_down)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("333", "1", DISCOUNT_PER_POINT, "0.005"); /* 1.665 */
    run ();
    saved_is (1, "1.66");
    spent_is (1, "332");
}

Test (rule_10, points_too_few_for_a_cent_give_nothing)
{
    cart_line (cart, 1, "1", "50");
    claimed_reward ("1", "1", DISCOUNT_PER_POINT, "0.005");
    run ();
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_NOTHING_TO_DISCOUNT));
    cr_expect (eq (u32, cart->result.points_count, 0));
}

Test (rule_10, discount_max_amount_caps)
{
    cart_line (cart, 1, "1", "500");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10")->max_amount_minor = MONEY ("20");
    run ();
    saved_is (1, "20");
}

Test (rule_10, what_the_order_still_costs_caps)
{
    cart_line (cart, 1, "1", "30");
    cart_line (cart, 2, "-1", "25");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    run ();
    saved_is (1, "5");
    total_is ("0");
}

Test (rule_10, an_order_below_0_gets_no_discount)
{
    cart_line (cart, 1, "1", "30");
    cart_line (cart, 2, "-1", "31");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    run ();
    total_is ("-1");
}

TestSuite (rule_11, .init = setup, .fini = teardown);

Test (rule_11, negative_lines_lower_the_order_and_lose_nothing)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "-1", "20");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "8");
    cr_expect (eq (u32, cart_gave (cart, 1)->part_count, 1));
    part_is (1, 0, "8");
}

Test (rule_11, covered_returns_lower_the_order_too)
{
    cart_line (cart, 1, "1", "100");
    struct order_line *line = cart_line (cart, 2, "-1", "20");
    line->is_covered_return = true;
    line->covered_untaxed_minor = MONEY ("-15");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "8.5");
    total_is ("76.5");
}

Test (rule_11, specific_is_about_its_lines)
{
    cart_line (cart, 1, "2", "30");
    cart_line (cart, 2, "1", "40");
    cart_line (cart, 1, "1", "10");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "10", IDS (cart, 1, 3));
    run ();
    saved_is (1, "7");
    part_is (1, 0, "6");
    part_is (1, 1, "1");
    cr_expect (eq (u32, cart_gave (cart, 1)->parts[1].line, 2));
}

Test (rule_11, earlier_discounts_are_taken_off_first)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "1", "50");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "20", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "20");
    saved_is (2, "8");
    saved_is (3, "12.2"); /* of 72 + 50 */
    total_is ("109.8");
}

Test (rule_11, lines_worth_zero_are_not_discounted)
{
    cart_line (cart, 1, "1", "0");
    cart_line (cart, 2, "1", "10")->discount_micro = MICROS ("100");
    cart_line (cart, 3, "1", "10");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    cr_expect (eq (u32, cart_gave (cart, 1)->part_count, 1));
    cr_expect (eq (u32, cart_gave (cart, 1)->parts[0].line, 2));
}

Test (rule_11, fixed_taxes_are_left_out_of_the_base)
{
    struct order_line *line = cart_line (cart, 1, "4", "2.5");
    cart_tax (cart, line, 1, "0.25", false)->type = TAX_FIXED;
    cart_tax (cart, line, 2, "20", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "50");
    run (); /* 10 + 2 + 1: half of 12 */
    saved_is (1, "6");
    total_is ("7");
    tax_is (1, "1");
    tax_is (2, "1");
}

TestSuite (rule_12, .init = setup, .fini = teardown);

Test (rule_12, discount_splits_by_largest_remainder)
{
    cart_line (cart, 1, "1", "1.00");
    cart_line (cart, 2, "1", "1.00");
    cart_line (cart, 3, "1", "1.00");
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "1.00");
    run ();
    cr_assert (eq (u32, cart_gave (cart, 1)->part_count, 3));
    part_is (1, 0, "0.34"); /* the first wins the tie */
    part_is (1, 1, "0.33");
    part_is (1, 2, "0.33");
}

Test (rule_12, ten_percent_over_two_tax_groups)
{
    cart_tax (cart, cart_line (cart, 1, "1", "121"), 21, "21", true);
    cart_tax (cart, cart_line (cart, 2, "1", "106"), 6, "6", true);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "22.7");
    part_is (1, 0, "12.1");
    part_is (1, 1, "10.6");
    tax_is (21, "18.9");
    tax_is (6, "5.4");
    cr_expect (eq (i64, cart->result.untaxed_minor, MONEY ("180")));
}

Test (rule_12, a_fixed_sum_over_two_tax_groups)
{
    cart_tax (cart, cart_line (cart, 1, "1", "100"), 20, "20", true); /* tax 16.67 */
    cart_tax (cart, cart_line (cart, 2, "1", "50"), 10, "10", true);  /* tax 4.55 */
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "10");
    run (); /* 6.67 with 1.11, 3.33 with 0.30 */
    part_is (1, 0, "6.67");
    part_is (1, 1, "3.33");
    tax_is (20, "15.56");
    tax_is (10, "4.25");
    total_is ("140");
}

Test (rule_12, groups_first_then_lines)
{
    /* 1.00 over 3.00 and 1.50 in the first group, 3.00 in the second: 0.60 and 0.40; 0.60 over 3.00 and 1.50. */
    cart_tax (cart, cart_line (cart, 1, "1", "3.00"), 20, "20", true);
    cart_tax (cart, cart_line (cart, 2, "1", "3.00"), 10, "10", true);
    cart_tax (cart, cart_line (cart, 3, "1", "1.50"), 20, "20", true);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "1");
    run ();
    part_is (1, 0, "0.40");
    part_is (1, 1, "0.40");
    part_is (1, 2, "0.20");
}

Test (rule_12, taxes_on_top_are_in_the_discount)
{
    cart_tax (cart, cart_line (cart, 1, "1", "100"), 20, "20", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "12");
    tax_is (20, "18");
    cr_expect (eq (i64, cart->result.untaxed_minor, MONEY ("90")));
}

Test (rule_12, taxes_of_a_group_are_rounded_once_for_its_part)
{
    /* Three lines of 0.99 with 0.05 on top each; half of 3.12 is 1.56, and its tax 1.56 × 5 / 105 = 0.07. */
    for (int i = 0; i < 3; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.99"), 5, "5", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "50");
    run ();
    saved_is (1, "1.56");
    tax_is (5, "0.08");
}

Test (rule_12, all_off_takes_all_taxes)
{
    /* The tax of 3.12 would be 0.1486: 0.15 are there, and all of them go. */
    for (int i = 0; i < 3; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.99"), 5, "5", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "100");
    run ();
    total_is ("0");
    tax_is (5, "0");
    cr_expect (eq (i64, cart->result.untaxed_minor, 0));
}

Test (rule_12, all_off_with_a_return_of_the_same_group_leaves_no_tax)
{
    cart_tax (cart, cart_line (cart, 1, "1", "9.99"), 21, "21", true);
    cart_tax (cart, cart_line (cart, 2, "-1", "3.33"), 21, "21", true);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "100");
    run ();
    saved_is (1, "6.66");
    total_is ("0");
    tax_is (21, "0");
}

Test (rule_12, all_off_of_a_group_takes_what_its_sale_and_return_left_of_taxes)
{
    /* 0.03 holds 0.005, so 0.01, and 0.01 holds nothing: the 0.02 between them would hold none by the rate. */
    cart_tax (cart, cart_line (cart, 1, "1", "0.03"), 20, "20", true);
    cart_tax (cart, cart_line (cart, 2, "-1", "0.01"), 20, "20", true);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "100");
    run ();
    total_is ("0");
    tax_is (20, "0");
    cr_expect (eq (i64, cart->result.discounts[0].untaxed_minor, MONEY ("0.01")));
}

Test (rule_12, all_off_leaves_fixed_taxes)
{
    struct order_line *line = cart_line (cart, 1, "2", "5");
    struct tax *fixed = cart_tax (cart, line, 1, "0.25", false);
    fixed->type = TAX_FIXED;
    fixed->affects_base = true;
    cart_tax (cart, line, 2, "20", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "100");
    run ();
    total_is ("0.50");
    tax_is (1, "0.50");
    tax_is (2, "0");
}

Test (rule_12, never_more_tax_than_is_left)
{
    /* 0.01 with 20 % in it has no tax: nothing can be taken of it, whatever the rate says of 0.10. */
    for (int i = 0; i < 10; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.01"), 20, "20", true);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "0.05"); /* 0.0083 tax by the rate */
    run ();
    tax_is (20, "0");
    cr_expect (eq (i64, cart->result.discounts[0].untaxed_minor, MONEY ("0.05")));
}

Test (rule_12, what_one_line_has_not_the_others_lose)
{
    /* 0.60 of 1.20 hold 0.10; ten lines of 0.02 hold no tax, so that the line of 1.00 loses all of it. */
    cart_tax (cart, cart_line (cart, 1, "1", "1.00"), 20, "20", true);
    for (int i = 0; i < 10; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.02"), 20, "20", true);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "0.60");
    run ();
    tax_is (20, "0.07");
    cr_expect (eq (i64, cart->result.lines[0].net_tax_minor, MONEY ("0.07")));
}

Test (rule_12, the_rest_stays_worth_its_tax)
{
    /* Ten lines of 0.03 with 0.01 in each. 0.27 hold 0.05 by the rate, but 0.03 cannot be 0.05 of tax. */
    for (int i = 0; i < 10; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.03"), 20, "20", true);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "0.27");
    run ();
    total_is ("0.03");
    tax_is (20, "0.03");
    cr_expect (eq (i64, cart->result.untaxed_minor, 0));
}

Test (rule_12, a_tax_below_zero_stays_as_it_is)
{
    /* 2.00 with a deposit of 3.00 in it: −1.00 untaxed, −0.20 of the first tax, 10.00 of the last, taken of 2.00. */
    struct order_line *line = cart_line (cart, 1, "1", "2");
    cart_tax (cart, line, 1, "20", false);
    struct tax *deposit = cart_tax (cart, line, 2, "3", true);
    deposit->type = TAX_FIXED;
    deposit->affects_base = true;
    cart_tax (cart, line, 3, "500", false);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "8");
    run ();
    cr_expect (eq (i64, cart->result.lines[0].total_minor, MONEY ("11.80")));
    total_is ("3.80");
    tax_is (1, "-0.20");
    tax_is (2, "3");
}

TestSuite (rule_26, .init = setup, .fini = teardown);

Test (rule_26, initial_takes_the_percentage_of_the_first_price)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "20", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    run ();
    saved_is (2, "8");
    cart_program (cart, 2)->discount_base = BASE_INITIAL;
    run ();
    saved_is (2, "10");
}

Test (rule_26, initial_never_exceeds_what_is_left)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "80", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    cart_program (cart, 2)->discount_base = BASE_INITIAL;
    run ();
    saved_is (2, "20");
    total_is ("100");
}
