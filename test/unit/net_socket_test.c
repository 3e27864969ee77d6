/* net_socket_test.c - where a port may be bound, and messages that travel whole or not at all. */
#include "net/socket.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void *
context_new (void)
{
    struct error err;
    void *context = socket_context_new (1, &err);
    cr_assert_not_null (context);
    return context;
}

static void *
open_or_fail (void *context, enum socket_use use)
{
    struct error err;
    void *socket = socket_open (context, use, 0, &err);
    cr_assert_not_null (socket, "%s", err.message);
    return socket;
}

/* A ROUTER and a DEALER with a connection between them. */
struct pair {
    void *context, *port, *peer;
};

static struct pair
pair_new (enum socket_use port_use, enum socket_use peer_use)
{
    struct error err;
    char bound[SOCKET_ENDPOINT_MAX];
    struct pair pair = { .context = context_new () };
    pair.port = open_or_fail (pair.context, port_use);
    pair.peer = open_or_fail (pair.context, peer_use);
    cr_assert_eq (socket_bind (pair.port, "tcp://127.0.0.1:*", false, bound, &err), 0, "%s", err.message);
    cr_assert_eq (socket_connect (pair.peer, bound, &err), 0, "%s", err.message);
    return pair;
}

static void
pair_destroy (struct pair *pair)
{
    socket_close (&pair->peer);
    socket_close (&pair->port);
    zmq_ctx_term (pair->context);
}

static bool
wait_for (void *socket, short events)
{
    zmq_pollitem_t item = { .socket = socket, .events = events };
    return zmq_poll (&item, 1, 10000) == 1;
}

static enum sent
send_texts (void *socket, const char *const *texts, unsigned count)
{
    zmq_msg_t messages[8];
    zmq_msg_t *parts[8];
    for (unsigned i = 0; i < count; i++) {
        parts[i] = &messages[i];
        cr_assert_eq (message_copy_bytes (&messages[i], str_of (texts[i])), 0);
    }
    enum sent sent = frames_send (socket, parts, count);
    for (unsigned i = 0; i < count; i++) {
        if (sent == SENT)
            cr_expect_eq (zmq_msg_size (&messages[i]), 0, "libzmq has it");
        else
            cr_expect_eq (zmq_msg_size (&messages[i]), strlen (texts[i]), "it is as it was");
        zmq_msg_close (&messages[i]);
    }
    return sent;
}

Test (net_socket, loopback_and_ipc_are_local)
{
    static const char *const LOCAL[] = { "tcp://127.0.0.1:5555", "tcp://127.8.9.1:*", "tcp://localhost:1",
                                         "tcp://[::1]:5",        "tcp://lo:7",        "ipc:///tmp/x",
                                         "ipc://@abstract",      "inproc://y" };
    static const char *const REMOTE[] = { "tcp://*:5555",
                                          "tcp://0.0.0.0:5555",
                                          "tcp://10.0.0.1:5555",
                                          "tcp://eth0:5555",
                                          "tcp://127.evil.example:1",
                                          "tcp://127.0.0.1.example.org:1",
                                          "tcp://localhost.example.org:1",
                                          "tcp://[::]:1",
                                          "tcp://127.0.0:1",
                                          "pgm://eth0;239.192.1.1:5555",
                                          "127.0.0.1:5555",
                                          "" };
    for (unsigned i = 0; i < sizeof LOCAL / sizeof LOCAL[0]; i++)
        cr_expect (endpoint_is_local (LOCAL[i]), "%s", LOCAL[i]);
    for (unsigned i = 0; i < sizeof REMOTE / sizeof REMOTE[0]; i++)
        cr_expect (!endpoint_is_local (REMOTE[i]), "%s", REMOTE[i]);
}

