/* worker_link.c - the sockets around worker_session: one DEALER and one session for each broker. */
#include "net/worker_link.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/handshake.h"
#include "net/socket.h"
#include "net/worker_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct link_broker {
    void *socket;
    int64_t heard_ms; /* when it last brought a message, or was opened */
    struct handshake_watch watch;
    enum handshake complaint; /* the failure that was logged last: the same one is not told again */
    struct worker_session session;
    char endpoint[SOCKET_ENDPOINT_MAX];
};

struct worker_link {
    void *zmq_context;
    struct certificate certificate; /* of the sockets */
    bool has_keys;
    char name[WORKER_NAME_BYTES_MAX + 1];
    int64_t now_ms;   /* the last that a caller told */
    struct buf bytes; /* of the control frame that is being sent */
    struct buf stats; /* the last that a caller told */
    unsigned next;    /* the broker that is asked first for the next request */
    unsigned broker_count;
    struct link_broker brokers[];
};

/* The frames that a worker_request borrows from. */
struct request_frames {
    zmq_msg_t control, header, body;
};

/* Connects to the broker with a new socket; the old one is kept where that fails. */
static int
broker_connect (struct worker_link *link, struct link_broker *broker, struct error *err)
{
    struct handshake_watch watch = { 0 };
    void *socket = socket_open (link->zmq_context, SOCKET_WORKER, 0, err);
    if (socket == NULL || handshake_watch_open (&watch, link->zmq_context, socket, err) != 0 ||
        (link->has_keys && socket_set_keys (socket, &link->certificate, err) != 0) ||
        socket_connect (socket, broker->endpoint, err) != 0) {
        socket_close (&socket);
        handshake_watch_close (&watch);
        return -1;
    }
    socket_close (&broker->socket);
    handshake_watch_close (&broker->watch);
    broker->socket = socket;
    broker->watch = watch;
    broker->heard_ms = link->now_ms;
    return 0;
}

