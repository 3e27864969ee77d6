/* pg.c - see pg.h: the connection, its pipelines and its failures. Parameters and values are in pg_values.c, how the server is
 * found in pg_connect.c. */
#include "base/clock.h"
#include "base/log.h"
#include "store/migrate.h"
#include "store/pg_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const STATEMENT_SQL[STATEMENT_COUNT] = {
#define X(id, sql) [STATEMENT_##id] = sql,
    STATEMENTS (X)
#undef X
};
static const char *const STATEMENT_NAMES[STATEMENT_COUNT] = {
#define X(id, sql) [STATEMENT_##id] = #id,
    STATEMENTS (X)
#undef X
};

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 2000, ABANDON_MS = 1000, PREPARE_MS = 10000 };

struct pg *
pg_new (const struct pg_options *options)
{
    struct pg *pg = calloc (1, sizeof *pg);
    if (pg != NULL)
        pg->options = *options;
    return pg;
}

void
pg_destroy (struct pg **pg)
{
    if (*pg == NULL)
        return;
    pg_close (*pg);
    free ((*pg)->hosts);
    free ((*pg)->addresses);
    free ((*pg)->ports);
    free (*pg);
    *pg = NULL;
}

bool
pg_connected (const struct pg *pg)
{
    return pg->connection != NULL;
}

const struct pg_server *
pg_server (const struct pg *pg)
{
    return &pg->server;
}

void
pg_close (struct pg *pg)
{
    if (pg->connection != NULL)
        PQfinish (pg->connection);
    pg->connection = NULL;
    pg->pending = 0;
    pg->in_pipeline = pg->in_transaction = pg->committing = pg->is_stale = false;
}

bool
pg_is_unfit (const struct pg *pg)
{
    return pg->is_unfit;
}

int
pg_fits (struct pg *pg, int version, int compatible_from, struct error *err)
{
    struct error why;
    pg->is_unfit = store_schema_fits (version, compatible_from, &why) < 0;
    if (!pg->is_unfit)
        return 0;
    log_error ("%s", why.message);
    if (err != NULL)
        *err = why;
    pg_close (pg);
    return -1;
}

/* ---- connecting */

const char *
pg_first_line (const char *message, char *line, size_t size)
{
    snprintf (line, size, "%s", message == NULL ? "" : message);
    line[strcspn (line, "\n")] = '\0';
    return line;
}

int
pg_wait (const PGconn *connection, short events, int64_t deadline_us)
{
    struct pollfd poll_fd = { .fd = PQsocket (connection), .events = events };
    for (;;) {
        int64_t left_us = deadline_us - clock_monotonic_us ();
        if (left_us <= 0)
            return -1;
        int ready = poll (&poll_fd, 1, (int)(left_us / 1000 + 1));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
}

/* Takes the answer to the first statement of a connection. */
static int
check_schema (struct pg *pg, int64_t deadline_us, struct error *err)
{
    enum pg_failure failure;
    PGresult *result = pg_receive (pg, deadline_us, &failure, err);
    if (result == NULL) /* there may be no such table */
        return failure == PG_INTERNAL ? pg_fits (pg, 0, 0, err) : -1;
    int version = PQntuples (result) == 1 ? (int)pg_int (result, 0, 0) : 0;
    int compatible_from = PQntuples (result) == 1 ? (int)pg_int (result, 0, 1) : 0;
    PQclear (result);
    return pg_fits (pg, version, compatible_from, err);
}

static int
prepare_all (struct pg *pg, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us () + PREPARE_MS * INT64_C (1000);
    enum pg_failure failure;

    if (PQsetnonblocking (pg->connection, 1) != 0 || PQenterPipelineMode (pg->connection) != 1)
        return error_set (err, ERROR_UNAVAILABLE, "the database connection has no pipeline mode");
    /* First of all, and in the same round trip: a schema of another age may lack what a statement names. */
    if (PQsendQueryParams (pg->connection, STATEMENT_SQL[STATEMENT_SCHEMA_STATE], 0, NULL, NULL, NULL, NULL, 1) != 1)
        return error_set (err, ERROR_UNAVAILABLE, "the schema's version cannot be asked for");
    pg->pending++;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (PQsendPrepare (pg->connection, STATEMENT_NAMES[i], STATEMENT_SQL[i], 0, NULL) != 1)
            return error_set (err, ERROR_UNAVAILABLE, "statement %s cannot be sent", STATEMENT_NAMES[i]);
        pg->pending++;
    }
    if (pg_sync (pg) < 0)
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke while it was set up");
    if (check_schema (pg, deadline_us, err) < 0)
        return -1;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        struct error why;
        PGresult *result = pg_receive (pg, deadline_us, &failure, &why);
        if (result == NULL)
            return error_set (err, failure == PG_UNAVAILABLE ? ERROR_UNAVAILABLE : ERROR_INTERNAL,
                              "statement %s cannot be prepared: %.180s", STATEMENT_NAMES[i], why.message);
        PQclear (result);
    }
    return pg_finish (pg, deadline_us, &failure, err);
}

