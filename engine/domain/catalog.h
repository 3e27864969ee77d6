/* catalog.h - programs, rules, rewards, levels, stores and categories: what orders are priced against.
 *
 * One immutable value per catalog version. All memory belongs to the arena it was built in; all
 * lists of ids are sorted ascending, so that they can be searched. The enums are in the order of
 * the name lists of wire/schemas.h. Field names are Odoo's (docs/semantics.md). */
#ifndef DOMAIN_CATALOG_H
#define DOMAIN_CATALOG_H

#include "base/arena.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/timestamp.h"

#include <stdbool.h>
#include <stdint.h>

enum channel { CHANNEL_POS, CHANNEL_SALE };
enum program_type {
    PROGRAM_PROMOTION, PROGRAM_BUY_X_GET_Y, PROGRAM_COUPONS, PROGRAM_PROMO_CODE, PROGRAM_NEXT_ORDER_COUPONS,
    PROGRAM_REFERRAL, PROGRAM_LOYALTY, PROGRAM_GIFT_CARD, PROGRAM_EWALLET
};
enum program_state { PROGRAM_DRAFT, PROGRAM_ACTIVE, PROGRAM_ARCHIVED };
enum trigger { TRIGGER_AUTO, TRIGGER_WITH_CODE };
enum applies_on { APPLIES_CURRENT, APPLIES_FUTURE, APPLIES_BOTH };
enum stacking { STACK, STACK_EXCLUSIVE, STACK_BEST_OF };
enum discount_base { BASE_REMAINING, BASE_INITIAL };
enum earn_on { EARN_GROSS, EARN_NET };
enum expiry_policy { EXPIRY_NEVER, EXPIRY_DAYS, EXPIRY_MONTHS, EXPIRY_YEARS, EXPIRY_END_OF_MONTH, EXPIRY_END_OF_YEAR, EXPIRY_DATE };
enum shortfall { SHORTFALL_DEBT, SHORTFALL_REFUSE, SHORTFALL_FORGIVE };
enum tax_mode { TAX_MODE_INCL, TAX_MODE_EXCL };
enum rule_mode { RULE_AUTO, RULE_WITH_CODE };
enum point_mode { POINTS_PER_ORDER, POINTS_PER_MONEY, POINTS_PER_UNIT };
enum reward_type { REWARD_DISCOUNT, REWARD_PRODUCT, REWARD_SPECIAL_PRICE, REWARD_SPECIAL_SET, REWARD_MULTIPLE_DISCOUNT, REWARD_POINT };
enum discount_mode { DISCOUNT_PERCENT, DISCOUNT_PER_POINT, DISCOUNT_PER_ORDER };
enum applicability { APPLY_ORDER, APPLY_CHEAPEST, APPLY_SPECIFIC };
enum level_window { WINDOW_LIFETIME, WINDOW_CALENDAR_YEAR, WINDOW_ROLLING_MONTHS };
enum level_change { CHANGE_TRANSFER, CHANGE_RESET };

/* What limits the use of a program (rule 27): uses, but for the budget, which is money. Those per period count the uses of
 * one member (orders without one count together), in periods of the engine's zone; weeks begin on Monday.
 * X (identifier, name of the program's field) */
#define LIMITS(X)                             \
    X (TOTAL, "max_usage")                    \
    X (CUSTOMER, "max_usage_per_customer")    \
    X (STORE, "max_usage_per_store")          \
    X (DAY, "max_usage_per_day")              \
    X (WEEK, "max_usage_per_week")            \
    X (MONTH, "max_usage_per_month")          \
    X (YEAR, "max_usage_per_year")            \
    X (BUDGET, "budget")

enum limit {
#define X(id, name) LIMIT_##id,
    LIMITS (X)
#undef X
        LIMIT_COUNT
};
extern const char *const LIMIT_NAMES[LIMIT_COUNT];

struct id_list {
    uint32_t count;
    const int64_t *ids; /* ascending */
};

/* Which products: any of ids, category subtree, tag; never an excluded one. Naming nothing (no
 * ids, category or tag) fits every product that is not excluded. */
struct product_filter {
    struct id_list products, exclude_products;
    bool has_category, has_exclude_category;
    int64_t category_id, exclude_category_id;
    struct str tag, exclude_tag; /* empty: none */
};

struct rule {
    int64_t id;
    int64_t minimum_qty_micro;
    int64_t minimum_amount_minor;
    enum tax_mode minimum_amount_tax_mode;
    struct product_filter filter;
    struct id_list membership_product_ids;
    bool first_order, has_birthday;
    int birthday_days_before, birthday_days_after;
    enum rule_mode mode;
    struct str code;
    enum point_mode point_mode;
    int64_t point_amount_micro; /* points per order, per unit of money, or per unit */
    bool split;
};

