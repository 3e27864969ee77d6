/* main.c - loyalty-broker: reads its options, binds, says that it is ready, serves. */
#include "base/log.h"
#include "broker/server.h"

#include <czmq.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>

enum { EXIT_USAGE = 2 };

static void
print_help (void)
{
    printf ("loyalty-broker: balances requests of clients over workers\n\n"
            "usage: loyalty-broker [options]\n"
            "  --listen ENDPOINT     endpoint for clients\n"
            "  --workers ENDPOINT    endpoint for workers\n"
            "  --keys FILE           the public keys that may connect, as `loyalty keys` writes them; beside it lies\n"
            "                        this server's own secret, server.key; read again on SIGHUP\n"
            "  --config FILE         settings, one `name = value` a line; read again on SIGHUP\n"
            "  --insecure            bind where other machines reach it, although there are no keys\n"
            "  --log LEVEL           error, warning, info or debug\n"
            "  --help, --version\n\n"
            "Prints `ready CLIENT_ENDPOINT WORKER_ENDPOINT` when it serves. SIGTERM finishes what is under way;\n"
            "a second one stops at once.\n\n"
            "settings (default; bounds):\n");
    settings_print ();
}

/* The options that set one setting, in the order of getopt's numbers. */
static const char *const SETTING_OPTIONS[] = { "listen", "workers", "log", "keys" };
enum { OPTION_SETTINGS = 4, OPTION_CONFIG = OPTION_SETTINGS, OPTION_INSECURE, OPTION_HELP, OPTION_VERSION };

static const struct option OPTIONS[] = {
    { "listen", required_argument, NULL, 0 },
    { "workers", required_argument, NULL, 1 },
    { "log", required_argument, NULL, 2 },
    { "keys", required_argument, NULL, 3 },
    { "config", required_argument, NULL, OPTION_CONFIG },
    { "insecure", no_argument, NULL, OPTION_INSECURE },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { NULL, 0, NULL, 0 },
};

/* 0: go on; 1: done (help, version); -1: wrong usage, which has been said. */
static int
read_options (int argc, char **argv, struct server_options *options)
{
    const char *values[OPTION_SETTINGS] = { NULL };
    struct error failure;
    int option;
    while ((option = getopt_long (argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG:
            options->config_file = optarg;
            break;
        case OPTION_INSECURE:
            options->insecure = true;
            break;
        case OPTION_HELP:
            print_help ();
            return 1;
        case OPTION_VERSION:
            printf ("loyalty-broker %s\n", LOYALTY_VERSION);
            return 1;
        case '?':
            return -1; /* getopt has said why */
        default:
            values[option] = optarg;
        }
    }
    if (optind < argc) {
        fprintf (stderr, "loyalty-broker: \"%s\" is no option\n", argv[optind]);
        return -1;
    }
    /* The command line is stronger than the file. */
    int result = options->config_file != NULL ? settings_load (&options->settings, options->config_file, &failure) : 0;
    for (int i = 0; i < OPTION_SETTINGS && result == 0; i++)
        if (values[i] != NULL)
            result = settings_set (&options->settings, SETTING_OPTIONS[i], values[i], &failure);
    if (result == 0 && log_level_by_name (options->settings.log) < 0)
        result = error_set (&failure, ERROR_INVALID_REQUEST, "--log is error, warning, info or debug");
    if (result != 0)
        fprintf (stderr, "loyalty-broker: %s\n", failure.message);
    return result;
}

/* Every client is a file descriptor: as many as the system lets us have. */
static void
raise_descriptor_limit (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
        log_warning ("cannot raise the limit of open files");
}

/* ZeroMQ cannot bound the frames of one message, nor the bytes that wait for clients who do not read. So memory has a
 * bound of its own, at which an allocation fails: libzmq closes the connection whose frame it was or, where it cannot do
 * without, ends the process. Whoever supervises it starts it again, clients send again what was not answered, and
 * nothing is lost. A bound on what is allocated, rather than somebody who looks from time to time, holds against a
 * gigabyte a second too. */
static void
bound_memory (int64_t mib_max)
{
    const rlim_t bytes = (rlim_t)mib_max << 20;
    const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    mib_max = 0; /* its shadow of all memory counts as allocated */
#endif
    if (mib_max > 0 && setrlimit (RLIMIT_DATA, &limit) != 0)
        log_warning ("cannot bound the memory to %lld MiB", (long long)mib_max);
}

int
main (int argc, char **argv)
{
    struct server_options options = { 0 };
    struct error failure;
    settings_default (&options.settings);
    int read = read_options (argc, argv, &options);
    if (read != 0)
        return read > 0 ? EXIT_SUCCESS : EXIT_USAGE;

    zsys_handler_set (NULL); /* signals are read in the loop */
    log_open ("loyalty-broker", (enum log_level)log_level_by_name (options.settings.log));
    raise_descriptor_limit ();
    bound_memory (options.settings.memory_mib_max);
    struct server *server = server_new (&options, &failure);
    if (server == NULL) {
        fprintf (stderr, "loyalty-broker: %s\n", failure.message);
        return EXIT_FAILURE;
    }
    printf ("ready %s %s\n", server_client_endpoint (server), server_worker_endpoint (server));
    fflush (stdout);
    int result = server_run (server, &failure);
    if (result != 0)
        log_error ("%s", failure.message);
    server_destroy (&server);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
