/* domain_evaluate_test.c - thousands of random carts against what must hold for every one of them (DESIGN 3.5).
 *
 * A failing case prints its seed; LOYALTY_SEED=n runs that one alone, LOYALTY_ROUNDS=n runs so many. */
#include "support/domain_cart.h"
#include "support/random.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { ROUNDS = 20000 };

static struct random random_state;

static int64_t
upto (int64_t most)
{
    return random_between (&random_state, 0, most);
}

static bool
one_in (int64_t n)
{
    return upto (n - 1) == 0;
}

/* Runs `check` for every seed, or for the one that the environment names. */
static void
for_all (const char *(*check) (void))
{
    const char *only = getenv ("LOYALTY_SEED"), *rounds = getenv ("LOYALTY_ROUNDS");
    uint64_t first = only != NULL ? strtoull (only, NULL, 10) : 1;
    uint64_t last = only != NULL ? first : rounds != NULL ? strtoull (rounds, NULL, 10) : ROUNDS;
    for (uint64_t seed = first; seed <= last; seed++) {
        random_state.state = seed;
        const char *wrong = check ();
        cr_assert_null (wrong, "LOYALTY_SEED=%llu: %s", (unsigned long long)seed, wrong);
    }
}

enum { PRODUCTS = 8, CATEGORIES = 4 };
static const struct str TAGS[] = { { "sale", 4 }, { "eco", 3 }, { "new", 3 } };

/* Product n is in category n % 4, which is below category 10, and mostly has a tag. */
static void
line_facts (struct cart *cart, struct order_line *line)
{
    line->categories = IDS (cart, line->product_id % CATEGORIES, 10);
    line->tags = &TAGS[line->product_id % 3];
    line->tag_count = line->product_id % 5 != 0;
}

/* Few kinds of taxes, so that lines share groups; a tax is the same on every line. */
static void
random_taxes (struct cart *cart, struct order_line *line)
{
    static const struct tax TAXES[] = {
        { 1, TAX_PERCENT, 21 * MICRO, true, false },  { 2, TAX_PERCENT, 5500000, true, false },
        { 3, TAX_PERCENT, 20 * MICRO, false, false }, { 4, TAX_PERCENT, 9975000, false, true },
        { 5, TAX_PERCENT, 19600000, true, true },     { 6, TAX_PERCENT, 333333, false, false },
        { 7, TAX_FIXED, 120000, true, true },         { 8, TAX_FIXED, 120000, false, true },
        { 9, TAX_FIXED, 35000, false, false },        { 10, TAX_FIXED, 35000, true, false },
    };
    struct tax *taxes = arena_array_of (cart->arena, TAXES_PER_LINE_MAX, struct tax);
    line->taxes = taxes;
    if (one_in (6)) /* first in line, perhaps taxed itself */
        taxes[line->tax_count++] = TAXES[6 + upto (3)];
    int64_t kind = upto (7);
    if (kind < 6)
        taxes[line->tax_count++] = TAXES[kind];
    if (kind >= 4) {
        taxes[line->tax_count++] = TAXES[(kind + 2) % 4];
        taxes[line->tax_count++] = TAXES[kind == 4 ? 5 : 4];
    }
    for (uint32_t j = 0; j + 1 < line->tax_count; j++)
        if (taxes[j].id == taxes[line->tax_count - 1].id)
            line->tax_count--;
}

/* A return whose money comes from its original: as it would cost itself, or less. */
static void
cover (struct cart *cart, struct order_line *line)
{
    struct tax_amount *taxes = arena_array_of (cart->arena, TAXES_PER_LINE_MAX, struct tax_amount);
    line->is_covered_return = true;
    line->covered_untaxed_minor = -upto (1500);
    for (uint32_t j = 0; j < line->tax_count && line->covered_untaxed_minor != 0; j++) {
        taxes[j] = (struct tax_amount){ line->taxes[j].id, -upto (200) };
        line->covered_tax_minor += taxes[j].amount_minor;
        line->covered_tax_count++;
    }
    line->covered_taxes = taxes;
}

