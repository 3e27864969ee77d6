/* unit.h - a unit of work: the members, cards, lots and orders that one database transaction reads (under locks, or in a
 * snapshot) and what it writes back, as tables in memory that are loaded and written set by set, bucket by bucket.
 *
 * Everything lives in the unit's arena and is gone with it. The order of locks is that of docs/architecture.md:
 * keys, codes, members, cards, counters of uses, orders; within each by bucket, then id. */
#ifndef STORE_UNIT_H
#define STORE_UNIT_H

#include "base/map.h"
#include "domain/ledger.h"
#include "domain/membership.h"
#include "store/pg.h"
#include "base/topic.h"

/* Lots of a card that are read with the others when it may be spent from, and on demand. */
enum { BUCKETS_MAX = 1024, LOTS_PAGE = 16, LOTS_PAGE_MORE = 256 };

struct unit_member {
    int64_t partner_id;
    int16_t bucket;
    bool found, changed;
    bool spends; /* lots of its cards are likely to be needed */
    bool needed; /* wanted while the unit was `needing`: its row is made where it is missing */
    bool is_made; /* its row was made by this unit: it was never met before */
    bool is_merged;      /* it became another member: merged_into */
    int64_t merged_into;
    uint32_t absorbed_count; /* members that became this one */
    const int64_t *absorbed;
    bool merge_changed;      /* any of these three */
    int64_t order_count, spending_minor;
    int64_t last_order; /* instant; INT64_MIN: none */
    bool has_birthday;
    int32_t birthday;   /* where it was asked for: unit_read_birthdays */
    struct membership membership;
    bool then_read;          /* what the last unit_membership_at read, of then_instant */
    int64_t then_instant;
    struct membership then;
    bool membership_changed; /* it, or what follows */
    bool has_undated;        /* spending is kept by day */
    int64_t undated_minor;   /* what of the spending is not */
    /* Days that were read: those from days_from on, as they were stored. */
    bool days_read;
    int32_t days_from;
    uint32_t day_count;
    const struct spent_day *days;
};

/* A key whose reply tells of a member. */
struct unit_reply {
    int64_t partner_id;
    struct str key; /* borrowed until the writes are sent */
};

/* What is added to a member's spending of a day. */
struct unit_spent {
    int16_t bucket;
    int64_t partner_id;
    struct spent_day spent;
};

/* A level that a member was given or reached. */
struct unit_level {
    int16_t bucket;
    int64_t partner_id, membership_product_id, since, until;
    int64_t order_ref; /* what caused it (0: no order), and the order's id or the reason */
    struct str origin;
};

/* A lot that was moved to another card of its member. */
struct unit_transfer {
    int16_t bucket;
    int64_t from_card, to_card;
    struct lot_move move;
};

/* What a journal row is about; one per row of card.journal. */
struct unit_origin {
    int64_t order_ref;
    struct str text; /* the order's id, or a reason */
    bool has_level;
    int64_t level;   /* that the member stood on at the row's time */
};

/* Points for the owner of a referral code, to be booked when the owner's card is next locked; below 0: to be taken back. */
struct unit_referral {
    int16_t bucket; /* of the owner's card */
    int64_t card_id;
    int64_t original_ref, order_ref; /* the friend's order; what gives or takes back */
    struct str order_id;             /* of the latter */
    int64_t points;
    bool forgives; /* what is not there to be taken back is forgiven; else it becomes debt */
    int64_t gained, usable_from, expires;
    int64_t recorded; /* they are booked in this order; what takes back comes after what it takes */
};

/* What became of one. */
struct unit_booking {
    int16_t bucket;
    int64_t card_id, original_ref, order_ref;
    int64_t booked; /* points that were moved */
    int32_t seq, lot_no; /* lot_no 0: none */
    struct str order_id; /* of what gave or took back */
    int64_t change, balance, debt; /* of the stored points; after it: what is told of it */
};

struct unit_card {
    struct card card;
    int16_t bucket;
    bool found, single;
    bool owed; /* points of its referral code are to be booked, perhaps */
    int64_t merged_into;  /* the card of its member that has its points now; 0: it has them itself */
    bool owner_changed;   /* its member, single or merged_into */
    bool state_changed;   /* blocked or not any more: written with its reason */
    struct str state_reason;
    bool code_claimed;    /* a new card's code stands in the directory already */
    bool dropped;         /* made by a request that failed: as if it were not there */
    int64_t odoo_card_id; /* new cards: 0 none */
    uint32_t lots_read;
    uint32_t next_of_partner; /* the partner's next card in the table; MAP_ABSENT: none */
    uint32_t origin_count, origin_capacity;
    struct unit_origin *origins;
};

