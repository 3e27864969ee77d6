/* server.c - the loop: two ROUTER sockets and signals in, the core's sends out. */
#include "broker/server.h"
#include "base/clock.h"
#include "broker/core.h"
#include "net/guard.h"
#include "net/worker_protocol.h"
#include "wire/envelope.h"
#include "wire/method.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    MESSAGES_PER_WAKE = 256, /* taken from one port before the other port and the clock are looked at again */
    HELD_SPARE_MAX = 4096,
    ROUTING_ID_BYTES = 5,
    WARN_EVERY_US = 1000000,
};

/* The two frames of a client's message while the core holds it. */
struct held_frames {
    struct held_frames *next; /* among the spare ones */
    zmq_msg_t header, body;
};

struct server {
    const struct server_options *options;
    struct settings settings;
    void *zmq_context, *client_port, *worker_port;
    int signal_fd;
    struct core *core;
    struct guard *guard;
    struct guard_counters guard_counted; /* as the core knows them */
    struct held_frames *spare;
    unsigned spare_count;
    bool is_stopping;
    int64_t warned_us; /* when a worker with a routing id of its own was last spoken of */
    char client_endpoint[SOCKET_ENDPOINT_MAX], worker_endpoint[SOCKET_ENDPOINT_MAX];
};

/* A connection's number for the core: the routing id that libzmq made, five bytes of which the first is 0. False
 * for one that the peer has chosen itself. Two connections with one chosen id would silence the later one, and
 * names are given by keys, not by routing ids. */
static bool
peer_of (struct str routing_id, uint64_t *peer)
{
    if (routing_id.size != ROUTING_ID_BYTES || routing_id.data[0] != 0)
        return false;
    *peer = 0;
    for (unsigned i = 1; i < ROUTING_ID_BYTES; i++)
        *peer = *peer << 8 | (uint8_t)routing_id.data[i];
    return true;
}

static int
peer_message (zmq_msg_t *message, uint64_t peer)
{
    char bytes[ROUTING_ID_BYTES] = { 0 };
    for (unsigned i = ROUTING_ID_BYTES - 1; i > 0; i--, peer >>= 8)
        bytes[i] = (char)(peer & 0xff);
    return message_copy_bytes (message, (struct str){ bytes, sizeof bytes });
}

/* --- what the core asks for --- */

static enum sent
to_client (void *context, uint64_t peer, struct str header, struct str body, void *passed)
{
    struct server *server = context;
    zmq_msg_t id_frame, header_frame, body_frame;
    zmq_msg_t *const parts[] = { &id_frame, &header_frame, passed != NULL ? passed : &body_frame };
    if (peer_message (&id_frame, peer) != 0)
        return SENT_ERROR;
    if (message_copy_bytes (&header_frame, header) != 0) {
        zmq_msg_close (&id_frame);
        return SENT_ERROR;
    }
    enum sent sent = SENT_ERROR;
    if (passed != NULL || message_copy_bytes (&body_frame, body) == 0) {
        sent = frames_send (server->client_port, parts, 3);
        if (passed == NULL)
            zmq_msg_close (&body_frame);
    }
    zmq_msg_close (&id_frame);
    zmq_msg_close (&header_frame);
    return sent;
}

static enum sent
to_worker (void *context, uint64_t peer, struct str control, void *frames)
{
    struct server *server = context;
    struct held_frames *held = frames;
    zmq_msg_t id_frame, control_frame, header, body;
    zmq_msg_t *const parts[] = { &id_frame, &control_frame, &header, &body };
    enum sent sent = SENT_ERROR;
    if (peer_message (&id_frame, peer) != 0)
        return SENT_ERROR;
    if (message_copy_bytes (&control_frame, control) != 0) {
        zmq_msg_close (&id_frame);
        return SENT_ERROR;
    }
    /* Copies share the bytes: the core keeps the message whole until it is answered. */
    zmq_msg_init (&header);
    zmq_msg_init (&body);
    if (held == NULL || (zmq_msg_copy (&header, &held->header) == 0 && zmq_msg_copy (&body, &held->body) == 0))
        sent = frames_send (server->worker_port, parts, held != NULL ? 4 : 2);
    for (unsigned i = 0; i < 4; i++)
        zmq_msg_close (parts[i]);
    return sent;
}

