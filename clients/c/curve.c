/* curve.c - see curve.h. */
#include "curve.h"
#include "failure.h"

#include "net/socket.h"

static bool
copy_key (char to[KEY_TEXT_SIZE], const char *key)
{
    if (!key_text_is_valid (str_of (key)))
        return false;
    memcpy (to, key, KEY_TEXT_SIZE);
    return true;
}

/* Keys from a file, as `loyalty keys` makes it. */
static int
load_keys (struct certificate *keys, const struct loyalty_options *options, struct loyalty_error *error)
{
    struct error failure;
    if (options->server_key != NULL || options->public_key != NULL || options->secret_key != NULL)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "key_file holds all keys: give it or them");
    if (certificate_load (keys, options->key_file, &failure) != 0)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "key_file: %s", failure.message);
    if (keys->server_key[0] == '\0')
        return failure_set (error, LOYALTY_INVALID_REQUEST, "key_file: it is a server's own, not a client's");
    return 0;
}

static int
copy_own (struct certificate *keys, const struct loyalty_options *options, struct loyalty_error *error)
{
    if (options->public_key == NULL)
        return zmq_curve_keypair (keys->public_key, keys->secret_key) == 0
                   ? 0
                   : failure_set (error, LOYALTY_INTERNAL, "this libzmq was built without CURVE");
    if (!copy_key (keys->public_key, options->public_key) || !copy_key (keys->secret_key, options->secret_key))
        return failure_set (error, LOYALTY_INVALID_REQUEST,
                            "public_key or secret_key is not a CURVE key in Z85 (40 characters)");
    return 0;
}

int
curve_keys_copy (struct certificate *keys, const struct loyalty_options *options, const char *server_key,
                 struct loyalty_error *error)
{
    *keys = (struct certificate){ 0 };
    if ((options->public_key == NULL) != (options->secret_key == NULL))
        return failure_set (error, LOYALTY_INVALID_REQUEST, "public_key and secret_key go together");
    if (options->key_file != NULL && load_keys (keys, options, error) != 0)
        return -1;
    if (server_key == NULL)
        server_key = options->server_key;
    if (server_key == NULL)
        return options->public_key == NULL
                   ? 0
                   : failure_set (error, LOYALTY_INVALID_REQUEST, "public_key is of no use without server_key");
    if (!copy_key (keys->server_key, server_key))
        return failure_set (error, LOYALTY_INVALID_REQUEST, "server_key is not a CURVE key in Z85 (40 characters)");
    return options->key_file != NULL ? 0 : copy_own (keys, options, error);
}

int
curve_keys_set (void *socket, const struct certificate *keys, struct error *err)
{
    return keys->server_key[0] == '\0' ? 0 : socket_set_keys (socket, keys, err);
}