/* What a counter counts (program_usage.kind): uses of a program by all, by a member, at a store, by a member in a period, for a
 * birthday of one year, or of a referral code. */
enum usage_kind { USAGE_TOTAL = 1, USAGE_CUSTOMER = 2, USAGE_STORE = 3, USAGE_DAY = 4, USAGE_WEEK = 5, USAGE_MONTH = 6, USAGE_YEAR = 7,
                  USAGE_BIRTHDAY = 8, USAGE_REFERRAL = 9 };
#define USAGE_NOBODY INT64_MIN /* the subject of what is counted for no one in particular */

/* The program's counters lie in the bucket of its id, a member's own in the member's. */
struct usage_key {
    int16_t bucket, kind;
    int32_t period;      /* its first day; a birthday's year; 0: always */
    int64_t program_id;
    int64_t subject;     /* a member, store or card */
};

struct unit_usage {
    struct usage_key key;
    bool to_count;       /* the row is made where it is missing */
    bool found, changed;
    int64_t used, amount_minor;
};

struct unit_order {
    int16_t bucket;
    int64_t order_ref;
    int16_t kind;
    bool has_partner;
    int64_t partner_id;
    struct str record;
};

struct unit_refund {
    int16_t bucket; /* of the original */
    int64_t original_ref, refund_ref;
    int16_t refund_bucket;
};

/* What is told of a change: one row of the outbox, each of its topics one event (engine/render/event.h). */
struct unit_event {
    int16_t bucket;
    uint32_t topics;                        /* engine/base/topic.h */
    int64_t order_ref, card_id, partner_id; /* 0: none. With an order it is rendered from the order's record */
    struct str body;                        /* without one: the event's own fields; borrowed until the writes are sent */
    int64_t points;                         /* what it tells of the card's stored points; not written */
};

/* A stored order, as it was read. */
struct stored_order {
    int16_t bucket;
    int64_t order_ref, recorded_at;
    int16_t kind;
    bool cancelled, has_partner;
    int64_t partner_id;
    struct str record; /* in the arena */
};

struct order_place {
    int16_t bucket;
    int64_t order_ref, recorded_at;
};

struct unit {
    struct arena *arena;
    struct pg *pg;
    int buckets;         /* N of the database */
    int64_t recorded_at; /* the transaction's instant, one for all it writes */
    int64_t deadline_us; /* of every wait for the database */
    int16_t outbox_slot; /* where events are written */
    const struct catalog *catalog; /* in force; borrowed. NULL before it is known */
    bool locking;        /* under locks, to be written; else in a snapshot */
    enum pg_failure failure; /* of the last call that returned -1 */

    uint32_t member_count, member_capacity;
    struct unit_member *members;
    struct map member_index;

    uint32_t card_count, card_capacity;
    struct unit_card *cards;
    struct map card_index, partner_cards;
    uint32_t wanted_count, wanted_capacity;
    int64_t *wanted_cards; /* ids asked for one by one */
    bool needing;          /* what is wanted now is needed by what is done, not by what is answered from what is stored */
    bool only_missing;     /* the second round: members that were not there, and were made */

    uint32_t usage_count, usage_capacity;
    struct unit_usage *usages;
    bool birthdays_read;

    uint32_t order_count, order_capacity, refund_count, refund_capacity, event_count, event_capacity, cancel_count, cancel_capacity;
    struct unit_order *orders;
    struct unit_refund *refunds;
    struct unit_event *events;
    struct order_place *cancels;
    uint32_t spent_count, spent_capacity, level_count, level_capacity, transfer_count, transfer_capacity;
    uint32_t reply_count, reply_capacity;
    struct unit_reply *replies;
    struct unit_spent *spent;
    struct unit_level *levels;
    struct unit_transfer *transfers;
    uint32_t referral_count, referral_capacity, booking_count, booking_capacity;
    struct unit_referral *referrals;
    struct unit_booking *bookings;
};

