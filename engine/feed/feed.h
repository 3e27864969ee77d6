/* feed.h - the feed's one loop: leads or stands by, moves and publishes, stops when it is told to. */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include "feed/settings.h"

struct feed;

/* Binds the socket. NULL with `err`. `settings` is borrowed. */
struct feed *feed_new (const struct feed_settings *settings, struct error *err);
void feed_destroy (struct feed **feed);

const char *feed_endpoint (const struct feed *feed);

/* Runs until SIGTERM or SIGINT. -1 with `err`: it cannot go on. */
int feed_run (struct feed *feed, struct error *err);

#endif
