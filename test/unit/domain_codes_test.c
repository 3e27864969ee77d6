/* domain_codes_test.c - codes of rules and of cards, coupons, referrals (section 1, rules 1, 2, 3, 5, 28, 29). */
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

/* A program that a code enters; its rule and reward can be changed. */
static struct rule *
coded (int64_t id, const char *code, const char *percent)
{
    cart_offer (cart, id, DISCOUNT_PERCENT, percent);
    struct program *program = cart_program (cart, id);
    program->trigger = TRIGGER_WITH_CODE;
    struct rule *rule = (struct rule *)program->rules;
    rule->mode = RULE_WITH_CODE;
    rule->code = str_of (code);
    return rule;
}

static void
enter (const char *code)
{
    *cart_claim (cart, 0) = (struct claim){ .code = str_of (code) };
}

/* A coupon of 10 %, on a card with a code. */
static struct card_state *
coupon (int64_t program_id, const char *code)
{
    struct program *program = cart_promotion (cart, program_id);
    program->type = PROGRAM_COUPONS;
    program->trigger = TRIGGER_WITH_CODE;
    cart_discount (program, DISCOUNT_PERCENT, "10");
    struct card_state *card = cart_card (cart, 70 + program_id, program_id, "1");
    card->has_partner = false;
    card->presented = true;
    card->code = str_of (code);
    return card;
}

#define claim_is(index, name) cr_expect (eq (int, cart->result.claims[index].reason, REASON_##name))
#define accepted(index) \
    cr_expect (cart->result.claims[index].ok, "claims[%d]: %s", index, cart->result.claims[index].text)
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))

TestSuite (section_1_codes, .init = setup, .fini = teardown);

Test (section_1_codes, a_code_claims_the_one_reward_of_its_program)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "SUMMER", "10");
    run ();
    saved_is (1, "0");
    enter ("  summer ");
    run ();
    accepted (0);
    saved_is (1, "10");
    cr_expect (eq (i64, cart->result.claims[0].program_id, 1));
    cr_expect (eq (int, cart->result.claims[0].discount, 0));
    cr_expect (code_compare (cart_gave (cart, 1)->code, STR ("SUMMER")) == 0);
}

Test (section_1_codes, a_code_that_leaves_a_choice_of_products_is_accepted_and_gives_nothing)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "PICK");
    struct reward *reward = (struct reward *)cart_program (cart, 1)->rewards;
    reward->type = REWARD_PRODUCT;
    reward->reward_products = IDS (cart, 1, 2);
    reward->reward_product_qty_micro = MICROS ("1");
    enter ("PICK");
    run ();
    accepted (0);
    saved_is (1, "0");
    struct claim *claim = cart_claim (cart, 1);
    claim->has_product = true;
    claim->product_id = 1;
    run ();
    accepted (1);
    saved_is (1, "100");
}

/* 3 points are there for the claim, and 5 more for one after the code. */
Test (section_1_codes, what_a_code_earns_is_there_from_its_place_on)
{
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_promotion (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "3");
    struct rule *rule = cart_rule (program, POINTS_PER_ORDER, "5");
    rule->mode = RULE_WITH_CODE;
    rule->code = STR ("MORE");
    cart_discount (program, DISCOUNT_PER_POINT, "1");
    cart_claim (cart, 1);
    enter ("MORE");
    cart_claim (cart, 1);
    run ();
    cr_assert_eq (cart->result.discount_count, 2);
    cr_expect (eq (i64, cart->result.discounts[0].amount_minor, MONEY ("3")));
    cr_expect (eq (i64, cart->result.discounts[1].amount_minor, MONEY ("5")));
}

/* The code's claim stands after the automatic 100 %, which leaves it nothing; without the code the program stands before. */
Test (section_1_codes, a_program_whose_code_is_refused_applies_by_itself)
{
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_promotion (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "10");
    struct rule *rule = cart_rule (program, POINTS_PER_ORDER, "5");
    rule->mode = RULE_WITH_CODE;
    rule->code = STR ("MORE");
    struct reward *reward = cart_discount (program, DISCOUNT_PER_POINT, "1");
    reward->applicability = APPLY_SPECIFIC;
    reward->filter.products = IDS (cart, 1);
    cart_offer (cart, 2, DISCOUNT_PERCENT, "100");
    enter ("MORE");
    run ();
    claim_is (0, NOTHING_TO_DISCOUNT);
    saved_is (1, "10");
    saved_is (2, "90");
}

