/* match.c - which rules hold, found through the index by what is bought (rules 2, 3 and 5). */
#include "domain/filter.h"
#include "domain/work.h"

static void
tally_add (struct tally *tally, const struct work_line *line)
{
    tally->units_micro += line->order->qty_micro;
    tally->incl_minor += line->total;
    tally->excl_minor += line->untaxed;
    tally->bought |= line->order->qty_micro > 0;
}

/* One posting list that a line leads to. */
struct lead {
    uint32_t line;
    struct span rules;
};

/* The posting lists of all lines; *hits: how long they are together. */
static int
collect_leads (struct work *work, struct lead **leads, uint32_t *count, uint64_t *hits)
{
    size_t capacity = 0;
    for (uint32_t i = 0; i < work->line_count; i++)
        capacity += 1 + (size_t)work->order->lines[i].categories.count + work->order->lines[i].tag_count;
    *leads = arena_array_of (work->arena, capacity, struct lead);
    if (*leads == NULL)
        return work_exhausted (work);
    *count = 0;
    *hits = 0;
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];
        if (line->is_covered_return || work->sold_by[i] != NULL)
            continue;
        uint32_t first = *count;
        (*leads)[(*count)++].rules = id_map_find (&work->index->products, line->product_id);
        for (uint32_t c = 0; c < line->categories.count; c++)
            (*leads)[(*count)++].rules = id_map_find (&work->index->categories, line->categories.ids[c]);
        for (uint32_t t = 0; t < line->tag_count; t++)
            (*leads)[(*count)++].rules = tag_map_find (&work->index->tags, line->tags[t]);
        uint32_t kept = first;
        for (uint32_t at = first; at < *count; at++)
            if ((*leads)[at].rules.count > 0) {
                *hits += (*leads)[at].rules.count;
                (*leads)[kept++] = (struct lead){ i, (*leads)[at].rules };
            }
        *count = kept;
    }
    return 0;
}

static uint32_t
tally_place (const struct work *work, uint32_t rule)
{
    uint32_t at = (uint32_t)(((uint64_t)rule * 0x9e3779b97f4a7c15u) >> 32) & work->tally_mask;
    while (work->tally_places[at] != 0 && work->tally_rules[work->tally_places[at] - 1] != rule)
        at = (at + 1) & work->tally_mask;
    return at;
}

static int
tally_rules (struct work *work, const struct lead *leads, uint32_t lead_count, uint64_t hits)
{
    uint64_t most = hits < work->index->rule_count ? hits : work->index->rule_count;
    uint32_t size = 4;
    while (size < 2 * most)
        size *= 2;
    work->tally_mask = size - 1;
    work->tally_places = arena_array_of (work->arena, size, uint32_t);
    work->tally_rules = arena_array_of (work->arena, most, uint32_t);
    work->tallies = arena_array_of (work->arena, most, struct tally);
    uint32_t *last_line = arena_array_of (work->arena, most, uint32_t);
    if (work->tally_places == NULL || work->tally_rules == NULL || work->tallies == NULL || last_line == NULL)
        return work_exhausted (work);
    for (uint32_t l = 0; l < lead_count; l++)
        for (uint32_t r = 0; r < leads[l].rules.count; r++) {
            uint32_t rule = leads[l].rules.items[r], line = leads[l].line;
            const struct indexed_rule *indexed = &work->index->rules[rule];
            uint32_t at = tally_place (work, rule);
            if (work->tally_places[at] == 0) {
                work->tally_rules[work->tally_count] = rule;
                work->tally_places[at] = ++work->tally_count;
            }
            uint32_t number = work->tally_places[at] - 1;
            /* A line counts once, whether its product, a category or a tag led here. */
            if (last_line[number] == line + 1)
                continue;
            last_line[number] = line + 1;
            if (!indexed->excludes || !filter_excludes_line (&indexed->rule->filter, work->lines[line].order))
                tally_add (&work->tallies[number], &work->lines[line]);
        }
    return 0;
}

