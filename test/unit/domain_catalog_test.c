/* domain_catalog_test.c - building a catalog, checking programs, finding things, and when points expire (rule 19). */
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

static int
build (void)
{
    return catalog_build (&cart->catalog, cart->arena, &cart->err);
}

TestSuite (catalog, .init = setup, .fini = teardown);

Test (catalog, programs_and_stores_are_found_by_id)
{
    static struct store stores[] = { { 9, { { "b", 1 }, 0, NULL, NULL } }, { 3, { { "a", 1 }, 0, NULL, NULL } } };
    for (int64_t id = 40; id > 0; id -= 3)
        cart_promotion (cart, id);
    cart->catalog.stores = stores;
    cart->catalog.store_count = 2;
    cart->catalog.zone.name = STR ("engine");
    cr_assert_eq (build (), 0);
    for (int64_t id = 0; id <= 41; id++) {
        const struct program *program = catalog_program (&cart->catalog, id);
        cr_assert_eq (program != NULL, id % 3 == 1, "%lld", (long long)id);
        cr_assert_eq (program == NULL || (program->id == id && &cart->catalog.programs[program->index] == program),
                      true);
    }
    cr_expect (str_equal (catalog_zone (&cart->catalog, true, 3)->name, STR ("a")));
    cr_expect (str_equal (catalog_zone (&cart->catalog, true, 9)->name, STR ("b")));
    cr_expect (str_equal (catalog_zone (&cart->catalog, true, 4)->name, STR ("engine")));
    cr_expect (str_equal (catalog_zone (&cart->catalog, false, 3)->name, STR ("engine")));
}

Test (catalog, two_programs_with_one_id_are_refused)
{
    cart_promotion (cart, 4);
    cart_promotion (cart, 3);
    cart_promotion (cart, 4);
    cr_assert_eq (build (), -1);
    cr_expect_str_eq (cart->err.message, "two programs have the id 4");
}

Test (catalog, a_category_below_itself_is_refused)
{
    static struct category tree[] = { { 1, false, 0 }, { 2, true, 1 }, { 5, true, 7 }, { 7, true, 6 }, { 6, true, 2 } };
    cart->catalog.categories = tree;
    cart->catalog.category_count = 5;
    cr_assert_eq (build (), 0);
    for (int i = 0; i < 5; i++)
        if (tree[i].id == 2)
            tree[i].parent_id = 5;
    cr_assert_eq (build (), -1);
    cr_expect (strstr (cart->err.message, "is below itself") != NULL);
}

Test (catalog, a_code_belongs_to_one_program_that_is_not_archived)
{
    cart_rule (cart_promotion (cart, 1), POINTS_PER_ORDER, "1")->code = STR ("Summer");
    cart_rule (cart_promotion (cart, 2), POINTS_PER_ORDER, "1")->code = STR (" SUMMER ");
    cr_assert_eq (build (), -1);
    cr_expect (strstr (cart->err.message, "the same code") != NULL);
    cart_program (cart, 2)->state = PROGRAM_ARCHIVED;
    cr_assert_eq (build (), 0);
}

Test (catalog, a_level_has_one_primary_program)
{
    for (int64_t id = 1; id <= 2; id++) {
        struct program *program = cart_loyalty (cart, id);
        program->is_primary_loyalty = program->has_membership = true;
        program->membership_product_id = 8;
    }
    cr_assert_eq (build (), -1);
    cart_program (cart, 2)->membership_product_id = 9;
    cr_assert_eq (build (), 0);
}

Test (catalog, without_memory_nothing_is_built)
{
    struct arena *starved = arena_new (256);
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    cr_assert_eq (catalog_build (&cart->catalog, starved, &cart->err), -1);
    cr_expect (eq (int, cart->err.code, ERROR_INTERNAL));
    arena_destroy (&starved);
}

