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
    int64_t gained, usable_from, expires; /* instants; usable_from >= gained; expires INSTANT_NEVER; none ever changes */
    int64_t initial, remaining; /* 0 <= remaining <= initial; what was left when its expiry was booked stays in it */
    int64_t held;          /* of what remains: reserved by holds, 0 <= held <= remaining */
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
    int64_t amount;       /* + or -; 0 only where a TAKE_BACK or REDEEM found nothing and all of it became debt, or a TRANSFER
                             moved debt alone */
    int64_t balance;      /* the card's stored points after it */
    int64_t debt;         /* its debt after it */
    int64_t time;         /* the order's instant */
    uint32_t use_count;
    const struct lot_use *uses; /* the lots concerned; their points sum to |amount| */
};

enum hold_state { HOLD_OPEN = 1, HOLD_CAPTURED = 2, HOLD_RELEASED = 3, HOLD_EXPIRED = 4, HOLD_MOVED = 5 };

/* Points of named lots that are reserved until an instant. */
struct hold {
    struct str hold_id;
    enum hold_state state;
    int64_t moved_to;      /* HOLD_MOVED: the card where it is open now, under the same id; else 0 */
    int64_t until, points; /* points: Σ uses */
    uint32_t use_count;
    struct lot_use *uses;  /* in FEFO order */
    bool is_new, is_changed;
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
    int64_t pending_until; /* stored: the latest usable_from of any of its lots; from then on none is pending */
    /* Lots in memory: a prefix of the card's active lots in FEFO order (expires, gained, lot_no), new ones merged in.
     * Lots beyond the prefix are in the store: `complete` false, and `horizon` is the last stored lot that was read
     * (all zero: none was). Single lots from beyond it may be in memory too; they are not consumed before their turn. */
    uint32_t loaded_count, loaded_capacity;
    struct lot *lots;
    bool complete;
    struct lot horizon;
    int64_t booked_until;        /* stored: the latest expiry of any of its lots whose expiry was booked */
    bool booked_read;            /* every stored lot booked as expired that expires after booked_read_from is in memory */
    int64_t booked_read_from;
    bool pending_read;           /* every stored lot usable only after pending_read_from is in memory */
    int64_t pending_read_from;
    /* The open holds, and those that were closed since they were read; all lots that they name are in memory. */
    uint32_t hold_count, hold_capacity;
    struct hold *holds;
    /* What happened since it was read. */
    uint32_t journal_size, journal_capacity;
    struct journal_row *journal;
};

/* Where more lots come from. Each function adds what it read with ledger_add_stored_lot; 0, or -1 with err.
 * `more`: the next active lots in FEFO order after card->horizon; then sets horizon, or complete.
 * `find`: one lot, whatever its state; when there is none it adds nothing. NULL: `more` is called until it comes.
 * `pending`: all active lots whose usable_from is after `instant`. NULL: `more` is called until the card is complete.
 * `booked`: all lots booked as expired that expire after `instant`. NULL: they are in memory. */
struct lot_source {
    int (*more) (void *context, struct card *card, struct error *err);
    void *context;
    int (*find) (void *context, struct card *card, int32_t lot_no, struct error *err);
    int (*pending) (void *context, struct card *card, int64_t instant, struct error *err);
    int (*booked) (void *context, struct card *card, int64_t instant, struct error *err);
};

/* Adds a lot that was read from the store; keeps FEFO order. One that is in memory already stays as it is there
 * (it may have changed since). -1: out of memory. */
int ledger_add_stored_lot (struct card *card, const struct lot *lot, struct arena *arena);

/* <0, 0, >0 in FEFO order: soonest expiry, then oldest gain, then number. */
int lot_compare (const struct lot *a, const struct lot *b);

/* The balance that everyone sees at `instant`: stored points less lots expired or pending then (not below 0), and those that were
 * alive then but are booked as expired since. Reads no more lots than the expired ones and, before card->pending_until, the pending
 * ones, before card->booked_until those that were booked. */
int ledger_balance (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena,
                    int64_t *balance, struct error *err);

/* Adds a lot of `points` > 0 and its journal row of `kind` (EARN, ADJUST, GIVE_BACK) at `gained`; then, when the card has
 * debt, pays it with the new points at once (a DEBT_PAID row), unless they were past their expiry when they came.
 * usable_from before `gained` means at once. *lot_no (may be NULL): the new lot. A card that would hold more than 64
 * bits of points is invalid_request; here and below a failure changes nothing, and `internal` is the lack of memory,
 * or a store that contradicts itself. */
int ledger_gain (struct card *card, enum journal_kind kind, int64_t points, int64_t gained, int64_t usable_from, int64_t expires,
                 int64_t origin_ref, struct arena *arena, int32_t *lot_no, struct error *err);

/* Consumes `points` > 0 FEFO from lots usable at `instant`, leaving what is held; one journal row, after one that takes back the
 * expiry (UNEXPIRE) of what comes from lots that were alive at `instant` and are booked as expired since; so do the next two. insufficient_points
 * (details required, available) when there are too few. *row (may be NULL): the journal row (its uses are what a
 * refund needs); valid as long as the arena. */
int ledger_spend (struct card *card, enum journal_kind kind, int64_t points, int64_t instant,
                  const struct lot_source *source, struct arena *arena, const struct journal_row **row, struct error *err);

/* Likewise, of rewards that were given already: what is missing (*missing) becomes debt. A REDEEM row, of no points where
 * nothing was there. */
int ledger_spend_owing (struct card *card, int64_t points, int64_t instant, const struct lot_source *source, struct arena *arena,
                        const struct journal_row **row, int64_t *missing, struct error *err);

