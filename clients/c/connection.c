/* connection.c - see connection.h.
 *
 * A broker that is gone is noticed in three ways: ZMQ_IMMEDIATE takes the pipe away when the connection
 * breaks, so that the socket is no longer writable (fast: the machine is up, the broker is not); ZMTP's
 * heartbeats break a connection whose peer does not answer (the machine is gone); and, long before them, where answers
 * are owed and nothing comes, the broker is asked for a sign of life (it hangs, or packets are lost). A socket is never
 * used again after that: late replies to old requests die with it. */
#include "connection.h"
#include "failure.h"
#include "base/clock.h"
#include "wire/envelope.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { WAIT_UP_MAX_MS = 50 /* a broken connection shows only when the socket is asked */ };

/* Appends one endpoint of `size` bytes. */
static int
add_endpoint (struct connection_settings *settings, const char *text, size_t size, struct loyalty_error *error)
{
    char **longer = realloc (settings->endpoints, (settings->endpoint_count + 1) * sizeof *longer);
    if (longer == NULL)
        return failure_set (error, LOYALTY_INTERNAL, "out of memory");
    settings->endpoints = longer;
    char *copy = strndup (text, size);
    if (copy == NULL)
        return failure_set (error, LOYALTY_INTERNAL, "out of memory");
    longer[settings->endpoint_count++] = copy;
    return strstr (copy, "://") != NULL ? 0
                                        : failure_set (error, LOYALTY_INVALID_REQUEST,
                                                       "endpoints: each must be like tcp://HOST:PORT or ipc://PATH");
}

static int
copy_endpoints (struct connection_settings *settings, const struct loyalty_options *options,
                struct loyalty_error *error)
{
    static const char *const DEFAULTS[] = { LOYALTY_ENDPOINT_DEFAULT };
    const char *const *endpoints = options->endpoint_count > 0 ? options->endpoints : DEFAULTS;
    unsigned count = options->endpoint_count > 0 ? options->endpoint_count : 1;
    for (unsigned i = 0; i < count; i++) {
        const char *at = endpoints[i] != NULL ? endpoints[i] : "";
        do {
            size_t size = strcspn (at, ",");
            if (add_endpoint (settings, at, size, error) != 0)
                return -1;
            at += size;
        } while (*at++ == ',');
    }
    return 0;
}

int
connection_init (struct connection *connection, const struct loyalty_options *options, struct loyalty_error *error)
{
    /* Far more than can be in flight, acknowledgements inside libzmq included: then a socket that is not writable
     * has no connection, and means nothing else. */
    connection->settings.queue_max = (int)(4 * options->in_flight_max + 100);
    connection->settings.connect_ms = options->connect_ms;
    connection->settings.probe_ms = options->probe_ms;
    connection->settings.backoff_min_ms = options->backoff_min_ms;
    connection->settings.backoff_max_ms = options->backoff_max_ms;
    if (copy_endpoints (&connection->settings, options, error) != 0 ||
        curve_keys_copy (&connection->settings.keys, options, NULL, error) != 0)
        return -1;
    if (getrandom (&connection->random, sizeof connection->random, 0) != sizeof connection->random)
        connection->random = (uint64_t)clock_monotonic_us ();
    connection->random |= 1; /* xorshift stays at 0 for ever */
    connection->owns_context = options->zmq_context == NULL;
    connection->context = connection->owns_context ? zmq_ctx_new () : options->zmq_context;
    if (connection->context == NULL)
        return failure_set (error, LOYALTY_INTERNAL, "no ZeroMQ context");
    connection->state = CONNECTION_WAITING;
    /* Opening takes the next one. */
    connection->endpoint = connection->settings.endpoint_count - 1;
    if (!options->in_order)
        connection->endpoint = (unsigned)connection_random (connection, connection->settings.endpoint_count);
    return 0;
}

static void
close_socket (struct connection *connection)
{
    socket_close (&connection->socket);
    handshake_watch_close (&connection->watch);
}