Test (catalog, an_evaluation_without_memory_says_so_wherever_it_ends)
{
    cart_member (cart, 5);
    for (int64_t id = 1; id <= 12; id++) {
        cart_tax (cart, cart_line (cart, id, "1", "10"), id % 3, "20", id % 2 == 0);
        cart_offer_on (cart, id, DISCOUNT_PERCENT, "10", IDS (cart, id));
        cart_claim (cart, id);
    }
    cart->order.tax_rounding = ROUND_GLOBAL;
    cart->order.explain = true;
    cr_assert_eq (cart_run (cart), 0);
    struct evaluation result;
    size_t limit = 16;
    for (int done = -1; done < 0; limit += 64) {
        struct arena *starved = arena_new (limit);
        cart->err = (struct error){ 0 };
        done = evaluate_order (&cart->catalog, &cart->order, false, starved, &result, &cart->err);
        if (done < 0)
            cr_assert (eq (int, cart->err.code, ERROR_INTERNAL));
        arena_destroy (&starved);
        cr_assert (lt (u64, limit, 10 << 20));
    }
    cr_expect (gt (u64, limit, 4096));
}

Test (catalog, codes_compare_without_case_and_outer_blanks)
{
    cr_expect (eq (int, code_compare (STR ("  AbC1 "), STR ("aBc1")), 0));
    cr_expect (lt (int, code_compare (STR ("abc"), STR ("abcd")), 0));
    cr_expect (gt (int, code_compare (STR ("b"), STR ("ABC")), 0));
    cr_expect (ne (int, code_compare (STR ("a b"), STR ("ab")), 0));
}

TestSuite (program_check, .init = setup, .fini = teardown);

static void
refused (const char *path, const char *message)
{
    cart->err = (struct error){ 0 };
    cr_assert_eq (program_check (&cart->programs[0], 2, &cart->err), -1, "%s was let through", path);
    cr_expect (eq (int, cart->err.code, ERROR_INVALID_REQUEST));
    cr_expect_str_eq (cart->err.details[0].value, path);
    cr_expect (strstr (cart->err.message, message) != NULL, "\"%s\" in \"%s\"", message, cart->err.message);
}

/* Sets a field, expects the refusal, and puts the field back. */
#define refused_with(field, value, where, why) \
    do { \
        __typeof__ (field) before = (field); \
        (field) = (value); \
        refused ((where), (why)); \
        (field) = before; \
        cr_assert_eq (program_check (&cart->programs[0], 2, &cart->err), 0, "%s", cart->err.message); \
    } while (0)

Test (program_check, what_a_reward_lacks_is_named)
{
    static const int64_t OVER[] = { 101 * MICRO };
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    struct reward *reward = (struct reward *)cart_program (cart, 1)->rewards;
    refused_with (reward->type, REWARD_PRODUCT, "rewards[0].reward_product_ids", "what is free");
    reward->special_price_minor = reward->set_price_minor = -1;
    refused_with (reward->type, REWARD_SPECIAL_PRICE, "rewards[0].special_price", "what a unit costs");
    refused_with (reward->type, REWARD_SPECIAL_SET, "rewards[0].set_items", "what is in a set");
    refused_with (reward->type, REWARD_MULTIPLE_DISCOUNT, "rewards[0].discounts", "one to ten");
    refused_with (reward->type, REWARD_POINT, "rewards[0].points", "more than 0");
    reward->points = POINTS ("5");
    refused_with (reward->type, REWARD_POINT, "rewards[0].reward_type", "keeps no card");
    reward->reward_products = IDS (cart, 1);
    reward->reward_product_qty_micro = MICROS ("1.5");
    refused_with (reward->type, REWARD_PRODUCT, "rewards[0].reward_product_qty", "whole units");
    cart_set_item (cart, reward, "0.5", IDS (cart, 1));
    refused_with (reward->type, REWARD_SPECIAL_SET, "rewards[0].set_items", "whole units");
    ((struct set_item *)reward->set_items)->qty_micro = MICRO;
    refused_with (reward->type, REWARD_SPECIAL_SET, "rewards[0].set_price", "what a set costs");
    reward->step_percent_micro = OVER;
    reward->step_count = 1;
    refused_with (reward->type, REWARD_MULTIPLE_DISCOUNT, "rewards[0].discounts", "100 %");
}

