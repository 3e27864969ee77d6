/* top_view.c - see top_view.h. */
#include "top_view.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, HEAD_EVERY = 20, LABEL = 10, ENDPOINT_COLUMNS = 28, NAME_COLUMNS = 18, SERVER_COLUMNS = 24 };

struct view {
    bool is_live;
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

static bool
is_number (const json_t *object, const char *name)
{
    return json_is_number (json_object_get (object, name));
}

/* Starts a line; on a live screen what stood there is wiped. */
static void
line (const struct view *view)
{
    printf (view->is_live ? "\n\033[K" : "\n");
}

/* "1d 02:03:04" */
static const char *
duration_text (double ms, char out[32])
{
    long long s = (long long)ms / 1000;
    int length = 0;
    if (s >= 86400)
        length = snprintf (out, 32, "%lldd ", s / 86400);
    snprintf (out + length, 32 - (size_t)length, "%02lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
    return out;
}

/* Microseconds as a person reads them, to three digits: "870 µs", "1.24 ms", "2.10 s". */
static const char *
latency_text (const json_t *latency, const char *name, char out[32])
{
    double us = figure (latency, name);
    if (us < 1000)
        snprintf (out, 32, "%.0f µs", us);
    else if (us < 1e6)
        snprintf (out, 32, us < 1e4 ? "%.2f ms" : us < 1e5 ? "%.1f ms" : "%.0f ms", us / 1e3);
    else
        snprintf (out, 32, us < 1e7 ? "%.2f s" : "%.0f s", us / 1e6);
    return out;
}

/* A number, or a dash where nobody knows it. */
static const char *
number_text (const json_t *object, const char *name, int digits, char out[32])
{
    if (is_number (object, name))
        snprintf (out, 32, "%.*f", digits, figure (object, name));
    else
        snprintf (out, 32, "-");
    return out;
}

static void
requests_draw (const struct view *view, const json_t *summary)
{
    const json_t *queue = json_object_get (summary, "queue");
    char capacity[32] = "not known yet";
    if (is_number (summary, "capacity_per_s"))
        snprintf (capacity, sizeof capacity, "%.0f/s", figure (summary, "capacity_per_s"));
    line (view);
    printf ("requests  %.0f/s answered, capacity %s", figure (summary, "rate_per_s"), capacity);
    line (view);
    printf ("queue     %.0f waiting, %.0f in work, %.1f MiB; %.0f clients, %.0f of them waiting",
            figure (queue, "waiting"), figure (queue, "in_work"), figure (queue, "bytes") / 1048576,
            figure (queue, "clients"), figure (queue, "clients_waiting"));
}

static void
latency_draw (const struct view *view, const json_t *summary)
{
    const json_t *latency = json_object_get (summary, "latency_us");
    char p50[32], p90[32], p99[32], p999[32], most[32];
    line (view);
    printf ("latency   p50 %s, p90 %s, p99 %s, p99.9 %s, most %s", latency_text (latency, "p50", p50),
            latency_text (latency, "p90", p90), latency_text (latency, "p99", p99),
            latency_text (latency, "p999", p999), latency_text (latency, "max", most));
}

/* One more of a list that goes on in the next line where this one is full; *column is where it is. */
static void
item_draw (const struct view *view, int *column, const char *item)
{
    if (*column + 2 + (int)strlen (item) > COLUMNS) {
        line (view);
        printf ("%*s", LABEL, "");
        *column = LABEL;
    }
    *column += printf ("%s%s", *column > LABEL ? ", " : "", item);
}

static void
errors_draw (const struct view *view, const json_t *summary)
{
    json_t *errors = json_object_get (summary, "errors"), *one;
    const char *code;
    int column = LABEL;
    line (view);
    printf ("errors    %s", json_object_size (errors) == 0 ? "none" : "");
    json_object_foreach (errors, code, one)
    {
        char item[80], grown[32] = "";
        if (figure (one, "rate_per_s") > 0)
            snprintf (grown, sizeof grown, " (+%.3g/s)", figure (one, "rate_per_s"));
        snprintf (item, sizeof item, "%s %.0f%s", code, figure (one, "total"), grown);
        item_draw (view, &column, item);
    }
}

static void
limited_draw (const struct view *view, const json_t *summary)
{
    const json_t *limited = json_object_get (summary, "limited");
    size_t i;
    json_t *one;
    int column = LABEL;
    if (json_array_size (limited) == 0)
        return;
    line (view);
    printf ("limited   ");
    json_array_foreach (limited, i, one)
    {
        char item[80];
        snprintf (item, sizeof item, "%.40s %.0f", text (one, "who"), figure (one, "refused"));
        item_draw (view, &column, item);
    }
}

/* "feed-1 host" of "feed-1 host 3128 c834a6a86b8e07cf": what is behind only tells one process from another. */
static void
leader_text (const char *name, char out[32])
{
    const char *end = strchr (name, ' ');
    end = end != NULL ? strchr (end + 1, ' ') : NULL;
    snprintf (out, 32, "%.*s", end != NULL ? (int)(end - name) : (int)strlen (name), name);
}

static void
feed_draw (const struct view *view, const json_t *summary)
{
    const json_t *feed = json_object_get (summary, "feed");
    const char *state = text (feed, "state");
    char number[32], leader[32], rate[48] = "", lag[48] = "";
    line (view);
    if (!is_number (feed, "number")) {
        printf ("feed      %s", strcmp (state, "unknown") == 0 ? "not known (--feed names it)" : "nobody publishes");
        return;
    }
    if (is_number (feed, "rate_per_s"))
        snprintf (rate, sizeof rate, ", %.0f/s", figure (feed, "rate_per_s"));
    if (is_number (feed, "lag_ms"))
        snprintf (lag, sizeof lag, ", %.0f ms behind", figure (feed, "lag_ms"));
    leader_text (text (feed, "leader"), leader);
    printf ("feed      event %s%s%s", number_text (feed, "number", 0, number), rate, lag);
    line (view);
    printf ("%*sled by %s, epoch %.0f", LABEL, "", leader, figure (feed, "epoch"));
    if (strcmp (state, "silent") == 0)
        printf (", SILENT for %.0f s", figure (feed, "heard_ms") / 1000);
}

static void
database_draw (const json_t *database)
{
    char number[32];
    /* Of a long name (the path of a socket) the end tells more than the beginning. */
    const char *server = text (database, "server");
    size_t length = strlen (server);
    bool is_long = length > SERVER_COLUMNS;
    printf ("%s %s%s, ", text (database, "role"), is_long ? "…" : "",
            is_long ? server + length - SERVER_COLUMNS + 1 : server);
    if (strcmp (text (database, "role"), "replica") == 0)
        printf ("%s ms behind", number_text (database, "lag_ms", 0, number));
    else
        printf ("timeline %s", number_text (database, "timeline", 0, number));
    printf (", %.0f workers", figure (database, "workers"));
    if (figure (database, "in_doubt") > 0)
        printf (", %.0f commits in doubt", figure (database, "in_doubt"));
}

static void
databases_draw (const struct view *view, const json_t *summary)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get (summary, "databases"), i, one)
    {
        line (view);
        printf ("%-*s", LABEL, i == 0 ? "database" : "");
        database_draw (one);
    }
}

