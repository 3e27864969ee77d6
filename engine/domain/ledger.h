/* ledger.h - a card's lots and journal: points gained, consumed first-expired-first-out, taken back and given back.
 *
 * The functions change a `struct card` in memory and append what they did to its journal; the store
 * writes new and changed lots and the journal's rows. Points are hundredths. Invariants, always:
 * points = Σ remaining of lots not booked as expired = the last journal balance, and >= 0. */
#ifndef DOMAIN_LEDGER_H
#define DOMAIN_LEDGER_H

#include "domain/catalog.h"

enum lot_state { LOT_ACTIVE = 1, LOT_DEPLETED = 2, LOT_EXPIRED = 3, LOT_CLOSED = 4 };

struct lot {
    int32_t lot_no;        /* 1, 2, … per card */
    enum lot_state state;
    int64_t gained, usable_from, expires; /* instants; expires INSTANT_NEVER */
    int64_t initial, remaining;
    int64_t origin_ref;    /* the order (or operation) that gave it, by its reference number; 0 none */
    bool is_new, is_changed;
};

enum journal_kind { JOURNAL_EARN = 1, JOURNAL_REDEEM = 2, JOURNAL_ADJUST = 3, JOURNAL_TAKE_BACK = 4, JOURNAL_GIVE_BACK = 5,
                    JOURNAL_EXPIRE = 6, JOURNAL_UNEXPIRE = 7, JOURNAL_DEBT_PAID = 8, JOURNAL_TRANSFER = 9 };
extern const char *const JOURNAL_NAMES[]; /* "earn", "redeem", … by kind */

struct lot_use {
    int32_t lot_no;
    int64_t points; /* > 0 */
};

struct journal_row {
    int32_t seq;          /* 1, 2, … per card, without gaps */
    enum journal_kind kind;
    int64_t amount;       /* + or -; never 0 */
    int64_t balance;      /* the card's stored points after it */
    int64_t debt;         /* its debt after it */
    int64_t time;         /* the order's instant */
    uint32_t use_count;
    const struct lot_use *uses; /* the lots concerned; their points sum to |amount| */
};

struct card {
    int64_t card_id, program_id;
    bool has_partner, is_new, is_changed, blocked;
    int64_t partner_id;
    struct str code;
    int64_t points;       /* stored: Σ remaining of lots not booked as expired */
    int64_t held;         /* of these, reserved by holds */
    int64_t debt;         /* owed: paid by the next points earned */
    int32_t lot_count, journal_count; /* highest lot_no and seq in use */
    /* Lots in memory: a prefix of the card's active lots in FEFO order (expires, gained, lot_no), new ones merged in.
     * Lots beyond the prefix are in the store: `complete` false, and `horizon` is the last stored lot that was read. */
    uint32_t loaded_count, loaded_capacity;
    struct lot *lots;
    bool complete;
    struct lot horizon;
    /* What happened since it was read. */
    uint32_t journal_size, journal_capacity;
    struct journal_row *journal;
};

/* Where more lots come from when the prefix is used up: appends the next lots in FEFO order after card->horizon
 * to the card (with ledger_add_stored_lot), sets horizon or complete. 0, or -1 with err. */
struct lot_source {
    int (*more) (void *context, struct card *card, struct error *err);
    void *context;
};

/* Adds a lot that was read from the store; keeps FEFO order. -1: out of memory. */
int ledger_add_stored_lot (struct card *card, const struct lot *lot, struct arena *arena);

/* <0, 0, >0 in FEFO order: soonest expiry, then oldest gain, then number. */
int lot_compare (const struct lot *a, const struct lot *b);

/* The balance that everyone sees at `instant`: stored points less lots expired or pending then (not below 0). */
int ledger_balance (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena,
                    int64_t *balance, struct error *err);

/* Adds a lot of `points` > 0 and its journal row of `kind` (EARN, ADJUST, GIVE_BACK); then, when the card has
 * debt, pays it with the new points at once (a DEBT_PAID row). *lot_no (may be NULL): the new lot. */
int ledger_gain (struct card *card, enum journal_kind kind, int64_t points, int64_t gained, int64_t usable_from, int64_t expires,
                 int64_t origin_ref, struct arena *arena, int32_t *lot_no, struct error *err);

/* Consumes `points` > 0 FEFO from lots usable at `instant`; one journal row. insufficient_points (details required,
 * available) when there are too few, and nothing changes. *row: the journal row (its uses are what a refund needs). */
int ledger_spend (struct card *card, enum journal_kind kind, int64_t points, int64_t instant,
                  const struct lot_source *source, struct arena *arena, const struct journal_row **row, struct error *err);

/* Takes back `points` > 0: first from the lots whose numbers are given, then FEFO; what is missing is
 * debt, forgiven or refused (insufficient_points, nothing changes). *missing: what was not there. */
int ledger_take_back (struct card *card, int64_t points, const int32_t *lot_nos, uint32_t lot_no_count, enum shortfall shortfall,
                      int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *missing, struct error *err);

/* Gives back points to the lots they were taken from (`uses`; each lot that is not in memory is fetched by `lot_by_no`);
 * one journal row. Lots that are past their expiry at `instant` keep it, or live until `extended_expiry` (> 0).
 * Debt is then paid from what came back. */
struct lot_finder {
    int (*find) (void *context, struct card *card, int32_t lot_no, struct error *err); /* adds it with ledger_add_stored_lot */
    void *context;
};
int ledger_give_back (struct card *card, const struct lot_use *uses, uint32_t use_count, int64_t extended_expiry, int64_t instant,
                      const struct lot_finder *finder, struct arena *arena, struct error *err);

#endif
