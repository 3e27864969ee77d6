/* domain_stacking_test.c - the order of rewards, groups of which one stays, and claims (rules 24 and 25, SEMANTICS 1). */
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
    cart->order.explain = true;
    cr_assert_eq (cart_run (cart), 0, "%s", cart->err.message);
    cr_assert_null (cart_unsound (cart), "%s", cart_unsound (cart));
}

#define total_is(text) cr_expect (eq (i64, cart->result.total_minor, MONEY (text)))
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))
#define refused_is(claim, name) cr_expect (eq (int, cart->result.claims[claim].reason, REASON_##name))

/* A promotion with two rewards, so that nothing of it applies by itself: the first is a sum off product 1. */
static void
choice (int64_t program_id, const char *amount)
{
    cart_offer_on (cart, program_id, DISCOUNT_PER_ORDER, amount, IDS (cart, 1));
    cart_discount (cart_program (cart, program_id), DISCOUNT_PERCENT, "1");
}

static struct claim *
claim_first (int64_t program_id)
{
    struct claim *claim = cart_claim (cart, program_id);
    claim->has_reward = true;
    claim->reward_id = 1;
    return claim;
}

static void
stacks (int64_t program_id, enum stacking stacking, const char *group)
{
    cart_program (cart, program_id)->stacking = stacking;
    cart_program (cart, program_id)->best_of = str_of (group);
}

TestSuite (rule_24, .init = setup, .fini = teardown);

Test (rule_24, automatic_specific_stands_before_automatic_order_wide)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "50", IDS (cart, 1));
    run ();
    cr_expect (eq (i64, cart->result.discounts[0].program_id, 2));
    saved_is (1, "5");
}

Test (rule_24, priority_comes_first)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_program (cart, 1)->priority = -1;
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "50", IDS (cart, 1));
    run ();
    cr_expect (eq (i64, cart->result.discounts[0].program_id, 1));
    saved_is (1, "10");
    saved_is (2, "50");
}

Test (rule_24, then_by_program_id)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 9, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    cart_offer_on (cart, 4, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    run ();
    saved_is (4, "10");
    saved_is (9, "45");
}

Test (rule_24, claims_come_after_what_is_automatic_in_their_order)
{
    cart_line (cart, 1, "1", "100");
    choice (1, "10");
    choice (2, "20");
    cart_offer_on (cart, 3, DISCOUNT_PERCENT, "50", IDS (cart, 1));
    claim_first (2);
    claim_first (1);
    run ();
    cr_assert (eq (u32, cart->result.discount_count, 3));
    cr_expect (eq (i64, cart->result.discounts[0].program_id, 3));
    cr_expect (cart->result.discounts[0].automatic);
    cr_expect (eq (i64, cart->result.discounts[1].program_id, 2));
    cr_expect (eq (int, cart->result.discounts[1].claim, 0));
    cr_expect (eq (i64, cart->result.discounts[2].program_id, 1));
    total_is ("20");
}

Test (rule_24, a_claim_of_an_automatic_program_counts_as_a_claim)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "20", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    cart_claim (cart, 1);
    run ();
    cr_assert (eq (u32, cart->result.discount_count, 2));
    cr_expect (eq (i64, cart->result.discounts[1].program_id, 1));
    saved_is (2, "10");
}

Test (rule_24, each_is_asked_again_when_everything_is_taken_off)
{
    /* 100 points for 100.00: they suffice where the claim stands, and no longer when the second claim made it 90.00. */
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    struct program *loyalty = cart_loyalty (cart, 1);
    cart_rule (loyalty, POINTS_PER_MONEY, "1");
    struct reward *reward = cart_discount (loyalty, DISCOUNT_PER_ORDER, "5");
    reward->required_points = POINTS ("100");
    reward->applicability = APPLY_SPECIFIC;
    choice (2, "10");
    claim_first (1);
    claim_first (2);
    run ();
    refused_is (0, NOT_ENOUGH_POINTS);
    cr_expect_str_eq (cart->result.claims[0].text, "required_points 100.00, has 90.00");
    cr_expect (cart->result.claims[1].ok);
    total_is ("90");
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("90")));
    cr_expect (eq (i64, cart_redeemed (cart, 1), 0));
}

