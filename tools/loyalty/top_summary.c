/* top_summary.c - see top_summary.h. Nothing here asks anybody or prints anything. */
#include "top_summary.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
    TIP_SILENT_MS = 3000, /* a leader sends a tip every second */
    LIMITED_MS = 60000,   /* who was refused something longer ago is forgotten */
};

static double
figure (const json_t *object, const char *name)
{
    return json_number_value (json_object_get (object, name));
}

static const char *
text (const json_t *object, const char *name)
{
    const char *value = json_string_value (json_object_get (object, name));
    return value != NULL ? value : "";
}

static const json_t *
stats_of (const json_t *broker)
{
    return json_object_get (broker, "stats");
}

/* The object of a list whose `name` has this text; NULL: there is none. */
static json_t *
find_by (const json_t *list, const char *name, const char *value)
{
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one) if (strcmp (text (one, name), value) == 0) return one;
    return NULL;
}

/* What grew from `before` to `now` in so many milliseconds, by the second. A counter that fell began anew. */
static double
rate (double now, double before, double elapsed_ms)
{
    double grown = now >= before ? now - before : now;
    return elapsed_ms > 0 ? grown * 1000 / elapsed_ms : 0;
}

static void
put (json_t *object, const char *name, double value)
{
    json_object_set_new (object, name, json_real (value));
}

static void
put_whole (json_t *object, const char *name, double value)
{
    json_object_set_new (object, name, json_integer ((json_int_t)value));
}

static void
add (json_t *object, const char *name, double value)
{
    put_whole (object, name, figure (object, name) + value);
}

/* ---- brokers */

struct span {
    const json_t *look, *before; /* before NULL: since they began */
    double elapsed_ms;
};

/* The same broker in the look before; NULL: it was not there, or did not answer, or began anew since. */
static const json_t *
stats_before (const struct span *span, const json_t *broker)
{
    const json_t *before =
        stats_of (find_by (json_object_get (span->before, "brokers"), "endpoint", text (broker, "endpoint")));
    return figure (before, "uptime_ms") <= figure (stats_of (broker), "uptime_ms") ? before : NULL;
}

static double
broker_rate (const struct span *span, const json_t *broker)
{
    const json_t *stats = stats_of (broker), *before = stats_before (span, broker);
    if (before == NULL)
        return figure (json_object_get (stats, "queue"), "answered_per_s");
    return rate (figure (json_object_get (stats, "counters"), "answered"),
                 figure (json_object_get (before, "counters"), "answered"), span->elapsed_ms);
}

static const char *
broker_state (const json_t *broker)
{
    if (stats_of (broker) == NULL)
        return "away";
    return json_is_true (json_object_get (stats_of (broker), "draining")) ? "draining" : "ready";
}

static json_t *
broker_row (const struct span *span, const json_t *broker)
{
    static const char *const QUEUE[] = { "waiting", "in_work", "clients" };
    const json_t *queue = json_object_get (stats_of (broker), "queue");
    json_t *row = json_pack ("{s:s, s:s}", "endpoint", text (broker, "endpoint"), "state", broker_state (broker));
    if (stats_of (broker) == NULL) {
        json_object_set (row, "message", json_object_get (json_object_get (broker, "error"), "message"));
        return row;
    }
    put (row, "rate_per_s", broker_rate (span, broker));
    put_whole (row, "uptime_ms", figure (stats_of (broker), "uptime_ms"));
    for (size_t i = 0; i < sizeof QUEUE / sizeof QUEUE[0]; i++)
        put_whole (row, QUEUE[i], figure (queue, QUEUE[i]));
    return row;
}

static void
add_queue (json_t *summary, const json_t *stats)
{
    static const char *const NAMES[] = { "waiting", "in_work", "bytes", "clients", "clients_waiting" };
    const json_t *from = json_object_get (stats, "queue");
    json_t *queue = json_object_get (summary, "queue"), *capacity = json_object_get (from, "capacity_per_s");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        add (queue, NAMES[i], figure (from, NAMES[i]));
    if (json_is_number (capacity))
        put (summary, "capacity_per_s", figure (summary, "capacity_per_s") + json_number_value (capacity));
}

static void
take_latency (json_t *summary, const json_t *stats)
{
    json_t *latency = json_object_get (stats, "latency_us");
    if (json_is_null (json_object_get (summary, "latency_us")) ||
        figure (latency, "p99") > figure (json_object_get (summary, "latency_us"), "p99"))
        json_object_set (summary, "latency_us", latency);
}

