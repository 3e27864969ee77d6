/* domain_refund_test.c - random orders returned in random parts: the parts sum to the whole, whatever the parts are.
 *
 * After each refund the money and points that went back so far are compared with the rule's own words (money ×
 * units so far ÷ units; points × money so far ÷ money); when all is back, with the whole, to the cent, the hundredth
 * of a point and the lot. */
#include "domain/refund.h"
#include "support/random.h"

#include <criterion/criterion.h>

enum { ORDERS = 4000, LINES_MAX = 6, TAXES_MAX = 3, RETURNS_MAX = 5, ROUNDS_MAX = 200, LOTS_MAX = 4 };

struct scene {
    struct random random;
    unsigned seed;
    struct arena *arena;
    struct original original;
    struct original_line lines[LINES_MAX];
    struct tax_amount taxes[LINES_MAX][TAXES_MAX];
    int64_t refunded_taxes[LINES_MAX][TAXES_MAX];
    char line_ids[LINES_MAX][8];
    struct original_points points;
    struct lot_use uses[LOTS_MAX];
    int64_t returned_to[LOTS_MAX];
};

#define check(condition) cr_assert (condition, "order %u: " #condition, scene->seed)

static void
line_make (struct scene *scene, uint32_t index)
{
    struct random *random = &scene->random;
    struct original_line *line = &scene->lines[index];
    int64_t thousandths = random_chance (random, 20) ? random_between (random, 1, 9999) : 0;
    line->line_id = str_of (scene->line_ids[index]);
    line->product_id = random_between (random, 1, 3);
    line->qty_micro = thousandths > 0 ? thousandths * 1000 : random_between (random, 1, 12) * MICRO;
    line->price_unit_micro = random_between (random, 1, 2) * MICRO;
    line->list_minor = random_between (random, 0, 2000);
    line->refunded_taxes_minor = scene->refunded_taxes[index];
    line->taxes = scene->taxes[index];
    line->tax_count = (uint32_t)random_between (random, 0, TAXES_MAX);
    bool is_cheap = random_chance (random, 30), is_free = random_chance (random, 15);
    for (uint32_t i = 0; i < line->tax_count; i++) {
        int64_t amount = is_free ? 0 : random_between (random, 0, is_cheap ? 3 : 400);
        scene->taxes[index][i] = (struct tax_amount){ i + 1, amount };
        line->net_tax_minor += amount;
    }
    line->net_untaxed_minor = is_free ? 0 : random_between (random, 0, is_cheap ? 3 : 5000);
    line->net_minor = line->net_untaxed_minor + line->net_tax_minor;
}

static void
scene_make (struct scene *scene, unsigned seed, struct arena *arena)
{
    *scene = (struct scene){ .random = { seed }, .seed = seed, .arena = arena };
    struct random *random = &scene->random;
    scene->original = (struct original){ .order_id = STR ("O"), .lines = scene->lines, .points = &scene->points };
    scene->original.line_count = (uint32_t)random_between (random, 1, LINES_MAX);
    for (uint32_t i = 0; i < scene->original.line_count; i++) {
        scene->line_ids[i][0] = (char)('a' + i);
        line_make (scene, i);
    }
    scene->original.points_count = 1;
    scene->points = (struct original_points){ .card_id = 9, .earned = random_between (random, 0, 5000) };
    scene->points.uses = scene->uses;
    scene->points.use_count = (uint32_t)random_between (random, 0, LOTS_MAX);
    for (uint32_t i = 0; i < scene->points.use_count; i++) {
        scene->uses[i] = (struct lot_use){ (int32_t)i + 1, random_between (random, 1, 700) };
        scene->points.redeemed += scene->uses[i].points;
    }
}

static int64_t
units_left (const struct scene *scene)
{
    int64_t left = 0;
    for (uint32_t i = 0; i < scene->original.line_count; i++)
        left += scene->lines[i].qty_micro - scene->lines[i].refunded_qty_micro;
    return left;
}