Test (net_socket, binding_where_others_reach_it_needs_keys_or_a_word)
{
    struct error err;
    char bound[SOCKET_ENDPOINT_MAX];
    void *context = context_new ();
    void *port = open_or_fail (context, SOCKET_CLIENT_PORT);
    cr_expect_eq (socket_bind (port, "tcp://*:*", false, bound, &err), -1);
    cr_expect_eq (err.code, ERROR_FORBIDDEN);
    cr_expect_not_null (strstr (err.message, "--insecure"));
    cr_expect_eq (socket_bind (port, "tcp://*:*", true, bound, &err), 0);
    socket_close (&port);

    port = open_or_fail (context, SOCKET_CLIENT_PORT);
    const int server = 1;
    cr_assert_eq (zmq_setsockopt (port, ZMQ_CURVE_SERVER, &server, sizeof server), 0);
    cr_expect_eq (socket_bind (port, "tcp://*:*", false, bound, &err), 0, "with CURVE it may: %s", err.message);
    socket_close (&port);
    socket_close (&port); /* NULL is fine */
    zmq_ctx_term (context);
}

Test (net_socket, bind_tells_the_port_and_what_is_wrong)
{
    struct error err;
    char bound[SOCKET_ENDPOINT_MAX], again[SOCKET_ENDPOINT_MAX];
    void *context = context_new ();
    void *port = open_or_fail (context, SOCKET_CLIENT_PORT), *second = open_or_fail (context, SOCKET_CLIENT_PORT);
    cr_assert_eq (socket_bind (port, "tcp://127.0.0.1:*", false, bound, &err), 0);
    cr_expect (strncmp (bound, "tcp://127.0.0.1:", 16) == 0 && strchr (bound, '*') == NULL, "%s", bound);
    cr_expect_eq (socket_bind (second, bound, false, again, &err), -1);
    cr_expect_eq (err.code, ERROR_UNAVAILABLE);
    cr_expect_eq (socket_connect (second, "nonsense", &err), -1);
    socket_close (&port);
    socket_close (&second);
    zmq_ctx_term (context);
}

Test (net_socket, every_option_is_set)
{
    void *context = context_new ();
    for (int use = 0; use < SOCKET_USE_COUNT; use++) {
        struct error err;
        void *socket = socket_open (context, (enum socket_use)use, 33, &err);
        int64_t frame_max = 0;
        int value = 0;
        size_t size = sizeof frame_max;
        cr_assert_not_null (socket);
        cr_expect_eq (zmq_getsockopt (socket, ZMQ_MAXMSGSIZE, &frame_max, &size), 0);
        cr_expect_eq (frame_max, SOCKET_FRAME_BYTES_MAX);
        const struct {
            int option, value;
        } expected[] = { { ZMQ_SNDHWM, 33 },
                         { ZMQ_RCVHWM, 33 },
                         { ZMQ_HEARTBEAT_IVL, 2000 },
                         { ZMQ_HEARTBEAT_TIMEOUT, 6000 },
                         { ZMQ_HEARTBEAT_TTL, 6000 } };
        for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            size = sizeof value;
            cr_expect_eq (zmq_getsockopt (socket, expected[i].option, &value, &size), 0);
            cr_expect_eq (value, expected[i].value, "use %d, option %d: %d", use, expected[i].option, value);
        }
        size = sizeof value;
        cr_expect_eq (zmq_getsockopt (socket, ZMQ_LINGER, &value, &size), 0);
        cr_expect (value >= 0 && value <= 1000, "use %d lingers %d ms", use, value);
        size = sizeof value;
        cr_expect_eq (zmq_getsockopt (socket, ZMQ_RECONNECT_IVL, &value, &size), 0);
        cr_expect (value >= 50 && value < 100, "use %d reconnects after %d ms", use, value);
        socket_close (&socket);
    }
    zmq_ctx_term (context);
}

