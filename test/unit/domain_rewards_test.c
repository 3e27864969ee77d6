/* domain_rewards_test.c - rewards that are about units: the cheapest, special prices, sets, free products; discounts in
 * steps; points as a reward (rules 11, 14 to 18, 24 to 26). */
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
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))
#define spent_is(program, text) cr_expect (eq (i64, cart_redeemed (cart, (program)), POINTS (text)))
#define earned_is(program, text) cr_expect (eq (i64, cart_earned (cart, (program)), POINTS (text)))
#define cost_is(program, text) cr_expect (eq (i64, cart_gave (cart, (program))->points_cost, POINTS (text)))
#define part_is(program, index, line_index, qty, text) \
    do { \
        cr_assert (gt (u32, cart_gave (cart, (program))->part_count, (index))); \
        const struct discount_part *part = &cart_gave (cart, (program))->parts[index]; \
        cr_expect (eq (u32, part->line, (line_index))); \
        cr_expect (eq (i64, part->qty_micro, MICROS (qty))); \
        cr_expect (eq (i64, part->amount_minor, MONEY (text))); \
    } while (0)

TestSuite (rule_11_units, .init = setup, .fini = teardown);

static struct reward *
cheapest_offer (int64_t program, const char *percent)
{
    struct reward *reward = cart_offer (cart, program, DISCOUNT_PERCENT, percent);
    reward->applicability = APPLY_CHEAPEST;
    return reward;
}

Test (rule_11_units, cheapest_is_one_unit_of_the_cheapest_line)
{
    cart_line (cart, 1, "2", "30");
    cart_line (cart, 2, "3", "10");
    cheapest_offer (1, "50");
    run ();
    saved_is (1, "5");
    part_is (1, 0, 1, "1", "5");
}

Test (rule_11_units, a_percentage_is_of_the_exact_unit_and_a_sum_at_most_of_the_rounded_one)
{
    /* 0.05 for two: 0.025 each, of which 50 % is 0.0125; a sum of 50 takes 0.03. */
    cart_line (cart, 1, "2", "0.025");
    struct reward *reward = cheapest_offer (1, "50");
    run ();
    saved_is (1, "0.01");
    reward->mode = DISCOUNT_PER_ORDER;
    run ();
    saved_is (1, "0.03");
}

Test (rule_11_units, cheapest_is_above_zero_and_the_first_of_equals)
{
    cart_line (cart, 1, "1", "0");
    cart_line (cart, 2, "-1", "5");
    cart_line (cart, 3, "1", "10");
    cart_line (cart, 4, "2", "10");
    cheapest_offer (1, "100");
    run ();
    part_is (1, 0, 2, "1", "10");
}

Test (rule_11_units, cheapest_counts_tax_at_the_till_and_not_on_the_server)
{
    cart_tax (cart, cart_line (cart, 1, "1", "10"), 1, "20", false); /* 12.00 */
    cart_line (cart, 2, "1", "11");
    cheapest_offer (1, "100");
    run ();
    part_is (1, 0, 1, "1", "11");
    cart->order.channel = CHANNEL_SALE;
    run ();
    part_is (1, 0, 0, "1", "12");
}

Test (rule_11_units, what_is_left_of_a_unit_is_its_share_of_the_line)
{
    cart_line (cart, 1, "4", "10");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "6", IDS (cart, 1)); /* 34 left of 4 */
    cheapest_offer (2, "100");
    run ();
    saved_is (2, "8.5");
}

Test (rule_11_units, what_is_less_than_a_unit_is_discounted_as_it_is)
{
    cart_line (cart, 1, "0.5", "10");
    cheapest_offer (1, "50");
    run ();
    part_is (1, 0, 0, "0.5", "2.5");
}

Test (rule_11_units, cheapest_is_one_of_the_products_it_names)
{
    cart_line (cart, 1, "1", "5");
    cart_line (cart, 2, "1", "10");
    cheapest_offer (1, "50")->filter.exclude_products = IDS (cart, 1);
    run ();
    part_is (1, 0, 1, "1", "5");
}