static void
random_lines (struct cart *cart, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        struct order_line *line = cart_line (cart, 1 + upto (PRODUCTS - 1), "1", "1");
        line->qty_micro = one_in (3) ? 1 + upto (5 * MICRO) : (1 + upto (4)) * MICRO;
        line->price_unit_micro = one_in (10) ? 0 : one_in (5) ? upto (20 * MICRO) : (1 + upto (3000)) * 10000;
        if (one_in (8))
            line->qty_micro = -line->qty_micro;
        if (one_in (20))
            line->price_unit_micro = -line->price_unit_micro;
        if (one_in (6))
            line->discount_micro = upto (100) * MICRO;
        line_facts (cart, line);
        random_taxes (cart, line);
        if (line->qty_micro < 0 && line->price_unit_micro > 0 && one_in (2))
            cover (cart, line);
    }
}

static void
random_filter (struct cart *cart, struct product_filter *filter)
{
    int64_t kind = upto (6);
    if (kind == 0)
        filter->products = IDS (cart, 1 + upto (PRODUCTS - 1), 1 + upto (PRODUCTS - 1), 1 + upto (PRODUCTS - 1));
    if (kind == 1 || kind == 2) {
        filter->has_category = true;
        filter->category_id = one_in (4) ? 10 : upto (CATEGORIES - 1);
    }
    if (kind == 2 || kind == 3)
        filter->tag = TAGS[upto (2)];
    if (one_in (5))
        filter->exclude_products = IDS (cart, 1 + upto (PRODUCTS - 1));
    if (one_in (8)) {
        filter->has_exclude_category = true;
        filter->exclude_category_id = upto (CATEGORIES - 1);
    }
    if (one_in (8))
        filter->exclude_tag = TAGS[upto (2)];
}

static void
random_rules (struct cart *cart, struct program *program, int64_t count)
{
    for (int64_t r = 0; r < count; r++) {
        struct rule *rule = cart_rule (program, (enum point_mode)upto (2), "1");
        rule->point_amount_micro = one_in (3) ? upto (3 * MICRO) : (1 + upto (2)) * MICRO;
        rule->minimum_qty_micro = one_in (2) ? 0 : upto (3) * MICRO;
        rule->minimum_amount_minor = one_in (2) ? 0 : upto (5000);
        rule->minimum_amount_tax_mode = (enum tax_mode)upto (1);
        random_filter (cart, &rule->filter);
    }
}

static void
random_reward (struct cart *cart, struct program *program)
{
    enum discount_mode mode = (enum discount_mode)upto (2);
    struct reward *reward = cart_discount (program, mode, "1");
    reward->required_points = one_in (2) ? POINT : 1 + upto (500);
    reward->clear_wallet = one_in (8);
    reward->max_amount_minor = one_in (4) ? 1 + upto (1000) : 0;
    reward->discount_micro = mode == DISCOUNT_PERCENT     ? (one_in (6) ? 100 : 1 + upto (99)) * MICRO
                             : mode == DISCOUNT_PER_POINT ? 1 + upto (MICRO)
                                                          : (1 + upto (5000)) * 10000;
    if (one_in (2)) {
        reward->applicability = one_in (4) ? APPLY_CHEAPEST : APPLY_SPECIFIC;
        random_filter (cart, &reward->filter);
    } else if (one_in (4)) {
        random_filter (cart, &reward->filter);
    }
}

/* Of one of the types that are about units, a discount in steps, or points. */
static void
random_other_reward (struct cart *cart, struct program *program)
{
    struct reward *reward = cart_discount (program, DISCOUNT_PERCENT, "1");
    bool keeps_card = program->applies_on == APPLIES_BOTH;
    reward->type = (enum reward_type) (REWARD_PRODUCT + upto (keeps_card ? 4 : 3));
    reward->required_points = one_in (2) ? POINT : 1 + upto (500);
    reward->clear_wallet = one_in (8);
    reward->max_amount_minor = one_in (4) ? 1 + upto (1000) : 0;
    reward->applicability = (enum applicability)upto (2);
    random_filter (cart, &reward->filter);
    reward->reward_products = one_in (2) ? IDS (cart, 1 + upto (PRODUCTS - 1)) : IDS (cart, 1, 2, 3, 4, 5, 6);
    reward->reward_product_qty_micro = (1 + upto (2)) * MICRO;
    reward->special_price_minor = 1 + upto (2000);
    reward->max_units_micro = one_in (2) ? 0 : 1 + upto (3 * MICRO);
    reward->set_price_minor = 1 + upto (3000);
    reward->max_sets = upto (2);
    for (int64_t i = upto (2); i >= 0; i--)
        random_filter (cart, &cart_set_item (cart, reward, "1", (struct id_list){ 0 })->filter);
    int64_t *steps = arena_array_of (cart->arena, 3, int64_t);
    reward->step_percent_micro = steps;
    for (int64_t i = upto (2); i >= 0; i--)
        steps[reward->step_count++] = (1 + upto (99)) * MICRO;
    reward->points = 1 + upto (5000);
}

