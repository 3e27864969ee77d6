/* program_decode.c - see program_decode.h. */
#include "worker/program_decode.h"

#include <stdlib.h>

static int
compare_int64 (const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct id_list
id_list_of (const struct wire_value *value, struct arena *arena)
{
    uint32_t count = value->list.count, kept = 0;
    if (count == 0)
        return (struct id_list){ 0, NULL };
    int64_t *ids = arena_array_of (arena, count, int64_t);
    if (ids == NULL)
        return (struct id_list){ count, NULL };
    memcpy (ids, value->list.integers, count * sizeof *ids);
    qsort (ids, count, sizeof *ids, compare_int64);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            ids[kept++] = ids[i];
    return (struct id_list){ kept, ids };
}

/* A text that outlives the record it came in. data NULL with size > 0: out of memory. */
static struct str
kept_text (const struct wire_value *value, struct arena *arena)
{
    if (value->text.size == 0)
        return (struct str){ NULL, 0 };
    return (struct str){ arena_str (arena, value->text).data, value->text.size };
}

/* Where a schema keeps the parts of a product filter; -1: it has no such field. */
struct filter_fields {
    int products, category, tag, exclude_products, exclude_category, exclude_tag;
};

static struct product_filter
filter_of (const struct wire_value *fields, struct filter_fields at, struct arena *arena)
{
    struct product_filter filter = { .products = id_list_of (&fields[at.products], arena) };
    if (fields[at.category].present) {
        filter.has_category = true;
        filter.category_id = fields[at.category].integer;
    }
    if (fields[at.tag].present)
        filter.tag = kept_text (&fields[at.tag], arena);
    if (at.exclude_products < 0)
        return filter;
    filter.exclude_products = id_list_of (&fields[at.exclude_products], arena);
    if (fields[at.exclude_category].present) {
        filter.has_exclude_category = true;
        filter.exclude_category_id = fields[at.exclude_category].integer;
    }
    if (fields[at.exclude_tag].present)
        filter.exclude_tag = kept_text (&fields[at.exclude_tag], arena);
    return filter;
}

static void
rule_of (const struct wire_record *record, uint32_t position, struct arena *arena, struct rule *rule)
{
    static const struct filter_fields FILTER = {
        F_RULE_PRODUCT_IDS,         F_RULE_CATEGORY_ID,         F_RULE_TAG,
        F_RULE_EXCLUDE_PRODUCT_IDS, F_RULE_EXCLUDE_CATEGORY_ID, F_RULE_EXCLUDE_TAG
    };
    const struct wire_value *fields = record->fields;
    *rule = (struct rule){
        .id = fields[F_RULE_ID].present ? fields[F_RULE_ID].integer : position + 1,
        .minimum_qty_micro = fields[F_RULE_MINIMUM_QTY].integer,
        .minimum_amount_minor = fields[F_RULE_MINIMUM_AMOUNT].integer,
        .minimum_amount_tax_mode = (enum tax_mode)fields[F_RULE_MINIMUM_AMOUNT_TAX_MODE].integer,
        .filter = filter_of (fields, FILTER, arena),
        .membership_product_ids = id_list_of (&fields[F_RULE_MEMBERSHIP_PRODUCT_IDS], arena),
        .first_order = fields[F_RULE_FIRST_ORDER].boolean,
        .mode = (enum rule_mode)fields[F_RULE_MODE].integer,
        .point_mode = (enum point_mode)fields[F_RULE_REWARD_POINT_MODE].integer,
        .point_amount_micro = fields[F_RULE_REWARD_POINT_AMOUNT].integer,
        .split = fields[F_RULE_REWARD_POINT_SPLIT].boolean,
    };
    if (fields[F_RULE_CODE].present)
        rule->code = kept_text (&fields[F_RULE_CODE], arena);
    const struct wire_record *birthday = fields[F_RULE_BIRTHDAY].record;
    if (birthday != NULL) {
        rule->has_birthday = true;
        rule->birthday_days_before = (int)birthday->fields[F_BIRTHDAY_DAYS_BEFORE].integer;
        rule->birthday_days_after = (int)birthday->fields[F_BIRTHDAY_DAYS_AFTER].integer;
    }
}

/* A price that is not given is none: what is meant to be free says 0. */
static int64_t
price_of (const struct wire_value *value)
{
    return value->present ? value->integer : -1;
}

static int
reward_of (const struct wire_record *record, uint32_t position, struct arena *arena, struct reward *reward)
{
    static const struct filter_fields FILTER = { F_REWARD_DISCOUNT_PRODUCT_IDS, F_REWARD_DISCOUNT_CATEGORY_ID,
                                                 F_REWARD_DISCOUNT_TAG,         F_REWARD_EXCLUDE_PRODUCT_IDS,
                                                 F_REWARD_EXCLUDE_CATEGORY_ID,  F_REWARD_EXCLUDE_TAG };
    static const struct filter_fields ITEM = {
        F_SET_ITEM_PRODUCT_IDS, F_SET_ITEM_CATEGORY_ID, F_SET_ITEM_TAG, -1, -1, -1
    };
    const struct wire_value *fields = record->fields;
    *reward = (struct reward){
        .id = fields[F_REWARD_ID].present ? fields[F_REWARD_ID].integer : position + 1,
        .description = kept_text (&fields[F_REWARD_DESCRIPTION], arena),
        .type = (enum reward_type)fields[F_REWARD_REWARD_TYPE].integer,
        .required_points = fields[F_REWARD_REQUIRED_POINTS].integer,
        .clear_wallet = fields[F_REWARD_CLEAR_WALLET].boolean,
        .discount_micro = fields[F_REWARD_DISCOUNT].integer,
        .mode = (enum discount_mode)fields[F_REWARD_DISCOUNT_MODE].integer,
        .applicability = (enum applicability)fields[F_REWARD_DISCOUNT_APPLICABILITY].integer,
        .max_amount_minor = fields[F_REWARD_DISCOUNT_MAX_AMOUNT].integer,
        .filter = filter_of (fields, FILTER, arena),
        .reward_products = id_list_of (&fields[F_REWARD_REWARD_PRODUCT_IDS], arena),
        .reward_product_qty_micro = fields[F_REWARD_REWARD_PRODUCT_QTY].integer,
        .special_price_minor = price_of (&fields[F_REWARD_SPECIAL_PRICE]),
        .max_units_micro = fields[F_REWARD_MAX_UNITS].integer,
        .set_item_count = fields[F_REWARD_SET_ITEMS].list.count,
        .set_price_minor = price_of (&fields[F_REWARD_SET_PRICE]),
        .max_sets = fields[F_REWARD_MAX_SETS].integer,
        .step_count = fields[F_REWARD_DISCOUNTS].list.count,
        .points = fields[F_REWARD_POINTS].integer,
    };
    struct set_item *items = arena_array_of (arena, reward->set_item_count + 1, struct set_item);
    int64_t *steps = arena_array_of (arena, reward->step_count + 1, int64_t);
    if (items == NULL || steps == NULL)
        return -1;
    for (uint32_t i = 0; i < reward->set_item_count; i++) {
        const struct wire_value *item = fields[F_REWARD_SET_ITEMS].list.records[i]->fields;
        items[i] = (struct set_item){ filter_of (item, ITEM, arena), item[F_SET_ITEM_QTY].integer };
    }
    for (uint32_t i = 0; i < reward->step_count; i++)
        steps[i] = fields[F_REWARD_DISCOUNTS].list.records[i]->fields[F_DISCOUNT_STEP_DISCOUNT].integer;
    reward->set_items = items;
    reward->step_percent_micro = steps;
    return 0;
}

/* "17:00" as a minute of the day; "24:00" is the day's end. -1: it is not a time. */
static int
minute_of (struct str text)
{
    const char *at = text.data;
    if (text.size != 5 || at[2] != ':')
        return -1;
    for (int i = 0; i < 5; i++)
        if (i != 2 && (at[i] < '0' || at[i] > '9'))
            return -1;
    int minute = ((at[0] - '0') * 10 + at[1] - '0') * 60 + (at[3] - '0') * 10 + at[4] - '0';
    return at[3] > '5' || minute > 24 * 60 ? -1 : minute;
}

static int
hours_of (const struct wire_value *hours, struct program *program, struct error *err)
{
    if (hours->list.count == 0)
        return 0;
    if (hours->list.count != 2)
        return error_field (err, ERROR_INVALID_REQUEST, "hours", "needs two times, from and to");
    program->has_hours = true;
    program->hours_from_minute = minute_of (hours->list.texts[0]);
    program->hours_to_minute = minute_of (hours->list.texts[1]);
    if (program->hours_from_minute < 0 || program->hours_to_minute < 0)
        return error_field (err, ERROR_INVALID_REQUEST, program->hours_from_minute < 0 ? "hours[0]" : "hours[1]",
                            "must be a time of day as HH:MM");
    return 0;
}

static int
expiry_of (const struct wire_record *record, struct expiry *expiry, struct error *err)
{
    if (record == NULL)
        return 0;
    const struct wire_value *count = &record->fields[F_EXPIRY_COUNT], *date = &record->fields[F_EXPIRY_DATE];
    *expiry = (struct expiry){ .policy = (enum expiry_policy)record->fields[F_EXPIRY_POLICY].integer,
                               .count = (int)count->integer,
                               .date = (int32_t)date->integer };
    bool counts = expiry->policy == EXPIRY_DAYS || expiry->policy == EXPIRY_MONTHS || expiry->policy == EXPIRY_YEARS;
    if (count->present && !counts)
        return error_field (err, ERROR_INVALID_REQUEST, "expiry.count", "only with policy days, months or years");
    if (date->present != (expiry->policy == EXPIRY_DATE))
        return error_field (err, ERROR_INVALID_REQUEST, "expiry.date", "%s",
                            date->present ? "only with policy date" : "policy date needs the last day");
    return 0;
}

static unsigned
mask_of (const struct wire_value *names)
{
    unsigned mask = 0;
    for (uint32_t i = 0; i < names->list.count; i++)
        mask |= 1u << names->list.integers[i];
    return mask;
}

/* Whom points serve when the program does not say: as Odoo sets it for each type. */
static enum applies_on
applies_on_of (enum program_type type)
{
    switch (type) {
    case PROGRAM_LOYALTY:
        return APPLIES_BOTH;
    case PROGRAM_NEXT_ORDER_COUPONS:
    case PROGRAM_GIFT_CARD:
    case PROGRAM_EWALLET:
        return APPLIES_FUTURE;
    default:
        return APPLIES_CURRENT;
    }
}

static int
parts_of (const struct wire_value *fields, struct arena *arena, struct program *program)
{
    program->rule_count = fields[F_PROGRAM_RULES].list.count;
    program->reward_count = fields[F_PROGRAM_REWARDS].list.count;
    bool is_payment = program->type == PROGRAM_GIFT_CARD || program->type == PROGRAM_EWALLET;
    struct rule *rules = arena_array_of (arena, program->rule_count + 1, struct rule);
    struct reward *rewards = arena_array_of (arena, program->reward_count + 1, struct reward);
    if (rules == NULL || rewards == NULL)
        return -1;
    for (uint32_t i = 0; i < program->rule_count; i++)
        rule_of (fields[F_PROGRAM_RULES].list.records[i], i, arena, &rules[i]);
    for (uint32_t i = 0; i < program->reward_count; i++) {
        if (reward_of (fields[F_PROGRAM_REWARDS].list.records[i], i, arena, &rewards[i]) < 0)
            return -1;
        /* A payment costs what it pays, to the last cent on the card. */
        if (is_payment && rewards[i].mode == DISCOUNT_PER_POINT)
            rewards[i].required_points = 1;
    }
    program->rules = rules;
    program->rewards = rewards;
    return 0;
}

static bool
list_is_whole (const struct id_list *list)
{
    return list->count == 0 || list->ids != NULL;
}

static bool
text_is_whole (struct str text)
{
    return text.size == 0 || text.data != NULL;
}

static bool
filter_is_whole (const struct product_filter *filter)
{
    return list_is_whole (&filter->products) && list_is_whole (&filter->exclude_products) &&
           text_is_whole (filter->tag) && text_is_whole (filter->exclude_tag);
}

/* Nothing of it was lost to a lack of memory. */
static bool
program_is_whole (const struct program *program)
{
    bool whole = list_is_whole (&program->stores) && list_is_whole (&program->pricelists) &&
                 text_is_whole (program->name) && text_is_whole (program->best_of);
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const struct rule *rule = &program->rules[i];
        whole = whole && filter_is_whole (&rule->filter) && list_is_whole (&rule->membership_product_ids) &&
                text_is_whole (rule->code);
    }
    for (uint32_t i = 0; i < program->reward_count; i++) {
        const struct reward *reward = &program->rewards[i];
        whole = whole && filter_is_whole (&reward->filter) && list_is_whole (&reward->reward_products) &&
                text_is_whole (reward->description);
        for (uint32_t item = 0; item < reward->set_item_count; item++)
            whole = whole && filter_is_whole (&reward->set_items[item].filter);
    }
    return whole;
}

