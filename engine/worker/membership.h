/* membership.h - a member's change of level: the member's row, the points that move with it, the event. */
#ifndef WORKER_MEMBERSHIP_H
#define WORKER_MEMBERSHIP_H

#include "worker/executor.h"

struct member_change {
    const struct catalog *catalog;
    const struct level *before, *after;
    int64_t from, to;         /* of the level after it */
    int64_t instant;          /* of the points' move */
    enum level_change points;
    int64_t order_ref;        /* what caused it: an order (0: none), and its id or the reason */
    struct str origin;
};

/* Gives the member its level and moves, or resets, the points. What it changes is named to the savepoint. *program_id: of
 * the card that points were moved to; 0: none were. -1: a card would hold too many points, or `internal`. */
int membership_change (struct executor *executor, struct unit_savepoint *savepoint, struct unit_member *member,
                       const struct member_change *change, int64_t *program_id, struct error *err);

/* Moves the points of every card of a level that is not the member's to the one of its level (or resets them). */
int membership_move_points (struct executor *executor, struct unit_savepoint *savepoint, const struct unit_member *member,
                            const struct member_change *change, int64_t *program_id, struct error *err);

/* Whether there are such points that can move. */
bool membership_points_to_move (struct executor *executor, int64_t partner_id, const struct member_change *change);

/* Books what ran out of a card, and moves all else to another card of the member: the change's instant and origin alone count. */
int membership_empty (struct executor *executor, struct unit_savepoint *savepoint, int64_t from_id, int64_t to_id,
                      const struct member_change *change, struct error *err);

/* The level whose points the member has on its cards: the one it stands on, or stood on before that ran out. NULL: the
 * catalog has no levels. */
const struct level *membership_booked (const struct catalog *catalog, const struct membership *membership);

#endif
