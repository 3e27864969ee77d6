/* socket.h - the one place that makes ZeroMQ sockets: every option set before bind or connect, sends that
 * never block, receives with a bound on frames. Nothing else in the project calls zmq_socket. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "base/arena.h"
#include "base/error.h"
#include "net/certificate.h"

#include <zmq.h>

/* What a socket is for decides its type and its options (the table is in socket.c). */
enum socket_use {
    SOCKET_CLIENT_PORT, /* ROUTER that the broker binds for clients */
    SOCKET_WORKER_PORT, /* ROUTER that the broker binds for workers */
    SOCKET_CLIENT,      /* DEALER of a client */
    SOCKET_WORKER,      /* DEALER of a worker */
    SOCKET_FEED,        /* XPUB that the feed binds for subscribers */
    SOCKET_SUBSCRIBER,  /* SUB of whoever follows the event feed */
    SOCKET_USE_COUNT
};

enum {
    /* A frame over this ends its connection: libzmq reads no further. What lies between WIRE_BODY_MAX and
     * this is answered `too_large`. */
    SOCKET_FRAME_BYTES_MAX = 1024 * 1024 + 64 * 1024,
    SOCKET_ENDPOINT_MAX = 256,
    FRAMES_MAX = 4, /* the routing id and three frames: no message of the protocol has more */
};

/* A context for a process that keeps messages: a kept frame holds its own bytes only, not the 8 KiB that libzmq
 * read it with. NULL with `err` (internal). Ends with zmq_ctx_term once every socket is closed. */
void *socket_context_new (int io_threads, struct error *err);

/* A socket with its options set; NULL with `err` (internal). `queue_max` is the bound, in messages, of each
 * peer's send queue and receive queue inside libzmq; 0 takes the use's default. */
void *socket_open (void *zmq_context, enum socket_use use, int queue_max, struct error *err);
/* Closes it and sets *socket to NULL; NULL is fine. What was sent lingers for the use's linger time at most. */
void socket_close (void **socket);

/* Binds. Endpoints other than loopback and ipc are refused (forbidden) while the socket has no CURVE key,
 * unless `insecure`. `bound` takes the endpoint with its port resolved. -1 with `err`. */
int socket_bind (void *socket, const char *endpoint, bool insecure, char bound[SOCKET_ENDPOINT_MAX],
                 struct error *err);
int socket_connect (void *socket, const char *endpoint, struct error *err);

/* Gives a socket that is to connect its own keys and that of the server. -1 with `err` (internal). */
int socket_set_keys (void *socket, const struct certificate *certificate, struct error *err);
/* Ends all connections of a bound socket and binds it again to `bound`, as socket_bind filled it in: whoever may still
 * come comes back. Waits a second at most for the port. -1 with `err`: the socket is not bound. */
int socket_rebind (void *socket, const char *bound, struct error *err);

/* Whether only this machine can reach the endpoint: ipc, inproc, or tcp on loopback. */
bool endpoint_is_local (const char *endpoint);

/* -1, forbidden: other machines can reach the endpoint, and that is not meant (there are no keys). */
int socket_check_open (const char *endpoint, bool is_meant, struct error *err);

/* One multipart message. Frames past FRAMES_MAX are read and thrown away, but counted. */
struct frames {
    unsigned count;   /* kept in `at`: at most FRAMES_MAX */
    unsigned surplus; /* thrown away */
    zmq_msg_t at[FRAMES_MAX];
};

/* Takes one message without waiting. 1: *frames is filled, to be closed with frames_close; 0: none there;
 * -1: the socket is of no more use (the context is being closed). */
int frames_receive (void *socket, struct frames *frames);
void frames_close (struct frames *frames);

/* The bytes of frame `index`, borrowed; empty when there is none. */
struct str frame_bytes (struct frames *frames, unsigned index);
static inline struct str
message_bytes (zmq_msg_t *message)
{
    return (struct str){ zmq_msg_data (message), (uint32_t)zmq_msg_size (message) };
}

/* What became of a message that was to be sent. */
enum sent {
    SENT,       /* handed to libzmq whole */
    SENT_FULL,  /* nothing was sent: the peer's queue is full, or a DEALER has no connection */
    SENT_GONE,  /* nothing was sent: the ROUTER has no such peer */
    SENT_ERROR, /* nothing was sent: no memory, or the socket is of no more use */
};

/* Sends `count` messages as the frames of one, without waiting. On SENT all are empty (libzmq has them); else
 * they are as they were: when the first frame fails the message ends there, so that no half of it travels. */
enum sent frames_send (void *socket, zmq_msg_t *const parts[], unsigned count);

/* A message of these bytes, copied. -1 when there is no memory. */
int message_copy_bytes (zmq_msg_t *message, struct str bytes);

#endif