Test (section_1_codes, an_unknown_code_is_refused)
{
    cart_line (cart, 1, "1", "100");
    enter ("NOTHING");
    run ();
    claim_is (0, UNKNOWN_CODE);
}

Test (section_1_codes, the_code_of_an_archived_program_is_unknown)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "OLD", "10");
    cart_program (cart, 1)->state = PROGRAM_ARCHIVED;
    enter ("OLD");
    run ();
    claim_is (0, UNKNOWN_CODE);
}

Test (section_1_codes, a_code_counts_from_its_place_on)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "SUMMER", "10");
    cart_claim (cart, 1);
    enter ("SUMMER");
    run ();
    claim_is (0, CODE_NEEDED);
    accepted (1);
    saved_is (1, "10");
}

Test (section_1_codes, a_code_opens_a_program_with_several_rewards)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "SUMMER", "10");
    cart_discount (cart_program (cart, 1), DISCOUNT_PER_ORDER, "7");
    enter ("SUMMER");
    run ();
    accepted (0);
    cr_expect (eq (int, cart->result.claims[0].discount, -1));
    saved_is (1, "0");
    struct claim *claim = cart_claim (cart, 1);
    claim->has_reward = true;
    claim->reward_id = 2;
    run ();
    accepted (1);
    saved_is (1, "7");
}

Test (section_1_codes, a_code_is_refused_when_its_own_rule_does_not_hold)
{
    cart_line (cart, 1, "1", "40");
    coded (1, "SUMMER", "10")->minimum_amount_minor = MONEY ("50");
    enter ("SUMMER");
    run ();
    claim_is (0, MINIMUM_AMOUNT);
    cr_expect_str_eq (cart->result.claims[0].text, "minimum_amount 50.00, has 40.00");
    cr_assert_eq (cart_run_as (cart, true), -1);
    cr_expect (eq (int, cart->err.code, ERROR_CLAIM_REFUSED));
}

Test (section_1_codes, a_code_is_refused_when_its_program_takes_no_part)
{
    cart_line (cart, 1, "1", "40");
    coded (1, "SUMMER", "10");
    cart_program (cart, 1)->has_date_to = true;
    cart_program (cart, 1)->date_to = 14000;
    enter ("SUMMER");
    run ();
    claim_is (0, AFTER_DATE_TO);
}

Test (section_1_codes, the_code_of_a_future_program_only_earns)
{
    cart_line (cart, 1, "1", "40");
    coded (1, "NEXT", "10");
    cart_program (cart, 1)->applies_on = APPLIES_FUTURE;
    enter ("NEXT");
    run ();
    accepted (0);
    saved_is (1, "0");
    cr_assert_eq (cart->result.card_count, 1);
    cr_expect (eq (i64, cart->result.cards[0].points, POINTS ("1")));
    cr_expect (eq (i64, cart->result.cards[0].program_id, 1));
}

Test (section_1_codes, a_refused_code_leaves_no_points_behind)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "40");
    coded (1, "BOTH", "10")->point_amount_micro = MICROS ("5");
    struct program *program = cart_program (cart, 1);
    program->type = PROGRAM_LOYALTY;
    program->applies_on = APPLIES_BOTH;
    struct reward *reward = (struct reward *)program->rewards;
    reward->applicability = APPLY_SPECIFIC;
    reward->filter.products = IDS (cart, 99);
    enter ("BOTH");
    run ();
    claim_is (0, NOTHING_TO_DISCOUNT);
    cr_expect (eq (i64, cart_earned (cart, 1), 0));
    reward->filter.products = IDS (cart, 1);
    run ();
    accepted (0);
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("5")));
}

TestSuite (rule_2_codes, .init = setup, .fini = teardown);

