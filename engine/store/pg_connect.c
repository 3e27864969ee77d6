/* pg_connect.c - finding the server: of all that the connection string names the one that can be written to now, or, for reads
 * that may be late, a standby.
 *
 * libpq could try several hosts itself (target_session_attrs), but it would wait on one that hangs for as long as it is
 * let, and take the first that can be written to. After a failover that may be the old primary, come back with what it
 * knew: so all are asked, and the one with the highest timeline is the primary. A server is never left for one with a
 * lower timeline of the same cluster. */
#include "base/clock.h"
#include "base/log.h"
#include "store/pg_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OTHERS_TIMEOUT_MS = 500, /* for asking the others, once a server is found */
    HOSTS_MAX = 16,
    CONFIRM_MS = 1000,
};

struct candidate {
    PGconn *connection;
    unsigned host;
    bool in_recovery, read_only;
    int64_t timeline; /* 0: not known */
    char system[24];
};

/* What a server is. The second form is for servers that hide their log and their identity. */
static const char *const QUESTIONS[] = {
    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', "
    "(SELECT system_identifier FROM pg_control_system()), CASE WHEN pg_is_in_recovery() THEN 0 "
    "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint END",
    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', '', 0",
};

/* The server's warnings go to the log, not to standard error as they come, and are counted. */
static void
notice (void *context, const PGresult *result)
{
    struct pg *pg = context;
    char line[200];
    const char *severity = PQresultErrorField (result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity == NULL || strcmp (severity, "WARNING") != 0)
        return;
    pg->warnings++;
    log_warning ("the database warns: %s",
                 pg_first_line (PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line));
}

/* ---- the hosts of the connection string */

static unsigned
list_count (const char *list)
{
    unsigned count = *list != '\0';
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* The item of a comma-separated list; the last one where there are fewer. NULL: it is empty. */
static const char *
list_item (const char *list, unsigned index, char *item, size_t size)
{
    for (const char *comma; index > 0 && (comma = strchr (list, ',')) != NULL; index--)
        list = comma + 1;
    snprintf (item, size, "%.*s", (int)strcspn (list, ","), list);
    return item[0] == '\0' ? NULL : item;
}

static int
keep (char **to, const char *text)
{
    free (*to);
    *to = strdup (text == NULL ? "" : text);
    return *to == NULL ? -1 : 0;
}

/* What the connection string, a service file and the environment come to, libpq tells only of a connection that was begun. */
static int
hosts_read (struct pg *pg, struct error *err)
{
    const char *keywords[] = { "dbname", NULL }, *values[] = { pg->options.url, NULL };
    PGconn *connection = PQconnectStartParams (keywords, values, 1);
    PQconninfoOption *options = PQconninfo (connection);
    int status = options == NULL ? -1 : 0;
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp (option->keyword, "host") == 0)
            status |= keep (&pg->hosts, option->val);
        else if (strcmp (option->keyword, "hostaddr") == 0)
            status |= keep (&pg->addresses, option->val);
        else if (strcmp (option->keyword, "port") == 0)
            status |= keep (&pg->ports, option->val);
    }
    PQconninfoFree (options);
    PQfinish (connection);
    if (status < 0 || pg->hosts == NULL || pg->addresses == NULL || pg->ports == NULL)
        return error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: out of memory");
    unsigned count = list_count (pg->addresses[0] != '\0' ? pg->addresses : pg->hosts);
    pg->host_count = count == 0 ? 1 : count > HOSTS_MAX ? HOSTS_MAX : count;
    return 0;
}

/* ---- one server */

static void
session_settings (const struct pg_options *options, char *settings, size_t size)
{
    settings[0] = '\0';
    if (options->plain)
        return;
    /* Generic plans: the statements take arrays, whose sizes a plan should not depend on. And plans by index alone: a plan
     * that was made while a table was empty, and stays until it is analyzed, must not be a scan of it. */
    snprintf (
        settings, size,
        "-c lock_timeout=%d -c idle_in_transaction_session_timeout=%d -c plan_cache_mode=force_generic_plan -c jit=off "
        "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c "
        "enable_material=off %s",
        options->lock_timeout_ms, options->idle_in_transaction_timeout_ms,
        options->read_only ? "-c default_transaction_read_only=on" : "");
}

