/* domain_payment_test.c - paying with gift cards and wallets (rules 4, 10, 13). */
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

#define amounts_are(untaxed, tax, total) \
    do { \
        cr_expect (eq (i64, cart->result.untaxed_minor, MONEY (untaxed))); \
        cr_expect (eq (i64, cart->result.tax_minor, MONEY (tax))); \
        cr_expect (eq (i64, cart->result.total_minor, MONEY (total))); \
    } while (0)
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))
#define redeemed_is(program, text) cr_expect (eq (i64, cart_redeemed (cart, (program)), POINTS (text)))

/* A gift card program with a card that anybody may show, and whose claim pays with it. */
static struct program *
gift_card (int64_t program_id, int64_t card_id, const char *money)
{
    struct program *program = cart_promotion (cart, program_id);
    program->type = PROGRAM_GIFT_CARD;
    program->applies_on = APPLIES_FUTURE;
    cart_discount (program, DISCOUNT_PER_POINT, "1")->required_points = 1;
    struct card_state *card = cart_card (cart, card_id, program_id, money);
    card->has_partner = false;
    card->presented = true;
    cart_claim (cart, program_id);
    return program;
}

TestSuite (rule_13_paying, .init = setup, .fini = teardown);

Test (rule_13_paying, a_payment_carries_no_tax)
{
    cart_tax (cart, cart_line (cart, 1, "1", "120"), 1, "20", true);
    gift_card (1, 7, "150");
    run ();
    amounts_are ("-20", "20", "0");
    saved_is (1, "120");
    redeemed_is (1, "120");
    cr_expect (eq (int, cart_gave (cart, 1)->layer, LAYER_PAYMENT));
}

Test (rule_13_paying, what_the_card_has_is_the_most)
{
    cart_tax (cart, cart_line (cart, 1, "1", "120"), 1, "20", true);
    gift_card (1, 7, "0.01");
    run ();
    amounts_are ("99.99", "20", "119.99");
    redeemed_is (1, "0.01");
}

Test (rule_13_paying, comes_after_everything_else)
{
    cart_line (cart, 1, "1", "100");
    gift_card (1, 7, "500")->priority = -1;
    cart_offer (cart, 2, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (2, "10");
    saved_is (1, "90");
    amounts_are ("0", "0", "0");
}

Test (rule_13_paying, two_cards_pay_one_after_the_other)
{
    cart_line (cart, 1, "1", "100");
    gift_card (2, 7, "60");
    gift_card (1, 8, "60");
    run ();
    saved_is (2, "60"); /* claimed first */
    saved_is (1, "40");
}

Test (rule_13_paying, nothing_is_paid_of_an_order_below_0)
{
    cart_line (cart, 1, "1", "10");
    cart_line (cart, 2, "-1", "30");
    gift_card (1, 7, "60");
    run ();
    saved_is (1, "0");
    amounts_are ("-20", "0", "-20");
}

Test (rule_13_paying, no_rule_of_stacking_is_asked)
{
    cart_line (cart, 1, "1", "100");
    gift_card (1, 7, "30")->stacking = STACK_EXCLUSIVE;
    gift_card (2, 8, "30");
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    run ();
    saved_is (1, "30");
    saved_is (2, "30");
    saved_is (3, "10");
}

TestSuite (rule_4_paying, .init = setup, .fini = teardown);

Test (rule_4_paying, does_not_shrink_earning)
{
    cart_line (cart, 1, "1", "100");
    gift_card (1, 7, "60");
    cart_member (cart, 5);
    struct program *program = cart_loyalty (cart, 2);
    cart_rule (program, POINTS_PER_MONEY, "1");
    run ();
    cr_expect (eq (i64, cart_earned (cart, 2), POINTS ("100")));
    program->earn_on = EARN_NET;
    run ();
    cr_expect (eq (i64, cart_earned (cart, 2), POINTS ("40")));
}
