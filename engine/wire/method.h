/* method.h - the methods of the protocol, each once: who may call it, what key it has, its body's schema. */
#ifndef WIRE_METHOD_H
#define WIRE_METHOD_H

#include "wire/role.h"
#include "wire/schemas.h"

enum method_scope {
    SCOPE_NONE = 0,   /* changes nothing, has no key */
    SCOPE_ORDER = 1,  /* the key is the body's order_id */
    SCOPE_CANCEL = 2, /* the key is the order_id that is cancelled */
    SCOPE_OP = 3,     /* the key is the header's, a UUID that the client library makes */
};

enum method_target {
    TARGET_BATCH,  /* a worker, in its database batch */
    TARGET_READ,   /* a worker, read-only, beside the batch */
    TARGET_BROKER, /* the broker itself */
};

/* X (identifier, name, roles, scope, target, schema prefix, meaning) */
#define METHODS(X)                                                                                                  \
    X (ORDER_QUOTE, "order.quote", ROLES_SALES, SCOPE_NONE, TARGET_READ, ORDER, "price an order; nothing is written") \
    X (ORDER_PROCESS, "order.process", ROLES_SALES, SCOPE_ORDER, TARGET_BATCH, ORDER, "price an order, earn and spend, exactly once") \
    X (ORDER_REFUND, "order.refund", ROLES_SALES, SCOPE_ORDER, TARGET_BATCH, ORDER, "the same, with returns only")  \
    X (ORDER_CANCEL, "order.cancel", ROLES_SALES, SCOPE_CANCEL, TARGET_BATCH, ORDER_CANCEL, "undo wholly an order that was never paid for") \
    X (ORDER_GET, "order.get", ROLES_SALES, SCOPE_NONE, TARGET_READ, ORDER_GET, "a stored order, as it was answered") \
    X (CARD_CREATE, "card.create", ROLES_SALES, SCOPE_OP, TARGET_BATCH, CARD_CREATE, "a new card")                   \
    X (CARD_GET, "card.get", ROLES_SALES, SCOPE_NONE, TARGET_READ, CARD_GET, "one card, or a member's cards")       \
    X (CARD_BALANCE, "card.balance", ROLES_SALES, SCOPE_NONE, TARGET_READ, CARD_GET, "its balance at an instant")   \
    X (CARD_HISTORY, "card.history", ROLES_SALES, SCOPE_NONE, TARGET_READ, CARD_GET, "its journal, the newest first") \
    X (CARD_ADJUST, "card.adjust", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, CARD_ADJUST, "add or take points, with a reason") \
    X (PROGRAM_PUT, "program.put", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, PROGRAM, "make or replace a program")       \
    X (PROGRAM_GET, "program.get", ROLES_SALES, SCOPE_NONE, TARGET_READ, PROGRAM_GET, "a program")                   \
    X (PROGRAM_LIST, "program.list", ROLES_SALES, SCOPE_NONE, TARGET_READ, PROGRAM_LIST, "programs, by id")          \
    X (PROGRAM_DELETE, "program.delete", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, PROGRAM_GET, "take a program out of use; its versions stay") \
    X (REFERENCE_PUT, "reference.put", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, REFERENCE_PUT, "stores, partners, products, categories, levels") \
    X (LOAD_BEGIN, "load.begin", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, LOAD_BEGIN, "open a staged load")             \
    X (LOAD_PUT, "load.put", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, LOAD_PUT, "stage a part of it")                   \
    X (LOAD_COMMIT, "load.commit", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, LOAD_COMMIT, "switch it over, whole or not at all") \
    X (ADMIN_HEALTH, "admin.health", ROLES_ANY, SCOPE_NONE, TARGET_READ, EMPTY, "a worker's and its database's state") \
    X (ADMIN_STATS, "admin.stats", ROLES_ANY, SCOPE_NONE, TARGET_BROKER, EMPTY, "the broker's figures, and each worker's") \
    X (CARD_BLOCK, "card.block", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, CARD_STATE, "a card that neither earns nor spends") \
    X (CARD_UNBLOCK, "card.unblock", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, CARD_STATE, "does both again")           \
    X (CARD_TRANSFER, "card.transfer", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, CARD_TRANSFER, "points from card to card; they keep their dates") \
    X (COUPON_GENERATE, "coupon.generate", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, COUPON_GENERATE, "cards with codes made by a pattern") \
    X (COUPON_LIST, "coupon.list", ROLES_OFFICE, SCOPE_NONE, TARGET_READ, COUPON_LIST, "the coupons of a batch")     \
    X (COUPON_CHECK, "coupon.check", ROLES_SALES, SCOPE_NONE, TARGET_READ, COUPON_CHECK, "what a code is worth") \
    X (ORDER_EXPLAIN, "order.explain", ROLES_SALES, SCOPE_NONE, TARGET_READ, ORDER_GET, "why a stored order came out as it did, and whether it still would") \
    X (POINTS_HOLD, "points.hold", ROLES_SALES, SCOPE_OP, TARGET_BATCH, POINTS_HOLD, "reserve points for a time")   \
    X (POINTS_CAPTURE, "points.capture", ROLES_SALES, SCOPE_OP, TARGET_BATCH, POINTS_CAPTURE, "spend what is held")   \
    X (POINTS_RELEASE, "points.release", ROLES_SALES, SCOPE_OP, TARGET_BATCH, POINTS_RELEASE, "let go of what is held") \
    X (MEMBERSHIP_GET, "membership.get", ROLES_SALES, SCOPE_NONE, TARGET_READ, MEMBERSHIP_GET, "a member's level, and what is missing for the next") \
    X (MEMBERSHIP_CHANGE, "membership.change", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, MEMBERSHIP_CHANGE, "put a member on a level, whatever was spent") \
    X (MEMBERSHIP_EVALUATE, "membership.evaluate", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, MEMBERSHIP_GET, "move a member up or down by what was spent") \
    X (JOB_RUN, "job.run", ROLE_ADMIN, SCOPE_OP, TARGET_BATCH, JOB_RUN, "a step of a background job; again until it is done") \
    X (REFERRAL_CREATE, "referral.create", ROLES_SALES, SCOPE_OP, TARGET_BATCH, REFERRAL_CREATE, "a member's referral code: the one there is, or a new one") \
    X (MEMBER_MERGE, "member.merge", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, MEMBER_MERGE, "make one member of two") \
    X (MEMBER_FORGET, "member.forget", ROLES_OFFICE, SCOPE_OP, TARGET_BATCH, MEMBER_FORGET, "take out all that tells who a member was; sums stay") \
    X (ADMIN_PING, "admin.ping", ROLES_ANY, SCOPE_NONE, TARGET_BROKER, EMPTY, "a sign of life of the broker, without waiting") \
    X (JOB_LIST, "job.list", ROLE_MONITOR | ROLE_ADMIN, SCOPE_NONE, TARGET_READ, EMPTY, "how far each background job is") \
    X (JOB_STOP, "job.stop", ROLE_ADMIN, SCOPE_OP, TARGET_BATCH, JOB_STOP, "stop a background job until job.run says to go on") \
    X (EVENTS_READ, "events.read", ROLES_OFFICE | ROLE_MONITOR, SCOPE_NONE, TARGET_READ, EVENTS_READ, "events after a number, in their order") \
    X (ADMIN_DRAIN, "admin.drain", ROLE_ADMIN, SCOPE_NONE, TARGET_BROKER, ADMIN_DRAIN, "end a worker or this broker, once what it has is answered")

enum method_id {
#define X(id, ...) METHOD_##id,
    METHODS (X)
#undef X
        METHOD_COUNT
};

struct method {
    const char *name;
    unsigned roles; /* of enum role */
    enum method_scope scope;
    enum method_target target;
    const struct wire_schema *schema;
    const char *doc;
};

extern const struct method METHOD_TABLE[METHOD_COUNT];

/* The method of that name, or -1. */
int method_by_name (struct str name);

#endif
