/* event_methods.h - events.read: events that are numbered, from a number on. */
#ifndef WORKER_EVENT_METHODS_H
#define WORKER_EVENT_METHODS_H

#include "worker/executor.h"

int events_read_execute (struct executor *executor, struct request *request);

#endif
