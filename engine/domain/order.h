/* order.h - an order as it is evaluated: the request's facts with what was looked up for them.
 *
 * Built by the worker (or read back from a stored record); memory is the arena's. */
#ifndef DOMAIN_ORDER_H
#define DOMAIN_ORDER_H

#include "domain/catalog.h"

enum { TAXES_PER_LINE_MAX = 16 };

enum tax_rounding { ROUND_PER_LINE, ROUND_GLOBAL };
enum tax_type { TAX_PERCENT, TAX_FIXED };

struct tax {
    int64_t id;
    enum tax_type type;
    int64_t amount_micro; /* percent, or money per unit */
    bool included, affects_base;
};

struct card_ref {
    int64_t card_id; /* 0: by code */
    struct str code;
};

struct order_line {
    struct str line_id;
    int64_t product_id;
    int64_t qty_micro;        /* never 0; negative on returns */
    int64_t price_unit_micro; /* in units of the currency */
    int64_t discount_micro;   /* percent by hand, 0..100 % */
    uint32_t tax_count;
    const struct tax *taxes;
    /* A return: which original, as asked for (refund.h resolves it). Empty order_id: none. */
    struct str refund_order_id, refund_line_id;
    /* What the line sells or tops up (rule 13). */
    struct str gift_code;     /* empty: none */
    bool has_card;
    struct card_ref card;
    /* A covered part of a return has its money from the original: these amounts (all <= 0) stand
     * instead of qty × price, and the line neither earns nor is discounted nor meets minimums. */
    bool is_covered_return;
    int64_t covered_untaxed_minor, covered_tax_minor;
    uint32_t covered_tax_count;
    const struct tax_amount *covered_taxes;
    /* What was looked up. */
    bool product_known, product_active;
    struct id_list categories; /* the product's category and all above it */
    uint32_t tag_count;
    const struct str *tags;
};

struct tax_amount {
    int64_t tax_id;
    int64_t amount_minor;
};

struct claim {
    struct str code;                  /* a code entered by hand, or empty */
    bool has_program, has_reward, has_product, has_card;
    int64_t program_id, reward_id, product_id;
    int64_t qty_micro;                /* 0: not given */
    int64_t points;                   /* most points to spend, hundredths; 0: not given */
    struct card_ref card;
};

/* A card that the order may earn on or spend from: its member's, or one presented. */
struct card_state {
    int64_t card_id, program_id;
    bool has_partner;
    int64_t partner_id;
    struct str code;
    bool blocked, presented;
    int64_t usable;  /* balance at the order's instant, less holds (but with what this order captures); hundredths, >= 0 */
    int64_t debt;
    int64_t expired; /* points that ran out, to tell a card that is spent from one that came too late */
    int64_t referral_uses; /* of its code, by other orders */
};

/* What was used so far of a program whose use is limited, as counted under the locks (rules 27, 30). */
struct usage_state {
    int64_t program_id;
    int64_t used[LIMIT_COUNT]; /* by this customer, at this store, in the running day, … */
    bool birthday_used;        /* in the calendar year of the birthday that the order is near to */
};

struct member_state {
    bool known;       /* a partner was given, and is one the engine has met (else: a warning) */
    int64_t partner_id;
    bool has_level;
    int64_t membership_product_id; /* the level held at the order's date */
    bool is_first_order;
    bool has_birthday;
    int32_t birthday;
};

/* The birthday nearest to a day (the later of two), of a member born on `birthday`: its year is the one for which a birthday
 * offer is used (rule 30). Of 29 February it is the 28th where there is none. */
int32_t birthday_nearest (int32_t birthday, int32_t day);

struct order {
    struct str order_id;
    enum channel channel;
    bool has_store, has_partner, has_pricelist, has_expected_total, has_charged_total;
    int64_t store_id, partner_id, pricelist_id;
    int64_t instant;      /* the evaluation's clock: the order's date, or now */
    enum tax_rounding tax_rounding;
    uint32_t line_count;
    struct order_line *lines;
    uint32_t claim_count;
    const struct claim *claims;
    bool auto_claim, skip_refused, paid, is_import;
    int64_t expected_total_minor, charged_total_minor;
    uint32_t draft_count;
    const int64_t *draft_program_ids; /* quote only */
    /* State read under the locks (or in the snapshot of a quote). */
    uint32_t card_count;
    const struct card_state *cards;
    struct member_state member;
    uint32_t usage_count;
    const struct usage_state *usages; /* by program; one that is not there was not used yet */
    struct id_list inactive_products; /* of those that the catalog's rewards give; ascending */
    bool forgiving;       /* late or paid: nothing is refused, each difference is a warning (rule 35) */
    /* Kept and echoed, of no meaning here. */
    struct str reference, meta;
    struct str hold_id;   /* whose points it captures: they are in the card's `usable`; empty: none */
    bool has_cashier, has_session;
    int64_t cashier_id, session_id;
    bool explain;
};

#endif
