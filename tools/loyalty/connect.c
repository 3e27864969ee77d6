/* connect.c - see connect.h. */
#include "connect.h"
#include "locate.h"

struct loyalty_client *
connect_engine (const struct connect_options *options, struct error *err)
{
    char endpoint[ENDPOINT_MAX];
    const char *endpoints[] = { endpoint };
    struct loyalty_options settings;
    struct loyalty_error failure;
    if (locate_endpoint (options->endpoint, options->data, endpoint, err) < 0)
        return NULL;
    loyalty_options_init (&settings);
    settings.endpoints = endpoints;
    settings.endpoint_count = 1;
    if (options->timeout_ms > 0)
        settings.timeout_ms = (unsigned)options->timeout_ms;
    if (options->in_flight_max > 0)
        settings.in_flight_max = (unsigned)options->in_flight_max;
    struct loyalty_client *client = loyalty_client_new (&settings, &failure);
    if (client == NULL)
        error_set (err, error_code_by_name (failure.name), "%s", failure.message);
    return client;
}
