/* curve.h - a client's CURVE keys: checked and copied out of its options, set on its sockets. */
#ifndef CLIENT_CURVE_H
#define CLIENT_CURVE_H

#include "loyalty/client.h"

struct curve_keys {
    char server_key[41], public_key[41], secret_key[41]; /* Z85; empty: no CURVE */
};

/* Copies the keys; makes a pair where only the server's is given. 0; -1: `error` filled. */
int curve_keys_copy (struct curve_keys *keys, const struct loyalty_options *options, struct loyalty_error *error);

/* Sets them on a socket that is not connected yet, where there are any. */
bool curve_keys_set (void *socket, const struct curve_keys *keys);

#endif