static void
add_errors (json_t *summary, const struct span *span, const json_t *broker)
{
    const char *code;
    json_t *count, *errors = json_object_get (stats_of (broker), "errors");
    const json_t *before = stats_before (span, broker);
    json_object_foreach (errors, code, count)
    {
        json_t *all = json_object_get (summary, "errors"), *one = json_object_get (all, code);
        if (one == NULL)
            json_object_set_new (all, code, one = json_pack ("{s:i, s:f}", "total", 0, "rate_per_s", 0.0));
        add (one, "total", json_number_value (count));
        if (before != NULL)
            put (one, "rate_per_s",
                 figure (one, "rate_per_s") + rate (json_number_value (count),
                                                    figure (json_object_get (before, "errors"), code),
                                                    span->elapsed_ms));
    }
}

/* Whom a bound of its own refused something just now. */
static void
add_limited (json_t *summary, const json_t *stats)
{
    static const char *const BOUNDS[] = { "requests", "rate", "bytes" };
    json_t *rows = json_object_get (summary, "limited"), *client;
    size_t i;
    json_array_foreach (json_object_get (stats, "limited"), i, client)
    {
        const char *user = text (client, "user"), *who = user[0] != '\0' ? user : text (client, "connection");
        if (figure (client, "ago_ms") > LIMITED_MS)
            continue;
        json_t *row = find_by (rows, "who", who);
        if (row == NULL) {
            row = json_pack ("{s:s, s:i}", "who", who, "refused", 0);
            json_array_append_new (rows, row);
        }
        for (size_t k = 0; k < sizeof BOUNDS / sizeof BOUNDS[0]; k++)
            add (row, "refused", figure (client, BOUNDS[k]));
    }
}

/* ---- workers */

static const char *
worker_state (const json_t *worker)
{
    if (json_is_true (json_object_get (worker, "suspect")))
        return "silent";
    return json_is_true (json_object_get (worker, "draining")) ? "draining" : "ready";
}

static double
worker_rate (const struct span *span, const json_t *worker, const json_t *before)
{
    if (before == NULL)
        return rate (figure (worker, "answered"), 0, figure (worker, "joined_ms"));
    return rate (figure (worker, "answered"), figure (before, "answered"), span->elapsed_ms);
}

/* Requests in a batch, and how long one waits for the database, on the mean. A worker says the same to all brokers. */
static void
put_batches (json_t *row, const json_t *stats, const json_t *before)
{
    bool is_same = figure (stats, "batches") >= figure (before, "batches");
    const json_t *from = is_same ? before : NULL;
    double batches = figure (stats, "batches") - figure (from, "batches");
    if (json_object_get (row, "batch") != NULL || json_object_get (stats, "batches") == NULL)
        return;
    json_object_set_new (row, "batch", json_null ());
    json_object_set_new (row, "batch_ms", json_null ());
    json_object_set (row, "stats", (json_t *)(uintptr_t)stats);
    if (batches > 0) {
        put (row, "batch", (figure (stats, "batch_requests") - figure (from, "batch_requests")) / batches);
        put (row, "batch_ms",
             (figure (stats, "batch_database_us") - figure (from, "batch_database_us")) / batches / 1000);
    }
}

static void
add_worker (json_t *rows, const struct span *span, const json_t *worker, const json_t *before)
{
    static const char *const SUMS[] = { "credit", "in_work", "answered", "overdue" };
    json_t *row = find_by (rows, "name", text (worker, "name"));
    if (row == NULL) {
        row = json_pack ("{s:s, s:f, s:s}", "name", text (worker, "name"), "rate_per_s", 0.0, "state", "ready");
        json_array_append_new (rows, row);
    }
    put (row, "rate_per_s", figure (row, "rate_per_s") + worker_rate (span, worker, before));
    for (size_t i = 0; i < sizeof SUMS / sizeof SUMS[0]; i++)
        add (row, SUMS[i], figure (worker, SUMS[i]));
    if (strcmp (worker_state (worker), "ready") != 0)
        json_object_set_new (row, "state", json_string (worker_state (worker)));
    put_batches (row, json_object_get (worker, "stats"), json_object_get (before, "stats"));
}

static void
add_workers (json_t *summary, const struct span *span, const json_t *broker)
{
    size_t i;
    json_t *worker, *before = json_object_get (stats_before (span, broker), "workers");
    json_array_foreach (json_object_get (stats_of (broker), "workers"), i, worker) add_worker (
        json_object_get (summary, "workers"), span, worker, find_by (before, "session", text (worker, "session")));
}

