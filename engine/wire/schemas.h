/* schemas.h - the fields of every request body, each once: X (PREFIX, INDEX, name, type, flags, min, max,
 * default, record schema, enum names, meaning). A handler reads `record->fields[F_ORDER_LINES]`.
 *
 * Fields of programs, rules and rewards have Odoo's names. What a field does stands in
 * docs/semantics.md; what this version cannot do yet is refused where the program is used, not here.
 *
 * New fields go to the end of their list, new names to the end of theirs: their positions are part of the
 * hash that a key is kept with for ever (schema.h). A schema has at most WIRE_FIELDS_MAX fields. */
#ifndef WIRE_SCHEMAS_H
#define WIRE_SCHEMAS_H

#include "wire/schema.h"

#define WIRE_INT_MAX INT64_MAX
#define WIRE_INT_MIN INT64_MIN
#define MONEY_MAX INT64_C (1000000000000000)        /* minor units: 10^13 of a currency with 2 digits */
#define MICRO_MAX INT64_C (1000000000000000)        /* 10^9 in millionths */
#define POINTS_MAX INT64_C (100000000000000)        /* 10^12 points */
#define COUPONS_MAX 5000                             /* of one coupon.generate */
#define JOB_ROWS_MAX 1000                            /* of one job.run */
#define PERCENT_MAX INT64_C (100000000)             /* 100 % in millionths */

/* Lists of names, in the order of the domain's enums (domain/catalog.h). */
extern const char *const NAMES_CHANNEL[];           /* pos, sale */
extern const char *const NAMES_TAX_ROUNDING[];      /* per_line, global */
extern const char *const NAMES_TAX_TYPE[];          /* percent, fixed */
extern const char *const NAMES_ON_REFUSED[];        /* fail, skip */
extern const char *const NAMES_SHORTFALL[];         /* debt, refuse, forgive */
extern const char *const NAMES_PROGRAM_TYPE[];      /* promotion, buy_x_get_y, coupons, promo_code,
                                                       next_order_coupons, referral, loyalty, gift_card, ewallet */
extern const char *const NAMES_PROGRAM_STATE[];     /* draft, active, archived */
extern const char *const NAMES_TRIGGER[];           /* auto, with_code */
extern const char *const NAMES_APPLIES_ON[];        /* current, future, both */
extern const char *const NAMES_WEEKDAY[];           /* monday .. sunday */
extern const char *const NAMES_STACKING[];          /* stack, exclusive, best_of */
extern const char *const NAMES_DISCOUNT_BASE[];     /* remaining, initial */
extern const char *const NAMES_EARN_ON[];           /* gross, net */
extern const char *const NAMES_EXPIRY[];            /* never, days, months, years, end_of_month, end_of_year, date */
extern const char *const NAMES_RESTORE_EXPIRED[];   /* keep, extend_days */
extern const char *const NAMES_TAX_MODE[];          /* incl, excl */
extern const char *const NAMES_RULE_MODE[];         /* auto, with_code */
extern const char *const NAMES_POINT_MODE[];        /* order, money, unit */
extern const char *const NAMES_REWARD_TYPE[];       /* discount, product, special_price, special_set,
                                                       multiple_discount, point */
extern const char *const NAMES_DISCOUNT_MODE[];     /* percent, per_point, per_order */
extern const char *const NAMES_APPLICABILITY[];     /* order, cheapest, specific */
extern const char *const NAMES_LEVEL_WINDOW[];      /* lifetime, calendar_year, rolling_months */
extern const char *const NAMES_LEVEL_CHANGE[];      /* transfer, reset */
extern const char *const NAMES_TOPIC[];             /* by number, from 1 (base/topic.h) */
extern const char *const NAMES_JOB[];               /* expire, memberships, holds, referrals, partitions (worker/jobs.h) */

/* All of them, with the names they go by in other languages ("program_type"); in schemas.c. */
struct wire_name_list {
    const char *name;
    const char *const *names;
};
extern const struct wire_name_list WIRE_NAME_LISTS[];
extern const unsigned WIRE_NAME_LIST_COUNT;

#define TAX_FIELDS(X)                                                                                                  \
    X (TAX, ID, "id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the tax's id")              \
    X (TAX, AMOUNT_TYPE, "amount_type", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_TAX_TYPE, "percent, or a fixed sum per unit") \
    X (TAX, AMOUNT, "amount", WIRE_DECIMAL, WIRE_REQUIRED, 0, MICRO_MAX, 0, NULL, NULL, "percentage, or sum per unit") \
    X (TAX, INCLUDED, "included", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "the price contains it")                          \
    X (TAX, AFFECTS_BASE, "affects_base", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "later percent taxes are taken of it too")

