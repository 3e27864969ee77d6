/* domain_tax_test.c - what lines cost and what tax is in it (SEMANTICS section 1). Figures worked by hand. */
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

#define line_is(index, untaxed, tax, total) \
    do { \
        cr_expect (eq (i64, cart->result.lines[index].untaxed_minor, MONEY (untaxed))); \
        cr_expect (eq (i64, cart->result.lines[index].tax_minor, MONEY (tax))); \
        cr_expect (eq (i64, cart->result.lines[index].total_minor, MONEY (total))); \
    } while (0)
#define order_is(untaxed, tax, total) \
    do { \
        cr_expect (eq (i64, cart->result.untaxed_minor, MONEY (untaxed))); \
        cr_expect (eq (i64, cart->result.tax_minor, MONEY (tax))); \
        cr_expect (eq (i64, cart->result.total_minor, MONEY (total))); \
    } while (0)
#define tax_is(id, amount) cr_expect (eq (i64, cart_order_tax (cart, (id)), MONEY (amount)))

TestSuite (section_1, .init = setup, .fini = teardown);

Test (section_1, line_without_tax_is_price_times_quantity)
{
    cart_line (cart, 1, "3", "2.35");
    cart_line (cart, 2, "0.333", "9.99"); /* 3.32667 */
    run ();
    line_is (0, "7.05", "0", "7.05");
    line_is (1, "3.33", "0", "3.33");
    order_is ("10.38", "0", "10.38");
}

Test (section_1, halves_round_away_from_zero_on_sales_and_returns)
{
    cart_line (cart, 1, "0.5", "0.05"); /* 0.025 */
    cart_line (cart, 1, "-0.5", "0.05");
    cart_line (cart, 1, "1", "0.015");
    run ();
    line_is (0, "0.03", "0", "0.03");
    line_is (1, "-0.03", "0", "-0.03");
    line_is (2, "0.02", "0", "0.02");
}

Test (section_1, hand_discount_is_taken_before_rounding)
{
    cart_line (cart, 1, "3", "9.99")->discount_micro = MICROS ("12.5"); /* 29.97 × 0.875 = 26.22375 */
    cart_line (cart, 2, "1", "5")->discount_micro = MICROS ("100");
    run ();
    line_is (0, "26.22", "0", "26.22");
    line_is (1, "0", "0", "0");
}

Test (section_1, included_tax_is_in_the_price)
{
    cart_tax (cart, cart_line (cart, 1, "1", "121"), 21, "21", true);
    cart_tax (cart, cart_line (cart, 2, "1", "9.99"), 21, "21", true); /* 9.99 × 21 / 121 = 1.73380 */
    run ();
    line_is (0, "100", "21", "121");
    line_is (1, "8.26", "1.73", "9.99");
    order_is ("108.26", "22.73", "130.99");
}

Test (section_1, tax_on_top_comes_after_the_price)
{
    cart_tax (cart, cart_line (cart, 1, "1", "9.99"), 20, "20", false); /* 1.998 */
    run ();
    line_is (0, "9.99", "2.00", "11.99");
}

Test (section_1, several_included_taxes_share_the_untaxed_amount)
{
    struct order_line *line = cart_line (cart, 1, "1", "1.30");
    cart_tax (cart, line, 1, "10", true);
    cart_tax (cart, line, 2, "20", true);
    run ();
    line_is (0, "1.00", "0.30", "1.30");
    tax_is (1, "0.10");
    tax_is (2, "0.20");
}

Test (section_1, untaxed_takes_the_rounding_difference)
{
    struct order_line *line = cart_line (cart, 1, "1", "1.00");
    cart_tax (cart, line, 1, "5", true);     /* 1 / 1.14975 = 0.86975; × 5 % = 0.04349 */
    cart_tax (cart, line, 2, "9.975", true); /* 0.08676 */
    run ();
    tax_is (1, "0.04");
    tax_is (2, "0.09");
    line_is (0, "0.87", "0.13", "1.00");
}

Test (section_1, a_tax_that_affects_the_base_is_taxed_by_later_ones)
{
    struct order_line *on_top = cart_line (cart, 1, "1", "100");
    cart_tax (cart, on_top, 1, "5", false)->affects_base = true;
    cart_tax (cart, on_top, 2, "10", false); /* of 105 */
    struct order_line *included = cart_line (cart, 2, "1", "115.5");
    cart_tax (cart, included, 3, "5", true)->affects_base = true;
    cart_tax (cart, included, 4, "10", true); /* 115.5 = U × 1.05 × 1.1 */
    run ();
    line_is (0, "100", "15.50", "115.50");
    line_is (1, "100", "15.50", "115.50");
    tax_is (2, "10.50");
    tax_is (3, "5.00");
    tax_is (4, "10.50");
}

