/* settings.h - every setting of the feed, each once: name, default, bounds and meaning. The command line, the configuration
 * file and `--help` come from these tables. */
#ifndef FEED_SETTINGS_H
#define FEED_SETTINGS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { FEED_TEXT_MAX = 2048 };

/* X (name, default, meaning) */
#define FEED_TEXTS(X)                                                                                        \
    X (listen, "tcp://127.0.0.1:5757", "endpoint for subscribers; port * takes a free one")                  \
    X (database, "", "postgresql://…, without a password (default: the environment variable LOYALTY_DATABASE)") \
    X (name, "feed", "for logs, and for who leads")                                                          \
    X (keys, "", "list of the public keys that may connect (`loyalty keys`), beside which lies server.key; read again on SIGHUP") \
    X (broker, "", "endpoints of brokers, with commas between them, to run background jobs; none: no jobs") \
    X (key_file, "", "file with this program's key for the brokers, which needs the role admin") \
    X (log, "info", "least important messages that are logged: error, warning, info, debug")

/* X (name, default, lowest, highest, meaning) */
#define FEED_NUMBERS(X)                                                                                      \
    X (lease_ms, 1000, 200, 60000, "time after which a leader that is not heard of is replaced")             \
    X (move_every_ms, 10, 1, 1000, "time from one move of committed changes to the next")                    \
    X (move_max, 2000, 100, 100000, "changes in one move while catching up")                                 \
    X (queue_max, 10000, 100, 1000000, "messages that wait for a subscriber; what is more it loses, and reads again") \
    X (kept_days, 7, 1, 3650, "days that events are kept for who reads them again")                          \
    X (slot_kib, 256, 8, 1048576, "KiB after which the outbox goes on in another slot")                     \
    X (slots_max, 16, 2, 1000, "slots that the outbox may have")                                             \
    X (partitions_minutes, 1440, 0, 525600, "from one run of job partitions to the next; 0: never") \
    X (expire_minutes, 60, 0, 525600, "the same of job expire") \
    X (memberships_minutes, 1440, 0, 525600, "the same of job memberships") \
    X (holds_minutes, 60, 0, 525600, "the same of job holds") \
    X (referrals_minutes, 10, 0, 525600, "the same of job referrals") \
    X (database_timeout_ms, 10000, 500, 600000, "wait for an answer of the database")

struct feed_settings {
#define X(name, ...) char name[FEED_TEXT_MAX];
    FEED_TEXTS (X)
#undef X
#define X(name, ...) int64_t name;
    FEED_NUMBERS (X)
#undef X
    bool insecure; /* listening where other machines reach it is meant, although there are no keys */
};

void feed_settings_default (struct feed_settings *settings);

/* Sets one by name, with - or _ between its words. -1 with `err` (invalid_request) when there is none of that name or the value is
 * out of bounds. */
int feed_settings_set (struct feed_settings *settings, const char *name, const char *value, struct error *err);

/* Reads a configuration file of lines `name = value`. Settings that it does not name stay. -1 with `err`; *settings may then be partly
 * changed. */
int feed_settings_load (struct feed_settings *settings, const char *file, struct error *err);

/* The tables as options, for `--help`. */
void feed_settings_print (void);

#endif
