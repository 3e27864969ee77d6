/* record_order.c - the request's part of a stored record: the order, its lines, its claims, the cards and the member. */
#include "store/record_walk.h"

/* A field that is added to one of these has to be walked here; then set the new size. */
#define WALKED(type, size) \
    _Static_assert(sizeof (void *) != 8 || sizeof (struct type) == (size), \
                   "struct " #type " changed: walk the new field")
WALKED (order, 312);
WALKED (order_line, 224);
WALKED (tax, 32);
WALKED (claim, 88);
WALKED (card_state, 88);
WALKED (usage_state, 80);
WALKED (member_state, 40);

#define COUNT_OF(array) ((unsigned)(sizeof (array) / sizeof *(array)))

/* ---------------------------------------------------------------- lines */

static bool
taxes_equal (const struct order_line *a, const struct order_line *b)
{
    if (a->tax_count != b->tax_count)
        return false;
    for (uint32_t i = 0; i < a->tax_count && a->taxes != b->taxes; i++) {
        const struct tax *x = &a->taxes[i], *y = &b->taxes[i];
        if (x->id != y->id || x->type != y->type || x->amount_micro != y->amount_micro || x->included != y->included ||
            x->affects_base != y->affects_base)
            return false;
    }
    return true;
}

static bool
categories_equal (const struct order_line *a, const struct order_line *b)
{
    return a->categories.count == b->categories.count &&
           (a->categories.count == 0 ||
            memcmp (a->categories.ids, b->categories.ids, a->categories.count * sizeof (int64_t)) == 0);
}

static bool
tags_equal (const struct order_line *a, const struct order_line *b)
{
    if (a->tag_count != b->tag_count)
        return false;
    for (uint32_t i = 0; i < a->tag_count; i++)
        if (!str_equal (a->tags[i], b->tags[i]))
            return false;
    return true;
}

static void
taxes_walk (struct record_io *io, struct order_line *line)
{
    struct tax *taxes = io_list (io, &line->taxes, &line->tax_count, sizeof *taxes, TAXES_PER_LINE_MAX);
    for (uint32_t i = 0; i < line->tax_count && !io->bad; i++) {
        struct tax *tax = &taxes[i];
        bool fixed = tax->type == TAX_FIXED;
        io_int (io, &tax->id);
        io_bools (io, (bool *const[]){ &tax->included, &tax->affects_base, &fixed }, 3);
        if (!io->writing)
            tax->type = fixed ? TAX_FIXED : TAX_PERCENT;
        io_decimal (io, &tax->amount_micro);
    }
}

static void
ids_walk (struct record_io *io, struct id_list *list)
{
    int64_t *ids = io_list (io, &list->ids, &list->count, sizeof *ids, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < list->count && !io->bad; i++)
        io_near (io, &ids[i], i > 0 ? ids[i - 1] : 0);
}

static void
tags_walk (struct record_io *io, struct order_line *line)
{
    struct str *tags = io_list (io, &line->tags, &line->tag_count, sizeof *tags, RECORD_TAGS_MAX);
    for (uint32_t i = 0; i < line->tag_count && !io->bad; i++)
        io_str (io, &tags[i]);
}

/* What only returns have. */
static void
return_walk (struct record_io *io, struct order_line *line, int64_t *order_number, int64_t *refund_line_number)
{
    io_name (io, &line->refund_order_id, order_number);
    io_name (io, &line->refund_line_id, refund_line_number);
    io_bools (io, (bool *const[]){ &line->is_covered_return }, 1);
    io_sparse (io, (int64_t *const[]){ &line->covered_untaxed_minor, &line->covered_tax_minor }, 2);
    record_walk_taxes (io, &line->covered_taxes, &line->covered_tax_count);
}

static bool
has_return (const struct order_line *line)
{
    return line->refund_order_id.size > 0 || line->refund_line_id.size > 0 || line->is_covered_return ||
           line->covered_untaxed_minor != 0 || line->covered_tax_minor != 0 || line->covered_tax_count > 0;
}

/* What only lines that sell or top up a card have. */
static void
card_sale_walk (struct record_io *io, struct order_line *line)
{
    io_str (io, &line->gift_code);
    io_bools (io, (bool *const[]){ &line->has_card }, 1);
    io_int (io, &line->card.card_id);
    io_str (io, &line->card.code);
}

static bool
has_card_sale (const struct order_line *line)
{
    return line->gift_code.size > 0 || line->has_card || line->card.card_id != 0 || line->card.code.size > 0;
}

static void
lines_walk (struct record_io *io, struct order *order, int64_t order_number)
{
    struct order_line *lines = io_list (io, &order->lines, &order->line_count, sizeof *lines, RECORD_LINES_MAX);
    int64_t line_number = -1, refund_line_number = -1;
    for (uint32_t i = 0; i < order->line_count && !io->bad; i++) {
        static const struct order_line NO_LINE;
        const struct order_line *before = i > 0 ? &lines[i - 1] : &NO_LINE;
        struct order_line *line = &lines[i];
        bool taxes = false, categories = false, tags = false, discount = false, returns = false;
        bool unknown = false, inactive = false, card_sale = false;
        if (io->writing) {
            taxes = !taxes_equal (line, before);
            categories = !categories_equal (line, before);
            tags = !tags_equal (line, before);
            discount = line->discount_micro != 0;
            returns = has_return (line);
            unknown = !line->product_known;
            inactive = !line->product_active;
            card_sale = has_card_sale (line);
        }
        bool *const bools[] = { &taxes, &categories, &tags, &discount, &returns, &unknown, &inactive, &card_sale };
        io_bools (io, bools, COUNT_OF (bools));
        if (!io->writing) {
            line->product_known = !unknown;
            line->product_active = !inactive;
            line->tax_count = before->tax_count;
            line->taxes = before->taxes;
            line->categories = before->categories;
            line->tag_count = before->tag_count;
            line->tags = before->tags;
        }
        io_name (io, &line->line_id, &line_number);
        io_int (io, &line->product_id);
        io_decimal (io, &line->qty_micro);
        io_decimal (io, &line->price_unit_micro);
        if (discount)
            io_decimal (io, &line->discount_micro);
        if (taxes)
            taxes_walk (io, line);
        if (categories)
            ids_walk (io, &line->categories);
        if (tags)
            tags_walk (io, line);
        if (returns)
            return_walk (io, line, &order_number, &refund_line_number);
        if (card_sale)
            card_sale_walk (io, line);
    }
}

/* ---------------------------------------------------------------- claims, cards, member */

static void
claims_walk (struct record_io *io, struct order *order)
{
    struct claim *claims = io_list (io, &order->claims, &order->claim_count, sizeof *claims, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < order->claim_count && !io->bad; i++) {
        struct claim *claim = &claims[i];
        bool *const bools[] = { &claim->has_program, &claim->has_reward, &claim->has_product, &claim->has_card };
        int64_t *const numbers[] = { &claim->program_id, &claim->reward_id, &claim->product_id,
                                     &claim->qty_micro,  &claim->points,    &claim->card.card_id };
        io_bools (io, bools, COUNT_OF (bools));
        io_sparse (io, numbers, COUNT_OF (numbers));
        io_str (io, &claim->code);
        io_str (io, &claim->card.code);
    }
}

static void
cards_walk (struct record_io *io, struct order *order)
{
    struct card_state *cards = io_list (io, &order->cards, &order->card_count, sizeof *cards, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < order->card_count && !io->bad; i++) {
        struct card_state *card = &cards[i];
        bool *const bools[] = { &card->has_partner, &card->presented, &card->blocked };
        io_bools (io, bools, COUNT_OF (bools));
        io_int (io, &card->card_id);
        io_int (io, &card->program_id);
        io_near (io, &card->partner_id, card->has_partner ? order->partner_id : 0);
        io_str (io, &card->code);
        io_sparse (io, (int64_t *const[]){ &card->usable, &card->debt, &card->expired, &card->referral_uses }, 4);
    }
}

static void
member_walk (struct record_io *io, const struct order *order, struct member_state *member)
{
    bool *const bools[] = { &member->known, &member->is_first_order, &member->has_level, &member->has_birthday };
    int64_t expected = order->has_partner ? order->partner_id : 0, birthday = member->birthday;
    int64_t partner = (int64_t)((uint64_t)member->partner_id - (uint64_t)expected);
    io_bools (io, bools, COUNT_OF (bools));
    io_sparse (io, (int64_t *const[]){ &partner, &member->membership_product_id, &birthday }, 3);
    if (io->writing)
        return;
    member->partner_id = (int64_t)((uint64_t)expected + (uint64_t)partner);
    member->birthday = (int32_t)birthday;
}

static void
usages_walk (struct record_io *io, struct order *order)
{
    struct usage_state *usages = io_list (io, &order->usages, &order->usage_count, sizeof *usages, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < order->usage_count && !io->bad; i++) {
        int64_t *used[LIMIT_COUNT];
        for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
            used[limit] = &usages[i].used[limit];
        io_int (io, &usages[i].program_id);
        io_sparse (io, used, LIMIT_COUNT);
        io_bools (io, (bool *const[]){ &usages[i].birthday_used }, 1);
    }
}

/* ---------------------------------------------------------------- the order */

static void
drafts_walk (struct record_io *io, struct order *order)
{
    int64_t *ids = io_list (io, &order->draft_program_ids, &order->draft_count, sizeof *ids, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < order->draft_count && !io->bad; i++)
        io_int (io, &ids[i]);
}

void
record_walk_order (struct record_io *io, struct order *order, int64_t recorded)
{
    int64_t order_number = 0, reference_number = 0;
    bool is_sale = order->channel == CHANNEL_SALE, is_global = order->tax_rounding == ROUND_GLOBAL;
    bool has_hold = order->hold_id.size > 0;
    bool *const bools[] = { &order->auto_claim,
                            &order->has_partner,
                            &order->has_store,
                            &order->has_session,
                            &order->has_cashier,
                            &is_sale,
                            &is_global,
                            &order->is_import,
                            &order->has_pricelist,
                            &order->skip_refused,
                            &order->paid,
                            &order->has_expected_total,
                            &order->has_charged_total,
                            &order->explain,
                            &order->forgiving,
                            &has_hold };
    int64_t *const numbers[] = { &order->partner_id,         &order->store_id,     &order->session_id,
                                 &order->cashier_id,         &order->pricelist_id, &order->expected_total_minor,
                                 &order->charged_total_minor };
    io_bools (io, bools, COUNT_OF (bools));
    if (!io->writing) {
        order->channel = is_sale ? CHANNEL_SALE : CHANNEL_POS;
        order->tax_rounding = is_global ? ROUND_GLOBAL : ROUND_PER_LINE;
    }
    io_sparse (io, numbers, COUNT_OF (numbers));
    io_near (io, &order->instant, recorded);
    io_name (io, &order->order_id, &order_number);
    io_name (io, &order->reference, &reference_number);
    io_str (io, &order->meta);
    if (has_hold)
        io_str (io, &order->hold_id);
    drafts_walk (io, order);
    ids_walk (io, &order->inactive_products);
    cards_walk (io, order);
    member_walk (io, order, &order->member);
    lines_walk (io, order, order_number);
    claims_walk (io, order);
    usages_walk (io, order);
}
