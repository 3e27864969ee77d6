/* bench_evaluate.c - how long one evaluation takes: 20 lines against 200 programs, and against 100 and 10,000.
 *
 * The programs are a chain's: most are about products of their own, some about categories, tags or stores, a few about the
 * whole order. The cart has to do with the same dozen of them in every catalog; the others are the ones that
 * an evaluation must not be slowed down by. */
#include "domain/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINES = 20, CATALOG_BYTES = 256 << 20, ORDER_BYTES = 16 << 20, SHARED_PROGRAMS = 12, ROUNDS = 7 };

static void *
need (void *memory)
{
    if (memory == NULL) {
        fprintf (stderr, "out of memory\n");
        exit (1);
    }
    return memory;
}

static struct id_list
ids (struct arena *arena, int64_t first, uint32_t count)
{
    int64_t *list = need (arena_array_of (arena, count, int64_t));
    for (uint32_t i = 0; i < count; i++)
        list[i] = first + i;
    return (struct id_list){ count, list };
}

/* Program n: the first `shared_count` concern the cart (products 1 to 20, categories 1 to 4), the others do not. */
static void
make_program (struct arena *arena, struct program *program, uint32_t n, uint32_t shared_count)
{
    bool shared = n < shared_count;
    struct rule *rule = need (arena_new_of (arena, struct rule));
    struct reward *reward = need (arena_new_of (arena, struct reward));
    *rule = (struct rule){ .id = 1, .point_mode = POINTS_PER_ORDER, .point_amount_micro = MICRO };
    *reward = (struct reward){ .id = 1, .required_points = POINT, .discount_micro = 10 * MICRO };
    *program = (struct program){ .id = n + 1, .state = PROGRAM_ACTIVE, .rule_count = 1, .reward_count = 1 };
    program->rules = rule;
    program->rewards = reward;
    switch (n % 6) {
    case 0: /* members' points, 100 to the pound */
        if (n == 0) {
            program->type = PROGRAM_LOYALTY;
            program->applies_on = APPLIES_BOTH;
            rule->point_mode = POINTS_PER_MONEY;
            reward->mode = DISCOUNT_PER_POINT;
            reward->required_points = 100 * POINT;
            reward->discount_micro = 10000;
            break;
        }   /* fall through */
    case 1: /* 10 % on three products */
    case 2:
        reward->applicability = APPLY_SPECIFIC;
        rule->filter.products = reward->filter.products =
            ids (arena, shared ? 1 + n % LINES : 1000 + 3 * (int64_t)n, 3);
        rule->minimum_qty_micro = 2 * MICRO;
        break;
    case 3: /* 10 % on a category */
        reward->applicability = APPLY_SPECIFIC;
        rule->filter.has_category = reward->filter.has_category = true;
        rule->filter.category_id = reward->filter.category_id = shared ? 1 + n % 4 : 100 + n;
        break;
    case 4: /* the whole order, from so much on, in another store */
        rule->minimum_amount_minor = 5000;
        if (!shared)
            program->stores = ids (arena, 10 + n % 50, 2);
        break;
    case 5: /* the whole order, from more than the cart comes to */
        reward->mode = DISCOUNT_PER_ORDER;
        rule->minimum_amount_minor = shared ? 2000 : 100000 + 100 * (int64_t)n;
        break;
    }
}

static struct catalog
make_catalog (struct arena *arena, uint32_t count, uint32_t shared_count)
{
    struct program *programs = need (arena_array_of (arena, count, struct program));
    struct error err;
    for (uint32_t n = 0; n < count; n++)
        make_program (arena, &programs[n], n, shared_count);
    struct catalog catalog = { .currency_digits = 2, .program_count = count, .programs = programs };
    if (catalog_build (&catalog, arena, &err) < 0) {
        fprintf (stderr, "%s\n", err.message);
        exit (1);
    }
    return catalog;
}

