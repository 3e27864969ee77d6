/* schemas.c - the tables that schemas.h declares. */
#include "wire/schemas.h"
#include "base/topic.h"

/* X (suffix of NAMES_, name elsewhere, the names) */
#define NAME_LISTS(X) \
    X (CHANNEL, "channel", "pos", "sale") \
    X (TAX_ROUNDING, "tax_rounding", "per_line", "global") \
    X (TAX_TYPE, "tax_type", "percent", "fixed") \
    X (ON_REFUSED, "on_refused", "fail", "skip") \
    X (SHORTFALL, "shortfall", "debt", "refuse", "forgive") \
    X (PROGRAM_TYPE, "program_type", "promotion", "buy_x_get_y", "coupons", "promo_code", "next_order_coupons", \
       "referral", "loyalty", "gift_card", "ewallet") \
    X (PROGRAM_STATE, "program_state", "draft", "active", "archived") \
    X (TRIGGER, "trigger", "auto", "with_code") \
    X (APPLIES_ON, "applies_on", "current", "future", "both") \
    X (WEEKDAY, "weekday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday") \
    X (STACKING, "stacking", "stack", "exclusive", "best_of") \
    X (DISCOUNT_BASE, "discount_base", "remaining", "initial") \
    X (EARN_ON, "earn_on", "gross", "net") \
    X (EXPIRY, "expiry", "never", "days", "months", "years", "end_of_month", "end_of_year", "date") \
    X (RESTORE_EXPIRED, "restore_expired", "keep", "extend_days") \
    X (TAX_MODE, "tax_mode", "incl", "excl") \
    X (RULE_MODE, "rule_mode", "auto", "with_code") \
    X (POINT_MODE, "point_mode", "order", "money", "unit") \
    X (REWARD_TYPE, "reward_type", "discount", "product", "special_price", "special_set", "multiple_discount", \
       "point") \
    X (DISCOUNT_MODE, "discount_mode", "percent", "per_point", "per_order") \
    X (APPLICABILITY, "applicability", "order", "cheapest", "specific") \
    X (LEVEL_WINDOW, "level_window", "lifetime", "calendar_year", "rolling_months") \
    X (LEVEL_CHANGE, "level_change", "transfer", "reset") \
    X (JOB, "job", "expire", "memberships", "holds", "referrals", "partitions")

#define X(suffix, name, ...) const char *const NAMES_##suffix[] = { __VA_ARGS__, NULL };
NAME_LISTS (X)
#undef X

const char *const NAMES_TOPIC[] = {
#define X(id, number, name, meaning) [(number)-1] = name,
    TOPICS (X)
#undef X
        [TOPIC_LAST] = NULL
};

const struct wire_name_list WIRE_NAME_LISTS[] = {
#define X(suffix, name, ...) { name, NAMES_##suffix },
    NAME_LISTS (X)
#undef X
        { "topic", NAMES_TOPIC },
};
const unsigned WIRE_NAME_LIST_COUNT = sizeof WIRE_NAME_LISTS / sizeof WIRE_NAME_LISTS[0];

#define FIELD(prefix, index, name, type, flags, min, max, default_value, schema, names, doc) \
    { name, type, flags, min, max, default_value, schema, names, doc },

/* The dummy keeps the array of a schema without fields from being empty; it is never counted. */
#define DEFINE_SCHEMA(prefix, text) \
    _Static_assert((int)FIELDS_OF_##prefix <= (int)WIRE_FIELDS_MAX, "too many fields in schema " text); \
    static const struct wire_field FIELD_TABLE_##prefix[] = { prefix##_FIELDS (FIELD){ .doc = NULL } }; \
    const struct wire_schema SCHEMA_##prefix = { text, FIELDS_OF_##prefix, FIELD_TABLE_##prefix };
WIRE_SCHEMAS (DEFINE_SCHEMA)

const struct wire_schema *const WIRE_SCHEMA_LIST[] = {
#define LISTED(prefix, name) &SCHEMA_##prefix,
    WIRE_SCHEMAS (LISTED)
};
const unsigned WIRE_SCHEMA_COUNT = sizeof WIRE_SCHEMA_LIST / sizeof WIRE_SCHEMA_LIST[0];
