/* program_check.c - refusing programs that contradict themselves, or that this version cannot evaluate. */
#include "domain/program_check.h"

static const char *const TYPE_NAMES[] = { "promotion", "buy_x_get_y", "coupons",   "promo_code", "next_order_coupons",
                                          "referral",  "loyalty",     "gift_card", "ewallet" };
struct program_place
program_place (const char *list, uint32_t index)
{
    struct program_place place;
    struct text text = text_open (place.path, sizeof place.path);
    text_add (&text, list);
    text_add (&text, "[");
    text_add_int (&text, index);
    text_add (&text, "].");
    return place;
}

int
program_refuse (struct error *err, const struct program_place *place, const char *field, const char *why)
{
    char path[96];
    struct text text = text_open (path, sizeof path);
    text_add (&text, place != NULL ? place->path : "");
    text_add (&text, field);
    return error_field (err, ERROR_INVALID_REQUEST, path, "%s", why);
}

int
program_unsupported (struct error *err, const struct program_place *place, const char *field, const char *what)
{
    char why[96];
    struct text text = text_open (why, sizeof why);
    text_add (&text, "not supported yet: ");
    text_add (&text, what);
    return program_refuse (err, place, field, why);
}

/* Fields of a program that ask for more than this version does. */
static int
check_program_support (const struct program *program, struct error *err)
{
    if (program->type != PROGRAM_PROMOTION && program->type != PROGRAM_LOYALTY)
        return program_unsupported (err, NULL, "program_type", TYPE_NAMES[program->type]);
    if (program->trigger != TRIGGER_AUTO)
        return program_unsupported (err, NULL, "trigger", "with_code");
    if (program->applies_on == APPLIES_FUTURE)
        return program_unsupported (err, NULL, "applies_on", "future");
    if (program->has_membership)
        return program_unsupported (err, NULL, "membership_product_id", "programs of a membership");
    if (program->is_primary_loyalty)
        return program_unsupported (err, NULL, "is_primary_loyalty", "programs of a membership");
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        if (program->limits[limit] != 0)
            return program_unsupported (err, NULL, LIMIT_NAMES[limit], "usage limits");
    if (program->pending_days != 0)
        return program_unsupported (err, NULL, "pending_days", "points that become usable later");
    if (program->max_referral_usage != 0)
        return program_unsupported (err, NULL, "max_referral_usage", "referral");
    return 0;
}

static int
check_rule_support (const struct rule *rule, const struct program_place *place, struct error *err)
{
    if (rule->mode != RULE_AUTO)
        return program_unsupported (err, place, "mode", "with_code");
    if (rule->code.size > 0)
        return program_unsupported (err, place, "code", "codes");
    if (rule->membership_product_ids.count > 0)
        return program_unsupported (err, place, "membership_product_ids", "rules for levels");
    if (rule->first_order)
        return program_unsupported (err, place, "first_order", "rules for a first order");
    if (rule->has_birthday)
        return program_unsupported (err, place, "birthday", "rules around a birthday");
    if (rule->split)
        return program_unsupported (err, place, "reward_point_split", "a card per unit");
    return 0;
}

static int
check_dates (const struct program *program, struct error *err)
{
    if (program->has_date_from && program->has_date_to && program->date_from > program->date_to)
        return program_refuse (err, NULL, "date_to", "is before date_from");
    if (program->has_hours) {
        if (program->hours_from_minute < 0 || program->hours_from_minute >= 24 * 60 || program->hours_to_minute < 0 ||
            program->hours_to_minute > 24 * 60)
            return program_refuse (err, NULL, "hours", "from 00:00 to 23:59, to 00:00 to 24:00");
        if (program->hours_from_minute == program->hours_to_minute)
            return program_refuse (err, NULL, "hours", "begin and end at the same minute");
    }
    switch (program->expiry.policy) {
    case EXPIRY_DAYS:
    case EXPIRY_MONTHS:
    case EXPIRY_YEARS:
        if (program->expiry.count < 1)
            return program_refuse (err, NULL, "expiry.count", "must say after how many, at least 1");
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
    struct program_place place = program_place ("rules", index);
    for (uint32_t other = 0; other < index; other++)
        if (program->rules[other].id == rule->id)
            return program_refuse (err, &place, "id", "is the id of another rule of the program");
    if (rule->minimum_qty_micro < 0)
        return program_refuse (err, &place, "minimum_qty", "must not be negative");
    if (rule->minimum_amount_minor < 0)
        return program_refuse (err, &place, "minimum_amount", "must not be negative");
    if (rule->point_amount_micro < 0)
        return program_refuse (err, &place, "reward_point_amount", "must not be negative");
    return check_rule_support (rule, &place, err);
}

int
program_check (const struct program *program, unsigned currency_digits, struct error *err)
{
    if (currency_digits > MICRO_DIGITS)
        return error_set (err, ERROR_INVALID_REQUEST, "a currency has at most %d digits", MICRO_DIGITS);
    if (check_program_support (program, err) < 0 || check_dates (program, err) < 0)
        return -1;
    if (program->stacking == STACK_BEST_OF && program->best_of.size == 0)
        return program_refuse (err, NULL, "best_of", "stacking best_of needs the name of a group");
    if (program->stacking != STACK_BEST_OF && program->best_of.size > 0)
        return program_refuse (err, NULL, "best_of", "a group needs stacking best_of");
    for (uint32_t i = 0; i < program->rule_count; i++)
        if (check_rule (program, i, err) < 0)
            return -1;
    for (uint32_t i = 0; i < program->reward_count; i++)
        if (reward_check (program, i, currency_digits, err) < 0)
            return -1;
    return 0;
}
