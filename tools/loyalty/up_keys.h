/* up_keys.h - the keys of an engine that `loyalty up` runs: the list that its brokers and feeds use, and the keys of its
 * own programs. */
#ifndef LOYALTY_UP_KEYS_H
#define LOYALTY_UP_KEYS_H

#include "base/error.h"

#include <limits.h>

/* Files; all are empty where the engine has no keys. */
struct engine_keys {
    char list[PATH_MAX];   /* of public keys */
    char worker[PATH_MAX]; /* the workers' secret */
    char feed[PATH_MAX];   /* the feeds', which send jobs through the broker */
    char admin[PATH_MAX];  /* of commands that find the engine by its data folder */
};

/* With `given` (--keys), or where the data folder has a list: finds these files, and makes what is not there yet. */
int up_keys_prepare (const char *data, const char *given, struct engine_keys *keys, struct error *err);

#endif
