/* match.c - which programs take part in an order, which of their rules hold, and how many points they give (rules 1 to 8). */
#include "domain/filter.h"
#include "domain/work.h"

/* The day whose hours are running: past midnight, hours that began the evening before still belong to that day. */
static bool
hours_include (const struct program *program, int minute, bool *of_yesterday)
{
    int from = program->hours_from_minute, to = program->hours_to_minute;
    *of_yesterday = false;
    if (from < to)
        return minute >= from && minute < to;
    *of_yesterday = minute < to;
    return minute >= from || minute < to;
}

static bool
is_listed_draft (const struct order *order, int64_t program_id)
{
    for (uint32_t i = 0; i < order->draft_count; i++)
        if (order->draft_program_ids[i] == program_id)
            return true;
    return false;
}

enum reason
match_takes_part (const struct work *work, const struct program *program)
{
    const struct order *order = work->order;
    if (program->state != PROGRAM_ACTIVE && !(program->state == PROGRAM_DRAFT && is_listed_draft (order, program->id)))
        return REASON_NOT_ACTIVE;
    bool of_yesterday = false;
    bool in_hours = !program->has_hours || hours_include (program, work->minute, &of_yesterday);
    int32_t day = work->day - of_yesterday;
    int weekday = of_yesterday ? (work->weekday + 6) % 7 : work->weekday;
    if (program->has_date_from && day < program->date_from)
        return REASON_BEFORE_DATE_FROM;
    if (program->has_date_to && day > program->date_to)
        return REASON_AFTER_DATE_TO;
    if (program->weekdays != 0 && (program->weekdays & 1u << weekday) == 0)
        return REASON_WRONG_WEEKDAY;
    if (!in_hours)
        return REASON_WRONG_HOURS;
    if (program->stores.count > 0 && !(order->has_store && id_list_has (&program->stores, order->store_id)))
        return REASON_WRONG_STORE;
    if (program->channels != 0 && (program->channels & 1u << order->channel) == 0)
        return REASON_WRONG_CHANNEL;
    if (program->pricelists.count > 0 &&
        !(order->has_pricelist && id_list_has (&program->pricelists, order->pricelist_id)))
        return REASON_WRONG_PRICELIST;
    return REASON_NONE;
}

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
        if (line->is_covered_return)
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
        if (line->order->is_covered_return)
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

/* What the rule with this number sees of the order. */
static struct tally
rule_tally (const struct work *work, uint32_t number)
{
    const struct indexed_rule *indexed = &work->index->rules[number];
    struct tally tally = { 0 };
    if (indexed->names) {
        uint32_t place = work->tally_places[tally_place (work, number)];
        return place == 0 ? tally : work->tallies[place - 1];
    }
    if (!indexed->excludes)
        return work->whole;
    for (uint32_t i = 0; i < work->line_count; i++)
        if (!work->lines[i].order->is_covered_return &&
            !filter_excludes_line (&indexed->rule->filter, work->lines[i].order))
            tally_add (&tally, &work->lines[i]);
    return tally;
}

static int64_t
not_below_zero (int64_t value)
{
    return value > 0 ? value : 0;
}

/* Why a rule does not hold, with what it needs and what there is. */
static enum reason
rule_holds (const struct rule *rule, const struct tally *tally, int64_t *needed, int64_t *had)
{
    if (!tally->bought)
        return REASON_NO_MATCHING_PRODUCT;
    *needed = rule->minimum_qty_micro;
    *had = not_below_zero (tally->units_micro);
    if (*had < *needed)
        return REASON_MINIMUM_QTY;
    *needed = rule->minimum_amount_minor;
    *had = not_below_zero (rule->minimum_amount_tax_mode == TAX_MODE_INCL ? tally->incl_minor : tally->excl_minor);
    return *had < *needed ? REASON_MINIMUM_AMOUNT : REASON_NONE;
}

