/* feed.c - see feed.h. Everything happens in turn: the leader renews its lease, moves what was committed, publishes it, and keeps the
 * tables small; a standby tries to lead. */
#include "feed/feed.h"
#include "base/clock.h"
#include "base/log.h"
#include "feed/jobs.h"
#include "feed/publisher.h"
#include "feed/sequencer.h"
#include "render/event.h"
#include "store/engine_settings.h"
#include "wire/msgpack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

enum {
    TAKE_EVERY_MS = 100,
    TIP_EVERY_MS = 1000,
    ROTATE_EVERY_MS = 500,
    ROTATE_IDLE_MS = 5000,
    PARTITIONS_EVERY_MS = 60000,
    IDLE_MS_MAX = 20, /* the longest pause between two looks at the outbox, or move_every_ms */
    RECORD_BYTES_MAX = 32 * 1024 * 1024,
};

struct feed {
    const struct feed_settings *settings;
    struct publisher *publisher;
    struct sequencer *sequencer;
    struct jobs *jobs;
    struct engine_settings engine; /* buckets 0: not read yet */
    struct arena *arena;           /* of one change */
    struct buf body;               /* of one message */
    int signal_fd;
    bool is_stopping, is_failing; /* the latter: a failure was logged, and nothing worked since */
    bool has_moved;               /* since the slots were last rotated */
    int64_t renew_at_ms, move_at_ms, tip_at_ms, rotate_at_ms, partitions_at_ms, take_at_ms;
    int64_t idle_ms;
    int64_t
        lag_us; /* of what was published since the last tip, the longest time since it was recorded; -1: nothing was */
};

/* ---- publishing */

static void
publish_tip (struct feed *feed)
{
    buf_clear (&feed->body);
    wire_write_map (&feed->body, 4 + (feed->lag_us >= 0));
    wire_write_cstr (&feed->body, "number");
    wire_write_int (&feed->body, feed->sequencer->last);
    wire_write_cstr (&feed->body, "epoch");
    wire_write_int (&feed->body, feed->sequencer->epoch);
    wire_write_cstr (&feed->body, "at");
    wire_write_time (&feed->body, clock_real_us ());
    wire_write_cstr (&feed->body, "leader");
    wire_write_cstr (&feed->body, feed->sequencer->name);
    if (feed->lag_us >= 0) {
        wire_write_cstr (&feed->body, "lag_ms");
        wire_write_int (&feed->body, feed->lag_us / 1000);
    }
    feed->lag_us = -1;
    if (!feed->body.failed)
        publisher_send (feed->publisher, "tip", &feed->body);
}

static int64_t
id_of (const PGresult *moved, int row, enum moved_column column)
{
    return pg_is_null (moved, row, column) ? 0 : pg_int (moved, row, column);
}

/* What cannot be rendered is left out, and shows as a gap: who follows asks a worker for it, and is told why. */
static void
publish_change (struct feed *feed, const PGresult *moved, int row)
{
    struct error err;
    struct order_record record;
    struct event_change change = {
        .number = pg_int (moved, row, MOVED_NUMBER),
        .topics = (uint32_t)pg_int (moved, row, MOVED_TOPICS),
        .recorded_at = pg_time (moved, row, MOVED_RECORDED_AT),
        .bucket = (int16_t)pg_int (moved, row, MOVED_BUCKET),
        .order_ref = pg_int (moved, row, MOVED_ORDER_REF),
        .card_id = id_of (moved, row, MOVED_CARD_ID),
        .partner_id = id_of (moved, row, MOVED_PARTNER_ID),
    };
    arena_reset (feed->arena);
    if (!pg_is_null (moved, row, MOVED_BODY))
        change.body = pg_text (moved, row, MOVED_BODY);
    if (!pg_is_null (moved, row, MOVED_RECORD)) {
        if (order_record_decode (pg_text (moved, row, MOVED_RECORD), feed->arena, &record, &err) < 0) {
            log_error ("the order of event %lld cannot be told: %s", (long long)change.number, err.message);
            return;
        }
        change.record = &record;
    }
    int64_t number = change.number;
    for (uint32_t left = change.topics; left != 0; left &= left - 1, number++) {
        enum topic topic = event_first (left);
        buf_clear (&feed->body);
        if (event_render (&change, topic, number, feed->engine.currency_digits, &feed->body, &err) < 0)
            log_error ("event %lld cannot be told: %s", (long long)number, err.message);
        else if (!feed->body.failed)
            publisher_send (feed->publisher, topic_name (topic), &feed->body);
    }
}

/* ---- leading */

