/* evaluate.c - the evaluation of an order, from its request to its answer. */
#include "domain/tax.h"

const char *const LAYER_NAMES[] = { "price", "free", "discount", "payment" };
const char *const WARNING_NAMES[] = { "unknown_product", "unknown_partner", "difference", "over_limit" };
const char *const HINT_NAMES[] = { "minimum_qty", "minimum_amount", "points" };

int
work_refuse_blocked (struct work *work, const struct card_state *card)
{
    error_set (work->err, ERROR_CARD_BLOCKED, "card %lld is blocked: take it off the order", (long long)card->card_id);
    return error_detail (work->err, "card_id", "%lld", (long long)card->card_id);
}

/* A card that was shown and is blocked stops the order, unless it is to skip what is refused. */
static int
check_cards (struct work *work)
{
    for (uint32_t i = 0; i < work->order->card_count; i++) {
        const struct card_state *card = &work->order->cards[i];
        if (card->blocked && card->presented && !work->order->skip_refused && !work->order->forgiving)
            return work_refuse_blocked (work, card);
    }
    return 0;
}

void
work_set_clock (struct work *work)
{
    const struct zone *zone = catalog_zone (work->catalog, work->order->has_store, work->order->store_id);
    struct civil civil;
    civil_from_instant (zone, work->order->instant, &civil);
    work->day = day_from_civil (civil.year, civil.month, civil.day);
    work->weekday = (int)(((work->day + 3) % 7 + 7) % 7); /* day 0 was a Thursday */
    work->minute = civil.hour * 60 + civil.minute;
    work->engine_day = day_from_instant (&work->catalog->zone, work->order->instant);
}

/* Works the order with all claims that were not refused so that they have to leave nothing behind. */
static int
work_round (struct work *work, bool *again)
{
    work->candidate_count = work->purse_count = work->entry_count = work->code_count = 0;
    work->warning_count = work->hint_count = 0;
    work->referral = -1;
    if (match_candidates (work) < 0 || claims_read (work) < 0 || stacking_run (work) < 0)
        return -1;
    return claims_settle (work, again);
}

int
evaluate_order (const struct catalog *catalog, const struct order *order, bool strict, struct arena *arena,
                struct evaluation *out, struct error *err)
{
    struct work *work = arena_new_of (arena, struct work);
    *out = (struct evaluation){ 0 };
    if (work == NULL)
        return error_set (err, ERROR_INTERNAL, "the order needs more memory than a request may have");
    work->catalog = catalog;
    work->index = catalog->index;
    work->order = order;
    work->arena = arena;
    work->err = err;
    work->digits = catalog->currency_digits;
    work->fine = order->tax_rounding == ROUND_GLOBAL ? FACTOR_ONE : 1;
    work_set_clock (work);
    if (check_cards (work) < 0 || tax_prepare (work) < 0 || sold_find (work) < 0 || match_tally (work) < 0)
        return -1;
    take_part_level (work);
    bool again = true;
    while (again)
        if (work_round (work, &again) < 0)
            return -1;
    if (answer_write (work, strict, out) < 0)
        return -1;
    return order->explain ? explain_rejections (work, out) : 0;
}
