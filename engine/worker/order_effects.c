/* order_effects.c - an order's points on its cards: the ledger's calls, and the record of what they did. */
#include "worker/order_run.h"

#include <stdio.h>

int
run_no_memory (struct order_run *run)
{
    return request_fail (run->request, ERROR_INTERNAL, "the worker is out of memory");
}

struct card_effect *
run_effect (struct order_run *run, const struct unit_card *card)
{
    for (uint32_t i = 0; i < run->record.effect_count; i++)
        if (run->effects[i].card_id == card->card.card_id)
            return &run->effects[i];
    if (run->record.effect_count == run->effect_capacity) {
        uint32_t larger = run->effect_capacity ? run->effect_capacity * 2 : 4;
        struct card_effect *copy = arena_array_of (run->arena, larger, struct card_effect);
        if (copy == NULL)
            return NULL;
        if (run->record.effect_count > 0)
            memcpy (copy, run->effects, run->record.effect_count * sizeof *copy);
        run->effects = copy;
        run->record.effects = copy;
        run->effect_capacity = larger;
    }
    struct card_effect *effect = &run->effects[run->record.effect_count++];
    /* A card that is new may have been made by an earlier request of the batch. */
    uint32_t place = map_get (&run->unit->card_index, card->card.card_id);
    *effect = (struct card_effect){ .card_id = card->card.card_id,
                                    .program_id = card->card.program_id,
                                    .code = card->card.code,
                                    .is_created = place >= run->savepoint.card_count };
    return effect;
}

/* Appends uses to a list of an effect. */
static int
append_uses (struct order_run *run, const struct lot_use **uses, uint32_t *count, const struct lot_use *more,
             uint32_t more_count)
{
    if (more_count == 0)
        return 0;
    struct lot_use *joined = arena_array_of (run->arena, *count + more_count, struct lot_use);
    if (joined == NULL)
        return run_no_memory (run);
    if (*count > 0)
        memcpy (joined, *uses, *count * sizeof *joined);
    memcpy (joined + *count, more, more_count * sizeof *joined);
    *uses = joined;
    *count += more_count;
    return 0;
}

/* The uses of the journal rows of a kind that were added from `from` on. */
static int
append_journal_uses (struct order_run *run, const struct card *card, uint32_t from, enum journal_kind kind,
                     const struct lot_use **uses, uint32_t *count)
{
    for (uint32_t i = from; i < card->journal_size; i++)
        if (card->journal[i].kind == kind &&
            append_uses (run, uses, count, card->journal[i].uses, card->journal[i].use_count) < 0)
            return -1;
    return 0;
}

static int
append_lot (struct order_run *run, struct card_effect *effect, struct record_lot lot)
{
    struct record_lot *joined = arena_array_of (run->arena, effect->lot_count + 1, struct record_lot);
    if (joined == NULL)
        return run_no_memory (run);
    if (effect->lot_count > 0)
        memcpy (joined, effect->lots, effect->lot_count * sizeof *joined);
    joined[effect->lot_count++] = lot;
    effect->lots = joined;
    return 0;
}

struct unit_card *
run_card_to_change (struct order_run *run, int64_t card_id)
{
    struct unit_card *card = unit_card (run->unit, card_id);
    if (card == NULL) {
        request_fail (run->request, ERROR_NOT_FOUND, "card %lld is not there any more", (long long)card_id);
        return NULL;
    }
    if (unit_save_card (run->unit, &run->savepoint, card_id) < 0) {
        run_no_memory (run);
        return NULL;
    }
    return card;
}

/* ---- points of returns */

static enum shortfall
asked_shortfall (const struct order_run *run, int64_t program_id)
{
    if (run->data->has_shortfall)
        return run->data->shortfall;
    const struct program *program = catalog_program (run->catalog, program_id);
    if (program != NULL && program->has_shortfall)
        return program->shortfall;
    return program != NULL && program->type == PROGRAM_GIFT_CARD ? SHORTFALL_REFUSE : SHORTFALL_DEBT;
}

/* A return that was paid out already is not refused for what is gone (rule 35). */
enum shortfall
run_shortfall (const struct order_run *run, int64_t program_id)
{
    enum shortfall asked = asked_shortfall (run, program_id);
    return asked == SHORTFALL_REFUSE && run->record.order.forgiving ? SHORTFALL_DEBT : asked;
}

