/* service.h - the worker as a process: requests from the brokers to the lanes, answers back. */
#ifndef WORKER_SERVICE_H
#define WORKER_SERVICE_H

#include "worker/settings.h"

/* Serves until SIGTERM or SIGINT (answers what is in hand; a second one ends at once). Waits for a database and
 * brokers that are not there yet. 0, or -1 when it could not start. */
int service_run (const struct worker_settings *settings, struct error *err);

#endif
