/* program_check.c - refusing programs that contradict themselves, or that this version cannot evaluate. */
#include "domain/catalog.h"

#include "domain/text.h"

#define PERCENT_ONE INT64_C (100000000) /* 100 % in millionths */

static const char *const TYPE_NAMES[] = { "promotion", "buy_x_get_y", "coupons",   "promo_code", "next_order_coupons",
                                          "referral",  "loyalty",     "gift_card", "ewallet" };
static const char *const REWARD_TYPE_NAMES[] = { "discount",    "product",           "special_price",
                                                 "special_set", "multiple_discount", "point" };

/* Where in the program the checker is looking: "rules[2]." or nothing. */
struct place {
    char path[64];
};

static struct place
place_of (const char *list, uint32_t index)
{
    struct place place;
    struct text text = text_open (place.path, sizeof place.path);
    text_add (&text, list);
    text_add (&text, "[");
    text_add_int (&text, index);
    text_add (&text, "].");
    return place;
}

static int
refuse (struct error *err, const struct place *place, const char *field, const char *why)
{
    char path[96];
    struct text text = text_open (path, sizeof path);
    text_add (&text, place != NULL ? place->path : "");
    text_add (&text, field);
    return error_field (err, ERROR_INVALID_REQUEST, path, "%s", why);
}

static int
unsupported (struct error *err, const struct place *place, const char *field, const char *what)
{
    char why[96];
    struct text text = text_open (why, sizeof why);
    text_add (&text, "not supported yet: ");
    text_add (&text, what);
    return refuse (err, place, field, why);
}

/* Fields of a program that ask for more than this version does. */
static int
check_program_support (const struct program *program, struct error *err)
{
    if (program->type != PROGRAM_PROMOTION && program->type != PROGRAM_LOYALTY)
        return unsupported (err, NULL, "program_type", TYPE_NAMES[program->type]);
    if (program->trigger != TRIGGER_AUTO)
        return unsupported (err, NULL, "trigger", "with_code");
    if (program->applies_on == APPLIES_FUTURE)
        return unsupported (err, NULL, "applies_on", "future");
    if (program->has_membership)
        return unsupported (err, NULL, "membership_product_id", "programs of a membership");
    if (program->is_primary_loyalty)
        return unsupported (err, NULL, "is_primary_loyalty", "programs of a membership");
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        if (program->limits[limit] != 0)
            return unsupported (err, NULL, LIMIT_NAMES[limit], "usage limits");
    if (program->pending_days != 0)
        return unsupported (err, NULL, "pending_days", "points that become usable later");
    if (program->max_referral_usage != 0)
        return unsupported (err, NULL, "max_referral_usage", "referral");
    return 0;
}

static int
check_rule_support (const struct rule *rule, const struct place *place, struct error *err)
{
    if (rule->mode != RULE_AUTO)
        return unsupported (err, place, "mode", "with_code");
    if (rule->code.size > 0)
        return unsupported (err, place, "code", "codes");
    if (rule->membership_product_ids.count > 0)
        return unsupported (err, place, "membership_product_ids", "rules for levels");
    if (rule->first_order)
        return unsupported (err, place, "first_order", "rules for a first order");
    if (rule->has_birthday)
        return unsupported (err, place, "birthday", "rules around a birthday");
    if (rule->split)
        return unsupported (err, place, "reward_point_split", "a card per unit");
    return 0;
}