/* The bucket of a member, and of a key or a code in its directory. A card's is card_id mod N. */
int16_t bucket_of_partner (int64_t partner_id, int buckets);
int16_t bucket_of_text (struct str text, int buckets);
static inline int16_t
bucket_of_card (int64_t card_id, int buckets)
{
    return (int16_t) (card_id % buckets);
}

struct unit_savepoint;

void unit_begin (struct unit *unit, struct arena *arena, struct pg *pg, int buckets, bool locking, int64_t recorded_at,
                 int64_t deadline_us);

/* Asks for a member and all its cards, or for one card. -1: out of memory. `spends`: lots are likely to be needed, and
 * are read at once (those of single cards always are); else they come on demand. */
int unit_want_member (struct unit *unit, int64_t partner_id, bool spends);
int unit_want_card (struct unit *unit, int64_t card_id);

/* Queue the statements that lock (or read) all that is wanted; the caller syncs, and takes the results in the same order. */
int unit_send_members (struct unit *unit);
int unit_receive_members (struct unit *unit, struct error *err);
int unit_send_cards (struct unit *unit);
int unit_receive_cards (struct unit *unit, struct error *err);
int unit_send_lots (struct unit *unit);
int unit_receive_lots (struct unit *unit, struct error *err);
/* Reads the open holds of the cards that have some, in a round trip of its own, which a unit without such cards saves; those
 * whose time is over are let go. After lots. */
int unit_read_holds (struct unit *unit, struct error *err);
/* Books the points that wait for the owners of referral codes on the cards that were read, in a round trip of its own, which a
 * unit without such cards saves. After lots, holds and the catalog. In a snapshot it counts them all the same, and nothing is written. */
int unit_book_referrals (struct unit *unit, struct error *err);
/* Whether a member that was wanted is not there. */
bool unit_misses_members (const struct unit *unit);
/* Makes the rows of those that were wanted again while `needing` is set, and locks them and their cards, in a round trip of its own. */
int unit_add_missing_members (struct unit *unit, struct error *err);

/* Reads the cards that members have in other buckets, since others became them; in a round trip of its own, which a unit without
 * such members saves. */
int unit_read_absorbed (struct unit *unit, struct error *err);
/* The members and cards that some of those read became, and that were not asked for: in the arena. -1: out of memory. */
int unit_missing_survivors (struct unit *unit, int64_t **members, uint32_t *member_count, int64_t **cards, uint32_t *card_count);

/* Reads the birthdays of all members, in a round trip of its own. */
int unit_read_birthdays (struct unit *unit, struct error *err);

/* Asks for a counter; `to_count`: its row is made where it is missing. -1: out of memory. */
int unit_want_usage (struct unit *unit, const struct usage_key *key, bool to_count);
/* Locks (or reads) the counters that are wanted, in a round trip of its own: after members and cards. */
int unit_lock_usages (struct unit *unit, struct error *err);
/* NULL when it was not asked for. */
struct unit_usage *unit_usage (struct unit *unit, const struct usage_key *key);
/* Adds uses and money to a counter that was locked; *counted false: there is none. -1: out of memory. */
int unit_count_usage (struct unit *unit, struct unit_savepoint *savepoint, const struct usage_key *key, int64_t uses,
                      int64_t amount_minor, bool *counted);

/* The member that this one became; itself when it was not merged. */
int64_t unit_survivor (const struct unit *unit, int64_t partner_id);
/* The row of the very member that is named, merged or not; NULL when it is not there. */
struct unit_member *unit_member_row (struct unit *unit, int64_t partner_id);
/* The card that has a card's points: itself, unless it gave way to another when two members became one. NULL when it is not there. */
struct unit_card *unit_card_survivor (struct unit *unit, int64_t card_id);
/* Gives a card to another member; `gone_into` 0, or the card that takes its place. */
int unit_card_give (struct unit *unit, struct unit_card *card, int64_t partner_id, int64_t gone_into);

/* NULL when it is not there. Who names a member that became another means that one. */
struct unit_member *unit_member (struct unit *unit, int64_t partner_id);
struct unit_card *unit_card (struct unit *unit, int64_t card_id);
/* A member's cards, one after another: start with `after` NULL; not those that gave way to another. */
struct unit_card *unit_card_of_partner (struct unit *unit, int64_t partner_id, const struct unit_card *after);

/* What a member spent, with what this unit adds; days from `first_day` on (INT32_MAX: none are needed). They are read
 * when they are first asked for; the list is in the arena. */
