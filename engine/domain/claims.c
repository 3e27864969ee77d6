/* claims.c - which rewards are asked for: read from the claims, and those that apply by themselves (SEMANTICS 1, rule 5). */
#include "domain/filter.h"
#include "domain/sort.h"
#include "domain/work.h"

static int
refuse_claim_field (struct work *work, uint32_t claim, const char *field, const char *why)
{
    char path[64];
    struct text text = text_open (path, sizeof path);
    text_add (&text, "claims[");
    text_add_int (&text, claim);
    text_add (&text, "].");
    text_add (&text, field);
    return error_field (work->err, ERROR_INVALID_REQUEST, path, "%s", why);
}

/* Without these there is nothing that could be given. */
static bool
is_unknown (enum reason reason)
{
    return reason == REASON_UNKNOWN_CODE || reason == REASON_UNKNOWN_PROGRAM || reason == REASON_UNKNOWN_REWARD ||
           reason == REASON_AMBIGUOUS_REWARD || reason == REASON_UNKNOWN_CARD || reason == REASON_NO_MEMBER ||
           reason == REASON_PRODUCT_NOT_OFFERED;
}

int
claim_warn (struct work *work, uint32_t claim, const char *why)
{
    struct warning *warning = work_warn (work, WARNING_DIFFERENCE);
    if (warning == NULL)
        return -1;
    struct text text = text_open (warning->text, sizeof warning->text);
    text_add (&text, "claims[");
    text_add_int (&text, claim);
    text_add (&text, "]: ");
    text_add (&text, why);
    return 0;
}

bool
claim_refuse (struct work *work, uint32_t claim, enum reason reason, int64_t needed, int64_t had)
{
    struct claim_note *note = &work->notes[claim];
    note->state = CLAIM_REFUSED;
    note->reason = reason;
    note->needed = needed;
    note->had = had;
    if (!work->order->forgiving)
        return true;
    char why[96];
    reason_text (work, catalog_program (work->catalog, work->claims[claim].program_id), reason, needed, had, why,
                 sizeof why);
    return claim_warn (work, claim, why) < 0 || is_unknown (reason);
}

static int
check_claim (struct work *work, uint32_t index)
{
    const struct claim *claim = &work->order->claims[index];
    if (claim->qty_micro % MICRO != 0)
        return refuse_claim_field (work, index, "qty", "units given free are whole");
    if (claim->code.size == 0 && !claim->has_program && !claim->has_card)
        return refuse_claim_field (work, index, "program_id", "a claim names a program, a code or a card");
    return 0;
}

static bool
is_named (const struct card_state *card, const struct card_ref *ref)
{
    return ref->card_id != 0 ? card->card_id == ref->card_id
                             : card->code.size > 0 && code_compare (card->code, ref->code) == 0;
}

/* One of the member's cards, or a bearer's; NULL when the order does not know it. */
static const struct card_state *
claimed_card (const struct order *order, const struct card_ref *ref)
{
    for (uint32_t i = 0; i < order->card_count; i++) {
        const struct card_state *card = &order->cards[i];
        if (is_named (card, ref))
            return !card->has_partner || (order->has_partner && card->partner_id == order->partner_id) ? card : NULL;
    }
    return NULL;
}

const struct reward *
claimed_reward (const struct program *program, const struct claim *claim, enum reason *reason)
{
    if (!claim->has_reward) {
        *reason = program->reward_count == 0 ? REASON_UNKNOWN_REWARD : REASON_AMBIGUOUS_REWARD;
        return program->reward_count == 1 ? &program->rewards[0] : NULL;
    }
    *reason = REASON_UNKNOWN_REWARD;
    for (uint32_t r = 0; r < program->reward_count; r++)
        if (program->rewards[r].id == claim->reward_id)
            return &program->rewards[r];
    return NULL;
}

int
claimed_purse (struct work *work, const struct candidate *candidate, const struct card_state *card, uint32_t *purse)
{
    *purse = candidate->purse;
    if (card == NULL || work->purses[candidate->purse].card == card)
        return 0;
    for (*purse = 0; *purse < work->purse_count; ++*purse)
        if (work->purses[*purse].card == card)
            return 0;
    work->purses = work_grow (work, work->purses, work->purse_count, &work->purse_capacity, sizeof *work->purses);
    if (work->purses == NULL)
        return work_exhausted (work);
    work->purses[work->purse_count++] = (struct purse){ .card = card };
    return 0;
}

