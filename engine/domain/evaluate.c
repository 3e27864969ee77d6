/* evaluate.c - the evaluation of an order, from its request to its answer. */
#include "domain/tax.h"

const char *const LAYER_NAMES[] = { "price", "free", "discount", "payment" };
const char *const WARNING_NAMES[] = { "unknown_product", "unknown_partner", "difference", "over_limit" };
const char *const HINT_NAMES[] = { "minimum_qty", "minimum_amount", "points" };

/* What the order asks for and this version cannot do. */
static int
check_support (struct work *work)
{
    const struct order *order = work->order;
    if (order->paid)
        return error_field (work->err, ERROR_INVALID_REQUEST, "paid", "not supported yet: orders that are paid for");
    if (order->has_charged_total)
        return error_field (work->err, ERROR_INVALID_REQUEST, "charged_total",
                            "not supported yet: orders that are paid for");
    for (uint32_t i = 0; i < order->line_count; i++) {
        if (order->lines[i].gift_code.size > 0)
            return work_refuse_line (work, i, "gift_code", "not supported yet: gift cards");
        if (order->lines[i].has_card)
            return work_refuse_line (work, i, "card", "not supported yet: gift cards and wallets");
    }
    return 0;
}

/* A card that was shown and is blocked stops the order, unless it is to skip what is refused. */
static int
check_cards (struct work *work)
{
    for (uint32_t i = 0; i < work->order->card_count; i++) {
        const struct card_state *card = &work->order->cards[i];
        if (!card->blocked || !card->presented || work->order->skip_refused)
            continue;
        error_set (work->err, ERROR_CARD_BLOCKED, "card %lld is blocked: take it off the order",
                   (long long)card->card_id);
        return error_detail (work->err, "card_id", "%lld", (long long)card->card_id);
    }
    return 0;
}

static void
set_clock (struct work *work)
{
    const struct zone *zone = catalog_zone (work->catalog, work->order->has_store, work->order->store_id);
    struct civil civil;
    civil_from_instant (zone, work->order->instant, &civil);
    work->day = day_from_civil (civil.year, civil.month, civil.day);
    work->weekday = (int)(((work->day + 3) % 7 + 7) % 7); /* day 0 was a Thursday */
    work->minute = civil.hour * 60 + civil.minute;
}

/* The entry of a claim; -1 when it was refused before it became one. */
static const struct entry *
entry_of_claim (const struct work *work, uint32_t claim)
{
    for (uint32_t e = 0; e < work->entry_count; e++)
        if (work->entries[e].claim == (int32_t)claim)
            return &work->entries[e];
    return NULL;
}

static int
answer_claims (struct work *work, bool strict, struct evaluation *out)
{
    out->claim_count = work->order->claim_count;
    out->claims = work->claims;
    for (uint32_t i = 0; i < out->claim_count; i++) {
        struct claim_result *result = &out->claims[i];
        const struct entry *entry = entry_of_claim (work, i);
        if (entry != NULL) {
            int32_t winner = entry->beaten_by < 0 ? -1 : work->entries[entry->beaten_by].claim;
            result->discount = entry->discount;
            result->replaced = entry->discount < 0 && winner > (int32_t)i && entry->reason != REASON_NOT_ENOUGH_POINTS;
            result->ok = entry->discount >= 0 || result->replaced;
            result->replaced_by = result->replaced ? winner : -1;
            result->reason = result->ok ? REASON_NONE : entry->reason;
        }
        if (result->ok)
            continue;
        if (entry != NULL)
            reason_text (work, result->reason, entry->needed, entry->had, result->text, sizeof result->text);
        if (strict && !work->order->skip_refused) {
            error_set (work->err, ERROR_CLAIM_REFUSED, "claims[%u]: %s", i, result->text);
            error_detail (work->err, "reason", "%s", REASON_NAMES[result->reason]);
            return error_detail (work->err, "claim", "%u", i);
        }
    }
    return 0;
}

static int
answer_lines (struct work *work, struct evaluation *out)
{
    int64_t *cents = arena_array_of (work->arena, work->slot_count, int64_t);
    struct line_result *lines = arena_array_of (work->arena, work->line_count, struct line_result);
    struct tax_amount *line_taxes = arena_array_of (work->arena, work->slot_count, struct tax_amount);
    struct tax_amount *taxes = arena_array_of (work->arena, work->tax_count, struct tax_amount);
    if (cents == NULL || lines == NULL || line_taxes == NULL || taxes == NULL)
        return work_exhausted (work);
    if (tax_settle (work, cents) < 0)
        return -1;
    for (uint32_t k = 0; k < work->tax_count; k++)
        taxes[k].tax_id = work->tax_ids[k];
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        struct line_result *result = &lines[i];
        result->untaxed_minor = line->untaxed;
        result->total_minor = line->total;
        result->tax_minor = line->total - line->untaxed;
        result->discount_minor = line->discountable - work->left[i];
        result->net_minor = line->total - result->discount_minor;
        result->tax_count = line->tax_count;
        result->taxes = line_taxes + line->tax_first;
        for (uint32_t j = 0; j < line->tax_count; j++) {
            uint32_t place = line->tax_first + j, tax = work->slot_tax[place];
            line_taxes[place] = (struct tax_amount){ work->tax_ids[tax], cents[place] };
            result->net_tax_minor += cents[place];
            taxes[tax].amount_minor += cents[place];
        }
        result->net_untaxed_minor = result->net_minor - result->net_tax_minor;
        out->untaxed_minor += result->net_untaxed_minor;
        out->tax_minor += result->net_tax_minor;
        out->total_minor += result->net_minor;
    }
    /* Payments leave the taxes as they are. */
    out->untaxed_minor -= work->paid;
    out->total_minor -= work->paid;
    out->lines = lines;
    out->taxes = taxes;
    out->tax_count = work->tax_count;
    return 0;
}

