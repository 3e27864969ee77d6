/* pg.h - one connection to PostgreSQL: prepared statements in pipelines, binary parameters, waits with deadlines,
 * and SQLSTATEs sorted into the few kinds of failure that a batch can act on.
 *
 * A connection belongs to one thread. Nothing here blocks past its deadline. */
#ifndef STORE_PG_H
#define STORE_PG_H

#include "base/arena.h"
#include "base/error.h"
#include "store/statements.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* What a failed statement means for whoever ran it (DESIGN section 5, "Errors"). */
enum pg_failure {
    PG_NONE,
    PG_RETRY,       /* 40001, 40P01, and 0A000, a prepared statement whose table was changed: the same transaction again */
    PG_LOCKED,      /* 55P03: somebody holds a lock for too long */
    PG_UNAVAILABLE, /* 08, 53, 57, 58, 25006, F0, a lost connection, a wait past its deadline */
    PG_DATA,        /* 22, 23: one request's data */
    PG_INTERNAL,    /* 42, XX and the rest: a fault of the engine */
};

struct pg;

struct pg_options {
    const char *url;         /* a connection URI; borrowed, must outlive the connection */
    const char *application; /* application_name */
    int connect_timeout_ms;
    int lock_timeout_ms;
    int idle_in_transaction_timeout_ms;
    bool read_only;          /* every transaction is */
    bool replica;            /* for reads that may be late: a standby, or a primary where none of the hosts is one */
    bool plain;              /* without the settings of the session that the statements rely on */
};

/* The server of the connection, or of the last one. */
struct pg_server {
    char name[96];       /* host:port */
    bool in_recovery;    /* a standby */
    int64_t timeline;    /* one more with every failover; 0: not known */
    unsigned history;    /* moves where what was read before may not be part of this server's past: after a failover */
    uint64_t connects;   /* connections made */
    uint64_t in_doubt;   /* commits of which it is not known whether they are done, or have reached a standby that they should */
};

/* Makes the object; it connects when it is first needed. */
struct pg *pg_new (const struct pg_options *options);
void pg_destroy (struct pg **pg);

/* Connects, checks the schema's version and prepares every statement when there is no usable connection: to the one of the hosts that the
 * connection string names which is the primary. After a wait in vain it first makes sure that commits come through. Failed attempts are spaced (100 ms to
 * 2 s), and in between the answer comes at once. -1: `unavailable`, with the server's reason. */
int pg_ensure (struct pg *pg, struct error *err);
bool pg_connected (const struct pg *pg);
/* Whether this program must not work on the database: its schema was found to be too old or too new. */
bool pg_is_unfit (const struct pg *pg);
/* Takes note of what schema_state says. -1: none for this program (store_schema_fits); the connection is closed. */
int pg_fits (struct pg *pg, int version, int compatible_from, struct error *err);
/* Whether a connection string (may be NULL) holds a password: on a command line everybody on the machine can read it. */
bool pg_url_shows_password (const char *url);
#define PG_PASSWORD_HINT \
    "a password on the command line can be read by everybody on this machine: put it into a file that PGPASSFILE or PGSERVICEFILE names"
/* A plain connection to the same server, for whoever runs statements of its own; closed with PQfinish. NULL: `unavailable`. */
PGconn *pg_open_plain (const char *url, const char *application, int connect_timeout_ms, struct error *err);
/* Closes the connection; the next pg_ensure makes a new one. */
void pg_close (struct pg *pg);
const struct pg_server *pg_server (const struct pg *pg);

/* Parameters of one statement, in its order, in binary; memory from the arena. */
enum { PG_PARAMS_MAX = 24 };
struct pg_params {
    struct arena *arena;
    int count;
    bool failed; /* memory ran out, or too many */
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
};

