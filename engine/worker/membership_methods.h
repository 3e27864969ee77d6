/* membership_methods.h - membership.get, membership.change, membership.evaluate: their hooks (request.h). */
#ifndef WORKER_MEMBERSHIP_METHODS_H
#define WORKER_MEMBERSHIP_METHODS_H

#include "worker/executor.h"

int membership_prepare (struct executor *executor, struct request *request);
int membership_want (struct executor *executor, struct request *request);
int membership_get_execute (struct executor *executor, struct request *request);
int membership_change_execute (struct executor *executor, struct request *request);
int membership_evaluate_execute (struct executor *executor, struct request *request);

/* Whether an evaluation would change something of a member whose cards were read. */
int membership_needs_evaluation (struct executor *executor, struct unit_member *member, bool *needs, struct error *err);

/* Evaluates one member that is locked. *changed: whether its level did. -1: err, and nothing has changed. */
int membership_evaluate_member (struct executor *executor, struct unit_member *member, bool *changed, struct error *err);

#endif
