/* top.c - `loyalty top`: what an engine is doing, refreshed in place, as lines, or as JSON. */
#include "base/clock.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "top_read.h"
#include "top_summary.h"
#include "top_view.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const struct command_help HELP = {
    "top [OPTION]...",
    "Shows what an engine is doing, all of its brokers together: requests a second, latency, queues, errors, the "
    "event\n"
    "feed, and each worker. On a terminal it is drawn anew every second; in a pipe it is a line each time. Ctrl-C ends "
    "it.",
};

/* PATIENCE: for a look among many; the feed's leader tells of itself every second, so that TIP is enough for one. */
enum { PATIENCE_MS = 1000, PATIENCE_ONCE_MS = 5000, TIP_MS = 1300, FEEDS_BYTES_MAX = 2048 };

struct top {
    struct top_reader *reader;
    long interval_s, count; /* count 0: until it is stopped */
    bool is_live, json;
};

static volatile sig_atomic_t top_stopped;

static void
stop (int number)
{
    (void)number;
    top_stopped = 1;
}

/* Whether any broker answered. */
static bool
is_answered (const json_t *look)
{
    size_t i;
    json_t *broker;
    json_array_foreach (json_object_get (look, "brokers"), i,
                        broker) if (json_object_get (broker, "stats") != NULL) return true;
    return false;
}

/* Says why no broker answered, as the first of them does. */
static int
tell_failure (const json_t *look, bool json)
{
    const json_t *first = json_array_get (json_object_get (look, "brokers"), 0);
    const json_t *error = json_object_get (first, "error");
    struct error err;
    enum error_code code = error_code_by_name (json_string_value (json_object_get (error, "code")));
    error_set (&err, code != ERROR_NONE ? code : ERROR_UNAVAILABLE, "%s: %s",
               json_string_value (json_object_get (first, "endpoint")),
               json_string_value (json_object_get (error, "message")));
    return output_error (&err, json);
}

static void
show (const struct top *top, const json_t *look, const json_t *before, unsigned long lines_before)
{
    json_t *summary = top_summary (look, before);
    if (top->is_live && !is_answered (look))
        printf ("\033[H\033[Kloyalty: no broker answers\033[J\n");
    else if (top->is_live)
        top_view_draw (summary, true);
    else
        top_view_line (summary, lines_before);
    fflush (stdout);
    json_decref (summary);
}

/* Looks until it is stopped, or nobody reads what it prints; an engine that does not answer is waited for. */
static int
watch (const struct top *top)
{
    struct sigaction action = { .sa_handler = stop };
    json_t *before = NULL;
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    signal (SIGPIPE, SIG_IGN);
    if (top->is_live)
        printf ("\033[?25l\033[H\033[2J");
    for (unsigned long looks = 0; !top_stopped && !ferror (stdout);) {
        int64_t next_ms = clock_monotonic_ms () + top->interval_s * 1000;
        json_t *look = top_look (top->reader, PATIENCE_MS);
        if (!top_stopped)
            show (top, look, before, looks);
        json_decref (before);
        before = look;
        if (++looks == (unsigned long)top->count)
            break;
        for (int64_t now_ms; !top_stopped && (now_ms = clock_monotonic_ms ()) < next_ms;)
            top_reader_wait (top->reader, next_ms - now_ms);
    }
    json_decref (before);
    if (top->is_live)
        printf ("\033[?25h\n");
    return EXIT_DONE;
}

/* One look, which waits a moment for the feed's leader to tell of itself. */
static int
look_once (const struct top *top, int64_t patience_ms)
{
    int64_t until_ms = clock_monotonic_ms () + TIP_MS;
    for (int64_t now_ms; !top_reader_has_tip (top->reader) && (now_ms = clock_monotonic_ms ()) < until_ms;)
        top_reader_wait (top->reader, until_ms - now_ms);
    json_t *look = top_look (top->reader, patience_ms);
    int code = EXIT_DONE;
    if (!is_answered (look)) {
        code = tell_failure (look, top->json);
    } else {
        json_t *summary = top_summary (look, NULL);
        if (top->json) {
            output_json (summary, false);
        } else {
            top_view_draw (summary, false);
            json_decref (summary);
        }
    }
    json_decref (look);
    return code;
}

int
command_top (int argc, char **argv)
{
    struct connect_options where = { 0 };
    struct top top = { .interval_s = 1 };
    const char *feed = NULL;
    bool once = false;
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "feed", OPTION_TEXT, &feed, "ENDPOINT,...", "the feeds (default: LOYALTY_FEED, or those of --data)", 0, 0 },
        { "interval", OPTION_NUMBER, &top.interval_s, "SECONDS", "time between two looks (default 1)", 1, 3600 },
        { "count", OPTION_NUMBER, &top.count, "N", "stop after N looks", 1, LONG_MAX },
        { "once", OPTION_FLAG, &once, NULL, "one look, without drawing over the screen", 0, 0 },
        { "json", OPTION_FLAG, &top.json, NULL, "one look, as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    char feeds[FEEDS_BYTES_MAX];
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "top takes no argument (%s)", argv[1]);
    if (locate_feeds (feed, where.endpoint, where.data, feeds, sizeof feeds, &err) < 0 ||
        (top.reader = top_reader_new (&where, feeds, &err)) == NULL)
        return output_error (&err, top.json);
    top.is_live = isatty (STDOUT_FILENO) == 1;
    code =
        once || top.json ? look_once (&top, where.timeout_ms > 0 ? where.timeout_ms : PATIENCE_ONCE_MS) : watch (&top);
    top_reader_destroy (&top.reader);
    return code;
}