static int
add_entry (struct work *work, const struct entry *entry)
{
    work->entries = work_grow (work, work->entries, work->entry_count, &work->entry_capacity, sizeof *work->entries);
    if (work->entries == NULL)
        return work_exhausted (work);
    work->code_count += entry_by_code (entry);
    work->entries[work->entry_count++] = *entry;
    return 0;
}

/* One of several products has to be chosen. */
static bool
leaves_choice (const struct reward *reward)
{
    return reward->type == REWARD_PRODUCT && reward->reward_products.count > 1;
}

bool
claim_leaves_choice (const struct claim *claim, const struct reward *reward)
{
    return leaves_choice (reward) && !claim->has_product;
}

int
claim_play (struct work *work, uint32_t index, uint32_t number, uint32_t purse, const struct reward *reward)
{
    const struct claim *claim = &work->order->claims[index];
    const struct candidate *candidate = &work->candidates[number];
    const struct program *program = candidate->program;
    work->claims[index].reward_id = reward->id;
    if (reward->type == REWARD_PRODUCT && claim->has_product &&
        !id_list_has (&reward->reward_products, claim->product_id)) {
        claim_refuse (work, index, REASON_PRODUCT_NOT_OFFERED, 0, 0);
        return 0;
    }
    if (claim_leaves_choice (claim, reward)) {
        claim_refuse (work, index, REASON_AMBIGUOUS_REWARD, 0, 0);
        return 0;
    }
    work->notes[index].state = CLAIM_PLAYS;
    work->notes[index].candidate = number;
    bool by_card = work->purses[purse].card != NULL;
    return add_entry (
        work, &(struct entry){ .candidate = number,
                               .purse = purse,
                               .program = program,
                               .reward = reward,
                               .claim = (int32_t)index,
                               .code = claim->code,
                               .asks_rules = (!by_card || program->type == PROGRAM_COUPONS) && !work->order->forgiving,
                               .points_limit = claim->points,
                               .has_product = claim->has_product,
                               .product_id = claim->product_id,
                               .units_limit_micro = claim->qty_micro,
                               .layer = reward_layer (program, reward),
                               .rank = 2 });
}

/* A card that may only be used once its code was entered. */
static bool
waits_to_be_shown (const struct work *work, uint32_t card)
{
    const struct card_state *state = &work->order->cards[card];
    for (uint32_t i = 0; i < work->order->claim_count && !work->shown[card]; i++)
        if (work->order->claims[i].code.size > 0 && code_compare (work->order->claims[i].code, state->code) == 0)
            return true;
    return false;
}

static bool
is_taken (const struct work *work, const struct card_state *card)
{
    for (uint32_t e = 0; e < work->entry_count; e++)
        if (work->purses[work->entries[e].purse].card == card)
            return true;
    return false;
}

/* A card of the program to spend, where the claim names none: one that was entered, presented or is the member's; first
 * one that suffices and is not in use yet. */
static const struct card_state *
card_to_spend (const struct work *work, const struct program *program, int64_t required_points)
{
    const struct order *order = work->order;
    const struct card_state *best = NULL;
    int most = -1;
    for (uint32_t i = 0; i < order->card_count; i++) {
        const struct card_state *card = &order->cards[i];
        bool own = card->has_partner && order->has_partner && card->partner_id == order->partner_id;
        if (card->program_id != program->id || (!own && (card->has_partner || !card->presented)) ||
            (!own && waits_to_be_shown (work, i)))
            continue;
        bool is_there = work->shown[i] || (card->presented && !waits_to_be_shown (work, i));
        int merit = 4 * (!card->blocked && card->usable >= required_points) + 2 * !is_taken (work, card) + is_there;
        if (merit > most) {
            best = card;
            most = merit;
        }
    }
    return best;
}