/* amount × count / divisor in hundredths of a point: halves away from zero at the till, down on the server. */
static int
add_points (struct work *work, const struct candidate *candidate, int128 product, int128 divisor, int64_t *points)
{
    int128 rounded = work->order->channel == CHANNEL_POS ? div_round (product, divisor) : div_down (product, divisor);
    if (rounded + *points > POINTS_MAX)
        return error_field (work->err, ERROR_INVALID_REQUEST, "lines", "too many points in program %lld",
                            (long long)candidate->program->id);
    *points += (int64_t)rounded;
    return 0;
}

static int
add_rule (struct work *work, struct candidate *candidate, uint32_t number, const struct tally *tally)
{
    const struct rule *rule = work->index->rules[number].rule;
    const int64_t to_points = decimal_power (MICRO_DIGITS - POINTS_DIGITS);
    if (rule->point_mode == POINTS_PER_ORDER)
        return add_points (work, candidate, rule->point_amount_micro, to_points, &candidate->fixed_points);
    if (candidate->money_rules == NULL)
        candidate->money_rules = arena_array_of (work->arena, candidate->program->rule_count, struct money_rule);
    if (candidate->money_rules == NULL)
        return work_exhausted (work);
    candidate->money_rules[candidate->money_rule_count++] =
        (struct money_rule){ rule, tally->incl_minor, tally->units_micro,
                             !work->index->rules[number].names && !work->index->rules[number].excludes };
    return 0;
}