Test (program_check, contradictions_are_named)
{
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    struct program *program = cart_program (cart, 1);
    struct rule *rule = (struct rule *)program->rules;
    struct reward *reward = (struct reward *)program->rewards;
    cart_rule (program, POINTS_PER_ORDER, "1");
    cart_discount (program, DISCOUNT_PER_ORDER, "1");
    program->has_date_from = program->has_date_to = true;
    program->date_from = program->date_to = 5;
    refused_with (program->date_to, 4, "date_to", "before date_from");
    program->has_hours = true;
    program->hours_from_minute = 60;
    program->hours_to_minute = 24 * 60;
    refused_with (program->hours_to_minute, 60, "hours", "same minute");
    refused_with (program->hours_to_minute, 24 * 60 + 1, "hours", "24:00");
    refused_with (program->expiry.policy, EXPIRY_DAYS, "expiry.count", "at least 1");
    refused_with (program->stacking, STACK_BEST_OF, "best_of", "needs the name");
    refused_with (program->best_of, STR ("x"), "best_of", "needs stacking");
    refused_with (rule[1].id, 1, "rules[1].id", "another rule");
    refused_with (rule->minimum_qty_micro, -1, "rules[0].minimum_qty", "negative");
    refused_with (rule->minimum_amount_minor, -1, "rules[0].minimum_amount", "negative");
    refused_with (rule->point_amount_micro, -1, "rules[0].reward_point_amount", "negative");
    refused_with (reward[1].id, 1, "rewards[1].id", "another reward");
    refused_with (reward->required_points, 0, "rewards[0].required_points", "0.01");
    refused_with (reward->discount_micro, 0, "rewards[0].discount", "more than 0");
    refused_with (reward->discount_micro, MICROS ("100.000001"), "rewards[0].discount", "more than 100 %");
    refused_with (reward->max_amount_minor, -1, "rewards[0].discount_max_amount", "negative");
    refused_with (reward[1].discount_micro, MICROS ("1.005"), "rewards[1].discount", "more decimals");
}

Test (program_check, a_program_that_contradicts_itself_stops_an_order_that_it_is_about)
{
    cart_line (cart, 1, "1", "10");
    cart_offer (cart, 3, DISCOUNT_PERCENT, "10");
    cart_program (cart, 3)->max_referral_usage = 5;
    cr_assert_eq (cart_run (cart), -1);
    cr_expect (eq (int, cart->err.code, ERROR_INVALID_REQUEST));
    cr_expect (strstr (cart->err.message, "program 3") != NULL, "%s", cart->err.message);
    cart_program (cart, 3)->state = PROGRAM_DRAFT;
    cr_assert_eq (cart_run (cart), 0);
}

Test (program_check, contradictions_of_codes_limits_and_levels_are_named)
{
    cart_offer (cart, 1, DISCOUNT_PERCENT, "10");
    struct program *program = cart_program (cart, 1);
    struct rule *rule = (struct rule *)program->rules;
    cart_rule (program, POINTS_PER_UNIT, "1");
    rule[0].code = STR ("SAVE");
    cr_assert_eq (program_check (program, 2, &cart->err), 0);
    refused_with (rule[1].mode, RULE_WITH_CODE, "rules[1].code", "needs a code");
    refused_with (rule[1].code, STR (" save "), "rules[1].code", "another rule");
    refused_with (rule[1].code, STR ("  "), "rules[1].code", "not all blank");
    refused_with (program->type, PROGRAM_GIFT_CARD, "rules[0].code", "codes of their cards");
    refused_with (rule[1].split, true, "rules[1].reward_point_split", "future");
    program->applies_on = APPLIES_FUTURE;
    refused_with (rule[0].split, true, "rules[0].reward_point_split", "by unit or by money");
    program->applies_on = APPLIES_CURRENT;
    rule[1].has_birthday = true;
    refused_with (rule[1].birthday_days_after, 183, "rules[1].birthday", "182");
    refused_with (rule[1].birthday_days_before, -1, "rules[1].birthday", "182");
    refused_with (program->max_referral_usage, 1, "max_referral_usage", "only of a referral");
    refused_with (program->is_primary_loyalty, true, "is_primary_loyalty", "only a loyalty program");
    refused_with (program->pending_days, -1, "pending_days", "negative");
    refused_with (program->extend_days, 3, "extend_days", "only with restore_expired");
    refused_with (program->restore_extends, true, "extend_days", "needs the days");
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        refused_with (program->limits[limit], -1, LIMIT_NAMES[limit], "negative");
    rule[0].code = STR ("");
    program->type = PROGRAM_LOYALTY;
    program->applies_on = APPLIES_BOTH;
    refused_with (program->is_primary_loyalty, true, "is_primary_loyalty", "membership_product_id");
}