/* Only where there is something to compare, or to worry about. */
static void
brokers_draw (const struct view *view, const json_t *summary)
{
    const json_t *brokers = json_object_get (summary, "brokers");
    size_t i;
    json_t *one;
    if (json_array_size (brokers) < 2)
        return;
    line (view);
    line (view);
    printf ("%-*s %8s %8s %8s %8s  %s", ENDPOINT_COLUMNS, "broker", "rate", "waiting", "in work", "clients", "state");
    json_array_foreach (brokers, i, one)
    {
        char rate[32], waiting[32], in_work[32], clients[32];
        line (view);
        printf ("%-*.*s %8s %8s %8s %8s  %s", ENDPOINT_COLUMNS, ENDPOINT_COLUMNS, text (one, "endpoint"),
                number_text (one, "rate_per_s", 0, rate), number_text (one, "waiting", 0, waiting),
                number_text (one, "in_work", 0, in_work), number_text (one, "clients", 0, clients),
                text (one, "state"));
    }
}

static void
workers_draw (const struct view *view, const json_t *summary)
{
    const json_t *workers = json_object_get (summary, "workers");
    size_t i;
    json_t *one;
    line (view);
    line (view);
    printf ("%-*s %6s %6s %7s %6s %6s %9s %7s  %s", NAME_COLUMNS, "worker", "rate", "credit", "in work", "batch", "ms",
            "answered", "overdue", "state");
    json_array_foreach (workers, i, one)
    {
        char rate[32], batch[32], batch_ms[32];
        line (view);
        printf ("%-*.*s %6s %6.0f %7.0f %6s %6s %9.0f %7.0f  %s", NAME_COLUMNS, NAME_COLUMNS, text (one, "name"),
                number_text (one, "rate_per_s", 0, rate), figure (one, "credit"), figure (one, "in_work"),
                number_text (one, "batch", 1, batch), number_text (one, "batch_ms", 1, batch_ms),
                figure (one, "answered"), figure (one, "overdue"), text (one, "state"));
    }
    if (json_array_size (workers) == 0) {
        line (view);
        printf ("none: requests wait, and then fail as unavailable");
    }
}