static int
broker_open (struct worker_link *link, struct link_broker *broker, const struct worker_link_options *options,
             const char *endpoint, struct error *err)
{
    uint64_t seed;
    if (getrandom (&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return error_set (err, ERROR_INTERNAL, "no random bytes for a session: errno %d", errno);
    worker_session_init (&broker->session, options->credit, seed);
    snprintf (broker->endpoint, sizeof broker->endpoint, "%s", endpoint);
    link->broker_count++;
    return broker_connect (link, broker, err);
}

struct worker_link *
worker_link_new (const struct worker_link_options *options, struct error *err)
{
    struct worker_link *link = calloc (1, sizeof *link + options->endpoint_count * sizeof link->brokers[0]);
    if (link == NULL || buf_reserve (&link->bytes, WORKER_CONTROL_BYTES_MAX) == NULL) {
        free (link);
        error_set (err, ERROR_INTERNAL, "no memory for the link to the brokers");
        return NULL;
    }
    link->zmq_context = options->zmq_context;
    link->has_keys = options->certificate != NULL;
    if (link->has_keys)
        link->certificate = *options->certificate;
    snprintf (link->name, sizeof link->name, "%s", options->name);
    link->now_ms = clock_monotonic_ms ();
    for (unsigned i = 0; i < options->endpoint_count; i++) {
        if (broker_open (link, &link->brokers[i], options, options->endpoints[i], err) != 0) {
            worker_link_destroy (&link);
            return NULL;
        }
    }
    return link;
}

/* Sends a control frame and, when `payload` is not NULL, a payload frame. */
static bool
send_message (struct worker_link *link, struct link_broker *broker, const struct worker_message *message,
              const struct str *payload)
{
    zmq_msg_t control, second;
    zmq_msg_t *const parts[] = { &control, &second };
    buf_clear (&link->bytes);
    worker_message_encode (message, &link->bytes);
    struct str bytes = { (const char *)link->bytes.data, (uint32_t)link->bytes.size };
    if (link->bytes.failed || message_copy_bytes (&control, bytes) != 0)
        return false;
    if (payload != NULL && message_copy_bytes (&second, *payload) != 0) {
        zmq_msg_close (&control);
        return false;
    }
    bool sent = frames_send (broker->socket, parts, payload != NULL ? 2 : 1) == SENT;
    zmq_msg_close (&control);
    if (payload != NULL)
        zmq_msg_close (&second);
    return sent;
}

/* Sends what the session has to say. */
static void
flush (struct worker_link *link, struct link_broker *broker)
{
    struct worker_message message;
    while (worker_session_next (&broker->session, link->now_ms, &message)) {
        struct str stats = { (const char *)link->stats.data, (uint32_t)link->stats.size };
        bool with_stats = message.kind == MESSAGE_WORKER_BEAT && stats.size > 0;
        if (message.kind == MESSAGE_HELLO)
            message.text = str_of (link->name);
        if (!send_message (link, broker, &message, with_stats ? &stats : NULL)) {
            worker_session_unsent (&broker->session, link->now_ms);
            return;
        }
    }
}

void
worker_link_destroy (struct worker_link **link)
{
    if (*link == NULL)
        return;
    for (unsigned i = 0; i < (*link)->broker_count; i++) {
        struct link_broker *broker = &(*link)->brokers[i];
        struct worker_message goodbye = { .kind = MESSAGE_GOODBYE,
                                          .version = broker->session.version,
                                          .session = broker->session.session };
        if (broker->session.state != WORKER_SESSION_WAITING)
            send_message (*link, broker, &goodbye, NULL);
        socket_close (&broker->socket);
        handshake_watch_close (&broker->watch);
    }
    buf_free (&(*link)->bytes);
    buf_free (&(*link)->stats);
    certificate_wipe (&(*link)->certificate);
    free (*link);
    *link = NULL;
}

unsigned
worker_link_fds (struct worker_link *link, int *fds, unsigned max)
{
    unsigned count = 0;
    for (; count < link->broker_count && count < max; count++) {
        size_t size = sizeof fds[count];
        zmq_getsockopt (link->brokers[count].socket, ZMQ_FD, &fds[count], &size);
    }
    return count;
}

static void
request_free (struct worker_request *request)
{
    struct request_frames *frames = request->frames;
    if (frames == NULL)
        return;
    zmq_msg_close (&frames->control);
    zmq_msg_close (&frames->header);
    zmq_msg_close (&frames->body);
    free (frames);
    request->frames = NULL;
}

/* Moves the frames of a dispatch into the request. -1: no memory. */
static int
request_take (struct worker_request *request, struct frames *frames)
{
    struct request_frames *taken = malloc (sizeof *taken);
    if (taken == NULL)
        return -1;
    zmq_msg_t *const to[] = { &taken->control, &taken->header, &taken->body };
    for (unsigned i = 0; i < 3; i++) {
        zmq_msg_init (to[i]);
        zmq_msg_move (to[i], &frames->at[i]);
    }
    request->frames = taken;
    request->body = message_bytes (&taken->body);
    return 0;
}

/* The broker has read this header before: a failure here means that the two are of different versions. */
static void
answer_unreadable (struct worker_link *link, struct worker_request *request, const struct error *failure)
{
    struct buf body = { 0 };
    uint32_t broker = request->broker;
    reply_error_encode (failure, 0, &body);
    if (!body.failed)
        worker_link_reply (link, request, &body);
    else
        worker_link_drop (link, request);
    buf_free (&body);
    worker_link_grant (link, broker, 1);
}

/* A dispatch of the broker's session; true: *request is filled. */
static bool
request_begin (struct worker_link *link, unsigned index, struct frames *frames, struct worker_request *request)
{
    struct worker_message message;
    struct error failure;
    *request = (struct worker_request){ .broker = index };
    if (request_take (request, frames) != 0) {
        log_error ("no memory for a request of %s: it is dropped", link->brokers[index].endpoint);
        worker_link_grant (link, index, 1);
        return false;
    }
    /* Again, because the text has to be borrowed from where the frame lies now. */
    struct request_frames *taken = request->frames;
    worker_message_decode (message_bytes (&taken->control), 2, false, &message, NULL);
    request->session = message.session;
    request->dispatch = message.dispatch;
    request->deadline_us = clock_monotonic_us () + message.ttl_ms * INT64_C (1000);
    request->user = message.text;
    request->roles = message.roles;
    if (request_header_decode (message_bytes (&taken->header), &request->header, &failure) != 0) {
        answer_unreadable (link, request, &failure);
        return false;
    }
    return true;
}

static void
log_change (const struct worker_link *link, const struct link_broker *broker, const struct worker_message *message,
            enum worker_session_state before)
{
    bool is_reset = message->kind == MESSAGE_RESET && before != WORKER_SESSION_WAITING &&
                    broker->session.state == WORKER_SESSION_WAITING;
    if (is_reset && message->reason == RESET_VERSION)
        log_error ("%s: broker %s speaks version %u of the worker protocol, this worker %d to %d: one of the two is to "
                   "be replaced",
                   link->name, broker->endpoint, message->version, WORKER_PROTOCOL_COMPATIBLE_FROM,
                   WORKER_PROTOCOL_VERSION);
    else if (is_reset)
        log_warning ("%s: broker %s ended the session: %s", link->name, broker->endpoint,
                     reset_reason_text (message->reason));
    if (before != WORKER_SESSION_OPEN && broker->session.state == WORKER_SESSION_OPEN)
        log_info ("%s: session with broker %s", link->name, broker->endpoint);
}

/* One message of one broker. True: *request is filled. */
static bool
message_take (struct worker_link *link, unsigned index, struct frames *frames, struct worker_request *request)
{
    struct link_broker *broker = &link->brokers[index];
    struct worker_message message;
    struct error failure;
    unsigned payload_frames = frames->count + frames->surplus - 1;
    if (worker_message_decode (frame_bytes (frames, 0), payload_frames, false, &message, &failure) != 0) {
        log_warning ("%s: broker %s sent what is not understood: %s", link->name, broker->endpoint, failure.message);
        return false;
    }
    broker->heard_ms = link->now_ms;
    enum worker_session_state before = broker->session.state;
    bool is_request = worker_session_receive (&broker->session, link->now_ms, &message);
    log_change (link, broker, &message, before);
    return is_request && request_begin (link, index, frames, request);
}

int
worker_link_receive (struct worker_link *link, int64_t now_ms, struct worker_request *request)
{
    link->now_ms = now_ms;
    /* Before reading, since a send can swallow the edge of the file descriptor: whoever reads on until
     * nothing is left sleeps beside no message. */
    for (unsigned i = 0; i < link->broker_count; i++)
        flush (link, &link->brokers[i]);
    for (unsigned empty = 0; empty < link->broker_count;) {
        struct frames frames;
        unsigned index = link->next % link->broker_count;
        if (frames_receive (link->brokers[index].socket, &frames) != 1) {
            link->next = index + 1;
            empty++;
            continue;
        }
        bool is_request = message_take (link, index, &frames, request);
        frames_close (&frames);
        empty = 0;
        if (is_request) {
            /* The next broker is asked first the next time: none can keep the others waiting. */
            link->next = index + 1;
            return 1;
        }
    }
    return 0;
}

/* A long answer for which there is no memory must not cost the session, and with it all else that is in hand: a short
 * one takes its place. What was done stays done; the request's key tells when it is sent again. */
static bool
send_apology (struct worker_link *link, struct link_broker *broker, const struct worker_message *reply)
{
    struct error failure;
    struct buf body = { 0 };
    error_set (&failure, ERROR_UNAVAILABLE, "the worker has no memory for the answer");
    reply_error_encode (&failure, 0, &body);
    struct str payload = { (const char *)body.data, (uint32_t)body.size };
    bool sent = !body.failed && send_message (link, broker, reply, &payload);
    buf_free (&body);
    return sent;
}

void
worker_link_reply (struct worker_link *link, struct worker_request *request, const struct buf *body)
{
    struct link_broker *broker = &link->brokers[request->broker];
    struct worker_message reply = { .kind = MESSAGE_REPLY,
                                    .version = broker->session.version,
                                    .session = request->session,
                                    .dispatch = request->dispatch };
    struct str payload = { (const char *)body->data, (uint32_t)body->size };
    if (broker->session.session == request->session && !send_message (link, broker, &reply, &payload) &&
        !send_apology (link, broker, &reply))
        worker_session_unsent (&broker->session, link->now_ms);
    request_free (request);
}

void
worker_link_drop (struct worker_link *link, struct worker_request *request)
{
    (void)link;
    request_free (request);
}

bool
worker_link_holds (const struct worker_link *link, const struct worker_request *request)
{
    return link->brokers[request->broker].session.session == request->session;
}

/* A broker counts from the last message that reached it. At worst that is a heartbeat older than the round before the last
 * one, whose own message waits in this process: so two pauses and a heartbeat have to fit. */
int
worker_link_pause_ms_max (const struct worker_link *link)
{
    int pause_ms_max = WORKER_SILENCE_MS;
    for (unsigned i = 0; i < link->broker_count; i++) {
        const struct worker_session *session = &link->brokers[i].session;
        int pause_ms = ((int)session->silence_ms - (int)session->heartbeat_ms) / 2;
        if (pause_ms < pause_ms_max)
            pause_ms_max = pause_ms;
    }
    return pause_ms_max > 0 ? pause_ms_max : 0;
}

void
worker_link_grant (struct worker_link *link, uint32_t broker, unsigned count)
{
    if (broker >= link->broker_count)
        return;
    worker_session_grant (&link->brokers[broker].session, count);
}

static bool
has_messages (void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

/* A socket that brings nothing may be dead for good: libzmq gives up a connection that it had no memory for, and does not
 * make it again. A new one costs nothing that the silence has not cost already. */
static void
replace_silent (struct worker_link *link, struct link_broker *broker)
{
    struct error err;
    const struct worker_session *session = &broker->session;
    unsigned bound_ms = session->silence_ms > WORKER_SILENCE_MS ? session->silence_ms : WORKER_SILENCE_MS;
    if (session->draining || link->now_ms - broker->heard_ms <= bound_ms)
        return;
    if (broker_connect (link, broker, &err) != 0) {
        log_warning ("%s: %s", link->name, err.message);
        broker->heard_ms = link->now_ms;
    }
    worker_session_unsent (&broker->session, link->now_ms);
}

/* Handshakes that fail are told once; the socket is replaced like any that brings nothing. */
static void
watch_handshakes (const struct worker_link *link, struct link_broker *broker)
{
    enum handshake handshake;
    while ((handshake = handshake_watch_next (&broker->watch)) != HANDSHAKE_NONE) {
        if (handshake != HANDSHAKE_DONE && handshake != broker->complaint)
            log_warning ("%s: no connection to broker %s: %s", link->name, broker->endpoint,
                         handshake_text (handshake));
        broker->complaint = handshake;
    }
}

int
worker_link_tick (struct worker_link *link, int64_t now_ms, struct str stats)
{
    enum { TICK_MS_MAX = 200 };
    int wait_ms = TICK_MS_MAX;
    link->now_ms = now_ms;
    buf_clear (&link->stats);
    buf_append (&link->stats, stats.data, stats.size <= WORKER_STATS_BYTES_MAX ? stats.size : 0);
    for (unsigned i = 0; i < link->broker_count; i++) {
        struct link_broker *broker = &link->brokers[i];
        unsigned lost = broker->session.lost;
        watch_handshakes (link, broker);
        flush (link, broker);
        if (broker->session.lost != lost)
            log_warning ("%s: lost the session with broker %s", link->name, broker->endpoint);
        replace_silent (link, broker);
        int session_wait_ms = worker_session_wait_ms (&broker->session, now_ms);
        if (session_wait_ms < wait_ms)
            wait_ms = session_wait_ms;
        /* Sending may have swallowed the edge of the file descriptor: whoever sleeps now would sleep
         * beside a message. */
        if (has_messages (broker->socket))
            wait_ms = 0;
    }
    return wait_ms;
}

bool
worker_link_is_stopped (const struct worker_link *link)
{
    bool is_stopped = false;
    for (unsigned i = 0; i < link->broker_count; i++)
        is_stopped |= link->brokers[i].session.is_stopped;
    return is_stopped;
}

void
worker_link_drain (struct worker_link *link)
{
    for (unsigned i = 0; i < link->broker_count; i++) {
        worker_session_drain (&link->brokers[i].session);
        flush (link, &link->brokers[i]);
    }
}
