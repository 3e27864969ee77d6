/* domain_refund_test.c - returns: matching, money, taxes, points (SEMANTICS 33 and 34). */
#include "domain/refund.h"

#include <criterion/criterion.h>

enum { ONE = MICRO, LINES = 8 };

static struct arena *arena;
static struct error err;
static struct order order;
static struct order_line lines[LINES];
static struct original originals[2];
static struct original_line sold[2][LINES];
static struct original_points points[2][2];
static struct refund_plan plan;

static void
setup (void)
{
    arena = arena_new (1 << 20);
    err = (struct error){ 0 };
    order = (struct order){ .order_id = STR ("R1"), .lines = lines };
    memset (originals, 0, sizeof originals);
    originals[0] = (struct original){ .order_id = STR ("A"), .order_ref = 1, .lines = sold[0], .points = points[0] };
    originals[1] = (struct original){ .order_id = STR ("B"), .order_ref = 2, .lines = sold[1], .points = points[1] };
}

static void
teardown (void)
{
    arena_destroy (&arena);
}

TestSuite (refund, .init = setup, .fini = teardown);

static const int64_t NOTHING[TAXES_PER_LINE_MAX];

/* A sold line without taxes, of which nothing was refunded. */
static struct original_line *
sell (unsigned original, const char *line_id, int64_t product_id, int64_t units, int64_t price, int64_t net)
{
    struct original_line *line = &sold[original][originals[original].line_count++];
    *line = (struct original_line){ .line_id = str_of (line_id),
                                    .product_id = product_id,
                                    .qty_micro = units * ONE,
                                    .price_unit_micro = price * ONE,
                                    .net_minor = net,
                                    .net_untaxed_minor = net,
                                    .list_minor = units * price * 100,
                                    .refunded_taxes_minor = NOTHING };
    return line;
}

static void
tax (struct original_line *line, const struct tax_amount *taxes, uint32_t count)
{
    line->taxes = taxes;
    line->tax_count = count;
    for (uint32_t i = 0; i < count; i++)
        line->net_tax_minor += taxes[i].amount_minor;
    line->net_untaxed_minor = line->net_minor - line->net_tax_minor;
}

static void
give (const char *order_id, const char *line_id, int64_t product_id, int64_t units, int64_t price)
{
    lines[order.line_count++] = (struct order_line){ .line_id = STR ("r"),
                                                     .product_id = product_id,
                                                     .qty_micro = -units * ONE,
                                                     .price_unit_micro = price * ONE,
                                                     .refund_order_id = str_of (order_id),
                                                     .refund_line_id = str_of (line_id) };
}

static int
make (uint32_t original_count)
{
    return refund_plan_make (&order, originals, original_count, arena, &plan, &err);
}

static void
made (uint32_t original_count)
{
    cr_assert_eq (make (original_count), 0, "%s", err.message);
}

static void
expect_part (uint32_t index, uint32_t line, uint32_t original, uint32_t original_line, int64_t units, int64_t net)
{
    cr_assert (index < plan.part_count);
    const struct refund_part *part = &plan.parts[index];
    cr_assert_eq (part->line, line, "line %u", part->line);
    cr_assert_eq (part->original, original);
    cr_assert_eq (part->original_line, original_line, "original line %u", part->original_line);
    cr_assert_eq (part->qty_micro, units * ONE, "%lld units", (long long)part->qty_micro);
    cr_assert_eq (part->net_minor, net, "net %lld", (long long)part->net_minor);
}

static void
expect_refused (enum error_code code, const char *path)
{
    cr_assert_eq (make (2), -1);
    cr_assert_eq (err.code, code, "%s", error_code_name (err.code));
    cr_assert_str_eq (err.details[0].value, path);
    cr_assert_eq (order.lines, lines, "the order stays as it was");
    cr_assert_not (lines[0].is_covered_return);
}

/* ---------------------------------------------------------------- matching */