/* The purse that a claim without a code spends from. 0 with *refused where there is none. -1 with err. */
static int
find_purse (struct work *work, uint32_t index, uint32_t number, const struct card_state *card,
            const struct reward *reward, uint32_t *purse, bool *refused)
{
    struct candidate *candidate = &work->candidates[number];
    bool of_order = candidate->destination == POINTS_OF_ORDER || candidate->destination == POINTS_TO_OWNER;
    *refused = false;
    if (card == NULL && !match_has_own_card (candidate)) {
        /* The order's points, where the rules hold; else a card that is out. */
        if (!of_order || !candidate->holds)
            card = card_to_spend (work, candidate->program, reward->required_points);
        if (card == NULL && of_order && !candidate->holds &&
            claim_refuse (work, index, candidate->reason, candidate->needed, candidate->had)) {
            *refused = true;
            return 0;
        }
        if (card == NULL && !of_order) {
            bool later = candidate->destination == POINTS_TO_NEW_CARDS && candidate->holds;
            claim_refuse (work, index, later ? REASON_NOT_USABLE_YET : REASON_UNKNOWN_CARD, 0, 0);
            *refused = true;
            return 0;
        }
    }
    if (claimed_purse (work, candidate, card, purse) < 0)
        return -1;
    const struct purse *from = &work->purses[*purse];
    if (from->card == NULL && match_has_own_card (candidate) && !from->earns) {
        bool nobody = !work->order->has_partner;
        *refused = claim_refuse (work, index, nobody ? REASON_NO_MEMBER : REASON_NOT_ENOUGH_POINTS,
                                 nobody ? 0 : reward->required_points, 0);
    } else if (from->card != NULL && from->card->blocked)
        *refused = claim_refuse (work, index, REASON_CARD_BLOCKED, 0, 0);
    return 0;
}

static int
read_claim (struct work *work, uint32_t index)
{
    const struct claim *claim = &work->order->claims[index];
    const struct card_state *card = claim->has_card ? claimed_card (work->order, &claim->card) : NULL;
    struct claim_result *result = &work->claims[index];
    result->program_id = claim->program_id;
    result->reward_id = claim->reward_id;
    if (claim->has_card && card == NULL) {
        claim_refuse (work, index, REASON_UNKNOWN_CARD, 0, 0);
        return 0;
    }
    result->program_id = claim->has_program ? claim->program_id : card->program_id;
    const struct program *program = catalog_program (work->catalog, result->program_id);
    if (program == NULL) {
        claim_refuse (work, index, REASON_UNKNOWN_PROGRAM, 0, 0);
        return 0;
    }
    enum reason reason = match_takes_part (work, program);
    if (reason != REASON_NONE && claim_refuse (work, index, reason, 0, 0))
        return 0;
    uint32_t number, purse;
    bool refused;
    if (match_candidate (work, program, &number) < 0)
        return -1;
    struct candidate *candidate = &work->candidates[number];
    candidate->named = true;
    const struct reward *reward = claimed_reward (program, claim, &reason);
    if (reward == NULL) {
        claim_refuse (work, index, reason, 0, 0);
        return 0;
    }
    result->reward_id = reward->id;
    if (card != NULL && card->program_id != program->id) {
        claim_refuse (work, index, REASON_UNKNOWN_CARD, 0, 0);
        return 0;
    }
    if (find_purse (work, index, number, card, reward, &purse, &refused) < 0 || refused)
        return refused ? 0 : -1;
    candidate = &work->candidates[number];
    if (program->type == PROGRAM_COUPONS && !candidate->holds &&
        claim_refuse (work, index, candidate->reason, candidate->needed, candidate->had))
        return 0;
    return claim_play (work, index, number, purse, reward);
}

/* A program that is automatic, applies to the current order and has one reward that leaves no choice applies by itself,
 * once. A program that keeps a card (applies_on both) does not: its member chooses when to spend. */
static bool
may_apply_by_itself (const struct candidate *candidate)
{
    const struct program *program = candidate->program;
    return program->trigger == TRIGGER_AUTO && candidate->destination == POINTS_OF_ORDER &&
           program->reward_count == 1 && !leaves_choice (&program->rewards[0]);
}

