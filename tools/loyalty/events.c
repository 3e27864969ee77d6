/* events.c - `loyalty events`: follows the event feed, an event a line. */
#include "commands.h"
#include "connect.h"
#include "event_line.h"
#include "loyalty/events.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command_help HELP = {
    "events [OPTION]...",
    "Follows the event feed: prints every event once, in order, until Ctrl-C. Without --from those that happen from "
    "now\n"
    "on; --from 1 begins with the first. What the feeds do not bring is read from the engine.",
};

enum { TOPICS_MAX = 32, LIST_BYTES_MAX = 2048, LOOK_MS = 200 };

struct follower {
    struct loyalty_events *events;
    long count;    /* stop after so many; 0: never */
    int64_t until; /* stop behind this number; INT64_MAX: never */
    bool json;
    bool is_in_trouble; /* and it was said */
};

static volatile sig_atomic_t stopped;

static void
stop (int number)
{
    (void)number;
    stopped = 1;
}

/* Cuts a list with commas, in place. How many there are; -1: more than TOPICS_MAX. */
static int
list_cut (char *text, const char *list[TOPICS_MAX])
{
    int count = 0;
    char *rest = NULL;
    for (char *one = strtok_r (text, ",", &rest); one != NULL; one = strtok_r (NULL, ",", &rest)) {
        if (count == TOPICS_MAX)
            return -1;
        list[count++] = one;
    }
    return count;
}

static void
show (const struct follower *follower, const struct loyalty_event *event)
{
    struct loyalty_error failure;
    json_t *fields = loyalty_json_decode (event->body, event->body_size, &failure);
    if (fields == NULL)
        fprintf (stderr, "loyalty: event %lld cannot be shown: %s\n", (long long)event->number, failure.message);
    else if (follower->json)
        json_dumpf (fields, stdout, JSON_COMPACT | JSON_REAL_PRECISION (12));
    else
        event_line (fields, stdout);
    if (fields != NULL)
        putchar ('\n');
    json_decref (fields);
}

/* Says what keeps events from coming, once. */
static void
tell_trouble (struct follower *follower, const struct loyalty_error *error)
{
    bool is_in_trouble = error->code != LOYALTY_OK;
    if (is_in_trouble && !follower->is_in_trouble)
        fprintf (stderr, "loyalty: %s: %s (still trying)\n", error->name, error->message);
    follower->is_in_trouble = is_in_trouble;
}

static int
give_up (const struct follower *follower, const struct loyalty_error *error)
{
    json_t *details = NULL;
    int64_t oldest = loyalty_events_oldest (follower->events);
    if (error->code == LOYALTY_TOO_OLD && oldest > 0)
        details = json_pack ("{s:I}", "oldest", (json_int_t)oldest);
    int code = output_failure (error, details, follower->json, false);
    json_decref (details);
    return code;
}

/* Until it is stopped, has shown what was asked for, or nobody reads what it prints. */
static int
follow_feed (struct follower *follower)
{
    struct loyalty_event event;
    struct loyalty_error error;
    long shown = 0;
    while (!stopped && !ferror (stdout) && loyalty_events_position (follower->events) < follower->until) {
        int taken = loyalty_events_next (follower->events, 0, &event, &error);
        if (taken == 0) { /* nothing at hand: whoever reads is to see what there was */
            fflush (stdout);
            taken = loyalty_events_next (follower->events, LOOK_MS, &event, &error);
        }
        if (taken < 0)
            return give_up (follower, &error);
        tell_trouble (follower, &error);
        if (taken == 1) {
            show (follower, &event);
            if (++shown == follower->count)
                break;
        }
    }
    fflush (stdout);
    return EXIT_DONE;
}

