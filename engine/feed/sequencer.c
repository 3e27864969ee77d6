/* sequencer.c - see sequencer.h. */
#include "feed/sequencer.h"
#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    CONNECT_MS = 2000,
    LOCK_MS = 300,
    IDLE_IN_TRANSACTION_MS = 500,
    STOPPED_MS = 300,   /* a session that is in the middle of a message for so long is of a process that was stopped */
    PAUSE_MS = 1000,    /* without a move for so long much may wait */
    SLOW_MOVE_MS = 200, /* a move that is limited and takes so long reads a large backlog: better fewer of them */
    BACKLOG_MOVE_MAX = 131072,
    ARENA_BYTES = 64 * 1024,
};

/* The name is one that no other process has, also where two were given the same. */
static void
name_make (struct sequencer *sequencer)
{
    uint64_t random = 0;
    char host[64] = "";
    if (getrandom (&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)clock_real_us ();
    gethostname (host, sizeof host - 1);
    snprintf (sequencer->name, sizeof sequencer->name, "%.60s %.60s %d %016" PRIx64, sequencer->settings->name, host,
              (int)getpid (), random);
}

struct sequencer *
sequencer_new (const struct feed_settings *settings, struct error *err)
{
    const struct pg_options options = {
        .url = settings->database,
        .application = "loyalty-feed",
        .connect_timeout_ms = CONNECT_MS,
        .lock_timeout_ms = LOCK_MS,
        .idle_in_transaction_timeout_ms = IDLE_IN_TRANSACTION_MS,
    };
    struct sequencer *sequencer = calloc (1, sizeof *sequencer);
    if (sequencer != NULL) {
        sequencer->settings = settings;
        sequencer->pg = pg_new (&options);
        sequencer->arena = arena_new (ARENA_BYTES);
        name_make (sequencer);
    }
    if (sequencer == NULL || sequencer->pg == NULL || sequencer->arena == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        sequencer_destroy (&sequencer);
    }
    return sequencer;
}

void
sequencer_destroy (struct sequencer **sequencer)
{
    if (*sequencer == NULL)
        return;
    pg_destroy (&(*sequencer)->pg);
    arena_destroy (&(*sequencer)->arena);
    free (*sequencer);
    *sequencer = NULL;
}

/* ---- statements */

static struct pg_params
params_of (struct sequencer *sequencer)
{
    arena_reset (sequencer->arena);
    return (struct pg_params){ .arena = sequencer->arena };
}

static PGresult *
run (struct sequencer *sequencer, enum statement statement, const struct pg_params *params, enum pg_failure *failure,
     struct error *err)
{
    int64_t deadline_us = clock_monotonic_us () + sequencer->settings->database_timeout_ms * 1000;
    *failure = PG_UNAVAILABLE;
    if (pg_ensure (sequencer->pg, err) < 0)
        return NULL;
    return pg_run (sequencer->pg, statement, params, deadline_us, failure, err);
}

/* A wait for a lock, or a conflict, passes: it still leads. */
static bool
passes (enum pg_failure failure)
{
    return failure == PG_LOCKED || failure == PG_RETRY;
}

static int
lead_no_more (struct sequencer *sequencer)
{
    sequencer->epoch = 0;
    return -1;
}

static int
another_leads (struct sequencer *sequencer, struct error *err)
{
    error_set (err, ERROR_UNAVAILABLE, "another feed leads now");
    return lead_no_more (sequencer);
}

/* ---- leading */

/* A leader that was stopped in the middle of a message has its session hold the lock for as long as it stands still. */
static void
end_stopped_sessions (struct sequencer *sequencer)
{
    struct pg_params params = params_of (sequencer);
    enum pg_failure failure;
    pg_param_int4 (&params, STOPPED_MS);
    pg_param_text (&params, STR ("loyalty-feed"));
    PGresult *result = run (sequencer, STATEMENT_SESSIONS_END, &params, &failure, NULL);
    for (int row = 0; result != NULL && row < PQntuples (result); row++)
        log_warning ("ended the database session %lld of a feed that stopped in the middle of a move",
                     (long long)pg_int (result, row, 0));
    PQclear (result);
}

int
sequencer_take (struct sequencer *sequencer, struct error *err)
{
    struct pg_params params = params_of (sequencer);
    enum pg_failure failure;
    pg_param_text (&params, str_of (sequencer->name));
    pg_param_int4 (&params, (int32_t)sequencer->settings->lease_ms);
    PGresult *result = run (sequencer, STATEMENT_FEED_TAKE, &params, &failure, err);
    if (result == NULL && failure == PG_LOCKED)
        end_stopped_sessions (sequencer);
    if (result == NULL)
        return passes (failure) ? 0 : -1;
    bool leads = PQntuples (result) == 1;
    if (leads) {
        sequencer->epoch = pg_int (result, 0, 0);
        sequencer->last = pg_int (result, 0, 1);
        sequencer->at_most = sequencer->settings->move_max;
        sequencer->is_stuck = false;
    }
    PQclear (result);
    return leads && sequencer_partitions (sequencer, err) == 0 ? 1 : leads ? -1 : 0;
}

/* Sets the end of the lease to so long from now. 1: done; 0: another leads; -1: failed. */
static int
set_lease (struct sequencer *sequencer, int64_t lease_ms, enum pg_failure *failure, struct error *err)
{
    struct pg_params params = params_of (sequencer);
    pg_param_int8 (&params, sequencer->epoch);
    pg_param_int4 (&params, (int32_t)lease_ms);
    PGresult *result = run (sequencer, STATEMENT_FEED_RENEW, &params, failure, err);
    if (result == NULL)
        return -1;
    int leads = pg_bool (result, 0, 0);
    PQclear (result);
    return leads;
}

int
sequencer_renew (struct sequencer *sequencer, struct error *err)
{
    enum pg_failure failure;
    int leads = set_lease (sequencer, sequencer->settings->lease_ms, &failure, err);
    if (leads == 0)
        return another_leads (sequencer, err);
    return leads > 0 || passes (failure) ? 0 : lead_no_more (sequencer);
}

void
sequencer_release (struct sequencer *sequencer)
{
    enum pg_failure failure;
    if (sequencer->epoch != 0 && pg_connected (sequencer->pg))
        set_lease (sequencer, 0, &failure, NULL);
    sequencer->epoch = 0;
}

/* ---- moving */

int64_t
sequencer_next_at_most (int64_t at_most, int64_t taken, int64_t took_ms, int64_t move_max)
{
    if (at_most == 0 || taken < at_most)
        return 0;
    if (took_ms > SLOW_MOVE_MS)
        return at_most < BACKLOG_MOVE_MAX ? at_most * 2 : at_most;
    return at_most > move_max ? at_most / 2 : move_max;
}

bool
sequencer_has_more (const struct sequencer *sequencer)
{
    return sequencer->at_most > 0;
}

static int64_t
newest_number (const PGresult *result)
{
    int row = PQntuples (result) - 1;
    return pg_int (result, row, MOVED_NUMBER) + __builtin_popcount ((unsigned)pg_int (result, row, MOVED_TOPICS)) - 1;
}

int
sequencer_move (struct sequencer *sequencer, bool with_records, PGresult **moved, struct error *err)
{
    const int64_t move_max = sequencer->settings->move_max;
    int64_t started_ms = clock_monotonic_ms ();
    if (sequencer->at_most == 0 && started_ms - sequencer->moved_at_ms > PAUSE_MS)
        sequencer->at_most = move_max;

    struct pg_params params = params_of (sequencer);
    enum pg_failure failure;
    pg_param_int8 (&params, sequencer->epoch);
    pg_param_int8 (&params, sequencer->last);
    pg_param_int4 (&params, (int32_t)sequencer->at_most);
    sequencer->has_told = with_records && sequencer->at_most <= move_max;
    pg_param_bool (&params, sequencer->has_told);
    *moved = run (sequencer, STATEMENT_FEED_MOVE, &params, &failure, err);
    sequencer->moved_at_ms = clock_monotonic_ms ();
    if (*moved == NULL)
        return passes (failure) ? 0 : lead_no_more (sequencer);
    int64_t before = sequencer->last;
    if (PQntuples (*moved) > 0)
        sequencer->last = newest_number (*moved);
    sequencer->at_most = sequencer_next_at_most (sequencer->at_most, sequencer->last - before,
                                                 sequencer->moved_at_ms - started_ms, move_max);
    return 0;
}

/* ---- housekeeping */

int
sequencer_rotate (struct sequencer *sequencer, struct error *err)
{
    struct pg_params params = params_of (sequencer);
    enum pg_failure failure;
    pg_param_int8 (&params, sequencer->epoch);
    pg_param_int8 (&params, sequencer->settings->slot_kib * 1024);
    pg_param_int4 (&params, (int32_t)sequencer->settings->slots_max);
    PGresult *result = run (sequencer, STATEMENT_FEED_ROTATE, &params, &failure, err);
    if (result == NULL)
        return passes (failure) ? 0 : lead_no_more (sequencer);
    if (PQntuples (result) == 0) {
        PQclear (result);
        return another_leads (sequencer, err);
    }
    int slots = (int)pg_int (result, 0, 0);
    bool is_stuck = pg_bool (result, 0, 1);
    PQclear (result);
    if (sequencer->slots > 0 && slots > sequencer->slots)
        log_warning ("somebody holds locks on the outbox: it has %d slots now, of %lld at most", slots,
                     (long long)sequencer->settings->slots_max);
    if (is_stuck && !sequencer->is_stuck)
        log_warning ("somebody holds locks on all %d slots of the outbox: the one that is written to grows", slots);
    sequencer->slots = slots;
    sequencer->is_stuck = is_stuck;
    return 0;
}

int
sequencer_partitions (struct sequencer *sequencer, struct error *err)
{
    struct pg_params params = params_of (sequencer);
    enum pg_failure failure;
    pg_param_int8 (&params, sequencer->epoch);
    pg_param_int4 (&params, (int32_t)sequencer->settings->kept_days);
    PGresult *result = run (sequencer, STATEMENT_FEED_PARTITIONS, &params, &failure, err);
    if (result == NULL)
        return passes (failure) ? 0 : lead_no_more (sequencer);
    if (pg_int (result, 0, 0) > 0 || pg_int (result, 0, 1) > 0)
        log_info ("made %lld days of the feed, dropped %lld", (long long)pg_int (result, 0, 0),
                  (long long)pg_int (result, 0, 1));
    PQclear (result);
    return 0;
}
