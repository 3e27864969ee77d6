/* evaluate.h - an order, a catalog and the state that was read, in; what it costs, earns and spends, out.
 *
 * A pure function: no I/O, no clock, no memory but the arena's (DESIGN section 3.4). */
#ifndef DOMAIN_EVALUATE_H
#define DOMAIN_EVALUATE_H

#include "domain/order.h"

/* Bump when the same inputs may come out differently: stored orders name the version they used. */
enum { EVALUATOR_VERSION = 1 };

enum layer { LAYER_PRICE, LAYER_FREE, LAYER_DISCOUNT, LAYER_PAYMENT };
extern const char *const LAYER_NAMES[];

struct line_result {
    int64_t untaxed_minor, tax_minor, total_minor; /* of the line before program discounts (after its own percent) */
    int64_t discount_minor;                        /* what programs took off it, tax included, >= 0 */
    int64_t net_minor;                             /* total - discount: tax included, before payments */
    int64_t net_untaxed_minor, net_tax_minor;      /* its parts; net_untaxed + net_tax = net */
    uint32_t tax_count;
    const struct tax_amount *taxes;                /* of the line, net of discounts; sums to net_tax */
};

struct discount_part {
    uint32_t line; /* index */
    int64_t qty_micro; /* units it is about; 0 where it is about the line as a whole */
    int64_t amount_minor; /* > 0, tax included */
};

struct discount {
    enum layer layer;
    int64_t program_id, rule_id, reward_id; /* rule_id 0: none in particular */
    int64_t card_id;                        /* 0: a card that this order creates, or none */
    struct str code;
    int64_t points_cost;
    int64_t amount_minor;                   /* tax included: the sum of its parts (payments have none); 0 only where it
                                             * gives points or adds free units */
    int64_t untaxed_minor;                  /* amount less its taxes */
    int64_t points_given;                   /* added to the card (rule 18) */
    int64_t free_product_id, free_qty_micro; /* sale: units to be added as a line at full discount, which changes no
                                              * total; qty 0: none */
    uint32_t part_count, tax_count;
    const struct discount_part *parts;
    const struct tax_amount *taxes;
    bool automatic;
    int32_t claim; /* index of the claim that asked for it; -1 */
};

/* Why a claim was refused, or a program did not apply: a closed set (docs/protocol.md). */
#define REASONS(X)                                                                                     \
    X (NONE, "")                                                                                       \
    X (UNKNOWN_CODE, "unknown_code")                                                                   \
    X (UNKNOWN_PROGRAM, "unknown_program")                                                             \
    X (UNKNOWN_REWARD, "unknown_reward")                                                               \
    X (AMBIGUOUS_REWARD, "ambiguous_reward") /* the program has several: name one */                   \
    X (NOT_ACTIVE, "not_active")                                                                       \
    X (BEFORE_DATE_FROM, "before_date_from")                                                           \
    X (AFTER_DATE_TO, "after_date_to")                                                                 \
    X (WRONG_WEEKDAY, "wrong_weekday")                                                                 \
    X (WRONG_HOURS, "wrong_hours")                                                                     \
    X (WRONG_STORE, "wrong_store")                                                                     \
    X (WRONG_CHANNEL, "wrong_channel")                                                                 \
    X (WRONG_PRICELIST, "wrong_pricelist")                                                             \
    X (WRONG_MEMBERSHIP, "wrong_membership")                                                           \
    X (NO_MEMBER, "no_member") /* it needs a member, and the order has none */                         \
    X (MINIMUM_QTY, "minimum_qty")                                                                     \
    X (MINIMUM_AMOUNT, "minimum_amount")                                                               \
    X (NO_MATCHING_PRODUCT, "no_matching_product")                                                     \
    X (NOT_ENOUGH_POINTS, "not_enough_points")                                                         \
    X (NOTHING_TO_DISCOUNT, "nothing_to_discount")                                                     \
    X (BETTER_DISCOUNT, "better_discount") /* another of its group saves as much or more */            \
    X (EXCLUDED_BY_OTHER, "excluded_by_other")                                                         \
    X (NOT_CLAIMED, "not_claimed") /* it has to be chosen */                                           \
    X (CARD_BLOCKED, "card_blocked")                                                                   \
    X (UNKNOWN_CARD, "unknown_card")                                                                   \
    X (LIMIT_REACHED, "limit_reached") /* the text begins with the limit's name */                     \
    X (CODE_USED, "code_used")     /* a one-time code whose points are spent */                        \
    X (EXPIRED, "expired")         /* the card's points ran out */                                     \
    X (NOT_BY_CODE, "not_by_code") /* loyalty and wallet cards are their member's */                   \
    X (CODE_NEEDED, "code_needed") /* the program waits for its code, or for another one */            \
    X (OWN_CODE, "own_code")       /* a referral by the owner of the code */                           \
    X (ONE_REFERRAL, "one_referral") /* one referral code an order */                                  \
    X (NOT_FIRST_ORDER, "not_first_order")                                                             \
    X (NOT_BIRTHDAY, "not_birthday")                                                                   \
    X (PRODUCT_NOT_OFFERED, "product_not_offered") /* the chosen product is not one of the reward's */ \
    X (NOT_USABLE_YET, "not_usable_yet") /* points that only later orders may use */

