/* top.c - `loyalty top`: a live view of the broker's figures (admin.stats), readable at 80 columns. */
#include "commands.h"
#include "connect.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct command_help HELP = {
    "top [OPTION]...",
    "Shows what an engine is doing: requests a second, latency, queues and each worker, once a second, until Ctrl-C.",
};

enum { WORKERS_REMEMBERED = 256 };

struct top {
    struct loyalty_client *client;
    const char *endpoint;
    bool live; /* the screen is drawn over; else once, plainly */
    /* Of the look before, for rates. */
    json_int_t uptime_ms;
    json_int_t worker_answered[WORKERS_REMEMBERED];
};

static volatile sig_atomic_t top_stopped;

static void
stop (int number)
{
    (void)number;
    top_stopped = 1;
}

static json_int_t
integer (const json_t *object, const char *name)
{
    return json_integer_value (json_object_get (object, name));
}

/* "1d 02:03:04" */
static const char *
duration_text (json_int_t ms, char text[32])
{
    long long s = ms / 1000;
    int length = 0;
    if (s >= 86400)
        length = snprintf (text, 32, "%lldd ", s / 86400);
    snprintf (text + length, 32 - (size_t)length, "%02lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
    return text;
}

/* Microseconds as a person reads them: "870 µs", "1.24 ms", "2.1 s". */
static const char *
latency_text (const json_t *latency, const char *name, char text[32])
{
    double us = (double)integer (latency, name);
    if (us < 1000)
        snprintf (text, 32, "%.0f µs", us);
    else if (us < 1e6)
        snprintf (text, 32, us < 1e4 ? "%.2f ms" : "%.1f ms", us / 1e3);
    else
        snprintf (text, 32, "%.2f s", us / 1e6);
    return text;
}

/* Starts a line; on a live screen what stood there is wiped. */
static void
line (const struct top *top)
{
    printf (top->live ? "\n\033[K" : "\n");
}

static void
requests_show (const struct top *top, const json_t *stats)
{
    const json_t *queue = json_object_get (stats, "queue"), *capacity = json_object_get (queue, "capacity_per_s");
    char capacity_text[32] = "not known yet";
    if (json_is_number (capacity))
        snprintf (capacity_text, sizeof capacity_text, "%.0f/s", json_number_value (capacity));
    line (top);
    printf ("requests  %.0f/s answered, capacity %s", json_number_value (json_object_get (queue, "answered_per_s")),
            capacity_text);
    line (top);
    printf ("queue     %lld waiting, %lld in work, %.1f MiB; %lld clients, %lld of them waiting",
            (long long)integer (queue, "waiting"), (long long)integer (queue, "in_work"),
            (double)integer (queue, "bytes") / 1048576, (long long)integer (queue, "clients"),
            (long long)integer (queue, "clients_waiting"));
}

static void
latency_show (const struct top *top, const json_t *stats)
{
    const json_t *latency = json_object_get (stats, "latency_us");
    char p50[32], p90[32], p99[32], p999[32], most[32];
    line (top);
    printf ("latency   p50 %s, p90 %s, p99 %s, p99.9 %s, most %s", latency_text (latency, "p50", p50),
            latency_text (latency, "p90", p90), latency_text (latency, "p99", p99),
            latency_text (latency, "p999", p999), latency_text (latency, "max", most));
}

static void
errors_show (const struct top *top, const json_t *stats)
{
    const json_t *errors = json_object_get (stats, "errors");
    const char *name;
    json_t *count;
    int column = 10;
    line (top);
    printf ("errors    %s", json_object_size (errors) == 0 ? "none" : "");
    json_object_foreach ((json_t *)(uintptr_t)errors, name, count)
    {
        char text[64];
        int length = snprintf (text, sizeof text, "%s %lld  ", name, (long long)json_integer_value (count));
        if (column + length > 80) {
            line (top);
            printf ("          ");
            column = 10;
        }
        column += length;
        printf ("%s", text);
    }
}

static const char *
worker_state (const json_t *worker)
{
    if (json_is_true (json_object_get (worker, "suspect")))
        return "silent";
    return json_is_true (json_object_get (worker, "draining")) ? "draining" : "ready";
}

static void
workers_show (struct top *top, const json_t *stats)
{
    json_int_t elapsed_ms = top->uptime_ms > 0 ? integer (stats, "uptime_ms") - top->uptime_ms : 0;
    size_t index;
    json_t *worker;
    line (top);
    line (top);
    printf ("%-20s %8s %8s %8s %12s %8s  %s", "worker", "rate", "credit", "in work", "answered", "overdue", "state");
    json_array_foreach (json_object_get (stats, "workers"), index, worker)
    {
        json_int_t answered = integer (worker, "answered");
        char rate[32] = "-";
        if (index < WORKERS_REMEMBERED) {
            if (elapsed_ms > 0 && answered >= top->worker_answered[index])
                snprintf (rate, sizeof rate, "%.0f/s",
                          (double)(answered - top->worker_answered[index]) * 1000 / (double)elapsed_ms);
            top->worker_answered[index] = answered;
        }
        line (top);
        printf ("%-20.20s %8s %8lld %8lld %12lld %8lld  %s", json_string_value (json_object_get (worker, "name")), rate,
                (long long)integer (worker, "credit"), (long long)integer (worker, "in_work"), (long long)answered,
                (long long)integer (worker, "overdue"), worker_state (worker));
    }
    if (json_array_size (json_object_get (stats, "workers")) == 0) {
        line (top);
        printf ("none: requests wait, and then fail as unavailable");
    }
}

static void
stats_show (struct top *top, const json_t *stats)
{
    char uptime[32];
    if (top->live)
        printf ("\033[H\033[K");
    printf ("loyalty %s at %s, up %s%s", json_string_value (json_object_get (stats, "version")), top->endpoint,
            duration_text (integer (stats, "uptime_ms"), uptime),
            json_is_true (json_object_get (stats, "draining")) ? ", DRAINING" : "");
    line (top);
    requests_show (top, stats);
    latency_show (top, stats);
    errors_show (top, stats);
    workers_show (top, stats);
    printf (top->live ? "\n\033[J" : "\n");
    fflush (stdout);
    top->uptime_ms = integer (stats, "uptime_ms");
}

/* The figures now; NULL with `failure`. */
static json_t *
stats_read (struct top *top, struct loyalty_error *failure)
{
    struct loyalty_request request = { .method = "admin.stats" };
    return loyalty_call_json (top->client, &request, NULL, NULL, failure);
}

/* Draws until it is stopped; an engine that does not answer is waited for. */
static int
top_watch (struct top *top, long interval_s)
{
    struct loyalty_error failure;
    signal (SIGINT, stop);
    signal (SIGTERM, stop);
    printf ("\033[?25l\033[H\033[2J");
    while (!top_stopped) {
        json_t *stats = stats_read (top, &failure);
        if (stats != NULL) {
            stats_show (top, stats);
        } else if (!top_stopped) {
            printf ("\033[H\033[Kloyalty at %s: %s\033[J\n", top->endpoint, failure.message);
            fflush (stdout);
        }
        json_decref (stats);
        struct timespec pause = { interval_s, 0 };
        if (!top_stopped)
            nanosleep (&pause, NULL);
    }
    printf ("\033[?25h\n");
    return EXIT_DONE;
}

static int
top_once (struct top *top, bool json)
{
    struct loyalty_error failure;
    json_t *stats = stats_read (top, &failure);
    if (stats == NULL)
        return output_failure (&failure, NULL, json, false);
    if (json) {
        output_json (stats, false);
    } else {
        stats_show (top, stats);
        json_decref (stats);
    }
    return EXIT_DONE;
}

int
command_top (int argc, char **argv)
{
    struct connect_options where = { 0 };
    bool once = false, json = false;
    long interval_s = 1;
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "interval", OPTION_NUMBER, &interval_s, "SECONDS", "time between two looks (default 1)", 1, 3600 },
        { "once", OPTION_FLAG, &once, NULL, "one look, without drawing over the screen", 0, 0 },
        { "json", OPTION_FLAG, &json, NULL, "one look, as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    struct top top = { 0 };
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "top takes no argument (%s)", argv[1]);
    top.client = connect_engine (&where, &err);
    if (top.client == NULL)
        return output_error (&err, json);
    top.endpoint = loyalty_client_endpoint (top.client);
    top.live = !once && !json && isatty (STDOUT_FILENO) == 1;
    code = top.live ? top_watch (&top, interval_s) : top_once (&top, json);
    loyalty_client_destroy (&top.client);
    return code;
}
