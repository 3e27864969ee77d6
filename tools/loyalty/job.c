/* job.c - `loyalty job`: what the background jobs are at, one of them from where it stopped to its end, or stopped. */
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
    "job list | run NAME | stop NAME [OPTION]...",
    "Background jobs: expire (books points that ran out), memberships (evaluates every member's level), holds (lets go "
    "of\n"
    "holds that ran out, forgets old ones), referrals (books points that wait for owners of referral codes) and "
    "partitions\n"
    "(makes the next months' tables). The feed's leader runs them by its schedule, in small steps beside orders.\n"
    "\n"
    "  list        what each is at\n"
    "  run NAME    runs one to its end. Ctrl-C stops it after the step in hand; run again, it goes on from there\n"
    "  stop NAME   stops one, whoever drives it; `run` lets it go on",
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
        if (run->last == NULL) /* later steps hear of it when somebody stops the job */
            json_object_set_new (body, "resume", json_true ());
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

/* ---- list, stop */

static const char *
text_of (const json_t *job, const char *name)
{
    const char *text = json_string_value (json_object_get (job, name));
    return text != NULL && *text != '\0' ? text : "-";
}

static void
show_jobs (const json_t *jobs)
{
    size_t index;
    const json_t *job;
    printf ("%-12s %-10s %-20s %-27s %12s %10s %6s\n", "job", "state", "period", "last step", "looked at", "changed",
            "failed");
    json_array_foreach ((json_t *)jobs, index, job)
        printf ("%-12s %-10s %-20s %-27s %12lld %10lld %6lld\n", text_of (job, "job"), text_of (job, "state"),
                text_of (job, "period"), text_of (job, "updated"), (long long)figure (job, "examined"),
                (long long)figure (job, "changed"), (long long)figure (job, "failed"));
}

/* One request that is neither repeated nor followed; NULL: its failure is printed. */
static json_t *
ask (struct job_run *run, const char *method, json_t *body)
{
    struct loyalty_request request = { .method = method };
    struct loyalty_error failure;
    json_t *details = NULL, *answer = loyalty_call_json (run->client, &request, body, &details, &failure);
    json_decref (body);
    if (answer == NULL)
        output_failure (&failure, details, run->json, false);
    json_decref (details);
    return answer;
}

static int
list (struct job_run *run)
{
    json_t *answer = ask (run, "job.list", json_object ());
    if (answer == NULL)
        return EXIT_FAILED;
    if (run->json)
        output_json (answer, false);
    else {
        show_jobs (json_object_get (answer, "jobs"));
        json_decref (answer);
    }
    return EXIT_DONE;
}

static int
stop_job (struct job_run *run)
{
    json_t *answer = ask (run, "job.stop", json_pack ("{s:s}", "job", run->name));
    if (answer == NULL)
        return EXIT_FAILED;
    if (run->json) {
        output_json (answer, false);
        return EXIT_DONE;
    }
    printf ("%s: stopped%s; `loyalty job run %s` lets it go on\n", run->name,
            json_is_true (json_object_get (answer, "was_running")) ? " in the middle" : "", run->name);
    json_decref (answer);
    return EXIT_DONE;
}

static bool
is_job (const char *name)
{
    for (const char *const *job = NAMES_JOB; *job != NULL; job++)
        if (strcmp (*job, name) == 0)
            return true;
    return false;
}

static const struct action {
    const char *name;
    bool names_job;
    int (*run) (struct job_run *run);
} ACTIONS[] = { { "list", false, list }, { "run", true, run_to_the_end }, { "stop", true, stop_job } };

static const struct action *
action_of (const char *name)
{
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
        if (strcmp (ACTIONS[i].name, name) == 0)
            return &ACTIONS[i];
    return NULL;
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
    const struct action *action = left < 1 ? NULL : action_of (argv[1]);
    if (action == NULL)
        return options_wrong (&HELP, left < 1 ? "list, run or stop?" : "list, run or stop, not %s", argv[1]);
    if (left != (action->names_job ? 2 : 1))
        return options_wrong (&HELP, left < 2 ? "which job?" : "there is more than it takes: %s", argv[left]);
    run.name = action->names_job ? argv[2] : NULL;
    if (action->names_job && !is_job (run.name))
        return options_wrong (&HELP, "there is no job %s", run.name);
    run.client = connect_engine (&where, &err);
    if (run.client == NULL)
        return output_error (&err, run.json);
    code = action->run (&run);
    json_decref (run.last);
    loyalty_client_destroy (&run.client);
    return code;
}
