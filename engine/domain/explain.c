/* explain.c - why programs gave nothing to an order: the first condition that failed, for each (DESIGN 4, `rejected`). */
#include "domain/work.h"

enum { REJECTIONS_MAX = 200 };

static bool
gave_something (const struct work *work, const struct program *program)
{
    for (uint32_t d = 0; d < work->applied_count; d++)
        if (work->entries[work->applied[d].entry].program == program)
            return true;
    for (uint32_t c = 0; c < work->candidate_count; c++) {
        const struct candidate *candidate = &work->candidates[c];
        if (candidate->program == program && candidate->destination != POINTS_OF_ORDER && candidate->earns &&
            candidate->points > 0)
            return true;
    }
    return false;
}

static const struct entry *
entry_of_program (const struct work *work, const struct program *program)
{
    for (uint32_t e = 0; e < work->entry_count; e++)
        if (work->entries[e].program == program)
            return &work->entries[e];
    return NULL;
}

/* Why a program that takes part and gave nothing did so. */
static enum reason
reason_of_candidate (const struct work *work, const struct candidate *candidate, int64_t *needed, int64_t *had)
{
    const struct entry *entry = entry_of_program (work, candidate->program);
    const struct purse *purse = &work->purses[candidate->purse];
    if (entry != NULL) {
        *needed = entry->needed;
        *had = entry->had;
        return entry->reason;
    }
    if (match_has_own_card (candidate) && !candidate->earns)
        return purse->card != NULL && purse->card->blocked ? REASON_CARD_BLOCKED
               : work->order->has_partner                  ? REASON_WRONG_MEMBERSHIP
                                                           : REASON_NO_MEMBER;
    if (!candidate->holds) {
        *needed = candidate->needed;
        *had = candidate->had;
        return candidate->reason;
    }
    return REASON_NOT_CLAIMED;
}

static int
reject (struct work *work, const struct program *program, enum reason reason, struct rejection *rejection)
{
    int64_t needed = 0, had = 0;
    rejection->program_id = program->id;
    if (reason == REASON_NONE) {
        uint32_t number;
        if (match_candidate (work, program, &number) < 0)
            return -1;
        reason = reason_of_candidate (work, &work->candidates[number], &needed, &had);
        const struct entry *entry = entry_of_program (work, program);
        rejection->reward_id = entry != NULL ? entry->reward->id : 0;
        if (work->candidates[number].failing != NULL)
            rejection->rule_id = work->candidates[number].failing->id;
        else if (work->candidates[number].rule != NULL)
            rejection->rule_id = work->candidates[number].rule->id;
    }
    rejection->reason = reason;
    reason_text (work, program, reason, needed, had, rejection->text, sizeof rejection->text);
    return 0;
}

int
explain_rejections (struct work *work, struct evaluation *out)
{
    struct rejection *rejections = arena_array_of (work->arena, REJECTIONS_MAX, struct rejection);
    if (rejections == NULL)
        return work_exhausted (work);
    /* Those that have to do with what is bought first. */
    for (int others = 0; others < 2; others++)
        for (uint32_t p = 0; p < work->catalog->program_count && out->rejection_count < REJECTIONS_MAX; p++) {
            const struct program *program = &work->catalog->programs[p];
            enum reason reason = match_takes_part (work, program);
            if (reason == REASON_NOT_ACTIVE || match_touches (work, program) == (others != 0) ||
                gave_something (work, program))
                continue;
            if (reject (work, program, reason, &rejections[out->rejection_count++]) < 0)
                return -1;
        }
    out->rejections = rejections;
    return 0;
}
