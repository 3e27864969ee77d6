/* pg_private.h - what the files of the connection share: pg.c (pipelines, failures) and pg_connect.c (finding the server). */
#ifndef STORE_PG_PRIVATE_H
#define STORE_PG_PRIVATE_H

#include "store/pg.h"

struct pg {
    struct pg_options options;
    PGconn *connection;
    int pending;      /* statements sent whose results were not received */
    bool in_pipeline; /* a sync is outstanding */
    bool in_transaction;
    bool committing;  /* COMMIT was sent, and its result is not known */
    bool is_stale;    /* a table of a prepared statement was changed, or the server is no primary any more: not to be used again */
    bool is_unfit;    /* the schema is none that this program can work with */
    bool doubtful;    /* a wait ended without an answer: before anything is written, see that commits come through */
    unsigned warnings; /* of the server */
    PQnoticeReceiver notices; /* libpq's own */
    int64_t retry_at_ms; /* no attempt to connect before this */
    int backoff_ms;
    struct error last; /* why the last attempt failed */
    struct pg_server server;
    char *hosts, *addresses, *ports; /* the lists of the connection string, once they are known; on the heap */
    unsigned host_count;             /* 0: not known yet */
    unsigned host;                   /* where the server was found last */
    char system[24];                 /* the cluster's identifier, the same on a primary and its standbys */
};

/* Waits until the socket is ready. -1: not before the deadline (on clock_monotonic_us). */
int pg_wait (const PGconn *connection, short events, int64_t deadline_us);

/* One line of the server's or libpq's message, without the newline. */
const char *pg_first_line (const char *message, char *line, size_t size);

/* Finds the server and connects to it: pg->connection, pg->server. -1: `unavailable`. */
int pg_connect (struct pg *pg, struct error *err);

#endif