Test (refund, rule_33_a_named_line)
{
    sell (0, "l1", 10, 2, 5, 1000);
    sell (0, "l2", 10, 2, 5, 900);
    give ("A", "l2", 10, 2, 5);
    made (2);
    cr_assert_eq (plan.part_count, 1);
    expect_part (0, 0, 0, 1, 2, 900);
    cr_assert (order.lines[0].is_covered_return);
    cr_assert_eq (order.lines[0].covered_untaxed_minor, -900);
    cr_assert_eq (order.lines[0].covered_tax_minor, 0);
    cr_assert_eq (order.lines[0].qty_micro, -2 * ONE);
    cr_assert_eq (plan.uncovered_count, 0);
    cr_assert_eq (sold[0][1].refunded_qty_micro, 0, "the original is only read");
}

Test (refund, rule_33_by_product_and_price_then_product)
{
    sell (0, "l1", 10, 1, 5, 500);
    sell (0, "l2", 10, 1, 4, 400);
    sell (0, "l3", 11, 1, 4, 400);
    give ("A", "", 10, 1, 4);
    give ("A", "", 10, 1, 4);
    made (2);
    cr_assert_eq (plan.part_count, 2);
    expect_part (0, 0, 0, 1, 1, 400);
    expect_part (1, 1, 0, 0, 1, 500);
}

Test (refund, rule_33_no_line_takes_units_that_another_one_names)
{
    sell (0, "l1", 10, 1, 5, 500);
    sell (0, "l2", 10, 1, 4, 400);
    sell (0, "l3", 10, 1, 3, 300);
    give ("A", "", 10, 1, 9);   /* any price will do */
    give ("A", "", 10, 1, 5);   /* l1 has its price */
    give ("A", "l2", 10, 1, 5); /* and this one its name */
    made (2);
    expect_part (0, 0, 0, 2, 1, 300);
    expect_part (1, 1, 0, 0, 1, 500);
    expect_part (2, 2, 0, 1, 1, 400);
}

Test (refund, rule_33_one_return_line_over_several_lines)
{
    sell (0, "l1", 10, 2, 5, 1000);
    sell (0, "l2", 10, 3, 5, 1200);
    give ("A", "", 10, 4, 5);
    made (2);
    cr_assert_eq (plan.part_count, 2);
    expect_part (0, 0, 0, 0, 2, 1000);
    expect_part (1, 0, 0, 1, 2, 800);
    cr_assert_eq (order.lines[0].covered_untaxed_minor, -1800);
}

Test (refund, rule_33_several_originals)
{
    sell (0, "l1", 10, 1, 5, 500);
    sell (1, "l1", 10, 1, 5, 450);
    give ("B", "l1", 10, 1, 5);
    give ("A", "l1", 10, 1, 5);
    made (2);
    expect_part (0, 0, 1, 0, 1, 450);
    expect_part (1, 1, 0, 0, 1, 500);
}

Test (refund, rule_33_what_is_left_of_a_named_line)
{
    struct original_line *line = sell (0, "l1", 10, 3, 5, 1500);
    line->refunded_qty_micro = 2 * ONE;
    line->refunded_net_minor = line->refunded_untaxed_minor = 1000;
    give ("A", "l1", 10, 2, 5);
    expect_refused (ERROR_REFUND_EXCEEDS, "lines[0].qty");
    cr_assert_str_eq (err.details[1].name, "left");
    cr_assert_str_eq (err.details[1].value, "1");
}

Test (refund, rule_33_two_lines_that_name_one_share_what_is_left)
{
    sell (0, "l1", 10, 3, 5, 1500);
    give ("A", "l1", 10, 2, 5);
    give ("A", "l1", 10, 2, 5);
    expect_refused (ERROR_REFUND_EXCEEDS, "lines[1].qty");
}

Test (refund, rule_33_a_named_line_or_order_has_to_be_there)
{
    sell (0, "l1", 10, 1, 5, 500);
    give ("A", "l9", 10, 1, 5);
    expect_refused (ERROR_NOT_FOUND, "lines[0].refund_of.line_id");
    lines[0].refund_order_id = STR ("Z");
    expect_refused (ERROR_NOT_FOUND, "lines[0].refund_of");
}

Test (refund, rule_33_a_named_line_is_of_the_same_product)
{
    sell (0, "l1", 10, 1, 5, 500);
    give ("A", "l1", 11, 1, 5);
    expect_refused (ERROR_INVALID_REQUEST, "lines[0].product_id");
}