static int
check_dates (const struct program *program, struct error *err)
{
    if (program->has_date_from && program->has_date_to && program->date_from > program->date_to)
        return refuse (err, NULL, "date_to", "is before date_from");
    if (program->has_hours) {
        if (program->hours_from_minute < 0 || program->hours_from_minute >= 24 * 60 || program->hours_to_minute < 0 ||
            program->hours_to_minute > 24 * 60)
            return refuse (err, NULL, "hours", "from 00:00 to 23:59, to 00:00 to 24:00");
        if (program->hours_from_minute == program->hours_to_minute)
            return refuse (err, NULL, "hours", "begin and end at the same minute");
    }
    switch (program->expiry.policy) {
    case EXPIRY_DAYS:
    case EXPIRY_MONTHS:
    case EXPIRY_YEARS:
        if (program->expiry.count < 1)
            return refuse (err, NULL, "expiry.count", "must say after how many, at least 1");
        break;
    case EXPIRY_NEVER:
    case EXPIRY_END_OF_MONTH:
    case EXPIRY_END_OF_YEAR:
    case EXPIRY_DATE:
        break;
    }
    return 0;
}

static int
check_rule (const struct program *program, uint32_t index, struct error *err)
{
    const struct rule *rule = &program->rules[index];
    struct place place = place_of ("rules", index);
    for (uint32_t other = 0; other < index; other++)
        if (program->rules[other].id == rule->id)
            return refuse (err, &place, "id", "is the id of another rule of the program");
    if (rule->minimum_qty_micro < 0)
        return refuse (err, &place, "minimum_qty", "must not be negative");
    if (rule->minimum_amount_minor < 0)
        return refuse (err, &place, "minimum_amount", "must not be negative");
    if (rule->point_amount_micro < 0)
        return refuse (err, &place, "reward_point_amount", "must not be negative");
    return check_rule_support (rule, &place, err);
}

static int
check_discount (const struct reward *reward, const struct place *place, unsigned currency_digits, struct error *err)
{
    if (reward->applicability == APPLY_CHEAPEST)
        return unsupported (err, place, "discount_applicability", "cheapest");
    if (reward->discount_micro <= 0)
        return refuse (err, place, "discount", "must be more than 0");
    if (reward->max_amount_minor < 0)
        return refuse (err, place, "discount_max_amount", "must not be negative");
    if (reward->mode == DISCOUNT_PERCENT && reward->discount_micro > PERCENT_ONE)
        return refuse (err, place, "discount", "more than 100 %");
    if (reward->mode == DISCOUNT_PER_ORDER &&
        reward->discount_micro % decimal_power (MICRO_DIGITS - currency_digits) != 0)
        return refuse (err, place, "discount", "has more decimals than the currency");
    return 0;
}

static int
check_reward (const struct program *program, uint32_t index, unsigned currency_digits, struct error *err)
{
    const struct reward *reward = &program->rewards[index];
    struct place place = place_of ("rewards", index);
    for (uint32_t other = 0; other < index; other++)
        if (program->rewards[other].id == reward->id)
            return refuse (err, &place, "id", "is the id of another reward of the program");
    if (reward->required_points < 1)
        return refuse (err, &place, "required_points", "must be at least 0.01");
    if (reward->type != REWARD_DISCOUNT)
        return unsupported (err, &place, "reward_type", REWARD_TYPE_NAMES[reward->type]);
    return check_discount (reward, &place, currency_digits, err);
}

int
program_check (const struct program *program, unsigned currency_digits, struct error *err)
{
    if (currency_digits > MICRO_DIGITS)
        return error_set (err, ERROR_INVALID_REQUEST, "a currency has at most %d digits", MICRO_DIGITS);
    if (check_program_support (program, err) < 0 || check_dates (program, err) < 0)
        return -1;
    if (program->stacking == STACK_BEST_OF && program->best_of.size == 0)
        return refuse (err, NULL, "best_of", "stacking best_of needs the name of a group");
    if (program->stacking != STACK_BEST_OF && program->best_of.size > 0)
        return refuse (err, NULL, "best_of", "a group needs stacking best_of");
    for (uint32_t i = 0; i < program->rule_count; i++)
        if (check_rule (program, i, err) < 0)
            return -1;
    for (uint32_t i = 0; i < program->reward_count; i++)
        if (check_reward (program, i, currency_digits, err) < 0)
            return -1;
    return 0;
}
