/* batch.h - group commit: the changing requests that a worker has gathered, as one database transaction.
 *
 * DESIGN section 5 gives the order of the statements and what each class of error means. Each request
 * succeeds or fails by itself; those for one card see each other's effects, in arrival order. */
#ifndef WORKER_BATCH_H
#define WORKER_BATCH_H

#include "worker/executor.h"

/* Runs the requests to their end: each is DONE or FAILED afterwards. Nothing that is DONE is not committed. */
void batch_run (struct executor *executor, struct request **requests, unsigned count);

/* Runs reads: each in the snapshot of one read-only transaction. */
void batch_read (struct executor *executor, struct request **requests, unsigned count);

/* The same with a replica: what it cannot answer, or not recently enough, is DEFERRED, for the primary to answer. */
void batch_read_late (struct executor *executor, struct request **requests, unsigned count);

#endif
