/* pg.c - see pg.h. Binary formats: https://www.postgresql.org/docs/current/protocol-overview.html and the
 * send functions of each type (array_send: dimensions, null flag, element type, then length and value). */
#include "store/pg.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* PostgreSQL counts microseconds from 2000-01-01. */
#define PG_EPOCH_US INT64_C (946684800000000)

struct pg {
    struct pg_options options;
    PGconn *connection;
    int pending;               /* statements sent whose results were not received */
    bool in_pipeline;          /* a sync is outstanding */
    bool in_transaction;
    int64_t retry_at_ms;       /* no attempt to connect before this */
    int backoff_ms;
    struct error last;         /* why the last attempt failed */
};

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
    free (*pg);
    *pg = NULL;
}

bool
pg_connected (const struct pg *pg)
{
    return pg->connection != NULL;
}

void
pg_close (struct pg *pg)
{
    if (pg->connection != NULL)
        PQfinish (pg->connection);
    pg->connection = NULL;
    pg->pending = 0;
    pg->in_pipeline = pg->in_transaction = false;
}

/* ---- connecting */

/* One line of the server's or libpq's message, without the newline. */
static const char *
first_line (const char *message, char *line, size_t size)
{
    snprintf (line, size, "%s", message == NULL ? "" : message);
    line[strcspn (line, "\n")] = '\0';
    return line;
}

static int
wait_socket (struct pg *pg, short events, int64_t deadline_us)
{
    struct pollfd poll_fd = { .fd = PQsocket (pg->connection), .events = events };
    for (;;) {
        int64_t left_us = deadline_us - clock_monotonic_us ();
        if (left_us <= 0)
            return -1;
        int ready = poll (&poll_fd, 1, (int) (left_us / 1000 + 1));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
}

static int
connect_start (struct pg *pg, struct error *err)
{
    char settings[400], line[160];
    /* Generic plans: the statements take arrays, whose sizes a plan should not depend on. And plans by index alone: a plan
     * that was made while a table was empty, and stays until it is analyzed, must not be a scan of it. */
    snprintf (settings, sizeof settings,
              "-c lock_timeout=%d -c idle_in_transaction_session_timeout=%d -c plan_cache_mode=force_generic_plan -c jit=off "
              "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off "
              "-c default_transaction_read_only=%s",
              pg->options.lock_timeout_ms, pg->options.idle_in_transaction_timeout_ms,
              pg->options.read_only ? "on" : "off");
    const char *keywords[] = { "dbname", "application_name", "options", "client_encoding", NULL };
    const char *values[] = { pg->options.url, pg->options.application, settings, "UTF8", NULL };
    int64_t deadline_us = clock_monotonic_us () + pg->options.connect_timeout_ms * INT64_C (1000);

    pg->connection = PQconnectStartParams (keywords, values, 1);
    if (pg->connection == NULL)
        return error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: out of memory");
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus (pg->connection) != CONNECTION_BAD && status != PGRES_POLLING_OK
           && status != PGRES_POLLING_FAILED) {
        if (wait_socket (pg, status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline_us) < 0)
            return error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: no answer within %d ms",
                              pg->options.connect_timeout_ms);
        status = PQconnectPoll (pg->connection);
    }
    if (PQstatus (pg->connection) != CONNECTION_OK)
        return error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: %s",
                          first_line (PQerrorMessage (pg->connection), line, sizeof line));
    return 0;
}

static int
prepare_all (struct pg *pg, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us () + PREPARE_MS * INT64_C (1000);
    enum pg_failure failure;

    if (PQsetnonblocking (pg->connection, 1) != 0 || PQenterPipelineMode (pg->connection) != 1)
        return error_set (err, ERROR_UNAVAILABLE, "the database connection has no pipeline mode");
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (PQsendPrepare (pg->connection, STATEMENT_NAMES[i], STATEMENT_SQL[i], 0, NULL) != 1)
            return error_set (err, ERROR_UNAVAILABLE, "statement %s cannot be sent", STATEMENT_NAMES[i]);
        pg->pending++;
    }
    if (pg_sync (pg) < 0)
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke while it was set up");
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