static struct held_frames *
hold (struct server *server, zmq_msg_t *header, zmq_msg_t *body)
{
    struct held_frames *held = server->spare;
    if (held != NULL) {
        server->spare = held->next;
        server->spare_count--;
    } else if ((held = malloc (sizeof *held)) == NULL) {
        return NULL;
    }
    zmq_msg_init (&held->header);
    zmq_msg_init (&held->body);
    zmq_msg_move (&held->header, header);
    zmq_msg_move (&held->body, body);
    return held;
}

static void
release (void *context, void *frames)
{
    struct server *server = context;
    struct held_frames *held = frames;
    zmq_msg_close (&held->header);
    zmq_msg_close (&held->body);
    if (server->spare_count == HELD_SPARE_MAX) {
        free (held);
        return;
    }
    held->next = server->spare;
    server->spare = held;
    server->spare_count++;
}

static void
event (void *context, enum log_level level, const char *text)
{
    (void)context;
    log_write (level, "%s", text);
}

static void *
allocate (void *context, size_t size)
{
    (void)context;
    return calloc (1, size);
}

static void
release_memory (void *context, void *memory)
{
    (void)context;
    free (memory);
}

/* --- what comes in --- */

/* Who sends: what the key says that its connection was made with, never what it claims. */
static void
identify (struct server *server, zmq_msg_t *frame, struct client_message *message)
{
    const struct listed_key *key = guard_identify (server->guard, frame);
    message->is_unknown = key == NULL;
    if (key == NULL)
        return;
    message->user = str_of (key->name);
    message->roles = key->roles & ROLES_ANY;
}

static bool
opens_worker_port (void *context, struct str key)
{
    struct server *server = context;
    const struct listed_key *listed = guard_find (server->guard, key);
    return listed != NULL && (listed->roles & ROLE_WORKER) != 0;
}

static void
refuse_routing_id (struct server *server, struct frames *frames)
{
    struct request_header header = { 0 };
    struct error failure;
    struct buf reply_header = { 0 }, reply_body = { 0 };
    request_header_decode (frame_bytes (frames, 1), &header, NULL);
    error_set (&failure, ERROR_INVALID_REQUEST, "do not set a routing id of your own (ZMQ_ROUTING_ID)");
    reply_header_encode (header.id, &reply_header);
    reply_error_encode (&failure, 0, &reply_body);

    zmq_msg_t header_frame, body_frame;
    zmq_msg_t *const parts[] = { &frames->at[0], &header_frame, &body_frame };
    struct str header_bytes = { (const char *)reply_header.data, (uint32_t)reply_header.size };
    struct str body_bytes = { (const char *)reply_body.data, (uint32_t)reply_body.size };
    if (!reply_header.failed && !reply_body.failed && message_copy_bytes (&header_frame, header_bytes) == 0) {
        if (message_copy_bytes (&body_frame, body_bytes) == 0) {
            frames_send (server->client_port, parts, 3);
            zmq_msg_close (&body_frame);
        }
        zmq_msg_close (&header_frame);
    }
    buf_free (&reply_header);
    buf_free (&reply_body);
}

static void
client_message (struct server *server, struct frames *frames)
{
    struct client_message message = {
        .frame_count = frames->count + frames->surplus - 1,
        .header = frame_bytes (frames, 1),
        .body_size = frame_bytes (frames, 2).size,
    };
    if (!peer_of (frame_bytes (frames, 0), &message.peer)) {
        refuse_routing_id (server, frames);
        return;
    }
    identify (server, &frames->at[frames->count - 1], &message);
    if (message.frame_count == 2) {
        struct held_frames *held = hold (server, &frames->at[1], &frames->at[2]);
        message.frames = held;
        /* A short message lies within its zmq_msg_t and has moved with it. */
        if (held != NULL) {
            message.header = message_bytes (&held->header);
            message.body = message_bytes (&held->body);
        }
    }
    core_client_message (server->core, clock_monotonic_us (), &message);
}

