/* key_store.h - the folder that keys are kept in: the list of public keys, the server's secret and those of clients
 * that were made here and not taken away yet. */
#ifndef LOYALTY_KEY_STORE_H
#define LOYALTY_KEY_STORE_H

#include "net/certificate.h"
#include "net/key_list.h"

#include <limits.h>
#include <stdbool.h>

#define KEYS_FILE "keys/keys.conf" /* in a data folder */

struct key_store {
    char file[PATH_MAX]; /* the list; the secrets lie beside it, as server.key and NAME.key */
    struct key_list list;
    int lock;            /* held while it is open: one command changes it at a time */
};

/* Opens the list in `file`. `create`: makes folder, list and server key where they are not there yet; without it a list
 * that is not there is `not_found`. -1 with `err`; nothing is to be closed then. */
int key_store_open (struct key_store *store, const char *file, bool create, struct error *err);
void key_store_close (struct key_store *store);

/* Where the secret of `name` goes when nothing else is said. -1: the path is too long. */
int key_store_secret (const struct key_store *store, const char *name, char path[PATH_MAX], struct error *err);

/* Makes a key: its secret goes to the file `secret`, then its public half into the list. -1 with `err`: conflict (there
 * is one of that name), invalid_request (no name of a key), or it could not be written. */
int key_store_make (struct key_store *store, const char *name, unsigned roles, const char *secret, struct error *err);
/* Gives `name` a new key; the present one stays good beside it if `keep_old`, until key_store_finish. */
int key_store_rotate (struct key_store *store, const char *name, bool keep_old, const char *secret, struct error *err);
/* Ends a rotation: the old key is good no longer. */
int key_store_finish (struct key_store *store, const char *name, struct error *err);
/* Takes a key off the list. */
int key_store_revoke (struct key_store *store, const char *name, struct error *err);

/* Makes the key of one of the engine's own programs, where it or its file is not there, and tells its file. */
int key_store_ensure (struct key_store *store, const char *name, unsigned roles, char path[PATH_MAX],
                      struct error *err);

#endif
