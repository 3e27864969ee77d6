/* card_methods.h - card.create, card.adjust, card.get, card.balance, card.history: their hooks (request.h). */
#ifndef WORKER_CARD_METHODS_H
#define WORKER_CARD_METHODS_H

#include "worker/executor.h"

int card_create_prepare (struct executor *executor, struct request *request);
int card_create_want (struct executor *executor, struct request *request);
int card_create_execute (struct executor *executor, struct request *request);
int card_adjust_prepare (struct executor *executor, struct request *request);
int card_adjust_execute (struct executor *executor, struct request *request);
int card_get_prepare (struct executor *executor, struct request *request);
int card_get_execute (struct executor *executor, struct request *request);
int card_balance_execute (struct executor *executor, struct request *request);
int card_history_execute (struct executor *executor, struct request *request);
/* Of all that name a card. */
int card_look_up (struct executor *executor, struct request *request);
int card_want (struct executor *executor, struct request *request);

#endif
