/* order_request.h - order.quote, order.process, order.refund and order.cancel on their way: what was asked for, in the
 * domain's form, and the originals that it takes something back of. */
#ifndef WORKER_ORDER_REQUEST_H
#define WORKER_ORDER_REQUEST_H

#include "store/record.h"
#include "worker/executor.h"

enum { ORIGINALS_MAX = 50 };
#define LATE_AFTER_US (15 * US_PER_MINUTE)
#define LATE_AT_MOST_US (7 * US_PER_DAY)

/* An order that return lines name, as it was found before the locks. */
struct original_place {
    struct str order_id;
    bool found;
    struct order_place place;
    bool has_partner;
    int64_t partner_id;
    uint32_t card_count;
    const int64_t *cards; /* that it earned on or spent from */
    const struct order_record *record; /* NULL: it is not there */
};

/* A card that a request names, by id or code, and how. */
enum presence {
    PRESENCE_SHOWN,     /* in `cards` */
    PRESENCE_CLAIMED,   /* by a claim's `card` */
    PRESENCE_CODE,      /* by a claim's `code`, which may be a rule's as well */
    PRESENCE_TOPPED_UP, /* by a line's `card` */
};

struct presented_card {
    enum presence presence;
    uint32_t index;      /* in its list of the request */
    struct card_ref ref; /* the code folded */
    int64_t card_id;     /* 0: there is no such card */
    /* The code of a referral: what the evaluation needs of the owner's card, which is not locked. */
    bool is_referral, has_owner, blocked;
    int64_t program_id, owner_id;
    struct str code;
};

/* A printed code that a line is to activate, and whose it is already. */
struct printed_code {
    uint32_t line;
    struct str code; /* folded */
    int64_t card_id; /* 0: nobody's */
};

struct order_request {
    struct order order;     /* the request's facts; state is filled in at execution, in a copy */
    enum record_kind kind;
    bool has_date, has_at, has_shortfall;
    struct wire_time date, at;
    enum shortfall shortfall;
    struct claim *claims;   /* order.claims, whose cards are looked up */
    uint32_t presented_count, printed_count;
    struct presented_card *presented;
    struct printed_code *printed;
    int64_t hold_card_id;   /* of order.hold_id, as looked up; 0: none, or no hold has that id */
    uint32_t original_count;
    struct original_place *originals;
    uint32_t limited_count;
    const int64_t *limited_ids; /* programs whose counters are locked for it; in the transaction's arena */
    bool found_key;         /* cancel: the order was there before the locks */
};

/* The hooks (request.h). */
int order_prepare (struct executor *executor, struct request *request);
int order_look_up (struct executor *executor, struct request *request);
int order_want (struct executor *executor, struct request *request);
int order_count (struct executor *executor, struct request *request);
int order_execute (struct executor *executor, struct request *request);
bool order_waits_for (const struct request *request, const struct request *earlier);
int order_replay (struct executor *executor, struct request *request);
int cancel_prepare (struct executor *executor, struct request *request);
int cancel_execute (struct executor *executor, struct request *request);
int cancel_replay (struct executor *executor, struct request *request);
int order_get_execute (struct executor *executor, struct request *request);
int order_explain_execute (struct executor *executor, struct request *request);
/* Answers from the reply that is kept under the key, with `replayed` turned true. */
int stored_replay (struct executor *executor, struct request *request);

/* The evaluation's clock: the order's date, else now. */
int64_t order_instant (const struct catalog *catalog, struct unit *unit, const struct order_request *data);
/* Reads a stored order by place and decodes it into `arena`; *found false when it is not there. */
int order_read (struct executor *executor, struct order_place place, bool lock, struct arena *arena, bool *found,
                struct stored_order *stored, struct order_record *record, struct error *err);
/* Finds where an order is stored, by its id: *found false when there is none; a tombstone has order_ref 0. */
int order_find (struct executor *executor, struct str order_id, bool *found, struct order_place *place, struct error *err);
/* Reads the cards of referral codes that the order names: somebody else's, which are not locked (order_referral.c). */
int referral_look_up (struct executor *executor, struct request *request);
/* Names the counters of their uses. */
int referral_count (struct executor *executor, struct request *request);
/* Whether a refund took something of its original with this index. */
bool order_takes_of (const struct order_record *record, uint32_t original);

#endif
