/* main.c - `loyalty`: one command for people; each of its commands is a row of this table. */
#include "commands.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run) (int argc, char **argv);
    const char *summary;
} COMMANDS[] = {
    { "up", command_up, "run an engine on this machine: PostgreSQL, broker and workers" },
    { "call", command_call, "send one request, print its answer" },
    { "load", command_load, "load programs, products, partners, stores and levels from one file" },
    { "coupons", command_coupons, "make a batch of coupons with unique codes" },
    { "fsck", command_fsck, "prove the ledger" },
    { "job", command_job, "background jobs: list, run or stop them" },
    { "events", command_events, "follow the event feed" },
    { "top", command_top, "watch rate, latency, queues and workers" },
#ifdef LOYALTY_HAVE_BENCH
    { "bench", command_bench, "measure an engine" },
#endif
    { "keys", command_keys, "make, list, revoke and rotate the keys of those who may connect" },
    { "migrate", command_migrate, "bring a database to this program's schema" },
    { "drain", command_drain, "stop the engine that `up` runs, answering what is in hand" },
};

static void
usage (FILE *out)
{
    fprintf (out, "usage: loyalty COMMAND [OPTION]...\n\ncommands:\n");
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        fprintf (out, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fprintf (out, "\n`loyalty COMMAND --help` tells each one's options; `loyalty --version` this program's version.\n"
                  "Exit codes: 0 done, 1 the engine answered with an error, 2 wrong usage.\n");
}

int
main (int argc, char **argv)
{
    log_open ("loyalty", LOG_INFO);
    if (argc < 2) {
        usage (stderr);
        return EXIT_USAGE;
    }
    if (strcmp (argv[1], "--version") == 0) {
        printf ("loyalty %s\n", LOYALTY_VERSION);
        return EXIT_DONE;
    }
    if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "help") == 0) {
        usage (stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        if (strcmp (argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].run (argc - 1, argv + 1);
    fprintf (stderr, "loyalty: there is no command %s\n", argv[1]);
    usage (stderr);
    return EXIT_USAGE;
}
