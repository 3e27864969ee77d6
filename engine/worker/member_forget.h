/* member_forget.h - a member that is forgotten: what the parts of member.forget share. */
#ifndef WORKER_MEMBER_FORGET_H
#define WORKER_MEMBER_FORGET_H

#include "store/record_forget.h"
#include "worker/executor.h"

struct forgetting {
    struct executor *executor;
    struct request *request;
    struct unit *unit;
    struct unit_member *member;
    struct forgotten who;
    uint32_t all_count;
    int64_t *all_cards;      /* of the member; who.cards are those that stay its pseudonym's */
    struct arena *scratch;   /* for one order at a time */
    uint32_t orders, budget; /* that were rewritten; that may be */
};

/* A statement of its own; NULL with request->error. */
PGresult *forget_run (struct forgetting *forgetting, enum statement statement, const struct pg_params *params);

/* Rewrites the member's orders without it, at most `budget` of them; *done: none is left, so that those of others that name it
 * were rewritten too. -1: request->error. */
int forget_orders (struct forgetting *forgetting, bool *done);

#endif