/* The row of a database server, and one more worker that is connected to it. */
static json_t *
add_database (json_t *databases, const char *server, const char *role)
{
    json_t *row = find_by (databases, "server", server);
    if (row == NULL) {
        row = json_pack ("{s:s, s:i}", "server", server, "workers", 0);
        json_array_append_new (databases, row);
    }
    json_object_set_new (row, "role", json_string (role));
    add (row, "workers", 1);
    return row;
}

/* Which database servers the workers talk to. */
static void
add_databases (json_t *summary)
{
    size_t i;
    json_t *worker, *databases = json_object_get (summary, "databases");
    json_array_foreach (json_object_get (summary, "workers"), i, worker)
    {
        const json_t *stats = json_object_get (worker, "stats");
        const char *server = text (stats, "server"), *replica = text (stats, "replica");
        bool is_standby = json_is_true (json_object_get (stats, "in_recovery"));
        if (server[0] != '\0') {
            json_t *row = add_database (databases, server, is_standby ? "standby" : "primary");
            json_object_set (row, "timeline", json_object_get (stats, "timeline"));
            add (row, "in_doubt", figure (stats, "in_doubt"));
        }
        if (replica[0] != '\0') {
            json_t *row = add_database (databases, replica, "replica");
            double lag_ms = figure (stats, "replica_lag_ms");
            json_object_set_new (row, "lag_ms", lag_ms >= 0 ? json_real (lag_ms) : json_null ());
        }
    }
}

/* ---- the feed */

static json_t *
feed_summary (const struct span *span)
{
    static const char *const NAMES[] = { "number", "epoch", "leader", "lag_ms" };
    const json_t *feed = json_object_get (span->look, "feed"), *tip = json_object_get (feed, "tip");
    const json_t *before = json_object_get (json_object_get (span->before, "feed"), "tip");
    bool is_live = tip != NULL && figure (feed, "heard_ms") < TIP_SILENT_MS;
    bool is_known = json_array_size (json_object_get (feed, "endpoints")) > 0;
    json_t *summary = json_pack ("{s:s}", "state", is_live ? "live" : is_known ? "silent" : "unknown");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        json_t *value = json_object_get (tip, NAMES[i]);
        json_object_set (summary, NAMES[i], value != NULL ? value : json_null ());
    }
    json_object_set_new (summary, "heard_ms",
                         tip != NULL ? json_integer ((json_int_t)figure (feed, "heard_ms")) : json_null ());
    json_object_set_new (summary, "rate_per_s",
                         tip != NULL && before != NULL
                             ? json_real (rate (figure (tip, "number"), figure (before, "number"), span->elapsed_ms))
                             : json_null ());
    return summary;
}

static json_t *
time_now (void)
{
    char at[32];
    time_t now = time (NULL);
    struct tm utc;
    gmtime_r (&now, &utc);
    strftime (at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string (at);
}

json_t *
top_summary (const json_t *look, const json_t *before)
{
    struct span span = { look, before, before != NULL ? figure (look, "at_ms") - figure (before, "at_ms") : 0 };
    size_t i;
    json_t *broker;
    json_t *summary =
        json_pack ("{s:o, s:n, s:i, s:[], s:f, s:n, s:{}, s:n, s:{}, s:[], s:[], s:o, s:[]}", "at", time_now (),
                   "version", "uptime_ms", 0, "brokers", "rate_per_s", 0.0, "capacity_per_s", "queue", "latency_us",
                   "errors", "limited", "workers", "feed", feed_summary (&span), "databases");
    json_array_foreach (json_object_get (look, "brokers"), i, broker)
    {
        json_t *row = broker_row (&span, broker);
        json_array_append_new (json_object_get (summary, "brokers"), row);
        if (stats_of (broker) == NULL)
            continue;
        put (summary, "rate_per_s", figure (summary, "rate_per_s") + figure (row, "rate_per_s"));
        if (figure (row, "uptime_ms") >= figure (summary, "uptime_ms"))
            put_whole (summary, "uptime_ms", figure (row, "uptime_ms"));
        json_object_set (summary, "version", json_object_get (stats_of (broker), "version"));
        add_queue (summary, stats_of (broker));
        take_latency (summary, stats_of (broker));
        add_errors (summary, &span, broker);
        add_limited (summary, stats_of (broker));
        add_workers (summary, &span, broker);
    }
    add_databases (summary);
    return summary;
}