static int
add_automatic (struct work *work)
{
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        const struct program *program = candidate->program;
        if (!may_apply_by_itself (candidate) || !candidate->holds || candidate->named)
            continue;
        const struct reward *reward = &program->rewards[0];
        if (add_entry (work, &(struct entry){ .candidate = c,
                                              .purse = candidate->purse,
                                              .program = program,
                                              .reward = reward,
                                              .claim = -1,
                                              .asks_rules = true,
                                              .layer = reward_layer (program, reward),
                                              .rank = reward->applicability == APPLY_ORDER }) < 0)
            return -1;
    }
    return 0;
}

/* Rule 24: by layer; by priority; then automatic specific, automatic order-wide, claims in their order; then by id. */
static int
compare_entries (const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->layer != y->layer)
        return (int)x->layer - (int)y->layer;
    if (x->program->priority != y->program->priority)
        return compare_int64 (x->program->priority, y->program->priority);
    if (x->rank != y->rank)
        return x->rank - y->rank;
    if (x->claim != y->claim)
        return compare_int64 (x->claim, y->claim);
    if (x->program->id != y->program->id)
        return compare_int64 (x->program->id, y->program->id);
    return compare_int64 (x->reward->id, y->reward->id);
}

int
claims_read (struct work *work)
{
    uint32_t count = work->order->claim_count;
    work->claims = arena_array_of (work->arena, count, struct claim_result);
    work->shown = arena_array_of (work->arena, work->order->card_count, bool);
    if (work->notes == NULL)
        work->notes = arena_array_of (work->arena, count, struct claim_note);
    if (work->claims == NULL || work->shown == NULL || work->notes == NULL)
        return work_exhausted (work);
    for (uint32_t i = 0; i < count; i++)
        work->claims[i].discount = -1;
    for (uint32_t i = 0; i < count; i++) {
        bool by_code = work->order->claims[i].code.size > 0;
        if (check_claim (work, i) < 0 || (by_code ? code_read (work, i) : read_claim (work, i)) < 0)
            return -1;
    }
    if (work->order->auto_claim && add_automatic (work) < 0)
        return -1;
    sort_items (work->entries, work->entry_count, sizeof *work->entries, compare_entries);
    return 0;
}

/* Something is left of a candidate when its claim is refused: points on a card, or what another entry gave. */
static bool
leaves_something (const struct work *work, uint32_t number)
{
    const struct candidate *candidate = &work->candidates[number];
    if (candidate->destination != POINTS_OF_ORDER && candidate->earns && candidate->points > 0)
        return true;
    for (uint32_t d = 0; d < work->applied_count; d++)
        if (work->entries[work->applied[d].entry].candidate == number)
            return true;
    return false;
}

/* Without its codes the program would apply by itself. */
static bool
would_apply_by_itself (const struct work *work, uint32_t number)
{
    return work->order->auto_claim && may_apply_by_itself (&work->candidates[number]);
}

/* A claim that waited for another code, or for points, is accepted when they have come. */
static void
settle_waiting (struct work *work)
{
    for (uint32_t i = 0; i < work->order->claim_count; i++) {
        struct claim_note *note = &work->notes[i];
        if (note->state == CLAIM_WAITS)
            note->state = work->candidates[note->candidate].holds && leaves_something (work, note->candidate)
                              ? CLAIM_ACCEPTED
                              : CLAIM_REFUSED;
    }
}

int
claims_settle (struct work *work, bool *again)
{
    *again = false;
    for (uint32_t e = 0; e < work->entry_count && !work->order->forgiving && !*again; e++) {
        const struct entry *entry = &work->entries[e];
        if (entry->claim < 0 || entry->code.size == 0 || entry->discount >= 0 ||
            !work->candidates[entry->candidate].by_code ||
            !(leaves_something (work, entry->candidate) || would_apply_by_itself (work, entry->candidate)))
            continue;
        int32_t winner = entry->beaten_by < 0 ? -1 : work->entries[entry->beaten_by].claim;
        if (winner > entry->claim && entry->reason != REASON_NOT_ENOUGH_POINTS)
            continue;
        struct claim_note *note = &work->notes[entry->claim];
        note->dropped = true;
        note->program_id = entry->program->id;
        note->reason = entry->reason;
        note->needed = entry->needed;
        note->had = entry->had;
        *again = true;
    }
    if (!*again)
        settle_waiting (work);
    return 0;
}
