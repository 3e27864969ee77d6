/* connect.h - the options by which every command that talks to an engine finds it, and the client for it. */
#ifndef LOYALTY_CONNECT_H
#define LOYALTY_CONNECT_H

#include "base/error.h"
#include "locate.h"
#include "loyalty/client.h"

struct connect_options {
    const char *endpoint, *data; /* as given; NULL: see locate_endpoint */
    const char *key_file;        /* the file of the caller's CURVE keys; NULL: see locate_key */
    long timeout_ms;             /* 0: the client's default */
    long in_flight_max;          /* 0: the client's default */
};

enum { TIMEOUT_MAX_MS = 600000 };

/* Rows for a command's table of options; `target` is a struct connect_options. */
#define CONNECT_OPTIONS(target)                                                                                          \
    { "endpoint", OPTION_TEXT, &(target).endpoint, "ENDPOINT", "the engine (default: LOYALTY_ENDPOINT, or that of --data)", 0, 0 }, \
    { "data", OPTION_TEXT, &(target).data, "DIR", "the data folder of a running `loyalty up`", 0, 0 },                    \
    { "key-file", OPTION_TEXT, &(target).key_file, "FILE", "your key, made by `loyalty keys` (default: LOYALTY_KEY, or that of --data)", 0, 0 }, \
    { "timeout-ms", OPTION_NUMBER, &(target).timeout_ms, "N", "how long to wait for an answer (default 5000)", 1, TIMEOUT_MAX_MS }

/* Where the engine is and how to talk to it, for a client of one's own. `settings` borrows from `endpoints`. */
struct connect_endpoints {
    char text[ENDPOINTS_MAX];
    const char *list[1];
    char key_file[PATH_MAX]; /* empty: no keys */
};
int connect_settings (const struct connect_options *options, struct connect_endpoints *endpoints,
                      struct loyalty_options *settings, struct error *err);

/* A client of that engine, to be freed with loyalty_client_destroy; NULL with `err`. */
struct loyalty_client *connect_engine (const struct connect_options *options, struct error *err);

#endif
