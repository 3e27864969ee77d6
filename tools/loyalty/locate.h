/* locate.h - where a running engine is found: the data folder of `loyalty up`, and what it left there for
 * the other commands. */
#ifndef LOYALTY_LOCATE_H
#define LOYALTY_LOCATE_H

#include "base/error.h"

#include <jansson.h>
#include <limits.h>
#include <stddef.h>

enum { ENDPOINT_MAX = 256, BROKERS_MAX = 8, ENDPOINTS_MAX = BROKERS_MAX * ENDPOINT_MAX, DATABASE_MAX = 1024 };

/* An environment variable; NULL when it is unset or empty. */
const char *locate_variable (const char *name);

/* The data folder: `given` (--data), else LOYALTY_DATA, else /var/lib/loyalty for root and ~/.local/share/loyalty
 * for others. -1: the path is too long, or there is no home. */
int locate_data (const char *given, char path[PATH_MAX], struct error *err);

/* What `up` wrote to up.json in the data folder, a new reference: pid, endpoint, worker_endpoint, database, fsck_database,
 * processes
 * (name to pid). NULL, `not_found`: no engine runs there. */
json_t *locate_up (const char *data_given, struct error *err);

/* The broker's endpoint: `given` (--endpoint), else LOYALTY_ENDPOINT, else what `up` left in the data folder. */
int locate_endpoint (const char *given, const char *data_given, char endpoints[ENDPOINTS_MAX], struct error *err);

/* The endpoints of the feeds, with commas: `given` (--feed), else LOYALTY_FEED, else, where the engine is that of a data
 * folder, what `up` left there. Empty: none is known. */
int locate_feeds (const char *given, const char *endpoint_given, const char *data_given, char *feeds, size_t size,
                  struct error *err);

/* The database: `given` (--database), else LOYALTY_DATABASE, else what `up` left in the data folder: as its owner. */
int locate_database (const char *given, const char *data_given, char url[DATABASE_MAX], struct error *err);
/* The same, as a user that may read the ledger and change nothing. */
int locate_fsck_database (const char *given, const char *data_given, char url[DATABASE_MAX], struct error *err);

/* The file of the caller's CURVE keys: `given` (--key-file), else LOYALTY_KEY, else that of the engine's own commands, where the
 * engine is the one in the data folder. Empty: none, the engine has no keys. */
int locate_key (const char *given, const char *endpoint_given, const char *data_given, char file[PATH_MAX], struct error *err);

#endif
