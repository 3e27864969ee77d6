/* ledger_private.h - what ledger.c, ledger_back.c, ledger_hold.c and ledger_transfer.c share. */
#ifndef DOMAIN_LEDGER_PRIVATE_H
#define DOMAIN_LEDGER_PRIVATE_H

#include "domain/ledger.h"

/* What is to be consumed, and from which lots it may come. */
struct consumption {
    int64_t points, instant;
    bool pending_too;
    bool booked_too; /* also lots that were alive at `instant` and are booked as expired since: they are unexpired by it */
    const int32_t *named; /* these first, also beyond the horizon */
    uint32_t named_count;
    struct lot_use *unexpired; /* ledger_consumption_reserve */
};

bool ledger_lot_fits (const struct consumption *what, const struct lot *lot);

/* Reads lots until those that may be consumed have what is wanted, or there are no more. *available: what they have that
 * is not held (not all of it when it is more than enough). *lot_count: lots. */
int ledger_consumption_prepare (struct card *card, const struct consumption *what, const struct lot_source *source, int64_t *available,
                                uint32_t *lot_count, struct error *err);
/* Makes room for the journal rows: `rows` of the caller's and the one that ledger_consumption_apply may write. -1. */
int ledger_consumption_reserve (struct card *card, struct consumption *what, uint32_t lot_count, uint32_t rows, struct arena *arena);
/* Takes `points`, which are there, and lists what came from where. Returns how many lots. */
uint32_t ledger_consumption_apply (struct card *card, const struct consumption *what, int64_t points, struct lot_use *uses);
int ledger_insufficient (const struct card *card, int64_t required, int64_t available, struct error *err);

/* The lot in memory of that number, or NULL. */
struct lot *ledger_lot (const struct card *card, int32_t lot_no);
void ledger_lot_take (struct lot *lot, int64_t points);
bool ledger_lot_is_alive (const struct lot *lot, int64_t instant);

/* Pays debt with at most `points` of one lot. Returns what was paid; the caller writes the row. */
int64_t ledger_debt_pay (struct card *card, int32_t lot_no, int64_t points, struct lot_use *use);
/* Pays debt with points that came back or over and are alive, in the order in which they would be consumed (the last used lot came
 * first), with a row; `uses` has as many places. There is room for the row. */
void ledger_debt_pay_with (struct card *card, const struct lot_use *returned, uint32_t count, int64_t instant, struct lot_use *uses);

/* Reads the next lots of an incomplete card. */
int ledger_lots_read_more (struct card *card, const struct lot_source *source, struct error *err);
/* Makes room for so many lots; -1. Then a new lot, numbered: its number. */
int ledger_lots_reserve (struct card *card, uint32_t more, struct arena *arena);
int32_t ledger_lot_open (struct card *card, struct lot lot);

/* Makes room for so many rows; -1. Then moves the stored points by `amount` and writes a row. */
int ledger_journal_reserve (struct card *card, uint32_t rows, struct arena *arena);
const struct journal_row *ledger_journal_add (struct card *card, enum journal_kind kind, int64_t amount, int64_t time,
                                              const struct lot_use *uses, uint32_t use_count);

#endif