Test (net_socket, a_message_arrives_whole)
{
    struct pair pair = pair_new (SOCKET_CLIENT_PORT, SOCKET_CLIENT);
    struct frames frames;
    cr_expect_eq (frames_receive (pair.port, &frames), 0, "nothing is there yet");
    static const char *const TEXTS[] = { "header", "body" };
    cr_assert_eq (send_texts (pair.peer, TEXTS, 2), SENT);
    cr_assert (wait_for (pair.port, ZMQ_POLLIN));
    cr_assert_eq (frames_receive (pair.port, &frames), 1);
    cr_expect_eq (frames.count, 3);
    cr_expect_eq (frames.surplus, 0);
    cr_expect (str_equal (frame_bytes (&frames, 1), STR ("header")));
    cr_expect (str_equal (frame_bytes (&frames, 2), STR ("body")));
    cr_expect_eq (frame_bytes (&frames, 3).size, 0);
    frames_close (&frames);
    cr_expect_eq (frames_receive (pair.port, &frames), 0);
    pair_destroy (&pair);
}

Test (net_socket, frames_past_the_bound_are_counted_and_thrown_away)
{
    struct pair pair = pair_new (SOCKET_CLIENT_PORT, SOCKET_CLIENT);
    struct frames frames;
    static const char *const TEXTS[] = { "1", "2", "3", "4", "5", "6" }, *const NEXT[] = { "next" };
    cr_assert_eq (send_texts (pair.peer, TEXTS, 6), SENT);
    cr_assert_eq (send_texts (pair.peer, NEXT, 1), SENT);
    cr_assert (wait_for (pair.port, ZMQ_POLLIN));
    cr_assert_eq (frames_receive (pair.port, &frames), 1);
    cr_expect_eq (frames.count, FRAMES_MAX);
    cr_expect_eq (frames.surplus, 7 - FRAMES_MAX);
    frames_close (&frames);
    cr_assert (wait_for (pair.port, ZMQ_POLLIN));
    cr_assert_eq (frames_receive (pair.port, &frames), 1);
    cr_expect (str_equal (frame_bytes (&frames, 1), STR ("next")), "the next message begins where it should");
    frames_close (&frames);
    pair_destroy (&pair);
}

Test (net_socket, a_peer_that_is_not_there_is_told)
{
    struct pair pair = pair_new (SOCKET_CLIENT_PORT, SOCKET_CLIENT);
    static const char *const TEXTS[] = { "nobody", "header", "body" };
    cr_expect_eq (send_texts (pair.port, TEXTS, 3), SENT_GONE);
    /* The port works on, and no half message is in its way. */
    static const char *const HELLO[] = { "hello" };
    struct frames frames;
    cr_assert_eq (send_texts (pair.peer, HELLO, 1), SENT);
    cr_assert (wait_for (pair.port, ZMQ_POLLIN));
    cr_assert_eq (frames_receive (pair.port, &frames), 1);
    zmq_msg_t body;
    zmq_msg_t *const parts[] = { &frames.at[0], &body };
    cr_assert_eq (message_copy_bytes (&body, STR ("answer")), 0);
    cr_expect_eq (frames_send (pair.port, parts, 2), SENT);
    zmq_msg_close (&body);
    frames_close (&frames);
    cr_assert (wait_for (pair.peer, ZMQ_POLLIN));
    cr_assert_eq (frames_receive (pair.peer, &frames), 1);
    cr_expect_eq (frames.count, 1);
    cr_expect (str_equal (frame_bytes (&frames, 0), STR ("answer")));
    frames_close (&frames);
    pair_destroy (&pair);
}

Test (net_socket, a_send_never_waits)
{
    /* A worker's DEALER without connection queues nothing; a client's queues up to its bound. */
    struct error err;
    void *context = context_new ();
    void *worker = open_or_fail (context, SOCKET_WORKER), *client = socket_open (context, SOCKET_CLIENT, 5, &err);
    static const char *const TEXTS[] = { "a", "b" };
    cr_assert_eq (socket_connect (worker, "ipc:///tmp/loyalty-nobody-listens-here", &err), 0);
    cr_assert_eq (socket_connect (client, "ipc:///tmp/loyalty-nobody-listens-here", &err), 0);
    cr_expect_eq (send_texts (worker, TEXTS, 2), SENT_FULL);
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq (send_texts (client, TEXTS, 2), SENT, "message %u", i);
    cr_expect_eq (send_texts (client, TEXTS, 2), SENT_FULL);
    socket_close (&worker);
    socket_close (&client);
    zmq_ctx_term (context);
}
