/* lane.h - a thread that runs requests, and the hand-over to it: one list at a time, there and back.
 *
 * The worker has one that runs the batches, one for the reads, and one for reads from a replica. The thread that owns the sockets never waits for
 * the database, and the database never waits for a socket. */
#ifndef WORKER_LANE_H
#define WORKER_LANE_H

#include "worker/executor.h"

struct lane;

typedef void lane_run (struct executor *executor, struct request **requests, unsigned count);

/* Starts the thread. `done_fd` (an eventfd) is written to whenever a list is done. */
struct lane *lane_new (const struct worker_settings *settings, const struct lease *lease, enum executor_kind kind, lane_run *run,
                       int done_fd, struct error *err);
/* Waits for the list in hand, ends the thread. */
void lane_destroy (struct lane **lane);

bool lane_idle (const struct lane *lane);
/* Hands over requests (at most settings->batch_max); the lane must be idle. */
void lane_submit (struct lane *lane, struct request *const *requests, unsigned count);
/* Takes the list back when it is done: its size, 0 when it is not (or there is none). Then the lane is idle. */
unsigned lane_collect (struct lane *lane, struct request **requests);

/* Whether its database, as of the last list, is none that this program may work on. */
bool lane_is_unfit (struct lane *lane);

/* Figures as of the last list that was collected. */
struct executor_stats lane_stats (struct lane *lane);

#endif
