/* catalog_methods.h - program.put/get/list/delete, reference.put and load.*: their hooks (request.h). The changing ones each
 * have a transaction of their own, in which the row of catalog_state is locked. */
#ifndef WORKER_CATALOG_METHODS_H
#define WORKER_CATALOG_METHODS_H

#include "worker/executor.h"

int program_put_execute (struct executor *executor, struct request *request);
int program_delete_execute (struct executor *executor, struct request *request);
int program_get_execute (struct executor *executor, struct request *request);
int program_list_execute (struct executor *executor, struct request *request);
int reference_put_execute (struct executor *executor, struct request *request);
int load_begin_execute (struct executor *executor, struct request *request);
int load_put_prepare (struct executor *executor, struct request *request);
int load_put_execute (struct executor *executor, struct request *request);
int load_commit_execute (struct executor *executor, struct request *request);

#endif