void
connection_free (struct connection *connection)
{
    close_socket (connection);
    if (connection->owns_context && connection->context != NULL)
        zmq_ctx_term (connection->context);
    buf_free (&connection->ping);
    for (unsigned i = 0; i < connection->settings.endpoint_count; i++)
        free (connection->settings.endpoints[i]);
    free (connection->settings.endpoints);
    certificate_wipe (&connection->settings.keys);
}

uint64_t
connection_random (struct connection *connection, uint64_t bound)
{
    uint64_t number = connection->random;
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
    connection->random = number;
    return bound > 0 ? number % bound : 0;
}

int64_t
connection_backoff_ms (struct connection *connection, unsigned times)
{
    uint64_t wait_ms = (uint64_t)connection->settings.backoff_min_ms << (times < 20 ? times : 20);
    if (wait_ms > connection->settings.backoff_max_ms)
        wait_ms = connection->settings.backoff_max_ms;
    return (int64_t)(wait_ms + connection_random (connection, wait_ms / 2 + 1));
}

/* Opens a socket to the next endpoint. No routing id: a broker would take two sockets with one id for the
 * same client. One that cannot even be opened is given up when its time is over, like one that does not connect. */
static void
open_next (struct connection *connection, int64_t now_ms)
{
    const struct connection_settings *settings = &connection->settings;
    const int immediate = 1;
    connection->endpoint = (connection->endpoint + 1) % settings->endpoint_count;
    connection->state = CONNECTION_OPENING;
    connection->due_ms = now_ms + settings->connect_ms;
    connection->opened++;
    connection->trouble.code = ERROR_NONE;
    connection->socket = socket_open (connection->context, SOCKET_CLIENT, settings->queue_max, &connection->trouble);
    if (connection->socket == NULL)
        return;
    if (zmq_setsockopt (connection->socket, ZMQ_IMMEDIATE, &immediate, sizeof immediate) != 0)
        error_set (&connection->trouble, ERROR_INTERNAL, "cannot set the socket's options: %s", zmq_strerror (errno));
    else if (handshake_watch_open (&connection->watch, connection->context, connection->socket, &connection->trouble) ==
                 0 &&
             curve_keys_set (connection->socket, &settings->keys, &connection->trouble) == 0 &&
             socket_connect (connection->socket, settings->endpoints[connection->endpoint], &connection->trouble) == 0)
        return;
    close_socket (connection);
}

void
connection_give_up (struct connection *connection, int64_t now_ms)
{
    close_socket (connection);
    connection->failures++;
    /* Each endpoint once without waiting; then a wait after each round, longer every time. */
    unsigned rounds = connection->failures / connection->settings.endpoint_count;
    if (connection->failures % connection->settings.endpoint_count != 0) {
        open_next (connection, now_ms);
        return;
    }
    connection->state = CONNECTION_WAITING;
    connection->due_ms = now_ms + connection_backoff_ms (connection, rounds - 1);
}

static bool
is_writable (const struct connection *connection)
{
    int events = 0;
    size_t size = sizeof events;
    return connection->socket != NULL && zmq_getsockopt (connection->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLOUT) != 0;
}

const char *
connection_trouble (const struct connection *connection)
{
    if (connection->complaint != HANDSHAKE_NONE)
        return handshake_text (connection->complaint);
    return connection->trouble.code != ERROR_NONE ? connection->trouble.message : "";
}

bool
connection_send (struct connection *connection, struct str header, zmq_msg_t *body)
{
    zmq_msg_t head, copy;
    if (connection->state != CONNECTION_UP || message_copy_bytes (&head, header) != 0)
        return false;
    zmq_msg_init (&copy);
    zmq_msg_t *const parts[] = { &head, &copy };
    bool sent = zmq_msg_copy (&copy, body) == 0 && frames_send (connection->socket, parts, 2) == SENT;
    zmq_msg_close (&head);
    zmq_msg_close (&copy);
    return sent;
}