Test (rule_24, the_order_is_worked_again_from_the_start)
{
    /* As above, but the claim that is refused in the end had taken what another could not get. */
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    struct program *loyalty = cart_loyalty (cart, 1);
    cart_rule (loyalty, POINTS_PER_MONEY, "1");
    struct reward *reward = cart_discount (loyalty, DISCOUNT_PER_ORDER, "95");
    reward->required_points = POINTS ("100");
    reward->applicability = APPLY_SPECIFIC;
    choice (2, "10");
    claim_first (1);
    claim_first (2);
    run ();
    saved_is (2, "10");
    total_is ("90");
}

Test (rule_24, what_lost_to_a_refused_reward_has_another_chance)
{
    /* 30 % beat 10.00, but the claim of points took everything before it; so 10.00 it was. Then that claim, whose
     * points come from money paid after all discounts, cannot stay: the 30 % are there again. */
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "10");
    struct program *loyalty = cart_loyalty (cart, 2);
    loyalty->earn_on = EARN_NET;
    cart_rule (loyalty, POINTS_PER_MONEY, "1");
    struct reward *reward = cart_discount (loyalty, DISCOUNT_PER_ORDER, "100");
    reward->required_points = POINTS ("50");
    reward->applicability = APPLY_SPECIFIC;
    cart_offer (cart, 3, DISCOUNT_PERCENT, "30");
    cart_claim (cart, 2);
    cart_claim (cart, 3);
    run ();
    refused_is (0, NOT_ENOUGH_POINTS);
    cr_expect (cart->result.claims[1].ok);
    total_is ("70");
}

TestSuite (rule_25, .init = setup, .fini = teardown);

Test (rule_25, of_order_wide_discounts_the_better_in_money_stays)
{
    /* 20 % is not better than 15.00 because 20 > 15. */
    cart_line (cart, 1, "1", "50");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "20");
    cart_offer (cart, 2, DISCOUNT_PER_ORDER, "15");
    run ();
    saved_is (1, "0");
    saved_is (2, "15");
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_BETTER_DISCOUNT));
    cart->lines[0].price_unit_micro = MICROS ("100");
    run ();
    saved_is (1, "20");
    saved_is (2, "0");
}

Test (rule_25, an_equal_one_is_refused)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "15");
    cart_offer (cart, 2, DISCOUNT_PER_ORDER, "15");
    run ();
    saved_is (1, "15");
    saved_is (2, "0");
}

