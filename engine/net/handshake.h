/* handshake.h - learns of handshakes that fail: libzmq tries again in silence, or gives up in silence, and tells only
 * those who ask. */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include "base/error.h"

enum handshake {
    HANDSHAKE_NONE,     /* nothing more to tell */
    HANDSHAKE_DONE,     /* one succeeded */
    HANDSHAKE_REFUSED,  /* the other side does not know this side's key, or denies it this port */
    HANDSHAKE_MISMATCH, /* one side has CURVE keys, and the other has none */
    HANDSHAKE_BROKEN,   /* it ended otherwise: with CURVE, most often a wrong server key; else no ZeroMQ at all */
};

/* Zeroed it watches nothing. */
struct handshake_watch {
    void *events; /* a socket that can be polled for ZMQ_POLLIN */
};

/* Begins to watch a socket, before it binds or connects. -1 with `err` (internal). */
int handshake_watch_open (struct handshake_watch *watch, void *zmq_context, void *socket, struct error *err);
/* Ends it; the socket may be closed already. */
void handshake_watch_close (struct handshake_watch *watch);

/* How the next handshake ended, in the order in which they did. Never waits. */
enum handshake handshake_watch_next (struct handshake_watch *watch);

/* What a failure means, as a clause for a person: "the server does not know this key…". */
const char *handshake_text (enum handshake handshake);

#endif
