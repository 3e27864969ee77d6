/* order_parts.h - the parts of an order's result, of which its reply and its events are made. */
#ifndef RENDER_ORDER_PARTS_H
#define RENDER_ORDER_PARTS_H

#include "render/render.h"

/* Where the figures go, and with which sign: of a cancelled order all are reversed. */
struct renderer {
    struct buf *out;
    unsigned digits;
    int sign;
    const struct order_record *record;
};

/* "name": money of the order, with the renderer's sign. */
void order_money (const struct renderer *to, const char *name, int64_t minor);

/* ORDER_HEAD_FIELDS pairs: totals, the primary card's points. */
enum { ORDER_HEAD_FIELDS = 8 };
void order_head (const struct renderer *to);

/* One pair of name and list each. */
void order_taxes (const struct renderer *to, uint32_t count, const struct tax_amount *amounts);
void order_lines (const struct renderer *to);
void order_discounts (const struct renderer *to);
/* The first ORDER_DISCOUNT_FIELDS pairs of a discount: those without lines and taxes. */
enum { ORDER_DISCOUNT_FIELDS = 8 };
void order_discount_head (const struct renderer *to, const struct discount *discount);
void order_claims (const struct renderer *to);
/* `changes`: each with what the order changed of the stored points. */
void order_points (const struct renderer *to, bool changes);
void order_cards (const struct renderer *to);
void order_referrals (const struct renderer *to);
void order_hints (const struct renderer *to);
void order_warnings (const struct renderer *to);
void order_rejected (const struct renderer *to);
/* The pair "membership", a map or nil. */
void order_membership (const struct renderer *to);
/* ORDER_RETURN_FIELDS pairs: what came back, where order_has_returns. */
enum { ORDER_RETURN_FIELDS = 4 };
bool order_has_returns (const struct order_record *record);
void order_returned (const struct renderer *to);

/* An effect as the reply counts it: what was taken back and given back lowers what was earned and redeemed. A cancellation's effects
 * are stored as what was moved then, so their sign is right as it is. */
int64_t order_earned (const struct card_effect *effect);
int64_t order_redeemed (const struct card_effect *effect);

/* The effect on the member's primary card (without a member: on the first card that was touched), and on the member's card of a
 * program; NULL: there is none. */
const struct card_effect *order_primary_effect (const struct order_record *record);
const struct card_effect *order_effect_of_program (const struct order_record *record, int64_t program_id);

#endif
