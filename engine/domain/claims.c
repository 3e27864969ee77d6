/* claims.c - which rewards are asked for: read from the claims, and those that apply by themselves (SEMANTICS 1, rule 5). */
#include "domain/filter.h"
#include "domain/work.h"

#include "domain/sort.h"

const char *const REASON_NAMES[REASON_COUNT] = {
#define X(id, name) [REASON_##id] = name,
    REASONS (X)
#undef X
};

static const char *const REASON_SENTENCES[REASON_COUNT] = {
    [REASON_UNKNOWN_CODE] = "no program or card has this code",
    [REASON_UNKNOWN_PROGRAM] = "there is no such program",
    [REASON_UNKNOWN_REWARD] = "the program has no such reward",
    [REASON_AMBIGUOUS_REWARD] = "there are several rewards or products: name one",
    [REASON_NOT_ACTIVE] = "the program is not active",
    [REASON_BEFORE_DATE_FROM] = "the program has not begun yet",
    [REASON_AFTER_DATE_TO] = "the program is over",
    [REASON_WRONG_WEEKDAY] = "not on this day of the week",
    [REASON_WRONG_HOURS] = "not at this time of day",
    [REASON_WRONG_STORE] = "not in this store",
    [REASON_WRONG_CHANNEL] = "not in this channel",
    [REASON_WRONG_PRICELIST] = "not with this pricelist",
    [REASON_WRONG_MEMBERSHIP] = "not for this membership",
    [REASON_NO_MEMBER] = "it needs a member, and the order has none",
    [REASON_NO_MATCHING_PRODUCT] = "none of its products is bought",
    [REASON_NOTHING_TO_DISCOUNT] = "nothing is left to take it off",
    [REASON_BETTER_DISCOUNT] = "another one saves as much or more",
    [REASON_EXCLUDED_BY_OTHER] = "another one does not go with others",
    [REASON_NOT_CLAIMED] = "it has to be chosen",
    [REASON_CARD_BLOCKED] = "the card is blocked",
    [REASON_PRODUCT_NOT_OFFERED] = "the chosen product is not one of the reward's",
    [REASON_UNKNOWN_CARD] = "no such card of this program, this member's or nobody's",
};

void
reason_text (const struct work *work, enum reason reason, int64_t needed, int64_t had, char *out, size_t size)
{
    struct text text = text_open (out, size);
    if (REASON_SENTENCES[reason] != NULL) {
        text_add (&text, REASON_SENTENCES[reason]);
        return;
    }
    unsigned digits = reason == REASON_MINIMUM_QTY      ? MICRO_DIGITS
                      : reason == REASON_MINIMUM_AMOUNT ? work->digits
                                                        : POINTS_DIGITS;
    unsigned digits_min = reason == REASON_MINIMUM_QTY ? 0 : digits;
    text_add (&text, reason == REASON_NOT_ENOUGH_POINTS ? "required_points" : REASON_NAMES[reason]);
    text_add (&text, " ");
    text_add_decimal (&text, needed, digits, digits_min);
    text_add (&text, ", has ");
    text_add_decimal (&text, had, digits, digits_min);
}

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

static void
refuse_claim (struct work *work, uint32_t claim, enum reason reason, int64_t needed, int64_t had)
{
    struct claim_result *result = &work->claims[claim];
    result->reason = reason;
    reason_text (work, reason, needed, had, result->text, sizeof result->text);
}

static int
check_claim (struct work *work, uint32_t index)
{
    const struct claim *claim = &work->order->claims[index];
    if (claim->code.size > 0)
        return refuse_claim_field (work, index, "code", "not supported yet: codes");
    if (claim->qty_micro % MICRO != 0)
        return refuse_claim_field (work, index, "qty", "units given free are whole");
    if (!claim->has_program && !claim->has_card)
        return refuse_claim_field (work, index, "program_id", "a claim names a program (or a card)");
    return 0;
}

/* One of the member's cards, or a bearer's; NULL when the order does not know it. */
static const struct card_state *
claimed_card (const struct order *order, const struct card_ref *ref)
{
    for (uint32_t i = 0; i < order->card_count; i++) {
        const struct card_state *card = &order->cards[i];
        bool named = ref->card_id != 0 ? card->card_id == ref->card_id
                                       : card->code.size > 0 && code_compare (card->code, ref->code) == 0;
        if (named)
            return !card->has_partner || (order->has_partner && card->partner_id == order->partner_id) ? card : NULL;
    }
    return NULL;
}

/* The reward that a claim is about; NULL with its reason. */
static const struct reward *
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