static void
two_codes (void)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "ONE", "10");
    struct rule *second = cart_rule (cart_program (cart, 1), POINTS_PER_ORDER, "1");
    second->mode = RULE_WITH_CODE;
    second->code = STR ("TWO");
}

Test (rule_2_codes, at_the_till_a_program_waits_for_all_its_codes)
{
    two_codes ();
    enter ("ONE");
    run ();
    claim_is (0, CODE_NEEDED);
    saved_is (1, "0");
    enter ("TWO");
    run ();
    accepted (0);
    accepted (1);
    saved_is (1, "10");
}

Test (rule_2_codes, on_the_server_one_code_is_enough)
{
    two_codes ();
    cart->order.channel = CHANNEL_SALE;
    enter ("TWO");
    run ();
    accepted (0);
    saved_is (1, "10");
}

Test (rule_2_codes, an_automatic_program_has_a_rule_that_a_code_adds)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_loyalty (cart, 1);
    cart_rule (program, POINTS_PER_ORDER, "1");
    struct rule *rule = cart_rule (program, POINTS_PER_ORDER, "10");
    rule->mode = RULE_WITH_CODE;
    rule->code = STR ("MORE");
    run ();
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("1")));
    enter ("MORE");
    run ();
    accepted (0);
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("11")));
}

Test (rule_2_codes, less_than_nothing_does_not_reach_a_minimum_of_nothing)
{
    cart_line (cart, 1, "-2", "10");
    cart_line (cart, 1, "1", "10");
    cart_member (cart, 5);
    cart_rule (cart_loyalty (cart, 1), POINTS_PER_ORDER, "1");
    run ();
    cr_expect (eq (i64, cart_earned (cart, 1), 0));
    cart->lines[0].price_unit_micro = 0;
    cart->lines[0].qty_micro = MICROS ("-1");
    run ();
    cr_expect (eq (i64, cart_earned (cart, 1), POINTS ("1"))); /* 0 units and 10.00 */
}

TestSuite (rule_3_codes, .init = setup, .fini = teardown);

Test (rule_3_codes, discounts_of_other_programs_by_code_lower_the_money)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "TEN", "10");
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    cart_program (cart, 2)->priority = 1;
    struct rule *rule = (struct rule *)cart_program (cart, 2)->rules;
    rule->minimum_amount_minor = MONEY ("95");
    enter ("TEN");
    run ();
    saved_is (1, "10");
    saved_is (2, "0");
    cart->order.explain = true;
    run ();
    cr_expect (eq (int, cart_rejected (cart, 2), REASON_MINIMUM_AMOUNT));
    rule->minimum_amount_minor = MONEY ("90");
    run ();
    saved_is (2, "5");
}

Test (rule_3_codes, whatever_stands_first_is_asked_again_in_the_end)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "TEN", "10");
    cart_program (cart, 1)->priority = 1;
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    ((struct rule *)cart_program (cart, 2)->rules)->minimum_amount_minor = MONEY ("95");
    enter ("TEN");
    run ();
    saved_is (1, "10");
    saved_is (2, "0");
}

Test (rule_3_codes, less_than_nothing_misses_a_minimum_of_nothing)
{
    cart_line (cart, 1, "1", "100");
    cart_line (cart, 2, "-1", "95");
    coded (1, "SET", "0");
    struct reward *reward = (struct reward *)cart_program (cart, 1)->rewards;
    reward->type = REWARD_SPECIAL_PRICE;
    reward->special_price_minor = MONEY ("90");
    cart_rule (cart_loyalty (cart, 2), POINTS_PER_ORDER, "7");
    cart_member (cart, 5);
    run ();
    cr_expect (eq (i64, cart_earned (cart, 2), POINTS ("7")));
    enter ("SET");
    run ();
    saved_is (1, "10");
    cr_expect (eq (i64, cart_earned (cart, 2), 0));
}