static void
random_program (struct cart *cart, int64_t id)
{
    struct program *program = one_in (3) ? cart_loyalty (cart, id) : cart_promotion (cart, id);
    random_rules (cart, program, 1 + upto (1));
    for (int64_t r = one_in (4) ? 1 : 0; r >= 0; r--)
        if (one_in (3))
            random_other_reward (cart, program);
        else
            random_reward (cart, program);
    program->priority = one_in (4) ? upto (2) : 0;
    program->earn_on = one_in (3) ? EARN_NET : EARN_GROSS;
    program->discount_base = one_in (4) ? BASE_INITIAL : BASE_REMAINING;
    if (one_in (12))
        program->stacking = STACK_EXCLUSIVE;
    else if (one_in (4)) {
        program->stacking = STACK_BEST_OF;
        program->best_of = one_in (2) ? STR ("one") : STR ("two");
    }
}

static void
random_order (struct cart *cart, int64_t programs)
{
    random_lines (cart, 1 + upto (7));
    for (int64_t p = 0; p < programs; p++)
        random_program (cart, p + 1);
    cart->order.channel = (enum channel)upto (1);
    cart->order.tax_rounding = one_in (3) ? ROUND_GLOBAL : ROUND_PER_LINE;
    if (!one_in (4))
        cart_member (cart, 5);
    for (int64_t p = 0; p < programs && cart->order.card_count < CART_CARDS_MAX; p++)
        if (cart->programs[p].applies_on == APPLIES_BOTH && !one_in (3)) {
            struct card_state *card = cart_card (cart, 100 + p, p + 1, "0");
            card->usable = upto (50000);
        }
    for (int64_t c = upto (4); c > 0 && programs > 0; c--) {
        struct claim *claim = cart_claim (cart, 1 + upto (programs - 1));
        claim->has_reward = one_in (2);
        claim->reward_id = 1 + upto (1);
        claim->points = one_in (4) ? 1 + upto (20000) : 0;
        claim->qty_micro = one_in (4) ? (1 + upto (2)) * MICRO : 0;
        claim->has_product = one_in (3);
        claim->product_id = 1 + upto (PRODUCTS - 1);
    }
}

static void
reverse_lines (struct cart *cart)
{
    for (uint32_t i = 0, j = cart->order.line_count - 1; i < j; i++, j--) {
        struct order_line line = cart->lines[i];
        cart->lines[i] = cart->lines[j];
        cart->lines[j] = line;
    }
}

/* No tax and no untaxed amount of a line falls below 0 by a discount. Lines with fixed taxes are left out: these
 * may be more than the whole price. */
static const char *
below_zero (const struct cart *cart)
{
    for (uint32_t i = 0; i < cart->order.line_count; i++) {
        const struct line_result *line = &cart->result.lines[i];
        bool fixed = false;
        for (uint32_t j = 0; j < cart->lines[i].tax_count; j++)
            fixed |= cart->lines[i].taxes[j].type == TAX_FIXED;
        if (fixed || line->total_minor < 0)
            continue;
        for (uint32_t j = 0; j < line->tax_count; j++)
            if (line->taxes[j].amount_minor < 0)
                return "a tax falls below 0";
        if (line->net_untaxed_minor < 0)
            return "an untaxed amount falls below 0";
    }
    return NULL;
}

