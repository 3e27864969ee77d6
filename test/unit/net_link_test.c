/* net_link_test.c - the worker's link against ports that the test holds in its hands. */
#include "net/worker_link.h"
#include "base/clock.h"
#include "net/socket.h"
#include "net/worker_protocol.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 10000, BROKERS = 2 };

/* Ports of brokers, a link to them, and the routing id that each port knows it by. */
struct bench {
    void *context;
    unsigned broker_count;
    void *ports[BROKERS];
    char endpoints[BROKERS][SOCKET_ENDPOINT_MAX];
    struct worker_link *link;
    zmq_msg_t peers[BROKERS];
    uint64_t sessions[BROKERS];
};

/* What the link sent to a port. */
struct heard {
    struct worker_message message;
    char text[64], payload[128];
};

static void
hear (struct bench *bench, unsigned broker, struct heard *heard)
{
    struct frames frames;
    struct error err;
    cr_assert_eq (frames_receive (bench->ports[broker], &frames), 1);
    cr_assert_eq (worker_message_decode (frame_bytes (&frames, 1), frames.count - 2, true, &heard->message, &err), 0,
                  "%s", err.message);
    snprintf (heard->text, sizeof heard->text, "%.*s", (int)heard->message.text.size, heard->message.text.data);
    struct str payload = frame_bytes (&frames, 2);
    snprintf (heard->payload, sizeof heard->payload, "%.*s", (int)payload.size, payload.data);
    zmq_msg_move (&bench->peers[broker], &frames.at[0]);
    frames_close (&frames);
}

/* Runs the link until the port hears a message of that kind; heartbeats in between are passed over. */
static void
hear_kind (struct bench *bench, unsigned broker, enum worker_message_kind kind, struct heard *heard)
{
    for (int64_t until_ms = clock_monotonic_ms () + WAIT_MS; clock_monotonic_ms () < until_ms;) {
        zmq_pollitem_t item = { .socket = bench->ports[broker], .events = ZMQ_POLLIN };
        struct worker_request request;
        if (bench->link != NULL) {
            worker_link_tick (bench->link, clock_monotonic_ms (), STR ("\x80"));
            cr_assert_eq (worker_link_receive (bench->link, clock_monotonic_ms (), &request), 0);
        }
        if (zmq_poll (&item, 1, 5) != 1)
            continue;
        hear (bench, broker, heard);
        if (heard->message.kind == kind)
            return;
        cr_assert (heard->message.kind == MESSAGE_WORKER_BEAT || heard->message.kind == MESSAGE_HELLO, "a %s before %s",
                   worker_message_name (heard->message.kind), worker_message_name (kind));
    }
    cr_assert_fail ("no %s was heard", worker_message_name (kind));
}

static void
say (struct bench *bench, unsigned broker, struct worker_message message, const struct str *payload, unsigned count)
{
    struct buf bytes = { 0 };
    zmq_msg_t peer, control, more[2];
    zmq_msg_t *const parts[] = { &peer, &control, &more[0], &more[1] };
    worker_message_encode (&message, &bytes);
    zmq_msg_init (&peer);
    zmq_msg_copy (&peer, &bench->peers[broker]);
    cr_assert_eq (message_copy_bytes (&control, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }), 0);
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq (message_copy_bytes (&more[i], payload[i]), 0);
    cr_assert_eq (frames_send (bench->ports[broker], parts, 2 + count), SENT);
    buf_free (&bytes);
}

static void
say_dispatch (struct bench *bench, unsigned broker, uint64_t dispatch, struct str header)
{
    const struct str payload[] = { header, STR ("\x80") };
    say (bench, broker,
         (struct worker_message){ .kind = MESSAGE_DISPATCH,
                                  .session = bench->sessions[broker],
                                  .dispatch = dispatch,
                                  .ttl_ms = 1500,
                                  .roles = 3,
                                  .text = STR ("till 7") },
         payload, 2);
}

static struct str
header_of (uint64_t id, struct buf *bytes)
{
    const struct request_header header = { .version = PROTOCOL_VERSION,
                                           .id = id,
                                           .method = STR ("order.quote"),
                                           .key = STR ("key-1"),
                                           .ttl_ms = 5000,
                                           .affinity = 77 };
    buf_clear (bytes);
    request_header_encode (&header, bytes);
    return (struct str){ (const char *)bytes->data, (uint32_t)bytes->size };
}

static void
welcome (struct bench *bench, unsigned broker)
{
    struct heard heard;
    hear_kind (bench, broker, MESSAGE_HELLO, &heard);
    bench->sessions[broker] = heard.message.session;
    say (bench, broker,
         (struct worker_message){
             .kind = MESSAGE_WELCOME, .session = heard.message.session, .heartbeat_ms = 60000, .timeout_ms = 600000 },
         NULL, 0);
}

