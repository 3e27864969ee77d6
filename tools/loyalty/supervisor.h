/* supervisor.h - runs an engine's programs in order, keeps them running, and stops them in order.
 *
 * Start: PostgreSQL (where it is the engine's own), migrate, brokers, feeds, workers, until admin.health is answered
 * through a broker. Stop: the brokers drain, then the workers end, then the feeds, then PostgreSQL. */
#ifndef LOYALTY_SUPERVISOR_H
#define LOYALTY_SUPERVISOR_H

#include "child.h"
#include "cluster.h"
#include "store/migrate.h"
#include "up_keys.h"

enum { WORKERS_MAX = 64, FEEDS_MAX = 4 };

/* What to run; all texts are borrowed and outlive supervise. */
struct engine_plan {
    const char *data;         /* the data folder, absolute and without links */
    const char *log_folder;
    const char *programs;     /* the folder of loyalty-broker, loyalty-worker and loyalty-feed */
    const char *run;          /* the folder of sockets */
    const struct engine_keys *keys; /* of the engine; their paths are empty where it has none */
    const char *broker_config; /* the brokers' settings: a file that exists */
    long brokers;             /* 1 .. BROKERS_MAX */
    char listen[BROKERS_MAX][ENDPOINT_MAX]; /* each broker's client endpoint; may end in :* */
    long feeds;               /* 1 .. FEEDS_MAX: one leads, the others stand by */
    char feed_listen[FEEDS_MAX][ENDPOINT_MAX]; /* each feed's endpoint for subscribers; may end in :* */
    bool schedule;            /* the feed's leader runs background jobs */
    bool insecure;            /* listening elsewhere than on this machine without keys is meant */
    const char *owner_url;    /* the database, for migrate and the other commands; without a password (which is in PGPASSWORD) */
    const char *worker_url, *feed_url, *fsck_url; /* the database as the users of the engine's programs; likewise */
    const char *replica_url;    /* of a standby for reads that may be late; empty: none */
    const char *replica_lag_ms; /* empty: the worker's default */
    struct cluster *cluster;  /* NULL: the database is the user's own */
    struct migrate_settings settings;
    long workers;             /* 1 .. WORKERS_MAX */
    bool json;
};

/* Runs until a signal asks it to stop (SIGINT, SIGTERM, SIGHUP, SIGQUIT; a second one hurries). Returns the
 * exit code: EXIT_FAILED when the engine could not be started, after stopping what had been. */
int supervise (const struct engine_plan *plan);

#endif