/* Claims tell what they gave; discounts know their claims; card money suffices. */
static const char *
claims_wrong (const struct cart *cart)
{
    for (uint32_t i = 0; i < cart->result.claim_count; i++) {
        const struct claim_result *claim = &cart->result.claims[i];
        if (claim->ok != (claim->reason == REASON_NONE))
            return "a claim is refused without a reason, or granted with one";
        if (!claim->ok && claim->text[0] == '\0')
            return "a refused claim says nothing";
        if (claim->ok && (claim->discount < 0) != claim->replaced)
            return "a granted claim gave nothing and was not replaced";
        if (claim->discount >= 0 && cart->result.discounts[claim->discount].claim != (int32_t)i)
            return "a claim's discount is another's";
        if (claim->replaced && claim->replaced_by <= (int32_t)i)
            return "a claim is replaced by an earlier one";
    }
    for (uint32_t p = 0; p < cart->result.points_count; p++) {
        const struct points_result *points = &cart->result.points[p];
        int64_t usable = points->usable_now ? points->earned : 0;
        for (uint32_t c = 0; c < cart->order.card_count; c++)
            if (points->card_id != 0 && cart->cards[c].card_id == points->card_id)
                usable += cart->cards[c].usable;
        if (points->redeemed > usable)
            return "a card is overdrawn";
    }
    int order_wide = 0;
    for (uint32_t d = 0; d < cart->result.discount_count; d++) {
        const struct discount *discount = &cart->result.discounts[d];
        const struct program *program = catalog_program (&cart->catalog, discount->program_id);
        for (uint32_t r = 0; r < program->reward_count; r++) {
            const struct reward *reward = &program->rewards[r];
            bool first = d == 0 || discount[-1].program_id != program->id || discount[-1].reward_id != reward->id ||
                         discount[-1].claim != discount->claim; /* of its steps */
            order_wide += reward->id == discount->reward_id && reward->applicability == APPLY_ORDER &&
                          ((reward->type == REWARD_DISCOUNT && reward->mode != DISCOUNT_PER_POINT) ||
                           (reward->type == REWARD_MULTIPLE_DISCOUNT && first));
        }
        for (uint32_t other = 0; other < d && program->stacking != STACK; other++) {
            if (cart->result.discounts[other].layer != discount->layer)
                continue;
            const struct program *before = catalog_program (&cart->catalog, cart->result.discounts[other].program_id);
            if (before != program && program->stacking == STACK_EXCLUSIVE)
                return "an exclusive discount is not alone";
            if (before != program && before->stacking == STACK_BEST_OF && program->stacking == STACK_BEST_OF &&
                str_equal (before->best_of, program->best_of))
                return "two of one group";
        }
    }
    return order_wide > 1 ? "two order-wide discounts" : NULL;
}

static const char *
any_order (void)
{
    struct cart *cart = cart_new ();
    random_order (cart, upto (7));
    const char *wrong = cart_run (cart) < 0 ? cart->err.message : cart_unsound (cart);
    if (wrong == NULL)
        wrong = below_zero (cart);
    if (wrong == NULL)
        wrong = claims_wrong (cart);
    if (wrong == NULL) {
        struct evaluation first = cart->result;
        if (cart_run (cart) < 0)
            wrong = "the second evaluation failed";
        else if (first.total_minor != cart->result.total_minor || first.tax_minor != cart->result.tax_minor ||
                 first.discount_count != cart->result.discount_count ||
                 first.points_count != cart->result.points_count || first.claim_count != cart->result.claim_count)
            wrong = "two evaluations differ";
        for (uint32_t p = 0; wrong == NULL && p < first.points_count; p++)
            if (first.points[p].card_id != cart->result.points[p].card_id ||
                first.points[p].earned != cart->result.points[p].earned ||
                first.points[p].redeemed != cart->result.points[p].redeemed)
                wrong = "two evaluations give different points";
        for (uint32_t i = 0; wrong == NULL && i < cart->order.line_count; i++)
            if (first.lines[i].net_minor != cart->result.lines[i].net_minor ||
                first.lines[i].net_tax_minor != cart->result.lines[i].net_tax_minor)
                wrong = "two evaluations give different lines";
        for (uint32_t d = 0; wrong == NULL && d < first.discount_count; d++)
            if (first.discounts[d].amount_minor != cart->result.discounts[d].amount_minor ||
                first.discounts[d].untaxed_minor != cart->result.discounts[d].untaxed_minor ||
                first.discounts[d].points_cost != cart->result.discounts[d].points_cost)
                wrong = "two evaluations give different discounts";
    }
    cart_free (cart);
    return wrong;
}

Test (evaluate, every_order_adds_up_and_is_repeatable, .timeout = 300)
{
    for_all (any_order);
}

