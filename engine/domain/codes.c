/* codes.c - codes that were entered: of rules, which hold from there on, and of cards, which are spent (SEMANTICS 1, rules 28, 29). */
#include "domain/work.h"

/* What is about the claim and its program, before its code is looked at; false: refused. */
static bool
begin (struct work *work, uint32_t index, const struct program *program)
{
    const struct claim *claim = &work->order->claims[index];
    work->claims[index].program_id = program->id;
    if (claim->has_program && claim->program_id != program->id && claim_refuse (work, index, REASON_UNKNOWN_CODE, 0, 0))
        return false;
    enum reason reason = match_takes_part (work, program);
    return reason == REASON_NONE || !claim_refuse (work, index, reason, 0, 0);
}

static int
mark_by_code (struct work *work, struct candidate *candidate)
{
    candidate->named = true;
    candidate->by_code = true;
    return match_ask (work, candidate);
}

static void
accept (struct work *work, uint32_t index, uint32_t number)
{
    work->notes[index].state = CLAIM_ACCEPTED;
    work->notes[index].candidate = number;
}

static void
wait (struct work *work, uint32_t index, uint32_t number, enum reason reason, int64_t needed, int64_t had)
{
    work->notes[index] = (struct claim_note){
        .state = CLAIM_WAITS, .candidate = number, .reason = reason, .needed = needed, .had = had
    };
}

/* The program's rules hold: claims its reward if there is just one (or one is named) and the points suffice. */
static int
claim_reward (struct work *work, uint32_t index, uint32_t number)
{
    const struct claim *claim = &work->order->claims[index];
    const struct candidate *candidate = &work->candidates[number];
    const struct program *program = candidate->program;
    const struct purse *purse = &work->purses[candidate->purse];
    enum reason reason;
    const struct reward *reward = claimed_reward (program, claim, &reason);
    int64_t points;
    if (reward != NULL && !claim->has_reward && claim_leaves_choice (claim, reward))
        reward = NULL;
    if (reward == NULL && claim->has_reward) {
        claim_refuse (work, index, reason, 0, 0);
        return 0;
    }
    if (match_has_own_card (candidate) && !candidate->earns && purse->card == NULL &&
        claim_refuse (work, index, REASON_NO_MEMBER, 0, 0))
        return 0;
    if (match_has_own_card (candidate) && purse->card != NULL && purse->card->blocked &&
        claim_refuse (work, index, REASON_CARD_BLOCKED, 0, 0))
        return 0;
    accept (work, index, number);
    if (reward == NULL || candidate->destination == POINTS_TO_NEW_CARDS ||
        candidate->destination == POINTS_TO_CARD_LATER)
        return 0;
    if (match_points (work, candidate, &points) < 0)
        return -1;
    int64_t usable = purse_usable (purse, points);
    if (usable < reward->required_points && !work->order->forgiving) {
        wait (work, index, number, REASON_NOT_ENOUGH_POINTS, reward->required_points, usable);
        return 0;
    }
    return claim_play (work, index, number, candidate->purse, reward);
}

/* The code of a rule: it counts from here on. */
static int
enter_rule (struct work *work, uint32_t index, uint32_t rule)
{
    const struct program *program = &work->catalog->programs[work->index->rules[rule].program];
    uint32_t position = rule - work->index->first_rule[program->index], number;
    int64_t needed = 0, had = 0;
    if (!begin (work, index, program))
        return 0;
    if (match_candidate (work, program, &number) < 0)
        return -1;
    struct candidate *candidate = &work->candidates[number];
    enum reason reason = match_rule (work, candidate, position, &needed, &had);
    if (reason != REASON_NONE && claim_refuse (work, index, reason, needed, had))
        return 0;
    if (candidate->entered == NULL)
        candidate->entered = arena_array_of (work->arena, program->rule_count, int32_t);
    if (candidate->entered == NULL)
        return work_exhausted (work);
    if (candidate->entered[position] == 0)
        candidate->entered[position] = (int32_t)index + 1;
    if (mark_by_code (work, candidate) < 0)
        return -1;
    if (program->type == PROGRAM_COUPONS)
        match_open_without_card (work, candidate);
    if (!candidate->holds && !work->order->forgiving) {
        wait (work, index, number, candidate->reason, candidate->needed, candidate->had);
        return 0;
    }
    return claim_reward (work, index, number);
}

/* Why a referral code may not be used by this order, with the figures of its limit (rule 29). */
static enum reason
referral_reason (const struct work *work, const struct program *program, const struct card_state *card, int64_t *needed,
                 int64_t *had)
{
    const struct order *order = work->order;
    if (!order->has_partner)
        return REASON_NO_MEMBER;
    if (card->blocked)
        return REASON_CARD_BLOCKED;
    if (card->has_partner && card->partner_id == order->partner_id)
        return REASON_OWN_CODE;
    if (work->referral >= 0)
        return REASON_ONE_REFERRAL;
    if (!order->member.is_first_order)
        return REASON_NOT_FIRST_ORDER;
    *needed = program->max_referral_usage;
    *had = card->referral_uses;
    return *needed > 0 && *had >= *needed ? REASON_LIMIT_REACHED : REASON_NONE;
}