static void
stand_by (struct feed *feed, const struct error *why, int64_t now_ms)
{
    if (!feed->is_failing)
        log_warning ("stands by: %s", why->message);
    feed->is_failing = true;
    jobs_end (feed->jobs);
    feed->take_at_ms = now_ms + TAKE_EVERY_MS;
}

static void
lead (struct feed *feed, int64_t now_ms)
{
    const struct sequencer *sequencer = feed->sequencer;
    log_info ("leads with epoch %lld, after event %lld", (long long)sequencer->epoch, (long long)sequencer->last);
    feed->is_failing = false;
    feed->renew_at_ms = now_ms + feed->settings->lease_ms * 3 / 10;
    feed->move_at_ms = feed->tip_at_ms = feed->rotate_at_ms = now_ms;
    feed->partitions_at_ms = now_ms + PARTITIONS_EVERY_MS;
    feed->has_moved = true;
    feed->lag_us = -1;
    jobs_begin (feed->jobs);
}

/* Tries to lead, once it is time. */
static void
take (struct feed *feed, int64_t now_ms)
{
    struct error err;
    if (now_ms < feed->take_at_ms)
        return;
    feed->take_at_ms = now_ms + TAKE_EVERY_MS;
    int leads = feed->engine.buckets > 0 || engine_settings_read (feed->sequencer->pg, &feed->engine, &err) == 0
                    ? sequencer_take (feed->sequencer, &err)
                    : -1;
    if (leads > 0)
        lead (feed, clock_monotonic_ms ());
    else if (leads < 0)
        stand_by (feed, &err, clock_monotonic_ms ());
    else
        feed->is_failing = false;
}

/* Another machine's clock recorded it: what comes out below nothing is nothing. */
static void
note_lag (struct feed *feed, int64_t recorded_at)
{
    int64_t lag_us = clock_real_us () - recorded_at;
    lag_us = lag_us > 0 ? lag_us : 0;
    feed->lag_us = lag_us > feed->lag_us ? lag_us : feed->lag_us;
}

static int
move (struct feed *feed, int64_t now_ms, struct error *err)
{
    PGresult *moved;
    bool is_heard = publisher_refresh (feed->publisher);
    if (sequencer_move (feed->sequencer, is_heard, &moved, err) < 0)
        return -1;
    int count = moved == NULL ? 0 : PQntuples (moved);
    for (int row = 0; feed->sequencer->has_told && row < count; row++)
        publish_change (feed, moved, row);
    if (count > 0)
        note_lag (feed, pg_time (moved, 0, MOVED_RECORDED_AT));
    PQclear (moved);
    feed->has_moved |= count > 0;
    /* The pause grows while there is nothing, to spare an idle machine. */
    feed->idle_ms = count > 0 ? feed->settings->move_every_ms : feed->idle_ms + 1;
    if (feed->idle_ms > IDLE_MS_MAX && feed->idle_ms > feed->settings->move_every_ms)
        feed->idle_ms =
            feed->settings->move_every_ms > IDLE_MS_MAX ? feed->settings->move_every_ms : (int64_t)IDLE_MS_MAX;
    feed->move_at_ms = sequencer_has_more (feed->sequencer) ? now_ms : now_ms + feed->idle_ms;
    return 0;
}

static int
keep_small (struct feed *feed, int64_t now_ms, struct error *err)
{
    /* Without moves too, now and then: somebody's lock may have kept a slot from being emptied. */
    if (now_ms >= feed->rotate_at_ms + (feed->has_moved ? 0 : ROTATE_IDLE_MS)) {
        feed->rotate_at_ms = now_ms + ROTATE_EVERY_MS;
        feed->has_moved = false;
        if (sequencer_rotate (feed->sequencer, err) < 0)
            return -1;
    }
    if (now_ms < feed->partitions_at_ms)
        return 0;
    feed->partitions_at_ms = now_ms + PARTITIONS_EVERY_MS;
    return sequencer_partitions (feed->sequencer, err);
}

/* The lease comes first: a leader that was stopped for a while learns here that it leads no more. */
static int
go_on (struct feed *feed, int64_t now_ms, struct error *err)
{
    if (now_ms >= feed->renew_at_ms) {
        feed->renew_at_ms = now_ms + feed->settings->lease_ms * 3 / 10;
        if (sequencer_renew (feed->sequencer, err) < 0)
            return -1;
    }
    if (now_ms >= feed->move_at_ms && move (feed, now_ms, err) < 0)
        return -1;
    if (now_ms >= feed->tip_at_ms) {
        feed->tip_at_ms = now_ms + TIP_EVERY_MS;
        publish_tip (feed);
    }
    jobs_tick (feed->jobs);
    return keep_small (feed, now_ms, err);
}

