/* jobs.h - the leader's schedule at work: sends the steps of background jobs to workers, through a broker, and takes their answers. */
#ifndef FEED_JOBS_H
#define FEED_JOBS_H

#include "feed/settings.h"

struct jobs;

/* NULL with `err`. `settings` is borrowed. */
struct jobs *jobs_new (const struct feed_settings *settings, struct error *err);
void jobs_destroy (struct jobs **jobs);

/* Leadership begins, or ends: then what is under way is forgotten. */
void jobs_begin (struct jobs *jobs);
void jobs_end (struct jobs *jobs);

/* Takes answers and sends what is due, without waiting; to be called every few tens of milliseconds while this leads. */
void jobs_tick (struct jobs *jobs);

#endif