int
pg_ensure (struct pg *pg, struct error *err)
{
    if (pg->connection != NULL && PQstatus (pg->connection) == CONNECTION_OK)
        return 0;
    pg_close (pg);
    if (clock_monotonic_ms () < pg->retry_at_ms) {
        if (err != NULL)
            *err = pg->last;
        return -1;
    }
    struct error why;
    if (connect_start (pg, &why) == 0 && prepare_all (pg, &why) == 0) {
        pg->backoff_ms = 0;
        log_info ("connected to the database as %s", pg->options.application);
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
    int sent = params == NULL
                   ? PQsendQueryPrepared (pg->connection, STATEMENT_NAMES[statement], 0, NULL, NULL, NULL, 1)
                   : PQsendQueryPrepared (pg->connection, STATEMENT_NAMES[statement], params->count, params->values,
                                          params->lengths, BINARY, 1);
    if (sent != 1)
        return -1;
    pg->pending++;
    if (statement == STATEMENT_BEGIN || statement == STATEMENT_BEGIN_SNAPSHOT)
        pg->in_transaction = true;
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

static enum pg_failure
classify (const char *state)
{
    static const struct {
        const char *prefix;
        enum pg_failure failure;
    } CLASSES[] = {
        { "40001", PG_RETRY }, { "40P01", PG_RETRY },    { "55P03", PG_LOCKED }, { "25006", PG_UNAVAILABLE },
        { "25P03", PG_UNAVAILABLE }, /* idle in transaction for too long: the connection is gone */
        { "08", PG_UNAVAILABLE }, { "53", PG_UNAVAILABLE }, { "57", PG_UNAVAILABLE }, { "58", PG_UNAVAILABLE },
        { "F0", PG_UNAVAILABLE }, { "22", PG_DATA },        { "23", PG_DATA },
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
        if (wait_socket (pg, (short) (flushed > 0 ? POLLIN | POLLOUT : POLLIN), deadline_us) < 0)
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
               alive ? "no answer in time" : first_line (PQerrorMessage (pg->connection), line, sizeof line));
    *failure = PG_UNAVAILABLE;
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
    error_set (err, pg_failure_code (*failure), "the database refused: %s (%s)",
               first_line (PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line),
               state == NULL ? "connection" : state);
    PQclear (result);
    return NULL;
}

int
pg_finish (struct pg *pg, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    PGresult *result = NULL;
    *failure = PG_NONE;
    if (pg->connection == NULL || next_result (pg, deadline_us, &result) < 0
        || PQresultStatus (result) != PGRES_PIPELINE_SYNC) {
        PQclear (result);
        if (pg->connection != NULL)
            lost (pg, failure, err);
        *failure = PG_UNAVAILABLE;
        return -1;
    }
    PQclear (result);
    pg->in_pipeline = false;
    if (PQtransactionStatus (pg->connection) == PQTRANS_IDLE)
        pg->in_transaction = false;
    return 0;
}

void
pg_abandon (struct pg *pg)
{
    int64_t deadline_us = clock_monotonic_us () + ABANDON_MS * INT64_C (1000);
    enum pg_failure failure;
    if (pg->connection == NULL)
        return;
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
    pg->in_pipeline = false;
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
    PGresult *result = pg_receive (pg, deadline_us, failure, err);
    if (result == NULL) {
        pg_abandon (pg);
        return NULL;
    }
    if (pg_finish (pg, deadline_us, failure, err) < 0) {
        PQclear (result);
        return NULL;
    }
    return result;
}

/* ---- parameters */

static void
put_big_endian (uint8_t *to, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t) value;
}

static void
param_add (struct pg_params *params, const char *value, int length)
{
    if (params->count == PG_PARAMS_MAX) {
        params->failed = true;
        return;
    }
    params->values[params->count] = value;
    params->lengths[params->count++] = length;
}

static void
param_number (struct pg_params *params, uint64_t value, int size)
{
    uint8_t *bytes = arena_alloc (params->arena, 8);
    if (bytes == NULL) {
        params->failed = true;
        return;
    }
    put_big_endian (bytes, value, size);
    param_add (params, (const char *) bytes, size);
}

void
pg_param_null (struct pg_params *params)
{
    param_add (params, NULL, 0);
}

void
pg_param_bool (struct pg_params *params, bool value)
{
    param_number (params, value, 1);
}

void
pg_param_int2 (struct pg_params *params, int16_t value)
{
    param_number (params, (uint64_t) value, 2);
}

void
pg_param_int4 (struct pg_params *params, int32_t value)
{
    param_number (params, (uint64_t) value, 4);
}

void
pg_param_int8 (struct pg_params *params, int64_t value)
{
    param_number (params, (uint64_t) value, 8);
}

static int64_t
time_to_pg (int64_t instant)
{
    return instant == INSTANT_NEVER || instant == INT64_MIN ? instant : instant - PG_EPOCH_US;
}

void
pg_param_time (struct pg_params *params, int64_t instant)
{
    pg_param_int8 (params, time_to_pg (instant));
}

void
pg_param_bytes (struct pg_params *params, struct str bytes)
{
    param_add (params, bytes.size > 0 ? bytes.data : "", (int) bytes.size);
}

void
pg_param_text (struct pg_params *params, struct str text)
{
    pg_param_bytes (params, text);
}

void
pg_array_begin (struct pg_array *array, enum pg_type type)
{
    *array = (struct pg_array){ .type = type };
}

void
pg_array_null (struct pg_array *array)
{
    static const uint8_t LENGTH_NULL[4] = { 0xff, 0xff, 0xff, 0xff };
    buf_append (&array->bytes, LENGTH_NULL, 4);
    array->has_null = true;
    array->count++;
}

void
pg_array_int (struct pg_array *array, int64_t value)
{
    int size = array->type == PG_BOOL ? 1 : array->type == PG_INT2 ? 2 : array->type == PG_INT4 ? 4 : 8;
    uint8_t *room = buf_reserve (&array->bytes, 12);
    if (room == NULL)
        return;
    put_big_endian (room, (uint64_t) size, 4);
    put_big_endian (room + 4, (uint64_t) value, size);
    array->bytes.size += 4 + (size_t) size;
    array->count++;
}

void
pg_array_time (struct pg_array *array, int64_t instant)
{
    pg_array_int (array, time_to_pg (instant));
}

void
pg_array_bytes (struct pg_array *array, struct str value)
{
    uint8_t length[4];
    put_big_endian (length, value.size, 4);
    buf_append (&array->bytes, length, 4);
    buf_append (&array->bytes, value.data, value.size);
    array->count++;
}

void
pg_param_array (struct pg_params *params, struct pg_array *array)
{
    size_t size = array->count == 0 ? 12 : 20 + array->bytes.size;
    uint8_t *bytes = array->bytes.failed || size > INT32_MAX ? NULL : arena_alloc (params->arena, size);
    if (bytes == NULL) {
        params->failed = true;
    } else {
        put_big_endian (bytes, array->count > 0, 4);
        put_big_endian (bytes + 4, array->has_null, 4);
        put_big_endian (bytes + 8, (uint64_t) array->type, 4);
        if (array->count > 0) {
            put_big_endian (bytes + 12, array->count, 4);
            put_big_endian (bytes + 16, 1, 4);
            memcpy (bytes + 20, array->bytes.data, array->bytes.size);
        }
        param_add (params, (const char *) bytes, (int) size);
    }
    buf_free (&array->bytes);
}

void
pg_param_int8s (struct pg_params *params, const int64_t *values, uint32_t count)
{
    struct pg_array array;
    pg_array_begin (&array, PG_INT8);
    for (uint32_t i = 0; i < count; i++)
        pg_array_int (&array, values[i]);
    pg_param_array (params, &array);
}

struct str
pg_array_text (struct arena *arena, const int64_t *values, uint32_t count)
{
    /* 20 digits and a comma each at most. */
    char *text = arena_alloc (arena, (size_t) count * 21 + 3);
    size_t size = 0;
    if (text == NULL)
        return (struct str){ NULL, 0 };
    text[size++] = '{';
    for (uint32_t i = 0; i < count; i++)
        size += (size_t) snprintf (text + size, 22, "%s%lld", i ? "," : "", (long long) values[i]);
    text[size++] = '}';
    return (struct str){ text, (uint32_t) size };
}

/* ---- values */

static uint64_t
get_big_endian (const char *from, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | (uint8_t) from[i];
    return value;
}

static int64_t
get_signed (const char *from, int size)
{
    uint64_t value = get_big_endian (from, size);
    return size == 2 ? (int16_t) value : size == 4 ? (int32_t) value : (int64_t) value;
}

bool
pg_is_null (const PGresult *result, int row, int column)
{
    return PQgetisnull (result, row, column);
}

bool
pg_bool (const PGresult *result, int row, int column)
{
    return !pg_is_null (result, row, column) && *PQgetvalue (result, row, column) != 0;
}

int64_t
pg_int (const PGresult *result, int row, int column)
{
    int size = PQgetlength (result, row, column);
    return size == 2 || size == 4 || size == 8 ? get_signed (PQgetvalue (result, row, column), size) : 0;
}

int64_t
pg_time (const PGresult *result, int row, int column)
{
    int64_t value = pg_int (result, row, column);
    return value == INT64_MAX || value == INT64_MIN ? value : value + PG_EPOCH_US;
}

struct str
pg_text (const PGresult *result, int row, int column)
{
    return (struct str){ PQgetvalue (result, row, column), (uint32_t) PQgetlength (result, row, column) };
}

/* The elements of a one-dimensional array value: count, and where the first one starts. */
static int
array_open (const PGresult *result, int row, int column, const char **at, const char **end)
{
    *at = PQgetvalue (result, row, column);
    *end = *at + PQgetlength (result, row, column);
    if (*end - *at < 20 || get_big_endian (*at, 4) != 1)
        return 0;
    int count = (int) get_big_endian (*at + 12, 4);
    *at += 20;
    return count;
}

int
pg_int_array (const PGresult *result, int row, int column, struct arena *arena, const int64_t **values)
{
    const char *at, *end;
    int count = array_open (result, row, column, &at, &end);
    int64_t *list = arena_array_of (arena, (size_t) count + 1, int64_t);
    *values = list;
    if (list == NULL)
        return 0;
    for (int i = 0; i < count; i++) {
        int size = (int) get_big_endian (at, 4);
        list[i] = get_signed (at + 4, size);
        at += 4 + size;
    }
    return count;
}

int
pg_text_array (const PGresult *result, int row, int column, struct arena *arena, const struct str **values)
{
    const char *at, *end;
    int count = array_open (result, row, column, &at, &end);
    struct str *list = arena_array_of (arena, (size_t) count + 1, struct str);
    *values = list;
    if (list == NULL)
        return 0;
    for (int i = 0; i < count; i++) {
        int size = (int) get_big_endian (at, 4);
        list[i] = arena_str (arena, (struct str){ at + 4, (uint32_t) size });
        at += 4 + size;
    }
    return count;
}