static void
worker_message (struct server *server, struct frames *frames)
{
    struct broker_worker_message message = {
        .frame_count = frames->count + frames->surplus - 1,
        .control = frame_bytes (frames, 1),
        .payload = frame_bytes (frames, 2),
        .passed = frames->count > 2 ? &frames->at[2] : NULL,
    };
    int64_t now_us = clock_monotonic_us ();
    bool has_peer = peer_of (frame_bytes (frames, 0), &message.peer);
    message.key = guard_key_of (&frames->at[frames->count - 1]);
    if (has_peer && opens_worker_port (server, message.key)) {
        core_worker_message (server->core, now_us, &message);
    } else if (has_peer) {
        core_worker_refuse (server->core, now_us, message.peer);
    } else if (now_us - server->warned_us > WARN_EVERY_US) {
        server->warned_us = now_us;
        log_warning ("a worker with a routing id of its own is ignored: it must not set ZMQ_ROUTING_ID");
    }
}

/* Takes what one port has, up to a bound. */
static int
read_port (struct server *server, void *port, void (*take) (struct server *, struct frames *), struct error *err)
{
    for (unsigned i = 0; i < MESSAGES_PER_WAKE; i++) {
        struct frames frames;
        int received = frames_receive (port, &frames);
        if (received < 0)
            return error_set (err, ERROR_INTERNAL, "cannot receive: %s", zmq_strerror (errno));
        if (received == 0)
            return 0;
        take (server, &frames);
        frames_close (&frames);
    }
    return 0;
}

/* A list with a mistake changes nothing. */
static void
reload_keys (struct server *server)
{
    struct error failure;
    if (guard_reload (server->guard, NULL, &failure) != 0) {
        log_error ("the keys stay as they are: %s", failure.message);
        return;
    }
    core_workers_check (server->core, clock_monotonic_us (), opens_worker_port, server);
}

static void
reload_settings (struct server *server)
{
    struct settings read = server->options->settings;
    struct error failure;
    if (server->options->config_file == NULL)
        return;
    if (settings_load (&read, server->options->config_file, &failure) != 0) {
        log_error ("settings stay as they are: %s", failure.message);
        return;
    }
    unsigned fixed = settings_reload (&server->settings, &read);
    core_configure (server->core, &server->settings);
    log_info ("settings read again%s", fixed > 0 ? "; some that changed need a restart" : "");
}

static void
read_signals (struct server *server)
{
    struct signalfd_siginfo info;
    while (read (server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload_settings (server);
            reload_keys (server);
        } else if (core_gauges (server->core).draining) {
            log_info ("stopping at once");
            server->is_stopping = true;
        } else {
            core_drain (server->core, clock_monotonic_us ());
        }
    }
}

/* Handshakes: the guard answers them, the core's figures tell of them. */
static void
serve_guard (struct server *server, int64_t now_us)
{
    guard_serve (server->guard, now_us);
    struct guard_counters counters = guard_counters (server->guard);
    core_count_handshakes (server->core, counters.refused - server->guard_counted.refused,
                           counters.broken - server->guard_counted.broken);
    server->guard_counted = counters;
}

int
server_run (struct server *server, struct error *err)
{
    zmq_pollitem_t items[] = {
        { .socket = server->client_port, .events = ZMQ_POLLIN },
        { .socket = server->worker_port, .events = ZMQ_POLLIN },
        { .fd = server->signal_fd, .events = ZMQ_POLLIN },
        { .socket = guard_socket (server->guard), .events = ZMQ_POLLIN },
    };
    const int item_count = items[3].socket != NULL ? 4 : 3;
    int64_t ticked_us = 0;
    while (!server->is_stopping && !core_is_drained (server->core)) {
        /* With something in hand ticks are due sooner than without: asked anew each time. */
        int64_t tick_us = ticked_us + core_wait_ms (server->core) * INT64_C (1000), now_us = clock_monotonic_us ();
        if (zmq_poll (items, item_count, tick_us > now_us ? (tick_us - now_us + 999) / 1000 : 0) < 0 && errno != EINTR)
            return error_set (err, ERROR_INTERNAL, "cannot poll: %s", zmq_strerror (errno));
        /* Workers first: their answers make room. */
        if ((items[1].revents & ZMQ_POLLIN) && read_port (server, server->worker_port, worker_message, err) != 0)
            return -1;
        if ((items[0].revents & ZMQ_POLLIN) && read_port (server, server->client_port, client_message, err) != 0)
            return -1;
        if (items[2].revents & ZMQ_POLLIN)
            read_signals (server);
        now_us = clock_monotonic_us ();
        if (now_us >= tick_us || (items[3].revents & ZMQ_POLLIN))
            serve_guard (server, now_us);
        if (now_us >= tick_us) {
            core_tick (server->core, now_us);
            ticked_us = now_us;
        }
    }
    core_stop (server->core, clock_monotonic_us ());
    return 0;
}

