/* program_check.c - refusing programs that contradict themselves, or that this version cannot evaluate. */
#include "domain/program_check.h"

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

/* Days before and after a birthday: within half a year, so that each day is near to one birthday alone. */
enum { BIRTHDAY_DAYS_MAX = 182, CODE_BYTES_MAX = 64 };

static int
check_membership (const struct program *program, struct error *err)
{
    if (!program->is_primary_loyalty)
        return 0;
    if (program->type != PROGRAM_LOYALTY || program->applies_on != APPLIES_BOTH)
        return program_refuse (err, NULL, "is_primary_loyalty", "only a loyalty program that applies to both");
    if (!program->has_membership)
        return program_refuse (err, NULL, "is_primary_loyalty", "needs membership_product_id: of which it is primary");
    return 0;
}

static int
check_limits (const struct program *program, struct error *err)
{
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        if (program->limits[limit] < 0)
            return program_refuse (err, NULL, LIMIT_NAMES[limit], "must not be negative");
    if (program->pending_days < 0)
        return program_refuse (err, NULL, "pending_days", "must not be negative");
    if (program->restore_extends != (program->extend_days > 0))
        return program_refuse (err, NULL, "extend_days",
                               program->restore_extends ? "restore_expired extend_days needs the days"
                                                        : "only with restore_expired extend_days");
    if (program->type != PROGRAM_REFERRAL && program->max_referral_usage != 0)
        return program_refuse (err, NULL, "max_referral_usage", "only of a referral program");
    return 0;
}

static bool
is_blank (struct str code)
{
    for (uint32_t i = 0; i < code.size; i++)
        if (code.data[i] != ' ')
            return false;
    return true;
}

static int
check_code (const struct program *program, uint32_t index, const struct program_place *place, struct error *err)
{
    const struct rule *rule = &program->rules[index];
    if (rule->code.size == 0)
        return rule->mode == RULE_WITH_CODE ? program_refuse (err, place, "code", "mode with_code needs a code") : 0;
    if (is_blank (rule->code) || rule->code.size > CODE_BYTES_MAX)
        return program_refuse (err, place, "code", "must be 1 to 64 bytes, not all blank");
    switch (program->type) {
    case PROGRAM_REFERRAL:
    case PROGRAM_GIFT_CARD:
    case PROGRAM_EWALLET:
        return program_refuse (err, place, "code", "programs of this type are entered by the codes of their cards");
    default:
        break;
    }
    for (uint32_t other = 0; other < index; other++)
        if (program->rules[other].code.size > 0 && code_compare (program->rules[other].code, rule->code) == 0)
            return program_refuse (err, place, "code", "is the code of another rule of the program");
    return 0;
}

static int
check_conditions (const struct program *program, const struct rule *rule, const struct program_place *place,
                  struct error *err)
{
    if (rule->split && program->applies_on != APPLIES_FUTURE)
        return program_refuse (err, place, "reward_point_split", "only in a program that applies to future orders");
    if (rule->split && rule->point_mode == POINTS_PER_ORDER)
        return program_refuse (err, place, "reward_point_split", "only by unit or by money");
    if (rule->has_birthday && (rule->birthday_days_before < 0 || rule->birthday_days_before > BIRTHDAY_DAYS_MAX ||
                               rule->birthday_days_after < 0 || rule->birthday_days_after > BIRTHDAY_DAYS_MAX))
        return program_refuse (err, place, "birthday", "0 to 182 days before and after");
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
    return check_code (program, index, &place, err) < 0 ? -1 : check_conditions (program, rule, &place, err);
}

int
program_check (const struct program *program, unsigned currency_digits, struct error *err)
{
    if (currency_digits > MICRO_DIGITS)
        return error_set (err, ERROR_INVALID_REQUEST, "a currency has at most %d digits", MICRO_DIGITS);
    if (check_membership (program, err) < 0 || check_limits (program, err) < 0 || check_dates (program, err) < 0)
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
