/* socket.c - the table of socket options by use, and multipart messages that travel whole or not at all. */
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

/* Options of each use. Queue bounds are per peer: libzmq keeps one pipe for each connection. */
static const struct {
    const char *name;
    int type;
    int queue_max;
    int linger_ms;  /* how long close may wait for what was sent */
    bool mandatory; /* ROUTER: a send to a peer that is gone or full fails, instead of vanishing */
    bool immediate; /* DEALER: queue nothing while there is no connection */
} USES[SOCKET_USE_COUNT] = {
    /* Bounded by what one client may have waiting: more answers than that cannot be under way. */
    [SOCKET_CLIENT_PORT] = { "client port", ZMQ_ROUTER, 2048, 1000, true, false },
    [SOCKET_WORKER_PORT] = { "worker port", ZMQ_ROUTER, 8192, 200, true, false },
    /* A client's requests wait for the connection: its own deadline bounds the waiting. */
    [SOCKET_CLIENT] = { "client", ZMQ_DEALER, 2048, 0, false, false },
    /* A worker's messages are about a session, and a session does not outlive its connection. */
    [SOCKET_WORKER] = { "worker", ZMQ_DEALER, 8192, 500, false, true },
    /* What a subscriber has not taken: beyond it the feed drops, and the subscriber reads what it missed. */
    [SOCKET_FEED] = { "feed", ZMQ_XPUB, 10000, 200, false, false },
    [SOCKET_SUBSCRIBER] = { "subscriber", ZMQ_SUB, 1000, 0, false, false },
};

enum {
    HEARTBEAT_MS = 2000,
    HEARTBEAT_TIMEOUT_MS = 6000,
    HANDSHAKE_MS = 5000,
    CONNECT_TIMEOUT_MS = 5000,
    UNREAD_MS = 30000, /* a peer whose system takes no more of what was sent for so long is closed */
    RECONNECT_MS = 50,
    RECONNECT_MS_MAX = 2000,
    BACKLOG = 1024, /* every till of a chain reconnects at once after a restart */
};

/* In zmq.h this constant is hidden behind its draft API, but the option itself has been there since 4.3. */
enum { CONTEXT_ZERO_COPY_RECV = 10 };

static int
jitter (int range)
{
    uint32_t random = 0;
    if (getrandom (&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return 0;
    return (int)(random % (uint32_t)range);
}

struct int_option {
    int name, value;
};

static int
set_ints (void *socket, const struct int_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zmq_setsockopt (socket, options[i].name, &options[i].value, sizeof options[i].value) != 0)
            return -1;
    return 0;
}

static int
set_options (void *socket, enum socket_use use, int queue_max)
{
    const int64_t frame_max = SOCKET_FRAME_BYTES_MAX;
    const struct int_option common[] = {
        { ZMQ_SNDHWM, queue_max },
        { ZMQ_RCVHWM, queue_max },
        { ZMQ_LINGER, USES[use].linger_ms },
        { ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS },
        { ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS },
        { ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS },
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
        { ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS },
        { ZMQ_TCP_MAXRT, UNREAD_MS },
        /* libzmq doubles the interval up to the maximum; the random parts keep tills that lost their
         * broker at one instant from coming back at one instant. */
        { ZMQ_RECONNECT_IVL, RECONNECT_MS + jitter (RECONNECT_MS) },
        { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX + jitter (RECONNECT_MS_MAX / 2) },
        { ZMQ_BACKLOG, BACKLOG },
        { ZMQ_TCP_KEEPALIVE, 1 },
        { ZMQ_IMMEDIATE, USES[use].immediate },
    };
    if (zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) != 0)
        return -1;
    if (set_ints (socket, common, sizeof common / sizeof common[0]) != 0)
        return -1;
    if (USES[use].type != ZMQ_ROUTER)
        return 0;
    /* Never HANDOVER: a connection must not be able to take another's place by claiming its routing id. */
    const struct int_option router[] = { { ZMQ_ROUTER_MANDATORY, USES[use].mandatory }, { ZMQ_ROUTER_HANDOVER, 0 } };
    return set_ints (socket, router, sizeof router / sizeof router[0]);
}

void *
socket_context_new (int io_threads, struct error *err)
{
    void *context = zmq_ctx_new ();
    if (context == NULL || zmq_ctx_set (context, ZMQ_IO_THREADS, io_threads) != 0) {
        error_set (err, ERROR_INTERNAL, "cannot make a ZeroMQ context: %s", zmq_strerror (errno));
        if (context != NULL)
            zmq_ctx_term (context);
        return NULL;
    }
    /* Only thrift: where it is refused, kept frames take more memory. */
    zmq_ctx_set (context, CONTEXT_ZERO_COPY_RECV, 0);
    return context;
}

void *
socket_open (void *zmq_context, enum socket_use use, int queue_max, struct error *err)
{
    void *socket = zmq_socket (zmq_context, USES[use].type);
    if (socket == NULL) {
        error_set (err, ERROR_INTERNAL, "cannot make a %s socket: %s", USES[use].name, zmq_strerror (errno));
        return NULL;
    }
    if (set_options (socket, use, queue_max > 0 ? queue_max : USES[use].queue_max) != 0) {
        error_set (err, ERROR_INTERNAL, "cannot set the options of a %s socket: %s", USES[use].name,
                   zmq_strerror (errno));
        socket_close (&socket);
    }
    return socket;
}

void
socket_close (void **socket)
{
    if (*socket != NULL)
        zmq_close (*socket);
    *socket = NULL;
}

