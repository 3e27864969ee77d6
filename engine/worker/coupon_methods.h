/* coupon_methods.h - coupons: cards made in batches, with codes by a pattern (rule 28). */
#ifndef WORKER_COUPON_METHODS_H
#define WORKER_COUPON_METHODS_H

#include "worker/executor.h"

/* A pattern's # stand for one of 32 symbols each. */
#define COUPON_SYMBOLS "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
enum { COUPON_SYMBOL_COUNT = 32, COUPON_SPARSENESS = 1000 };

int coupon_generate_prepare (struct executor *executor, struct request *request);
int coupon_generate_want (struct executor *executor, struct request *request);
int coupon_generate_execute (struct executor *executor, struct request *request);
int coupon_list_execute (struct executor *executor, struct request *request);
int coupon_check_execute (struct executor *executor, struct request *request);

#endif
