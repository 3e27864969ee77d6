/* member_methods.h - member.merge: its hooks (request.h). */
#ifndef WORKER_MEMBER_METHODS_H
#define WORKER_MEMBER_METHODS_H

#include "worker/executor.h"

int member_merge_want (struct executor *executor, struct request *request);
int member_merge_execute (struct executor *executor, struct request *request);

#endif