/* Whether an idle connection is still one: what the server sent meanwhile, or that it hung up, is told by its socket. */
static bool
is_alive (const struct pg *pg)
{
    enum { READS_MAX = 4 };
    if (pg->connection == NULL || pg->is_stale || PQstatus (pg->connection) != CONNECTION_OK)
        return false;
    struct pollfd poll_fd = { .fd = PQsocket (pg->connection), .events = POLLIN };
    for (int i = 0; i < READS_MAX && pg->pending == 0 && poll (&poll_fd, 1, 0) > 0; i++)
        if (PQconsumeInput (pg->connection) != 1)
            return false;
    return PQstatus (pg->connection) == CONNECTION_OK;
}

int
pg_ensure (struct pg *pg, struct error *err)
{
    if (is_alive (pg))
        return 0;
    pg_close (pg);
    if (clock_monotonic_ms () < pg->retry_at_ms) {
        if (err != NULL)
            *err = pg->last;
        return -1;
    }
    struct error why;
    if (pg_connect (pg, &why) == 0 && prepare_all (pg, &why) == 0) {
        pg->backoff_ms = 0;
        log_info ("connected to the database at %s as %s", pg->server.name, pg->options.application);
        return 0;
    }
    pg_close (pg);
    pg->backoff_ms = pg->backoff_ms == 0 ? BACKOFF_MIN_MS : pg->backoff_ms * 2;
    if (pg->backoff_ms > BACKOFF_MAX_MS)
        pg->backoff_ms = BACKOFF_MAX_MS;
    pg->retry_at_ms = clock_monotonic_ms () + pg->backoff_ms;
    pg->last = why;
    log_warning ("%s", why.message);
    if (err != NULL)
        *err = why;
    return -1;
}

/* ---- pipelines */

int
pg_send (struct pg *pg, enum statement statement, const struct pg_params *params)
{
    static const int BINARY[PG_PARAMS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    if (params != NULL && params->failed)
        return -1;
    int sent = params == NULL ? PQsendQueryPrepared (pg->connection, STATEMENT_NAMES[statement], 0, NULL, NULL, NULL, 1)
                              : PQsendQueryPrepared (pg->connection, STATEMENT_NAMES[statement], params->count,
                                                     params->values, params->lengths, BINARY, 1);
    if (sent != 1)
        return -1;
    pg->pending++;
    if (statement == STATEMENT_BEGIN || statement == STATEMENT_BEGIN_SNAPSHOT)
        pg->in_transaction = true;
    pg->committing = pg->committing || statement == STATEMENT_COMMIT;
    return 0;
}

int
pg_sync (struct pg *pg)
{
    if (PQpipelineSync (pg->connection) != 1)
        return -1;
    pg->in_pipeline = true;
    return PQflush (pg->connection) < 0 ? -1 : 0;
}

/* "cached plan must not change result type": a migration gave a column another type. */
#define STALE_PLAN "0A000"
/* A statement that writes, where none may: read_only_sql_transaction. */
#define READ_ONLY "25006"

static enum pg_failure
classify (const char *state)
{
    static const struct {
        const char *prefix;
        enum pg_failure failure;
    } CLASSES
        [] = {
            { "40001", PG_RETRY },
            { "40P01", PG_RETRY },
            { "55P03", PG_LOCKED },
            { READ_ONLY, PG_UNAVAILABLE },
            { STALE_PLAN, PG_RETRY },
            { "25P03", PG_UNAVAILABLE }, /* idle in transaction for too long: the connection is gone */
            { "08", PG_UNAVAILABLE },
            { "53", PG_UNAVAILABLE },
            { "57", PG_UNAVAILABLE },
            { "58", PG_UNAVAILABLE },
            { "F0", PG_UNAVAILABLE },
            { "22", PG_DATA },
            { "23", PG_DATA },
        };
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strncmp (state, CLASSES[i].prefix, strlen (CLASSES[i].prefix)) == 0)
            return CLASSES[i].failure;
    return PG_INTERNAL;
}

