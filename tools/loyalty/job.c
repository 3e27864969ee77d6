/* job.c - `loyalty job run`: a background job from where it stopped to its end, step by step. */
#include "base/clock.h"
#include "commands.h"
#include "connect.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"
#include "wire/schemas.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "job run NAME [OPTION]...",
    "Runs a background job: expire (books points that ran out), memberships (evaluates every member's level), holds\n"
    "(lets go of holds that ran out, forgets old ones) or referrals (books points that wait for owners of referral\n"
    "codes). It goes in small steps, beside orders. Ctrl-C stops it after the step in hand; run again, it goes on\n"
    "from there.",
};

enum { PATIENCE_S = 60, WAIT_MS = 200 };

struct job_run {
    struct loyalty_client *client;
    const char *name, *period; /* period NULL: none */
    long limit;
    bool json;
    json_t *last; /* the answer to the last step; NULL: there was none */
    int64_t from_us;
};

static volatile sig_atomic_t stopped;

static void
stop (int number)
{
    (void)number;
    stopped = 1;
}

static json_int_t
figure (const json_t *answer, const char *name)
{
    return json_integer_value (json_object_get (answer, name));
}

static void
show_progress (const struct job_run *run)
{
    if (output_progress ())
        fprintf (stderr, "\r%s: %lld looked at, %lld changed ", run->name,
                 (long long)figure (run->last, "total_examined"), (long long)figure (run->last, "total_changed"));
}

/* One step; a failure that may pass is tried again, for so long that a restart of the engine passes. -1: it is printed. */
static int
step (struct job_run *run)
{
    int64_t give_up_us = clock_monotonic_us () + PATIENCE_S * INT64_C (1000000);
    for (;;) {
        struct loyalty_request request = { .method = "job.run" };
        struct loyalty_error failure;
        json_t *details = NULL, *body = json_pack ("{s:s, s:I}", "job", run->name, "limit", (json_int_t)run->limit);
        if (run->period != NULL)
            json_object_set_new (body, "period", json_string (run->period));
        json_t *answer = loyalty_call_json (run->client, &request, body, &details, &failure);
        json_decref (body);
        if (answer != NULL) {
            json_decref (run->last);
            run->last = answer;
            return 0;
        }
        bool again = failure.retryable && !stopped && clock_monotonic_us () < give_up_us;
        if (!again)
            output_failure (&failure, details, run->json, false);
        json_decref (details);
        if (!again)
            return -1;
        usleep (WAIT_MS * 1000);
    }
}

static int
finish (struct job_run *run, bool is_done)
{
    bool has_failed = figure (run->last, "total_failed") > 0;
    if (output_progress ())
        fputc ('\n', stderr);
    if (run->json) {
        output_json (json_incref (run->last), false);
    } else if (run->last != NULL) {
        printf ("%s: %lld looked at, %lld changed in %.1f s\n", run->name,
                (long long)figure (run->last, "total_examined"), (long long)figure (run->last, "total_changed"),
                (double)(clock_monotonic_us () - run->from_us) / 1e6);
        if (has_failed)
            fprintf (stderr, "%lld could not be worked on: see the workers' logs\n",
                     (long long)figure (run->last, "total_failed"));
    }
    if (!is_done)
        fprintf (stderr, "stopped: `loyalty job run %s` goes on from here\n", run->name);
    return is_done && !has_failed ? EXIT_DONE : EXIT_FAILED;
}

static int
run_to_the_end (struct job_run *run)
{
    struct sigaction action = { .sa_handler = stop };
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    run->from_us = clock_monotonic_us ();
    while (!stopped) {
        if (step (run) < 0)
            return EXIT_FAILED;
        show_progress (run);
        if (json_is_true (json_object_get (run->last, "done")))
            return finish (run, true);
    }
    return finish (run, false);
}

static bool
is_job (const char *name)
{
    for (const char *const *job = NAMES_JOB; *job != NULL; job++)
        if (strcmp (*job, name) == 0)
            return true;
    return false;
}

int
command_job (int argc, char **argv)
{
    struct connect_options where = { .timeout_ms = 30000 };
    struct job_run run = { .limit = SCHEMA_JOB_RUN.fields[F_JOB_RUN_LIMIT].default_value };
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "period", OPTION_TEXT, &run.period, "TEXT", "what it is done for, once: done before, it does nothing", 0, 0 },
        { "limit", OPTION_NUMBER, &run.limit, "N", "rows that a step works on at most (default 100)", 1, JOB_ROWS_MAX },
        { "json", OPTION_FLAG, &run.json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left < 1 || strcmp (argv[1], "run") != 0)
        return options_wrong (&HELP, "what with which job?");
    if (left != 2)
        return options_wrong (&HELP, left < 2 ? "which job?" : "more than one job");
    if (!is_job (argv[2]))
        return options_wrong (&HELP, "there is no job %s", argv[2]);
    run.name = argv[2];
    run.client = connect_engine (&where, &err);
    if (run.client == NULL)
        return output_error (&err, run.json);
    code = run_to_the_end (&run);
    json_decref (run.last);
    loyalty_client_destroy (&run.client);
    return code;
}