/* --- beginning and end --- */

static int
open_ports (struct server *server, struct error *err)
{
    const struct settings *settings = &server->settings;
    bool insecure = server->options->insecure;
    server->zmq_context = socket_context_new ((int)settings->io_threads, err);
    if (server->zmq_context == NULL)
        return -1;
    server->guard = guard_new (server->zmq_context, settings->keys[0] != '\0' ? settings->keys : NULL, err);
    if (server->guard == NULL)
        return -1;
    server->client_port = socket_open (server->zmq_context, SOCKET_CLIENT_PORT, 0, err);
    server->worker_port = socket_open (server->zmq_context, SOCKET_WORKER_PORT, 0, err);
    if (server->client_port == NULL || server->worker_port == NULL)
        return -1;
    if (guard_protect (server->guard, server->client_port, DOOR_CLIENTS, err) != 0 ||
        guard_protect (server->guard, server->worker_port, DOOR_WORKERS, err) != 0)
        return -1;
    if (socket_bind (server->client_port, settings->listen, insecure, server->client_endpoint, err) != 0)
        return -1;
    return socket_bind (server->worker_port, settings->workers, insecure, server->worker_endpoint, err);
}

static int
open_signals (struct server *server, struct error *err)
{
    sigset_t signals;
    sigemptyset (&signals);
    sigaddset (&signals, SIGINT);
    sigaddset (&signals, SIGTERM);
    sigaddset (&signals, SIGHUP);
    /* Before libzmq's threads are made: they take over this mask, and no signal ends the process unread. */
    if (pthread_sigmask (SIG_BLOCK, &signals, NULL) != 0)
        return error_set (err, ERROR_INTERNAL, "cannot block signals");
    server->signal_fd = signalfd (-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (server->signal_fd < 0)
        return error_set (err, ERROR_INTERNAL, "cannot read signals: %s", strerror (errno));
    return 0;
}

static int
open_core (struct server *server, struct error *err)
{
    const struct core_output output = {
        .context = server,
        .to_client = to_client,
        .to_worker = to_worker,
        .release = release,
        .event = event,
        .allocate = allocate,
        .free = release_memory,
    };
    server->core = core_new (&server->settings, &output, clock_monotonic_us ());
    return server->core != NULL ? 0 : error_set (err, ERROR_INTERNAL, "no memory for the broker");
}

struct server *
server_new (const struct server_options *options, struct error *err)
{
    struct server *server = calloc (1, sizeof *server);
    if (server == NULL) {
        error_set (err, ERROR_INTERNAL, "no memory for the broker");
        return NULL;
    }
    server->options = options;
    server->settings = options->settings;
    server->signal_fd = -1;
    if (open_signals (server, err) != 0 || open_core (server, err) != 0 || open_ports (server, err) != 0)
        server_destroy (&server);
    return server;
}

void
server_destroy (struct server **server)
{
    struct server *gone = *server;
    if (gone == NULL)
        return;
    core_destroy (&gone->core);
    socket_close (&gone->client_port);
    socket_close (&gone->worker_port);
    guard_destroy (&gone->guard);
    if (gone->zmq_context != NULL)
        zmq_ctx_term (gone->zmq_context);
    while (gone->spare != NULL) {
        struct held_frames *next = gone->spare->next;
        free (gone->spare);
        gone->spare = next;
    }
    if (gone->signal_fd >= 0)
        close (gone->signal_fd);
    free (gone);
    *server = NULL;
}

const char *
server_client_endpoint (const struct server *server)
{
    return server->client_endpoint;
}

const char *
server_worker_endpoint (const struct server *server)
{
    return server->worker_endpoint;
}