/* Takes back `points` > 0, leaving what is held: first from the lots whose numbers are given, then FEFO, in both cases
 * also points that are pending; what is missing is debt, forgiven or refused (insufficient_points, nothing changes).
 * One journal row, none where nothing was there and it is forgiven. *missing (may be NULL): what was not there. */
int ledger_take_back (struct card *card, int64_t points, const int32_t *lot_nos, uint32_t lot_no_count, enum shortfall shortfall,
                      int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *missing, struct error *err);

/* ---- back to their lots: ledger_back.c */

/* Gives back points to the lots they were taken from (`uses`; each lot that is not in memory is fetched by `finder`);
 * one journal row of `kind` (GIVE_BACK; EARN where taking back is undone). Points of a lot that is past its expiry at `instant` keep
 * that expiry (an EXPIRE row takes them off again where it is booked), or become a lot of their own that lives until
 * `extended_expiry` (> 0); so do, with its dates, those that a lot has no room for. Debt is then paid from what came back and can
 * be used. */
struct lot_finder {
    int (*find) (void *context, struct card *card, int32_t lot_no, struct error *err); /* adds it with ledger_add_stored_lot */
    void *context;
};
int ledger_give_back (struct card *card, enum journal_kind kind, const struct lot_use *uses, uint32_t use_count, int64_t extended_expiry,
                      int64_t instant, const struct lot_finder *finder, struct arena *arena, struct error *err);

/* Spends points again that were given back to lots, where giving back is undone: what of each use is still in its lot (0: nowhere),
 * also past its expiry (an UNEXPIRE row where that was booked), then FEFO; what is missing is debt, forgiven or refused (insufficient_points,
 * nothing changes). A REDEEM row. *missing: what was not there. */
int ledger_redeem_again (struct card *card, const struct lot_use *uses, uint32_t use_count, enum shortfall shortfall, int64_t instant,
                         const struct lot_source *source, struct arena *arena, int64_t *missing, struct error *err);

/* Books every lot that is past its expiry at `instant` (LOT_EXPIRED, its remaining stays in it); one EXPIRE row, none
 * where there is nothing. *expired (may be NULL): the points that went. */
int ledger_expire (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *expired,
                   struct error *err);

/* Moves `points` > 0 that are usable at `instant` to another card, FEFO, leaving what is held: each lot that is emptied is
 * closed, and one opened on `to` with the same dates and origin; a TRANSFER row on each card. Debt of `to` is then paid from what
 * came. insufficient_points when there are too few; a card that would hold more than 64 bits of points is invalid_request. */
int ledger_move (struct card *from, struct card *to, int64_t points, int64_t instant, const struct lot_source *source,
                 struct arena *arena, struct error *err);

/* ---- to another card of the member: ledger_transfer.c (rule 23) */

/* Moves what is alive at `instant`, what is held whether alive or not, and all debt, to another card of the member: each lot is
 * closed (one that is expired keeps the part that is not held), and one opened on `to` with the same dates; open holds name these
 * and are HOLD_MOVED on `from`; a TRANSFER row on each card, with amount 0 where there is only debt. Debt is then paid from what
 * `to` has free. *moves: which lot became which; none where there was nothing to move. A card that would hold or owe more than 64
 * bits of points is invalid_request. */
struct lot_move {
    int32_t from_lot, to_lot;
    int64_t points;
};
int ledger_transfer (struct card *from, struct card *to, int64_t instant, const struct lot_source *source, struct arena *arena,
                     const struct lot_move **moves, uint32_t *move_count, struct error *err);

/* Closes every lot that is alive at `instant` and not held, without another in its place; one TRANSFER row, none where
 * there is nothing. Debt stays. *lost: the points that went. */
int ledger_reset (struct card *card, int64_t instant, const struct lot_source *source, struct arena *arena, int64_t *lost,
                  struct error *err);
/* ---- holds: ledger_hold.c (rule 22) */

/* Adds an open hold's part that was read from the store, with the lot it names; the parts of a hold come one after another, in FEFO
 * order. -1: out of memory. */
int ledger_add_stored_hold (struct card *card, struct str hold_id, int64_t until, const struct lot *lot, int64_t points,
                            struct arena *arena);
/* Lets go of every hold whose time is over at `instant`. */
void ledger_holds_expire (struct card *card, int64_t instant);
/* Reserves `points` > 0 that are usable at `instant`, FEFO. insufficient_points when there are too few. */
int ledger_hold (struct card *card, struct str hold_id, int64_t points, int64_t instant, int64_t until,
                 const struct lot_source *source, struct arena *arena, struct error *err);
/* Makes room for so many holds; -1: out of memory. Then moves all that are open to another card: their points are those of the
 * lots that `moves` says, which were opened there as held. `uses` has a place for each of their parts. */
int ledger_holds_reserve (struct card *card, uint32_t more, struct arena *arena);
void ledger_holds_move (struct card *from, struct card *to, const struct lot_move *moves, uint32_t move_count, struct lot_use *uses);
/* The open hold of that id; NULL. */
struct hold *ledger_hold_find (const struct card *card, struct str hold_id);
/* Spends `points` > 0, at most all, of an open hold: exactly its lots, also those past their expiry; the rest is let go. One
 * journal row of `kind`. */
int ledger_hold_capture (struct card *card, struct hold *hold, enum journal_kind kind, int64_t points, int64_t instant,
                         struct arena *arena, const struct journal_row **row, struct error *err);
/* Lets go of an open hold. What is past its expiry is expired from then on. */
void ledger_hold_release (struct card *card, struct hold *hold);

/* NULL when the invariants hold, else what is wrong. With lots still in the store only what is in memory is checked. */
const char *ledger_check (const struct card *card);

#endif