Test (rule_3_codes, a_rule_that_names_products_is_not_lowered_by_codes)
{
    cart_line (cart, 1, "1", "100");
    coded (1, "TEN", "10");
    cart_offer_on (cart, 2, DISCOUNT_PER_ORDER, "5", IDS (cart, 1));
    struct rule *rule = (struct rule *)cart_program (cart, 2)->rules;
    rule->minimum_amount_minor = MONEY ("95");
    rule->filter.products = IDS (cart, 1);
    enter ("TEN");
    run ();
    saved_is (2, "5");
}

TestSuite (rule_5_cards, .init = setup, .fini = teardown);

Test (rule_5_cards, a_coupon_is_spent_by_its_code)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    run ();
    saved_is (1, "0");
    enter ("c-1");
    run ();
    accepted (0);
    saved_is (1, "10");
    cr_assert_eq (cart->result.points_count, 1);
    cr_expect (eq (i64, cart->result.points[0].card_id, 71));
    cr_expect (eq (i64, cart->result.points[0].redeemed, POINTS ("1")));
    cr_expect (eq (i64, cart->result.points[0].earned, 0));
}

Test (rule_5_cards, rules_of_coupons_are_conditions_of_use)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    struct rule *rule = cart_rule (cart_program (cart, 1), POINTS_PER_ORDER, "5");
    rule->minimum_amount_minor = MONEY ("101");
    enter ("C-1");
    run ();
    claim_is (0, MINIMUM_AMOUNT);
    rule->minimum_amount_minor = MONEY ("100");
    run ();
    accepted (0);
    cr_expect (eq (i64, cart_earned (cart, 1), 0));
}

Test (rule_5_cards, a_code_of_a_coupon_programs_rule_is_a_way_in_without_a_card)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    struct rule *rule = cart_rule (cart_program (cart, 1), POINTS_PER_ORDER, "1");
    rule->code = STR ("SHORT");
    rule->mode = RULE_WITH_CODE;
    rule->minimum_amount_minor = MONEY ("100");
    enter ("short");
    run ();
    accepted (0);
    saved_is (1, "10");
    cr_expect (eq (i64, cart->result.points_count, 0), "no card paid");
    rule->minimum_amount_minor = MONEY ("101");
    run ();
    claim_is (0, MINIMUM_AMOUNT);
    saved_is (1, "0");
}

Test (rule_5_cards, a_rule_with_a_code_is_no_condition_of_the_cards)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    struct rule *rule = cart_rule (cart_program (cart, 1), POINTS_PER_ORDER, "1");
    rule->code = STR ("SHORT");
    rule->mode = RULE_WITH_CODE;
    rule->minimum_amount_minor = MONEY ("500");
    enter ("C-1");
    run ();
    accepted (0);
    saved_is (1, "10");
    cr_assert_eq (cart->result.points_count, 1);
    cr_expect (eq (i64, cart->result.points[0].redeemed, POINTS ("1")));
}

Test (rule_5_cards, a_coupon_program_opened_by_code_keeps_its_conditions)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    struct program *program = cart_program (cart, 1);
    program->trigger = TRIGGER_WITH_CODE;
    struct rule *coded = cart_rule (program, POINTS_PER_ORDER, "1");
    coded->code = STR ("SHORT");
    coded->mode = RULE_WITH_CODE;
    struct rule *condition = cart_rule (program, POINTS_PER_ORDER, "1");
    condition->minimum_amount_minor = MONEY ("500");
    enter ("SHORT");
    run ();
    claim_is (0, MINIMUM_AMOUNT);
    condition->minimum_amount_minor = MONEY ("100");
    run ();
    accepted (0);
    saved_is (1, "10");
}

Test (rule_5_cards, cards_of_other_programs_are_spent_without_asking_the_rules)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    cart_program (cart, 1)->type = PROGRAM_NEXT_ORDER_COUPONS;
    cart_program (cart, 1)->trigger = TRIGGER_AUTO;
    cart_program (cart, 1)->applies_on = APPLIES_FUTURE;
    cart_rule (cart_program (cart, 1), POINTS_PER_ORDER, "1")->minimum_amount_minor = MONEY ("500");
    enter ("C-1");
    run ();
    accepted (0);
    saved_is (1, "10");
    cr_expect (eq (int, cart->result.card_count, 0));
}

