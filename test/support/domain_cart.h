/* domain_cart.h - catalogs and orders for tests of the evaluation, written in few words.
 *
 * Amounts are texts as people write them ("12.50"). Everything lives in the cart's arena. */
#ifndef TEST_DOMAIN_CART_H
#define TEST_DOMAIN_CART_H

#include "domain/evaluate.h"

#include <stdio.h>
#include <stdlib.h>

enum { CART_PROGRAMS_MAX = 64, CART_LINES_MAX = 64, CART_PER_PROGRAM_MAX = 8, CART_CARDS_MAX = 8, CART_CLAIMS_MAX = 16 };

struct cart {
    struct arena *arena;
    struct program programs[CART_PROGRAMS_MAX];
    struct order_line lines[CART_LINES_MAX];
    struct card_state cards[CART_CARDS_MAX];
    struct claim claims[CART_CLAIMS_MAX];
    struct catalog catalog;
    struct order order;
    struct evaluation result;
    struct error err;
};

static inline int64_t
number (const char *text, unsigned digits)
{
    int64_t value;
    if (!decimal_parse (str_of (text), digits, &value)) {
        fprintf (stderr, "bad number in a test: %s\n", text);
        abort ();
    }
    return value;
}

#define MICROS(text) number ((text), MICRO_DIGITS)
#define MONEY(text) number ((text), 2)
#define POINTS(text) number ((text), POINTS_DIGITS)

/* 2010-12-16 (a Thursday) 12:00 UTC. */
#define CART_NOON ((int64_t)14959 * US_PER_DAY + 12 * 60 * US_PER_MINUTE)

static inline struct cart *
cart_new (void)
{
    struct arena *arena = arena_new (64 << 20);
    struct cart *cart = arena_new_of (arena, struct cart);
    cart->arena = arena;
    cart->catalog.currency_digits = 2;
    cart->catalog.version = 1;
    cart->catalog.programs = cart->programs;
    cart->order.order_id = STR ("test");
    cart->order.instant = CART_NOON;
    cart->order.auto_claim = true;
    cart->order.lines = cart->lines;
    cart->order.cards = cart->cards;
    cart->order.claims = cart->claims;
    return cart;
}

static inline void
cart_free (struct cart *cart)
{
    struct arena *arena = cart->arena;
    arena_destroy (&arena);
}

static inline struct id_list
cart_ids (struct cart *cart, uint32_t count, const int64_t *ids)
{
    int64_t *copy = arena_array_of (cart->arena, count, int64_t);
    memcpy (copy, ids, count * sizeof *ids);
    return (struct id_list){ count, copy };
}

#define IDS(cart, ...) \
    cart_ids ((cart), sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t), (int64_t[]){ __VA_ARGS__ })

/* An active automatic promotion without rules and rewards. Programs are sorted by id when the cart runs. */
static inline struct program *
cart_promotion (struct cart *cart, int64_t id)
{
    struct program *program = &cart->programs[cart->catalog.program_count++];
    *program = (struct program){ .id = id, .name = STR ("promotion"), .type = PROGRAM_PROMOTION, .state = PROGRAM_ACTIVE };
    program->rules = arena_array_of (cart->arena, CART_PER_PROGRAM_MAX, struct rule);
    program->rewards = arena_array_of (cart->arena, CART_PER_PROGRAM_MAX, struct reward);
    return program;
}

static inline struct program *
cart_loyalty (struct cart *cart, int64_t id)
{
    struct program *program = cart_promotion (cart, id);
    program->type = PROGRAM_LOYALTY;
    program->applies_on = APPLIES_BOTH;
    return program;
}

/* A rule: points by `mode`. It fits everything until its filter names something. */
static inline struct rule *
cart_rule (struct program *program, enum point_mode mode, const char *amount)
{
    struct rule *rule = (struct rule *)&program->rules[program->rule_count++];
    *rule = (struct rule){ .id = program->rule_count, .point_mode = mode, .point_amount_micro = MICROS (amount) };
    return rule;
}

/* A discount of one point, on the whole order. */
static inline struct reward *
cart_discount (struct program *program, enum discount_mode mode, const char *discount)
{
    struct reward *reward = (struct reward *)&program->rewards[program->reward_count++];
    *reward = (struct reward){ .id = program->reward_count,
                               .type = REWARD_DISCOUNT,
                               .required_points = POINT,
                               .mode = mode,
                               .discount_micro = MICROS (discount),
                               .applicability = APPLY_ORDER };
    return reward;
}

/* A promotion that gives a reward of this type to every order, for one point. */
static inline struct reward *cart_offer (struct cart *cart, int64_t program_id, enum discount_mode mode, const char *discount);

static inline struct reward *
cart_offer_of (struct cart *cart, int64_t program_id, enum reward_type type)
{
    struct reward *reward = cart_offer (cart, program_id, DISCOUNT_PERCENT, "0");
    reward->type = type;
    reward->reward_product_qty_micro = MICRO;
    return reward;
}

