/* drain.c - `loyalty drain`: stops the engine that `up` runs, or takes a worker or a broker out of one that goes on. */
#include "commands.h"
#include "locate.h"
#include "options.h"
#include "output.h"
#include "replace.h"
#include "up_files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "drain [--worker NAME | --broker ENDPOINT | --rolling] [OPTION]...",
    "Stops the engine that `loyalty up` runs in a data folder: the broker takes nothing new and answers what is\n"
    "in hand, then the workers and PostgreSQL end. Returns when all of it is gone.\n"
    "\n"
    "With --worker or --broker it is that one alone, of any engine: it gets nothing new, answers what it has, and\n"
    "ends; whoever supervises it (`loyalty up`, systemd) starts it again, from the program as it is installed by "
    "then.\n"
    "With --rolling that is done to all workers, one after the other, each once the one before has been replaced.\n"
    "Clients notice nothing of any of this.",
};

enum { STEP_MS = 50 };

struct drain_options {
    struct connect_options where;
    const char *worker, *broker;
    long wait_s;
    bool rolling, json;
};

static int
drained (const struct drain_options *options, json_t *names)
{
    size_t i;
    json_t *name;
    if (options->json) {
        output_json (json_pack ("{s:O}", "drained", names), false);
        return EXIT_DONE;
    }
    json_array_foreach (names, i, name)
    {
        printf ("%s %s\n", options->rolling ? "replaced" : "drained", json_string_value (name));
    }
    return EXIT_DONE;
}

static int
drain_rolling (const struct drain_options *options, json_t *names, struct error *err)
{
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name)
    {
        if (output_progress ())
            fprintf (stderr, "replacing %s\n", json_string_value (name));
        if (replace_worker (&options->where, json_string_value (name), true, options->wait_s, err) < 0)
            return -1;
    }
    return 0;
}

/* A part of an engine that goes on. */
static int
drain_part (const struct drain_options *options)
{
    struct error err;
    int status;
    json_t *names = options->rolling ? replace_worker_names (&options->where, &err)
                                     : json_pack ("[s]", options->worker != NULL ? options->worker : options->broker);
    if (names == NULL)
        return output_error (&err, options->json);
    if (options->rolling)
        status = drain_rolling (options, names, &err);
    else if (options->worker != NULL)
        status = replace_worker (&options->where, options->worker, false, options->wait_s, &err);
    else
        status = replace_broker (&options->where, options->broker, options->wait_s, &err);
    int code = status == 0 ? drained (options, names) : output_error (&err, options->json);
    json_decref (names);
    return code;
}

/* All that `up` runs in a data folder. */
static int
drain_all (const struct drain_options *options)
{
    char data[PATH_MAX];
    struct error err;
    json_t *up = locate_data (options->where.data, data, &err) == 0 ? locate_up (options->where.data, &err) : NULL;
    if (up == NULL)
        return output_error (&err, options->json);
    pid_t pid = (pid_t)json_integer_value (json_object_get (up, "pid"));
    json_decref (up);
    if (pid <= 0 || kill (pid, SIGTERM) < 0) {
        error_set (&err, ERROR_UNAVAILABLE, "cannot signal process %d: %s", (int)pid, strerror (errno));
        return output_error (&err, options->json);
    }
    for (long waited_ms = 0; up_is_locked (data); waited_ms += STEP_MS) {
        if (waited_ms >= options->wait_s * 1000) {
            error_set (&err, ERROR_UNAVAILABLE, "the engine is still stopping after %ld s", options->wait_s);
            return output_error (&err, options->json);
        }
        usleep (STEP_MS * 1000);
    }
    if (options->json)
        output_json (json_pack ("{s:b}", "stopped", true), false);
    else
        printf ("stopped\n");
    return EXIT_DONE;
}

int
command_drain (int argc, char **argv)
{
    struct drain_options options = { .wait_s = 120 };
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (options.where),
        { "worker", OPTION_TEXT, &options.worker, "NAME", "only the workers of this name", 0, 0 },
        { "broker", OPTION_TEXT, &options.broker, "ENDPOINT", "only the broker whose clients' port this is", 0, 0 },
        { "rolling", OPTION_FLAG, &options.rolling, NULL, "all workers, one after the other", 0, 0 },
        { "wait", OPTION_NUMBER, &options.wait_s, "SECONDS", "how long to wait for each end (default 120)", 0, 3600 },
        { "json", OPTION_FLAG, &options.json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "drain takes no argument (%s)", argv[1]);
    int parts = (options.worker != NULL) + (options.broker != NULL) + options.rolling;
    if (parts > 1)
        return options_wrong (&HELP, "one of --worker, --broker and --rolling at a time");
    if (parts == 0 && options.where.endpoint != NULL)
        return options_wrong (&HELP, "what is to be drained at %s: --worker, --broker or --rolling",
                              options.where.endpoint);
    return parts == 1 ? drain_part (&options) : drain_all (&options);
}