/* On the server one of several products has to be chosen: the units are added. At the till those in the cart are free. */
static bool
leaves_choice (const struct work *work, const struct reward *reward)
{
    return work->order->channel == CHANNEL_SALE && reward->type == REWARD_PRODUCT && reward->reward_products.count > 1;
}

/* The purse of a card that a claim presents. */
static int
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
    work->entries[work->entry_count++] = *entry;
    return 0;
}

static int
read_claim (struct work *work, uint32_t index)
{
    const struct claim *claim = &work->order->claims[index];
    const struct card_state *card = claim->has_card ? claimed_card (work->order, &claim->card) : NULL;
    struct claim_result *result = &work->claims[index];
    if (claim->has_card && card == NULL) {
        result->program_id = claim->program_id;
        refuse_claim (work, index, REASON_UNKNOWN_CARD, 0, 0);
        return 0;
    }
    result->program_id = claim->has_program ? claim->program_id : card->program_id;
    result->reward_id = claim->reward_id;
    const struct program *program = catalog_program (work->catalog, result->program_id);
    if (program == NULL) {
        refuse_claim (work, index, REASON_UNKNOWN_PROGRAM, 0, 0);
        return 0;
    }
    enum reason reason = match_takes_part (work, program);
    if (reason != REASON_NONE) {
        refuse_claim (work, index, reason, 0, 0);
        return 0;
    }
    uint32_t number, purse;
    if (match_candidate (work, program, &number) < 0)
        return -1;
    struct candidate *candidate = &work->candidates[number];
    candidate->named = true;
    const struct reward *reward = claimed_reward (program, claim, &reason);
    if (reward == NULL) {
        refuse_claim (work, index, reason, 0, 0);
        return 0;
    }
    result->reward_id = reward->id;
    if (reward->type == REWARD_PRODUCT && claim->has_product &&
        !id_list_has (&reward->reward_products, claim->product_id)) {
        refuse_claim (work, index, REASON_PRODUCT_NOT_OFFERED, 0, 0);
        return 0;
    }
    if (leaves_choice (work, reward) && !claim->has_product) {
        refuse_claim (work, index, REASON_AMBIGUOUS_REWARD, 0, 0);
        return 0;
    }
    if (card != NULL && (!candidate->keeps_card || card->program_id != program->id)) {
        refuse_claim (work, index, REASON_UNKNOWN_CARD, 0, 0);
        return 0;
    }
    /* A card is spent without asking the rules again; points of the order alone need them to hold. */
    if (!candidate->keeps_card && !candidate->holds) {
        refuse_claim (work, index, candidate->reason, candidate->needed, candidate->had);
        return 0;
    }
    if (claimed_purse (work, candidate, card, &purse) < 0)
        return -1;
    if (work->purses[purse].card != NULL && work->purses[purse].card->blocked) {
        refuse_claim (work, index, REASON_CARD_BLOCKED, 0, 0);
        return 0;
    }
    if (work->purses[purse].card == NULL && !work->purses[purse].earns) {
        refuse_claim (work, index, REASON_NO_MEMBER, 0, 0);
        return 0;
    }
    return add_entry (work, &(struct entry){ .candidate = number,
                                             .purse = purse,
                                             .program = program,
                                             .reward = reward,
                                             .claim = (int32_t)index,
                                             .points_limit = claim->points,
                                             .has_product = claim->has_product,
                                             .product_id = claim->product_id,
                                             .units_limit_micro = claim->qty_micro,
                                             .layer = reward_layer (program, reward),
                                             .rank = 2 });
}

/* A program that is automatic, applies to the current order and has one reward applies by itself, once. A
 * program that keeps a card (applies_on both) does not: its member chooses when to spend. */
static int
add_automatic (struct work *work)
{
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        const struct program *program = candidate->program;
        if (program->trigger != TRIGGER_AUTO || program->applies_on != APPLIES_CURRENT || program->reward_count != 1 ||
            !candidate->holds || candidate->named)
            continue;
        const struct reward *reward = &program->rewards[0];
        if (leaves_choice (work, reward))
            continue;
        if (add_entry (work, &(struct entry){ .candidate = c,
                                              .purse = candidate->purse,
                                              .program = program,
                                              .reward = reward,
                                              .claim = -1,
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
    if (work->claims == NULL)
        return work_exhausted (work);
    for (uint32_t i = 0; i < count; i++)
        work->claims[i].discount = -1;
    for (uint32_t i = 0; i < count; i++)
        if (check_claim (work, i) < 0 || read_claim (work, i) < 0)
            return -1;
    if (work->order->auto_claim && add_automatic (work) < 0)
        return -1;
    sort_items (work->entries, work->entry_count, sizeof *work->entries, compare_entries);
    return 0;
}
