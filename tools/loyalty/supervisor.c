/* supervisor.c - see supervisor.h. One thread, one loop: signals and children's ends wake it, and after each
 * turn `advance` decides from the phase what comes next. */
#include "supervisor.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"
#include "loyalty/client.h"
#include "output.h"
#include "up_files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum phase {
    PHASE_DATABASE, /* waiting for PostgreSQL, then migrating */
    PHASE_BROKERS,  /* waiting for the endpoints of brokers and feeds */
    PHASE_HEALTH,   /* waiting for admin.health to be answered by a worker */
    PHASE_SERVING,
    PHASE_STOP_BROKERS, /* they drain: answer what is in hand, take nothing new */
    PHASE_STOP_WORKERS,
    PHASE_STOP_FEEDS, /* they tell what the workers did last */
    PHASE_STOP_DATABASE,
    PHASE_OVER,
};

enum {
    CHILDREN_MAX = WORKERS_MAX + BROKERS_MAX + FEEDS_MAX + 1,
    TICK_MS = 20,
    SERVING_TICK_MS = 1000,
    TRIM_EVERY_MS = 60000,
    START_EXITS_MAX = 3, /* a program that ends so often before the engine serves is given up */
    HEALTH_WAIT_MS = 60000,
    STOP_BROKERS_MS = 35000, /* their own bound on draining is 30 s */
    STOP_WORKERS_MS = 15000,
    STOP_FEEDS_MS = 15000,
    STOP_DATABASE_MS = 60000,
};

/* One of the brokers, or of the feeds: where it is to listen, and where it does. */
struct place {
    struct child *child;
    char listen[ENDPOINT_MAX], worker_endpoint[ENDPOINT_MAX]; /* the latter of brokers */
    char endpoint[ENDPOINT_MAX];                              /* empty until it has said so */
    char line[2 * ENDPOINT_MAX + 16];                         /* what it has printed so far */
    size_t line_size;
};

struct supervisor {
    const struct engine_plan *plan;
    enum phase phase;
    unsigned child_count;
    struct child children[CHILDREN_MAX];
    bool wanted[CHILDREN_MAX];
    struct child *database, *brokers, *workers, *feeds; /* in children; database NULL: the user's own */
    char server_paths[3][PATH_MAX + 32];                /* of broker, worker and feed */
    long place_count;
    struct place places[BROKERS_MAX + FEEDS_MAX]; /* brokers, then feeds */
    char endpoints[ENDPOINTS_MAX];                /* of all brokers, with commas; empty until each has told its own */
    char worker_names[WORKERS_MAX][32];
    struct loyalty_client *client; /* during PHASE_HEALTH */
    bool health_asked, health_done, health_ok;
    int signals; /* signalfd */
    unsigned stop_requests;
    bool failed;
    int64_t stop_at_ms, trim_at_ms; /* end of patience in a stopping phase; next look at the logs */
};

/* --- What is run --- */

static struct child *
child_add (struct supervisor *up, const char *name)
{
    struct child *child = &up->children[up->child_count++];
    child_init (child, name);
    snprintf (child->log_path, sizeof child->log_path, "%s/%s.log", up->plan->log_folder, name);
    return child;
}

/* Adds a program that says where it listens: its arguments are the caller's. */
static struct place *
place_add (struct supervisor *up, const char *name, long number, const char *listen)
{
    struct place *place = &up->places[up->place_count++];
    char full_name[32];
    snprintf (full_name, sizeof full_name, number == 0 ? "%s" : "%s-%ld", name, number);
    snprintf (place->listen, sizeof place->listen, "%s", listen);
    place->child = child_add (up, full_name);
    place->child->wants_output = true;
    return place;
}

/* The first is just "broker". */
static void
broker_describe (struct supervisor *up, long index)
{
    const struct engine_plan *plan = up->plan;
    struct place *place = place_add (up, "broker", index == 0 ? 0 : index + 1, plan->listen[index]);
    snprintf (place->worker_endpoint, sizeof place->worker_endpoint,
              index == 0 ? "ipc://%s/workers" : "ipc://%s/workers-%ld", plan->run, index + 1);
    const char *args[] = { up->server_paths[0],
                           "--listen",
                           place->listen,
                           "--workers",
                           place->worker_endpoint,
                           "--config",
                           plan->broker_config,
                           plan->insecure ? "--insecure" : NULL,
                           NULL };
    memcpy (place->child->args, args, sizeof args);
    child_option (place->child, "--keys", plan->keys->list);
}

