/* reward.c - what a reward gives and costs where the order stands now, and giving it (rules 7, 9, 18). */
#include "domain/reward.h"

enum layer
reward_layer (const struct program *program, const struct reward *reward)
{
    switch (reward->type) {
    case REWARD_SPECIAL_PRICE:
    case REWARD_SPECIAL_SET:
        return LAYER_PRICE;
    case REWARD_PRODUCT:
        return LAYER_FREE;
    case REWARD_DISCOUNT:
        return program->type == PROGRAM_GIFT_CARD || program->type == PROGRAM_EWALLET ? LAYER_PAYMENT : LAYER_DISCOUNT;
    case REWARD_MULTIPLE_DISCOUNT:
    case REWARD_POINT:
        break;
    }
    return LAYER_DISCOUNT;
}

bool
reward_is_order_wide (const struct entry *entry)
{
    const struct reward *reward = entry->reward;
    if (entry->layer != LAYER_DISCOUNT || reward->applicability != APPLY_ORDER)
        return false;
    return reward->type == REWARD_MULTIPLE_DISCOUNT ||
           (reward->type == REWARD_DISCOUNT && reward->mode != DISCOUNT_PER_POINT);
}

/* Usable now (rule 7): what the card has, and the order's points of the program so far, less what was spent. */
static int
usable_points (struct work *work, const struct entry *entry, int64_t *usable)
{
    const struct purse *purse = &work->purses[entry->purse];
    int64_t points = 0;
    if (purse->earns && match_points_of (work, entry, &points) < 0)
        return -1;
    if (purse->card != NULL && purse->card->usable > INT64_MAX - points)
        return error_field (work->err, ERROR_INVALID_REQUEST, "cards", "card %lld has too many points",
                            (long long)purse->card->card_id);
    *usable = purse_usable (purse, points) - purse->spent;
    return 0;
}

static void
gives_nothing (struct entry *entry, enum reason reason, int64_t needed, int64_t had)
{
    entry->reason = reason;
    entry->needed = needed;
    entry->had = had;
}

/* What the reward gives and costs now; without steps, and with the entry's reason, when it gives nothing. */
static int
appraise (struct work *work, struct entry *entry, struct offer *offer)
{
    const struct reward *reward = entry->reward;
    int64_t usable = 0;
    *offer = (struct offer){ 0 };
    if (usable_points (work, entry, &usable) < 0)
        return -1;
    int64_t needed = 0, had = 0;
    enum reason reason =
        entry->asks_rules ? match_holds (work, &work->candidates[entry->candidate], &needed, &had) : REASON_NONE;
    if (reason != REASON_NONE) {
        gives_nothing (entry, reason, needed, had);
        return 0;
    }
    if (usable < reward->required_points && entry_is_forgiven (work, entry))
        usable = entry->points_limit > reward->required_points ? entry->points_limit : reward->required_points;
    if (usable < reward->required_points) {
        gives_nothing (entry, REASON_NOT_ENOUGH_POINTS, reward->required_points, usable > 0 ? usable : 0);
        return 0;
    }
    /* Points are no money: where rewards are compared they count for the least sum there is. */
    if (reward->type == REWARD_POINT)
        *offer = (struct offer){
            .step_count = 1, .points_given = reward->points, .saving_minor = 1, .least_cost = reward->required_points
        };
    else if (reward->type == REWARD_DISCOUNT || reward->type == REWARD_MULTIPLE_DISCOUNT) {
        if (discount_offer (work, entry, usable, offer) < 0)
            return -1;
    } else if (units_offer (work, entry, usable, offer) < 0)
        return -1;
    /* What takes money off lines was cut to the budget; units cannot be. */
    int64_t budget = limit_budget_left (work, entry->program), limit = entry->program->limits[LIMIT_BUDGET];
    if (budget == 0 || (reward->type != REWARD_POINT && offer->saving_minor > budget)) {
        *offer = (struct offer){ 0 };
        gives_nothing (entry, REASON_LIMIT_REACHED, limit, limit - budget);
        return 0;
    }
    if (offer->step_count == 0) {
        gives_nothing (entry, REASON_NOTHING_TO_DISCOUNT, 0, 0);
        return 0;
    }
    entry->least_cost = offer->least_cost;
    entry->cost = reward->clear_wallet ? usable : offer->least_cost;
    return 0;
}

int
reward_measure (struct work *work, struct entry *entry, int64_t *value)
{
    struct offer offer;
    if (appraise (work, entry, &offer) < 0)
        return -1;
    *value = offer.step_count > 0 ? offer.saving_minor : 0;
    return 0;
}

/* Each step becomes a discount. */
static int
apply_step (struct work *work, uint32_t index, const struct offer *offer, uint32_t step)
{
    const struct entry *entry = &work->entries[index];
    const struct candidate *candidate = &work->candidates[entry->candidate];
    const struct card_state *card = work->purses[entry->purse].card;
    struct applied *applied = &work->applied[work->applied_count];
    int64_t amount = offer->steps_minor[step];
    *applied = (struct applied){ .entry = index, .taken = arena_array_of (work->arena, work->tax_count, int128) };
    if (applied->taken == NULL)
        return work_exhausted (work);
    if (entry->layer == LAYER_PAYMENT) {
        work->paid += amount;
        work->total -= amount;
    } else if (amount > 0 && reward_take (work, &offer->base, amount, applied) < 0)
        return -1;
    struct discount *discount = &applied->discount;
    discount->layer = entry->layer;
    discount->program_id = entry->program->id;
    discount->rule_id = candidate->rule != NULL ? candidate->rule->id : 0;
    discount->reward_id = entry->reward->id;
    discount->card_id = card != NULL ? card->card_id : 0;
    discount->code = entry->code.size > 0 || card == NULL ? entry->code : card->code;
    discount->amount_minor = amount;
    discount->points_given = offer->points_given;
    discount->free_product_id = offer->free_product_id;
    discount->free_qty_micro = offer->free_qty_micro;
    discount->automatic = entry->claim < 0;
    discount->claim = entry->claim;
    work->applied_count++;
    return 0;
}

/* Units that are free, or in a set, from now on. */
static void
note_units (struct work *work, const struct entry *entry, const struct offer *offer)
{
    int64_t *noted = entry->layer == LAYER_FREE                  ? work->free_micro
                     : entry->reward->type == REWARD_SPECIAL_SET ? work->set_micro
                                                                 : NULL;
    if (noted == NULL || offer->base.units == NULL)
        return;
    for (uint32_t i = 0; i < work->line_count; i++)
        noted[i] += offer->base.units[i];
    work->gave_free |= entry->layer == LAYER_FREE;
}

int
reward_apply (struct work *work, uint32_t index)
{
    struct entry *entry = &work->entries[index];
    struct offer offer;
    if (appraise (work, entry, &offer) < 0)
        return -1;
    if (offer.step_count == 0)
        return 0;
    int32_t first = (int32_t)work->applied_count;
    for (uint32_t step = 0; step < offer.step_count; step++)
        if (apply_step (work, index, &offer, step) < 0)
            return -1;
    note_units (work, entry, &offer);
    entry->discount = first;
    entry->saving = offer.saving_minor;
    struct purse *purse = &work->purses[entry->purse];
    purse->spent += entry->cost;
    purse->granted += offer.points_given;
    return 0;
}