int unit_member_spending (struct unit *unit, struct unit_member *member, int32_t first_day, struct member_spending *spending,
                          struct error *err);
/* The membership that counted at an instant, which may be one of long ago: that is read. */
int unit_membership_at (struct unit *unit, struct unit_member *member, int64_t instant, struct membership *then, struct error *err);
/* Reads the same days of all members that keep them, a round trip for each bucket. */
int unit_read_spending (struct unit *unit, int32_t first_day, struct error *err);
/* The cards and lots that a lot was moved to, one round trip: *lots, whose points are not set, in the arena; none where it
 * was not moved. */
int unit_lot_moved (struct unit *unit, int64_t card_id, int32_t lot_no, int64_t *to_card_id, struct lot_use **lots,
                    uint32_t *count, struct error *err);

/* A new card, which unit_send_writes inserts. Pointers to cards move. NULL: out of memory. */
struct unit_card *unit_card_add (struct unit *unit, int64_t card_id, int64_t program_id, bool has_partner, int64_t partner_id,
                                 struct str code, bool single);
/* Blocks a card or lets it be used again; `reason` is borrowed until the writes are sent. */
void unit_card_block (struct unit_card *card, bool blocked, struct str reason);
/* Names the origin of the journal rows that were added to the card since the last call, and the level at their time. -1: out of
 * memory, or the database failed. */
int unit_card_origin (struct unit *unit, struct unit_card *card, int64_t order_ref, struct str text);

/* What one request may undo: taken before it changes anything; the cards and members that it may change are named. */
struct unit_savepoint {
    uint32_t card_count, order_count, refund_count, event_count, cancel_count, spent_count, level_count, transfer_count,
        referral_count;
    uint32_t saved_count, saved_capacity, member_count, member_capacity, usage_count, usage_capacity;
    struct saved_card {
        uint32_t place, origin_count;
        struct card card;
    } *saved;
    struct saved_member {
        uint32_t place;
        struct unit_member member;
    } *members;
    struct saved_usage {
        uint32_t place;
        struct unit_usage usage;
    } *usages;
};
void unit_save (const struct unit *unit, struct unit_savepoint *savepoint);
int unit_save_card (struct unit *unit, struct unit_savepoint *savepoint, int64_t card_id);
int unit_save_member (struct unit *unit, struct unit_savepoint *savepoint, int64_t partner_id);
void unit_restore (struct unit *unit, const struct unit_savepoint *savepoint);
/* What was changed of a card's stored points since then that no event of those added since tells of. */
int64_t unit_untold_points (const struct unit *unit, const struct unit_savepoint *savepoint, const struct unit_card *card);

/* Lots of a card beyond what was loaded: for domain/ledger.h. The context is the unit. */
struct lot_source unit_lot_source (struct unit *unit);
struct lot_finder unit_lot_finder (struct unit *unit);

int unit_add_order (struct unit *unit, const struct unit_order *order);
int unit_add_refund (struct unit *unit, const struct unit_refund *refund);
int unit_add_event (struct unit *unit, const struct unit_event *event);
int unit_add_reply (struct unit *unit, const struct unit_reply *reply);
int unit_add_spent (struct unit *unit, const struct unit_spent *spent);
int unit_add_level (struct unit *unit, const struct unit_level *level);
int unit_add_transfer (struct unit *unit, const struct unit_transfer *transfer);
int unit_add_referral (struct unit *unit, const struct unit_referral *referral);
int unit_cancel_order (struct unit *unit, struct order_place place);

/* Queues every write; *count statements, whose results unit_receive_writes takes. Members and cards are
 * written when they are marked as changed or new; lots by their own marks. */
int unit_send_writes (struct unit *unit, unsigned *count);
int unit_receive_writes (struct unit *unit, unsigned count, struct error *err);

/* Reads stored orders by place, in its own round trip; `lock`: FOR NO KEY UPDATE, by bucket and reference. *orders is in the
 * arena, in no order; those that are not there are left out. */
int unit_read_orders (struct unit *unit, const struct order_place *places, uint32_t count, bool lock,
                      struct stored_order **orders, uint32_t *order_count, struct error *err);
/* The refunds of originals: *refunds[i] belongs to originals[*owner[i]]. */
int unit_read_refunds (struct unit *unit, const struct order_place *originals, uint32_t count, struct order_place **refunds,
                       uint32_t **owners, uint32_t *refund_count, struct error *err);

#endif