static void
feed_describe (struct supervisor *up, long index)
{
    const struct engine_plan *plan = up->plan;
    struct place *place = place_add (up, "feed", index + 1, plan->feed_listen[index]);
    const char *args[] = { up->server_paths[2], "--listen", place->listen,      "--database",
                           plan->feed_url,      "--name",   place->child->name, NULL };
    memcpy (place->child->args, args, sizeof args);
    if (plan->insecure)
        child_argument (place->child, "--insecure");
    child_option (place->child, "--keys", plan->keys->list);
    if (plan->schedule) {
        child_argument (place->child, "--broker");
        child_argument (place->child, up->endpoints); /* known by the time that it is started */
        child_option (place->child, "--key-file", plan->keys->feed);
    }
}

/* A worker knows all brokers. */
static void
worker_describe (struct supervisor *up, long index)
{
    snprintf (up->worker_names[index], sizeof up->worker_names[index], "worker-%ld", index + 1);
    struct child *worker = child_add (up, up->worker_names[index]);
    const char *args[] = { up->server_paths[1], "--database", up->plan->worker_url, "--name", up->worker_names[index] };
    size_t count = sizeof args / sizeof args[0];
    memcpy (worker->args, args, sizeof args);
    for (long i = 0; i < up->plan->brokers; i++) {
        worker->args[count++] = "--broker";
        worker->args[count++] = up->places[i].worker_endpoint;
    }
    worker->args[count] = NULL;
    child_option (worker, "--key-file", up->plan->keys->worker);
    child_option (worker, "--replica", up->plan->replica_url);
    child_option (worker, "--replica-lag-ms", up->plan->replica_lag_ms);
}

static void
children_describe (struct supervisor *up)
{
    const struct engine_plan *plan = up->plan;
    if (plan->cluster != NULL) {
        up->database = child_add (up, "postgresql");
        cluster_child (plan->cluster, plan->log_folder, up->database);
    }
    snprintf (up->server_paths[0], sizeof up->server_paths[0], "%s/loyalty-broker", plan->programs);
    snprintf (up->server_paths[1], sizeof up->server_paths[1], "%s/loyalty-worker", plan->programs);
    snprintf (up->server_paths[2], sizeof up->server_paths[2], "%s/loyalty-feed", plan->programs);
    up->brokers = &up->children[up->child_count];
    for (long i = 0; i < plan->brokers; i++)
        broker_describe (up, i);
    up->feeds = &up->children[up->child_count];
    for (long i = 0; i < plan->feeds; i++)
        feed_describe (up, i);
    up->workers = &up->children[up->child_count];
    for (long i = 0; i < plan->workers; i++)
        worker_describe (up, i);
}

static void
want (struct supervisor *up, const struct child *first, long count, bool wanted)
{
    for (long i = 0; i < count; i++)
        up->wanted[first - up->children + i] = wanted;
}

static void
children_signal (const struct child *first, long count, int number)
{
    for (long i = 0; i < count; i++)
        child_signal (&first[i], number);
}

static bool
children_gone (const struct child *first, long count)
{
    for (long i = 0; i < count; i++)
        if (first[i].pid != 0)
            return false;
    return true;
}

/* --- Failing and stopping --- */

static void
stop_begin (struct supervisor *up, int64_t now_ms)
{
    up_files_remove (up->plan->data);
    loyalty_client_destroy (&up->client);
    want (up, up->brokers, up->plan->brokers, false);
    children_signal (up->brokers, up->plan->brokers, SIGTERM);
    up->phase = PHASE_STOP_BROKERS;
    up->stop_at_ms = now_ms + STOP_BROKERS_MS;
}

static void
start_failed (struct supervisor *up, const struct error *err, int64_t now_ms)
{
    up->failed = true;
    output_error (err, up->plan->json);
    stop_begin (up, now_ms);
    want (up, up->workers, up->plan->workers, false); /* Nobody waits for an answer. */
    want (up, up->feeds, up->plan->feeds, false);
}

/* --- Files --- */

