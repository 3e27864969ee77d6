/* client_events_test.c - a subscriber with its sockets, against a feed and a broker in the same thread. */
#include "client_router.h"
#include "loyalty/events.h"
#include "loyalty/value.h"
#include "base/clock.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>
#include <string.h>
#include <zmq.h>

enum { WAIT_MS = 10000 };

/* An engine of `last` events, of which those before `oldest` are gone. */
struct engine {
    struct router router;
    void *feed;
    char feed_endpoint[256];
    int64_t oldest, last;
    unsigned reads;
};

static void
engine_open (struct engine *engine, int64_t last)
{
    size_t size = sizeof engine->feed_endpoint;
    *engine = (struct engine){ .oldest = 1, .last = last };
    router_open (&engine->router, NULL);
    engine->feed = zmq_socket (engine->router.context, ZMQ_XPUB);
    int linger_ms = 0;
    zmq_setsockopt (engine->feed, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    cr_assert_eq (zmq_bind (engine->feed, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt (engine->feed, ZMQ_LAST_ENDPOINT, engine->feed_endpoint, &size);
}

static void
engine_close (struct engine *engine)
{
    zmq_close (engine->feed);
    router_close (&engine->router);
}

static struct loyalty_events *
subscribe (const struct engine *engine, int64_t after)
{
    const char *endpoints[] = { engine->router.endpoint }, *feeds[] = { engine->feed_endpoint };
    struct loyalty_options client;
    struct loyalty_events_options options;
    struct loyalty_error error;
    loyalty_options_init (&client);
    client.endpoints = endpoints;
    client.endpoint_count = 1;
    client.timeout_ms = 2000;
    client.backoff_min_ms = 5;
    client.backoff_max_ms = 20;
    loyalty_events_options_init (&options);
    options.after = after;
    options.feeds = feeds;
    options.silence_ms = 60000;
    struct loyalty_events *events = loyalty_events_new (&client, &options, &error);
    cr_assert (events != NULL, "%s", error.message);
    return events;
}

static void
write_event (struct buf *out, int64_t number)
{
    wire_write_map (out, 2);
    wire_write_cstr (out, "number");
    wire_write_int (out, number);
    wire_write_cstr (out, "topic");
    wire_write_cstr (out, "alert");
}

static void
publish (struct engine *engine, int64_t number)
{
    struct buf body = { 0 };
    write_event (&body, number);
    zmq_send (engine->feed, "alert", 5, ZMQ_SNDMORE);
    zmq_send (engine->feed, body.data, body.size, 0);
    buf_free (&body);
}

static void
put_number (struct buf *out, const char *name, int64_t value)
{
    wire_write_cstr (out, name);
    wire_write_int (out, value);
}

static void
answer_too_old (struct engine *engine, const struct taken *taken)
{
    struct buf body = { 0 };
    struct error err;
    error_set (&err, ERROR_TOO_OLD, "said the test");
    error_detail (&err, "oldest", "%lld", (long long)engine->oldest);
    reply_error_encode (&err, 0, &body);
    router_reply (&engine->router, taken, taken->header.id, body.data, body.size);
    buf_free (&body);
}

/* At most ten events a page. */
static void
answer_page (struct engine *engine, const struct taken *taken, int64_t after)
{
    struct buf body = { 0 };
    int64_t until = after + 10 < engine->last ? after + 10 : engine->last;
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "ok");
    wire_write_bool (&body, true);
    wire_write_cstr (&body, "result");
    wire_write_map (&body, 3);
    wire_write_cstr (&body, "events");
    wire_write_array (&body, (uint32_t)(until - after));
    for (int64_t number = after + 1; number <= until; number++)
        write_event (&body, number);
    put_number (&body, "after", until);
    put_number (&body, "last", engine->last);
    router_reply (&engine->router, taken, taken->header.id, body.data, body.size);
    buf_free (&body);
}

static size_t
next_frame (void *socket, void *to, size_t size_max)
{
    int size = zmq_recv (socket, to, size_max, ZMQ_DONTWAIT);
    cr_assert (size >= 0 && (size_t)size <= size_max);
    return (size_t)size;
}

/* Answers a request, where one is there. */
static void
engine_work (struct engine *engine)
{
    struct taken taken;
    struct error err;
    struct loyalty_value value;
    void *socket = engine->router.socket;
    zmq_pollitem_t item = { .socket = socket, .events = ZMQ_POLLIN };
    if (zmq_poll (&item, 1, 0) != 1)
        return;
    taken.identity_size = next_frame (socket, taken.identity, sizeof taken.identity);
    taken.header_size = next_frame (socket, taken.header_bytes, sizeof taken.header_bytes);
    taken.body_size = next_frame (socket, taken.body, sizeof taken.body);
    struct str header = { (const char *)taken.header_bytes, (uint32_t)taken.header_size };
    cr_assert_eq (request_header_decode (header, &taken.header, &err), 0, "%s", err.message);
    bool is_read = taken.header.method.size == 11 && memcmp (taken.header.method.data, "events.read", 11) == 0;
    engine->reads += is_read;
    int64_t after = loyalty_find (taken.body, taken.body_size, "after", &value) ? value.integer : engine->last;
    if (!is_read)
        router_ok (&engine->router, &taken, 1);
    else if (after + 1 < engine->oldest)
        answer_too_old (engine, &taken);
    else
        answer_page (engine, &taken, after);
}

/* The next event's number; -1: it failed, *error says why; 0: none came within `wait_ms`. */
static int64_t
next_number (struct engine *engine, struct loyalty_events *events, int wait_ms, struct loyalty_error *error)
{
    struct loyalty_event event;
    int64_t until_ms = clock_monotonic_ms () + wait_ms;
    do {
        engine_work (engine);
        int taken = loyalty_events_next (events, 2, &event, error);
        if (taken != 0)
            return taken == 1 ? event.number : -1;
    } while (clock_monotonic_ms () < until_ms);
    return 0;
}

static void
expect_numbers (struct engine *engine, struct loyalty_events *events, int64_t from, int64_t to)
{
    struct loyalty_error error;
    for (int64_t number = from; number <= to; number++) {
        int64_t taken = next_number (engine, events, WAIT_MS, &error);
        cr_assert_eq (taken, number, "%lld in place of %lld: %s", (long long)taken, (long long)number, error.message);
        cr_assert_eq (loyalty_events_position (events), number);
    }
    cr_expect_eq (next_number (engine, events, 20, &error), 0);
    cr_expect_eq (error.code, LOYALTY_OK, "%s", error.message);
}

/* Until the feed knows of its subscriber. */
static void
wait_for_subscription (struct engine *engine, struct loyalty_events *events)
{
    struct loyalty_error error;
    zmq_pollitem_t item = { .socket = engine->feed, .events = ZMQ_POLLIN };
    for (int64_t until_ms = clock_monotonic_ms () + WAIT_MS; zmq_poll (&item, 1, 0) != 1;) {
        cr_assert_lt (clock_monotonic_ms (), until_ms, "nobody subscribed");
        cr_assert_eq (next_number (engine, events, 1, &error), 0);
    }
    char all[2];
    cr_expect_eq (zmq_recv (engine->feed, all, sizeof all, 0), 1);
}

Test (events, catches_up_follows_and_fills_gaps)
{
    struct engine engine;
    struct loyalty_events_stats stats;
    engine_open (&engine, 25);
    struct loyalty_events *events = subscribe (&engine, 2);
    expect_numbers (&engine, events, 3, 25);
    wait_for_subscription (&engine, events);
    unsigned reads = engine.reads;
    for (engine.last = 26; engine.last < 30; engine.last++)
        publish (&engine, engine.last);
    engine.last--;
    expect_numbers (&engine, events, 26, 29);
    cr_expect_eq (engine.reads, reads, "what came by itself was read");
    engine.last = 32; /* 30 is lost, 31 comes twice and too late */
    publish (&engine, 32);
    publish (&engine, 31);
    publish (&engine, 31);
    expect_numbers (&engine, events, 30, 32);
    cr_expect_gt (engine.reads, reads);
    loyalty_events_stats (events, &stats);
    cr_expect_eq (stats.delivered, 30);
    cr_expect_eq (stats.received, 7);
    cr_expect_geq (stats.gaps, 1);
    cr_expect_eq (loyalty_events_newest (events), 32);
    loyalty_events_destroy (&events);
    cr_expect_null (events);
    engine_close (&engine);
}

Test (events, only_what_is_new)
{
    struct engine engine;
    engine_open (&engine, 7);
    struct loyalty_events *events = subscribe (&engine, LOYALTY_EVENTS_NEW);
    cr_expect_eq (loyalty_events_position (events), LOYALTY_EVENTS_NEW);
    wait_for_subscription (&engine, events);
    struct loyalty_error error;
    while (loyalty_events_position (events) == LOYALTY_EVENTS_NEW)
        cr_assert_eq (next_number (&engine, events, 10, &error), 0);
    engine.last = 8;
    publish (&engine, 8);
    expect_numbers (&engine, events, 8, 8);
    loyalty_events_destroy (&events);
    engine_close (&engine);
}

Test (events, too_old_is_the_callers_decision)
{
    struct engine engine;
    struct loyalty_error error;
    engine_open (&engine, 20);
    engine.oldest = 11;
    struct loyalty_events *events = subscribe (&engine, 3);
    for (int times = 0; times < 2; times++) {
        cr_expect_eq (next_number (&engine, events, WAIT_MS, &error), -1);
        cr_expect_eq (error.code, LOYALTY_TOO_OLD, "%s", error.name);
        cr_expect_eq (loyalty_events_oldest (events), 11);
        cr_expect_eq (loyalty_events_position (events), 3);
    }
    loyalty_events_resume (events, loyalty_events_oldest (events) - 1);
    expect_numbers (&engine, events, 11, 20);
    loyalty_events_destroy (&events);
    engine_close (&engine);
}

Test (events, without_a_broker_it_says_so_and_goes_on)
{
    struct engine engine;
    struct loyalty_error error;
    struct loyalty_event event;
    engine_open (&engine, 1);
    struct loyalty_events *events = subscribe (&engine, 0);
    int64_t until_ms = clock_monotonic_ms () + WAIT_MS;
    do /* nobody answers */
        cr_assert_eq (loyalty_events_next (events, 50, &event, &error), 0);
    while (error.code == LOYALTY_OK && clock_monotonic_ms () < until_ms);
    cr_expect_eq (error.code, LOYALTY_UNAVAILABLE, "%s", error.name);
    expect_numbers (&engine, events, 1, 1);
    loyalty_events_destroy (&events);
    engine_close (&engine);
}

Test (events, options_are_checked)
{
    static const char *const TOPICS[] = { "" }, *const FEEDS[] = { "nowhere" };
    static const char *const MANY[] = { "ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,"
                                        "ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a" };
    const struct loyalty_events_options wrong[] = {
        { .after = -2, .silence_ms = 1 },
        { .silence_ms = 0 },
        { .silence_ms = 600001 },
        { .silence_ms = 1, .feeds = FEEDS, .feed_count = 1 },
        { .silence_ms = 1, .feeds = MANY, .feed_count = 1 },
        { .silence_ms = 1, .topics = TOPICS, .topic_count = 1 },
        { .silence_ms = 1, .topic_count = 33 },
    };
    struct loyalty_options client;
    struct loyalty_error error;
    loyalty_options_init (&client);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_null (loyalty_events_new (&client, &wrong[i], &error), "%zu", i);
        cr_expect_eq (error.code, LOYALTY_INVALID_REQUEST, "%zu: %s", i, error.name);
    }
}