static void
bench_open (struct bench *bench, unsigned broker_count, unsigned credit)
{
    struct error err;
    const char *endpoints[BROKERS];
    *bench = (struct bench){ .context = zmq_ctx_new (), .broker_count = broker_count };
    for (unsigned i = 0; i < broker_count; i++) {
        zmq_msg_init (&bench->peers[i]);
        bench->ports[i] = socket_open (bench->context, SOCKET_WORKER_PORT, 0, &err);
        cr_assert_eq (socket_bind (bench->ports[i], "tcp://127.0.0.1:*", false, bench->endpoints[i], &err), 0);
        endpoints[i] = bench->endpoints[i];
    }
    const struct worker_link_options options = {
        .zmq_context = bench->context,
        .endpoints = endpoints,
        .endpoint_count = broker_count,
        .name = "worker 1",
        .credit = credit,
    };
    bench->link = worker_link_new (&options, &err);
    cr_assert_not_null (bench->link, "%s", err.message);
    for (unsigned i = 0; i < broker_count; i++)
        welcome (bench, i);
}

static void
bench_close (struct bench *bench)
{
    worker_link_destroy (&bench->link);
    for (unsigned i = 0; i < bench->broker_count; i++) {
        zmq_msg_close (&bench->peers[i]);
        socket_close (&bench->ports[i]);
    }
    zmq_ctx_term (bench->context);
}

