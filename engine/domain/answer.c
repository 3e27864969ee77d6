/* answer.c - writing the answer: claims, lines, points, cards, uses, warnings. */
#include "domain/tax.h"

/* The entry of a claim; -1 when it was refused before it became one. */
static const struct entry *
entry_of_claim (const struct work *work, uint32_t claim)
{
    for (uint32_t e = 0; e < work->entry_count; e++)
        if (work->entries[e].claim == (int32_t)claim)
            return &work->entries[e];
    return NULL;
}

/* A claim in its figures: what it gave, that another one beat it, or why it was refused. */
static void
answer_claim (const struct work *work, uint32_t index, struct claim_result *result)
{
    const struct claim_note *note = &work->notes[index];
    int64_t needed = note->needed, had = note->had;
    result->ok = note->state == CLAIM_ACCEPTED;
    result->reason = result->ok ? REASON_NONE : note->reason;
    if (note->state == CLAIM_PLAYS) {
        const struct entry *entry = entry_of_claim (work, index);
        int32_t winner = entry->beaten_by < 0 ? -1 : work->entries[entry->beaten_by].claim;
        result->discount = entry->discount;
        result->replaced = entry->discount < 0 && winner > (int32_t)index && entry->reason != REASON_NOT_ENOUGH_POINTS;
        result->ok = entry->discount >= 0 || result->replaced;
        result->replaced_by = result->replaced ? winner : -1;
        result->reason = result->ok ? REASON_NONE : entry->reason;
        needed = entry->needed;
        had = entry->had;
    }
    if (!result->ok)
        reason_text (work, catalog_program (work->catalog, result->program_id), result->reason, needed, had,
                     result->text, sizeof result->text);
}

static int
fail_for_claim (struct work *work, uint32_t index, const struct claim_result *result)
{
    enum error_code code = result->reason == REASON_LIMIT_REACHED ? ERROR_LIMIT_REACHED
                           : result->reason == REASON_CODE_USED   ? ERROR_CODE_USED
                                                                  : ERROR_CLAIM_REFUSED;
    error_set (work->err, code, "claims[%u]: %s", index, result->text);
    error_detail (work->err, "reason", "%s", REASON_NAMES[result->reason]);
    if (code == ERROR_LIMIT_REACHED)
        error_detail (work->err, "limit", "%s",
                      reason_limit (work, catalog_program (work->catalog, result->program_id)));
    return error_detail (work->err, "claim", "%u", index);
}

static int
answer_claims (struct work *work, bool strict, struct evaluation *out)
{
    out->claim_count = work->order->claim_count;
    out->claims = work->claims;
    for (uint32_t i = 0; i < out->claim_count; i++) {
        struct claim_result *result = &out->claims[i];
        answer_claim (work, i, result);
        if (result->ok || (work->notes[i].state == CLAIM_REFUSED && work->order->forgiving))
            continue;
        if (work->order->forgiving && claim_warn (work, i, result->text) < 0)
            return -1;
        if (strict && !work->order->skip_refused && !work->order->forgiving)
            return fail_for_claim (work, i, result);
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

/* Purses stand nearly in order: only bearer cards that a claim showed come after the others. What happens to one card
 * stands in one place. */
static void
insert_points (struct evaluation *out, struct points_result result)
{
    uint32_t at = out->points_count;
    for (uint32_t i = 0; i < out->points_count && result.card_id != 0; i++)
        if (out->points[i].card_id == result.card_id) {
            out->points[i].earned += result.earned;
            out->points[i].redeemed += result.redeemed;
            out->points[i].usable_now &= result.usable_now;
            return;
        }
    out->points_count++;
    for (; at > 0 && points_before (&result, &out->points[at - 1]); at--)
        out->points[at] = out->points[at - 1];
    out->points[at] = result;
}

/* Cards that lines top up, and what purses earned and spent. */
static int
answer_points (struct work *work, struct evaluation *out)
{
    out->points = arena_array_of (work->arena, (size_t)work->purse_count + work->line_count, struct points_result);
    if (out->points == NULL)
        return work_exhausted (work);
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        const struct purse *purse = &work->purses[candidate->purse];
        int64_t earned = (candidate->earns ? candidate->points : 0) + purse->granted;
        if (match_has_own_card (candidate) && (earned > 0 || purse->spent > 0))
            insert_points (out, (struct points_result){ .card_id = purse->card != NULL ? purse->card->card_id : 0,
                                                        .program_id = candidate->program->id,
                                                        .earned = earned,
                                                        .redeemed = purse->spent,
                                                        .usable_now = purse->earns });
    }
    for (uint32_t p = 0; p < work->purse_count; p++) {
        const struct purse *purse = &work->purses[p];
        if (!purse->of_candidate && purse->card != NULL && (purse->spent > 0 || purse->granted > 0))
            insert_points (out, (struct points_result){ .card_id = purse->card->card_id,
                                                        .program_id = purse->card->program_id,
                                                        .earned = purse->granted,
                                                        .redeemed = purse->spent });
    }
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct card_state *card;
        int64_t points = sold_top_up (work, i, &card);
        if (points > 0)
            insert_points (out, (struct points_result){
                                    .card_id = card->card_id, .program_id = card->program_id, .earned = points });
    }
    return 0;
}