int
program_from_record (const struct wire_record *record, struct arena *arena, struct program *program, struct error *err)
{
    const struct wire_value *fields = record->fields;
    enum program_type type = (enum program_type)fields[F_PROGRAM_PROGRAM_TYPE].integer;
    *program = (struct program){
        .id = fields[F_PROGRAM_ID].integer,
        .name = kept_text (&fields[F_PROGRAM_NAME], arena),
        .type = type,
        .state = (enum program_state)fields[F_PROGRAM_STATE].integer,
        .trigger = (enum trigger)fields[F_PROGRAM_TRIGGER].integer,
        .applies_on = fields[F_PROGRAM_APPLIES_ON].present ? (enum applies_on)fields[F_PROGRAM_APPLIES_ON].integer
                                                           : applies_on_of (type),
        .has_date_from = fields[F_PROGRAM_DATE_FROM].present,
        .has_date_to = fields[F_PROGRAM_DATE_TO].present,
        .date_from = (int32_t)fields[F_PROGRAM_DATE_FROM].integer,
        .date_to = (int32_t)fields[F_PROGRAM_DATE_TO].integer,
        .weekdays = mask_of (&fields[F_PROGRAM_WEEKDAYS]),
        .stores = id_list_of (&fields[F_PROGRAM_POS_CONFIG_IDS], arena),
        .pricelists = id_list_of (&fields[F_PROGRAM_PRICELIST_IDS], arena),
        .channels = mask_of (&fields[F_PROGRAM_CHANNELS]),
        .has_membership = fields[F_PROGRAM_MEMBERSHIP_PRODUCT_ID].present,
        .membership_product_id = fields[F_PROGRAM_MEMBERSHIP_PRODUCT_ID].integer,
        .is_primary_loyalty = fields[F_PROGRAM_IS_PRIMARY_LOYALTY].boolean,
        .priority = fields[F_PROGRAM_PRIORITY].integer,
        .stacking = (enum stacking)fields[F_PROGRAM_STACKING].integer,
        .discount_base = (enum discount_base)fields[F_PROGRAM_DISCOUNT_BASE].integer,
        .limits = { [LIMIT_TOTAL] = fields[F_PROGRAM_MAX_USAGE].integer,
                    [LIMIT_CUSTOMER] = fields[F_PROGRAM_MAX_USAGE_PER_CUSTOMER].integer,
                    [LIMIT_STORE] = fields[F_PROGRAM_MAX_USAGE_PER_STORE].integer,
                    [LIMIT_DAY] = fields[F_PROGRAM_MAX_USAGE_PER_DAY].integer,
                    [LIMIT_WEEK] = fields[F_PROGRAM_MAX_USAGE_PER_WEEK].integer,
                    [LIMIT_MONTH] = fields[F_PROGRAM_MAX_USAGE_PER_MONTH].integer,
                    [LIMIT_YEAR] = fields[F_PROGRAM_MAX_USAGE_PER_YEAR].integer,
                    [LIMIT_BUDGET] = fields[F_PROGRAM_BUDGET].integer },
        .pending_days = (int)fields[F_PROGRAM_PENDING_DAYS].integer,
        .restore_extends = fields[F_PROGRAM_RESTORE_EXPIRED].integer == 1,
        .extend_days = (int)fields[F_PROGRAM_EXTEND_DAYS].integer,
        .max_referral_usage = fields[F_PROGRAM_MAX_REFERRAL_USAGE].integer,
        .earn_on = (enum earn_on)fields[F_PROGRAM_EARN_ON].integer,
        .has_shortfall = fields[F_PROGRAM_SHORTFALL].present,
        .shortfall = (enum shortfall)fields[F_PROGRAM_SHORTFALL].integer,
    };
    if (fields[F_PROGRAM_BEST_OF].present)
        program->best_of = kept_text (&fields[F_PROGRAM_BEST_OF], arena);
    if (expiry_of (fields[F_PROGRAM_EXPIRY].record, &program->expiry, err) < 0)
        return -1;
    if (hours_of (&fields[F_PROGRAM_HOURS], program, err) < 0)
        return -1;
    if (parts_of (fields, arena, program) < 0 || !program_is_whole (program))
        return error_set (err, ERROR_BUSY, "there is no memory for the program just now");
    return 0;
}
