/* handshake.c - see handshake.h. */
#include "net/handshake.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum {
    EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

int
handshake_watch_open (struct handshake_watch *watch, void *zmq_context, void *socket, struct error *err)
{
    static atomic_uint number; /* inproc names are one space for the whole context */
    const int no_bound = 0, no_linger = 0;
    char endpoint[64];
    snprintf (endpoint, sizeof endpoint, "inproc://handshakes-%u", atomic_fetch_add (&number, 1));
    watch->events = zmq_socket (zmq_context, ZMQ_PAIR);
    if (watch->events == NULL)
        return error_set (err, ERROR_INTERNAL, "cannot watch handshakes: %s", zmq_strerror (errno));
    /* Without a bound: libzmq's own thread would wait for room, and the reader looks several times a second. */
    zmq_setsockopt (watch->events, ZMQ_RCVHWM, &no_bound, sizeof no_bound);
    zmq_setsockopt (watch->events, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (zmq_socket_monitor (socket, endpoint, EVENTS) == 0 && zmq_connect (watch->events, endpoint) == 0)
        return 0;
    error_set (err, ERROR_INTERNAL, "cannot watch handshakes: %s", zmq_strerror (errno));
    handshake_watch_close (watch);
    return -1;
}

void
handshake_watch_close (struct handshake_watch *watch)
{
    if (watch->events != NULL)
        zmq_close (watch->events);
    watch->events = NULL;
}

static enum handshake
meaning (unsigned event, uint32_t value)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return HANDSHAKE_DONE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return HANDSHAKE_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? HANDSHAKE_MISMATCH : HANDSHAKE_BROKEN;
    default:
        return HANDSHAKE_BROKEN;
    }
}

enum handshake
handshake_watch_next (struct handshake_watch *watch)
{
    enum { EVENT_BYTES = 6 };
    uint8_t bytes[EVENT_BYTES];
    char endpoint[256];
    uint16_t event;
    uint32_t value;
    if (watch->events == NULL || zmq_recv (watch->events, bytes, sizeof bytes, ZMQ_DONTWAIT) != EVENT_BYTES)
        return HANDSHAKE_NONE;
    memcpy (&event, bytes, sizeof event);
    memcpy (&value, bytes + sizeof event, sizeof value);
    zmq_recv (watch->events, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    return meaning (event, value);
}

const char *
handshake_text (enum handshake handshake)
{
    switch (handshake) {
    case HANDSHAKE_REFUSED:
        return "it refuses this side's key: unknown or revoked there, or without a role for that port";
    case HANDSHAKE_MISMATCH:
        return "one side has CURVE keys, and the other has none";
    case HANDSHAKE_BROKEN:
        return "it broke off the handshake; with keys, the server key may be wrong";
    default:
        return "";
    }
}