/* What is counted of each program whose use is limited: given once, however often. */
static int
answer_usages (struct work *work, struct evaluation *out)
{
    const struct span *limited = &work->index->limited;
    struct usage_result *usages = arena_array_of (work->arena, limited->count, struct usage_result);
    if (usages == NULL)
        return work_exhausted (work);
    for (uint32_t i = 0; i < limited->count; i++) {
        const struct program *program = &work->catalog->programs[limited->items[i]];
        struct usage_result usage = { .program_id = program->id };
        bool used = false;
        for (uint32_t d = 0; d < work->applied_count; d++)
            if (work->entries[work->applied[d].entry].program == program) {
                used = true;
                usage.given_minor += work->applied[d].discount.amount_minor;
            }
        for (uint32_t c = 0; c < work->candidate_count; c++) {
            const struct candidate *candidate = &work->candidates[c];
            if (candidate->program != program)
                continue;
            used |= candidate->destination != POINTS_OF_ORDER && candidate->destination != POINTS_TO_OWNER &&
                    candidate->earns && candidate->points > 0;
            for (uint32_t r = 0; r < candidate->held_count; r++)
                usage.birthday |= candidate->held[r].rule->has_birthday;
        }
        for (uint32_t k = 0; k < out->card_count && !used; k++)
            used = out->cards[k].program_id == program->id;
        used |= out->referral.points > 0 && out->referral.program_id == program->id;
        if (used)
            usages[out->usage_count++] = usage;
    }
    out->usages = usages;
    return 0;
}

/* A referral goes to the owner in full, whatever the order spent of it; a blocked card earns nothing. */
static void
answer_referral (struct work *work, struct evaluation *out)
{
    if (work->referral < 0 || work->referral_card->blocked)
        return;
    const struct candidate *candidate = &work->candidates[work->referral];
    out->referral = (struct referral_result){ work->referral_card->card_id, candidate->program->id, candidate->points };
}

/* The primary card is that of the primary program of the member's level; without one that of the lowest loyalty program
 * that takes part (rule 8). */
static void
answer_primary (struct work *work, struct evaluation *out)
{
    const struct program *primary = work->primary;
    for (uint32_t i = 0; primary == NULL && work->order->has_partner && i < work->index->loyalty.count; i++) {
        const struct program *program = &work->catalog->programs[work->index->loyalty.items[i]];
        if (match_takes_part (work, program) == REASON_NONE)
            primary = program;
    }
    out->has_primary = primary != NULL;
    out->primary_program_id = primary != NULL ? primary->id : 0;
}

static int
warn_of_product (struct work *work, uint32_t line)
{
    struct warning *warning = work_warn (work, WARNING_UNKNOWN_PRODUCT);
    if (warning == NULL)
        return -1;
    warning->line = line;
    struct text text = text_open (warning->text, sizeof warning->text);
    text_add (&text, "product ");
    text_add_int (&text, work->order->lines[line].product_id);
    text_add (&text, " is not known: it fits only rules by its id or for everything");
    return 0;
}

static int
warn_of_partner (struct work *work)
{
    struct warning *warning = work_warn (work, WARNING_UNKNOWN_PARTNER);
    if (warning == NULL)
        return -1;
    struct text text = text_open (warning->text, sizeof warning->text);
    text_add (&text, "partner ");
    text_add_int (&text, work->order->partner_id);
    text_add (&text, " is not known");
    return 0;
}

/* Limits that an order passed which nothing may stop (rule 35). */
static int
warn_of_limits (struct work *work, const struct evaluation *out)
{
    for (uint32_t u = 0; u < out->usage_count; u++) {
        const struct program *program = catalog_program (work->catalog, out->usages[u].program_id);
        int64_t needed = 0, had = 0;
        bool over = limit_reached (work, program, &needed, &had) != NULL;
        if (!over && limit_over_budget (work, program, out->usages[u].given_minor, &needed, &had))
            over = true;
        if (!over)
            continue;
        struct warning *warning = work_warn (work, WARNING_OVER_LIMIT);
        if (warning == NULL)
            return -1;
        char why[96];
        reason_text (work, program, REASON_LIMIT_REACHED, needed, had, why, sizeof why);
        struct text text = text_open (warning->text, sizeof warning->text);
        text_add (&text, "program ");
        text_add_int (&text, program->id);
        text_add (&text, ": ");
        text_add (&text, why);
    }
    return 0;
}

static int
warn_of_total (struct work *work, const struct evaluation *out)
{
    struct warning *warning = work_warn (work, WARNING_DIFFERENCE);
    if (warning == NULL)
        return -1;
    struct text text = text_open (warning->text, sizeof warning->text);
    text_add (&text, "amount_total: charged ");
    text_add_decimal (&text, work->order->charged_total_minor, work->digits, work->digits);
    text_add (&text, ", comes to ");
    text_add_decimal (&text, out->total_minor, work->digits, work->digits);
    return 0;
}

static int
answer_warnings (struct work *work, struct evaluation *out)
{
    const struct order *order = work->order;
    if (order->has_partner && !order->member.known && warn_of_partner (work) < 0)
        return -1;
    for (uint32_t i = 0; i < order->line_count; i++)
        if (!order->lines[i].product_known && warn_of_product (work, i) < 0)
            return -1;
    if (order->forgiving && warn_of_limits (work, out) < 0)
        return -1;
    if (order->has_charged_total && order->charged_total_minor != out->total_minor && warn_of_total (work, out) < 0)
        return -1;
    out->warnings = work->warnings;
    out->warning_count = work->warning_count;
    return 0;
}

int
answer_write (struct work *work, bool strict, struct evaluation *out)
{
    if (answer_claims (work, strict, out) < 0 || answer_lines (work, out) < 0 || answer_discounts (work, out) < 0 ||
        answer_points (work, out) < 0 || sold_cards (work, out) < 0)
        return -1;
    answer_referral (work, out);
    if (answer_usages (work, out) < 0 || answer_warnings (work, out) < 0 || hints_write (work, out) < 0)
        return -1;
    answer_primary (work, out);
    return 0;
}