Test (rule_11_units, an_order_discount_keeps_to_what_it_names)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "1", "50");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10")->filter.exclude_products = IDS (cart, 2);
    run ();
    saved_is (1, "10");
    part_is (1, 0, 0, "0", "10");
}

Test (rule_11_units, a_unit_after_free_ones_is_worth_its_share)
{
    cart_line (cart, 1, "3", "10");
    cart_offer_of (cart, 1, REWARD_PRODUCT)->reward_products = IDS (cart, 1); /* 20 left of 2 */
    cheapest_offer (2, "50");
    run ();
    saved_is (1, "10");
    saved_is (2, "5");
    total_is ("15");
}

TestSuite (rule_14, .init = setup, .fini = teardown);

/* Each unit of product 1 earns a point; `pay` points buy `take` units. */
static struct reward *
pay_and_take (const char *pay, const char *take)
{
    struct program *program = cart_promotion (cart, 1);
    cart_rule (program, POINTS_PER_UNIT, "1")->filter.products = IDS (cart, 1);
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "0");
    reward->type = REWARD_PRODUCT;
    reward->required_points = POINTS (pay);
    reward->reward_products = IDS (cart, 1);
    reward->reward_product_qty_micro = MICROS (take);
    return reward;
}

/* So many units are free when so many are in the cart. */
static int64_t
free_of (const char *units)
{
    cart->order.line_count = 0;
    cart_line (cart, 1, units, "10");
    run ();
    const struct discount *discount = cart_gave (cart, 1);
    return discount == NULL ? 0 : discount->parts[0].qty_micro / MICRO;
}

Test (rule_14, pay_two_take_one)
{
    pay_and_take ("2", "1");
    cr_expect (eq (i64, free_of ("2"), 0));
    cr_expect (eq (i64, free_of ("3"), 1));
    cost_is (1, "2");
    cr_expect (eq (i64, free_of ("4"), 1));
    cr_expect (eq (i64, free_of ("5"), 1));
    cr_expect (eq (i64, free_of ("6"), 2));
    cost_is (1, "4");
    cr_expect (eq (i64, free_of ("7"), 2));
    total_is ("50");
}

Test (rule_14, pay_two_take_two)
{
    pay_and_take ("2", "2");
    cr_expect (eq (i64, free_of ("2"), 0));
    cr_expect (eq (i64, free_of ("3"), 1)); /* the group is begun */
    cost_is (1, "2");
    cr_expect (eq (i64, free_of ("4"), 2));
    cost_is (1, "2");
    cr_expect (eq (i64, free_of ("6"), 2));
    cr_expect (eq (i64, free_of ("7"), 3));
    cost_is (1, "4");
}

Test (rule_14, another_product_is_free_for_whole_groups)
{
    pay_and_take ("2", "1")->reward_products = IDS (cart, 2);
    cart_line (cart, 1, "5", "10");
    cart_line (cart, 2, "4", "3");
    run ();
    part_is (1, 0, 1, "2", "6");
    cost_is (1, "4");
}

Test (rule_14, free_units_must_be_in_the_cart)
{
    pay_and_take ("2", "1")->reward_products = IDS (cart, 2);
    cart_line (cart, 1, "10", "10");
    cart->order.explain = true;
    run ();
    total_is ("100");
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_NOTHING_TO_DISCOUNT));
    cart_line (cart, 2, "1", "3");
    run ();
    saved_is (1, "3");
    cost_is (1, "2");
}

Test (rule_14, the_cheapest_first_none_worth_zero_and_whole_ones)
{
    cart_line (cart, 2, "1", "12");
    cart_line (cart, 2, "1.5", "4");
    cart_line (cart, 2, "1", "0");
    cart_line (cart, 2, "1", "7");
    struct reward *reward = cart_offer_of (cart, 1, REWARD_PRODUCT);
    reward->reward_products = IDS (cart, 2);
    reward->reward_product_qty_micro = MICROS ("2");
    run ();
    cr_assert (eq (u32, cart_gave (cart, 1)->part_count, 2));
    part_is (1, 0, 1, "1", "4");
    part_is (1, 1, 3, "1", "7");
}