Test (refund, rule_36_a_cancelled_order_covers_nothing)
{
    sell (0, "l1", 10, 1, 5, 500);
    originals[0].cancelled = true;
    give ("A", "", 10, 1, 5);
    expect_refused (ERROR_CONFLICT, "lines[0].refund_of");
}

Test (refund, rule_33_other_lines_are_left_alone)
{
    sell (0, "l1", 10, 1, 5, 500);
    give ("A", "", 10, -2, 5); /* a sale */
    give ("", "", 10, 1, 5);   /* a return without an original (rule 34) */
    give ("A", "", 10, 1, 5);
    made (2);
    cr_assert_eq (order.line_count, 3);
    cr_assert_eq (plan.part_count, 1);
    expect_part (0, 2, 0, 0, 1, 500);
    cr_assert_eq (plan.uncovered_count, 0);
    cr_assert_not (order.lines[0].is_covered_return);
    cr_assert_not (order.lines[1].is_covered_return);
    cr_assert (order.lines[2].is_covered_return);
}

/* ---------------------------------------------------------------- what is not covered */

Test (refund, rule_33_a_line_covered_in_part_is_split)
{
    sell (0, "l1", 10, 2, 5, 900);
    sell (0, "l2", 11, 1, 5, 500);
    give ("A", "", 10, 5, 5);
    give ("A", "", 11, 1, 5);
    made (2);
    cr_assert_eq (order.line_count, 3);
    cr_assert_eq (order.lines[0].qty_micro, -2 * ONE);
    cr_assert_eq (order.lines[0].covered_untaxed_minor, -900);
    cr_assert_eq (order.lines[1].qty_micro, -3 * ONE);
    cr_assert_not (order.lines[1].is_covered_return);
    cr_assert (str_equal (order.lines[1].line_id, STR ("r")));
    cr_assert_eq (order.lines[2].product_id, 11);
    expect_part (0, 0, 0, 0, 2, 900);
    expect_part (1, 2, 0, 1, 1, 500);
    cr_assert_eq (plan.uncovered_count, 1);
    cr_assert_eq (plan.uncovered[0].line, 1);
    cr_assert_eq (plan.uncovered[0].qty_micro, 3 * ONE);
    cr_assert_eq (lines[0].qty_micro, -5 * ONE, "the caller's array is left alone");
}

Test (refund, rule_34_nothing_covers_it)
{
    sell (0, "l1", 10, 2, 5, 900);
    give ("A", "", 77, 1, 5);
    give ("Z", "", 10, 1, 5); /* an order that the engine does not know */
    made (2);
    cr_assert_eq (plan.part_count, 0);
    cr_assert_eq (plan.points_count, 0);
    cr_assert_eq (plan.uncovered_count, 2);
    cr_assert_eq (plan.uncovered[0].line, 0);
    cr_assert_eq (plan.uncovered[1].line, 1);
    cr_assert_not (order.lines[0].is_covered_return);
}

/* ---------------------------------------------------------------- money */

Test (refund, rule_33_parts_sum_to_the_whole_cent_by_cent)
{
    static const struct tax_amount TAXES[] = { { 1, 167 }, { 2, 5 } };
    struct original_line *line = sell (0, "l1", 10, 3, 4, 1000);
    int64_t taxes[2] = { 0 }, expected_net[] = { 333, 334, 333 }, expected_tax[] = { 56, 55, 56 };
    tax (line, TAXES, 2);
    line->refunded_taxes_minor = taxes;
    give ("A", "l1", 10, 1, 4);
    for (int i = 0; i < 3; i++) {
        order.lines = lines;
        made (2);
        expect_part (0, 0, 0, 0, 1, expected_net[i]);
        const struct refund_part *part = &plan.parts[0];
        cr_assert_eq (part->taxes[0].amount_minor, expected_tax[i]);
        cr_assert_eq (part->untaxed_minor + part->taxes[0].amount_minor + part->taxes[1].amount_minor, part->net_minor);
        cr_assert_eq (order.lines[0].covered_tax_minor, -part->taxes[0].amount_minor - part->taxes[1].amount_minor);
        line->refunded_qty_micro += ONE;
        line->refunded_net_minor += part->net_minor;
        line->refunded_untaxed_minor += part->untaxed_minor;
        for (int t = 0; t < 2; t++)
            taxes[t] += part->taxes[t].amount_minor;
    }
    cr_assert_eq (line->refunded_net_minor, 1000);
    cr_assert_eq (line->refunded_untaxed_minor, 828);
    cr_assert_eq (taxes[0], 167);
    cr_assert_eq (taxes[1], 5);
}