int
match_tally (struct work *work)
{
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        if (line->order->is_covered_return || work->sold_by[i] != NULL)
            continue;
        tally_add (&work->whole, line);
        int64_t most = line->total > line->untaxed ? line->total : line->untaxed;
        work->money_bound += most > 0 ? most : 0;
    }
    struct lead *leads;
    uint32_t lead_count = 0;
    uint64_t hits = 0;
    if (collect_leads (work, &leads, &lead_count, &hits) < 0)
        return -1;
    return tally_rules (work, leads, lead_count, hits);
}

/* Rules of gift cards and wallets see what is sold of them, and goods that are no other's; those that name nothing see nothing
 * (rule 13). */
static struct tally
sold_tally (const struct work *work, const struct program *program, const struct indexed_rule *indexed)
{
    struct tally tally = { 0 };
    for (uint32_t i = 0; i < work->line_count && indexed->names; i++)
        if ((work->sold_by[i] == program || work->sold_by[i] == NULL) && !work->lines[i].order->has_card &&
            !work->lines[i].order->is_covered_return && filter_fits (&indexed->rule->filter, work->lines[i].order))
            tally_add (&tally, &work->lines[i]);
    return tally;
}

/* What the rule with this number sees of the order. */
static struct tally
rule_tally (const struct work *work, uint32_t number)
{
    const struct indexed_rule *indexed = &work->index->rules[number];
    struct tally tally = { 0 };
    const struct program *program = &work->catalog->programs[indexed->program];
    if (program->type == PROGRAM_GIFT_CARD || program->type == PROGRAM_EWALLET)
        return sold_tally (work, program, indexed);
    if (indexed->names) {
        uint32_t place = work->tally_places[tally_place (work, number)];
        return place == 0 ? tally : work->tallies[place - 1];
    }
    if (!indexed->excludes)
        return work->whole;
    for (uint32_t i = 0; i < work->line_count; i++)
        if (!work->lines[i].order->is_covered_return && work->sold_by[i] == NULL &&
            !filter_excludes_line (&indexed->rule->filter, work->lines[i].order))
            tally_add (&tally, &work->lines[i]);
    return tally;
}

/* Why a rule does not hold, with what it needs and what there is: a minimum of nothing is missed by less than nothing. */
static enum reason
tally_reaches (const struct rule *rule, const struct tally *tally, int64_t *needed, int64_t *had)
{
    if (!tally->bought)
        return REASON_NO_MATCHING_PRODUCT;
    *needed = rule->minimum_qty_micro;
    *had = tally->units_micro;
    if (*had < *needed)
        return REASON_MINIMUM_QTY;
    *needed = rule->minimum_amount_minor;
    *had = rule->minimum_amount_tax_mode == TAX_MODE_INCL ? tally->incl_minor : tally->excl_minor;
    return *had < *needed ? REASON_MINIMUM_AMOUNT : REASON_NONE;
}

enum reason
match_rule (const struct work *work, const struct candidate *candidate, uint32_t rule, int64_t *needed, int64_t *had)
{
    struct tally tally = rule_tally (work, work->index->first_rule[candidate->program->index] + rule);
    const struct rule *asked = &candidate->program->rules[rule];
    enum reason reason = tally_reaches (asked, &tally, needed, had);
    return reason == REASON_NONE ? take_part_member (work, candidate->program, asked) : reason;
}

/* A program that is entered by code takes no part without one. */
static bool
waits_for_code (const struct candidate *candidate)
{
    const struct program *program = candidate->program;
    return !candidate->by_code && program->type != PROGRAM_COUPONS &&
           (program->trigger == TRIGGER_WITH_CODE || program->type == PROGRAM_REFERRAL);
}

static void
keep_reason (struct candidate *candidate, const struct rule *rule, enum reason reason, int64_t needed, int64_t had)
{
    if (candidate->reason != REASON_NONE && candidate->reason != REASON_CODE_NEEDED)
        return;
    candidate->failing = rule;
    candidate->reason = reason;
    candidate->needed = needed;
    candidate->had = had;
}