Test (rule_25, order_wide_claims_are_measured_one_by_one)
{
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    struct program *loyalty = cart_loyalty (cart, 1);
    cart_discount (loyalty, DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("10");
    cart_card (cart, 7, 1, "100");
    cart_claim (cart, 1);
    cart_claim (cart, 1);
    run ();
    saved_is (1, "5");
    refused_is (1, BETTER_DISCOUNT);
    cr_expect (eq (i64, cart_redeemed (cart, 1), POINTS ("10")));
}

Test (rule_25, per_point_discounts_are_not_of_that_group)
{
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    cart_discount (cart_loyalty (cart, 1), DISCOUNT_PER_POINT, "0.1");
    cart_card (cart, 7, 1, "100");
    cart_claim (cart, 1);
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    run ();
    total_is ("80");
}

Test (rule_25, a_claim_that_a_later_one_beats_is_replaced)
{
    cart_line (cart, 1, "1", "100");
    for (int64_t id = 1; id <= 2; id++) {
        cart_offer (cart, id, DISCOUNT_PERCENT, id == 1 ? "10" : "20");
        cart_claim (cart, id);
    }
    cr_assert_eq (cart_run_as (cart, true), 0, "%s", cart->err.message);
    saved_is (2, "20");
    cr_expect (cart->result.claims[0].ok);
    cr_expect (cart->result.claims[0].replaced);
    cr_expect (eq (int, cart->result.claims[0].replaced_by, 1));
    cr_expect (eq (int, cart->result.claims[0].discount, -1));
    cr_expect (cart->result.claims[1].ok);
    cr_expect (not(cart->result.claims[1].replaced));
}

Test (rule_25, what_replaces_a_claim_is_a_claim_that_gives_something)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "20", IDS (cart, 2));
    cart_discount (cart_program (cart, 2), DISCOUNT_PER_ORDER, "30");
    stacks (2, STACK_EXCLUSIVE, "");
    cart_claim (cart, 1);
    for (int64_t id = 1; id <= 2; id++) {
        struct claim *claim = cart_claim (cart, 2);
        claim->has_reward = true;
        claim->reward_id = id;
    }
    run ();
    total_is ("70");
    refused_is (1, NOTHING_TO_DISCOUNT);
    cr_expect (cart->result.claims[0].replaced);
    cr_expect (eq (int, cart->result.claims[0].replaced_by, 2));
}

Test (rule_25, a_claim_that_could_not_be_paid_for_is_refused_not_replaced)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10")->required_points = POINTS ("2");
    cart_offer (cart, 2, DISCOUNT_PERCENT, "20");
    cart_claim (cart, 1);
    cart_claim (cart, 2);
    run ();
    refused_is (0, NOT_ENOUGH_POINTS);
    cr_expect_str_eq (cart->result.claims[0].text, "required_points 2.00, has 1.00");
    cr_expect (not(cart->result.claims[0].replaced));
    stacks (2, STACK_EXCLUSIVE, "");
    run ();
    refused_is (0, NOT_ENOUGH_POINTS);
    total_is ("80");
}

Test (rule_25, a_claim_that_an_earlier_or_automatic_one_beats_is_refused)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "20");
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    cart_claim (cart, 2);
    run ();
    refused_is (0, BETTER_DISCOUNT);
    cart_claim (cart, 1);
    cart->claims[0].program_id = 1;
    cart->claims[1].program_id = 2;
    run ();
    cr_expect (cart->result.claims[0].ok);
    refused_is (1, BETTER_DISCOUNT);
}

Test (rule_25, the_group_is_measured_where_its_first_one_stands)
{
    /* Before the claim of 60.00, 30 % of 100.00 beat 25.00; what is left then is 40.00, of which 30 % are 12.00. */
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "25");
    choice (2, "60");
    cart_offer (cart, 3, DISCOUNT_PERCENT, "30");
    claim_first (2);
    cart_claim (cart, 3);
    run ();
    saved_is (1, "0");
    saved_is (2, "60");
    saved_is (3, "12");
}

Test (rule_25, a_winner_that_gives_nothing_is_refused_and_the_group_measured_again)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "10");
    choice (2, "100");
    cart_offer (cart, 3, DISCOUNT_PERCENT, "30");
    claim_first (2);
    cart_claim (cart, 3);
    run ();
    refused_is (1, NOTHING_TO_DISCOUNT);
    saved_is (1, "10");
    saved_is (2, "90");
}

Test (rule_25, an_exclusive_program_has_the_layer_to_itself)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "30", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    cart_offer (cart, 3, DISCOUNT_PERCENT, "50");
    stacks (2, STACK_EXCLUSIVE, "");
    run ();
    total_is ("95");
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_EXCLUDED_BY_OTHER));
    cr_expect (eq (int, cart_rejected (cart, 3), REASON_EXCLUDED_BY_OTHER));
}

Test (rule_25, an_exclusive_program_that_saves_nothing_excludes_nobody)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "30", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "5", IDS (cart, 2));
    stacks (2, STACK_EXCLUSIVE, "");
    run ();
    total_is ("70");
}