#define REFUND_REF_FIELDS(X)                                                                                           \
    X (REFUND_REF, ORDER_ID, "order_id", WIRE_STRING, WIRE_REQUIRED | WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the original order") \
    X (REFUND_REF, LINE_ID, "line_id", WIRE_STRING, WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "its line; without it lines match by product and unit price, then product")

#define CARD_REF_FIELDS(X)                                                                                             \
    X (CARD_REF, CARD_ID, "card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "the card's id")                     \
    X (CARD_REF, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "or its code")

#define LINE_FIELDS(X)                                                                                                 \
    X (LINE, LINE_ID, "line_id", WIRE_STRING, WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "unique in the order; the line's index from 0 when absent") \
    X (LINE, PRODUCT_ID, "product_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "product")  \
    X (LINE, QTY, "qty", WIRE_DECIMAL, WIRE_REQUIRED, -MICRO_MAX, MICRO_MAX, 0, NULL, NULL, "units; negative on returns, never 0") \
    X (LINE, PRICE_UNIT, "price_unit", WIRE_DECIMAL, WIRE_REQUIRED, -MICRO_MAX, MICRO_MAX, 0, NULL, NULL, "price of one unit, with its included taxes") \
    X (LINE, DISCOUNT, "discount", WIRE_DECIMAL, 0, 0, PERCENT_MAX, 0, NULL, NULL, "percent given by hand")            \
    X (LINE, TAXES, "taxes", WIRE_RECORDS, 0, 0, 16, 0, &SCHEMA_TAX, NULL, "taxes, in order")                          \
    X (LINE, REFUND_OF, "refund_of", WIRE_RECORD, WIRE_SHORT, 0, 0, 0, &SCHEMA_REFUND_REF, NULL, "the order (and line) that this line returns") \
    X (LINE, GIFT_CODE, "gift_code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "printed code of the gift card that is sold") \
    X (LINE, CARD, "card", WIRE_RECORD, WIRE_SHORT, 0, 0, 0, &SCHEMA_CARD_REF, NULL, "wallet or gift card that is topped up")

#define CLAIM_FIELDS(X)                                                                                                \
    X (CLAIM, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "a code entered by hand")                 \
    X (CLAIM, PROGRAM_ID, "program_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "a reward chosen: its program") \
    X (CLAIM, REWARD_ID, "reward_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "and the reward; not needed where the program has one") \
    X (CLAIM, PRODUCT_ID, "product_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the product chosen") \
    X (CLAIM, QTY, "qty", WIRE_DECIMAL, 0, 1, MICRO_MAX, 0, NULL, NULL, "how many")                                    \
    X (CLAIM, POINTS, "points", WIRE_POINTS, 0, 1, POINTS_MAX, 0, NULL, NULL, "how many points to spend at most")      \
    X (CLAIM, CARD, "card", WIRE_RECORD, WIRE_SHORT, 0, 0, 0, &SCHEMA_CARD_REF, NULL, "the card that pays")

#define ORDER_FIELDS(X)                                                                                                \
    X (ORDER, ORDER_ID, "order_id", WIRE_STRING, WIRE_REQUIRED | WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the document's id, unique for ever") \
    X (ORDER, CHANNEL, "channel", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_CHANNEL, "pos or sale")                           \
    X (ORDER, STORE_ID, "store_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the store (pos_config)") \
    X (ORDER, DATE, "date", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "when it was made; now when absent")                    \
    X (ORDER, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the customer, or none") \
    X (ORDER, CURRENCY, "currency", WIRE_STRING, 0, 3, 3, 0, NULL, NULL, "refused when it is not the engine's")        \
    X (ORDER, TAX_ROUNDING, "tax_rounding", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_TAX_ROUNDING, "each tax on each line, or once for the order") \
    X (ORDER, PRICELIST_ID, "pricelist_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the pricelist, for programs that name some") \
    X (ORDER, LINES, "lines", WIRE_RECORDS, WIRE_REQUIRED, 1, WIRE_LINES_MAX, 0, &SCHEMA_LINE, NULL, "what is bought and returned") \
    X (ORDER, CARDS, "cards", WIRE_RECORDS, WIRE_SHORT, 0, 20, 0, &SCHEMA_CARD_REF, NULL, "cards presented, by id or code") \
    X (ORDER, CLAIMS, "claims", WIRE_RECORDS, 0, 0, 50, 0, &SCHEMA_CLAIM, NULL, "codes entered and rewards chosen, in order") \
    X (ORDER, AUTO_CLAIM, "auto_claim", WIRE_BOOL, 0, 0, 1, 1, NULL, NULL, "automatic rewards without a choice apply by themselves") \
    X (ORDER, ON_REFUSED, "on_refused", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_ON_REFUSED, "what a refused claim does to order.process") \
    X (ORDER, HOLD_ID, "hold_id", WIRE_STRING, WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "a hold that this order captures") \
    X (ORDER, EXPECTED_TOTAL, "expected_total", WIRE_MONEY, WIRE_NOT_HASHED, -MONEY_MAX, MONEY_MAX, 0, NULL, NULL, "price_changed when amount_total differs") \
    X (ORDER, PAID, "paid", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "already paid for: recorded, never refused")            \
    X (ORDER, CHARGED_TOTAL, "charged_total", WIRE_MONEY, WIRE_DISTINCT, -MONEY_MAX, MONEY_MAX, 0, NULL, NULL, "what a paid order was charged") \
    X (ORDER, IMPORT, "import", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "history: `date` is now for every rule (roles odoo, admin)") \
    X (ORDER, REFUND_OF, "refund_of", WIRE_RECORD, WIRE_SHORT, 0, 0, 0, &SCHEMA_REFUND_REF, NULL, "the original of every return line that names none") \
    X (ORDER, SHORTFALL, "shortfall", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_SHORTFALL, "what happens to earned points that are gone already") \
    X (ORDER, REFERENCE, "reference", WIRE_STRING, 0, 0, WIRE_NAME_MAX, 0, NULL, NULL, "receipt number")               \
    X (ORDER, CASHIER_ID, "cashier_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "cashier") \
    X (ORDER, SESSION_ID, "session_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "till session") \
    X (ORDER, META, "meta", WIRE_ANY, 0, 0, WIRE_META_MAX, 0, NULL, NULL, "anything, stored and echoed")               \
    X (ORDER, EXPLAIN, "explain", WIRE_BOOL, WIRE_NOT_HASHED, 0, 1, 0, NULL, NULL, "answer with `rejected`")           \
    X (ORDER, AT, "at", WIRE_TIME, WIRE_NOT_HASHED, 0, 0, 0, NULL, NULL, "quote: as of this instant")                  \
    X (ORDER, DRAFT_PROGRAM_IDS, "draft_program_ids", WIRE_INTS, WIRE_NOT_HASHED, 0, 100, 0, NULL, NULL, "quote: draft programs that take part")

#define ORDER_CANCEL_FIELDS(X)                                                                                         \
    X (ORDER_CANCEL, ORDER_ID, "order_id", WIRE_STRING, WIRE_REQUIRED | WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the order that is undone") \
    X (ORDER_CANCEL, REASON, "reason", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "why")

#define ORDER_GET_FIELDS(X)                                                                                            \
    X (ORDER_GET, ORDER_ID, "order_id", WIRE_STRING, WIRE_REQUIRED | WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the order")

#define CARD_CREATE_FIELDS(X)                                                                                          \
    X (CARD_CREATE, PROGRAM_ID, "program_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the program whose points it holds") \
    X (CARD_CREATE, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "its member; without one the card is the bearer's") \
    X (CARD_CREATE, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "printed code; made up when absent") \
    X (CARD_CREATE, POINTS, "points", WIRE_POINTS, 0, 0, POINTS_MAX, 0, NULL, NULL, "points it starts with")           \
    X (CARD_CREATE, EXPIRES, "expires", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "when these expire; as the program says when absent") \
    X (CARD_CREATE, ODOO_ID, "odoo_card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "its id in Odoo")

/* Names one card: by id, by code, or by member and program (the program may be left out where
 * the member has one card). */
#define CARD_GET_FIELDS(X)                                                                                             \
    X (CARD_GET, CARD_ID, "card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "by id")                             \
    X (CARD_GET, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "by code")                             \
    X (CARD_GET, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "by member") \
    X (CARD_GET, PROGRAM_ID, "program_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "and program") \
    X (CARD_GET, AT, "at", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "balance as of this instant (not before now)")           \
    X (CARD_GET, LIMIT, "limit", WIRE_INT, 0, 1, 1000, 100, NULL, NULL, "card.history: rows at most")                  \
    X (CARD_GET, CURSOR, "cursor", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "card.history: `next_cursor` of the page before")

#define CARD_ADJUST_FIELDS(X)                                                                                          \
    X (CARD_ADJUST, CARD_ID, "card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "by id")                          \
    X (CARD_ADJUST, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "by code")                          \
    X (CARD_ADJUST, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "by member") \
    X (CARD_ADJUST, PROGRAM_ID, "program_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "and program") \
    X (CARD_ADJUST, POINTS, "points", WIRE_POINTS, WIRE_REQUIRED, -POINTS_MAX, POINTS_MAX, 0, NULL, NULL, "points to add, or to take when negative; not 0") \
    X (CARD_ADJUST, REASON, "reason", WIRE_STRING, WIRE_REQUIRED, 1, 200, 0, NULL, NULL, "why; stands in the history") \
    X (CARD_ADJUST, EXPIRES, "expires", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "when added points expire; as the program says when absent")

#define CARD_STATE_FIELDS(X)                                                                                           \
    X (CARD_STATE, CARD_ID, "card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "by id")                           \
    X (CARD_STATE, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "by code")                           \
    X (CARD_STATE, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "by member") \
    X (CARD_STATE, PROGRAM_ID, "program_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "and program") \
    X (CARD_STATE, REASON, "reason", WIRE_STRING, WIRE_REQUIRED, 1, 200, 0, NULL, NULL, "why; stands with the card")

#define CARD_TRANSFER_FIELDS(X)                                                                                        \
    X (CARD_TRANSFER, FROM, "from", WIRE_RECORD, WIRE_REQUIRED | WIRE_SHORT, 0, 0, 0, &SCHEMA_CARD_REF, NULL, "the card that gives") \
    X (CARD_TRANSFER, TO, "to", WIRE_RECORD, WIRE_REQUIRED | WIRE_SHORT, 0, 0, 0, &SCHEMA_CARD_REF, NULL, "the card that gets") \
    X (CARD_TRANSFER, POINTS, "points", WIRE_POINTS, 0, 1, POINTS_MAX, 0, NULL, NULL, "how many; all that are usable when absent") \
    X (CARD_TRANSFER, REASON, "reason", WIRE_STRING, WIRE_REQUIRED, 1, 200, 0, NULL, NULL, "why; stands in the history of both")

#define COUPON_GENERATE_FIELDS(X)                                                                                      \
    X (COUPON_GENERATE, PROGRAM_ID, "program_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the program whose cards they are") \
    X (COUPON_GENERATE, PATTERN, "pattern", WIRE_STRING, WIRE_REQUIRED, 1, WIRE_NAME_MAX, 0, NULL, NULL, "SUMMER-####: each # becomes one of 32 letters and digits") \
    X (COUPON_GENERATE, BATCH, "batch", WIRE_STRING, WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the batch's id, yours; made up when absent") \
    X (COUPON_GENERATE, COUNT, "count", WIRE_INT, 0, 1, COUPONS_MAX, 1, NULL, NULL, "how many; with partner_ids one for each") \
    X (COUPON_GENERATE, OFFSET, "offset", WIRE_INT, 0, 0, 100000000, 0, NULL, NULL, "the number of the first in its batch, from 0; those that are there are not made again") \
    X (COUPON_GENERATE, TOTAL, "total", WIRE_INT, 0, 1, 100000000, 0, NULL, NULL, "how many the batch shall have in the end; refused at once where the pattern has too few codes") \
    X (COUPON_GENERATE, POINTS, "points", WIRE_POINTS, 0, 1, POINTS_MAX, POINTS_ONE, NULL, NULL, "points of each") \
    X (COUPON_GENERATE, EXPIRES, "expires", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "when they expire; as the program says when absent") \
    X (COUPON_GENERATE, PARTNER_IDS, "partner_ids", WIRE_INTS, 0, 0, COUPONS_MAX, 0, NULL, NULL, "whose they are, in order; without them they are the bearer's")

#define COUPON_LIST_FIELDS(X)                                                                                          \
    X (COUPON_LIST, BATCH, "batch", WIRE_STRING, WIRE_REQUIRED | WIRE_INT_OK, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the batch") \
    X (COUPON_LIST, LIMIT, "limit", WIRE_INT, 0, 1, 1000, 100, NULL, NULL, "coupons at most")                          \
    X (COUPON_LIST, CURSOR, "cursor", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "`next_cursor` of the page before")

#define COUPON_CHECK_FIELDS(X)                                                                                         \
    X (COUPON_CHECK, CODE, "code", WIRE_STRING, WIRE_REQUIRED, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the code")

#define POINTS_HOLD_FIELDS(X)                                                                                          \
    X (POINTS_HOLD, CARD_ID, "card_id", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "by id")                          \
    X (POINTS_HOLD, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "by code")                          \
    X (POINTS_HOLD, PARTNER_ID, "partner_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "by member") \
    X (POINTS_HOLD, PROGRAM_ID, "program_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "and program") \
    X (POINTS_HOLD, POINTS, "points", WIRE_POINTS, WIRE_REQUIRED, 1, POINTS_MAX, 0, NULL, NULL, "how many")            \
    X (POINTS_HOLD, TTL_S, "ttl_s", WIRE_INT, 0, 1, 604800, 900, NULL, NULL, "seconds until the hold releases itself")

#define POINTS_CAPTURE_FIELDS(X)                                                                                       \
    X (POINTS_CAPTURE, HOLD_ID, "hold_id", WIRE_STRING, WIRE_REQUIRED, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the hold")    \
    X (POINTS_CAPTURE, POINTS, "points", WIRE_POINTS, 0, 1, POINTS_MAX, 0, NULL, NULL, "how many of it; all when absent. The rest is released") \
    X (POINTS_CAPTURE, REASON, "reason", WIRE_STRING, 0, 1, 200, 0, NULL, NULL, "what for; stands in the history")

#define POINTS_RELEASE_FIELDS(X)                                                                                       \
    X (POINTS_RELEASE, HOLD_ID, "hold_id", WIRE_STRING, WIRE_REQUIRED, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the hold")

#define EXPIRY_FIELDS(X)                                                                                               \
    X (EXPIRY, POLICY, "policy", WIRE_ENUM, WIRE_REQUIRED, 0, 0, 0, NULL, NAMES_EXPIRY, "how points expire")           \
    X (EXPIRY, COUNT, "count", WIRE_INT, 0, 1, 36500, 0, NULL, NULL, "days, months or years")                          \
    X (EXPIRY, DATE, "date", WIRE_DAY, 0, 0, 0, 0, NULL, NULL, "policy date: the last day on which they count")

#define RULE_FIELDS(X)                                                                                                 \
    X (RULE, ID, "id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "unique in the program; its position from 1 when absent") \
    X (RULE, MINIMUM_QTY, "minimum_qty", WIRE_DECIMAL, 0, 0, MICRO_MAX, 0, NULL, NULL, "units of its products needed") \
    X (RULE, MINIMUM_AMOUNT, "minimum_amount", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "money on them needed")     \
    X (RULE, MINIMUM_AMOUNT_TAX_MODE, "minimum_amount_tax_mode", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_TAX_MODE, "that money with or without tax") \
    X (RULE, PRODUCT_IDS, "product_ids", WIRE_INTS, 0, 0, 10000, 0, NULL, NULL, "its products")                        \
    X (RULE, CATEGORY_ID, "category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "or all below a category") \
    X (RULE, TAG, "tag", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "or all with a tag")                         \
    X (RULE, EXCLUDE_PRODUCT_IDS, "exclude_product_ids", WIRE_INTS, 0, 0, 10000, 0, NULL, NULL, "but not these")       \
    X (RULE, EXCLUDE_CATEGORY_ID, "exclude_category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "nor what is below this") \
    X (RULE, EXCLUDE_TAG, "exclude_tag", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "nor what has this tag")     \
    X (RULE, MEMBERSHIP_PRODUCT_IDS, "membership_product_ids", WIRE_INTS, 0, 0, 100, 0, NULL, NULL, "only for members of these levels") \
    X (RULE, FIRST_ORDER, "first_order", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "only on a customer's first order")        \
    X (RULE, BIRTHDAY, "birthday", WIRE_RECORD, 0, 0, 0, 0, &SCHEMA_BIRTHDAY, NULL, "only around the birthday")        \
    X (RULE, MODE, "mode", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_RULE_MODE, "automatic, or with a code")                  \
    X (RULE, CODE, "code", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "that code")                               \
    X (RULE, REWARD_POINT_MODE, "reward_point_mode", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_POINT_MODE, "points per order, money paid or unit") \
    X (RULE, REWARD_POINT_AMOUNT, "reward_point_amount", WIRE_DECIMAL, 0, 0, MICRO_MAX, MICRO_ONE, NULL, NULL, "how many points") \
    X (RULE, REWARD_POINT_SPLIT, "reward_point_split", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "future programs: a card per unit")

#define BIRTHDAY_FIELDS(X)                                                                                             \
    X (BIRTHDAY, DAYS_BEFORE, "days_before", WIRE_INT, 0, 0, 180, 0, NULL, NULL, "days before the birthday")           \
    X (BIRTHDAY, DAYS_AFTER, "days_after", WIRE_INT, 0, 0, 180, 0, NULL, NULL, "days after it")

#define SET_ITEM_FIELDS(X)                                                                                             \
    X (SET_ITEM, PRODUCT_IDS, "product_ids", WIRE_INTS, 0, 0, 10000, 0, NULL, NULL, "one of these products")           \
    X (SET_ITEM, CATEGORY_ID, "category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "or of a category") \
    X (SET_ITEM, TAG, "tag", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "or with a tag")                         \
    X (SET_ITEM, QTY, "qty", WIRE_DECIMAL, 0, 1, MICRO_MAX, MICRO_ONE, NULL, NULL, "units of it in a set")

#define DISCOUNT_STEP_FIELDS(X)                                                                                        \
    X (DISCOUNT_STEP, DISCOUNT, "discount", WIRE_DECIMAL, WIRE_REQUIRED, 1, PERCENT_MAX, 0, NULL, NULL, "percent of what is left")

#define REWARD_FIELDS(X)                                                                                               \
    X (REWARD, ID, "id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "unique in the program; its position from 1 when absent") \
    X (REWARD, DESCRIPTION, "description", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                        \
    X (REWARD, REWARD_TYPE, "reward_type", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_REWARD_TYPE, "what it gives")            \
    X (REWARD, REQUIRED_POINTS, "required_points", WIRE_POINTS, 0, 1, POINTS_MAX, POINTS_ONE, NULL, NULL, "what it costs") \
    X (REWARD, CLEAR_WALLET, "clear_wallet", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "it costs all that is usable")         \
    X (REWARD, DISCOUNT, "discount", WIRE_DECIMAL, 0, 0, MICRO_MAX, 0, NULL, NULL, "percent, money per point, or money per order, as discount_mode says") \
    X (REWARD, DISCOUNT_MODE, "discount_mode", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_DISCOUNT_MODE, "what `discount` counts") \
    X (REWARD, DISCOUNT_APPLICABILITY, "discount_applicability", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_APPLICABILITY, "the whole order, its cheapest unit, or specific products") \
    X (REWARD, DISCOUNT_MAX_AMOUNT, "discount_max_amount", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "at most this much; 0 is no limit") \
    X (REWARD, DISCOUNT_PRODUCT_IDS, "discount_product_ids", WIRE_INTS, 0, 0, 10000, 0, NULL, NULL, "the products it takes something off") \
    X (REWARD, DISCOUNT_CATEGORY_ID, "discount_category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "or all below a category") \
    X (REWARD, DISCOUNT_TAG, "discount_tag", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "or all with a tag")     \
    X (REWARD, EXCLUDE_PRODUCT_IDS, "exclude_product_ids", WIRE_INTS, 0, 0, 10000, 0, NULL, NULL, "but not these")     \
    X (REWARD, EXCLUDE_CATEGORY_ID, "exclude_category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "nor what is below this") \
    X (REWARD, EXCLUDE_TAG, "exclude_tag", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "nor what has this tag")   \
    X (REWARD, REWARD_PRODUCT_IDS, "reward_product_ids", WIRE_INTS, 0, 0, 1000, 0, NULL, NULL, "product: which are free") \
    X (REWARD, REWARD_PRODUCT_QTY, "reward_product_qty", WIRE_DECIMAL, 0, 1, MICRO_MAX, MICRO_ONE, NULL, NULL, "product: how many") \
    X (REWARD, SPECIAL_PRICE, "special_price", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "special_price: what a unit costs") \
    X (REWARD, MAX_UNITS, "max_units", WIRE_DECIMAL, 0, 0, MICRO_MAX, 0, NULL, NULL, "special_price: for so many units; 0 is no limit") \
    X (REWARD, SET_ITEMS, "set_items", WIRE_RECORDS, 0, 0, 20, 0, &SCHEMA_SET_ITEM, NULL, "special_set: what is in a set") \
    X (REWARD, SET_PRICE, "set_price", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "special_set: what a set costs")    \
    X (REWARD, MAX_SETS, "max_sets", WIRE_INT, 0, 0, 1000000, 0, NULL, NULL, "special_set: so many sets; 0 is no limit") \
    X (REWARD, DISCOUNTS, "discounts", WIRE_RECORDS, 0, 0, 10, 0, &SCHEMA_DISCOUNT_STEP, NULL, "multiple_discount: one after another") \
    X (REWARD, POINTS, "points", WIRE_POINTS, 0, 0, POINTS_MAX, 0, NULL, NULL, "point: points it adds")

#define PROGRAM_FIELDS(X)                                                                                              \
    X (PROGRAM, ID, "program_id", WIRE_INT, WIRE_REQUIRED, 1, WIRE_INT_MAX, 0, NULL, NULL, "the program's id, yours (Odoo's loyalty.program)") \
    X (PROGRAM, NAME, "name", WIRE_STRING, WIRE_REQUIRED, 1, 200, 0, NULL, NULL, "for people")                         \
    X (PROGRAM, PROGRAM_TYPE, "program_type", WIRE_ENUM, WIRE_REQUIRED, 0, 0, 0, NULL, NAMES_PROGRAM_TYPE, "what kind of program") \
    X (PROGRAM, STATE, "state", WIRE_ENUM, 0, 0, 0, 1, NULL, NAMES_PROGRAM_STATE, "draft, active (default) or archived") \
    X (PROGRAM, TRIGGER, "trigger", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_TRIGGER, "takes part by itself, or with a code") \
    X (PROGRAM, APPLIES_ON, "applies_on", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_APPLIES_ON, "points are for this order, later ones, or both (default: both for loyalty, else current)") \
    X (PROGRAM, DATE_FROM, "date_from", WIRE_DAY, 0, 0, 0, 0, NULL, NULL, "first day")                                 \
    X (PROGRAM, DATE_TO, "date_to", WIRE_DAY, 0, 0, 0, 0, NULL, NULL, "last day")                                      \
    X (PROGRAM, WEEKDAYS, "weekdays", WIRE_ENUMS, 0, 0, 7, 0, NULL, NAMES_WEEKDAY, "only on these days")               \
    X (PROGRAM, HOURS, "hours", WIRE_STRINGS, 0, 0, 2, 0, NULL, NULL, "only from HH:MM to HH:MM, perhaps past midnight") \
    X (PROGRAM, POS_CONFIG_IDS, "pos_config_ids", WIRE_INTS, 0, 0, 1000, 0, NULL, NULL, "only in these stores")        \
    X (PROGRAM, CHANNELS, "channels", WIRE_ENUMS, 0, 0, 2, 0, NULL, NAMES_CHANNEL, "only in these channels")           \
    X (PROGRAM, PRICELIST_IDS, "pricelist_ids", WIRE_INTS, 0, 0, 100, 0, NULL, NULL, "only with these pricelists")     \
    X (PROGRAM, MEMBERSHIP_PRODUCT_ID, "membership_product_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the level whose program it is") \
    X (PROGRAM, IS_PRIMARY_LOYALTY, "is_primary_loyalty", WIRE_BOOL, 0, 0, 1, 0, NULL, NULL, "the program that a member of that level earns in") \
    X (PROGRAM, PRIORITY, "priority", WIRE_INT, 0, -1000000, 1000000, 0, NULL, NULL, "lower ones first within a layer") \
    X (PROGRAM, STACKING, "stacking", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_STACKING, "how it goes with others of its layer") \
    X (PROGRAM, BEST_OF, "best_of", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "stacking best_of: the group's name") \
    X (PROGRAM, DISCOUNT_BASE, "discount_base", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_DISCOUNT_BASE, "percentages of what is left, or of the first price") \
    X (PROGRAM, MAX_USAGE, "max_usage", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses in all; 0 is no limit")     \
    X (PROGRAM, MAX_USAGE_PER_CUSTOMER, "max_usage_per_customer", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per customer") \
    X (PROGRAM, MAX_USAGE_PER_STORE, "max_usage_per_store", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per store") \
    X (PROGRAM, MAX_USAGE_PER_DAY, "max_usage_per_day", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per day")   \
    X (PROGRAM, MAX_USAGE_PER_WEEK, "max_usage_per_week", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per week") \
    X (PROGRAM, MAX_USAGE_PER_MONTH, "max_usage_per_month", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per month") \
    X (PROGRAM, MAX_USAGE_PER_YEAR, "max_usage_per_year", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "uses per year") \
    X (PROGRAM, BUDGET, "budget", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "money it may give in all; 0 is no limit") \
    X (PROGRAM, EXPIRY, "expiry", WIRE_RECORD, 0, 0, 0, 0, &SCHEMA_EXPIRY, NULL, "when its points expire; never when absent") \
    X (PROGRAM, PENDING_DAYS, "pending_days", WIRE_INT, 0, 0, 3650, 0, NULL, NULL, "days until its points can be used") \
    X (PROGRAM, RESTORE_EXPIRED, "restore_expired", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_RESTORE_EXPIRED, "points that a refund gives back after their expiry") \
    X (PROGRAM, EXTEND_DAYS, "extend_days", WIRE_INT, 0, 0, 3650, 0, NULL, NULL, "restore_expired extend_days: by so many days") \
    X (PROGRAM, MAX_REFERRAL_USAGE, "max_referral_usage", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "referral: uses of one code") \
    X (PROGRAM, EARN_ON, "earn_on", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_EARN_ON, "gross: payments and its own discounts do not lower what earns; net: they do") \
    X (PROGRAM, SHORTFALL, "shortfall", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_SHORTFALL, "points that a refund cannot take back") \
    X (PROGRAM, RULES, "rules", WIRE_RECORDS, 0, 0, 100, 0, &SCHEMA_RULE, NULL, "who earns, and how many points")      \
    X (PROGRAM, REWARDS, "rewards", WIRE_RECORDS, 0, 0, 100, 0, &SCHEMA_REWARD, NULL, "what points buy")

#define PROGRAM_GET_FIELDS(X)                                                                                          \
    X (PROGRAM_GET, PROGRAM_ID, "program_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the program") \
    X (PROGRAM_GET, CATALOG_VERSION, "catalog_version", WIRE_INT, 0, 1, WIRE_INT_MAX, 0, NULL, NULL, "program.get: as it was in this version")

#define PROGRAM_LIST_FIELDS(X)                                                                                         \
    X (PROGRAM_LIST, STATE, "state", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_PROGRAM_STATE, "only these")       \
    X (PROGRAM_LIST, LIMIT, "limit", WIRE_INT, 0, 1, 1000, 100, NULL, NULL, "programs at most")                        \
    X (PROGRAM_LIST, CURSOR, "cursor", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "`next_cursor` of the page before")

#define STORE_FIELDS(X)                                                                                                \
    X (STORE, ID, "store_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "pos_config id")     \
    X (STORE, NAME, "name", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                                       \
    X (STORE, TIME_ZONE, "time_zone", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "IANA name; the engine's when absent")

#define PARTNER_FIELDS(X)                                                                                              \
    X (PARTNER, ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "Odoo's res.partner") \
    X (PARTNER, NAME, "name", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                                     \
    X (PARTNER, BIRTHDAY, "birthday", WIRE_DAY, 0, 0, 0, 0, NULL, NULL, "date of birth")                               \
    X (PARTNER, ACTIVE, "active", WIRE_BOOL, 0, 0, 1, 1, NULL, NULL, "still a customer")

#define PRODUCT_FIELDS(X)                                                                                              \
    X (PRODUCT, ID, "product_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "product id")    \
    X (PRODUCT, NAME, "name", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                                     \
    X (PRODUCT, REFERENCE, "reference", WIRE_STRING, 0, 0, WIRE_NAME_MAX, 0, NULL, NULL, "the shop's own code")        \
    X (PRODUCT, CATEGORY_ID, "category_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "its category") \
    X (PRODUCT, TAGS, "tags", WIRE_STRINGS, 0, 0, 50, 0, NULL, NULL, "its tags")                                       \
    X (PRODUCT, ACTIVE, "active", WIRE_BOOL, 0, 0, 1, 1, NULL, NULL, "one that is not is never given")

#define CATEGORY_FIELDS(X)                                                                                             \
    X (CATEGORY, ID, "category_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "category id") \
    X (CATEGORY, NAME, "name", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                                    \
    X (CATEGORY, PARENT_ID, "parent_id", WIRE_INT, WIRE_DISTINCT, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the category above it")

#define LEVEL_FIELDS(X)                                                                                                \
    X (LEVEL, MEMBERSHIP_PRODUCT_ID, "membership_product_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the level") \
    X (LEVEL, NAME, "name", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")                                       \
    X (LEVEL, SEQUENCE, "sequence", WIRE_INT, 0, 0, 1000, 0, NULL, NULL, "0 is the base level")                        \
    X (LEVEL, THRESHOLD, "threshold", WIRE_MONEY, 0, 0, MONEY_MAX, 0, NULL, NULL, "spending that reaches it")          \
    X (LEVEL, EARN_MULTIPLIER, "earn_multiplier", WIRE_DECIMAL, 0, 0, MICRO_MAX, MICRO_ONE, NULL, NULL, "times the points") \
    X (LEVEL, IS_UPGRADABLE, "is_upgradable", WIRE_BOOL, 0, 0, 1, 1, NULL, NULL, "can be reached from below")          \
    X (LEVEL, IS_DOWNGRADABLE, "is_downgradable", WIRE_BOOL, 0, 0, 1, 1, NULL, NULL, "can be lost")                    \
    X (LEVEL, WINDOW, "window", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_LEVEL_WINDOW, "of the spending that counts: all, this calendar year, or the last window_months") \
    X (LEVEL, WINDOW_MONTHS, "window_months", WIRE_INT, 0, 1, 120, 12, NULL, NULL, "window rolling_months: how many")  \
    X (LEVEL, GRACE_DAYS, "grace_days", WIRE_INT, 0, 0, 3650, 0, NULL, NULL, "below the threshold for so long before it is lost") \
    X (LEVEL, ON_CHANGE, "on_change", WIRE_ENUM, 0, 0, 0, 0, NULL, NAMES_LEVEL_CHANGE, "points of a member who comes to this level: transfer to its primary program, or reset")

#define REFERENCE_PUT_FIELDS(X)                                                                                        \
    X (REFERENCE_PUT, STORES, "stores", WIRE_RECORDS, 0, 0, 1000, 0, &SCHEMA_STORE, NULL, "stores, with their time zones") \
    X (REFERENCE_PUT, PARTNERS, "partners", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_PARTNER, NULL, "customers")           \
    X (REFERENCE_PUT, PRODUCTS, "products", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_PRODUCT, NULL, "products")            \
    X (REFERENCE_PUT, CATEGORIES, "categories", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_CATEGORY, NULL, "categories, a tree") \
    X (REFERENCE_PUT, LEVELS, "levels", WIRE_RECORDS, 0, 0, 100, 0, &SCHEMA_LEVEL, NULL, "membership levels")

#define LOAD_BEGIN_FIELDS(X)                                                                                           \
    X (LOAD_BEGIN, NOTE, "note", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "for people")

#define LOAD_PUT_FIELDS(X)                                                                                             \
    X (LOAD_PUT, LOAD_ID, "load_id", WIRE_INT, WIRE_REQUIRED, 1, WIRE_INT_MAX, 0, NULL, NULL, "the load that load.begin opened") \
    X (LOAD_PUT, PART, "part", WIRE_INT, WIRE_REQUIRED, 1, 1000000, 0, NULL, NULL, "1, 2, …: sent again, a part replaces itself") \
    X (LOAD_PUT, STORES, "stores", WIRE_RECORDS, 0, 0, 1000, 0, &SCHEMA_STORE, NULL, "stores")                         \
    X (LOAD_PUT, PARTNERS, "partners", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_PARTNER, NULL, "customers")                \
    X (LOAD_PUT, PRODUCTS, "products", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_PRODUCT, NULL, "products")                 \
    X (LOAD_PUT, CATEGORIES, "categories", WIRE_RECORDS, 0, 0, 5000, 0, &SCHEMA_CATEGORY, NULL, "categories")          \
    X (LOAD_PUT, LEVELS, "levels", WIRE_RECORDS, 0, 0, 100, 0, &SCHEMA_LEVEL, NULL, "membership levels")               \
    X (LOAD_PUT, PROGRAMS, "programs", WIRE_RECORDS, 0, 0, 1000, 0, &SCHEMA_PROGRAM, NULL, "programs")

#define LOAD_COMMIT_FIELDS(X)                                                                                          \
    X (LOAD_COMMIT, LOAD_ID, "load_id", WIRE_INT, WIRE_REQUIRED, 1, WIRE_INT_MAX, 0, NULL, NULL, "the load that is switched over") \
    X (LOAD_COMMIT, PARTS, "parts", WIRE_INT, WIRE_REQUIRED, 0, 1000000, 0, NULL, NULL, "how many parts were put; refused when some are missing")

#define MEMBERSHIP_GET_FIELDS(X)                                                                                       \
    X (MEMBERSHIP_GET, PARTNER_ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member")

#define MEMBERSHIP_CHANGE_FIELDS(X)                                                                                    \
    X (MEMBERSHIP_CHANGE, PARTNER_ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member") \
    X (MEMBERSHIP_CHANGE, LEVEL, "membership_product_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the level") \
    X (MEMBERSHIP_CHANGE, FROM, "from", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "since when it is held, not in the future; now when absent") \
    X (MEMBERSHIP_CHANGE, TO, "to", WIRE_TIME, 0, 0, 0, 0, NULL, NULL, "until when; for ever when absent. Before it no evaluation lowers the level") \
    X (MEMBERSHIP_CHANGE, POINTS, "points", WIRE_ENUM, WIRE_DISTINCT, 0, 0, 0, NULL, NAMES_LEVEL_CHANGE, "what becomes of the points; as the level's on_change says when absent") \
    X (MEMBERSHIP_CHANGE, REASON, "reason", WIRE_STRING, WIRE_REQUIRED, 1, 200, 0, NULL, NULL, "why; stands in the history")

#define JOB_RUN_FIELDS(X)                                                                                              \
    X (JOB_RUN, JOB, "job", WIRE_ENUM, WIRE_REQUIRED, 0, 0, 0, NULL, NAMES_JOB, "expire: book what ran out; memberships: evaluate every member's level; holds: let go of holds that ran out, forget old ones; referrals: book points that wait for owners of referral codes; partitions: make the next months' tables") \
    X (JOB_RUN, PERIOD, "period", WIRE_STRING, WIRE_DISTINCT, 1, 64, 0, NULL, NULL, "what it is done for, once (\"2026-11-21\"): done before, it does nothing. Absent: goes on with what is not done, else begins again") \
    X (JOB_RUN, LIMIT, "limit", WIRE_INT, 0, 1, JOB_ROWS_MAX, 100, NULL, NULL, "rows that one call works on at most") \
    X (JOB_RUN, RESUME, "resume", WIRE_BOOL, 0, 0, 0, 0, NULL, NULL, "go on although it was stopped")

#define JOB_STOP_FIELDS(X)                                                                                             \
    X (JOB_STOP, JOB, "job", WIRE_ENUM, WIRE_REQUIRED, 0, 0, 0, NULL, NAMES_JOB, "which; the schedule leaves it out, and who drives it is told, until job.run says `resume`")

#define ADMIN_DRAIN_FIELDS(X)                                                                                          \
    X (ADMIN_DRAIN, WORKER, "worker", WIRE_STRING, 0, 1, WIRE_NAME_MAX, 0, NULL, NULL, "the workers of this name; absent: the broker itself")

#define REFERRAL_CREATE_FIELDS(X)                                                                                      \
    X (REFERRAL_CREATE, PARTNER_ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member whose code it is") \
    X (REFERRAL_CREATE, PROGRAM_ID, "program_id", WIRE_INT, WIRE_REQUIRED, 1, WIRE_INT_MAX, 0, NULL, NULL, "the referral program")

#define MEMBER_MERGE_FIELDS(X)                                                                                         \
    X (MEMBER_MERGE, PARTNER_ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member that goes; who names it later means the other") \
    X (MEMBER_MERGE, INTO, "into_partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member that stays") \
    X (MEMBER_MERGE, REASON, "reason", WIRE_STRING, 0, 0, 200, 0, NULL, NULL, "why; stands in the history")

#define MEMBER_FORGET_FIELDS(X)                                                                                        \
    X (MEMBER_FORGET, PARTNER_ID, "partner_id", WIRE_INT, WIRE_REQUIRED, WIRE_INT_MIN, WIRE_INT_MAX, 0, NULL, NULL, "the member, with all that became it")

#define EVENTS_READ_FIELDS(X)                                                                                          \
    X (EVENTS_READ, AFTER, "after", WIRE_INT, 0, 0, WIRE_INT_MAX, 0, NULL, NULL, "the number of the last event that is known; 0: none. Absent: nothing is read, and the answer says where now is") \
    X (EVENTS_READ, LIMIT, "limit", WIRE_INT, 0, 1, 1000, 100, NULL, NULL, "events at most")                           \
    X (EVENTS_READ, TOPICS, "topics", WIRE_ENUMS, 0, 0, 32, 0, NULL, NAMES_TOPIC, "only these; all when absent or empty")

#define EMPTY_FIELDS(X)

#define MICRO_ONE 1000000
#define POINTS_ONE 100

/* Every schema: X (PREFIX, variable, name). Records come before what holds them. */
#define WIRE_SCHEMAS(X)                     \
    X (TAX, "tax")                          \
    X (REFUND_REF, "refund_of")             \
    X (CARD_REF, "card")                    \
    X (LINE, "line")                        \
    X (CLAIM, "claim")                      \
    X (ORDER, "order")                      \
    X (ORDER_CANCEL, "order_cancel")        \
    X (ORDER_GET, "order_get")              \
    X (CARD_CREATE, "card_create")          \
    X (CARD_GET, "card_get")                \
    X (CARD_ADJUST, "card_adjust")          \
    X (EXPIRY, "expiry")                    \
    X (BIRTHDAY, "birthday")                \
    X (RULE, "rule")                        \
    X (SET_ITEM, "set_item")                \
    X (DISCOUNT_STEP, "discount_step")      \
    X (REWARD, "reward")                    \
    X (PROGRAM, "program")                  \
    X (PROGRAM_GET, "program_get")          \
    X (PROGRAM_LIST, "program_list")        \
    X (STORE, "store")                      \
    X (PARTNER, "partner")                  \
    X (PRODUCT, "product")                  \
    X (CATEGORY, "category")                \
    X (LEVEL, "level")                      \
    X (REFERENCE_PUT, "reference_put")      \
    X (LOAD_BEGIN, "load_begin")            \
    X (LOAD_PUT, "load_put")                \
    X (LOAD_COMMIT, "load_commit")          \
    X (EMPTY, "empty")                      \
    X (CARD_STATE, "card_state")            \
    X (CARD_TRANSFER, "card_transfer")      \
    X (COUPON_GENERATE, "coupon_generate")  \
    X (COUPON_LIST, "coupon_list")          \
    X (COUPON_CHECK, "coupon_check")        \
    X (POINTS_HOLD, "points_hold")          \
    X (POINTS_CAPTURE, "points_capture")    \
    X (POINTS_RELEASE, "points_release")   \
    X (MEMBERSHIP_GET, "membership_get")    \
    X (MEMBERSHIP_CHANGE, "membership_change") \
    X (JOB_RUN, "job_run")                  \
    X (REFERRAL_CREATE, "referral_create") \
    X (MEMBER_MERGE, "member_merge") \
    X (MEMBER_FORGET, "member_forget") \
    X (JOB_STOP, "job_stop") \
    X (EVENTS_READ, "events_read") \
    X (ADMIN_DRAIN, "admin_drain")

/* enum { F_ORDER_ORDER_ID, F_ORDER_CHANNEL, …, FIELDS_OF_ORDER }; extern const struct wire_schema SCHEMA_ORDER; */
#define WIRE_FIELD_INDEX(prefix, index, ...) F_##prefix##_##index,
#define WIRE_DECLARE_SCHEMA(prefix, name) \
    enum { prefix##_FIELDS (WIRE_FIELD_INDEX) FIELDS_OF_##prefix }; \
    extern const struct wire_schema SCHEMA_##prefix;
WIRE_SCHEMAS (WIRE_DECLARE_SCHEMA)

/* All of them, records before what holds them. */
extern const struct wire_schema *const WIRE_SCHEMA_LIST[];
extern const unsigned WIRE_SCHEMA_COUNT;

#endif