/* Asks the candidate's rules. */
static int
ask_rules (struct work *work, struct candidate *candidate)
{
    const struct program *program = candidate->program;
    uint32_t first = work->index->first_rule[program->index];
    candidate->holds = program->rule_count == 0;
    for (uint32_t r = 0; r < program->rule_count; r++) {
        struct tally tally = rule_tally (work, first + r);
        int64_t needed = 0, had = 0;
        enum reason reason = rule_holds (&program->rules[r], &tally, &needed, &had);
        if (reason == REASON_NONE) {
            candidate->rule = candidate->holds ? candidate->rule : &program->rules[r];
            candidate->holds = true;
            if (add_rule (work, candidate, first + r, &tally) < 0)
                return -1;
        } else if (r == 0) {
            candidate->reason = reason;
            candidate->needed = needed;
            candidate->had = had;
        }
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

static int
add_candidate (struct work *work, const struct program *program, uint32_t *number)
{
    work->candidates =
        work_grow (work, work->candidates, work->candidate_count, &work->candidate_capacity, sizeof *work->candidates);
    work->purses = work_grow (work, work->purses, work->purse_count, &work->purse_capacity, sizeof *work->purses);
    if (work->candidates == NULL || work->purses == NULL)
        return work_exhausted (work);
    if (!work->index->supported[program->index]) {
        struct error why;
        program_check (program, work->digits, &why);
        return error_field (work->err, ERROR_INVALID_REQUEST, "program_id", "program %lld: %s", (long long)program->id,
                            why.message);
    }
    struct candidate *candidate = &work->candidates[work->candidate_count];
    *candidate = (struct candidate){ .program = program, .purse = work->purse_count };
    candidate->keeps_card = program->applies_on == APPLIES_BOTH;
    if (ask_rules (work, candidate) < 0)
        return -1;
    struct purse *purse = &work->purses[work->purse_count++];
    *purse = (struct purse){ .earns = true };
    if (candidate->keeps_card) {
        purse->card = earning_card (work->order, program->id);
        purse->earns = purse->card != NULL ? !purse->card->blocked : work->order->has_partner;
    }
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

static void
mark_open (const struct work *work, const struct store_programs *open, uint64_t *marks)
{
    for (uint32_t i = 0; i < open->count && open->programs[i].least_minor <= work->money_bound; i++)
        marks[open->programs[i].program / 64] |= UINT64_C (1) << open->programs[i].program % 64;
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
    mark_open (work, &work->index->everywhere, marks);
    if (work->order->has_store) {
        struct store_programs own = catalog_index_store (work->index, work->order->store_id);
        mark_open (work, &own, marks);
    }
    for (uint32_t word = 0; word < words; word++)
        for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1) {
            const struct program *program = &work->catalog->programs[word * 64 + (uint32_t)__builtin_ctzll (bits)];
            uint32_t number = 0;
            if (match_takes_part (work, program) != REASON_NONE)
                continue;
            if (add_candidate (work, program, &number) < 0)
                return -1;
            /* Nothing of it can count: forget it again. */
            if (!work->candidates[number].holds) {
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

/* Discounts that do not lower what a program counts as paid: its own (on the server those of any program of its type). */
static bool
is_own_discount (const struct work *work, const struct candidate *candidate, const struct candidate *other)
{
    return other == candidate ||
           (work->order->channel == CHANNEL_SALE && other->program->type == candidate->program->type);
}

/* Does the discount lower what the rule counts as paid? (pos) Units given free earn nothing, whoever gives them. */
static bool
lowers_money (const struct work *work, const struct candidate *candidate, const struct applied *applied)
{
    const struct entry *entry = &work->entries[applied->entry];
    if (applied->discount.layer == LAYER_FREE || candidate->program->earn_on == EARN_NET)
        return true;
    return applied->discount.layer != LAYER_PAYMENT &&
           !is_own_discount (work, candidate, &work->candidates[entry->candidate]);
}

/* What discounts took off the money that a rule counts. */
static int64_t
discounts_on_rule (const struct work *work, const struct candidate *candidate, const struct money_rule *money)
{
    int64_t taken = 0;
    for (uint32_t d = 0; d < work->applied_count; d++) {
        const struct applied *applied = &work->applied[d];
        const struct entry *entry = &work->entries[applied->entry];
        if (!lowers_money (work, candidate, applied))
            continue;
        if (money->whole) {
            taken += applied->discount.amount_minor;
            continue;
        }
        if (entry->layer == LAYER_DISCOUNT && entry->reward->applicability == APPLY_ORDER)
            continue;
        for (uint32_t p = 0; p < applied->discount.part_count; p++)
            if (filter_fits (&money->rule->filter, work->lines[applied->discount.parts[p].line].order))
                taken += applied->discount.parts[p].amount_minor;
    }
    return taken;
}

/* Units that a rule counts and that were given free. */
static int64_t
free_units_of_rule (const struct work *work, const struct money_rule *money)
{
    int64_t units = 0;
    for (uint32_t i = 0; work->gave_free && i < work->line_count; i++)
        if (work->free_micro[i] > 0 && filter_fits (&money->rule->filter, work->lines[i].order))
            units += work->free_micro[i];
    return units;
}

int
match_points (struct work *work, const struct candidate *candidate, int64_t *points)
{
    *points = candidate->fixed_points;
    int64_t per_money = decimal_power (work->digits + MICRO_DIGITS - POINTS_DIGITS);
    for (uint32_t r = 0; r < candidate->money_rule_count; r++) {
        const struct money_rule *money = &candidate->money_rules[r];
        bool by_unit = money->rule->point_mode == POINTS_PER_UNIT;
        int64_t count = not_below_zero (by_unit ? money->units_micro - free_units_of_rule (work, money)
                                                : money->incl_minor - discounts_on_rule (work, candidate, money));
        int128 divisor = by_unit ? (int128)MICRO * (MICRO / POINT) : per_money;
        if (add_points (work, candidate, (int128)money->rule->point_amount_micro * count, divisor, points) < 0)
            return -1;
    }
    return 0;
}

int64_t
match_unit_points (const struct work *work, const struct candidate *candidate, uint32_t line)
{
    int64_t points = 0;
    for (uint32_t r = 0; r < candidate->money_rule_count; r++) {
        const struct rule *rule = candidate->money_rules[r].rule;
        if (rule->point_mode == POINTS_PER_UNIT && filter_fits (&rule->filter, work->lines[line].order))
            points += rule->point_amount_micro;
    }
    return points;
}