static struct order
make_order (struct arena *arena, uint32_t line_count)
{
    static const struct tax TAXES[] = { { 1, TAX_PERCENT, 20 * MICRO, true, false },
                                        { 2, TAX_PERCENT, 5 * MICRO, true, false } };
    static const struct claim CLAIM = { .has_program = true, .program_id = 1 };
    static const struct card_state CARD = {
        .card_id = 7, .program_id = 1, .has_partner = true, .partner_id = 5, .usable = 25000
    };
    struct order_line *lines = need (arena_array_of (arena, line_count, struct order_line));
    for (uint32_t i = 0; i < line_count; i++) {
        lines[i] = (struct order_line){ .product_id = 1 + i,
                                        .qty_micro = (1 + i % 4) * MICRO,
                                        .price_unit_micro = 990000 + 370000 * (int64_t)(i % 17),
                                        .tax_count = 1,
                                        .taxes = &TAXES[i % 3 == 0],
                                        .product_known = true,
                                        .product_active = true };
        lines[i].categories = ids (arena, 1 + i % 4, 3);
    }
    return (struct order){ .order_id = STR ("bench"),
                           .has_store = true,
                           .store_id = 1,
                           .has_partner = true,
                           .partner_id = 5,
                           .member = { .known = true, .partner_id = 5 },
                           .instant = 14959 * US_PER_DAY,
                           .line_count = line_count,
                           .lines = lines,
                           .claim_count = 1,
                           .claims = &CLAIM,
                           .card_count = 1,
                           .cards = &CARD,
                           .auto_claim = true };
}

/* Of the processor: what else runs on the machine does not count. */
static int64_t
used_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int
compare_doubles (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Microseconds for one evaluation: the median of some rounds of about a tenth of a second. */
static double
time_evaluation (const struct catalog *catalog, const struct order *order, uint32_t *discount_count)
{
    struct arena *arena = need (arena_new (ORDER_BYTES));
    struct evaluation result;
    struct error err;
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = used_us (), now;
        int count = 0;
        do {
            for (int i = 0; i < 100; i++, count++) {
                arena_reset (arena);
                if (evaluate_order (catalog, order, false, arena, &result, &err) < 0) {
                    fprintf (stderr, "%s\n", err.message);
                    exit (1);
                }
            }
            now = used_us ();
        } while (now - begin < 100000);
        rounds[round] = (double)(now - begin) / count;
    }
    *discount_count = result.discount_count;
    arena_destroy (&arena);
    qsort (rounds, ROUNDS, sizeof rounds[0], compare_doubles);
    return rounds[ROUNDS / 2];
}

int
main (void)
{
    static const uint32_t COUNTS[] = { 100, 200, 10000 };
    double us[3];
    struct arena *arena = need (arena_new (CATALOG_BYTES));
    struct order order = make_order (arena, LINES);
    for (int i = 0; i < 3; i++) {
        uint32_t discounts;
        struct catalog catalog = make_catalog (arena, COUNTS[i], SHARED_PROGRAMS);
        us[i] = time_evaluation (&catalog, &order, &discounts);
        printf ("%u lines, %5u programs: %7.2f µs (%u discounts)\n", LINES, COUNTS[i], us[i], discounts);
    }
    printf ("10,000 programs ÷ 100: %.2f\n", us[2] / us[0]);
    struct order large = make_order (arena, 542);
    uint32_t discounts;
    struct catalog catalog = make_catalog (arena, 200, SHARED_PROGRAMS);
    double large_us = time_evaluation (&catalog, &large, &discounts);
    printf ("542 lines,   200 programs: %7.2f µs (%u discounts)\n", large_us, discounts);
    catalog = make_catalog (arena, 200, 200);
    printf ("20 lines,   200 programs that all fit: %.2f µs", time_evaluation (&catalog, &order, &discounts));
    printf (" (%u discounts)\n", discounts);
    printf ("{\"evaluate_us\": %.2f, \"programs_ratio\": %.2f, \"evaluate_542_us\": %.2f}\n", us[1], us[2] / us[0],
            large_us);
    arena_destroy (&arena);
    return 0;
}