static int
take_back (struct order_run *run, int64_t card_id, int64_t points, const int32_t *lots, uint32_t lot_count)
{
    if (points == 0)
        return 0;
    if (run_follow_lots (run, &card_id, &lots, &lot_count) < 0)
        return -1;
    struct unit_card *card = run_card_to_change (run, card_id);
    if (card == NULL)
        return -1;
    struct card_effect *effect = run_effect (run, card);
    struct lot_source source = unit_lot_source (run->unit);
    uint32_t from = card->card.journal_size;
    int64_t missing = 0;
    if (effect == NULL)
        return run_no_memory (run);
    effect->shortfall = run_shortfall (run, card->card.program_id);
    if (ledger_take_back (&card->card, points, lots, lot_count, effect->shortfall, run->record.order.instant, &source,
                          run->arena, &missing, &run->request->error) < 0)
        return -1;
    effect->taken_back += points - missing;
    effect->missing += missing;
    return append_journal_uses (run, &card->card, from, JOURNAL_TAKE_BACK, &effect->taken_uses, &effect->taken_count);
}

/* What goes back to a card: points that were spent, or that were taken back by what is undone. */
struct returning {
    enum journal_kind kind; /* GIVE_BACK; EARN */
    int64_t points;
    const struct lot_use *uses; /* sum to the points; lot 0: owed */
    uint32_t use_count;
};

/* Takes the part that was owed (lot 0) out of what goes back: it came from no lot, and pays the debt that it became, or comes
 * back as new points where that was paid meanwhile. */
static int
give_back_owed (struct order_run *run, struct unit_card *card, struct returning *returning)
{
    const struct program *program = catalog_program (run->catalog, card->card.program_id);
    struct lot_use *of_lots = arena_array_of (run->arena, returning->use_count, struct lot_use);
    int64_t instant = run->record.order.instant, owed = 0;
    uint32_t count = 0;
    if (of_lots == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < returning->use_count; i++)
        if (returning->uses[i].lot_no == 0)
            owed += returning->uses[i].points;
        else
            of_lots[count++] = returning->uses[i];
    returning->uses = of_lots;
    returning->use_count = count;
    if (owed == 0)
        return 0;
    int64_t expires = program != NULL ? expiry_instant (&program->expiry, &run->catalog->zone, instant) : INSTANT_NEVER;
    return ledger_gain (&card->card, returning->kind, owed, instant, instant, expires, run->request->order_ref,
                        run->arena, NULL, &run->request->error);
}

static int
give_back (struct order_run *run, int64_t card_id, struct returning returning)
{
    struct unit_card *card = returning.points > 0 ? run_card_to_change (run, card_id) : NULL;
    if (returning.points == 0)
        return 0;
    if (card == NULL)
        return -1;
    const struct program *program = catalog_program (run->catalog, card->card.program_id);
    int64_t instant = run->record.order.instant;
    bool extends = program != NULL && program->restore_extends && returning.kind == JOURNAL_GIVE_BACK;
    int64_t extended = extends ? instant + program->extend_days * US_PER_DAY : 0;
    struct card_effect *effect = run_effect (run, card);
    struct lot_finder finder = unit_lot_finder (run->unit);
    uint32_t from = card->card.journal_size;
    if (effect == NULL)
        return run_no_memory (run);
    if (give_back_owed (run, card, &returning) < 0 ||
        ledger_give_back (&card->card, returning.kind, returning.uses, returning.use_count, extended, instant, &finder,
                          run->arena, &run->request->error) < 0)
        return -1;
    if (returning.kind == JOURNAL_EARN)
        effect->earned += returning.points;
    else
        effect->given_back += returning.points;
    return returning.kind == JOURNAL_EARN ? 0
                                          : append_journal_uses (run, &card->card, from, JOURNAL_GIVE_BACK,
                                                                 &effect->given_uses, &effect->given_count);
}