int
match_ask (struct work *work, struct candidate *candidate)
{
    const struct program *program = candidate->program;
    uint32_t first = work->index->first_rule[program->index], failed = 0, not_asked = 0;
    candidate->held_count = 0;
    candidate->rule = candidate->failing = NULL;
    candidate->reason = REASON_NONE;
    if (candidate->held == NULL && program->rule_count > 0)
        candidate->held = arena_array_of (work->arena, program->rule_count, struct held_rule);
    if (candidate->held == NULL && program->rule_count > 0)
        return work_exhausted (work);
    for (uint32_t r = 0; r < program->rule_count; r++) {
        const struct rule *rule = &program->rules[r];
        struct tally tally = rule_tally (work, first + r);
        int64_t needed = 0, had = 0;
        int32_t entered = candidate->entered != NULL ? candidate->entered[r] : 0;
        /* Another way in than the program's cards, not a condition of theirs. */
        if (rule->code.size > 0 && entered == 0 && program->type == PROGRAM_COUPONS) {
            not_asked++;
            continue;
        }
        enum reason reason = tally_reaches (rule, &tally, &needed, &had);
        if (reason == REASON_NONE)
            reason = take_part_member (work, program, rule);
        if (reason == REASON_NONE && rule->code.size > 0 && entered == 0)
            reason = REASON_CODE_NEEDED;
        if (reason != REASON_NONE) {
            failed++;
            keep_reason (candidate, rule, reason, needed, had);
            continue;
        }
        const struct indexed_rule *indexed = &work->index->rules[first + r];
        candidate->rule = candidate->rule != NULL ? candidate->rule : rule;
        candidate->held[candidate->held_count++] =
            (struct held_rule){ rule, tally, !indexed->names && !indexed->excludes, entered };
    }
    candidate->holds =
        program->rule_count == not_asked || (candidate->needs_all ? failed == 0 : candidate->held_count > 0);
    if (waits_for_code (candidate)) {
        candidate->holds = false;
        keep_reason (candidate, NULL, REASON_CODE_NEEDED, 0, 0);
    }
    return 0;
}

/* The card that the order's points of a program go to: the member's; without a member a bearer card that was shown. */
static const struct card_state *
earning_card (const struct order *order, int64_t program_id)
{
    for (uint32_t i = 0; i < order->card_count; i++) {
        const struct card_state *card = &order->cards[i];
        if (card->program_id != program_id)
            continue;
        if (order->has_partner ? card->has_partner && card->partner_id == order->partner_id
                               : !card->has_partner && card->presented)
            return card;
    }
    return NULL;
}

static enum destination
destination_of (const struct program *program)
{
    switch (program->type) {
    case PROGRAM_COUPONS:
    case PROGRAM_GIFT_CARD:
        return POINTS_NONE;
    case PROGRAM_REFERRAL:
        return POINTS_TO_OWNER;
    case PROGRAM_EWALLET:
        return POINTS_TO_CARD_LATER;
    default:
        break;
    }
    switch (program->applies_on) {
    case APPLIES_CURRENT:
        return POINTS_OF_ORDER;
    case APPLIES_BOTH:
        return program->pending_days > 0 ? POINTS_TO_CARD_LATER : POINTS_TO_CARD;
    case APPLIES_FUTURE:
        break;
    }
    return program->type == PROGRAM_LOYALTY ? POINTS_TO_CARD_LATER : POINTS_TO_NEW_CARDS;
}

bool
match_has_own_card (const struct candidate *candidate)
{
    return candidate->destination == POINTS_TO_CARD || candidate->destination == POINTS_TO_CARD_LATER;
}

void
match_open_without_card (struct work *work, struct candidate *candidate)
{
    candidate->destination = candidate->program->applies_on == APPLIES_FUTURE ? POINTS_TO_NEW_CARDS : POINTS_OF_ORDER;
    work->purses[candidate->purse].earns = candidate->destination == POINTS_OF_ORDER;
}

/* Where the order's points of the program go, and whether they can. */
static void
set_purse (const struct work *work, struct candidate *candidate, struct purse *purse)
{
    const struct program *program = candidate->program;
    candidate->earns = true;
    *purse = (struct purse){ .of_candidate = true,
                             .earns = candidate->destination == POINTS_OF_ORDER ||
                                      candidate->destination == POINTS_TO_OWNER };
    if (!match_has_own_card (candidate))
        return;
    purse->card = earning_card (work->order, program->id);
    candidate->earns = purse->card != NULL ? !purse->card->blocked : work->order->has_partner;
    if (program->type == PROGRAM_LOYALTY && work->primary != NULL && program != work->primary)
        candidate->earns = false;
    purse->earns = candidate->earns && candidate->destination == POINTS_TO_CARD;
    if (program->type == PROGRAM_LOYALTY)
        candidate->multiplier_micro = work->multiplier_micro;
}

