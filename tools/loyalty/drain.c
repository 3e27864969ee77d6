/* drain.c - `loyalty drain`: stops the engine that `up` runs, from another terminal or a script. */
#include "commands.h"
#include "locate.h"
#include "options.h"
#include "output.h"
#include "up_files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "drain [--data DIR] [OPTION]...",
    "Stops the engine that `loyalty up` runs in a data folder: the broker takes nothing new and answers what is\n"
    "in hand, then the workers and PostgreSQL end. Returns when all of it is gone.",
};

enum { STEP_MS = 50 };

int
command_drain (int argc, char **argv)
{
    const char *data_given = NULL;
    long wait_s = 120;
    bool json = false;
    const struct option_spec specs[] = {
        { "data", OPTION_TEXT, &data_given, "DIR", "the engine's data folder", 0, 0 },
        { "wait", OPTION_NUMBER, &wait_s, "SECONDS", "how long to wait for its end (default 120)", 0, 3600 },
        { "json", OPTION_FLAG, &json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    char data[PATH_MAX];
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "drain takes no argument (%s)", argv[1]);
    json_t *up = locate_data (data_given, data, &err) == 0 ? locate_up (data_given, &err) : NULL;
    if (up == NULL)
        return output_error (&err, json);
    pid_t pid = (pid_t)json_integer_value (json_object_get (up, "pid"));
    json_decref (up);
    if (pid <= 0 || kill (pid, SIGTERM) < 0) {
        error_set (&err, ERROR_UNAVAILABLE, "cannot signal process %d: %s", (int)pid, strerror (errno));
        return output_error (&err, json);
    }
    for (long waited_ms = 0; up_is_locked (data); waited_ms += STEP_MS) {
        if (waited_ms >= wait_s * 1000) {
            error_set (&err, ERROR_UNAVAILABLE, "the engine is still stopping after %ld s", wait_s);
            return output_error (&err, json);
        }
        usleep (STEP_MS * 1000);
    }
    if (json)
        output_json (json_pack ("{s:b}", "stopped", true), false);
    else
        printf ("stopped\n");
    return EXIT_DONE;
}