enum error_code
pg_failure_code (enum pg_failure failure)
{
    switch (failure) {
    case PG_NONE:
        return ERROR_NONE;
    case PG_RETRY:
    case PG_LOCKED:
        return ERROR_BUSY;
    case PG_UNAVAILABLE:
        return ERROR_UNAVAILABLE;
    case PG_DATA:
    case PG_INTERNAL:
        break;
    }
    return ERROR_INTERNAL;
}

/* The next PGresult, NULL where libpq separates statements; -1 when the wait or the connection failed. */
static int
next_result (struct pg *pg, int64_t deadline_us, PGresult **result)
{
    for (;;) {
        int flushed = PQflush (pg->connection);
        if (flushed < 0)
            return -1;
        if (!PQisBusy (pg->connection)) {
            *result = PQgetResult (pg->connection);
            return 0;
        }
        if (pg_wait (pg->connection, (short)(flushed > 0 ? POLLIN | POLLOUT : POLLIN), deadline_us) < 0)
            return -1;
        if (PQconsumeInput (pg->connection) != 1)
            return -1;
    }
}

static PGresult *
lost (struct pg *pg, enum pg_failure *failure, struct error *err)
{
    char line[160];
    bool alive = PQstatus (pg->connection) == CONNECTION_OK;
    error_set (err, ERROR_UNAVAILABLE, "the database connection was lost: %s",
               alive ? "no answer in time" : pg_first_line (PQerrorMessage (pg->connection), line, sizeof line));
    *failure = PG_UNAVAILABLE;
    pg->doubtful = pg->doubtful || alive;
    pg->server.in_doubt += pg->committing;
    pg_close (pg);
    return NULL;
}

