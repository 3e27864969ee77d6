/* event.h - what is told of changes: each function adds a row of the outbox to the unit of work, with the fields of its event
 * (docs/protocol.md, "Events"). In a snapshot, where nothing is written, they do nothing.
 *
 * They return -1 when memory ran out, or a balance could not be read: with err. */
#ifndef WORKER_EVENT_H
#define WORKER_EVENT_H

#include "render/event.h"
#include "store/unit.h"

/* A card that was made, with the points it was given. */
int event_card_created (struct unit *unit, struct unit_card *card, struct error *err);

/* What the journal rows of a card from `row` on did: what expired (points.expired), and all else (card.adjusted). `origin` is the
 * order's id, with an order, else the reason. */
int event_card_moved (struct unit *unit, struct unit_card *card, uint32_t row, int64_t order_ref, struct str origin,
                      struct error *err);

/* A card that was blocked, or is not any more. */
int event_card_state (struct unit *unit, const struct unit_card *card, bool blocked, struct str reason, struct error *err);

/* Points of referral codes that were booked: those from `first` on of the unit's bookings. */
int event_referrals_booked (struct unit *unit, uint32_t first, struct error *err);

/* A member's level; `program_id` of the card that points were moved to, 0: none were. */
struct event_level {
    bool had_level;
    int64_t before, after; /* by their membership products */
    int64_t from, to;      /* of the level after it */
    int64_t program_id;
    int64_t order_ref;     /* what caused it: an order (0: none), and its id or the reason */
    struct str origin;
};
int event_membership_changed (struct unit *unit, const struct unit_member *member, const struct event_level *level,
                              struct error *err);

/* `from` became `into`; its cards are the unit's that were given over. */
int event_member_merged (struct unit *unit, const struct unit_member *from, const struct unit_member *into, struct error *err);
int event_member_forgotten (struct unit *unit, int16_t bucket, int64_t pseudonym, struct error *err);
/* Takes out of what the unit is going to tell who the members were. */
int event_forget (struct unit *unit, const int64_t *partners, uint32_t count, int64_t pseudonym, struct error *err);

/* The catalog is at another version; `ids` of what changed, by kind (EVENT_CATALOG_KINDS). */
enum event_catalog_kind { CHANGED_PROGRAMS, CHANGED_STORES, CHANGED_CATEGORIES, CHANGED_LEVELS, CHANGED_KINDS };
struct event_ids {
    uint32_t count;
    const int64_t *ids;
};
int event_catalog_changed (struct unit *unit, int64_t version, const struct event_ids changed[CHANGED_KINDS],
                           struct error *err);

/* Something about a member that a person should look at. */
int event_member_alert (struct unit *unit, const struct unit_member *member, struct str kind, struct str text,
                        struct error *err);

#endif
