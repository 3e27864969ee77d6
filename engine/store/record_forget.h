/* record_forget.h - a stored order without the person (docs/decisions/010-forgotten-members.md). */
#ifndef STORE_RECORD_FORGET_H
#define STORE_RECORD_FORGET_H

#include "store/record.h"

struct forgotten {
    int64_t pseudonym;
    uint32_t partner_count, card_count;
    const int64_t *partners; /* all that the person was called */
    const int64_t *cards;    /* whose codes the person knew */
    const struct str *codes; /* of these cards */
};

/* Calls the person by the pseudonym, and takes out what may tell who it was: texts that came with the order, codes of its
 * cards (others stand in their place), the year of birth (all of the birthday where nothing was given for it). Figures stay. What it replaces is in the arena. -1: out
 * of memory. */
int order_record_forget (struct order_record *record, const struct forgotten *who, struct arena *arena);

#endif