static int
enter_referral (struct work *work, uint32_t index, const struct program *program, const struct card_state *card)
{
    int64_t needed = 0, had = 0;
    uint32_t number;
    enum reason reason = referral_reason (work, program, card, &needed, &had);
    if (reason != REASON_NONE && claim_refuse (work, index, reason, needed, had))
        return 0;
    if (match_candidate (work, program, &number) < 0)
        return -1;
    struct candidate *candidate = &work->candidates[number];
    bool was_by_code = candidate->by_code;
    if (mark_by_code (work, candidate) < 0)
        return -1;
    if (!candidate->holds && claim_refuse (work, index, candidate->reason, candidate->needed, candidate->had)) {
        candidate->by_code = was_by_code;
        return match_ask (work, candidate);
    }
    /* The reward of an order that was paid for is given (rule 35); its owner gets nothing by a code of his own, or a second one. */
    if (reason != REASON_OWN_CODE && reason != REASON_ONE_REFERRAL) {
        work->referral = (int32_t)number;
        work->referral_card = card;
    }
    return claim_reward (work, index, number);
}

/* The least points with which the card is good for something. */
static int64_t
least_required (const struct program *program, const struct reward *reward)
{
    int64_t least = reward != NULL ? reward->required_points : INT64_MAX;
    for (uint32_t r = 0; r < program->reward_count && reward == NULL; r++)
        if (program->rewards[r].required_points < least)
            least = program->rewards[r].required_points;
    return least == INT64_MAX ? 0 : least;
}

/* Why a card cannot be spent from: it is somebody else's, blocked, spent or expired. */
static enum reason
card_reason (const struct work *work, const struct program *program, const struct card_state *card, int64_t required)
{
    const struct order *order = work->order;
    if (card->has_partner && !(order->has_partner && card->partner_id == order->partner_id))
        return REASON_UNKNOWN_CARD;
    if (card->blocked)
        return REASON_CARD_BLOCKED;
    if (card->usable >= required)
        return REASON_NONE;
    if (card->expired > 0)
        return REASON_EXPIRED;
    return program->type == PROGRAM_GIFT_CARD ? REASON_NOT_ENOUGH_POINTS : REASON_CODE_USED;
}

/* The code of a card that is out: its points pay, and the rules are not asked again, but those of coupons (rule 5). */
static int
enter_card (struct work *work, uint32_t index, uint32_t card_number)
{
    const struct claim *claim = &work->order->claims[index];
    const struct card_state *card = &work->order->cards[card_number];
    const struct program *program = catalog_program (work->catalog, card->program_id);
    uint32_t number, purse;
    enum reason reason = REASON_NONE;
    if (program == NULL) {
        claim_refuse (work, index, REASON_UNKNOWN_CODE, 0, 0);
        return 0;
    }
    work->claims[index].program_id = program->id;
    if (program_is_single (program) && claim_refuse (work, index, REASON_NOT_BY_CODE, 0, 0))
        return 0;
    if (!begin (work, index, program))
        return 0;
    if (program->type == PROGRAM_REFERRAL)
        return enter_referral (work, index, program, card);
    const struct reward *reward = claimed_reward (program, claim, &reason);
    if (reward == NULL && (claim->has_reward || program->reward_count == 0)) {
        claim_refuse (work, index, reason, 0, 0);
        return 0;
    }
    if (reward != NULL && !claim->has_reward && claim_leaves_choice (claim, reward))
        reward = NULL;
    int64_t required = least_required (program, reward);
    reason = card_reason (work, program, card, required);
    if (reason != REASON_NONE && claim_refuse (work, index, reason, required, card->usable))
        return 0;
    if (match_candidate (work, program, &number) < 0)
        return -1;
    struct candidate *candidate = &work->candidates[number];
    if (program->type == PROGRAM_COUPONS && !candidate->holds &&
        claim_refuse (work, index, candidate->reason, candidate->needed, candidate->had))
        return 0;
    candidate->named = true;
    work->shown[card_number] = true;
    accept (work, index, number);
    if (reward == NULL)
        return 0;
    if (claimed_purse (work, candidate, card, &purse) < 0)
        return -1;
    return claim_play (work, index, number, purse, reward);
}

int
code_read (struct work *work, uint32_t index)
{
    const struct claim *claim = &work->order->claims[index];
    const struct claim_note *note = &work->notes[index];
    work->claims[index].program_id = claim->program_id;
    work->claims[index].reward_id = claim->reward_id;
    int64_t rule = code_map_find (work->index, claim->code);
    if (note->dropped) {
        work->claims[index].program_id = note->program_id;
        claim_refuse (work, index, note->reason, note->needed, note->had);
        return 0;
    }
    if (rule >= 0)
        return enter_rule (work, index, (uint32_t)rule);
    for (uint32_t c = 0; c < work->order->card_count; c++)
        if (work->order->cards[c].code.size > 0 && code_compare (work->order->cards[c].code, claim->code) == 0)
            return enter_card (work, index, c);
    claim_refuse (work, index, REASON_UNKNOWN_CODE, 0, 0);
    return 0;
}