static inline struct set_item *
cart_set_item (struct cart *cart, struct reward *reward, const char *qty, struct id_list products)
{
    if (reward->set_items == NULL)
        reward->set_items = arena_array_of (cart->arena, CART_PER_PROGRAM_MAX, struct set_item);
    struct set_item *item = (struct set_item *)&reward->set_items[reward->set_item_count++];
    *item = (struct set_item){ .filter.products = products, .qty_micro = MICROS (qty) };
    return item;
}

/* A promotion that gives a discount to every order. */
static inline struct reward *
cart_offer (struct cart *cart, int64_t program_id, enum discount_mode mode, const char *discount)
{
    struct program *program = cart_promotion (cart, program_id);
    cart_rule (program, POINTS_PER_ORDER, "1");
    return cart_discount (program, mode, discount);
}

static inline struct reward *
cart_offer_on (struct cart *cart, int64_t program_id, enum discount_mode mode, const char *discount, struct id_list products)
{
    struct reward *reward = cart_offer (cart, program_id, mode, discount);
    reward->applicability = APPLY_SPECIFIC;
    reward->filter.products = products;
    return reward;
}

static inline struct program *
cart_program (struct cart *cart, int64_t id)
{
    for (uint32_t i = 0; i < cart->catalog.program_count; i++)
        if (cart->programs[i].id == id)
            return &cart->programs[i];
    abort ();
}

static inline struct order_line *
cart_line (struct cart *cart, int64_t product_id, const char *qty, const char *price)
{
    struct order_line *line = &cart->lines[cart->order.line_count++];
    *line = (struct order_line){ .product_id = product_id,
                                 .qty_micro = MICROS (qty),
                                 .price_unit_micro = MICROS (price),
                                 .product_known = true,
                                 .product_active = true };
    return line;
}

static inline struct tax *
cart_tax (struct cart *cart, struct order_line *line, int64_t id, const char *amount, bool included)
{
    if (line->taxes == NULL)
        line->taxes = arena_array_of (cart->arena, TAXES_PER_LINE_MAX, struct tax);
    struct tax *tax = (struct tax *)&line->taxes[line->tax_count++];
    *tax = (struct tax){ .id = id, .type = TAX_PERCENT, .amount_micro = MICROS (amount), .included = included };
    return tax;
}

static inline void
cart_member (struct cart *cart, int64_t partner_id)
{
    cart->order.has_partner = cart->order.member.known = true;
    cart->order.partner_id = cart->order.member.partner_id = partner_id;
}

/* A card of the order's member; of nobody, and shown, when there is none. */
static inline struct card_state *
cart_card (struct cart *cart, int64_t card_id, int64_t program_id, const char *points)
{
    struct card_state *card = &cart->cards[cart->order.card_count++];
    *card = (struct card_state){ .card_id = card_id,
                                 .program_id = program_id,
                                 .has_partner = cart->order.has_partner,
                                 .partner_id = cart->order.partner_id,
                                 .presented = !cart->order.has_partner,
                                 .usable = POINTS (points) };
    return card;
}

static inline struct claim *
cart_claim (struct cart *cart, int64_t program_id)
{
    struct claim *claim = &cart->claims[cart->order.claim_count++];
    *claim = (struct claim){ .has_program = true, .program_id = program_id };
    return claim;
}

/* Builds the catalog and evaluates; what evaluate_order says. */
static inline int
cart_run_as (struct cart *cart, bool strict)
{
    if (catalog_build (&cart->catalog, cart->arena, &cart->err) < 0)
        return -1;
    return evaluate_order (&cart->catalog, &cart->order, strict, cart->arena, &cart->result, &cart->err);
}

static inline int
cart_run (struct cart *cart)
{
    return cart_run_as (cart, false);
}

/* The discount of a program; NULL when it gave none. */
static inline const struct discount *
cart_gave (const struct cart *cart, int64_t program_id)
{
    for (uint32_t i = 0; i < cart->result.discount_count; i++)
        if (cart->result.discounts[i].program_id == program_id)
            return &cart->result.discounts[i];
    return NULL;
}

static inline int64_t
cart_saved (const struct cart *cart, int64_t program_id)
{
    int64_t saved = 0;
    for (uint32_t i = 0; i < cart->result.discount_count; i++)
        if (cart->result.discounts[i].program_id == program_id)
            saved += cart->result.discounts[i].amount_minor;
    return saved;
}

/* The order's points of a program; 0 when no card moved. */
static inline int64_t
cart_earned (const struct cart *cart, int64_t program_id)
{
    int64_t earned = 0;
    for (uint32_t i = 0; i < cart->result.points_count; i++)
        if (cart->result.points[i].program_id == program_id)
            earned += cart->result.points[i].earned;
    return earned;
}

static inline int64_t
cart_redeemed (const struct cart *cart, int64_t program_id)
{
    int64_t redeemed = 0;
    for (uint32_t i = 0; i < cart->result.points_count; i++)
        if (cart->result.points[i].program_id == program_id)
            redeemed += cart->result.points[i].redeemed;
    return redeemed;
}

/* A tax of the order. */
static inline int64_t
cart_order_tax (const struct cart *cart, int64_t tax_id)
{
    for (uint32_t i = 0; i < cart->result.tax_count; i++)
        if (cart->result.taxes[i].tax_id == tax_id)
            return cart->result.taxes[i].amount_minor;
    return 0;
}