Test (rule_5_cards, a_claim_finds_the_members_coupon)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct card_state *card = coupon (1, "C-1");
    card->has_partner = true;
    card->partner_id = 5;
    card->presented = false;
    cart_claim (cart, 1);
    run ();
    accepted (0);
    saved_is (1, "10");
    card->partner_id = 6;
    run ();
    claim_is (0, UNKNOWN_CARD);
}

Test (rule_5_cards, a_card_that_was_shown_goes_before_the_members_that_is_entered_later)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct card_state *own = coupon (1, "OWN");
    own->has_partner = true;
    own->partner_id = 5;
    cart_discount (cart_program (cart, 1), DISCOUNT_PERCENT, "5");
    struct card_state *bearer = cart_card (cart, 80, 1, "1");
    bearer->has_partner = false;
    bearer->presented = true;
    bearer->code = STR ("BEARER");
    enter ("BEARER");
    struct claim *claim = cart_claim (cart, 1);
    claim->has_reward = true;
    claim->reward_id = cart_program (cart, 1)->rewards[0].id;
    enter ("OWN");
    run ();
    accepted (1);
    cr_assert_eq (cart->result.points_count, 1);
    cr_expect (eq (i64, cart->result.points[0].card_id, 80));
}

TestSuite (rule_28, .init = setup, .fini = teardown);

static void
refused_strictly (enum error_code code)
{
    cr_assert_eq (cart_run_as (cart, true), -1);
    cr_expect (eq (int, cart->err.code, code), "%s", cart->err.message);
}

Test (rule_28, a_coupon_that_is_spent)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1")->usable = 0;
    enter ("C-1");
    run ();
    claim_is (0, CODE_USED);
    refused_strictly (ERROR_CODE_USED);
}

Test (rule_28, a_coupon_that_came_too_late)
{
    cart_line (cart, 1, "1", "100");
    struct card_state *card = coupon (1, "C-1");
    card->usable = 0;
    card->expired = POINTS ("1");
    enter ("C-1");
    run ();
    claim_is (0, EXPIRED);
    refused_strictly (ERROR_CLAIM_REFUSED);
}

Test (rule_28, a_coupon_that_is_blocked_or_somebody_elses)
{
    cart_member (cart, 5);
    cart_line (cart, 1, "1", "100");
    struct card_state *card = coupon (1, "C-1");
    card->blocked = true;
    cart->order.skip_refused = true;
    enter ("C-1");
    run ();
    claim_is (0, CARD_BLOCKED);
    card->blocked = false;
    card->has_partner = true;
    card->partner_id = 6;
    run ();
    claim_is (0, UNKNOWN_CARD);
}

Test (rule_28, loyalty_cards_are_not_entered_by_code)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "L-1");
    cart_program (cart, 1)->type = PROGRAM_LOYALTY;
    enter ("L-1");
    run ();
    claim_is (0, NOT_BY_CODE);
}

Test (rule_28, the_same_coupon_twice_is_given_once)
{
    cart_line (cart, 1, "1", "100");
    coupon (1, "C-1");
    ((struct reward *)cart_program (cart, 1)->rewards)->applicability = APPLY_SPECIFIC;
    enter ("C-1");
    enter ("C-1");
    run ();
    accepted (0);
    claim_is (1, NOT_ENOUGH_POINTS);
    saved_is (1, "10");
}

TestSuite (rule_29, .init = setup, .fini = teardown);

/* Partner 5's first order, with the code of partner 9's card: the program gives both 10 points for 100.00. */
static struct card_state *
referral (void)
{
    cart_member (cart, 5);
    cart->order.member.is_first_order = true;
    cart_line (cart, 1, "1", "100");
    struct program *program = cart_promotion (cart, 1);
    program->type = PROGRAM_REFERRAL;
    program->max_referral_usage = 3;
    cart_rule (program, POINTS_PER_MONEY, "0.1");
    cart_discount (program, DISCOUNT_PER_ORDER, "5")->required_points = POINTS ("10");
    struct card_state *card = cart_card (cart, 71, 1, "40");
    card->partner_id = 9;
    card->code = STR ("FRIEND");
    card->presented = true;
    enter ("FRIEND");
    return card;
}

