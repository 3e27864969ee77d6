/* connection.h - one socket at a time, towards one of several brokers: opening, losing, trying the next. */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include "curve.h"
#include "liveness.h"
#include "loyalty/client.h"

#include "net/handshake.h"
#include "net/socket.h"

/* Requests have ids from 1. */
enum { CONNECTION_PING_ID = 0 };

enum connection_state {
    CONNECTION_WAITING, /* no socket: every endpoint failed, the next try comes at due_ms */
    CONNECTION_OPENING, /* a socket that no broker has answered yet; given up at due_ms */
    CONNECTION_UP,      /* through to a broker, as far as TCP and ZeroMQ can tell */
};

enum connection_event {
    CONNECTION_SAME,
    CONNECTION_CAME_UP,
    CONNECTION_LOST,
    CONNECTION_REFUSED, /* every endpoint, one after another, has refused this client's key */
};

/* The part of the options that concerns the socket, owned. */
struct connection_settings {
    char **endpoints;
    unsigned endpoint_count;
    unsigned connect_ms, probe_ms, backoff_min_ms, backoff_max_ms;
    int queue_max;
    struct certificate keys; /* CURVE; server_key is empty without */
};

struct connection {
    struct connection_settings settings;
    void *context, *socket;
    bool owns_context;
    enum connection_state state;
    unsigned endpoint;   /* index of the one in use */
    unsigned failures;   /* sockets given up since a broker last served */
    int64_t due_ms;
    struct liveness liveness;
    struct buf ping;     /* its header */
    uint64_t random;     /* of the jitter */
    uint64_t opened, connected, probes;
    struct handshake_watch watch;
    enum handshake complaint; /* how the last handshake failed; HANDSHAKE_NONE once one succeeded */
    unsigned refusals;        /* of handshakes, one after another */
    struct error trouble; /* why the last socket could not be opened; code 0: it could */
};

/* Copies the settings out of the options. 0; -1: `error` filled. */
int connection_init (struct connection *connection, const struct loyalty_options *options, struct loyalty_error *error);
void connection_free (struct connection *connection);

/* Opens, gives up and finds out what became of the socket; to be called after all that came was received. `is_waiting`:
 * something that was sent is not answered; then the broker's signs of life are watched for, and asked for.
 * CONNECTION_LOST: what was sent through it and not answered is lost; it has been replaced. */
enum connection_event connection_update (struct connection *connection, int64_t now_ms, bool is_waiting);

/* Gives the socket up and goes on to the next endpoint. */
void connection_give_up (struct connection *connection, int64_t now_ms);

/* Whether the last handshake failed because this client's key, or the lack of one, is refused. */
static inline bool
connection_is_refused (const struct connection *connection)
{
    return connection->complaint == HANDSHAKE_REFUSED || connection->complaint == HANDSHAKE_MISMATCH;
}
/* Why there is no connection, as far as that is known; else empty. */
const char *connection_trouble (const struct connection *connection);
/* The broker does what it is there for: endpoints that failed are forgotten. */
void connection_served (struct connection *connection);

/* Sends header and body; *body is left as it was, sharing its bytes. False: not now. */
bool connection_send (struct connection *connection, struct str header, zmq_msg_t *body);

/* Takes one message; *frames is to be closed. False: none is there. */
bool connection_receive (struct connection *connection, struct frames *frames);

/* Waits until something can be received, the state may have changed, or `wait_ms` has passed. */
void connection_wait (struct connection *connection, int64_t wait_ms);

/* The settings' backoff_min_ms doubled `times` times, at most backoff_max_ms, with up to half of it more. */
int64_t connection_backoff_ms (struct connection *connection, unsigned times);

/* A number below `bound`, for jitter only. */
uint64_t connection_random (struct connection *connection, uint64_t bound);

#endif