static void
files_write (struct supervisor *up)
{
    struct error err;
    json_t *processes = json_object ();
    for (unsigned i = 0; i < up->child_count; i++)
        json_object_set_new (processes, up->children[i].name, json_integer (up->children[i].pid));
    json_t *endpoints = json_array (), *worker_endpoints = json_array (), *feed_endpoints = json_array ();
    for (long i = 0; i < up->plan->brokers; i++) {
        json_array_append_new (endpoints, json_string (up->places[i].endpoint));
        json_array_append_new (worker_endpoints, json_string (up->places[i].worker_endpoint));
    }
    for (long i = up->plan->brokers; i < up->place_count; i++)
        json_array_append_new (feed_endpoints, json_string (up->places[i].endpoint));
    json_t *state = json_pack ("{s:i, s:s, s:o, s:s, s:o, s:o, s:s, s:s, s:o}", "pid", (int)getpid (), "endpoint",
                               up->endpoints, "endpoints", endpoints, "worker_endpoint", up->places[0].worker_endpoint,
                               "worker_endpoints", worker_endpoints, "feed_endpoints", feed_endpoints, "database",
                               up->plan->owner_url, "fsck_database", up->plan->fsck_url, "processes", processes);
    if (up->plan->keys->list[0] != 0) {
        json_object_set_new (state, "keys", json_string (up->plan->keys->list));
        json_object_set_new (state, "key", json_string (up->plan->keys->admin));
    }
    if (state == NULL || up_files_write (up->plan->data, up->endpoints, state, &err) < 0)
        log_error ("the data folder's files are not up to date: %s", state != NULL ? err.message : "out of memory");
    json_decref (state);
}

/* --- Children --- */

static void
children_reap (struct supervisor *up, int64_t now_ms)
{
    for (unsigned i = 0; i < up->child_count; i++) {
        struct child *child = &up->children[i];
        char end[64], words[160];
        if (!child_reap (child, now_ms))
            continue;
        for (long place = 0; place < up->place_count; place++)
            if (up->places[place].child == child)
                up->places[place].line_size = 0;
        if (!up->wanted[i])
            continue;
        child_last_words (child, words, sizeof words);
        if (up->phase < PHASE_SERVING && child->exits >= START_EXITS_MAX) {
            struct error err;
            error_set (&err, ERROR_UNAVAILABLE, "%s %s: %s", child->name, child_end_text (child, end), words);
            start_failed (up, &err, now_ms);
            return;
        }
        log_warning ("%s %s, starting it again in %lld ms (%s)", child->name, child_end_text (child, end),
                     (long long)(child->start_at_ms - now_ms), words);
    }
}

static void
children_start (struct supervisor *up, int64_t now_ms)
{
    bool changed = false;
    for (unsigned i = 0; i < up->child_count; i++) {
        struct child *child = &up->children[i];
        struct error err;
        if (!up->wanted[i] || child->pid != 0 || now_ms < child->start_at_ms)
            continue;
        if (child_start (child, now_ms, &err) < 0) {
            log_error ("%s", err.message);
            child->start_at_ms = now_ms + CHILD_BACKOFF_MAX_MS;
        }
        changed = true;
    }
    if (changed && up->phase == PHASE_SERVING)
        files_write (up);
}

/* Whether the first `count` brokers and feeds have told where they listen. */
static bool
places_are_known (const struct supervisor *up, long count)
{
    for (long i = 0; i < count; i++)
        if (up->places[i].endpoint[0] == 0)
            return false;
    return true;
}

/* The brokers' endpoints as one text, once each has told its own. The feeds, which are told of them, can begin then. */
static void
endpoints_join (struct supervisor *up)
{
    char text[ENDPOINTS_MAX];
    size_t size = 0;
    if (up->endpoints[0] != 0 || !places_are_known (up, up->plan->brokers))
        return;
    for (long i = 0; i < up->plan->brokers; i++)
        size += (size_t)snprintf (text + size, sizeof text - size, "%s%s", i > 0 ? "," : "", up->places[i].endpoint);
    memcpy (up->endpoints, text, size + 1);
    want (up, up->feeds, up->plan->feeds, true);
}

/* Reads what a broker or a feed prints. Its first line, "ready ENDPOINT" (of a broker the workers' endpoint follows),
 * tells the port that the system chose, which a restarted one has to take again. */
static void
place_read (struct supervisor *up, struct place *place)
{
    char block[512];
    ssize_t count = read (place->child->output_fd, block, sizeof block);
    if (count == 0) {
        close (place->child->output_fd);
        place->child->output_fd = -1;
    }
    for (ssize_t i = 0; i < count && place->line_size < sizeof place->line - 1; i++)
        place->line[place->line_size++] = block[i];
    place->line[place->line_size] = 0;
    if (place->endpoint[0] != 0 || strchr (place->line, '\n') == NULL ||
        sscanf (place->line, "ready %255s", place->endpoint) != 1)
        return;
    memcpy (place->listen, place->endpoint, sizeof place->listen);
    endpoints_join (up);
}

/* --- Starting --- */

