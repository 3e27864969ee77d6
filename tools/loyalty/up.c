/* up.c - `loyalty up`: an engine with all it needs on this machine, in the foreground. */
#include "commands.h"
#include "options.h"
#include "net/socket.h"
#include "output.h"
#include "supervisor.h"
#include "up_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "up [--data DIR] [OPTION]...",
    "Runs an engine on this machine, in the foreground: a private PostgreSQL in the data folder (made at the\n"
    "first start, reached by a socket only), the brokers, the workers and the event feed, each restarted when it ends. "
    "Prints\n"
    "`ready ENDPOINT` when it serves. Ctrl-C or SIGTERM stops everything in order; a second one hurries.\n"
    "Started as root, PostgreSQL runs as the user loyalty, postgres or nobody.",
};

struct up_options {
    const char *data, *listen, *keys, *database, *replica, *replica_lag_ms;
    struct migrate_settings settings;
    long workers, brokers, feeds;
    bool insecure, no_jobs, json;
};

/* The data folder, made, as an absolute path without links; and its folder of logs. */
static int
data_prepare (const struct up_options *options, char data[PATH_MAX], char log_folder[PATH_MAX], struct error *err)
{
    char path[PATH_MAX];
    if (locate_data (options->data, path, err) < 0 || folders_make (path, 0755, err) < 0)
        return -1;
    if (realpath (path, data) == NULL)
        return error_set (err, ERROR_UNAVAILABLE, "cannot read the folder %.180s: %s", path, strerror (errno));
    if (snprintf (log_folder, PATH_MAX, "%s/log", data) >= PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the data folder is too long");
    return folders_make (log_folder, 0755, err);
}

/* The folder of this executable: the other programs lie beside it. */
static int
programs_locate (char programs[PATH_MAX], struct error *err)
{
    ssize_t length = readlink ("/proc/self/exe", programs, PATH_MAX - 1);
    if (length <= 0)
        return error_set (err, ERROR_INTERNAL, "cannot tell where this program lies: %s", strerror (errno));
    programs[length] = 0;
    *strrchr (programs, '/') = 0;
    return 0;
}

/* A password goes to the other programs by the environment, which only this user can read, and away from
 * the command line, which everyone can. */
static void
password_hide (const struct up_options *options, int argc, char **argv, const char *password)
{
    if (password[0] == 0)
        return;
    setenv ("PGPASSWORD", password, 1);
    for (int i = 1; i < argc; i++) {
        size_t length = strlen (argv[i]);
        if (options->database >= argv[i] && options->database <= argv[i] + length)
            memset (argv[i], 'x', length);
    }
}

/* Where everything of this engine is. */
struct preparation {
    char data[PATH_MAX], log_folder[PATH_MAX], programs[PATH_MAX];
    char broker_config[PATH_MAX], run[RUN_FOLDER_MAX];
    char urls[CLUSTER_USER_COUNT][DATABASE_MAX];
    struct cluster cluster;
    struct engine_keys keys;
    struct engine_plan plan;
};

/* The database: the user's own, or a private one, which is made where it is not there yet. */
static int
database_prepare (struct preparation *place, const struct up_options *options, int argc, char **argv, struct error *err)
{
    char password[PASSWORD_MAX];
    if (options->database == NULL) {
        if (cluster_prepare (&place->cluster, place->data, place->log_folder, err) < 0)
            return -1;
        for (int user = 0; user < CLUSTER_USER_COUNT; user++)
            cluster_url (&place->cluster, user, place->urls[user]);
        memcpy (place->run, place->cluster.run, sizeof place->run);
        return 0;
    }
    if (database_split (options->database, place->urls[CLUSTER_OWNER], password, err) < 0 ||
        cluster_run_folder (place->data, false, 0, 0, place->run, err) < 0)
        return -1;
    password_hide (options, argc, argv, password);
    for (int user = 0; user < CLUSTER_USER_COUNT; user++)
        if (user != CLUSTER_OWNER)
            memcpy (place->urls[user], place->urls[CLUSTER_OWNER], sizeof place->urls[user]);
    return 0;
}

/* Where each broker listens: those that are given, in their order, then those of the last time. */
static int
listen_prepare (struct engine_plan *plan, const char *given, struct error *err)
{
    for (long i = 0; i < plan->brokers; i++) {
        size_t length = given != NULL ? strcspn (given, ",") : 0;
        if (length >= ENDPOINT_MAX)
            return error_set (err, ERROR_INVALID_REQUEST, "an endpoint is longer than %d bytes", ENDPOINT_MAX - 1);
        if (length == 0) {
            up_listen_default (plan->data, (unsigned)i, plan->listen[i], sizeof plan->listen[i]);
            continue;
        }
        memcpy (plan->listen[i], given, length);
        given = given[length] == ',' ? given + length + 1 : NULL;
    }
    if (given != NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "--listen has more endpoints than there are brokers (%ld)",
                          plan->brokers);
    return 0;
}

/* What the brokers would refuse is said before a database is made for it. */
static int
listen_check (const struct engine_plan *plan, struct error *err)
{
    for (long i = 0; i < plan->brokers; i++)
        if (socket_check_open (plan->listen[i], plan->insecure || plan->keys->list[0] != 0, err) < 0)
            return -1;
    return 0;
}

static int
prepare (struct preparation *place, const struct up_options *options, int argc, char **argv, struct error *err)
{
    if (data_prepare (options, place->data, place->log_folder, err) < 0 || programs_locate (place->programs, err) < 0 ||
        up_lock (place->data, err) < 0 || up_keys_prepare (place->data, options->keys, &place->keys, err) < 0 ||
        up_broker_config (place->data, place->broker_config, sizeof place->broker_config, err) < 0)
        return -1;
    place->plan = (struct engine_plan){
        .data = place->data,
        .log_folder = place->log_folder,
        .programs = place->programs,
        .run = place->run,
        .broker_config = place->broker_config,
        .brokers = options->brokers,
        .feeds = options->feeds,
        .keys = &place->keys,
        .schedule = !options->no_jobs,
        .insecure = options->insecure,
        .owner_url = place->urls[CLUSTER_OWNER],
        .worker_url = place->urls[CLUSTER_WORKER],
        .feed_url = place->urls[CLUSTER_FEED],
        .fsck_url = place->urls[CLUSTER_FSCK],
        .replica_url = options->replica,
        .replica_lag_ms = options->replica_lag_ms,
        .cluster = options->database == NULL ? &place->cluster : NULL,
        .settings = options->settings,
        .workers = options->workers,
        .json = options->json,
    };
    if (listen_prepare (&place->plan, options->listen, err) < 0 || listen_check (&place->plan, err) < 0)
        return -1;
    for (long i = 0; i < options->feeds; i++)
        up_feed_listen (place->plan.listen[0], (unsigned)i, place->plan.feed_listen[i],
                        sizeof place->plan.feed_listen[i]);
    return database_prepare (place, options, argc, argv, err);
}

int
command_up (int argc, char **argv)
{
    struct up_options options = { .replica = "", .replica_lag_ms = "", .workers = 2, .brokers = 1, .feeds = 1 };
    const struct option_spec specs[] = {
        { "data", OPTION_TEXT, &options.data, "DIR",
          "the data folder (default: LOYALTY_DATA, else /var/lib/loyalty or ~/.local/share/loyalty)", 0, 0 },
        { "workers", OPTION_NUMBER, &options.workers, "N", "worker processes (default 2)", 1, WORKERS_MAX },
        { "brokers", OPTION_NUMBER, &options.brokers, "N",
          "broker processes (default 1); workers serve all, clients go to another when theirs is gone", 1,
          BROKERS_MAX },
        { "feeds", OPTION_NUMBER, &options.feeds, "N",
          "event feeds (default 1): one leads, the others stand by; subscribers connect to all", 1, FEEDS_MAX },
        { "listen", OPTION_TEXT, &options.listen, "ENDPOINT",
          "where clients connect, of several brokers separated by commas (default: tcp://127.0.0.1 at the last time's "
          "port, 7600 and above, or a free one)",
          0, 0 },
        { "keys", OPTION_TEXT, &options.keys, "FILE",
          "the list of public keys that may connect (default: that of the data folder, where `loyalty keys` made one)",
          0, 0 },
        { "no-jobs", OPTION_FLAG, &options.no_jobs, NULL,
          "run no background jobs by the schedule: `loyalty job run` does", 0, 0 },
        { "insecure", OPTION_FLAG, &options.insecure, NULL,
          "listen on other addresses than this machine's without keys", 0, 0 },
        { "database", OPTION_TEXT, &options.database, "URL",
          "use this PostgreSQL (14 or newer) instead of a private one; also LOYALTY_DATABASE", 0, 0 },
        { "replica", OPTION_TEXT, &options.replica, "URL",
          "a standby of it, for reads that may be late; its password only by file", 0, 0 },
        { "replica-lag-ms", OPTION_TEXT, &options.replica_lag_ms, "N",
          "a replica that is later than this is not asked (default 2000)", 0, 0 },
        { "buckets", OPTION_TEXT, &options.settings.buckets, "N",
          "first start: buckets that members are spread over (default 1)", 0, 0 },
        { "currency", OPTION_TEXT, &options.settings.currency, "CODE", "first start: the one currency (default EUR)", 0,
          0 },
        { "digits", OPTION_TEXT, &options.settings.currency_digits, "N", "first start: its decimals (default 2)", 0,
          0 },
        { "time-zone", OPTION_TEXT, &options.settings.time_zone, "NAME",
          "first start: the main time zone (default UTC)", 0, 0 },
        { "json", OPTION_FLAG, &options.json, NULL, "print the endpoint and the rest as JSON when it serves", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "up takes no argument (%s)", argv[1]);
    if (options.database == NULL)
        options.database = locate_variable ("LOYALTY_DATABASE");

    struct error err;
    struct preparation *place = calloc (1, sizeof *place);
    if (place == NULL) {
        error_set (&err, ERROR_INTERNAL, "out of memory");
        return output_error (&err, options.json);
    }
    if (prepare (place, &options, argc, argv, &err) < 0)
        code = output_error (&err, options.json);
    else
        code = supervise (&place->plan);
    free (place);
    return code;
}