int
run_refund_points (struct order_run *run)
{
    /* What is given back first may be what is then taken back. */
    for (uint32_t i = 0; i < run->plan.points_count; i++) {
        const struct refund_points *points = &run->plan.points[i];
        if (give_back (run, points->card_id,
                       (struct returning){ JOURNAL_GIVE_BACK, points->give_back, points->uses, points->use_count }) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < run->plan.points_count; i++) {
        const struct refund_points *points = &run->plan.points[i];
        if (take_back (run, points->card_id, points->take_back, points->lots, points->lot_count) < 0)
            return -1;
    }
    return run_empty_merged (run);
}

/* What an effect spent comes back, and what it took back is earned again. */
static int
undo_taking (struct order_run *run, const struct card_effect *effect)
{
    uint32_t use_count;
    const struct lot_use *uses = card_effect_uses (effect, run->arena, &use_count);
    struct lot_use *taken = arena_array_of (run->arena, (size_t)effect->taken_count + 1, struct lot_use);
    uint32_t taken_count = effect->taken_count;
    int64_t owed = effect->shortfall == SHORTFALL_DEBT ? effect->missing : 0;
    if (uses == NULL || taken == NULL)
        return run_no_memory (run);
    if (taken_count > 0)
        memcpy (taken, effect->taken_uses, taken_count * sizeof *taken);
    if (owed > 0)
        taken[taken_count++] = (struct lot_use){ 0, owed };
    if (give_back (run, effect->card_id,
                   (struct returning){ JOURNAL_GIVE_BACK, effect->redeemed + effect->owed, uses, use_count }) < 0)
        return -1;
    return give_back (run, effect->card_id,
                      (struct returning){ JOURNAL_EARN, effect->taken_back + owed, taken, taken_count });
}

/* Spends again what was given back to lots of a card. */
static int
redeem_again (struct order_run *run, int64_t card_id, const struct lot_use *uses, uint32_t count)
{
    struct lot_source source = unit_lot_source (run->unit);
    struct unit_card *card = run_card_to_change (run, card_id);
    struct card_effect *effect = card == NULL ? NULL : run_effect (run, card);
    if (effect == NULL)
        return card == NULL ? -1 : run_no_memory (run);
    uint32_t from = card->card.journal_size;
    int64_t missing, points = 0;
    enum shortfall shortfall = run_shortfall (run, card->card.program_id);
    for (uint32_t i = 0; i < count; i++)
        points += uses[i].points;
    if (ledger_redeem_again (&card->card, uses, count, shortfall, run->record.order.instant, &source, run->arena,
                             &missing, &run->request->error) < 0)
        return -1;
    effect->redeemed += points - missing;
    effect->missing += missing;
    effect->shortfall = shortfall;
    return append_journal_uses (run, &card->card, from, JOURNAL_REDEEM, &effect->redeemed_uses,
                                &effect->redeemed_count);
}

/* What an effect gave back is spent again, from where a change of level moved it; lots that are on one card go together. */
static int
undo_giving_back (struct order_run *run, const struct card_effect *effect)
{
    struct lot_use *uses = arena_array_of (run->arena, (size_t)effect->given_count + 1, struct lot_use);
    uint32_t count = 0;
    int64_t at_card = 0;
    if (uses == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < effect->given_count; i++) {
        const int32_t *lots = &effect->given_uses[i].lot_no;
        int64_t card_id = effect->card_id;
        uint32_t lot_count = 1;
        if (run_follow_lots (run, &card_id, &lots, &lot_count) < 0)
            return -1;
        if (count > 0 && card_id != at_card) {
            if (redeem_again (run, at_card, uses, count) < 0)
                return -1;
            uses += count;
            count = 0;
        }
        at_card = card_id;
        uses[count++] = (struct lot_use){ lot_count > 0 ? lots[0] : 0, effect->given_uses[i].points };
    }
    return count == 0 ? 0 : redeem_again (run, at_card, uses, count);
}

int
run_undo (struct order_run *run, const struct order_record *original)
{
    for (uint32_t i = 0; i < original->effect_count; i++)
        if (undo_taking (run, &original->effects[i]) < 0)
            return -1;
    if (run_empty_merged (run) < 0)
        return -1;
    for (uint32_t i = 0; i < original->effect_count; i++) {
        const struct card_effect *effect = &original->effects[i];
        int32_t *lots = arena_array_of (run->arena, effect->lot_count + 1, int32_t);
        if (lots == NULL)
            return run_no_memory (run);
        for (uint32_t lot = 0; lot < effect->lot_count; lot++)
            lots[lot] = effect->lots[lot].lot_no;
        if (take_back (run, effect->card_id, effect->earned, lots, effect->lot_count) < 0 ||
            undo_giving_back (run, effect) < 0)
            return -1;
    }
    return run_empty_merged (run);
}

/* ---- points of the evaluation */

static struct unit_card *
card_of_program (struct order_run *run, int64_t program_id)
{
    struct unit_card *card = NULL;
    while ((card = unit_card_of_partner (run->unit, run->record.order.partner_id, card)) != NULL)
        if (card->card.program_id == program_id)
            return card;
    return NULL;
}

/* The card of a result; a new one where the member has none of the program. */
static struct unit_card *
card_of_result (struct order_run *run, const struct points_result *result)
{
    if (result->card_id != 0)
        return run_card_to_change (run, result->card_id);
    struct unit_card *card = card_of_program (run, result->program_id);
    if (card != NULL)
        return run_card_to_change (run, card->card.card_id);
    return run_new_card (run, result->program_id, true, (struct str){ 0 });
}

int
run_earn (struct order_run *run, struct unit_card *card, int64_t points)
{
    const struct catalog *catalog = run->catalog;
    const struct program *program = catalog_program (catalog, card->card.program_id);
    int64_t instant = run->record.order.instant;
    struct record_lot lot = { .points = points, .usable_from = instant, .expires = INSTANT_NEVER };
    if (program != NULL) {
        lot.usable_from = instant + program->pending_days * US_PER_DAY;
        lot.expires = expiry_instant (&program->expiry, &catalog->zone, instant);
    }
    if (ledger_gain (&card->card, JOURNAL_EARN, points, instant, lot.usable_from, lot.expires, run->request->order_ref,
                     run->arena, &lot.lot_no, &run->request->error) < 0)
        return -1;
    struct card_effect *effect = run_effect (run, card);
    if (effect == NULL)
        return run_no_memory (run);
    effect->earned += points;
    return append_lot (run, effect, lot);
}

/* Spends points of a card: of the hold that the order captures first. */
static int
redeem (struct order_run *run, struct unit_card *card, int64_t points)
{
    struct lot_source source = unit_lot_source (run->unit);
    int64_t instant = run->record.order.instant, captured, missing = 0;
    uint32_t from = card->card.journal_size;
    struct error *err = &run->request->error;
    if (run_capture_hold (run, card, points, &captured) < 0)
        return -1;
    int64_t rest = points - captured;
    const struct journal_row *row;
    if (rest > 0 &&
        (run->record.order.forgiving
             ? ledger_spend_owing (&card->card, rest, instant, &source, run->arena, &row, &missing, err) < 0
             : ledger_spend (&card->card, JOURNAL_REDEEM, rest, instant, &source, run->arena, &row, err) < 0))
        return -1;
    struct card_effect *effect = run_effect (run, card);
    if (effect == NULL)
        return run_no_memory (run);
    effect->redeemed += points - missing;
    effect->owed += missing;
    return append_journal_uses (run, &card->card, from, JOURNAL_REDEEM, &effect->redeemed_uses,
                                &effect->redeemed_count);
}

int
run_evaluated_points (struct order_run *run)
{
    const struct evaluation *evaluation = &run->record.evaluation;
    for (uint32_t i = 0; i < evaluation->points_count; i++) {
        const struct points_result *result = &evaluation->points[i];
        if (result->earned == 0 && result->redeemed == 0)
            continue;
        struct unit_card *card = card_of_result (run, result);
        if (card == NULL)
            return -1;
        /* Points that may pay for the order's own rewards are earned first; the others are there from the next order on. */
        if (result->usable_now && result->earned > 0 && run_earn (run, card, result->earned) < 0)
            return -1;
        if (result->redeemed > 0 && redeem (run, card, result->redeemed) < 0)
            return -1;
        if (!result->usable_now && result->earned > 0 && run_earn (run, card, result->earned) < 0)
            return -1;
    }
    return 0;
}

int
run_balances (struct order_run *run)
{
    struct lot_source source = unit_lot_source (run->unit);
    if (run->record.order.has_partner && run->record.evaluation.has_primary) {
        struct unit_card *primary = card_of_program (run, run->record.evaluation.primary_program_id);
        if (primary != NULL && run_effect (run, primary) == NULL)
            return run_no_memory (run);
    }
    for (uint32_t i = 0; i < run->record.effect_count; i++) {
        struct card_effect *effect = &run->effects[i];
        struct unit_card *card = unit_card (run->unit, effect->card_id);
        if (card == NULL)
            return request_fail (run->request, ERROR_INTERNAL, "card %lld is lost", (long long)effect->card_id);
        if (ledger_balance (&card->card, run->record.order.instant, &source, run->arena, &effect->balance,
                            &run->request->error) < 0)
            return -1;
        effect->debt = card->card.debt;
        effect->change = unit_untold_points (run->unit, &run->savepoint, card);
    }
    return 0;
}