TestSuite (rule_19, .init = setup, .fini = teardown);

/* Central Europe, about: an hour ahead, two from 2011-03-27 01:00 UTC. */
static const int64_t CHANGES[] = { INT64_MIN, 15060 * US_PER_DAY + 60 * US_PER_MINUTE };
static const int32_t OFFSETS[] = { 3600, 7200 };
static const struct zone EUROPE = { { "Europe", 6 }, 2, CHANGES, OFFSETS };

#define HOURS (60 * US_PER_MINUTE)

static int64_t
expires (enum expiry_policy policy, int count, int64_t gained)
{
    struct expiry expiry = { .policy = policy, .count = count, .date = 15000 };
    return expiry_instant (&expiry, &EUROPE, gained);
}

Test (rule_19, points_expire_as_their_program_says)
{
    int64_t noon = 14959 * US_PER_DAY + 11 * HOURS; /* 2010-12-16 12:00 local */
    cr_expect (eq (i64, expires (EXPIRY_NEVER, 0, noon), INSTANT_NEVER));
    cr_expect (eq (i64, expires (EXPIRY_DAYS, 30, noon), noon + 30 * US_PER_DAY));
    cr_expect (eq (i64, expires (EXPIRY_MONTHS, 2, noon), 15021 * US_PER_DAY + 11 * HOURS)); /* 2011-02-16 */
    cr_expect (eq (i64, expires (EXPIRY_YEARS, 1, noon), 15324 * US_PER_DAY + 10 * HOURS));
    cr_expect (eq (i64, expires (EXPIRY_END_OF_MONTH, 0, noon), 14975 * US_PER_DAY - HOURS)); /* 2011-01-01 00:00 */
    cr_expect (eq (i64, expires (EXPIRY_END_OF_YEAR, 0, noon), 14975 * US_PER_DAY - HOURS));
    cr_expect (eq (i64, expires (EXPIRY_DATE, 0, noon), 15001 * US_PER_DAY - HOURS)); /* that day is the last */
}

Test (rule_19, days_are_counted_on_the_local_clock)
{
    int64_t noon = 15059 * US_PER_DAY + 11 * HOURS; /* 2011-03-26 12:00 local, the day before the change */
    cr_expect (eq (i64, expires (EXPIRY_DAYS, 1, noon), 15060 * US_PER_DAY + 10 * HOURS));
}

Test (rule_19, the_end_of_a_month_is_that_of_the_local_month)
{
    /* 2010-12-31 23:30 UTC is January in Europe. */
    int64_t late = 14974 * US_PER_DAY + 23 * HOURS + HOURS / 2;
    cr_expect (eq (i64, expires (EXPIRY_END_OF_MONTH, 0, late), 15006 * US_PER_DAY - HOURS));    /* 2011-02-01 */
    cr_expect (eq (i64, expires (EXPIRY_END_OF_YEAR, 0, late), 15340 * US_PER_DAY - 2 * HOURS)); /* 2012-01-01 */
}