Test (section_1, a_tax_on_top_is_taken_of_the_untaxed_amount_of_the_receipt)
{
    /* 10.00 with 21 %: U = 8.26446, on the receipt 8.26 (tax 1.74); 10 % of that on top is 0.83. */
    struct order_line *line = cart_line (cart, 1, "1", "10");
    cart_tax (cart, line, 1, "21", true);
    cart_tax (cart, line, 2, "10", false);
    run ();
    line_is (0, "8.26", "2.57", "10.83");
}

Test (section_1, fixed_taxes_count_units)
{
    struct order_line *on_top = cart_line (cart, 1, "6", "2");
    cart_tax (cart, on_top, 1, "0.25", false)->type = TAX_FIXED;
    struct order_line *included = cart_line (cart, 2, "2", "6.25");
    cart_tax (cart, included, 2, "0.25", true)->type = TAX_FIXED;
    cart_tax (cart, included, 3, "20", true); /* (12.50 − 0.50) / 1.2 = 10 */
    run ();
    line_is (0, "12", "1.50", "13.50");
    line_is (1, "10", "2.50", "12.50");
    tax_is (2, "0.50");
    tax_is (3, "2.00");
}

Test (section_1, a_fixed_tax_that_affects_the_base_is_taxed)
{
    struct order_line *on_top = cart_line (cart, 1, "1", "10");
    struct tax *fixed = cart_tax (cart, on_top, 1, "1", false);
    fixed->type = TAX_FIXED;
    fixed->affects_base = true;
    cart_tax (cart, on_top, 2, "20", false); /* of 11 */
    struct order_line *included = cart_line (cart, 2, "1", "13.2");
    fixed = cart_tax (cart, included, 1, "1", true);
    fixed->type = TAX_FIXED;
    fixed->affects_base = true;
    cart_tax (cart, included, 3, "20", true); /* 13.2 = U + 1 + 0.2 (U + 1) */
    run ();
    line_is (0, "10", "3.20", "13.20");
    line_is (1, "10", "3.20", "13.20");
    tax_is (3, "2.20");
}

