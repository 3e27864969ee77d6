/* curve.c - see curve.h. */
#include "curve.h"
#include "failure.h"

#include <string.h>
#include <zmq.h>

static bool
copy_key (char to[41], const char *key)
{
    uint8_t bytes[32];
    if (strlen (key) != 40 || zmq_z85_decode (bytes, key) == NULL)
        return false;
    memcpy (to, key, 41);
    return true;
}

int
curve_keys_copy (struct curve_keys *keys, const struct loyalty_options *options, struct loyalty_error *error)
{
    if ((options->public_key == NULL) != (options->secret_key == NULL))
        return failure_set (error, LOYALTY_INVALID_REQUEST, "public_key and secret_key go together");
    if (options->server_key == NULL)
        return options->public_key == NULL
                   ? 0
                   : failure_set (error, LOYALTY_INVALID_REQUEST, "public_key is of no use without server_key");
    if (!copy_key (keys->server_key, options->server_key))
        return failure_set (error, LOYALTY_INVALID_REQUEST, "server_key is not a CURVE key in Z85 (40 characters)");
    if (options->public_key == NULL)
        return zmq_curve_keypair (keys->public_key, keys->secret_key) == 0
                   ? 0
                   : failure_set (error, LOYALTY_INTERNAL, "this libzmq was built without CURVE");
    if (!copy_key (keys->public_key, options->public_key) || !copy_key (keys->secret_key, options->secret_key))
        return failure_set (error, LOYALTY_INVALID_REQUEST,
                            "public_key or secret_key is not a CURVE key in Z85 (40 characters)");
    return 0;
}

bool
curve_keys_set (void *socket, const struct curve_keys *keys)
{
    return keys->server_key[0] == '\0' || (zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, keys->server_key, 40) == 0 &&
                                           zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, 40) == 0 &&
                                           zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, 40) == 0);
}
