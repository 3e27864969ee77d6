/* up_files.h - what `loyalty up` leaves in its data folder: the lock, the endpoint, the port for the next time. */
#ifndef LOYALTY_UP_FILES_H
#define LOYALTY_UP_FILES_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Makes the folder, with that mode where it is not there yet, and all above it. */
int folders_make (const char *path, mode_t mode, struct error *err);

/* Takes the data folder for this process, until it ends. -1, `unavailable`: another has it. */
int up_lock (const char *data, struct error *err);
/* Whether some process has it. */
bool up_is_locked (const char *data);

/* Writes DATA/NAME whole or not at all. */
int up_file_write (const char *data, const char *name, const char *text, struct error *err);
/* Writes DATA/endpoint (the brokers' endpoints, with commas), DATA/port (a line for each; kept when the engine stops)
 * and DATA/up.json. */
int up_files_write (const char *data, const char *endpoints, const json_t *up, struct error *err);
/* Removes what says that an engine is running. */
void up_files_remove (const char *data);

/* The file of the broker's settings, DATA/broker.conf, made without any where there is none. */
int up_broker_config (const char *data, char *path, size_t size, struct error *err);

/* Where a broker (the first is 0) is to listen when nothing was said: at its port of the last time, else at 7600 or as
 * many ports above as there are brokers before it, where that is free; else at one that the system chooses
 * ("tcp://127.0.0.1:*"). */
void up_listen_default (const char *data, unsigned broker, char *endpoint, size_t size);

/* Where a feed (the first is 0) is to listen: at the clients' address, FEED_PORTS_ABOVE ports above theirs, where that is free;
 * else at a port that the system chooses. */
enum { FEED_PORTS_ABOVE = 50 };
void up_feed_listen (const char *client_endpoint, unsigned feed, char *endpoint, size_t size);

#endif