static int
database_migrate (struct supervisor *up, struct error *err)
{
    struct migrate_report report;
    if (up->database != NULL && cluster_create_database (up->plan->cluster, err) < 0)
        return -1;
    PGconn *db = database_open (up->plan->owner_url, err);
    if (db == NULL)
        return -1;
    int status = store_migrate (db, &up->plan->settings, NULL, &report, err);
    PQfinish (db);
    if (status == 0 && up->database != NULL)
        status = cluster_create_users (up->plan->owner_url, err);
    if (status == 0 && report.applied > 0)
        log_info ("database migrated from schema version %d to %d", report.version_before, report.version_after);
    return status;
}

/* PostgreSQL may take its time (recovery after a crash): as long as it runs, it is waited for. */
static void
database_advance (struct supervisor *up, int64_t now_ms)
{
    struct error err;
    if (up->database != NULL) {
        char maintenance[DATABASE_MAX + 32];
        snprintf (maintenance, sizeof maintenance, "postgresql:///postgres%s", strchr (up->plan->owner_url, '?'));
        if (up->database->pid == 0 || PQping (maintenance) != PQPING_OK)
            return;
    }
    if (database_migrate (up, &err) < 0) {
        start_failed (up, &err, now_ms);
        return;
    }
    up->phase = PHASE_BROKERS;
    want (up, up->brokers, up->plan->brokers, true);
    want (up, up->workers, up->plan->workers, true);
}

static void
health_answered (const struct loyalty_reply *reply)
{
    struct supervisor *up = reply->context;
    up->health_done = true;
    up->health_ok = reply->ok;
    if (!reply->ok)
        log_error ("admin.health: %s: %s", reply->error.name, reply->error.message);
}

/* Asks the broker for the health of a worker, as any client would. */
static int
health_ask (struct supervisor *up, struct error *err)
{
    struct loyalty_options options;
    struct loyalty_error failure;
    const char *endpoints[] = { up->endpoints };
    loyalty_options_init (&options);
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    options.timeout_ms = HEALTH_WAIT_MS;
    options.key_file = up->plan->keys->admin[0] != 0 ? up->plan->keys->admin : NULL;
    up->client = loyalty_client_new (&options, &failure);
    struct loyalty_request request = { .method = "admin.health" };
    if (up->client == NULL || loyalty_submit (up->client, &request, health_answered, up, &failure) == 0)
        return error_set (err, ERROR_UNAVAILABLE, "%s", failure.message);
    return 0;
}

static void
serving_begin (struct supervisor *up)
{
    loyalty_client_destroy (&up->client);
    up->phase = PHASE_SERVING;
    files_write (up);
    printf ("ready %s\n", up->endpoints);
    if (up->plan->json)
        output_json (json_pack ("{s:s, s:s, s:i}", "endpoint", up->endpoints, "database", up->plan->owner_url, "pid",
                                (int)getpid ()),
                     false);
    fflush (stdout);
}

static void
health_advance (struct supervisor *up, int64_t now_ms)
{
    struct error err;
    if (!up->health_asked) {
        up->health_asked = true;
        if (health_ask (up, &err) < 0)
            start_failed (up, &err, now_ms);
        return;
    }
    loyalty_poll (up->client, TICK_MS);
    if (!up->health_done)
        return;
    if (up->health_ok) {
        serving_begin (up);
    } else {
        error_set (&err, ERROR_UNAVAILABLE, "the engine does not answer; its logs are in %.150s", up->plan->log_folder);
        start_failed (up, &err, now_ms);
    }
}

/* --- The phases --- */

static void
stop_advance (struct supervisor *up, int64_t now_ms)
{
    bool late = now_ms >= up->stop_at_ms || up->stop_requests > 1;
    switch (up->phase) {
    case PHASE_STOP_BROKERS:
        if (children_gone (up->brokers, up->plan->brokers)) {
            want (up, up->workers, up->plan->workers, false);
            children_signal (up->workers, up->plan->workers, SIGTERM);
            up->phase = PHASE_STOP_WORKERS;
            up->stop_at_ms = now_ms + STOP_WORKERS_MS;
        } else if (late) {
            children_signal (up->brokers, up->plan->brokers, SIGKILL);
        }
        break;
    case PHASE_STOP_WORKERS:
        if (children_gone (up->workers, up->plan->workers)) {
            want (up, up->feeds, up->plan->feeds, false);
            children_signal (up->feeds, up->plan->feeds, SIGTERM);
            up->phase = PHASE_STOP_FEEDS;
            up->stop_at_ms = now_ms + STOP_FEEDS_MS;
        } else if (late) {
            children_signal (up->workers, up->plan->workers, SIGKILL);
        }
        break;
    case PHASE_STOP_FEEDS:
        if (children_gone (up->feeds, up->plan->feeds)) {
            if (up->database != NULL) {
                want (up, up->database, 1, false);
                child_signal (up->database, SIGINT); /* Fast: rolls back what is open, writes a checkpoint. */
            }
            up->phase = PHASE_STOP_DATABASE;
            up->stop_at_ms = now_ms + STOP_DATABASE_MS;
        } else if (late) {
            children_signal (up->feeds, up->plan->feeds, SIGKILL);
        }
        break;
    case PHASE_STOP_DATABASE:
        if (up->database == NULL || up->database->pid == 0)
            up->phase = PHASE_OVER;
        else if (late)
            child_signal (up->database, SIGQUIT); /* Immediate: the next start recovers from the log. */
        break;
    default:
        break;
    }
}