PGresult *
pg_receive (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    PGresult *result = NULL;
    *failure = PG_NONE;
    if (pg->connection == NULL || next_result (pg, deadline_us, &result) < 0 || result == NULL)
        return pg->connection == NULL ? (*failure = PG_UNAVAILABLE,
                                         error_set (err, ERROR_UNAVAILABLE, "the database is not connected"), NULL)
                                      : lost (pg, failure, err);
    pg->pending--;
    PGresult *separator = NULL;
    if (next_result (pg, deadline_us, &separator) < 0) {
        PQclear (result);
        return lost (pg, failure, err);
    }
    PQclear (separator); /* NULL as documented; PQclear takes it */
    ExecStatusType status = PQresultStatus (result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    const char *state = PQresultErrorField (result, PG_DIAG_SQLSTATE);
    char line[200];
    *failure = state == NULL ? PG_UNAVAILABLE : classify (state);
    /* A changed table, or a server that is a standby now or is being fenced off. */
    if (state != NULL && (strcmp (state, STALE_PLAN) == 0 || strcmp (state, READ_ONLY) == 0))
        pg->is_stale = true;
    error_set (err, pg_failure_code (*failure), "the database refused: %s (%s)",
               pg_first_line (PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line),
               state == NULL ? "connection" : state);
    PQclear (result);
    return NULL;
}

int
pg_finish (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    PGresult *result = NULL;
    *failure = PG_NONE;
    if (pg->connection == NULL || next_result (pg, deadline_us, &result) < 0 ||
        PQresultStatus (result) != PGRES_PIPELINE_SYNC) {
        PQclear (result);
        if (pg->connection != NULL)
            lost (pg, failure, err);
        *failure = PG_UNAVAILABLE;
        return -1;
    }
    PQclear (result);
    pg->in_pipeline = pg->committing = false;
    if (PQtransactionStatus (pg->connection) == PQTRANS_IDLE)
        pg->in_transaction = false;
    return 0;
}

/* A warning during COMMIT is that of a wait for a standby which was cut short: committed here, but perhaps not there, and gone if
 * this server is. */
static int
in_doubt (struct pg *pg, enum pg_failure *failure, struct error *err)
{
    pg->doubtful = true;
    pg->server.in_doubt++;
    pg_close (pg);
    *failure = PG_UNAVAILABLE;
    return error_set (err, ERROR_UNAVAILABLE, "it is not known whether a standby has the commit");
}

int
pg_finish_commit (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    unsigned warnings = pg->warnings;
    PGresult *result = pg_receive (pg, deadline_us, failure, err);
    if (result == NULL)
        return -1;
    /* A COMMIT of a failed transaction succeeds as ROLLBACK. */
    bool committed = strcmp (PQcmdStatus (result), "COMMIT") == 0;
    PQclear (result);
    if (!committed) {
        *failure = PG_RETRY;
        return error_set (err, ERROR_BUSY, "the transaction was rolled back");
    }
    if (pg->warnings != warnings)
        return in_doubt (pg, failure, err);
    return pg_finish (pg, deadline_us, failure, err);
}

void
pg_abandon (struct pg *pg)
{
    int64_t deadline_us = clock_monotonic_us () + ABANDON_MS * INT64_C (1000);
    enum pg_failure failure;
    if (pg->connection == NULL)
        return;
    if (pg->is_stale) {
        log_info ("what %s was connected to was changed: connecting anew", pg->options.application);
        pg_close (pg);
        return;
    }
    if (!pg->in_pipeline && pg_sync (pg) < 0) {
        pg_close (pg);
        return;
    }
    for (;;) {
        PGresult *result = NULL;
        if (next_result (pg, deadline_us, &result) < 0) {
            pg_close (pg);
            return;
        }
        bool end = result != NULL && PQresultStatus (result) == PGRES_PIPELINE_SYNC;
        PQclear (result);
        if (end)
            break;
    }
    pg->pending = 0;
    pg->in_pipeline = pg->committing = false;
    if (PQtransactionStatus (pg->connection) == PQTRANS_IDLE) {
        pg->in_transaction = false;
        return;
    }
    PGresult *result = NULL;
    if (pg_send (pg, STATEMENT_ROLLBACK, NULL) == 0 && pg_sync (pg) == 0)
        result = pg_receive (pg, deadline_us, &failure, NULL);
    if (result == NULL || pg_finish (pg, deadline_us, &failure, NULL) < 0)
        pg_close (pg);
    PQclear (result);
}

PGresult *
pg_run (struct pg *pg, enum statement statement, const struct pg_params *params, int64_t deadline_us,
        enum pg_failure *failure, struct error *err)
{
    if (pg_send (pg, statement, params) < 0 || pg_sync (pg) < 0) {
        *failure = PG_UNAVAILABLE;
        error_set (err, ERROR_UNAVAILABLE, "statement %s cannot be sent", STATEMENT_NAMES[statement]);
        pg_close (pg);
        return NULL;
    }
    unsigned warnings = pg->warnings;
    bool commits = !pg->in_transaction;
    PGresult *result = pg_receive (pg, deadline_us, failure, err);
    if (result == NULL) {
        pg_abandon (pg);
        return NULL;
    }
    if (commits && pg->warnings != warnings) {
        PQclear (result);
        in_doubt (pg, failure, err);
        return NULL;
    }
    if (pg_finish (pg, deadline_us, failure, err) < 0) {
        PQclear (result);
        return NULL;
    }
    return result;
}