Test (rule_14, what_is_no_longer_sold_is_not_given)
{
    cart_line (cart, 1, "1", "12")->product_active = false;
    cart_line (cart, 1, "1", "20");
    cart_offer_of (cart, 1, REWARD_PRODUCT)->reward_products = IDS (cart, 1);
    run ();
    saved_is (1, "20");
}

Test (rule_14, what_is_no_longer_sold_is_not_added_either)
{
    cart->order.channel = CHANNEL_SALE;
    cart_line (cart, 1, "1", "12");
    cart_offer_of (cart, 1, REWARD_PRODUCT)->reward_products = IDS (cart, 9);
    run ();
    cr_expect (eq (i64, cart_gave (cart, 1)->free_product_id, 9));
    cart->order.inactive_products = IDS (cart, 8, 9);
    run ();
    cr_expect (cart_gave (cart, 1) == NULL);
}

Test (rule_14, a_claim_chooses_the_product_and_how_many)
{
    cart_line (cart, 1, "5", "12");
    cart_line (cart, 2, "5", "20");
    struct reward *reward = cart_offer_of (cart, 1, REWARD_PRODUCT);
    reward->reward_products = IDS (cart, 1, 2);
    reward->reward_product_qty_micro = MICROS ("3");
    struct claim *claim = cart_claim (cart, 1);
    claim->has_product = true;
    claim->product_id = 2;
    claim->qty_micro = MICROS ("2");
    run ();
    part_is (1, 0, 1, "2", "40");
    claim->product_id = 3;
    run ();
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_PRODUCT_NOT_OFFERED));
    total_is ("160");
    claim->qty_micro = MICROS ("1.5");
    cr_expect (eq (int, cart_run (cart), -1));
    cr_expect_str_eq (cart->err.details[0].value, "claims[0].qty");
}

Test (rule_14, on_sale_free_units_are_added_at_full_discount)
{
    cart->order.channel = CHANNEL_SALE;
    pay_and_take ("2", "3")->reward_products = IDS (cart, 9);
    cart_line (cart, 1, "5", "10");
    run ();
    total_is ("50");
    const struct discount *discount = cart_gave (cart, 1);
    cr_assert_not_null (discount);
    cr_expect (eq (int, discount->layer, LAYER_FREE));
    cr_expect (eq (i64, discount->free_product_id, 9));
    cr_expect (eq (i64, discount->free_qty_micro, MICROS ("6")));
    cr_expect (eq (i64, discount->points_cost, POINTS ("4")));
    cr_expect (eq (u32, discount->part_count, 0));
}

/* Two points, claimed as 10 % and a free unit, which stands before the discount but leaves its point to it. */
Test (rule_14, a_claim_leaves_the_points_of_those_before_it)
{
    struct program *program = cart_promotion (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "2");
    cart_discount (program, DISCOUNT_PERCENT, "10");
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "0");
    reward->type = REWARD_PRODUCT;
    reward->reward_product_qty_micro = MICRO;
    reward->reward_products = IDS (cart, 9);
    cart->order.channel = CHANNEL_SALE;
    cart_line (cart, 1, "1", "100");
    for (uint32_t r = 0; r < 2; r++) {
        struct claim *claim = cart_claim (cart, 1);
        claim->has_reward = true;
        claim->reward_id = program->rewards[r].id;
    }
    run ();
    cr_expect (cart->result.claims[0].ok);
    cr_expect (cart->result.claims[1].ok);
    total_is ("90");
    /* Claimed first it takes both. */
    struct claim *claims = (struct claim *)cart->order.claims;
    claims[0].reward_id = program->rewards[1].id;
    claims[1].reward_id = program->rewards[0].id;
    run ();
    cr_expect (cart->result.claims[0].ok);
    cr_expect (eq (int, cart->result.claims[1].reason, REASON_NOT_ENOUGH_POINTS));
}