static PGconn *
open_host (struct pg *pg, unsigned host, int timeout_ms, struct error *err)
{
    char settings[400], line[160], name[256], address[64], port[16];
    session_settings (&pg->options, settings, sizeof settings);
    bool several = pg->host_count > 1;
    const char *keywords[] = {
        "dbname", "application_name", "options", "client_encoding", "target_session_attrs", "host", "hostaddr", "port",
        NULL
    };
    const char *values[] = { pg->options.url,
                             pg->options.application,
                             settings,
                             "UTF8",
                             "any",
                             several ? list_item (pg->hosts, host, name, sizeof name) : NULL,
                             several ? list_item (pg->addresses, host, address, sizeof address) : NULL,
                             several ? list_item (pg->ports, host, port, sizeof port) : NULL,
                             NULL };
    int64_t deadline_us = clock_monotonic_us () + timeout_ms * INT64_C (1000);

    PGconn *connection = PQconnectStartParams (keywords, values, 1);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    bool late = false;
    while (connection != NULL && PQstatus (connection) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED && !late) {
        late = pg_wait (connection, status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline_us) < 0;
        if (!late)
            status = PQconnectPoll (connection);
    }
    if (connection != NULL && !late && PQstatus (connection) == CONNECTION_OK) {
        pg->notices = PQsetNoticeReceiver (connection, notice, pg);
        return connection;
    }
    if (late)
        error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: no answer within %d ms", timeout_ms);
    else
        error_set (err, ERROR_UNAVAILABLE, "the database cannot be reached: %s",
                   connection == NULL ? "out of memory"
                                      : pg_first_line (PQerrorMessage (connection), line, sizeof line));
    PQfinish (connection);
    return NULL;
}

/* One statement outside of any pipeline; NULL when no answer came in time. */
static PGresult *
ask (PGconn *connection, const char *sql, int64_t deadline_us)
{
    PGresult *answer = NULL;
    if (PQsendQuery (connection, sql) != 1)
        return NULL;
    for (;;) {
        while (PQisBusy (connection))
            if (pg_wait (connection, POLLIN, deadline_us) < 0 || PQconsumeInput (connection) != 1) {
                PQclear (answer);
                return NULL;
            }
        PGresult *next = PQgetResult (connection);
        if (next == NULL)
            return answer;
        PQclear (answer);
        answer = next;
    }
}

/* Asks a server what it is. -1: it does not say. */
static int
inspect (struct candidate *candidate, int64_t deadline_us)
{
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++) {
        PGresult *answer = ask (candidate->connection, QUESTIONS[i], deadline_us);
        if (PQresultStatus (answer) == PGRES_TUPLES_OK && PQntuples (answer) == 1) {
            candidate->in_recovery = *PQgetvalue (answer, 0, 0) == 't';
            candidate->read_only = *PQgetvalue (answer, 0, 1) == 't';
            snprintf (candidate->system, sizeof candidate->system, "%s", PQgetvalue (answer, 0, 2));
            candidate->timeline = atoll (PQgetvalue (answer, 0, 3));
            PQclear (answer);
            return 0;
        }
        PQclear (answer);
    }
    return -1;
}

static bool
same_system (const char *one, const char *other)
{
    return one[0] != '\0' && strcmp (one, other) == 0;
}

/* Why a server that answers is not one to work with; NULL: it is. */
static const char *
unfit (const struct pg *pg, const struct candidate *candidate)
{
    if (pg->options.replica)
        return NULL;
    if (candidate->in_recovery)
        return "is a standby";
    if (candidate->read_only && !pg->options.read_only)
        return "admits no writing (default_transaction_read_only)";
    if (same_system (candidate->system, pg->system) && candidate->timeline < pg->server.timeline)
        return "is a primary of the past: another one took its place";
    return NULL;
}

static int
candidate_open (struct pg *pg, unsigned host, int timeout_ms, struct candidate *candidate, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us () + timeout_ms * INT64_C (1000);
    *candidate = (struct candidate){ .host = host, .connection = open_host (pg, host, timeout_ms, err) };
    if (candidate->connection == NULL)
        return -1;
    const char *why = inspect (candidate, deadline_us) < 0 ? "does not answer" : unfit (pg, candidate);
    if (why == NULL)
        return 0;
    error_set (err, ERROR_UNAVAILABLE, "the database server %.80s:%s %s", PQhost (candidate->connection),
               PQport (candidate->connection), why);
    PQfinish (candidate->connection);
    return -1;
}

