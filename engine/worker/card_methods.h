/* card_methods.h - card.create, card.adjust, card.get, card.balance, card.history: their hooks (request.h). */
#ifndef WORKER_CARD_METHODS_H
#define WORKER_CARD_METHODS_H

#include "worker/card_select.h"

struct card_request {
    struct card_selector selector;
    struct str code; /* card.create: folded */
};
/* The request's data, empty. NULL with request->error: out of memory. */
struct card_request *card_request_new (struct executor *executor, struct request *request);

/* So many fields about a card, in the caller's map: as it is at an instant. */
enum { CARD_FIELDS = 10 };
int card_render (struct executor *executor, struct request *request, struct unit_card *entry, int64_t instant);
/* A time of a request as an instant: in the engine's zone where it names no offset. */
int64_t card_time (const struct executor *executor, struct wire_time time);
/* -1 with card_blocked where it is blocked. */
int card_check_open (struct request *request, const struct unit_card *card);


int card_create_prepare (struct executor *executor, struct request *request);
int card_create_want (struct executor *executor, struct request *request);
int card_create_execute (struct executor *executor, struct request *request);
int card_adjust_prepare (struct executor *executor, struct request *request);
int card_adjust_execute (struct executor *executor, struct request *request);
int card_get_prepare (struct executor *executor, struct request *request);
int card_get_execute (struct executor *executor, struct request *request);
int card_balance_execute (struct executor *executor, struct request *request);
int card_history_execute (struct executor *executor, struct request *request);
int card_state_prepare (struct executor *executor, struct request *request);
int card_block_execute (struct executor *executor, struct request *request);
int card_unblock_execute (struct executor *executor, struct request *request);
int card_transfer_prepare (struct executor *executor, struct request *request);
int card_transfer_look_up (struct executor *executor, struct request *request);
int card_transfer_want (struct executor *executor, struct request *request);
int card_transfer_execute (struct executor *executor, struct request *request);
/* Of all that name a card. */
int card_look_up (struct executor *executor, struct request *request);
int card_want (struct executor *executor, struct request *request);

#endif