Test (rule_29, the_friend_is_rewarded_and_the_owner_gets_the_points)
{
    referral ();
    run ();
    accepted (0);
    saved_is (1, "5");
    cr_expect (eq (i64, cart->result.referral.card_id, 71));
    cr_expect (eq (i64, cart->result.referral.points, POINTS ("10")));
    cr_expect (eq (int, cart->result.points_count, 0)); /* the owner's own points are not spent */
}

Test (rule_29, only_on_a_first_order)
{
    referral ();
    cart->order.member.is_first_order = false;
    run ();
    claim_is (0, NOT_FIRST_ORDER);
    cr_expect (eq (i64, cart->result.referral.points, 0));
}

Test (rule_29, not_ones_own)
{
    referral ()->partner_id = 5;
    run ();
    claim_is (0, OWN_CODE);
}

Test (rule_29, one_code_an_order)
{
    referral ();
    struct card_state *other = cart_card (cart, 72, 1, "0");
    other->partner_id = 10;
    other->code = STR ("OTHER");
    enter ("OTHER");
    run ();
    accepted (0);
    claim_is (1, ONE_REFERRAL);
    cr_expect (eq (i64, cart->result.referral.card_id, 71));
}

Test (rule_29, so_often_as_the_program_says)
{
    referral ()->referral_uses = 3;
    run ();
    claim_is (0, LIMIT_REACHED);
    cr_expect_str_eq (cart->result.claims[0].text, "max_referral_usage 3, used 3");
    refused_strictly (ERROR_LIMIT_REACHED);
    cart->cards[0].referral_uses = 2;
    run ();
    accepted (0);
}

Test (rule_29, needs_a_member_and_rules_that_hold)
{
    referral ();
    ((struct rule *)cart_program (cart, 1)->rules)->minimum_amount_minor = MONEY ("200");
    run ();
    claim_is (0, MINIMUM_AMOUNT);
    cart->order.has_partner = false;
    run ();
    claim_is (0, NO_MEMBER);
    cr_expect (eq (i64, cart->result.referral.points, 0));
}

Test (rule_29, not_of_a_card_that_is_blocked)
{
    referral ()->blocked = true;
    cart->order.skip_refused = true;
    run ();
    claim_is (0, CARD_BLOCKED);
    cr_expect (eq (i64, cart->result.referral.points, 0));
    cart->order.skip_refused = false;
    refused_strictly (ERROR_CARD_BLOCKED);
}

/* What was given is given; the owner gets the points of it, unless he was the friend, or his card is blocked. */
Test (rule_29, of_an_order_that_was_paid_for)
{
    struct card_state *card = referral ();
    cart->order.forgiving = true;
    cart->order.member.is_first_order = false;
    run ();
    saved_is (1, "5");
    cr_expect (eq (i64, cart->result.referral.points, POINTS ("10")));
    card->partner_id = 5;
    run ();
    saved_is (1, "5");
    cr_expect (eq (i64, cart->result.referral.card_id, 0));
    card->partner_id = 9;
    card->blocked = true;
    run ();
    saved_is (1, "5");
    cr_expect (eq (i64, cart->result.referral.card_id, 0));
}

Test (rule_29, the_first_of_two_codes_of_an_order_that_was_paid_for)
{
    referral ();
    struct card_state *other = cart_card (cart, 72, 1, "0");
    other->partner_id = 10;
    other->code = STR ("OTHER");
    enter ("OTHER");
    cart->order.forgiving = true;
    run ();
    cr_expect (eq (i64, cart->result.referral.card_id, 71));
    cr_expect (eq (i64, cart->result.referral.points, POINTS ("10")));
}

Test (rule_29, a_refused_one_gives_the_owner_nothing)
{
    referral ();
    struct reward *reward = (struct reward *)cart_program (cart, 1)->rewards;
    reward->applicability = APPLY_SPECIFIC;
    reward->filter.products = IDS (cart, 99);
    run ();
    claim_is (0, NOTHING_TO_DISCOUNT);
    cr_expect (eq (i64, cart->result.referral.points, 0));
}