/* What is wrong with the brokers, where it is all of them. */
static void
head_draw (const json_t *summary)
{
    const json_t *brokers = json_object_get (summary, "brokers"), *first = json_array_get (brokers, 0);
    char uptime[32], of[64];
    if (json_array_size (brokers) == 1)
        snprintf (of, sizeof of, "at %.40s", text (first, "endpoint"));
    else
        snprintf (of, sizeof of, "with %zu brokers", json_array_size (brokers));
    printf ("loyalty %s %s, up %s%s", text (summary, "version"), of,
            duration_text (figure (summary, "uptime_ms"), uptime),
            strcmp (text (first, "state"), "draining") == 0 && json_array_size (brokers) == 1 ? ", DRAINING" : "");
}

void
top_view_draw (const json_t *summary, bool is_live)
{
    const struct view view = { is_live };
    if (is_live)
        printf ("\033[H\033[K");
    head_draw (summary);
    line (&view);
    requests_draw (&view, summary);
    latency_draw (&view, summary);
    errors_draw (&view, summary);
    limited_draw (&view, summary);
    feed_draw (&view, summary);
    databases_draw (&view, summary);
    brokers_draw (&view, summary);
    workers_draw (&view, summary);
    printf (is_live ? "\n\033[J" : "\n");
    fflush (stdout);
}

/* The errors of all codes by the second. */
static double
errors_rate (const json_t *summary)
{
    const char *code;
    json_t *one;
    double all = 0;
    json_object_foreach (json_object_get (summary, "errors"), code, one) all += figure (one, "rate_per_s");
    return all;
}

void
top_view_line (const json_t *summary, unsigned long lines_before)
{
    const json_t *latency = json_object_get (summary, "latency_us"), *queue = json_object_get (summary, "queue");
    const json_t *feed = json_object_get (summary, "feed");
    char number[32], lag[32];
    if (lines_before % HEAD_EVERY == 0)
        printf ("%-8s %7s %7s %7s %6s %6s %7s %6s %10s %6s\n", "time", "rate/s", "p50 ms", "p99 ms", "wait", "work",
                "workers", "err/s", "event", "lag ms");
    printf ("%.8s %7.0f %7.2f %7.2f %6.0f %6.0f %7zu %6.3g %10s %6s\n", text (summary, "at") + 11,
            figure (summary, "rate_per_s"), figure (latency, "p50") / 1000, figure (latency, "p99") / 1000,
            figure (queue, "waiting"), figure (queue, "in_work"),
            json_array_size (json_object_get (summary, "workers")), errors_rate (summary),
            number_text (feed, "number", 0, number), number_text (feed, "lag_ms", 0, lag));
    fflush (stdout);
}