/* The whole order at 100 % off costs nothing but its fixed taxes, whatever other discounts came before. */
static const char *
all_off (void)
{
    struct cart *cart = cart_new ();
    random_order (cart, upto (3));
    cart->order.claim_count = 0;
    for (uint32_t p = 0; p < cart->catalog.program_count; p++) {
        cart->programs[p].stacking = STACK;
        cart->programs[p].best_of = (struct str){ NULL, 0 };
        /* None that would contend with it for being the best of the order-wide ones. */
        for (uint32_t r = 0; r < cart->programs[p].reward_count; r++)
            ((struct reward *)cart->programs[p].rewards)[r].applicability = APPLY_SPECIFIC;
    }
    struct reward *all = cart_offer (cart, 60, DISCOUNT_PERCENT, "100");
    cart_program (cart, 60)->priority = 9;
    all->required_points = 1;
    const char *wrong = cart_run (cart) < 0 ? cart->err.message : cart_unsound (cart);
    int64_t fixed = 0, before = 0, units = 0, money = 0;
    bool bought = false;
    for (uint32_t i = 0; wrong == NULL && i < cart->order.line_count; i++) {
        const struct line_result *line = &cart->result.lines[i];
        int64_t line_fixed = 0;
        for (uint32_t j = 0; j < line->tax_count; j++)
            for (uint32_t k = 0; k < line->tax_count; k++)
                if (cart->lines[i].taxes[j].type == TAX_FIXED && line->taxes[k].tax_id == cart->lines[i].taxes[j].id)
                    line_fixed += line->taxes[k].amount_minor;
        /* A line worth nothing, or less by its fixed taxes, is left as it is. */
        const struct order_line *order = &cart->lines[i];
        int128 price = (int128)order->price_unit_micro * order->qty_micro * (100 * MICRO - order->discount_micro);
        bool free = div_round (price, (int128)10000000000 * 100 * MICRO) == 0;
        int64_t worth = line->total_minor - line_fixed;
        free &= !order->is_covered_return;
        bool negative =
            order->is_covered_return || (cart->lines[i].qty_micro < 0) != (cart->lines[i].price_unit_micro < 0);
        fixed += (free || (negative ? worth > 0 : worth < 0)) ? line->total_minor : line_fixed;
        before += line->total_minor;
        bought |= cart->lines[i].qty_micro > 0;
        units += order->is_covered_return ? 0 : order->qty_micro;
        money += order->is_covered_return ? 0 : line->total_minor;
    }
    bought &= units >= 0 && money >= 0; /* else the rule does not hold */
    if (wrong == NULL && bought && before > 0 && before - fixed > 0 &&
        cart->result.total_minor > (fixed > 0 ? fixed : 0))
        wrong = "100 % off leaves something to pay";
    /* Special prices and free units are not bounded by what is given back beside them. */
    bool bounded = true;
    for (uint32_t d = 0; wrong == NULL && d < cart->result.discount_count; d++)
        bounded &= cart->result.discounts[d].layer == LAYER_DISCOUNT;
    if (wrong == NULL && bought && fixed == 0 && before > 0 && bounded && cart->result.total_minor != 0)
        wrong = "100 % off does not leave 0";
    cart_free (cart);
    return wrong;
}

Test (evaluate, all_off_leaves_nothing_but_fixed_taxes, .timeout = 300)
{
    for_all (all_off);
}

/* One discount takes the same whatever the order of lines; several may differ by a cent for each tie they met. */
static const char *
other_line_order (void)
{
    struct cart *cart = cart_new ();
    random_order (cart, 1 + upto (3));
    const char *wrong = cart_run (cart) < 0 ? cart->err.message : NULL;
    struct evaluation first = cart->result;
    reverse_lines (cart);
    if (wrong == NULL && cart_run (cart) < 0)
        wrong = cart->err.message;
    if (wrong == NULL) {
        wrong = cart_unsound (cart);
        int64_t difference = first.total_minor - cart->result.total_minor;
        if (first.discount_count <= 1 && cart->result.discount_count <= 1) {
            /* (Of a tax that is rounded for the order, equal remainders of lines go to the first.) */
            int64_t ties = cart->order.tax_rounding == ROUND_GLOBAL ? 1 : 0;
            if (difference > ties || difference < -ties)
                wrong = "another order of lines costs something else";
            else if (first.tax_minor != cart->result.tax_minor && first.discount_count == 0)
                wrong = "another order of lines is taxed differently";
        }
    }
    cart_free (cart);
    return wrong;
}

