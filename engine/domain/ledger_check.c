/* ledger_check.c - the invariants of a card in memory: what debug builds and tests assert after every change. */
#include "domain/ledger.h"

static const char *
lots_check (const struct card *card)
{
    int64_t sum = 0, held = 0;
    for (uint32_t i = 0; i < card->loaded_count; i++) {
        const struct lot *lot = &card->lots[i];
        if (i > 0 && lot_compare (lot - 1, lot) >= 0)
            return "lots are not in FEFO order";
        if (lot->lot_no < 1 || lot->lot_no > card->lot_count)
            return "a lot's number is not one of the card's";
        if (lot->initial <= 0 || lot->remaining < 0 || lot->remaining > lot->initial)
            return "a lot's remaining points are not between 0 and what it began with";
        if (lot->state < LOT_ACTIVE || lot->state > LOT_CLOSED)
            return "a lot is in no state that exists";
        if ((lot->state == LOT_ACTIVE && lot->remaining == 0) || (lot->state == LOT_DEPLETED && lot->remaining != 0))
            return "a lot's state contradicts its remaining points";
        if (lot->usable_from > card->pending_until && lot->state == LOT_ACTIVE)
            return "a lot becomes usable after pending_until";
        if (lot->state == LOT_EXPIRED && lot->expires > card->booked_until)
            return "a lot that is booked as expired expires after booked_until";
        if (lot->held < 0 || lot->held > lot->remaining || (lot->held > 0 && lot->state != LOT_ACTIVE))
            return "a lot holds more than remains of it";
        if (lot->state == LOT_ACTIVE)
            sum += lot->remaining;
        held += lot->held;
    }
    if (held != card->held)
        return "what is held is not what its lots hold";
    if (sum > card->points || (card->complete && sum != card->points))
        return "stored points are not the sum of the lots";
    return NULL;
}

static const char *
holds_check (const struct card *card)
{
    int64_t held = 0;
    for (uint32_t i = 0; i < card->hold_count; i++) {
        const struct hold *hold = &card->holds[i];
        int64_t sum = 0;
        for (uint32_t use = 0; use < hold->use_count; use++)
            sum += hold->uses[use].points;
        if (sum != hold->points)
            return "a hold's lots do not add up to it";
        if (hold->state == HOLD_OPEN)
            held += hold->points;
    }
    return held == card->held ? NULL : "what is held is not the sum of the open holds";
}

static const char *
journal_check (const struct card *card)
{
    for (uint32_t i = 0; i < card->journal_size; i++) {
        const struct journal_row *row = &card->journal[i];
        int64_t sum = 0;
        if (row->seq != card->journal_count - (int32_t)(card->journal_size - 1 - i))
            return "the journal has a gap";
        for (uint32_t use = 0; use < row->use_count; use++)
            sum += row->uses[use].points;
        if (sum != (row->amount < 0 ? -row->amount : row->amount))
            return "a journal row's uses are not its amount";
        if (row->amount == 0 && row->kind != JOURNAL_TAKE_BACK && row->kind != JOURNAL_REDEEM &&
            row->kind != JOURNAL_TRANSFER)
            return "a journal row moves nothing";
        if (i > 0 && row->balance != row[-1].balance + row->amount)
            return "a journal row's balance is not the one before plus its amount";
        if (row->balance < 0 || row->debt < 0)
            return "a journal row is below 0";
    }
    if (card->journal_size > 0 && (card->journal[card->journal_size - 1].balance != card->points ||
                                   card->journal[card->journal_size - 1].debt != card->debt))
        return "the last journal row is not what the card holds";
    return NULL;
}

const char *
ledger_check (const struct card *card)
{
    if (card->points < 0 || card->debt < 0 || card->held < 0)
        return "points, debt or what is held is below 0";
    const char *fault = lots_check (card);
    if (fault == NULL)
        fault = holds_check (card);
    return fault != NULL ? fault : journal_check (card);
}
