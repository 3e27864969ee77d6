/* member_methods.h - member.merge, member.forget: their hooks (request.h). */
#ifndef WORKER_MEMBER_METHODS_H
#define WORKER_MEMBER_METHODS_H

#include "worker/executor.h"

int member_merge_want (struct executor *executor, struct request *request);
int member_merge_execute (struct executor *executor, struct request *request);
int member_forget_want (struct executor *executor, struct request *request);
int member_forget_execute (struct executor *executor, struct request *request);
/* Asks for the rows of the members that became this one. *again: they were not there, and the request has to be run again. */
int member_lock_absorbed (struct executor *executor, struct request *request, const struct unit_member *member, bool *again);

#endif
