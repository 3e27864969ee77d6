/* refund.h - returns: which original lines they are covered by, what money and which points go back (SEMANTICS 33, 34).
 *
 * The caller reads each original order named by the return lines, and all refunds of it so far; this decides. */
#ifndef DOMAIN_REFUND_H
#define DOMAIN_REFUND_H

#include "domain/evaluate.h"
#include "domain/ledger.h"

/* One line of an original, and what earlier refunds took of it. */
struct original_line {
    struct str line_id;
    int64_t product_id, qty_micro, price_unit_micro; /* qty > 0; lines that were returns are left out */
    int64_t net_minor, net_untaxed_minor, net_tax_minor, list_minor; /* net before payments; list: before all discounts */
    uint32_t tax_count;
    const struct tax_amount *taxes;                                  /* net of discounts */
    int64_t refunded_qty_micro, refunded_net_minor, refunded_untaxed_minor;
    const int64_t *refunded_taxes_minor;                             /* one per tax */
    bool sells;                                                      /* a card, or points on one: it earned nothing itself */
};

/* Points one card gained or spent through the original, and what refunds gave back of it so far. */
struct original_points {
    int64_t card_id, program_id;
    int64_t earned, taken_back;      /* hundredths */
    uint32_t earned_lot_count;
    const int32_t *earned_lots;      /* the lots it created on that card */
    int64_t redeemed, given_back;
    uint32_t use_count;
    const struct lot_use *uses;      /* lots it consumed, in FEFO order; given back in the reverse (last used, first back); lot 0: owed */
    int64_t paid_minor, paid_back_minor; /* money that the card paid for the order, and what of it was given back */
    /* Lines (of `lines`) that put the points on the card by selling it or topping it up: they are taken back with these. A
     * card that a line of several units sold goes with the unit after the first `units_before` that come back. */
    uint32_t line_count;
    const uint32_t *lines;
    bool is_sold;
    int64_t units_before;
};

struct original {
    struct str order_id;
    int64_t order_ref;
    bool cancelled, has_partner;
    int64_t partner_id;
    uint32_t line_count;
    struct original_line *lines;
    uint32_t points_count;
    struct original_points *points;
};

/* What one return line, or a part of one, takes of an original's line. */
struct refund_part {
    uint32_t line;               /* of the refunding order */
    uint32_t original, original_line;
    int64_t qty_micro;           /* > 0 */
    int64_t net_minor, untaxed_minor;  /* >= 0 where the line's are: what goes back */
    uint32_t tax_count;
    const struct tax_amount *taxes;    /* sums to net - untaxed */
};

struct refund_uncovered {
    uint32_t line;
    int64_t qty_micro; /* > 0 */
};

struct refund_points {
    uint32_t original;
    int64_t card_id, program_id;
    int64_t take_back;       /* of earned, >= 0 */
    uint32_t lot_count;
    const int32_t *lots;     /* from these first */
    int64_t give_back;       /* of redeemed, >= 0 */
    uint32_t use_count;
    const struct lot_use *uses; /* to these lots; sums to give_back */
    int64_t paid_back_minor; /* money that goes back to the card */
};

struct refund_plan {
    uint32_t part_count, uncovered_count, points_count;
    const struct refund_part *parts;
    const struct refund_uncovered *uncovered;
    const struct refund_points *points;
};

/* Matches every return line (qty < 0) that names an original against `originals` (those that were found), and sets on
 * a wholly covered line is_covered_return and its amounts. A line covered in part is split: order->lines is replaced by a
 * longer array in the arena, the second piece (same line_id) holding what is not covered; `line` indexes of the
 * plan are of the new array. refund_exceeds (details.path) when a line_id is named and not enough of it is left;
 * not_found when a named line or (with line_id) order is not there; invalid_request when the named line is another product.
 * A cancelled original covers nothing: conflict. A failure leaves the order as it was; the originals are only read (the
 * plan's lists of lots are theirs).
 *
 * A part's money and each of its taxes are the line's × units refunded so far ÷ its units, rounded, less what went before;
 * points go by the original's money so far (list prices where its net is 0, units where all of it was free). */
int refund_plan_make (struct order *order, const struct original *originals, uint32_t original_count, struct arena *arena,
                      struct refund_plan *plan, struct error *err);

#endif