Test (section_1, per_line_rounds_each_line)
{
    for (int i = 0; i < 3; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.99"), 1, "5", false); /* 0.0495 each */
    run ();
    order_is ("2.97", "0.15", "3.12");
}

Test (section_1, global_rounds_each_tax_once)
{
    for (int i = 0; i < 3; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.93"), 1, "5", false); /* 0.0465 each, 0.1395 together */
    cart->order.tax_rounding = ROUND_GLOBAL;
    run ();
    order_is ("2.79", "0.14", "2.93");
    cart->order.tax_rounding = ROUND_PER_LINE;
    run ();
    order_is ("2.79", "0.15", "2.94");
}

Test (section_1, global_keeps_totals_with_included_taxes)
{
    for (int i = 0; i < 4; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "1.00"), 1, "21", true); /* 0.17355 each, 0.69421 together */
    cart->order.tax_rounding = ROUND_GLOBAL;
    run ();
    order_is ("3.31", "0.69", "4.00");
    cart->order.tax_rounding = ROUND_PER_LINE;
    run ();
    order_is ("3.32", "0.68", "4.00");
}

Test (section_1, global_recognises_a_half_that_is_made_of_thirds)
{
    for (int i = 0; i < 5; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.01"), 1, "50", true); /* a third of a cent each */
    cart_tax (cart, cart_line (cart, 3, "1", "0.02"), 1, "50", true);     /* two thirds: 2.3333 cents so far */
    cart_tax (cart, cart_line (cart, 4, "1", "0.01"), 1, "20", true);     /* a sixth: exactly 2.5 */
    cart->order.tax_rounding = ROUND_GLOBAL;
    run ();
    tax_is (1, "0.03");
}

Test (section_1, global_gives_no_line_more_tax_than_it_is_worth)
{
    /* Two taxes of a seventh of a cent each on four lines: a cent each, and no line is worth both. */
    for (int i = 0; i < 4; i++) {
        struct order_line *line = cart_line (cart, 1, "1", "0.01");
        cart_tax (cart, line, 1, "20", true);
        cart_tax (cart, line, 2, "20", true);
    }
    cart->order.tax_rounding = ROUND_GLOBAL;
    run ();
    line_is (0, "0", "0.01", "0.01");
    line_is (1, "0", "0.01", "0.01");
    tax_is (1, "0.01");
    tax_is (2, "0.01");
}

Test (section_1, global_counts_lines_and_discounts_together)
{
    /* Lines 0.93 × 3 with 5 % on top: tax 0.1395. Half off takes half of 2.93, 1.47, with tax 1.47 / 21 = 0.07: 0.0695 stay. */
    for (int i = 0; i < 3; i++)
        cart_tax (cart, cart_line (cart, 1, "1", "0.93"), 1, "5", false);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "50");
    cart->order.tax_rounding = ROUND_GLOBAL;
    run ();
    order_is ("1.39", "0.07", "1.46");
}

Test (section_1, returns_mirror_sales)
{
    struct order_line *sold = cart_line (cart, 1, "3", "3.33");
    cart_tax (cart, sold, 1, "21", true);
    cart_tax (cart, sold, 2, "5", false);
    struct order_line *returned = cart_line (cart, 1, "-3", "3.33");
    cart_tax (cart, returned, 1, "21", true);
    cart_tax (cart, returned, 2, "5", false);
    run ();
    cr_expect (gt (i64, cart->result.lines[0].total_minor, 0));
    order_is ("0", "0", "0");
}

Test (section_1, covered_return_has_the_amounts_of_its_original)
{
    static const struct tax_amount TAXES[] = { { 1, -157 } };
    cart_tax (cart, cart_line (cart, 1, "1", "20"), 1, "20", true);
    struct order_line *line = cart_line (cart, 2, "-1", "12");
    cart_tax (cart, line, 1, "20", true);
    line->is_covered_return = true;
    line->covered_untaxed_minor = -783;
    line->covered_tax_minor = -157;
    line->covered_tax_count = 1;
    line->covered_taxes = TAXES;
    run ();
    line_is (1, "-7.83", "-1.57", "-9.40");
    order_is ("8.84", "1.76", "10.60");
    tax_is (1, "1.76"); /* 3.33 − 1.57 */
}

static void
refused_at (const char *path)
{
    cr_assert_eq (cart_run (cart), -1);
    cr_expect (eq (int, cart->err.code, ERROR_INVALID_REQUEST));
    cr_expect_str_eq (cart->err.details[0].value, path);
}

Test (section_1, an_amount_out_of_range_names_its_line)
{
    cart_line (cart, 1, "1", "1");
    cart_line (cart, 2, "999999999", "999999999");
    refused_at ("lines[1]");
}

Test (section_1, a_tax_out_of_range_names_its_line)
{
    struct order_line *line = cart_line (cart, 1, "999999", "9999999");
    for (int i = 0; i < 16; i++)
        cart_tax (cart, line, i, "1000", false)->affects_base = true;
    refused_at ("lines[0].taxes");
}

Test (section_1, the_same_tax_twice_is_refused)
{
    struct order_line *line = cart_line (cart, 1, "1", "10");
    cart_tax (cart, line, 1, "5", false);
    cart_tax (cart, line, 1, "5", false);
    refused_at ("lines[0].taxes");
}

Test (section_1, quantity_zero_and_discount_over_100_are_refused)
{
    cart_line (cart, 1, "1", "10");
    cart_line (cart, 1, "1", "10")->discount_micro = MICROS ("100.000001");
    refused_at ("lines[1].discount");
    cart->lines[0].qty_micro = 0;
    refused_at ("lines[0].qty");
}

Test (section_1, a_line_or_claim_that_names_nothing_fit_is_refused_by_its_field)
{
    struct order_line *line = cart_line (cart, 1, "1", "10");
    line->gift_code = STR ("GIFT");
    refused_at ("lines[0].gift_code");
    line->has_card = true;
    refused_at ("lines[0].gift_code");
    line->gift_code = (struct str){ NULL, 0 };
    refused_at ("lines[0].card");
    line->has_card = false;
    struct claim *claim = cart_claim (cart, 1);
    claim->qty_micro = MICROS ("0.5");
    refused_at ("claims[0].qty");
    *claim = (struct claim){ 0 };
    refused_at ("claims[0].program_id");
}