/* Waits on the file descriptors, as a worker does, until a request is there. */
static void
receive (struct bench *bench, struct worker_request *request)
{
    for (int64_t until_ms = clock_monotonic_ms () + WAIT_MS; clock_monotonic_ms () < until_ms;) {
        int fds[BROKERS];
        struct pollfd items[BROKERS];
        if (worker_link_receive (bench->link, clock_monotonic_ms (), request) == 1)
            return;
        unsigned count = worker_link_fds (bench->link, fds, BROKERS);
        cr_assert_eq (count, bench->broker_count);
        for (unsigned i = 0; i < count; i++)
            items[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        int wait_ms = worker_link_tick (bench->link, clock_monotonic_ms (), STR ("\x80"));
        cr_assert (wait_ms >= 0 && wait_ms <= 200, "%d", wait_ms);
        poll (items, count, wait_ms);
    }
    cr_assert_fail ("no request came");
}

Test (net_link, a_request_comes_with_all_that_is_known_of_it)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request request;
    bench_open (&bench, 1, 10);
    int64_t before_us = clock_monotonic_us ();
    say_dispatch (&bench, 0, 4711, header_of (9, &bytes));
    receive (&bench, &request);
    cr_expect_eq (request.broker, 0);
    cr_expect_eq (request.session, bench.sessions[0]);
    cr_expect_eq (request.dispatch, 4711);
    cr_expect_eq (request.roles, 3);
    cr_expect (str_equal (request.user, STR ("till 7")));
    cr_expect_eq (request.header.id, 9);
    cr_expect (str_equal (request.header.method, STR ("order.quote")));
    cr_expect (str_equal (request.header.key, STR ("key-1")));
    cr_expect (str_equal (request.body, STR ("\x80")));
    cr_expect (request.deadline_us >= before_us + 1500000 && request.deadline_us <= clock_monotonic_us () + 1500000);

    struct heard heard;
    buf_clear (&bytes);
    buf_append (&bytes, "the answer", 10);
    worker_link_reply (bench.link, &request, &bytes);
    hear_kind (&bench, 0, MESSAGE_REPLY, &heard);
    cr_expect_eq (heard.message.session, bench.sessions[0]);
    cr_expect_eq (heard.message.dispatch, 4711);
    cr_expect_str_eq (heard.payload, "the answer");
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, the_grants_of_a_batch_are_one_message)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request requests[5];
    struct heard heard;
    bench_open (&bench, 1, 5);
    for (unsigned i = 0; i < 5; i++)
        say_dispatch (&bench, 0, i + 1, header_of (i, &bytes));
    for (unsigned i = 0; i < 5; i++)
        receive (&bench, &requests[i]);
    for (unsigned i = 0; i < 5; i++) {
        worker_link_reply (bench.link, &requests[i], &bytes);
        worker_link_grant (bench.link, 0, 1);
    }
    for (unsigned i = 0; i < 5; i++) {
        hear_kind (&bench, 0, MESSAGE_REPLY, &heard);
        cr_expect_eq (heard.message.dispatch, i + 1);
    }
    hear_kind (&bench, 0, MESSAGE_GRANT, &heard);
    cr_expect_eq (heard.message.granted, 10);
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, brokers_are_served_in_turns)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request request;
    unsigned count[BROKERS] = { 0 };
    bench_open (&bench, 2, 100);
    for (unsigned i = 0; i < 50; i++)
        say_dispatch (&bench, 0, i + 1, header_of (i, &bytes));
    for (unsigned i = 0; i < 50; i++)
        say_dispatch (&bench, 1, i + 1, header_of (i, &bytes));
    for (unsigned i = 0; i < 100; i++) {
        receive (&bench, &request);
        count[request.broker]++;
        worker_link_drop (bench.link, &request);
    }
    cr_expect_eq (count[0], 50);
    cr_expect_eq (count[1], 50);
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, an_answer_to_a_session_that_is_over_is_dropped)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request request;
    struct heard heard;
    bench_open (&bench, 1, 10);
    say_dispatch (&bench, 0, 1, header_of (1, &bytes));
    receive (&bench, &request);
    say (
        &bench, 0,
        (struct worker_message){ .kind = MESSAGE_RESET, .session = bench.sessions[0], .reason = RESET_UNKNOWN_SESSION },
        NULL, 0);
    uint64_t before = bench.sessions[0];
    welcome (&bench, 0);
    cr_expect_neq (bench.sessions[0], before);
    worker_link_reply (bench.link, &request, &bytes);
    worker_link_grant (bench.link, 0, 1);
    /* The next thing said is the credit of the new session: no reply came before it. */
    hear_kind (&bench, 0, MESSAGE_GRANT, &heard);
    cr_expect_eq (heard.message.granted, 10);
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, a_header_that_cannot_be_read_is_answered)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request request;
    bool ok;
    struct str result;
    struct error failure, err;
    int64_t retry_ms;
    struct heard heard;
    bench_open (&bench, 1, 10);
    say_dispatch (&bench, 0, 1, STR ("\xc1"));
    say_dispatch (&bench, 0, 2, header_of (2, &bytes));
    receive (&bench, &request);
    cr_expect_eq (request.dispatch, 2);
    hear_kind (&bench, 0, MESSAGE_REPLY, &heard);
    cr_expect_eq (heard.message.dispatch, 1);
    cr_assert_eq (reply_body_decode (str_of (heard.payload), &ok, &result, &failure, &retry_ms, &err), 0);
    cr_expect_eq (failure.code, ERROR_INVALID_REQUEST);
    worker_link_drop (bench.link, &request);
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, nonsense_of_a_broker_is_passed_over)
{
    struct bench bench;
    struct buf bytes = { 0 };
    struct worker_request request;
    bench_open (&bench, 1, 10);
    static const char *const NONSENSE[] = { "", "x", "\x93\x01\x12\x0b", "\xdd\xff\xff\xff\xff" };
    for (unsigned i = 0; i < 4; i++) {
        zmq_msg_t peer, control;
        zmq_msg_t *const parts[] = { &peer, &control };
        zmq_msg_init (&peer);
        zmq_msg_copy (&peer, &bench.peers[0]);
        cr_assert_eq (message_copy_bytes (&control, str_of (NONSENSE[i])), 0);
        cr_assert_eq (frames_send (bench.ports[0], parts, 2), SENT);
    }
    say_dispatch (&bench, 0, 5, header_of (5, &bytes));
    receive (&bench, &request);
    cr_expect_eq (request.dispatch, 5);
    worker_link_drop (bench.link, &request);
    buf_free (&bytes);
    bench_close (&bench);
}

Test (net_link, statistics_go_with_the_heartbeat)
{
    struct bench bench;
    struct heard heard;
    bench_open (&bench, 1, 10);
    /* A broker that wants heartbeats often. */
    say (&bench, 0, (struct worker_message){ .kind = MESSAGE_RESET, .session = bench.sessions[0] }, NULL, 0);
    hear_kind (&bench, 0, MESSAGE_HELLO, &heard);
    say (&bench, 0,
         (struct worker_message){
             .kind = MESSAGE_WELCOME, .session = heard.message.session, .heartbeat_ms = 20, .timeout_ms = 60000 },
         NULL, 0);
    hear_kind (&bench, 0, MESSAGE_WORKER_BEAT, &heard);
    cr_expect_str_eq (heard.payload, "\x80");
    cr_expect_eq (heard.message.granted, 10);
    bench_close (&bench);
}

