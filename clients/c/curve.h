/* curve.h - a client's CURVE keys: checked and copied out of its options or read from its key file, set on its
 * sockets. */
#ifndef CLIENT_CURVE_H
#define CLIENT_CURVE_H

#include "loyalty/client.h"

#include "net/certificate.h"

/* Copies the keys; makes a pair where only the server's is given. `server_key`, where it is not NULL, takes the place
 * of that of the options. Without keys *keys is empty. 0; -1: `error` filled. */
int curve_keys_copy (struct certificate *keys, const struct loyalty_options *options, const char *server_key,
                     struct loyalty_error *error);

/* Sets them on a socket that is not connected yet, where there are any. -1 with `err`. */
int curve_keys_set (void *socket, const struct certificate *keys, struct error *err);

#endif