static bool
starts_with (const char *text, const char *prefix)
{
    return strncmp (text, prefix, strlen (prefix)) == 0;
}

/* "127." and three more groups of digits: 127.evil.example must not pass. */
static bool
is_loopback_v4 (const char *host, size_t size)
{
    unsigned dots = 0;
    for (size_t i = 0; i < size; i++) {
        if (host[i] == '.')
            dots++;
        else if (host[i] < '0' || host[i] > '9')
            return false;
    }
    return dots == 3 && size > 4 && memcmp (host, "127.", 4) == 0;
}

bool
endpoint_is_local (const char *endpoint)
{
    if (starts_with (endpoint, "ipc://") || starts_with (endpoint, "inproc://"))
        return true;
    if (!starts_with (endpoint, "tcp://"))
        return false;
    const char *host = endpoint + strlen ("tcp://");
    const char *colon = strrchr (host, ':');
    size_t size = colon != NULL ? (size_t)(colon - host) : strlen (host);
    static const char *const NAMES[] = { "localhost", "[::1]", "lo" };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (size == strlen (NAMES[i]) && memcmp (host, NAMES[i], size) == 0)
            return true;
    return is_loopback_v4 (host, size);
}

int
socket_check_open (const char *endpoint, bool is_meant, struct error *err)
{
    if (is_meant || endpoint_is_local (endpoint))
        return 0;
    return error_set (err, ERROR_FORBIDDEN,
                      "%s can be reached from other machines: make keys (loyalty keys), bind to loopback or ipc, "
                      "or say --insecure",
                      endpoint);
}

int
socket_bind (void *socket, const char *endpoint, bool insecure, char bound[SOCKET_ENDPOINT_MAX], struct error *err)
{
    int mechanism = ZMQ_NULL;
    size_t size = sizeof mechanism;
    zmq_getsockopt (socket, ZMQ_MECHANISM, &mechanism, &size);
    if (socket_check_open (endpoint, insecure || mechanism == ZMQ_CURVE, err) != 0)
        return -1;
    if (zmq_bind (socket, endpoint) != 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot bind %s: %s", endpoint, zmq_strerror (errno));
    size = SOCKET_ENDPOINT_MAX;
    if (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        return error_set (err, ERROR_INTERNAL, "cannot tell where %s was bound: %s", endpoint, zmq_strerror (errno));
    return 0;
}

int
socket_connect (void *socket, const char *endpoint, struct error *err)
{
    if (zmq_connect (socket, endpoint) != 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot connect to %s: %s", endpoint, zmq_strerror (errno));
    return 0;
}

int
socket_set_keys (void *socket, const struct certificate *certificate, struct error *err)
{
    if (zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, certificate->server_key, KEY_TEXT_SIZE) == 0 &&
        zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, certificate->public_key, KEY_TEXT_SIZE) == 0 &&
        zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, certificate->secret_key, KEY_TEXT_SIZE) == 0)
        return 0;
    return error_set (err, ERROR_INTERNAL, "cannot set the keys of a socket: %s", zmq_strerror (errno));
}

int
socket_rebind (void *socket, const char *bound, struct error *err)
{
    enum { STEP_MS = 10, STEPS_MAX = 100 };
    zmq_unbind (socket, bound);
    for (int i = 0; zmq_bind (socket, bound) != 0; i++) {
        /* libzmq closes the old port in a thread of its own. */
        if (errno != EADDRINUSE || i == STEPS_MAX)
            return error_set (err, ERROR_UNAVAILABLE, "cannot bind %s again: %s", bound, zmq_strerror (errno));
        poll (NULL, 0, STEP_MS);
    }
    return 0;
}

/* 1: a frame was taken; 0: none is there; -1: the socket is of no more use. */
static int
receive_one (void *socket, zmq_msg_t *message)
{
    zmq_msg_init (message);
    while (zmq_msg_recv (message, socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        int result = errno == EAGAIN ? 0 : -1;
        zmq_msg_close (message);
        return result;
    }
    return 1;
}

int
frames_receive (void *socket, struct frames *frames)
{
    frames->count = 0;
    frames->surplus = 0;
    for (bool more = true; more;) {
        zmq_msg_t surplus;
        bool keep = frames->count < FRAMES_MAX;
        zmq_msg_t *message = keep ? &frames->at[frames->count] : &surplus;
        int result = receive_one (socket, message);
        /* libzmq hands a message over whole: only its first frame can be missing. */
        if (result != 1) {
            frames_close (frames);
            return result;
        }
        more = zmq_msg_more (message);
        if (keep) {
            frames->count++;
        } else {
            frames->surplus++;
            zmq_msg_close (&surplus);
        }
    }
    return 1;
}

void
frames_close (struct frames *frames)
{
    while (frames->count > 0)
        zmq_msg_close (&frames->at[--frames->count]);
}

struct str
frame_bytes (struct frames *frames, unsigned index)
{
    if (index >= frames->count)
        return (struct str){ "", 0 };
    return message_bytes (&frames->at[index]);
}

enum sent
frames_send (void *socket, zmq_msg_t *const parts[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
        while (zmq_msg_send (parts[i], socket, flags) < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN ? SENT_FULL : errno == EHOSTUNREACH ? SENT_GONE : SENT_ERROR;
        }
    }
    return SENT;
}

int
message_copy_bytes (zmq_msg_t *message, struct str bytes)
{
    if (zmq_msg_init_size (message, bytes.size) != 0)
        return -1;
    if (bytes.size > 0)
        memcpy (zmq_msg_data (message), bytes.data, bytes.size);
    return 0;
}