Test (net_link, draining_and_leaving_are_told)
{
    struct bench bench;
    struct heard heard;
    bench_open (&bench, 1, 10);
    worker_link_drain (bench.link);
    hear_kind (&bench, 0, MESSAGE_DRAIN, &heard);
    worker_link_destroy (&bench.link);
    worker_link_destroy (&bench.link); /* NULL is fine */
    hear_kind (&bench, 0, MESSAGE_GOODBYE, &heard);
    bench_close (&bench);
}

Test (net_link, it_comes_back_when_a_broker_restarts)
{
    struct bench bench;
    struct error err;
    char bound[SOCKET_ENDPOINT_MAX];
    bench_open (&bench, 1, 10);
    uint64_t before = bench.sessions[0];
    socket_close (&bench.ports[0]);
    bench.ports[0] = socket_open (bench.context, SOCKET_WORKER_PORT, 0, &err);
    int64_t until_ms = clock_monotonic_ms () + WAIT_MS;
    while (socket_bind (bench.ports[0], bench.endpoints[0], false, bound, &err) != 0) {
        cr_assert (clock_monotonic_ms () < until_ms, "%s", err.message);
        zmq_poll (NULL, 0, 10); /* the old port's number is freed a moment later */
    }
    /* The worker speaks of the session it had, over a new connection: a broker answers with a reset. */
    struct heard heard;
    do {
        cr_assert (clock_monotonic_ms () < until_ms, "nothing is heard of the worker");
        worker_link_grant (bench.link, 0, 1);
        zmq_pollitem_t item = { .socket = bench.ports[0], .events = ZMQ_POLLIN };
        worker_link_tick (bench.link, clock_monotonic_ms (), STR ("\x80"));
        if (zmq_poll (&item, 1, 10) == 1)
            hear (&bench, 0, &heard);
        else
            heard.message.kind = 0;
    } while (heard.message.kind == 0);
    if (heard.message.kind != MESSAGE_HELLO) {
        cr_expect_eq (heard.message.session, before);
        say (&bench, 0,
             (struct worker_message){
                 .kind = MESSAGE_RESET, .session = heard.message.session, .reason = RESET_UNKNOWN_SESSION },
             NULL, 0);
        welcome (&bench, 0);
        cr_expect_neq (bench.sessions[0], before);
    }
    bench_close (&bench);
}

Test (net_link, an_endpoint_that_is_none_is_refused)
{
    struct error err;
    const char *endpoints[] = { "nonsense" };
    void *context = zmq_ctx_new ();
    const struct worker_link_options options = {
        .zmq_context = context, .endpoints = endpoints, .endpoint_count = 1, .name = "x", .credit = 1
    };
    cr_expect_null (worker_link_new (&options, &err));
    cr_expect_eq (err.code, ERROR_UNAVAILABLE);
    zmq_ctx_term (context);
}

Test (net_link, a_socket_that_brings_nothing_is_replaced)
{
    enum { SILENCE_MS = 600000, TURNS = 500 }; /* as the welcome says */
    struct bench bench;
    struct heard heard;
    struct buf bytes = { 0 };
    struct worker_request request;
    zmq_msg_t before;
    bench_open (&bench, 1, 10);
    say_dispatch (&bench, 0, 1, header_of (1, &bytes));
    receive (&bench, &request); /* The session is open. */
    worker_link_drop (bench.link, &request);
    zmq_msg_init (&before);
    zmq_msg_copy (&before, &bench.peers[0]);

    int64_t now_ms = clock_monotonic_ms ();
    worker_link_tick (bench.link, now_ms + SILENCE_MS - 1000, STR ("\x80"));
    hear_kind (&bench, 0, MESSAGE_WORKER_BEAT, &heard);
    cr_expect (str_equal (message_bytes (&before), message_bytes (&bench.peers[0])), "it is the same connection");

    heard.message.kind = MESSAGE_WORKER_BEAT;
    for (int turn = 0; turn < TURNS && heard.message.kind != MESSAGE_HELLO; turn++) {
        zmq_pollitem_t item = { .socket = bench.ports[0], .events = ZMQ_POLLIN };
        worker_link_tick (bench.link, now_ms + SILENCE_MS + 5000 + turn * 10, STR ("\x80"));
        if (zmq_poll (&item, 1, 20) == 1)
            hear (&bench, 0, &heard);
    }
    cr_expect_eq (heard.message.kind, MESSAGE_HELLO);
    cr_expect_neq (heard.message.session, bench.sessions[0]);
    cr_expect (!str_equal (message_bytes (&before), message_bytes (&bench.peers[0])), "it is a new connection");
    zmq_msg_close (&before);
    buf_free (&bytes);
    bench_close (&bench);
}