/* Some units of some lines, by name or by product, at times more than there are. */
static void
order_make (struct scene *scene, struct order *order, struct order_line *lines, bool all)
{
    struct random *random = &scene->random;
    *order = (struct order){ .order_id = STR ("R"), .lines = lines };
    int64_t wanted[LINES_MAX];
    for (uint32_t i = 0; i < scene->original.line_count; i++)
        wanted[i] = scene->lines[i].qty_micro - scene->lines[i].refunded_qty_micro;
    int64_t count = all ? scene->original.line_count : random_between (random, 1, RETURNS_MAX);
    for (int64_t n = 0; n < count; n++) {
        uint32_t i = all ? (uint32_t)n : (uint32_t)random_between (random, 0, scene->original.line_count - 1);
        const struct original_line *sold = &scene->lines[i];
        bool named = all || random_chance (random, 60);
        int64_t qty = all ? wanted[i] : random_between (random, 1, named ? wanted[i] + 1 : 3 * MICRO);
        if (!all && random_chance (random, 50) && qty > MICRO)
            qty = qty / MICRO * MICRO;
        if (named && qty > wanted[i])
            qty = wanted[i];
        if (qty == 0)
            continue;
        wanted[i] -= named ? qty : 0;
        lines[order->line_count++] = (struct order_line){ .line_id = STR ("r"),
                                                          .product_id = sold->product_id,
                                                          .qty_micro = -qty,
                                                          .price_unit_micro = random_between (random, 1, 2) * MICRO,
                                                          .refund_order_id = STR ("O"),
                                                          .refund_line_id = named ? sold->line_id : (struct str){ 0 } };
    }
}

/* Every unit that was to be returned is in a part or uncovered, and the lines' money is that of their parts. */
static void
check_order (const struct scene *scene, const struct order *before, const struct order *after,
             const struct refund_plan *plan)
{
    int64_t asked = 0, given = 0, covered = 0, uncovered = 0;
    for (uint32_t i = 0; i < before->line_count; i++)
        asked -= before->lines[i].qty_micro;
    for (uint32_t i = 0; i < after->line_count; i++) {
        const struct order_line *line = &after->lines[i];
        int64_t units = 0, untaxed = 0, taxed = 0, taxes = 0;
        for (uint32_t p = 0; p < plan->part_count; p++)
            if (plan->parts[p].line == i) {
                units += plan->parts[p].qty_micro;
                untaxed += plan->parts[p].untaxed_minor;
                taxed += plan->parts[p].net_minor - plan->parts[p].untaxed_minor;
            }
        for (uint32_t tax = 0; tax < line->covered_tax_count; tax++)
            taxes += line->covered_taxes[tax].amount_minor;
        check (line->is_covered_return == (units > 0));
        check (!line->is_covered_return || line->qty_micro == -units);
        check (line->covered_untaxed_minor == -untaxed && line->covered_tax_minor == -taxed && taxes == -taxed);
        given -= line->qty_micro;
        covered += units;
    }
    for (uint32_t i = 0; i < plan->uncovered_count; i++) {
        const struct refund_uncovered *part = &plan->uncovered[i];
        check (!after->lines[part->line].is_covered_return && after->lines[part->line].qty_micro == -part->qty_micro);
        uncovered += part->qty_micro;
    }
    check (asked == given && asked == covered + uncovered);
}

static int64_t
rounded (int64_t total, int64_t so_far, int64_t all)
{
    return (int64_t)(((int128)total * so_far * 2 + all) / ((int128)all * 2)); /* total >= 0 */
}

static void
parts_take (struct scene *scene, const struct refund_plan *plan)
{
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct refund_part *part = &plan->parts[i];
        struct original_line *line = &scene->lines[part->original_line];
        int64_t taxes = 0;
        check (part->qty_micro > 0 && part->net_minor >= 0 && part->untaxed_minor >= 0);
        line->refunded_qty_micro += part->qty_micro;
        line->refunded_net_minor += part->net_minor;
        line->refunded_untaxed_minor += part->untaxed_minor;
        for (uint32_t tax = 0; tax < part->tax_count; tax++) {
            check (part->taxes[tax].tax_id == line->taxes[tax].tax_id && part->taxes[tax].amount_minor >= 0);
            scene->refunded_taxes[part->original_line][tax] += part->taxes[tax].amount_minor;
            taxes += part->taxes[tax].amount_minor;
        }
        check (part->untaxed_minor + taxes == part->net_minor);
        check (line->refunded_qty_micro <= line->qty_micro);
        check (line->refunded_net_minor == rounded (line->net_minor, line->refunded_qty_micro, line->qty_micro));
        check (line->refunded_untaxed_minor <= line->net_untaxed_minor);
        for (uint32_t tax = 0; tax < part->tax_count; tax++)
            check (scene->refunded_taxes[part->original_line][tax] <= line->taxes[tax].amount_minor);
    }
}

