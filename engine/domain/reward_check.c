/* reward_check.c - refusing rewards that contradict themselves, or lack what their type needs. */
#include "domain/filter.h"
#include "domain/program_check.h"
#include "domain/reward.h"

static bool
is_payment (const struct program *program, const struct reward *reward)
{
    return reward_layer (program, reward) == LAYER_PAYMENT;
}

/* A payment is of the whole order. */
static int
check_payment (const struct reward *reward, const struct program_place *place, struct error *err)
{
    if (reward->applicability != APPLY_ORDER)
        return program_refuse (err, place, "discount_applicability", "gift cards and wallets pay for the whole order");
    if (filter_names (&reward->filter) || filter_excludes (&reward->filter))
        return program_refuse (err, place, "discount_product_ids", "gift cards and wallets pay for the whole order");
    return 0;
}

static int
check_discount (const struct program *program, const struct reward *reward, const struct program_place *place,
                unsigned currency_digits, struct error *err)
{
    if (is_payment (program, reward) && check_payment (reward, place, err) < 0)
        return -1;
    if (reward->discount_micro <= 0)
        return program_refuse (err, place, "discount", "must be more than 0");
    if (reward->mode == DISCOUNT_PERCENT && reward->discount_micro > PERCENT_ONE)
        return program_refuse (err, place, "discount", "more than 100 %");
    if (reward->mode == DISCOUNT_PER_ORDER &&
        reward->discount_micro % decimal_power (MICRO_DIGITS - currency_digits) != 0)
        return program_refuse (err, place, "discount", "has more decimals than the currency");
    return 0;
}

static int
check_product (const struct reward *reward, const struct program_place *place, struct error *err)
{
    if (reward->reward_products.count == 0)
        return program_refuse (err, place, "reward_product_ids", "must name what is free");
    if (reward->reward_product_qty_micro < MICRO || reward->reward_product_qty_micro % MICRO != 0)
        return program_refuse (err, place, "reward_product_qty", "must be whole units, at least 1");
    if (reward->reward_product_qty_micro > FREE_UNITS_MAX * MICRO)
        return program_refuse (err, place, "reward_product_qty", "is out of range");
    return 0;
}

static int
check_special_price (const struct reward *reward, const struct program_place *place, struct error *err)
{
    if (reward->special_price_minor < 0)
        return program_refuse (err, place, "special_price", "must say what a unit costs, 0 or more");
    if (reward->max_units_micro < 0)
        return program_refuse (err, place, "max_units", "must not be negative");
    return 0;
}

static int
check_special_set (const struct reward *reward, const struct program_place *place, struct error *err)
{
    if (reward->set_item_count == 0)
        return program_refuse (err, place, "set_items", "must say what is in a set");
    for (uint32_t i = 0; i < reward->set_item_count; i++)
        if (reward->set_items[i].qty_micro < MICRO || reward->set_items[i].qty_micro % MICRO != 0)
            return program_refuse (err, place, "set_items", "each qty must be whole units, at least 1");
    if (reward->set_price_minor < 0)
        return program_refuse (err, place, "set_price", "must say what a set costs, 0 or more");
    if (reward->max_sets < 0)
        return program_refuse (err, place, "max_sets", "must not be negative");
    return 0;
}

static int
check_steps (const struct reward *reward, const struct program_place *place, struct error *err)
{
    if (reward->step_count == 0 || reward->step_count > REWARD_STEPS_MAX)
        return program_refuse (err, place, "discounts", "must name one to ten percentages");
    for (uint32_t s = 0; s < reward->step_count; s++)
        if (reward->step_percent_micro[s] <= 0 || reward->step_percent_micro[s] > PERCENT_ONE)
            return program_refuse (err, place, "discounts", "each must be more than 0 and at most 100 %");
    return 0;
}

static int
check_point (const struct program *program, const struct reward *reward, const struct program_place *place,
             struct error *err)
{
    if (reward->points <= 0)
        return program_refuse (err, place, "points", "must be more than 0");
    if (reward->points > POINTS_MAX)
        return program_refuse (err, place, "points", "is out of range");
    if (program->applies_on != APPLIES_BOTH)
        return program_refuse (err, place, "reward_type", "a program that keeps no card has none to add points to");
    return 0;
}

int
reward_check (const struct program *program, uint32_t index, unsigned currency_digits, struct error *err)
{
    const struct reward *reward = &program->rewards[index];
    struct program_place place = program_place ("rewards", index);
    for (uint32_t other = 0; other < index; other++)
        if (program->rewards[other].id == reward->id)
            return program_refuse (err, &place, "id", "is the id of another reward of the program");
    if (reward->required_points < 1)
        return program_refuse (err, &place, "required_points", "must be at least 0.01");
    if (reward->max_amount_minor < 0)
        return program_refuse (err, &place, "discount_max_amount", "must not be negative");
    switch (reward->type) {
    case REWARD_DISCOUNT:
        return check_discount (program, reward, &place, currency_digits, err);
    case REWARD_PRODUCT:
        return check_product (reward, &place, err);
    case REWARD_SPECIAL_PRICE:
        return check_special_price (reward, &place, err);
    case REWARD_SPECIAL_SET:
        return check_special_set (reward, &place, err);
    case REWARD_MULTIPLE_DISCOUNT:
        return check_steps (reward, &place, err);
    case REWARD_POINT:
        return check_point (program, reward, &place, err);
    }
    return 0;
}