/* The newest number now, behind which --no-follow stops. -1: it is printed why not. */
static int
find_end (struct follower *follower, const struct loyalty_options *settings)
{
    struct loyalty_error failure;
    struct loyalty_request request = { .method = "events.read" };
    struct loyalty_client *client = loyalty_client_new (settings, &failure);
    json_t *now = client != NULL ? loyalty_call_json (client, &request, NULL, NULL, &failure) : NULL;
    if (now == NULL)
        output_failure (&failure, NULL, follower->json, false);
    else
        follower->until = json_integer_value (json_object_get (now, "last"));
    bool is_known = now != NULL;
    json_decref (now);
    loyalty_client_destroy (&client);
    return is_known ? 0 : -1;
}

static int
run (struct follower *follower, const struct loyalty_options *settings, const struct loyalty_events_options *options)
{
    struct loyalty_error failure;
    struct sigaction action = { .sa_handler = stop };
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    signal (SIGPIPE, SIG_IGN);
    follower->events = loyalty_events_new (settings, options, &failure);
    if (follower->events == NULL)
        return output_failure (&failure, NULL, follower->json, false);
    int code = follow_feed (follower);
    loyalty_events_destroy (&follower->events);
    return code;
}

/* What was given on the command line, and found by it. */
struct wanted {
    struct connect_options where;
    struct connect_endpoints endpoints;
    const char *topic, *feed;
    long from;
    bool no_follow;
    char feed_text[LIST_BYTES_MAX], topic_text[LIST_BYTES_MAX];
    const char *feeds[1], *topics[TOPICS_MAX];
};

/* Finds the engine and its feeds, and fills in the options of both. The exit code; it is printed what is wrong. */
static int
resolve (struct wanted *wanted, struct loyalty_options *settings, struct loyalty_events_options *options, bool json)
{
    const char *topic = wanted->topic != NULL ? wanted->topic : "";
    struct error err;
    if (snprintf (wanted->topic_text, sizeof wanted->topic_text, "%s", topic) >= (int)sizeof wanted->topic_text)
        return options_wrong (&HELP, "--topic is too long");
    if (connect_settings (&wanted->where, &wanted->endpoints, settings, &err) < 0 ||
        locate_feeds (wanted->feed, wanted->where.endpoint, wanted->where.data, wanted->feed_text,
                      sizeof wanted->feed_text, &err) < 0)
        return output_error (&err, json);
    int topics = list_cut (wanted->topic_text, wanted->topics);
    if (topics < 0)
        return options_wrong (&HELP, "--topic takes at most %d", TOPICS_MAX);
    loyalty_events_options_init (options);
    options->after = wanted->from > 0 ? wanted->from - 1 : LOYALTY_EVENTS_NEW;
    wanted->feeds[0] = wanted->feed_text;
    options->feeds = wanted->feeds;
    options->feed_count = wanted->feed_text[0] != '\0';
    options->topics = wanted->topics;
    options->topic_count = (unsigned)topics;
    if (options->feed_count == 0)
        options->silence_ms = LOOK_MS; /* without a feed the engine is asked so often */
    return EXIT_DONE;
}

int
command_events (int argc, char **argv)
{
    struct wanted wanted = { 0 };
    struct follower follower = { .until = INT64_MAX };
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (wanted.where),
        { "feed", OPTION_TEXT, &wanted.feed, "ENDPOINT,...", "the feeds (default: LOYALTY_FEED, or those of --data)", 0,
          0 },
        { "from", OPTION_NUMBER, &wanted.from, "N", "begin with event number N", 1, LONG_MAX },
        { "topic", OPTION_TEXT, &wanted.topic, "NAME,...", "only events of these topics", 0, 0 },
        { "count", OPTION_NUMBER, &follower.count, "N", "stop after N events", 1, LONG_MAX },
        { "no-follow", OPTION_FLAG, &wanted.no_follow, NULL, "stop at the event that is the newest now", 0, 0 },
        { "json", OPTION_FLAG, &follower.json, NULL, "print each event as a line of JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct loyalty_options settings;
    struct loyalty_events_options options;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "events takes no argument (%s)", argv[1]);
    code = resolve (&wanted, &settings, &options, follower.json);
    if (code != EXIT_DONE)
        return code;
    if (wanted.no_follow && find_end (&follower, &settings) < 0)
        return EXIT_FAILED;
    return run (&follower, &settings, &options);
}