static inline enum reason
cart_rejected (const struct cart *cart, int64_t program_id)
{
    for (uint32_t i = 0; i < cart->result.rejection_count; i++)
        if (cart->result.rejections[i].program_id == program_id)
            return cart->result.rejections[i].reason;
    return REASON_NONE;
}

/* What does not add up in the last answer, or NULL: parts to discounts, discounts and lines to the order, taxes to
 * taxes, nothing below zero that was not before. */
static inline const char *
cart_unsound (const struct cart *cart)
{
    const struct evaluation *result = &cart->result;
    int64_t untaxed = 0, tax = 0, total = 0, discounts = 0, taxes = 0, paid = 0;
    int64_t taken[CART_LINES_MAX] = { 0 };
    for (uint32_t d = 0; d < result->discount_count; d++) {
        const struct discount *discount = &result->discounts[d];
        int64_t parts = 0, discount_tax = 0;
        for (uint32_t p = 0; p < discount->part_count; p++) {
            if (discount->parts[p].amount_minor <= 0)
                return "a part is not above 0";
            parts += discount->parts[p].amount_minor;
            taken[discount->parts[p].line] += discount->parts[p].amount_minor;
        }
        for (uint32_t k = 0; k < discount->tax_count; k++)
            discount_tax += discount->taxes[k].amount_minor;
        bool payment = discount->layer == LAYER_PAYMENT;
        bool gives = discount->points_given > 0 || discount->free_qty_micro > 0;
        if (discount->amount_minor < 0 || (discount->amount_minor == 0) != gives)
            return "a discount takes nothing off";
        if (payment ? discount->part_count + discount->tax_count > 0 : parts != discount->amount_minor)
            return "parts do not add up to their discount";
        paid += payment ? discount->amount_minor : 0;
        if (discount->untaxed_minor + discount_tax != discount->amount_minor)
            return "a discount's untaxed amount and taxes do not add up";
        if (discount->points_cost < 0)
            return "a discount costs less than no points";
        discounts += discount->amount_minor;
    }
    for (uint32_t i = 0; i < cart->order.line_count; i++) {
        const struct line_result *line = &result->lines[i];
        int64_t line_tax = 0;
        for (uint32_t j = 0; j < line->tax_count; j++)
            line_tax += line->taxes[j].amount_minor;
        if (line->untaxed_minor + line->tax_minor != line->total_minor)
            return "a line's untaxed amount and tax do not add up";
        if (line->discount_minor != taken[i] || line->net_minor != line->total_minor - line->discount_minor)
            return "a line's parts of discounts do not add up";
        if (line_tax != line->net_tax_minor || line->net_untaxed_minor + line_tax != line->net_minor)
            return "a line's net and its taxes do not add up";
        if (line->discount_minor < 0 || (line->total_minor >= 0 && line->net_minor < 0))
            return "a line falls below 0";
        untaxed += line->net_untaxed_minor;
        tax += line->net_tax_minor;
        total += line->net_minor;
    }
    for (uint32_t k = 0; k < result->tax_count; k++) {
        int64_t of_lines = 0;
        taxes += result->taxes[k].amount_minor;
        for (uint32_t i = 0; i < cart->order.line_count; i++)
            for (uint32_t j = 0; j < result->lines[i].tax_count; j++)
                if (result->lines[i].taxes[j].tax_id == result->taxes[k].tax_id)
                    of_lines += result->lines[i].taxes[j].amount_minor;
        for (uint32_t d = 0; d < result->discount_count; d++)
            for (uint32_t j = 0; j < result->discounts[d].tax_count; j++)
                if (result->discounts[d].taxes[j].tax_id == result->taxes[k].tax_id &&
                    result->discounts[d].taxes[j].amount_minor < 0)
                    return "a discount takes less than no tax";
        if (of_lines != result->taxes[k].amount_minor)
            return "a tax of lines does not add up to the order's";
    }
    untaxed -= paid;
    total -= paid;
    if (untaxed != result->untaxed_minor || tax != result->tax_minor || total != result->total_minor)
        return "lines do not add up to the order";
    if (taxes != result->tax_minor || untaxed + tax != total)
        return "the order's taxes do not add up";
    int64_t before_tax = 0, before = 0, discount_taxes = 0;
    for (uint32_t i = 0; i < cart->order.line_count; i++) {
        before_tax += result->lines[i].tax_minor;
        before += result->lines[i].total_minor;
    }
    for (uint32_t d = 0; d < result->discount_count; d++)
        discount_taxes += result->discounts[d].amount_minor - result->discounts[d].untaxed_minor;
    if (before - discounts != total)
        return "discounts do not add up to what the order costs less";
    if (before_tax - discount_taxes != tax)
        return "the discounts' taxes do not add up to what the order's fall by";
    for (uint32_t p = 0; p < result->points_count; p++)
        if (result->points[p].earned < 0 || result->points[p].redeemed < 0)
            return "points below 0";
    return NULL;
}

#endif
