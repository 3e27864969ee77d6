/* referral_methods.h - referral.create: its hooks (request.h). */
#ifndef WORKER_REFERRAL_METHODS_H
#define WORKER_REFERRAL_METHODS_H

#include "worker/executor.h"

/* The counter of a referral code's uses. */
struct usage_key referral_usage_key (int buckets, int64_t program_id, int64_t card_id);

int referral_create_prepare (struct executor *executor, struct request *request);
int referral_create_look_up (struct executor *executor, struct request *request);
int referral_create_want (struct executor *executor, struct request *request);
int referral_create_count (struct executor *executor, struct request *request);
int referral_create_execute (struct executor *executor, struct request *request);

#endif