static void
advance (struct supervisor *up, int64_t now_ms)
{
    if (up->stop_requests > 0 && up->phase < PHASE_STOP_BROKERS)
        stop_begin (up, now_ms);
    switch (up->phase) {
    case PHASE_DATABASE:
        database_advance (up, now_ms);
        break;
    case PHASE_BROKERS:
        if (places_are_known (up, up->place_count))
            up->phase = PHASE_HEALTH;
        break;
    case PHASE_HEALTH:
        health_advance (up, now_ms);
        break;
    case PHASE_SERVING:
        if (now_ms >= up->trim_at_ms) {
            up->trim_at_ms = now_ms + TRIM_EVERY_MS;
            for (unsigned i = 0; i < up->child_count; i++)
                child_trim_log (&up->children[i]);
        }
        break;
    default:
        stop_advance (up, now_ms);
    }
}

/* --- The loop --- */

static int
signals_open (struct supervisor *up, struct error *err)
{
    static const int STOPPING[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
    sigset_t set;
    sigemptyset (&set);
    for (size_t i = 0; i < sizeof STOPPING / sizeof STOPPING[0]; i++)
        sigaddset (&set, STOPPING[i]);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    up->signals = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return up->signals >= 0 ? 0 : error_set (err, ERROR_INTERNAL, "cannot receive signals: %s", strerror (errno));
}

static void
signals_read (struct supervisor *up)
{
    struct signalfd_siginfo info;
    while (read (up->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        up->stop_requests++;
        log_info (up->stop_requests == 1 ? "stopping" : "stopping at once");
    }
}

/* Until the caller's turn comes: soon while something starts or stops, later while all is well. */
static int
patience_ms (const struct supervisor *up)
{
    for (unsigned i = 0; i < up->child_count; i++)
        if (up->wanted[i] && up->children[i].pid == 0)
            return TICK_MS;
    return up->phase == PHASE_SERVING ? SERVING_TICK_MS : TICK_MS;
}

/* Waits for a signal or what brokers and feeds print, and handles them. */
static void
wait_for_events (struct supervisor *up)
{
    struct pollfd events[BROKERS_MAX + FEEDS_MAX + 1] = { { .fd = up->signals, .events = POLLIN } };
    for (long i = 0; i < up->place_count; i++)
        events[i + 1] = (struct pollfd){ .fd = up->places[i].child->output_fd, .events = POLLIN };
    if (poll (events, (nfds_t)up->place_count + 1, patience_ms (up)) <= 0)
        return;
    if (events[0].revents != 0)
        signals_read (up);
    for (long i = 0; i < up->place_count; i++)
        if (events[i + 1].revents != 0)
            place_read (up, &up->places[i]);
}

int
supervise (const struct engine_plan *plan)
{
    struct error err;
    struct supervisor *up = calloc (1, sizeof *up);
    if (up == NULL) {
        error_set (&err, ERROR_INTERNAL, "out of memory");
        return output_error (&err, plan->json);
    }
    up->plan = plan;
    up->phase = PHASE_DATABASE;
    children_describe (up);
    if (signals_open (up, &err) < 0) {
        free (up);
        return output_error (&err, plan->json);
    }
    up_files_remove (plan->data);
    if (up->database != NULL)
        want (up, up->database, 1, true);
    while (up->phase != PHASE_OVER) {
        int64_t now_ms = clock_monotonic_ms ();
        children_reap (up, now_ms);
        children_start (up, now_ms);
        advance (up, now_ms);
        if (up->phase != PHASE_OVER)
            wait_for_events (up);
    }
    /* The folder of sockets is made again at the next start. */
    for (long i = 0; i < plan->brokers; i++)
        unlink (up->places[i].worker_endpoint + strlen ("ipc://"));
    rmdir (plan->run);
    int code = up->failed ? EXIT_FAILED : EXIT_DONE;
    close (up->signals);
    free (up);
    return code;
}
