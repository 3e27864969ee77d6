/* sold.c - lines that sell gift cards or top cards up, and the cards that an order makes (rules 6, 7 and 13). */
#include "domain/filter.h"
#include "domain/work.h"

enum { CARDS_MAX = 1000 }; /* that one order may make */

static const struct card_state *
card_of_line (const struct order *order, const struct card_ref *ref)
{
    for (uint32_t i = 0; i < order->card_count; i++)
        if (ref->card_id != 0 ? order->cards[i].card_id == ref->card_id
                              : order->cards[i].code.size > 0 && code_compare (order->cards[i].code, ref->code) == 0)
            return &order->cards[i];
    return NULL;
}

static const struct program *
program_of_card (const struct work *work, const struct order_line *line)
{
    const struct card_state *card = card_of_line (work->order, &line->card);
    const struct program *program = card != NULL ? catalog_program (work->catalog, card->program_id) : NULL;
    bool payment = program != NULL && (program->type == PROGRAM_GIFT_CARD || program->type == PROGRAM_EWALLET);
    return payment ? program : NULL;
}

/* Whether the rule loads a card with the line's price. A wallet's rule that gives less is a bonus on goods (cashback). */
static bool
gives_the_price (const struct work *work, const struct program *program, const struct rule *rule,
                 const struct work_line *line)
{
    if (program->type == PROGRAM_GIFT_CARD)
        return true;
    if (rule->point_mode == POINTS_PER_MONEY)
        return rule->point_amount_micro >= MICRO;
    int128 price_micro = (int128)line->total * decimal_power (MICRO_DIGITS - work->digits);
    int128 points_micro = (int128)rule->point_amount_micro * line->order->qty_micro / MICRO;
    if (price_micro < 0) { /* what comes back */
        price_micro = -price_micro;
        points_micro = -points_micro;
    }
    return rule->point_mode == POINTS_PER_UNIT && price_micro > 0 && points_micro >= price_micro;
}

/* The gift card or wallet program of which a rule names the line's product; with a printed code, the first of gift cards
 * where none does. */
static const struct program *
program_that_sells (const struct work *work, const struct work_line *work_line)
{
    const struct order_line *line = work_line->order;
    const struct program *first = NULL;
    for (uint32_t i = 0; i < work->index->selling.count; i++) {
        const struct program *program = &work->catalog->programs[work->index->selling.items[i]];
        bool gift = program->type == PROGRAM_GIFT_CARD;
        if ((line->gift_code.size > 0 && !gift) || match_takes_part (work, program) != REASON_NONE)
            continue;
        for (uint32_t r = 0; r < program->rule_count; r++)
            if (filter_names (&program->rules[r].filter) && filter_fits (&program->rules[r].filter, line) &&
                gives_the_price (work, program, &program->rules[r], work_line))
                return program;
        if (first == NULL && line->gift_code.size > 0)
            first = program;
    }
    return first;
}

/* The card on which a line's money goes: the one that it names, or the member's wallet; NULL: a new one. */
static const struct card_state *
card_topped_up (const struct work *work, uint32_t i)
{
    const struct order *order = work->order;
    if (order->lines[i].has_card)
        return card_of_line (order, &order->lines[i].card);
    for (uint32_t c = 0; c < order->card_count && work->sold_by[i]->type == PROGRAM_EWALLET; c++)
        if (order->cards[c].program_id == work->sold_by[i]->id && order->cards[c].has_partner)
            return &order->cards[c];
    return NULL;
}

static int
find_line (struct work *work, uint32_t i)
{
    struct work_line *line = &work->lines[i];
    const struct order_line *order = line->order;
    if (order->has_card && order->gift_code.size > 0)
        return work_refuse_line (work, i, "gift_code", "either sells a card, or tops up the one that `card` names");
    work->sold_by[i] = order->has_card ? program_of_card (work, order) : program_that_sells (work, line);
    if (order->has_card && work->sold_by[i] == NULL)
        return work_refuse_line (work, i, "card", "is no gift card or wallet");
    if (order->gift_code.size > 0 && work->sold_by[i] == NULL)
        return work_refuse_line (work, i, "gift_code", "no gift card program sells anything now");
    if (work->sold_by[i] == NULL)
        return 0;
    line->discountable = 0;
    const struct card_state *topped_up = card_topped_up (work, i);
    if (topped_up != NULL && topped_up->blocked && !work->order->forgiving)
        return work_refuse_blocked (work, topped_up);
    if (order->qty_micro < 0 || order->has_card)
        return 0;
    if (work->sold_by[i]->type == PROGRAM_EWALLET)
        return work->order->has_partner ? 0 : work_refuse_line (work, i, "card", "tell which wallet it tops up");
    if (order->qty_micro % MICRO != 0)
        return work_refuse_line (work, i, "qty", "gift cards are sold one by one: needs a whole number");
    if (order->gift_code.size > 0 && order->qty_micro != MICRO)
        return work_refuse_line (work, i, "qty", "a printed code is of one card");
    return 0;
}

int
sold_find (struct work *work)
{
    work->sold_by = arena_array_of (work->arena, work->line_count, const struct program *);
    if (work->sold_by == NULL)
        return work_exhausted (work);
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct order_line *line = work->lines[i].order;
        bool asks = line->has_card || line->gift_code.size > 0 || work->index->selling.count > 0;
        if (asks && !line->is_covered_return && find_line (work, i) < 0)
            return -1;
    }
    return 0;
}