enum reason {
#define X(id, name) REASON_##id,
    REASONS (X)
#undef X
        REASON_COUNT
};
extern const char *const REASON_NAMES[REASON_COUNT];

struct claim_result {
    bool ok;
    enum reason reason;
    char text[128];        /* for a person, with the figures: "minimum_amount 50.00, has 46.80" */
    bool replaced;         /* accepted, but a later claim beat it */
    int32_t replaced_by;   /* that claim's index */
    int32_t discount;      /* index of what it gave, -1: nothing */
    int64_t program_id, reward_id;
};

/* Points moved on one card (one entry per card touched). */
struct points_result {
    int64_t card_id;      /* 0: a new card of this program, for the order's partner, is made for it */
    int64_t program_id;
    int64_t earned;       /* hundredths, >= 0: rounded by rule (SEMANTICS 4) */
    int64_t redeemed;     /* hundredths, >= 0 */
    bool usable_now;      /* points of this order may pay for its own rewards: redeemed may exceed what the card had */
};

struct rejection {
    int64_t program_id, rule_id, reward_id;
    enum reason reason;
    char text[128];
};

enum warning_kind { WARNING_UNKNOWN_PRODUCT, WARNING_UNKNOWN_PARTNER, WARNING_DIFFERENCE, WARNING_OVER_LIMIT };
extern const char *const WARNING_NAMES[];

struct warning {
    enum warning_kind kind;
    uint32_t line;       /* WARNING_UNKNOWN_PRODUCT: the line's index */
    char text[128];
};

/* A card that the order makes: a gift card it sells, a coupon for the next order (rules 6, 13). */
struct card_result {
    int64_t program_id;
    struct str code;      /* printed; empty: to be generated */
    int64_t points;       /* > 0, hundredths: of no use in this order */
    bool for_partner;     /* the order's; else whoever shows the code may use it */
    int32_t line;         /* that sold it; -1: earned */
};

/* One use of a program whose use is limited; what a full refund or a cancel gives back. */
struct usage_result {
    int64_t program_id;
    int64_t given_minor;  /* money taken off by it */
    bool birthday;        /* it was this year's birthday use */
    uint32_t counters;    /* bit of each counter that it was added to (store/unit.h): the caller's to fill */
};

/* Points for the owner of a referral code, booked when the owner's card is next locked (rule 29). */
struct referral_result {
    int64_t card_id, program_id; /* card_id 0: there was none */
    int64_t points;
};

/* What is nearly reached: `missing` of `needed` units (millionths), money (minor units) or points (hundredths). */
enum hint_kind { HINT_MINIMUM_QTY, HINT_MINIMUM_AMOUNT, HINT_POINTS };
extern const char *const HINT_NAMES[]; /* "minimum_qty", "minimum_amount", "points" */
enum { HINTS_MAX = 20 };

struct hint {
    enum hint_kind kind;
    int64_t program_id, rule_id, reward_id; /* rule_id or reward_id 0: about none in particular */
    int64_t needed, missing;
};

struct evaluation {
    struct line_result *lines; /* one per line of the order */
    int64_t untaxed_minor, tax_minor, total_minor; /* after everything; payments taken off too */
    uint32_t tax_count;
    const struct tax_amount *taxes;                /* of the order, sums to tax_minor */
    uint32_t discount_count;
    const struct discount *discounts;              /* in the order they were applied */
    uint32_t claim_count;
    struct claim_result *claims;
    uint32_t points_count;
    struct points_result *points;                  /* by program id, then card id */
    uint32_t rejection_count;                      /* only with order->explain; at most 200, matching ones first */
    const struct rejection *rejections;
    uint32_t warning_count;
    const struct warning *warnings;
    uint32_t card_count;
    const struct card_result *cards;
    uint32_t usage_count;
    const struct usage_result *usages;             /* by program */
    struct referral_result referral;
    uint32_t hint_count;
    const struct hint *hints;                      /* the nearest first, at most HINTS_MAX */
    bool has_primary;                              /* the member's primary card: index into points, or the card itself */
    int64_t primary_program_id;
};

/* Evaluates. 0; or -1 with invalid_request (a figure out of range, a program that
 * program_check refuses, by path), claim_refused (details.reason, details.claim: only when the order is not to skip refused
 * claims and `strict`), card_blocked (details.card_id: a blocked card was shown, and the order is not to skip
 * what is refused), internal (the arena is exhausted). `strict` false (quotes): refused claims are only
 * answered. `expected_total` is the caller's to compare. */
int evaluate_order (const struct catalog *catalog, const struct order *order, bool strict, struct arena *arena,
                    struct evaluation *out, struct error *err);

/* The programs whose use is limited (or bound to a birthday) and that the order may come to use: their counters
 * have to be locked and read before it is evaluated. Decided from the catalog and the order's facts alone (lines, claims,
 * store, instant), so it may name more than are used, never fewer. *ids, ascending, are the arena's. 0; -1: internal (the
 * arena is exhausted). */
int evaluate_limited (const struct catalog *catalog, const struct order *order, struct arena *arena, const int64_t **ids,
                      uint32_t *count, struct error *err);

#endif