Test (rule_25, the_first_exclusive_program_wins)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "30", IDS (cart, 1));
    stacks (1, STACK_EXCLUSIVE, "");
    stacks (2, STACK_EXCLUSIVE, "");
    run ();
    total_is ("95");
}

Test (rule_25, of_a_named_group_the_program_that_saves_most_stays)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "1", "10");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PERCENT, "12", IDS (cart, 1));
    cart_offer_on (cart, 3, DISCOUNT_PERCENT, "50", IDS (cart, 2));
    cart_offer_on (cart, 4, DISCOUNT_PER_ORDER, "1", IDS (cart, 1));
    stacks (1, STACK_BEST_OF, "summer");
    stacks (2, STACK_BEST_OF, "summer");
    stacks (3, STACK_BEST_OF, "winter");
    run ();
    saved_is (1, "0");
    saved_is (2, "12");
    saved_is (3, "5");
    saved_is (4, "1");
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_BETTER_DISCOUNT));
}

Test (rule_25, of_equal_programs_of_a_named_group_the_first_stays)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PERCENT, "10", IDS (cart, 1));
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    stacks (1, STACK_BEST_OF, "summer");
    stacks (2, STACK_BEST_OF, "summer");
    run ();
    saved_is (1, "10");
    saved_is (2, "0");
    cart_program (cart, 1)->priority = 1; /* stands behind the other now */
    run ();
    saved_is (1, "0");
    saved_is (2, "10");
}

Test (rule_25, a_program_is_measured_with_all_its_claims)
{
    /* 6.00 and 6.00 again beat 10.00 once. */
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    struct reward *reward = cart_discount (cart_loyalty (cart, 1), DISCOUNT_PER_ORDER, "6");
    reward->applicability = APPLY_SPECIFIC;
    cart_card (cart, 7, 1, "2");
    cart_claim (cart, 1);
    cart_claim (cart, 1);
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    stacks (1, STACK_BEST_OF, "one");
    stacks (2, STACK_BEST_OF, "one");
    run ();
    saved_is (1, "12");
    saved_is (2, "0");
    cart->order.claim_count = 1;
    run ();
    saved_is (1, "0");
    saved_is (2, "10");
}

TestSuite (claims, .init = setup, .fini = teardown);

Test (claims, auto_claim_off_leaves_everything_to_claims)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart->order.auto_claim = false;
    run ();
    total_is ("100");
    cr_expect (eq (int, cart_rejected (cart, 1), REASON_NOT_CLAIMED));
    cart_claim (cart, 1);
    run ();
    total_is ("90");
}

Test (claims, a_program_with_a_choice_does_not_apply_by_itself)
{
    cart_line (cart, 1, "1", "100");
    choice (1, "10");
    run ();
    total_is ("100");
    cart_claim (cart, 1);
    run ();
    refused_is (0, AMBIGUOUS_REWARD);
}

Test (claims, a_program_that_a_claim_names_does_not_apply_by_itself_as_well)
{
    cart_line (cart, 1, "1", "100");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    struct claim *claim = claim_first (1);
    run ();
    total_is ("90");
    claim->reward_id = 8;
    run ();
    refused_is (0, UNKNOWN_REWARD);
    total_is ("100");
}

Test (claims, an_automatic_program_applies_once_though_it_has_points_for_more)
{
    cart_line (cart, 1, "5", "20");
    cart_offer_on (cart, 1, DISCOUNT_PER_ORDER, "10", IDS (cart, 1));
    ((struct rule *)cart_program (cart, 1)->rules)->point_mode = POINTS_PER_UNIT;
    run ();
    total_is ("90");
    for (int i = 0; i < 6; i++)
        cart_claim (cart, 1);
    run ();
    total_is ("50"); /* five points */
    refused_is (5, NOT_ENOUGH_POINTS);
}