/* Three cents, of which two are taxes: rounded apart, the second unit would have more tax than money. */
Test (refund, rule_33_no_part_has_more_tax_than_money)
{
    static const struct tax_amount TAXES[] = { { 1, 1 }, { 2, 1 } };
    struct original_line *line = sell (0, "l1", 10, 3, 1, 3);
    int64_t taxes[2] = { 0 };
    tax (line, TAXES, 2);
    line->refunded_taxes_minor = taxes;
    give ("A", "l1", 10, 1, 1);
    for (int i = 0; i < 3; i++) {
        order.lines = lines;
        made (2);
        const struct refund_part *part = &plan.parts[0];
        cr_assert_eq (part->net_minor, 1);
        cr_assert_geq (part->untaxed_minor, 0);
        line->refunded_qty_micro += ONE;
        line->refunded_net_minor += part->net_minor;
        line->refunded_untaxed_minor += part->untaxed_minor;
        for (int t = 0; t < 2; t++) {
            cr_assert_geq (part->taxes[t].amount_minor, 0);
            taxes[t] += part->taxes[t].amount_minor;
        }
    }
    cr_assert_eq (line->refunded_untaxed_minor, 1);
    cr_assert_eq (taxes[0], 1);
    cr_assert_eq (taxes[1], 1);
}

Test (refund, rule_33_taxes_of_several_originals_are_added_up)
{
    static const struct tax_amount FIRST[] = { { 1, 100 } }, SECOND[] = { { 2, 50 }, { 1, 30 } };
    tax (sell (0, "l1", 10, 1, 5, 500), FIRST, 1);
    tax (sell (0, "l2", 10, 1, 5, 480), SECOND, 2);
    give ("A", "", 10, 2, 5);
    made (2);
    const struct order_line *line = &order.lines[0];
    cr_assert_eq (line->covered_tax_count, 2);
    cr_assert_eq (line->covered_taxes[0].tax_id, 1);
    cr_assert_eq (line->covered_taxes[0].amount_minor, -130);
    cr_assert_eq (line->covered_taxes[1].tax_id, 2);
    cr_assert_eq (line->covered_taxes[1].amount_minor, -50);
    cr_assert_eq (line->covered_tax_minor, -180);
    cr_assert_eq (line->covered_untaxed_minor, -800);
}

Test (refund, rule_33_free_lines_go_back_for_nothing)
{
    sell (0, "l1", 10, 2, 5, 0);
    give ("A", "l1", 10, 2, 5);
    made (2);
    expect_part (0, 0, 0, 0, 2, 0);
    cr_assert (order.lines[0].is_covered_return);
}

/* ---------------------------------------------------------------- points */

static struct original_points *
earn (unsigned original, int64_t card_id, int64_t earned, int64_t redeemed)
{
    struct original_points *of = &points[original][originals[original].points_count++];
    *of = (struct original_points){ .card_id = card_id, .program_id = 3, .earned = earned, .redeemed = redeemed };
    return of;
}

Test (refund, rule_33_points_in_proportion_to_the_money_of_all_lines_together)
{
    static const int32_t LOTS[] = { 4 };
    struct original_points *of;
    sell (0, "l1", 10, 1, 5, 500);
    sell (0, "l2", 11, 1, 3, 333);
    sell (0, "l3", 12, 1, 2, 167);
    of = earn (0, 7, 101, 0);
    of->earned_lots = LOTS;
    of->earned_lot_count = 1;
    give ("A", "l1", 10, 1, 5);
    give ("A", "l3", 12, 1, 2);
    made (2);
    cr_assert_eq (plan.points_count, 1);
    cr_assert_eq (plan.points[0].card_id, 7);
    cr_assert_eq (plan.points[0].program_id, 3);
    cr_assert_eq (plan.points[0].take_back, 67, "101 × 667 ÷ 1000 is 67.367");
    cr_assert_eq (plan.points[0].lot_count, 1);
    cr_assert_eq (plan.points[0].lots[0], 4);
    cr_assert_eq (plan.points[0].give_back, 0);
}

