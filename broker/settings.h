/* settings.h - every setting of the broker, each once: name, default, bounds and meaning. The configuration file,
 * the command line, `--help` and admin.stats come from these tables. */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { SETTING_TEXT_MAX = 256, BROKER_WORKERS_MAX = 256, BROKER_REQUESTS_MAX = 1000000 };

/* X (name, default, meaning). Read at start only. */
#define TEXT_SETTINGS(X)                                                                     \
    X (listen, "tcp://127.0.0.1:5755", "endpoint for clients; port * takes a free one")      \
    X (workers, "tcp://127.0.0.1:5756", "endpoint for workers; port * takes a free one")     \
    X (keys, "", "list of the public keys that may connect (`loyalty keys`); without it whoever is on this machine")  \
    X (log, "info", "least important messages that are logged: error, warning, info, debug")

/* X (name, default, lowest, highest, may change while running (SIGHUP), meaning) */
#define NUMBER_SETTINGS(X)                                                                                                   \
    X (memory_mib_max, 1024, 0, 1048576, false, "MiB of memory at which it ends, to be started again; 0: no bound")          \
    X (io_threads, 1, 1, 16, false, "threads that move bytes")                                                               \
    X (clients_max, 10000, 1, 1000000, true, "clients that are remembered at once")                                          \
    X (client_requests_max, 2048, 1, 100000, true, "requests that one client (a user; without keys a connection) may have waiting or in work") \
    X (client_mib_max, 64, 2, 65536, true, "MiB that those of one client may take")                                          \
    X (client_rate_per_s, 0, 0, 1000000, true, "requests a second that one client may send on average; 0: as it likes")      \
    X (client_burst, 500, 1, 1000000, true, "requests that one client may send at once before that counts")                  \
    X (client_work_min, 4, 1, 4096, true, "requests that one client may have in work however many others ask too")          \
    X (requests_max, 20000, 1, BROKER_REQUESTS_MAX, true, "requests that may be waiting or in work")                         \
    X (request_mib_max, 256, 1, 65536, true, "MiB that those may take")                                                      \
    X (workers_max, 64, 1, BROKER_WORKERS_MAX, true, "workers that may have a session")                                      \
    X (heartbeat_ms, 500, 10, 60000, true, "time between two heartbeats to a worker, and what workers are told")             \
    X (worker_timeout_ms, 2500, 100, 600000, true, "silence after which a worker counts as dead")                            \
    X (grace_ms, 1000, 0, 60000, true, "time past its deadline that a request in work is waited for")                        \
    X (unavailable_after_ms, 2000, 0, 600000, true, "time without any worker after which requests are answered unavailable") \
    X (client_idle_ms, 60000, 100, 86400000, true, "time after which a client that asks nothing is forgotten")               \
    X (drain_ms_max, 30000, 0, 3600000, true, "time that draining may take")                                                 \
    X (requeues_max, 2, 0, 10, true, "times that a request is given to another worker after one died")                       \
    X (affinity_slack, 16, 0, 4096, true, "requests that an affinity's worker may have in work above the idlest one")

struct settings {
#define X(name, ...) char name[SETTING_TEXT_MAX];
    TEXT_SETTINGS (X)
#undef X
#define X(name, ...) int64_t name;
    NUMBER_SETTINGS (X)
#undef X
};

void settings_default (struct settings *settings);

/* Sets one by name. -1 with `err` (invalid_request) when there is none of that name or the value is out of bounds. */
int settings_set (struct settings *settings, const char *name, const char *value, struct error *err);

/* Reads a configuration file (ZPL, https://rfc.zeromq.org/spec/4: lines of `name = value`). Settings that it does
 * not name stay. -1 with `err`; *settings may then be partly changed. */
int settings_load (struct settings *settings, const char *file, struct error *err);

/* Takes over from `from` what may change while running. Returns how many settings differ that may not. */
unsigned settings_reload (struct settings *settings, const struct settings *from);

/* The tables as text for `--help`. */
void settings_print (void);

#endif