static void
points_take (struct scene *scene, const struct refund_plan *plan)
{
    struct original_points *points = &scene->points;
    int64_t net = 0, net_so_far = 0, list = 0, list_so_far = 0, units = 0, units_so_far = 0;
    for (uint32_t i = 0; i < scene->original.line_count; i++) {
        const struct original_line *line = &scene->lines[i];
        net += line->net_minor;
        net_so_far += line->refunded_net_minor;
        list += line->list_minor;
        list_so_far += rounded (line->list_minor, line->refunded_qty_micro, line->qty_micro);
        units += line->qty_micro;
        units_so_far += line->refunded_qty_micro;
    }
    int64_t all = net > 0 ? net : list > 0 ? list : units;
    int64_t so_far = net > 0 ? net_so_far : list > 0 ? list_so_far : units_so_far;
    check (all > 0 && plan->points_count <= 1);
    for (uint32_t i = 0; i < plan->points_count; i++) {
        const struct refund_points *back = &plan->points[i];
        int64_t sum = 0;
        check (back->take_back >= 0 && back->give_back >= 0 && back->take_back + back->give_back > 0);
        points->taken_back += back->take_back;
        points->given_back += back->give_back;
        for (uint32_t use = 0; use < back->use_count; use++) {
            int32_t lot = back->uses[use].lot_no - 1;
            check (back->uses[use].points > 0);
            scene->returned_to[lot] += back->uses[use].points;
            check (scene->returned_to[lot] <= scene->uses[lot].points);
            /* The last used first: whatever was used after this lot is back by now. */
            for (uint32_t later = (uint32_t)lot + 1; later < points->use_count; later++)
                check (scene->returned_to[later] == scene->uses[later].points);
            sum += back->uses[use].points;
        }
        check (sum == back->give_back);
    }
    if (plan->part_count == 0)
        return;
    check (points->taken_back == rounded (points->earned, so_far, all));
    check (points->given_back == rounded (points->redeemed, so_far, all));
}

static void
check_whole (const struct scene *scene)
{
    for (uint32_t i = 0; i < scene->original.line_count; i++) {
        const struct original_line *line = &scene->lines[i];
        check (line->refunded_qty_micro == line->qty_micro && line->refunded_net_minor == line->net_minor);
        check (line->refunded_untaxed_minor == line->net_untaxed_minor);
        for (uint32_t tax = 0; tax < line->tax_count; tax++)
            check (scene->refunded_taxes[i][tax] == line->taxes[tax].amount_minor);
    }
    check (scene->points.taken_back == scene->points.earned);
    check (scene->points.given_back == scene->points.redeemed);
    for (uint32_t i = 0; i < scene->points.use_count; i++)
        check (scene->returned_to[i] == scene->uses[i].points);
}

Test (refund, random_parts_sum_to_the_whole)
{
    static struct scene here, *const scene = &here;
    struct arena *arena = arena_new (1 << 20);
    unsigned refunds = 0, uncovered = 0, splits = 0;
    for (unsigned seed = 1; seed <= ORDERS; seed++) {
        scene_make (scene, seed, arena);
        for (int round = 0; units_left (scene) > 0; round++) {
            struct order_line lines[LINES_MAX + RETURNS_MAX];
            struct order before, after;
            struct refund_plan plan;
            struct error err = { 0 };
            order_make (scene, &before, lines, round == ROUNDS_MAX || random_chance (&scene->random, 8));
            after = before;
            int rc = refund_plan_make (&after, &scene->original, 1, arena, &plan, &err);
            cr_assert (rc == 0, "order %u: %s", seed, err.message);
            check_order (scene, &before, &after, &plan);
            parts_take (scene, &plan);
            points_take (scene, &plan);
            arena_reset (arena);
            refunds++;
            uncovered += plan.uncovered_count;
            splits += after.line_count > before.line_count;
        }
        check_whole (scene);
    }
    arena_destroy (&arena);
    cr_log_info ("%u refunds, %u uncovered, %u splits", refunds, uncovered, splits);
    cr_assert (refunds > 3 * ORDERS && uncovered > ORDERS / 2 && splits > ORDERS / 10);
}