void pg_param_null (struct pg_params *params);
void pg_param_bool (struct pg_params *params, bool value);
void pg_param_int2 (struct pg_params *params, int16_t value);
void pg_param_int4 (struct pg_params *params, int32_t value);
void pg_param_int8 (struct pg_params *params, int64_t value);
void pg_param_time (struct pg_params *params, int64_t instant); /* timestamptz; INSTANT_NEVER is infinity */
void pg_param_text (struct pg_params *params, struct str text);
void pg_param_bytes (struct pg_params *params, struct str bytes);

/* A column of a set-based statement: an array of `count` values at most, added one by one. */
enum pg_type { PG_BOOL = 16, PG_BYTEA = 17, PG_INT8 = 20, PG_INT2 = 21, PG_INT4 = 23, PG_TEXT = 25, PG_TIMESTAMPTZ = 1184 };
struct pg_array {
    enum pg_type type;
    uint32_t count;
    bool has_null;
    struct buf bytes; /* elements; on the heap until it becomes a parameter */
};
void pg_array_begin (struct pg_array *array, enum pg_type type);
void pg_array_null (struct pg_array *array);
void pg_array_int (struct pg_array *array, int64_t value);    /* BOOL, INT2, INT4, INT8 by the array's type */
void pg_array_time (struct pg_array *array, int64_t instant); /* TIMESTAMPTZ */
void pg_array_bytes (struct pg_array *array, struct str value); /* TEXT, BYTEA */
/* Becomes the next parameter; the array's heap memory is freed. */
void pg_param_array (struct pg_params *params, struct pg_array *array);
/* An array of int8 from a plain one. */
void pg_param_int8s (struct pg_params *params, const int64_t *values, uint32_t count);
/* The bytes of an int4[] / int8[] value, for an element of a TEXT or BYTEA column: "{1,2}" as text. */
struct str pg_array_text (struct arena *arena, const int64_t *values, uint32_t count);

/* Queues a prepared statement; nothing is sent before pg_sync. Parameters may go right after. */
int pg_send (struct pg *pg, enum statement statement, const struct pg_params *params);
/* Ends the pipeline and sends it. */
int pg_sync (struct pg *pg);
/* The result of the next queued statement, in their order (free with PQclear); NULL on failure: *failure and `err` say
 * why, and the rest of the pipeline is void (call pg_abandon). `deadline_us` on clock_monotonic_us. */
PGresult *pg_receive (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err);
/* Takes the pipeline's end, after the last result. */
int pg_finish (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err);
/* Takes the result of COMMIT, the last statement of the pipeline, and its end. -1, PG_RETRY: it was rolled back. PG_UNAVAILABLE: it is
 * in doubt, also where the server committed, but gave up waiting for the standby that was to have it. */
int pg_finish_commit (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err);
/* After a failure: reads what is left, rolls back; closes the connection when that does not work in time. */
void pg_abandon (struct pg *pg);

/* One statement, alone: send, sync, receive, finish. NULL on failure (already abandoned). */
PGresult *pg_run (struct pg *pg, enum statement statement, const struct pg_params *params, int64_t deadline_us,
                  enum pg_failure *failure, struct error *err);

/* The error that a client gets for a failure that is not retried. */
enum error_code pg_failure_code (enum pg_failure failure);

/* Values of a result in binary. */
bool pg_is_null (const PGresult *result, int row, int column);
bool pg_bool (const PGresult *result, int row, int column);
int64_t pg_int (const PGresult *result, int row, int column);  /* int2, int4, int8 by its length */
int64_t pg_time (const PGresult *result, int row, int column); /* timestamptz to instant */
struct str pg_text (const PGresult *result, int row, int column); /* text, bytea; borrowed from the result */
int64_t pg_affected (const PGresult *result); /* rows that a statement changed */
/* Arrays without nulls: the count, and the values in the arena (NULL with count 0, or out of memory: failed). */
int pg_int_array (const PGresult *result, int row, int column, struct arena *arena, const int64_t **values);
int pg_text_array (const PGresult *result, int row, int column, struct arena *arena, const struct str **values);

#endif
