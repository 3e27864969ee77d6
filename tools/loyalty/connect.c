/* connect.c - see connect.h. */
#include "connect.h"

int
connect_settings (const struct connect_options *options, struct connect_endpoints *endpoints,
                  struct loyalty_options *settings, struct error *err)
{
    if (locate_endpoint (options->endpoint, options->data, endpoints->text, err) < 0)
        return -1;
    if (locate_key (options->key_file, options->endpoint, options->data, endpoints->key_file, err) < 0)
        return -1;
    endpoints->list[0] = endpoints->text;
    loyalty_options_init (settings);
    settings->endpoints = endpoints->list;
    settings->endpoint_count = 1;
    settings->key_file = endpoints->key_file[0] != 0 ? endpoints->key_file : NULL;
    if (options->timeout_ms > 0)
        settings->timeout_ms = (unsigned)options->timeout_ms;
    if (options->in_flight_max > 0)
        settings->in_flight_max = (unsigned)options->in_flight_max;
    return 0;
}

struct loyalty_client *
connect_engine (const struct connect_options *options, struct error *err)
{
    struct connect_endpoints endpoints;
    struct loyalty_options settings;
    struct loyalty_error failure;
    if (connect_settings (options, &endpoints, &settings, err) < 0)
        return NULL;
    struct loyalty_client *client = loyalty_client_new (&settings, &failure);
    if (client == NULL)
        error_set (err, error_code_by_name (failure.name), "%s", failure.message);
    return client;
}
