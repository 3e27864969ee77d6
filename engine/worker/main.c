/* main.c - loyalty-worker: takes requests from brokers, runs them against the database. */
#include "base/log.h"
#include "worker/service.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BROKERS_MAX = 32 };

static const char USAGE[] =
    "loyalty-worker --broker ENDPOINT [--broker ENDPOINT ...] --database URL [options]\n"
    "\n"
    "Takes requests from the workers' port of one or several brokers and runs them against PostgreSQL.\n"
    "\n"
    "  --broker ENDPOINT      a broker's workers' port, as in tcp://127.0.0.1:5701 or ipc:///run/loyalty/workers\n"
    "  --database URL         postgresql://… without a password (default: the environment variable LOYALTY_DATABASE)\n"
    "  --replica URL          a standby, for reads that may be late: order.get, order.explain, card.history, "
    "events.read\n"
    "  --replica-lag-ms N     one that is later than this is not asked, 0 to 3600000 (default 2000)\n"
    "  --name NAME            for statistics and logs (default: worker)\n"
    "  --key-file FILE        this worker's keys, made by `loyalty keys` with the role worker (default: LOYALTY_KEY)\n"
    "  --credit N             requests in hand at most, per broker, 1 to 4096 (default 128)\n"
    "  --batch N              changing requests in one transaction at most, 1 to 512 (default 64)\n"
    "  --gather-us N          how long after a batch's start the next one waits to fill, where there are many clients, "
    "0 to 100000 (default 3000)\n"
    "  --lock-timeout-ms N    100 to 60000 (default 2000)\n"
    "  --commit-timeout-ms N  how long to wait for COMMIT, 100 to 600000 (default 10000)\n"
    "  --log LEVEL            error, warning, info or debug (default info)\n"
    "  --help, --version\n";

static int
usage (const char *text, const char *what)
{
    fprintf (stderr, "loyalty-worker: %s%s; see --help\n", text, what);
    return 2;
}

/* A whole number within bounds, or -1. */
static long
number (const char *text, long least, long most)
{
    char *end;
    long value = strtol (text, &end, 10);
    return *text == '\0' || *end != '\0' || value < least || value > most ? -1 : value;
}

int
main (int argc, char **argv)
{
    enum {
        BROKER = 1,
        DATABASE,
        REPLICA,
        REPLICA_LAG,
        NAME,
        KEY,
        CREDIT,
        BATCH,
        GATHER,
        LOCK_TIMEOUT,
        COMMIT_TIMEOUT,
        LOG,
        HELP,
        VERSION
    };
    static const struct option OPTIONS[] = {
        { "broker", required_argument, NULL, BROKER },
        { "database", required_argument, NULL, DATABASE },
        { "replica", required_argument, NULL, REPLICA },
        { "replica-lag-ms", required_argument, NULL, REPLICA_LAG },
        { "name", required_argument, NULL, NAME },
        { "key-file", required_argument, NULL, KEY },
        { "credit", required_argument, NULL, CREDIT },
        { "batch", required_argument, NULL, BATCH },
        { "gather-us", required_argument, NULL, GATHER },
        { "lock-timeout-ms", required_argument, NULL, LOCK_TIMEOUT },
        { "commit-timeout-ms", required_argument, NULL, COMMIT_TIMEOUT },
        { "log", required_argument, NULL, LOG },
        { "help", no_argument, NULL, HELP },
        { "version", no_argument, NULL, VERSION },
        { NULL, 0, NULL, 0 },
    };
    const char *brokers[BROKERS_MAX], *shown[2] = { NULL, NULL };
    struct worker_settings settings = { .brokers = brokers,
                                        .database = getenv ("LOYALTY_DATABASE"),
                                        .replica = getenv ("LOYALTY_REPLICA"),
                                        .replica_lag_ms = 2000,
                                        .name = "worker",
                                        .key_file = getenv ("LOYALTY_KEY"),
                                        .credit = 128,
                                        .batch_max = 64,
                                        .gather_us = 3000,
                                        .lock_timeout_ms = 2000,
                                        .idle_in_transaction_timeout_ms = 1000,
                                        .statement_timeout_ms = 10000,
                                        .commit_timeout_ms = 10000 };
    int level = LOG_INFO, option;
    long value = 0;

    while ((option = getopt_long (argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case BROKER:
            if (settings.broker_count == BROKERS_MAX)
                return usage ("too many brokers", "");
            brokers[settings.broker_count++] = optarg;
            break;
        case DATABASE:
            settings.database = optarg;
            shown[0] = optarg;
            break;
        case REPLICA:
            settings.replica = shown[1] = optarg;
            break;
        case REPLICA_LAG:
            settings.replica_lag_ms = (int)(value = number (optarg, 0, 3600000));
            break;
        case NAME:
            settings.name = optarg;
            break;
        case KEY:
            settings.key_file = optarg;
            break;
        case CREDIT:
            settings.credit = (unsigned)(value = number (optarg, 1, 4096));
            break;
        case BATCH:
            settings.batch_max = (unsigned)(value = number (optarg, 1, 512));
            break;
        case GATHER:
            settings.gather_us = (int)(value = number (optarg, 0, 100000));
            break;
        case LOCK_TIMEOUT:
            settings.lock_timeout_ms = (int)(value = number (optarg, 100, 60000));
            break;
        case COMMIT_TIMEOUT:
            settings.commit_timeout_ms = (int)(value = number (optarg, 100, 600000));
            break;
        case LOG:
            level = (int)(value = log_level_by_name (optarg));
            break;
        case HELP:
            fputs (USAGE, stdout);
            return 0;
        case VERSION:
            puts ("loyalty-worker " LOYALTY_VERSION);
            return 0;
        default:
            return usage ("wrong usage", "");
        }
        if (value < 0)
            return usage ("out of range: ", optarg);
    }
    if (optind < argc)
        return usage ("not understood: ", argv[optind]);
    if (settings.broker_count == 0 || settings.database == NULL)
        return usage ("needs --broker and --database", "");
    if (pg_url_shows_password (shown[0]) || pg_url_shows_password (shown[1]))
        return usage (PG_PASSWORD_HINT, "");
    if (settings.replica != NULL && settings.replica[0] == '\0')
        settings.replica = NULL;
    if (settings.key_file != NULL && settings.key_file[0] == '\0')
        settings.key_file = NULL;
    log_open ("loyalty-worker", (enum log_level)level);
    if (sodium_init () < 0) {
        log_error ("no source of random numbers");
        return 1;
    }
    struct error err;
    if (service_run (&settings, &err) < 0) {
        log_error ("%s", err.message);
        return 1;
    }
    return 0;
}