Test (claims, each_refusal_has_its_reason)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_program (cart, 1)->state = PROGRAM_ARCHIVED;
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    ((struct rule *)cart_program (cart, 2)->rules)->minimum_amount_minor = MONEY ("200");
    cart_promotion (cart, 3);
    cart_claim (cart, 1);
    cart_claim (cart, 2);
    cart_claim (cart, 3);
    cart_claim (cart, 4);
    run ();
    refused_is (0, NOT_ACTIVE);
    refused_is (1, MINIMUM_AMOUNT);
    refused_is (2, UNKNOWN_REWARD);
    refused_is (3, UNKNOWN_PROGRAM);
    cr_expect_str_eq (cart->result.claims[1].text, "minimum_amount 200.00, has 100.00");
}

Test (claims, a_refused_claim_fails_a_strict_order_unless_it_skips)
{
    cart_line (cart, 1, "1", "100");
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cart_claim (cart, 1);
    cart_claim (cart, 4);
    cr_assert_eq (cart_run_as (cart, true), -1);
    cr_expect (eq (int, cart->err.code, ERROR_CLAIM_REFUSED));
    cr_expect_str_eq (cart->err.details[0].value, "unknown_program");
    cr_expect_str_eq (cart->err.details[1].name, "claim");
    cr_expect_str_eq (cart->err.details[1].value, "1");
    cart->order.skip_refused = true;
    cr_assert_eq (cart_run_as (cart, true), 0);
    total_is ("90");
}

/* A member's card of program 1 with 100 points, a bearer's with 50, and somebody else's with 70. */
static void
three_cards (void)
{
    cart_line (cart, 1, "1", "100");
    cart_member (cart, 5);
    struct reward *reward = cart_discount (cart_loyalty (cart, 1), DISCOUNT_PER_POINT, "0.1");
    reward->required_points = POINTS ("10");
    cart_card (cart, 7, 1, "100")->code = STR ("MINE");
    cart_card (cart, 8, 1, "50")->code = STR ("Bearer-8");
    cart->cards[1].has_partner = false;
    cart_card (cart, 9, 1, "70")->partner_id = 6;
}

Test (claims, the_members_card_pays_unless_another_is_named)
{
    three_cards ();
    cart_claim (cart, 1);
    struct claim *claim = cart_claim (cart, 1);
    claim->has_card = true;
    claim->card.code = STR (" bearer-8 ");
    run ();
    total_is ("85");
    cr_assert (eq (u32, cart->result.points_count, 2));
    cr_expect (eq (i64, cart->result.points[0].card_id, 7));
    cr_expect (eq (i64, cart->result.points[0].redeemed, POINTS ("100")));
    cr_expect (eq (i64, cart->result.points[1].card_id, 8));
    cr_expect (eq (i64, cart->result.points[1].redeemed, POINTS ("50")));
    cr_expect (not(cart->result.points[1].usable_now));
}

Test (claims, a_card_alone_names_its_program)
{
    three_cards ();
    struct claim *claim = cart_claim (cart, 1);
    claim->has_program = false;
    claim->has_card = true;
    claim->card.card_id = 8;
    run ();
    saved_is (1, "5");
    cr_expect (eq (i64, cart->result.claims[0].program_id, 1));
}

Test (claims, somebody_elses_card_is_unknown)
{
    three_cards ();
    struct claim *claim = cart_claim (cart, 1);
    claim->has_card = true;
    claim->card.card_id = 9;
    run ();
    refused_is (0, UNKNOWN_CARD);
    claim->card.card_id = 77;
    run ();
    refused_is (0, UNKNOWN_CARD);
}

Test (claims, a_card_of_another_program_is_unknown)
{
    three_cards ();
    cart_discount (cart_loyalty (cart, 2), DISCOUNT_PER_POINT, "0.1");
    struct claim *claim = cart_claim (cart, 2);
    claim->has_card = true;
    claim->card.card_id = 8;
    run ();
    refused_is (0, UNKNOWN_CARD);
}