/* Money as points of a gift card or wallet. */
static int64_t
points_of_money (const struct work *work, int64_t minor)
{
    return (int64_t)div_round ((int128)minor * decimal_power (POINTS_DIGITS), decimal_power (work->digits));
}

struct maker {
    struct work *work;
    struct card_result *cards;
    uint32_t count, capacity;
};

static int
make_card (struct maker *maker, struct card_result card, int64_t points)
{
    struct work *work = maker->work;
    if (points <= 0)
        return 0;
    if (maker->count == CARDS_MAX)
        return error_field (work->err, ERROR_INVALID_REQUEST, "lines", "an order makes at most %d cards", CARDS_MAX);
    maker->cards = work_grow (work, maker->cards, maker->count, &maker->capacity, sizeof *maker->cards);
    if (maker->cards == NULL)
        return work_exhausted (work);
    card.points = points;
    maker->cards[maker->count++] = card;
    return 0;
}

/* `count` cards that share `points`, the larger parts first. */
static int
share_out (struct maker *maker, struct card_result card, int64_t points, int64_t count)
{
    for (int64_t i = 0; i < count && i < points; i++)
        if (make_card (maker, card, points / count + (i < points % count)) < 0)
            return -1;
    return 0;
}

/* `count` cards of `points` each, as long as something is `*left`. */
static int
make_cards (struct maker *maker, struct card_result card, int64_t points, int64_t count, int64_t *left)
{
    for (int64_t i = 0; i < count && points > 0 && *left > 0; i++) {
        int64_t part = points < *left ? points : *left;
        *left -= part;
        if (make_card (maker, card, part) < 0)
            return -1;
    }
    return 0;
}

/* A card for each whole unit that a rule counts, with the points of that unit; together never more than the rule gives. */
static int
split_rule (struct maker *maker, const struct candidate *candidate, const struct held_rule *held,
            struct card_result card, int64_t left)
{
    struct work *work = maker->work;
    int64_t points = 0;
    if (held->rule->point_mode == POINTS_PER_UNIT)
        return points_of_unit (work, candidate, held->rule, &points) < 0
                   ? -1
                   : make_cards (maker, card, points, points_units (work, held) / MICRO, &left);
    for (uint32_t i = 0; i < work->line_count && left > 0; i++) {
        const struct order_line *line = work->lines[i].order;
        int64_t units = line->qty_micro > 0 ? (line->qty_micro - work->free_micro[i]) / MICRO : 0;
        if (units == 0 || line->is_covered_return || work->sold_by[i] != NULL ||
            !filter_fits (&held->rule->filter, line))
            continue;
        points = 0;
        if (points_of_unit_on (work, candidate, held, i, &points) < 0 ||
            make_cards (maker, card, points, units, &left) < 0)
            return -1;
    }
    return 0;
}

/* What a program for later orders earned: a card for each unit where its rule says so, and one for all the rest. */
static int
make_earned (struct maker *maker, const struct candidate *candidate)
{
    struct work *work = maker->work;
    int64_t rest = candidate->points;
    struct card_result card = { .program_id = candidate->program->id,
                                .for_partner = work->order->has_partner,
                                .line = -1 };
    for (uint32_t r = 0; r < candidate->held_count && rest > 0; r++) {
        const struct held_rule *held = &candidate->held[r];
        int64_t points = 0;
        if (!held->rule->split || held->rule->point_mode == POINTS_PER_ORDER)
            continue;
        if (points_of_rule (work, candidate, held, &points) < 0)
            return -1;
        points = points < rest ? points : rest;
        if (split_rule (maker, candidate, held, card, points) < 0)
            return -1;
        rest -= points;
    }
    return make_card (maker, card, rest);
}

/* The candidate that makes cards with the lowest program id over `after`: codes add theirs after the others. */
static const struct candidate *
next_maker (const struct work *work, int64_t after)
{
    const struct candidate *next = NULL;
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        if (candidate->destination == POINTS_TO_NEW_CARDS && candidate->program->id > after &&
            (next == NULL || candidate->program->id < next->program->id))
            next = candidate;
    }
    return next;
}

int
sold_cards (struct work *work, struct evaluation *out)
{
    struct maker maker = { .work = work };
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        const struct program *program = work->sold_by[i];
        if (program == NULL || program->type != PROGRAM_GIFT_CARD || line->order->has_card || line->total <= 0)
            continue;
        struct card_result card = { .program_id = program->id, .code = line->order->gift_code, .line = (int32_t)i };
        if (share_out (&maker, card, points_of_money (work, line->total), line->order->qty_micro / MICRO) < 0)
            return -1;
    }
    for (const struct candidate *next = next_maker (work, INT64_MIN); next != NULL;
         next = next_maker (work, next->program->id))
        if (make_earned (&maker, next) < 0)
            return -1;
    out->cards = maker.cards;
    out->card_count = maker.count;
    return 0;
}

int64_t
sold_top_up (const struct work *work, uint32_t line, const struct card_state **card)
{
    *card = work->lines[line].order->has_card ? card_of_line (work->order, &work->lines[line].order->card) : NULL;
    return *card != NULL && work->lines[line].total > 0 ? points_of_money (work, work->lines[line].total) : 0;
}
