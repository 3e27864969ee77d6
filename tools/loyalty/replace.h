/* replace.h - taking one worker or broker out of an engine that goes on: it answers what it has, and ends. */
#ifndef LOYALTY_REPLACE_H
#define LOYALTY_REPLACE_H

#include "connect.h"

/* All of these wait for `wait_s` seconds at most; -1 with `err`: not_found, unavailable (it is not gone, or nothing came
 * in its place), or what the engine answered. */

/* Drains the workers of that name. `replaced`: waits until somebody has started as many of that name again. */
int replace_worker (const struct connect_options *where, const char *name, bool replaced, long wait_s, struct error *err);

/* Drains the broker at that endpoint. */
int replace_broker (const struct connect_options *where, const char *endpoint, long wait_s, struct error *err);

/* The names of all workers, each once, as an array of texts; NULL with `err`. */
json_t *replace_worker_names (const struct connect_options *where, struct error *err);

#endif