Test (rule_14, one_of_several_products_has_to_be_chosen)
{
    cart->order.channel = CHANNEL_SALE;
    cart_line (cart, 1, "1", "10");
    cart_offer_of (cart, 1, REWARD_PRODUCT)->reward_products = IDS (cart, 8, 9);
    run ();
    cr_expect (eq (u32, cart->result.discount_count, 0));
    struct claim *claim = cart_claim (cart, 1);
    run ();
    cr_expect (eq (int, cart->result.claims[0].reason, REASON_AMBIGUOUS_REWARD));
    claim->has_product = true;
    claim->product_id = 9;
    run ();
    cr_expect (cart->result.claims[0].ok);
    cr_expect (eq (i64, cart_gave (cart, 1)->free_product_id, 9));
}

TestSuite (rule_7_free_units, .init = setup, .fini = teardown);

Test (rule_7_free_units, units_given_free_earn_nothing_by_unit_or_by_money)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "3", "10");
    cart_offer_of (cart, 1, REWARD_PRODUCT)->reward_products = IDS (cart, 1);
    cart_rule (cart_loyalty (cart, 2), POINTS_PER_UNIT, "1");
    cart_rule (cart_loyalty (cart, 3), POINTS_PER_MONEY, "1");
    run ();
    earned_is (2, "2");
    earned_is (3, "20");
}

Test (rule_7_free_units, also_in_the_program_that_gives_them)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "3", "10");
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_UNIT, "1");
    cart_rule (program, POINTS_PER_MONEY, "0.1");
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "0");
    reward->type = REWARD_PRODUCT;
    reward->reward_products = IDS (cart, 1);
    reward->reward_product_qty_micro = MICRO;
    reward->required_points = POINTS ("100");
    cart_card (cart, 7, 1, "100");
    cart_claim (cart, 1);
    run ();
    saved_is (1, "10");
    earned_is (1, "4"); /* of two units and 20.00 */
    spent_is (1, "100");
}

TestSuite (rule_15, .init = setup, .fini = teardown);

static struct reward *
special_price (int64_t program, const char *price, struct id_list products)
{
    struct reward *reward = cart_offer_of (cart, program, REWARD_SPECIAL_PRICE);
    reward->special_price_minor = MONEY (price);
    reward->filter.products = products;
    return reward;
}

Test (rule_15, units_cost_the_special_price)
{
    cart_line (cart, 1, "3", "10");
    cart_line (cart, 2, "1", "10");
    special_price (1, "8", IDS (cart, 1));
    run ();
    saved_is (1, "6");
    part_is (1, 0, 0, "3", "6");
    cr_expect (eq (int, cart_gave (cart, 1)->layer, LAYER_PRICE));
    cost_is (1, "1");
}

Test (rule_15, only_where_it_is_lower)
{
    cart_line (cart, 1, "1", "8");
    cart_line (cart, 2, "1", "7");
    cart_line (cart, 3, "1", "9");
    special_price (1, "8", IDS (cart, 1, 2, 3));
    run ();
    cr_expect (eq (u32, cart_gave (cart, 1)->part_count, 1));
    part_is (1, 0, 2, "1", "1");
}

Test (rule_15, at_most_max_units_the_dearest_first)
{
    cart_line (cart, 1, "2", "10");
    cart_line (cart, 2, "1.5", "20");
    special_price (1, "5", IDS (cart, 1, 2))->max_units_micro = MICROS ("2");
    run ();
    part_is (1, 0, 0, "0.5", "2.5");
    part_is (1, 1, 1, "1.5", "22.5");
    total_is ("25");
}

Test (rule_15, the_special_price_has_its_tax_in_it)
{
    cart_tax (cart, cart_line (cart, 1, "1", "10"), 1, "20", false);
    special_price (1, "6", IDS (cart, 1));
    run ();
    total_is ("6");
    cr_expect (eq (i64, cart_order_tax (cart, 1), MONEY ("1")));
}

TestSuite (rule_16, .init = setup, .fini = teardown);

static struct reward *
menu (int64_t program, const char *price)
{
    struct reward *reward = cart_offer_of (cart, program, REWARD_SPECIAL_SET);
    reward->set_price_minor = MONEY (price);
    return reward;
}

