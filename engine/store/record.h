/* record.h - the one stored form of an order: a compact positional record of all that was asked, read, decided and done.
 *
 * The reply, the events and explain are rendered from it, and a refund's originals are rebuilt from it (refund_state.h).
 *
 *     form      1 byte: RECORD_FORM, with RECORD_COMPRESSED when the body is an LZ4 block
 *     raw_size  varint, only when compressed: bytes of the body
 *     body      the fields of struct order_record in the order in which record.c walks them
 *     check     4 bytes, little-endian: the low half of FNV-1a 64 over all before it; finds any damaged byte
 *
 * A field is added at the end of its struct's walk under a new form; older forms stay readable. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "domain/evaluate.h"
#include "domain/ledger.h"
#include "domain/membership.h"
#include "domain/refund.h"

enum { RECORD_FORM = 1, RECORD_COMPRESSED = 0x80 };

/* Bounds, of what is written as of what is read. A split return makes two lines of one. */
enum {
    RECORD_BODY_MAX = 16 * 1024 * 1024,
    RECORD_LINES_MAX = 2000,
    RECORD_TAGS_MAX = 64,
    RECORD_LIST_MAX = 100000, /* every other list */
};

enum record_kind { RECORD_PROCESS = 1, RECORD_REFUND = 2, RECORD_CANCEL = 3 }; /* as orders.kind */

/* An order of which something was returned. */
struct record_original {
    struct str order_id;
    int64_t order_ref;
    bool is_whole; /* nothing was left of it after this: what it had used was given back */
    struct referral_result referral; /* and this taken back of the owner of a referral code; card_id 0: nothing */
};

struct record_part {
    uint32_t line;     /* of this order */
    uint32_t original; /* index into originals */
    struct str line_id; /* the original's */
    int64_t qty_micro; /* > 0 */
    int64_t net_minor, untaxed_minor;
    uint32_t tax_count;
    const struct tax_amount *taxes;
};

struct record_points {
    uint32_t original; /* index into originals */
    int64_t card_id, program_id;
    int64_t take_back, give_back; /* hundredths, >= 0: as the plan said, whatever of it was found */
    int64_t paid_back_minor;      /* money that went back to the card, which had paid with it */
};

struct record_refund {
    uint32_t original_count, part_count, uncovered_count, points_count;
    const struct record_original *originals;
    const struct record_part *parts;
    const struct refund_uncovered *uncovered;
    const struct record_points *points;
};

/* A lot that the order created. */
struct record_lot {
    int32_t lot_no;
    int64_t points;
    int64_t usable_from, expires; /* instants; INSTANT_NEVER */
};

/* What happened to one card. The lists of lots are in the order in which they were used. */
struct card_effect {
    int64_t card_id, program_id;
    struct str code;
    bool is_created;                              /* by this order */
    int64_t earned, redeemed, taken_back, given_back; /* hundredths, >= 0: what was booked */
    int64_t owed;                                 /* by rewards of an order that was paid for: became debt */
    int64_t missing;                              /* to be taken back, and not there */
    enum shortfall shortfall;                     /* what became of it */
    int64_t balance, debt;                        /* after it, at the order's instant */
    int64_t change;                               /* of the stored points: what no other event tells of (docs/protocol.md, "Events") */
    uint32_t lot_count, redeemed_count, taken_count, given_count;
    const struct record_lot *lots;
    const struct lot_use *redeemed_uses, *taken_uses, *given_uses;
};

/* The member's level before and after it, and what it changed of the spending by day. */
struct record_membership {
    bool is_kept;           /* the catalog had levels, and the order a member */
    int64_t before, after;  /* levels, by their membership products */
    int64_t program_id;     /* of the card that the points were moved to; 0: they were not */
    bool has_next;
    int64_t next_level;     /* what can be reached by spending */
    int64_t spending_minor, missing_minor; /* in its window */
    uint32_t spent_count;
    const struct spent_day *spent;
};

struct order_record {
    enum record_kind kind;
    int64_t order_ref;
    int64_t catalog_version;
    uint32_t evaluator_version;
    int64_t recorded;             /* instant */
    bool is_late;
    struct order order;           /* with the lines as evaluated: split where they were */
    struct evaluation evaluation; /* evaluation.lines: one per line of the order */
    struct record_refund refund;
    uint32_t effect_count;
    const struct card_effect *effects;
    struct record_membership membership;
};

/* What paid for an effect's rewards: the lots that it used and, last, lot 0 for what was owed; in the arena, or NULL. */
const struct lot_use *card_effect_uses (const struct card_effect *effect, struct arena *arena, uint32_t *count);

/* Appends the record's bytes. -1: internal (a list or the whole over its bound, or no memory); what was appended by
 * then has to be cut off by the caller. */
int order_record_encode (const struct order_record *record, struct buf *out, struct error *err);

/* Reads a record; all of it is copied into the arena. -1: internal, for bytes that are damaged, cut, of a form that
 * this version does not know, or larger than the arena allows. */
int order_record_decode (struct str bytes, struct arena *arena, struct order_record *record, struct error *err);

/* Fills record->refund from a plan and the originals it was made of (which are borrowed). -1: out of memory. */
int order_record_set_plan (struct order_record *record, const struct refund_plan *plan, const struct original *originals,
                           struct arena *arena);

#endif