struct reward {
    int64_t id;
    struct str description;
    enum reward_type type;
    int64_t required_points; /* hundredths, at least 0.01 */
    bool clear_wallet;
    int64_t discount_micro;  /* percent, money per point, or money per order */
    enum discount_mode mode;
    enum applicability applicability;
    int64_t max_amount_minor; /* 0: no limit */
    struct product_filter filter;
    /* product, special_price, special_set, multiple_discount, point: see docs/semantics.md */
    struct id_list reward_products;
    int64_t reward_product_qty_micro;
    int64_t special_price_minor, max_units_micro;
    uint32_t set_item_count;
    const struct set_item *set_items;
    int64_t set_price_minor, max_sets;
    uint32_t step_count;
    const int64_t *step_percent_micro;
    int64_t points;
};

struct set_item {
    struct product_filter filter;
    int64_t qty_micro;
};

struct expiry {
    enum expiry_policy policy;
    int count;
    int32_t date; /* policy date: last day */
};

struct program {
    int64_t id;
    struct str name;
    enum program_type type;
    enum program_state state;
    enum trigger trigger;
    enum applies_on applies_on;
    bool has_date_from, has_date_to;
    int32_t date_from, date_to; /* days, inclusive, in the store's zone */
    unsigned weekdays;          /* bit 0 Monday … bit 6 Sunday; 0: all */
    bool has_hours;
    int hours_from_minute, hours_to_minute; /* of the day; to < from passes midnight */
    struct id_list stores, pricelists;      /* empty: all */
    unsigned channels;                      /* bit CHANNEL_x; 0: all */
    bool has_membership;
    int64_t membership_product_id;
    bool is_primary_loyalty;
    int64_t priority;
    enum stacking stacking;
    struct str best_of;
    enum discount_base discount_base;
    int64_t limits[LIMIT_COUNT]; /* 0: none; the budget in minor units */
    struct expiry expiry;
    int pending_days;
    bool restore_extends;
    int extend_days;
    int64_t max_referral_usage;
    enum earn_on earn_on;
    bool has_shortfall;
    enum shortfall shortfall;
    uint32_t rule_count, reward_count;
    const struct rule *rules;
    const struct reward *rewards;
    /* Filled by catalog_build. */
    uint32_t index;
};

struct store {
    int64_t id;
    struct zone zone;
};

struct category {
    int64_t id;
    bool has_parent;
    int64_t parent_id;
};

struct level {
    int64_t membership_product_id;
    int64_t sequence, threshold_minor, earn_multiplier_micro;
    bool is_upgradable, is_downgradable;
    enum level_window window;  /* of the spending that the threshold is compared with */
    int window_months;         /* rolling_months */
    int grace_days;            /* below the threshold for so long before a downgrade */
    enum level_change on_change; /* what becomes of the points when a member comes to this level */
};

struct catalog {
    int64_t version;
    unsigned currency_digits;
    struct zone zone; /* the engine's */
    uint32_t program_count, store_count, category_count, level_count;
    const struct program *programs;     /* by id */
    const struct store *stores;         /* by id */
    const struct category *categories;  /* by id */
    const struct level *levels;         /* by sequence */
    /* Filled by catalog_build, for evaluation only: see catalog.c. */
    const struct catalog_index *index;
};

/* Sorts everything, links and indexes it. The arrays are the caller's (in `arena`), reordered in
 * place. -1: two things with one id, a cycle of categories, a code used by two programs
 * that are not archived, two primary programs of one level; `err` names them. */
int catalog_build (struct catalog *catalog, struct arena *arena, struct error *err);

/* A program that contradicts itself (dates reversed, percent over 100, per_point without a rate, an
 * amount that is no multiple of a cent, …): -1, `err` names the field by path ("rewards[0].discount"). */
int program_check (const struct program *program, unsigned currency_digits, struct error *err);

/* <0, 0, >0: codes compare without case (ASCII) and outer blanks (SEMANTICS 28). */
int code_compare (struct str a, struct str b);

/* Whether a member has at most one card of the program. */
static inline bool
program_is_single (const struct program *program)
{
    return program->type == PROGRAM_LOYALTY || program->type == PROGRAM_EWALLET;
}

const struct program *catalog_program (const struct catalog *catalog, int64_t id);
/* The store's zone; the engine's when the store is unknown or `has_store` is false. */
const struct zone *catalog_zone (const struct catalog *catalog, bool has_store, int64_t store_id);

/* When points of this program gained at `gained` expire; INSTANT_NEVER. Days, months and years count in
 * the engine's zone from the instant; end of month and year and a date end with that day (SEMANTICS 19). */
int64_t expiry_instant (const struct expiry *expiry, const struct zone *zone, int64_t gained);

#endif