static int64_t
wake_at_ms (const struct feed *feed)
{
    if (feed->sequencer->epoch == 0)
        return feed->take_at_ms;
    int64_t at_ms = feed->move_at_ms < feed->tip_at_ms ? feed->move_at_ms : feed->tip_at_ms;
    return at_ms < feed->renew_at_ms ? at_ms : feed->renew_at_ms;
}

/* ---- the loop */

static int
read_signals (struct feed *feed, struct error *err)
{
    struct signalfd_siginfo info;
    while (read (feed->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGHUP)
            feed->is_stopping = true;
        else if (publisher_reload_keys (feed->publisher, err) != 0)
            return -1;
    }
    return 0;
}

int
feed_run (struct feed *feed, struct error *err)
{
    zmq_pollitem_t items[] = {
        { .fd = feed->signal_fd, .events = ZMQ_POLLIN },
        { .socket = publisher_socket (feed->publisher), .events = ZMQ_POLLIN },
        { .socket = publisher_guard_socket (feed->publisher), .events = ZMQ_POLLIN },
    };
    const int item_count = items[2].socket != NULL ? 3 : 2;
    while (!feed->is_stopping) {
        struct error why;
        int64_t now_ms = clock_monotonic_ms ();
        if (feed->sequencer->epoch == 0)
            take (feed, now_ms);
        else if (go_on (feed, now_ms, &why) < 0)
            stand_by (feed, &why, now_ms);
        int64_t left_ms = wake_at_ms (feed) - clock_monotonic_ms ();
        if (zmq_poll (items, item_count, left_ms > 0 ? left_ms : 0) < 0 && errno != EINTR)
            return error_set (err, ERROR_INTERNAL, "cannot poll: %s", zmq_strerror (errno));
        if ((items[0].revents & ZMQ_POLLIN) && read_signals (feed, err) != 0)
            return -1;
        publisher_admit (feed->publisher, clock_monotonic_us ());
        if (items[1].revents & ZMQ_POLLIN)
            publisher_refresh (feed->publisher);
    }
    /* What was committed last, by workers that ended before. */
    if (feed->sequencer->epoch != 0 && move (feed, clock_monotonic_ms (), err) < 0)
        log_warning ("not all was published: %s", err->message);
    sequencer_release (feed->sequencer);
    return 0;
}

/* ---- beginning and end */

static int
open_signals (struct feed *feed, struct error *err)
{
    sigset_t signals;
    sigemptyset (&signals);
    sigaddset (&signals, SIGINT);
    sigaddset (&signals, SIGTERM);
    sigaddset (&signals, SIGHUP);
    /* Before libzmq's threads are made: they take over this mask, and no signal ends the process unread. */
    if (pthread_sigmask (SIG_BLOCK, &signals, NULL) != 0)
        return error_set (err, ERROR_INTERNAL, "cannot block signals");
    feed->signal_fd = signalfd (-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return feed->signal_fd < 0 ? error_set (err, ERROR_INTERNAL, "cannot read signals") : 0;
}

struct feed *
feed_new (const struct feed_settings *settings, struct error *err)
{
    struct feed *feed = calloc (1, sizeof *feed);
    if (feed == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    feed->settings = settings;
    feed->signal_fd = -1;
    feed->arena = arena_new (RECORD_BYTES_MAX);
    if (feed->arena == NULL)
        error_set (err, ERROR_INTERNAL, "out of memory");
    if (feed->arena == NULL || open_signals (feed, err) < 0 ||
        (feed->publisher = publisher_new (settings->listen, settings->insecure, settings->keys,
                                          (int)settings->queue_max, err)) == NULL ||
        (feed->sequencer = sequencer_new (settings, err)) == NULL || (feed->jobs = jobs_new (settings, err)) == NULL)
        feed_destroy (&feed);
    return feed;
}

void
feed_destroy (struct feed **feed)
{
    if (*feed == NULL)
        return;
    jobs_destroy (&(*feed)->jobs);
    sequencer_destroy (&(*feed)->sequencer);
    publisher_destroy (&(*feed)->publisher);
    arena_destroy (&(*feed)->arena);
    buf_free (&(*feed)->body);
    if ((*feed)->signal_fd >= 0)
        close ((*feed)->signal_fd);
    free (*feed);
    *feed = NULL;
}

const char *
feed_endpoint (const struct feed *feed)
{
    return publisher_endpoint (feed->publisher);
}