Test (evaluate, order_of_lines_does_not_matter, .timeout = 300)
{
    for_all (other_line_order);
}

/* A filter as SEMANTICS says it, without index and search. */
static bool
fits_plainly (const struct product_filter *filter, const struct order_line *line)
{
    bool named = false, names = filter->products.count > 0 || filter->has_category || filter->tag.size > 0;
    bool excluded = false;
    for (uint32_t i = 0; i < filter->products.count; i++)
        named |= filter->products.ids[i] == line->product_id;
    for (uint32_t i = 0; i < filter->exclude_products.count; i++)
        excluded |= filter->exclude_products.ids[i] == line->product_id;
    for (uint32_t c = 0; c < line->categories.count; c++) {
        named |= filter->has_category && filter->category_id == line->categories.ids[c];
        excluded |= filter->has_exclude_category && filter->exclude_category_id == line->categories.ids[c];
    }
    for (uint32_t t = 0; t < line->tag_count; t++) {
        named |= filter->tag.size > 0 && str_equal (filter->tag, line->tags[t]);
        excluded |= filter->exclude_tag.size > 0 && str_equal (filter->exclude_tag, line->tags[t]);
    }
    return (named || !names) && !excluded;
}

/* Points of a loyalty program on an order without discounts, line by line. */
static int64_t
points_plainly (const struct cart *cart, const struct program *program)
{
    int64_t points = 0;
    for (uint32_t r = 0; r < program->rule_count; r++) {
        const struct rule *rule = &program->rules[r];
        int64_t units = 0, incl = 0, excl = 0;
        bool bought = false;
        for (uint32_t i = 0; i < cart->order.line_count; i++) {
            if (cart->lines[i].is_covered_return || !fits_plainly (&rule->filter, &cart->lines[i]))
                continue;
            units += cart->lines[i].qty_micro;
            incl += cart->result.lines[i].total_minor;
            excl += cart->result.lines[i].untaxed_minor;
            bought |= cart->lines[i].qty_micro > 0;
        }
        int64_t money = rule->minimum_amount_tax_mode == TAX_MODE_INCL ? incl : excl;
        incl = incl > 0 ? incl : 0;
        if (!bought || units < rule->minimum_qty_micro || money < rule->minimum_amount_minor)
            continue;
        int128 exact = rule->point_amount_micro, divisor = 10000;
        if (rule->point_mode == POINTS_PER_UNIT) {
            exact *= units;
            divisor *= MICRO;
        } else if (rule->point_mode == POINTS_PER_MONEY) {
            exact *= incl;
            divisor *= 100;
        }
        points += (int64_t)(cart->order.channel == CHANNEL_POS ? (exact + divisor / 2) / divisor : exact / divisor);
    }
    return points;
}

static const char *
index_finds_all (void)
{
    struct cart *cart = cart_new ();
    random_lines (cart, 1 + upto (9));
    cart_member (cart, 5);
    cart->order.channel = (enum channel)upto (1);
    for (int64_t p = 1 + upto (20); p > 0; p--) {
        struct program *program = cart_loyalty (cart, p);
        random_rules (cart, program, 1 + upto (2));
        if (one_in (3))
            program->stores = IDS (cart, 1 + upto (2), 4);
    }
    cart->order.has_store = !one_in (3);
    cart->order.store_id = 1 + upto (4);
    const char *wrong = cart_run (cart) < 0 ? cart->err.message : NULL;
    for (uint32_t p = 0; wrong == NULL && p < cart->catalog.program_count; p++) {
        const struct program *program = &cart->programs[p];
        bool here = program->stores.count == 0;
        for (uint32_t s = 0; s < program->stores.count; s++)
            here |= cart->order.has_store && program->stores.ids[s] == cart->order.store_id;
        if (cart_earned (cart, program->id) != (here ? points_plainly (cart, program) : 0))
            wrong = "a program's points are not what its rules say";
    }
    cart_free (cart);
    return wrong;
}

Test (evaluate, index_finds_every_rule_that_holds, .timeout = 300)
{
    for_all (index_finds_all);
}