Test (refund, rule_33_points_so_far_less_what_was_taken_before)
{
    struct original_line *line = sell (0, "l1", 10, 3, 5, 1500);
    line->refunded_qty_micro = ONE;
    line->refunded_net_minor = line->refunded_untaxed_minor = 500;
    earn (0, 7, 100, 0)->taken_back = 33;
    give ("A", "l1", 10, 1, 5);
    made (2);
    cr_assert_eq (plan.points[0].take_back, 34, "66.67 less 33");
    lines[0].qty_micro = -2 * ONE;
    order.lines = lines;
    made (2);
    cr_assert_eq (plan.points[0].take_back, 67, "a full return takes exactly everything");
}

Test (refund, rule_33_list_prices_where_the_net_is_nothing)
{
    sell (0, "l1", 10, 1, 30, 0);
    sell (0, "l2", 11, 1, 10, 0);
    earn (0, 7, 100, 0);
    give ("A", "l1", 10, 1, 30);
    made (2);
    cr_assert_eq (plan.points[0].take_back, 75);
}

Test (refund, rule_33_units_where_all_was_free)
{
    sell (0, "l1", 10, 3, 0, 0);
    sell (0, "l2", 11, 1, 0, 0);
    earn (0, 7, 100, 0);
    give ("A", "l2", 11, 1, 0);
    made (2);
    cr_assert_eq (plan.points[0].take_back, 25);
}

Test (refund, rule_33_lines_of_negative_worth)
{
    sell (0, "l1", 10, 1, 10, 1000);
    sell (0, "l2", 11, 1, -2, -200);
    earn (0, 7, 80, 0);
    give ("A", "l1", 10, 1, 10);
    made (2);
    cr_assert_eq (plan.points[0].take_back, 80, "never more than there was");
    sold[0][0].refunded_qty_micro = ONE;
    sold[0][0].refunded_net_minor = sold[0][0].refunded_untaxed_minor = 1000;
    points[0][0].taken_back = 80;
    order.lines = lines;
    lines[0] = (struct order_line){
        .qty_micro = -ONE, .product_id = 11, .refund_order_id = STR ("A"), .refund_line_id = STR ("l2")
    };
    made (2);
    expect_part (0, 0, 0, 1, 1, -200);
    cr_assert_eq (plan.points_count, 0);
}

Test (refund, rule_33_redeemed_points_go_back_to_their_lots_the_last_used_first)
{
    static const struct lot_use USES[] = { { 1, 30 }, { 2, 50 }, { 5, 20 } };
    struct original_line *line = sell (0, "l1", 10, 10, 1, 1000);
    struct original_points *of = earn (0, 7, 0, 100);
    of->uses = USES;
    of->use_count = 3;
    give ("A", "l1", 10, 4, 1);
    made (2);
    cr_assert_eq (plan.points[0].give_back, 40);
    cr_assert_eq (plan.points[0].use_count, 2);
    cr_assert_eq (plan.points[0].uses[0].lot_no, 5);
    cr_assert_eq (plan.points[0].uses[0].points, 20);
    cr_assert_eq (plan.points[0].uses[1].lot_no, 2);
    cr_assert_eq (plan.points[0].uses[1].points, 20);

    line->refunded_qty_micro = 4 * ONE;
    line->refunded_net_minor = line->refunded_untaxed_minor = 400;
    of->given_back = 40;
    lines[0].qty_micro = -6 * ONE;
    order.lines = lines;
    made (2);
    cr_assert_eq (plan.points[0].give_back, 60);
    cr_assert_eq (plan.points[0].uses[0].lot_no, 2);
    cr_assert_eq (plan.points[0].uses[0].points, 30);
    cr_assert_eq (plan.points[0].uses[1].lot_no, 1);
    cr_assert_eq (plan.points[0].uses[1].points, 30);
}