/* Asks for a sign of life. Its id is nobody's: whatever answers it is dropped, but it was heard. */
static bool
send_ping (struct connection *connection)
{
    const struct request_header header = { .version = PROTOCOL_VERSION,
                                           .id = CONNECTION_PING_ID,
                                           .method = STR ("admin.ping"),
                                           .ttl_ms = connection->settings.probe_ms };
    struct buf *bytes = &connection->ping;
    zmq_msg_t body;
    buf_clear (bytes);
    request_header_encode (&header, bytes);
    if (bytes->failed || message_copy_bytes (&body, STR ("\x80")) != 0) /* an empty map */
        return false;
    connection->probes++;
    bool sent = connection_send (connection, (struct str){ (const char *)bytes->data, (uint32_t)bytes->size }, &body);
    zmq_msg_close (&body);
    return sent;
}

/* False: the broker owes answers and gives no sign of life. */
static bool
is_alive (struct connection *connection, int64_t now_ms, bool is_waiting)
{
    const struct connection_settings *settings = &connection->settings;
    unsigned rounds = connection->failures / settings->endpoint_count;
    switch (liveness_look (&connection->liveness, now_ms, is_waiting, settings->probe_ms, rounds)) {
    case LIVENESS_FINE:
        return true;
    case LIVENESS_ASK:
        return send_ping (connection);
    case LIVENESS_SILENT:
        return false;
    }
    return true;
}

/* Looks at how handshakes ended. True: the last one failed, and a socket may not try again after that. */
static bool
is_rejected (struct connection *connection)
{
    bool is_failed = false;
    enum handshake handshake;
    while ((handshake = handshake_watch_next (&connection->watch)) != HANDSHAKE_NONE) {
        is_failed = handshake != HANDSHAKE_DONE;
        connection->complaint = is_failed ? handshake : HANDSHAKE_NONE;
    }
    return is_failed;
}

/* Goes on to the next endpoint after a handshake that failed. */
static enum connection_event
take_rejection (struct connection *connection, int64_t now_ms)
{
    bool is_refused = connection_is_refused (connection);
    connection->refusals = is_refused ? connection->refusals + 1 : 0;
    connection_give_up (connection, now_ms);
    return is_refused && connection->refusals % connection->settings.endpoint_count == 0 ? CONNECTION_REFUSED
                                                                                         : CONNECTION_SAME;
}

enum connection_event
connection_update (struct connection *connection, int64_t now_ms, bool is_waiting)
{
    switch (connection->state) {
    case CONNECTION_WAITING:
        if (now_ms >= connection->due_ms)
            open_next (connection, now_ms);
        return CONNECTION_SAME;
    case CONNECTION_OPENING:
        if (is_writable (connection)) {
            connection->state = CONNECTION_UP;
            liveness_begin (&connection->liveness, now_ms);
            connection->connected++;
            connection->complaint = HANDSHAKE_NONE;
            connection->refusals = 0;
            return CONNECTION_CAME_UP;
        }
        if (is_rejected (connection))
            return take_rejection (connection, now_ms);
        if (now_ms >= connection->due_ms)
            connection_give_up (connection, now_ms);
        return CONNECTION_SAME;
    case CONNECTION_UP:
        if (is_writable (connection) && is_alive (connection, now_ms, is_waiting))
            return CONNECTION_SAME;
        connection_give_up (connection, now_ms);
        return CONNECTION_LOST;
    }
    return CONNECTION_SAME;
}

void
connection_served (struct connection *connection)
{
    connection->failures = 0;
}

bool
connection_receive (struct connection *connection, struct frames *frames)
{
    if (connection->socket == NULL || frames_receive (connection->socket, frames) != 1)
        return false;
    liveness_heard (&connection->liveness, clock_monotonic_ms ());
    return true;
}

void
connection_wait (struct connection *connection, int64_t wait_ms)
{
    if (connection->state == CONNECTION_UP && wait_ms > WAIT_UP_MAX_MS)
        wait_ms = WAIT_UP_MAX_MS;
    if (connection->socket == NULL) {
        poll (NULL, 0, (int)wait_ms);
        return;
    }
    short events = connection->state == CONNECTION_UP ? ZMQ_POLLIN : ZMQ_POLLOUT;
    zmq_pollitem_t items[] = { { .socket = connection->socket, .events = events },
                               { .socket = connection->watch.events, .events = ZMQ_POLLIN } };
    zmq_poll (items, connection->state == CONNECTION_OPENING ? 2 : 1, (long)wait_ms);
}
