/* batch_transaction.h - one attempt at a batch: claim the keys, lock, read, evaluate, write, commit. */
#ifndef WORKER_BATCH_TRANSACTION_H
#define WORKER_BATCH_TRANSACTION_H

#include "worker/executor.h"

/* PG_NONE: committed; each request is DONE, FAILED or DEFERRED. Else nothing was written (or, when the answer to COMMIT
 * was lost, the keys will tell when the requests are resent), and `err` says why. */
enum pg_failure batch_transaction (struct executor *executor, struct request **requests, unsigned count,
                                   struct error *err);

#endif