Test (refund, rule_33_uses_that_do_not_sum_up_are_a_fault)
{
    static const struct lot_use USES[] = { { 1, 30 } };
    struct original_points *of = earn (0, 7, 0, 100);
    of->uses = USES;
    of->use_count = 1;
    sell (0, "l1", 10, 1, 5, 500);
    give ("A", "l1", 10, 1, 5);
    cr_assert_eq (make (2), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
    cr_assert_eq (order.lines, lines);
}

Test (refund, rule_33_only_originals_of_which_something_goes_back)
{
    sell (0, "l1", 10, 1, 5, 500);
    sell (1, "l1", 10, 1, 5, 500);
    earn (0, 7, 100, 0);
    earn (0, 8, 0, 0);
    earn (1, 7, 100, 0);
    give ("B", "l1", 10, 1, 5);
    made (2);
    cr_assert_eq (plan.points_count, 1);
    cr_assert_eq (plan.points[0].original, 1);
}

Test (refund, running_out_of_memory_leaves_the_order_as_it_was)
{
    static const struct tax_amount TAXES[] = { { 1, 100 } };
    unsigned failed = 0;
    tax (sell (0, "l1", 10, 1, 5, 500), TAXES, 1);
    earn (0, 7, 100, 0);
    give ("A", "", 10, 2, 5);
    for (size_t limit = 0; limit < 4096; limit += 16) {
        struct arena *small = arena_new (limit);
        order.lines = lines;
        order.line_count = 1;
        if (refund_plan_make (&order, originals, 2, small, &plan, &err) != 0) {
            failed++;
            cr_assert_eq (err.code, ERROR_INTERNAL);
            cr_assert_eq (order.lines, lines);
            cr_assert_eq (order.line_count, 1);
        }
        arena_destroy (&small);
    }
    cr_assert (failed > 20 && failed < 256, "%u", failed);
}

/* ---------------------------------------------------------------- cards that the order sold or topped up, and payments */

Test (refund, rule_33_sold_cards_come_back_with_the_units_of_their_line)
{
    static const uint32_t SOLD[] = { 1 };
    sell (0, "l1", 10, 1, 100, 10000);
    sell (0, "l2", 11, 2, 50, 10000)->sells = true;
    earn (0, 7, 10000, 0);
    for (int64_t card = 8; card <= 9; card++) {
        struct original_points *of = earn (0, card, 5000, 0);
        of->lines = SOLD;
        of->line_count = 1;
        of->is_sold = true;
        of->units_before = 9 - card;
    }
    give ("A", "l2", 11, 1, 50);
    made (1);
    cr_assert_eq (plan.points_count, 1, "the other card and what the goods earned stay");
    cr_assert_eq (plan.points[0].card_id, 9);
    cr_assert_eq (plan.points[0].take_back, 5000);
}

Test (refund, rule_33_a_top_up_comes_back_with_its_line)
{
    static const uint32_t TOPPED_UP[] = { 1 };
    struct original_points *of;
    sell (0, "l1", 10, 1, 100, 10000);
    sell (0, "l2", 11, 1, 50, 5000)->sells = true;
    earn (0, 7, 10000, 0);
    of = earn (0, 8, 5000, 0);
    of->lines = TOPPED_UP;
    of->line_count = 1;
    give ("A", "l1", 10, 1, 100);
    made (1);
    cr_assert_eq (plan.points_count, 1);
    cr_assert_eq (plan.points[0].card_id, 7);
    cr_assert_eq (plan.points[0].take_back, 10000);
}

Test (refund, rule_33_what_a_card_paid_goes_back_to_it_in_proportion)
{
    struct original_points *of;
    sell (0, "l1", 10, 3, 10, 3000);
    of = earn (0, 7, 0, 0);
    of->paid_minor = 1000;
    of->paid_back_minor = 0;
    give ("A", "l1", 10, 1, 10);
    made (1);
    cr_assert_eq (plan.points_count, 1);
    cr_assert_eq (plan.points[0].paid_back_minor, 333);
}
