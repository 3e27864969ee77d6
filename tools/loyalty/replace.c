/* replace.c - see replace.h. Everything is asked of one broker: sessions are each broker's own. */
#include "replace.h"
#include "base/clock.h"
#include "loyalty/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEP_MS = 50, ASK_MS = 2000 };

/* A client of one endpoint, which may be one that does not answer. */
static struct loyalty_client *
client_of (const struct connect_options *where, const char *endpoint, struct error *err)
{
    struct connect_endpoints endpoints;
    struct loyalty_options options;
    struct loyalty_error failure;
    if (connect_settings (where, &endpoints, &options, err) < 0)
        return NULL;
    options.endpoints = &endpoint;
    options.endpoint_count = 1;
    struct loyalty_client *client = loyalty_client_new (&options, &failure);
    if (client == NULL)
        error_set (err, error_code_by_name (failure.name), "%s", failure.message);
    return client;
}

/* One of the broker's own methods; NULL with `err`. */
static json_t *
ask (struct loyalty_client *client, const char *method, const char *worker, struct error *err)
{
    struct loyalty_request request = { .method = method, .timeout_ms = ASK_MS };
    struct loyalty_error failure;
    json_t *body = worker != NULL ? json_pack ("{s:s}", "worker", worker) : json_object ();
    json_t *answer = loyalty_call_json (client, &request, body, NULL, &failure);
    json_decref (body);
    if (answer == NULL)
        error_set (err, error_code_by_name (failure.name), "%s", failure.message);
    return answer;
}

/* The first broker that answers, with its figures in *stats; NULL with `err`. */
static struct loyalty_client *
broker_find (const struct connect_options *where, json_t **stats, struct error *err)
{
    char endpoints[ENDPOINTS_MAX], *rest = endpoints, *endpoint;
    if (locate_endpoint (where->endpoint, where->data, endpoints, err) < 0)
        return NULL;
    while ((endpoint = strsep (&rest, ",")) != NULL) {
        struct loyalty_client *client = client_of (where, endpoint, err);
        *stats = client != NULL ? ask (client, "admin.stats", NULL, err) : NULL;
        if (*stats != NULL)
            return client;
        loyalty_client_destroy (&client);
    }
    return NULL;
}

static bool
is_among (const json_t *texts, const char *text)
{
    size_t i;
    json_t *each;
    json_array_foreach (texts, i, each)
    {
        if (strcmp (json_string_value (each), text) == 0)
            return true;
    }
    return false;
}

/* Sessions of workers of that name: a new array. */
static json_t *
sessions_of (const json_t *stats, const char *name)
{
    json_t *sessions = json_array (), *worker;
    size_t i;
    json_array_foreach (json_object_get (stats, "workers"), i, worker)
    {
        const char *its_name = json_string_value (json_object_get (worker, "name"));
        if (its_name != NULL && strcmp (its_name, name) == 0)
            json_array_append (sessions, json_object_get (worker, "session"));
    }
    return sessions;
}

/* How many of the sessions are still there, and how many others there are. */
static void
sessions_compare (const json_t *before, const json_t *now, size_t *left, size_t *fresh)
{
    size_t i;
    json_t *session;
    *left = *fresh = 0;
    json_array_foreach (now, i, session)
    {
        if (is_among (before, json_string_value (session)))
            ++*left;
        else
            ++*fresh;
    }
}

static int
workers_wait (struct loyalty_client *client, const char *name, const json_t *before, bool replaced, long wait_s,
              struct error *err)
{
    int64_t give_up_us = clock_monotonic_us () + wait_s * INT64_C (1000000);
    size_t left = json_array_size (before), fresh = 0;
    while (clock_monotonic_us () < give_up_us) {
        json_t *stats = ask (client, "admin.stats", NULL, err);
        if (stats == NULL)
            return -1;
        json_t *now = sessions_of (stats, name);
        sessions_compare (before, now, &left, &fresh);
        json_decref (now);
        json_decref (stats);
        if (left == 0 && (!replaced || fresh >= json_array_size (before)))
            return 0;
        usleep (STEP_MS * 1000);
    }
    return error_set (err, ERROR_UNAVAILABLE, "%s %s after %ld s", name,
                      left > 0 ? "still has requests in work" : "was not started again", wait_s);
}

int
replace_worker (const struct connect_options *where, const char *name, bool replaced, long wait_s, struct error *err)
{
    json_t *stats = NULL;
    struct loyalty_client *client = broker_find (where, &stats, err);
    if (client == NULL)
        return -1;
    json_t *before = sessions_of (stats, name), *answer = ask (client, "admin.drain", name, err);
    int status = answer != NULL ? workers_wait (client, name, before, replaced, wait_s, err) : -1;
    json_decref (answer);
    json_decref (before);
    json_decref (stats);
    loyalty_client_destroy (&client);
    return status;
}

json_t *
replace_worker_names (const struct connect_options *where, struct error *err)
{
    json_t *stats = NULL, *worker, *names = json_array ();
    struct loyalty_client *client = broker_find (where, &stats, err);
    size_t i;
    loyalty_client_destroy (&client);
    json_array_foreach (json_object_get (stats, "workers"), i, worker)
    {
        json_t *name = json_object_get (worker, "name");
        if (!is_among (names, json_string_value (name)))
            json_array_append (names, name);
    }
    if (stats == NULL) {
        json_decref (names);
        return NULL;
    }
    json_decref (stats);
    return names;
}

/* Since when it runs, on this machine's clock: not later than `at_us` less its uptime, if it answered before then; and not more than a
 * millisecond earlier than that, if it answered after then. */
static int64_t
started_us (const json_t *stats, int64_t at_us)
{
    return at_us - json_integer_value (json_object_get (stats, "uptime_ms")) * 1000;
}

/* Whether the broker is gone: it does not answer, or another one does, which began after the latest that it can have begun. */
static bool
is_replaced (struct loyalty_client *client, int64_t began_us)
{
    struct error silence;
    int64_t asked_us = clock_monotonic_us ();
    json_t *now = ask (client, "admin.stats", NULL, &silence);
    bool is_gone = now == NULL || started_us (now, asked_us) - 1000 > began_us;
    json_decref (now);
    return is_gone;
}

int
replace_broker (const struct connect_options *where, const char *endpoint, long wait_s, struct error *err)
{
    struct loyalty_client *client = client_of (where, endpoint, err);
    json_t *stats = client != NULL ? ask (client, "admin.stats", NULL, err) : NULL;
    int64_t began_us = started_us (stats, clock_monotonic_us ());
    json_t *answer = stats != NULL ? ask (client, "admin.drain", NULL, err) : NULL;
    int status = answer != NULL ? 0 : -1;
    bool is_gone = false;
    int64_t give_up_us = clock_monotonic_us () + wait_s * INT64_C (1000000);
    json_decref (stats);
    json_decref (answer);
    while (status == 0 && !(is_gone = is_replaced (client, began_us)) && clock_monotonic_us () < give_up_us)
        usleep (STEP_MS * 1000);
    loyalty_client_destroy (&client);
    if (status == 0 && !is_gone)
        return error_set (err, ERROR_UNAVAILABLE, "the broker at %.150s still drains after %ld s", endpoint, wait_s);
    return status;
}