Test (rule_16, complete_sets_cost_the_set_price)
{
    cart_line (cart, 1, "3", "8");
    cart_line (cart, 2, "5", "3");
    struct reward *reward = menu (1, "11");
    cart_set_item (cart, reward, "1", IDS (cart, 1));
    cart_set_item (cart, reward, "2", IDS (cart, 2));
    run (); /* two sets of 14.00 */
    saved_is (1, "6");
    total_is ("33");
    part_is (1, 0, 0, "2", "3.43");
    part_is (1, 1, 1, "4", "2.57");
}

Test (rule_16, the_dearest_units_fill_items_in_their_order)
{
    cart_line (cart, 1, "1", "5");
    cart_line (cart, 2, "1", "9");
    cart_line (cart, 3, "1", "2");
    struct reward *reward = menu (1, "10");
    cart_set_item (cart, reward, "1", (struct id_list){ 0 }); /* anything: product 2 */
    cart_set_item (cart, reward, "1", IDS (cart, 1, 2));      /* so that product 1 is left */
    run ();
    saved_is (1, "4");
    part_is (1, 0, 0, "1", "1.43");
    part_is (1, 1, 1, "1", "2.57");
}

Test (rule_16, at_most_max_sets_and_only_while_they_save)
{
    cart_line (cart, 1, "10", "6");
    cart_line (cart, 1, "10", "4");
    struct reward *reward = menu (1, "10");
    cart_set_item (cart, reward, "2", IDS (cart, 1));
    run (); /* five of 12.00; the others would cost 8.00 */
    saved_is (1, "10");
    reward->max_sets = 3;
    run ();
    saved_is (1, "6");
    part_is (1, 0, 0, "6", "6");
}

Test (rule_16, whole_units_that_are_in_no_set_yet)
{
    cart_line (cart, 1, "3.9", "10");
    for (int64_t program = 1; program <= 2; program++)
        cart_set_item (cart, menu (program, "15"), "2", IDS (cart, 1));
    run (); /* one set; 1.9 units are left, and one whole of them */
    saved_is (1, "5");
    saved_is (2, "0");
}

Test (rule_16, many_sets_are_made_at_once)
{
    cart_line (cart, 1, "1000000", "2");
    cart_line (cart, 2, "999999", "1");
    struct reward *reward = menu (1, "2.50");
    cart_set_item (cart, reward, "1", IDS (cart, 1));
    cart_set_item (cart, reward, "1", IDS (cart, 2));
    run ();
    saved_is (1, "499999.50");
}

TestSuite (rule_17, .init = setup, .fini = teardown);

static struct reward *
steps (int64_t program, int64_t first, int64_t second)
{
    struct reward *reward = cart_offer_of (cart, program, REWARD_MULTIPLE_DISCOUNT);
    int64_t *percents = arena_array_of (cart->arena, 2, int64_t);
    percents[0] = first * MICRO;
    percents[1] = second * MICRO;
    reward->step_percent_micro = percents;
    reward->step_count = 2;
    return reward;
}

Test (rule_17, fifty_and_twenty_take_sixty_off_in_two_steps)
{
    cart_line (cart, 1, "1", "100");
    steps (1, 50, 20);
    run ();
    saved_is (1, "60");
    cr_assert (eq (u32, cart->result.discount_count, 2));
    cr_expect (eq (i64, cart->result.discounts[0].amount_minor, MONEY ("50")));
    cr_expect (eq (i64, cart->result.discounts[0].points_cost, POINTS ("1")));
    cr_expect (eq (i64, cart->result.discounts[1].amount_minor, MONEY ("10")));
    cr_expect (eq (i64, cart->result.discounts[1].points_cost, 0));
}

Test (rule_17, steps_keep_to_their_products_and_to_the_most)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "1", "100");
    struct reward *reward = steps (1, 50, 20);
    reward->applicability = APPLY_SPECIFIC;
    reward->filter.products = IDS (cart, 2);
    reward->max_amount_minor = MONEY ("55");
    run ();
    saved_is (1, "55");
    part_is (1, 0, 1, "0", "50");
}