/* Of two servers that are fit. For reads that may be late a standby; else the primary of the higher timeline. */
static bool
is_better (const struct pg *pg, const struct candidate *one, const struct candidate *other)
{
    if (other->connection == NULL)
        return true;
    if (pg->options.replica)
        return one->in_recovery && !other->in_recovery;
    return same_system (one->system, other->system) && one->timeline > other->timeline;
}

static int
choose (struct pg *pg, struct candidate *best, struct error *err)
{
    *best = (struct candidate){ 0 };
    for (unsigned i = 0; i < pg->host_count; i++) {
        struct candidate found;
        int timeout_ms = best->connection == NULL ? pg->options.connect_timeout_ms : OTHERS_TIMEOUT_MS;
        if (candidate_open (pg, (pg->host + i) % pg->host_count, timeout_ms, &found, err) < 0)
            continue;
        if (!is_better (pg, &found, best)) {
            PQfinish (found.connection);
            continue;
        }
        PQfinish (best->connection);
        *best = found;
        if (pg->options.replica && found.in_recovery)
            break;
    }
    return best->connection == NULL ? -1 : 0;
}

/* ---- after a wait that ended without an answer */

/* Whether commits come through. One that waits for a standby which is gone holds its locks and its connection for as long as that
 * takes, whatever its client does: so a client that gave up on one must not begin another. The server itself ends the wait of
 * this one, which changes nothing, and warns. (A timeout reaches a COMMIT only inside of a block of code.) */
static int
commits_confirm (struct pg *pg, PGconn *connection, struct error *err)
{
    static const char *const STEPS[] = {
        "SET statement_timeout = 1000",
        "DO $$ BEGIN PERFORM pg_logical_emit_message(true, 'loyalty', ''); COMMIT; END $$",
        "RESET statement_timeout",
    };
    int64_t deadline_us = clock_monotonic_us () + 2 * CONFIRM_MS * INT64_C (1000);
    unsigned warnings = pg->warnings;
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        PGresult *answer = ask (connection, STEPS[i], deadline_us);
        bool done = PQresultStatus (answer) == PGRES_COMMAND_OK;
        PQclear (answer);
        if (!done || pg->warnings != warnings)
            return error_set (err, ERROR_UNAVAILABLE,
                              "the database does not confirm commits: it waits for a standby that does not answer");
    }
    pg->doubtful = false;
    return 0;
}

int
pg_connect (struct pg *pg, struct error *err)
{
    struct candidate best;
    if ((pg->host_count == 0 && hosts_read (pg, err) < 0) || choose (pg, &best, err) < 0)
        return -1;
    if (pg->doubtful && !pg->options.read_only && commits_confirm (pg, best.connection, err) < 0) {
        PQfinish (best.connection);
        return -1;
    }
    struct pg_server *server = &pg->server;
    if (best.timeline == 0 || best.timeline != server->timeline || !same_system (best.system, pg->system))
        server->history++;
    pg->host = best.host;
    pg->connection = best.connection;
    pg->is_stale = false;
    memcpy (pg->system, best.system, sizeof pg->system);
    server->timeline = best.timeline;
    server->in_recovery = best.in_recovery;
    server->connects++;
    snprintf (server->name, sizeof server->name, "%s:%s", PQhost (pg->connection), PQport (pg->connection));
    return 0;
}

PGconn *
pg_open_plain (const char *url, const char *application, int connect_timeout_ms, struct error *err)
{
    struct pg pg = {
        .options = { .url = url, .application = application, .connect_timeout_ms = connect_timeout_ms, .plain = true }
    };
    struct candidate best = { 0 };
    if (hosts_read (&pg, err) == 0 && choose (&pg, &best, err) == 0)
        PQsetNoticeReceiver (best.connection, pg.notices, NULL);
    free (pg.hosts);
    free (pg.addresses);
    free (pg.ports);
    return best.connection;
}

bool
pg_url_shows_password (const char *url)
{
    PQconninfoOption *options = url == NULL ? NULL : PQconninfoParse (url, NULL);
    bool found = false;
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        found = found || (strcmp (option->keyword, "password") == 0 && option->val != NULL && option->val[0] != '\0');
    PQconninfoFree (options);
    return found;
}
