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
#define saved_is(program, text) cr_expect (eq (i64, cart_saved (cart, (program)), MONEY (text)))

TestSuite (rule_12, .init = setup, .fini = teardown);

Test (rule_12, discount_splits_by_largest_remainder)
{
    cart_line (cart, 1, "1", "1.00");
    cart_line (cart, 2, "1", "1.00");
    cart_line (cart, 3, "1", "1.00");
    cart_offer (cart, 1, DISCOUNT_PER_ORDER, "1.00");
    run ();
    const struct discount *discount = cart_gave (cart, 1);
    cr_assert (eq (u32, discount->part_count, 3));
    cr_expect (eq (i64, discount->parts[0].amount_minor, 34));
    cr_expect (eq (i64, discount->parts[1].amount_minor, 33));
    cr_expect (eq (i64, discount->parts[2].amount_minor, 33));
}