Test (rule_17, order_wide_steps_contend_with_other_order_wide_discounts)
{
    cart_line (cart, 1, "1", "100");
    steps (1, 50, 20);
    cart_offer (cart, 2, DISCOUNT_PERCENT, "55");
    run ();
    saved_is (1, "60");
    saved_is (2, "0");
}

TestSuite (rule_18, .init = setup, .fini = teardown);

Test (rule_18, points_instead_of_a_discount)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_MONEY, "1");
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "0");
    reward->type = REWARD_POINT;
    reward->points = POINTS ("50");
    reward->required_points = POINTS ("30");
    cart_card (cart, 7, 1, "0");
    cart_claim (cart, 1);
    run ();
    total_is ("100");
    earned_is (1, "150");
    spent_is (1, "30");
    cr_expect (cart->result.claims[0].ok);
    cr_expect (eq (i64, cart_gave (cart, 1)->points_given, POINTS ("50")));
}

Test (rule_18, points_given_do_not_pay_for_this_order)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "1");
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "0");
    reward->type = REWARD_POINT;
    reward->points = POINTS ("50");
    cart_claim (cart, 1);
    cart_claim (cart, 1);
    run ();
    earned_is (1, "51");
    cr_expect (eq (int, cart->result.claims[1].reason, REASON_NOT_ENOUGH_POINTS));
}

TestSuite (rule_24_layers, .init = setup, .fini = teardown);

Test (rule_24_layers, layers_come_in_their_order)
{
    cart_line (cart, 1, "3", "10");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_program (cart, 1)->priority = -5; /* counts within its layer */
    cart_offer_of (cart, 2, REWARD_PRODUCT)->reward_products = IDS (cart, 1);
    special_price (3, "8", IDS (cart, 1));
    run ();
    cr_assert (eq (u32, cart->result.discount_count, 3));
    cr_expect (eq (i64, cart->result.discounts[0].program_id, 3));
    cr_expect (eq (i64, cart->result.discounts[1].program_id, 2));
    cr_expect (eq (i64, cart->result.discounts[2].program_id, 1));
    saved_is (3, "6");
    saved_is (2, "8");
    saved_is (1, "1.6");
}

TestSuite (rule_25_layers, .init = setup, .fini = teardown);

Test (rule_25_layers, exclusive_is_alone_in_its_layer_only)
{
    cart_line (cart, 1, "1", "100");
    special_price (1, "90", IDS (cart, 1));
    special_price (2, "80", IDS (cart, 1));
    cart_program (cart, 1)->stacking = STACK_EXCLUSIVE;
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "10");
    saved_is (2, "0");
    saved_is (3, "9");
}

Test (rule_25_layers, the_best_of_a_group_of_free_products_on_sale)
{
    cart->order.channel = CHANNEL_SALE;
    cart_line (cart, 1, "1", "10");
    cart_line (cart, 2, "1", "30");
    for (int64_t program = 1; program <= 2; program++) {
        cart_offer_of (cart, program, REWARD_PRODUCT)->reward_products = IDS (cart, program);
        cart_program (cart, program)->stacking = STACK_BEST_OF;
        cart_program (cart, program)->best_of = STR ("gift");
    }
    run ();
    cr_expect_null (cart_gave (cart, 1));
    cr_expect_not_null (cart_gave (cart, 2));
}

TestSuite (rule_26_free_units, .init = setup, .fini = teardown);

Test (rule_26_free_units, initial_is_of_units_that_are_not_free)
{
    cart_line (cart, 1, "4", "10");
    special_price (1, "9", IDS (cart, 1));
    cart_offer_of (cart, 2, REWARD_PRODUCT)->reward_products = IDS (cart, 1);
    cart_offer_on (cart, 3, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    cart_program (cart, 3)->discount_base = BASE_INITIAL;
    run ();
    saved_is (1, "4");
    saved_is (2, "9");
    saved_is (3, "3"); /* of three units at 10.00 */
    total_is ("24");
}