static int
answer_discounts (struct work *work, struct evaluation *out)
{
    struct discount *discounts = arena_array_of (work->arena, work->applied_count, struct discount);
    if (discounts == NULL)
        return work_exhausted (work);
    for (uint32_t d = 0; d < work->applied_count; d++)
        discounts[d] = work->applied[d].discount;
    out->discounts = discounts;
    out->discount_count = work->applied_count;
    return 0;
}

static bool
points_before (const struct points_result *a, const struct points_result *b)
{
    return a->program_id != b->program_id ? a->program_id < b->program_id : a->card_id < b->card_id;
}

/* Purses stand nearly in order: only bearer cards that a claim showed come after the others. */
static void
insert_points (struct evaluation *out, struct points_result result)
{
    uint32_t at = out->points_count++;
    for (; at > 0 && points_before (&result, &out->points[at - 1]); at--)
        out->points[at] = out->points[at - 1];
    out->points[at] = result;
}

static int
answer_points (struct work *work, struct evaluation *out)
{
    out->points = arena_array_of (work->arena, work->purse_count, struct points_result);
    if (out->points == NULL)
        return work_exhausted (work);
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        const struct purse *purse = &work->purses[candidate->purse];
        int64_t earned = (purse->earns ? candidate->points : 0) + purse->granted;
        if (candidate->keeps_card && (earned > 0 || purse->spent > 0))
            insert_points (out, (struct points_result){ .card_id = purse->card != NULL ? purse->card->card_id : 0,
                                                        .program_id = candidate->program->id,
                                                        .earned = earned,
                                                        .redeemed = purse->spent,
                                                        .usable_now = true });
    }
    for (uint32_t p = 0; p < work->purse_count; p++)
        if (!work->purses[p].earns && work->purses[p].card != NULL && work->purses[p].spent > 0)
            insert_points (out, (struct points_result){ .card_id = work->purses[p].card->card_id,
                                                        .program_id = work->purses[p].card->program_id,
                                                        .earned = work->purses[p].granted,
                                                        .redeemed = work->purses[p].spent });
    return 0;
}

/* Without levels the primary card is that of the lowest loyalty program that takes part (rule 8). */
static void
answer_primary (struct work *work, struct evaluation *out)
{
    for (uint32_t i = 0; work->order->has_partner && i < work->index->loyalty.count; i++) {
        const struct program *program = &work->catalog->programs[work->index->loyalty.items[i]];
        if (match_takes_part (work, program) != REASON_NONE)
            continue;
        out->has_primary = true;
        out->primary_program_id = program->id;
        return;
    }
}

static int
answer_warnings (struct work *work, struct evaluation *out)
{
    const struct order *order = work->order;
    bool partner = order->has_partner && !order->member.known;
    uint32_t count = partner;
    for (uint32_t i = 0; i < order->line_count; i++)
        count += !order->lines[i].product_known;
    struct warning *warnings = arena_array_of (work->arena, count, struct warning);
    if (warnings == NULL)
        return work_exhausted (work);
    if (partner) {
        struct warning *warning = &warnings[out->warning_count++];
        warning->kind = WARNING_UNKNOWN_PARTNER;
        struct text text = text_open (warning->text, sizeof warning->text);
        text_add (&text, "partner ");
        text_add_int (&text, order->partner_id);
        text_add (&text, " is not known");
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        if (order->lines[i].product_known)
            continue;
        struct warning *warning = &warnings[out->warning_count++];
        warning->kind = WARNING_UNKNOWN_PRODUCT;
        warning->line = i;
        struct text text = text_open (warning->text, sizeof warning->text);
        text_add (&text, "product ");
        text_add_int (&text, order->lines[i].product_id);
        text_add (&text, " is not known: it fits only rules by its id or for everything");
    }
    out->warnings = warnings;
    return 0;
}

int
evaluate_limited (const struct catalog *catalog, const struct order *order, struct arena *arena, const int64_t **ids,
                  uint32_t *count, struct error *err)
{
    struct work work = { .catalog = catalog, .index = catalog->index, .order = order, .arena = arena, .err = err };
    int64_t *limited = arena_array_of (arena, catalog->index->limited.count, int64_t);
    if (limited == NULL)
        return work_exhausted (&work);
    set_clock (&work);
    *ids = limited;
    *count = 0;
    for (uint32_t i = 0; i < catalog->index->limited.count; i++) {
        const struct program *program = &catalog->programs[catalog->index->limited.items[i]];
        if (match_takes_part (&work, program) == REASON_NONE)
            limited[(*count)++] = program->id;
    }
    return 0;
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
    set_clock (work);
    if (check_support (work) < 0 || check_cards (work) < 0 || tax_prepare (work) < 0 || match_tally (work) < 0 ||
        match_candidates (work) < 0 || claims_read (work) < 0 || stacking_run (work) < 0)
        return -1;
    if (answer_claims (work, strict, out) < 0 || answer_lines (work, out) < 0 || answer_discounts (work, out) < 0 ||
        answer_points (work, out) < 0 || answer_warnings (work, out) < 0)
        return -1;
    answer_primary (work, out);
    return order->explain ? explain_rejections (work, out) : 0;
}