static int
add_candidate (struct work *work, const struct program *program, uint32_t *number)
{
    work->candidates =
        work_grow (work, work->candidates, work->candidate_count, &work->candidate_capacity, sizeof *work->candidates);
    work->purses = work_grow (work, work->purses, work->purse_count, &work->purse_capacity, sizeof *work->purses);
    if (work->candidates == NULL || work->purses == NULL)
        return work_exhausted (work);
    if (!work->index->sound[program->index]) {
        struct error why;
        program_check (program, work->digits, &why);
        return error_field (work->err, ERROR_INVALID_REQUEST, "program_id", "program %lld: %s", (long long)program->id,
                            why.message);
    }
    struct candidate *candidate = &work->candidates[work->candidate_count];
    *candidate = (struct candidate){ .program = program,
                                     .destination = destination_of (program),
                                     .multiplier_micro = MICRO,
                                     .purse = work->purse_count };
    candidate->needs_all = program->trigger == TRIGGER_WITH_CODE && work->order->channel == CHANNEL_POS;
    if (match_ask (work, candidate) < 0)
        return -1;
    set_purse (work, candidate, &work->purses[work->purse_count++]);
    *number = work->candidate_count++;
    return 0;
}

int
match_candidate (struct work *work, const struct program *program, uint32_t *candidate)
{
    /* Those that the index found stand first, by program; few are added after them. */
    for (uint32_t c = 0; c < work->candidate_count; c++)
        if (work->candidates[c].program == program) {
            *candidate = c;
            return 0;
        }
    return add_candidate (work, program, candidate);
}

/* Those whose minimum the order reaches, and a few that it nearly does, for hints. */
static void
mark_open (const struct work *work, const struct store_programs *open, uint64_t *marks)
{
    uint32_t near = 0;
    for (uint32_t i = 0; i < open->count && near < HINTS_MAX && open->programs[i].least_minor / 2 <= work->money_bound;
         i++) {
        marks[open->programs[i].program / 64] |= UINT64_C (1) << open->programs[i].program % 64;
        near += open->programs[i].least_minor > work->money_bound;
    }
}

int
match_candidates (struct work *work)
{
    uint32_t words = (work->catalog->program_count + 63) / 64;
    uint64_t *marks = arena_array_of (work->arena, words, uint64_t);
    if (marks == NULL)
        return work_exhausted (work);
    for (uint32_t t = 0; t < work->tally_count; t++) {
        uint32_t program = work->index->rules[work->tally_rules[t]].program;
        marks[program / 64] |= UINT64_C (1) << program % 64;
    }
    for (uint32_t i = 0; i < work->line_count; i++)
        if (work->sold_by[i] != NULL)
            marks[work->sold_by[i]->index / 64] |= UINT64_C (1) << work->sold_by[i]->index % 64;
    mark_open (work, &work->index->everywhere, marks);
    if (work->order->has_store) {
        struct store_programs own = catalog_index_store (work->index, work->order->store_id);
        mark_open (work, &own, marks);
    }
    for (uint32_t word = 0; word < words; word++)
        for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1) {
            const struct program *program = &work->catalog->programs[word * 64 + (uint32_t)__builtin_ctzll (bits)];
            uint32_t number = 0;
            if (program->trigger != TRIGGER_AUTO || match_takes_part (work, program) != REASON_NONE)
                continue;
            if (add_candidate (work, program, &number) < 0)
                return -1;
            /* Nothing of it can count: forget it again. */
            if (!work->candidates[number].holds) {
                if (hint_minimum (work, &work->candidates[number]) < 0)
                    return -1;
                work->candidate_count--;
                work->purse_count--;
            }
        }
    return 0;
}

bool
match_touches (const struct work *work, const struct program *program)
{
    uint32_t first = work->index->first_rule[program->index];
    for (uint32_t r = 0; r < program->rule_count; r++)
        if (rule_tally (work, first + r).bought)
            return true;
    return program->rule_count == 0;
}
