/* publisher.c - see publisher.h. The socket is an XPUB: a PUB that says when the first subscriber comes and the last one goes, so that
 * nothing is rendered for nobody. */
#include "feed/publisher.h"
#include "base/log.h"
#include "net/guard.h"
#include "net/socket.h"

#include <stdlib.h>

struct publisher {
    void *context, *socket;
    struct guard *guard;
    unsigned subscriptions; /* different ones that somebody has */
    char endpoint[SOCKET_ENDPOINT_MAX];
};

static int
open_port (struct publisher *publisher, const char *endpoint, bool insecure, const char *keys_file, int queue_max,
           struct error *err)
{
    publisher->context = socket_context_new (1, err);
    if (publisher->context == NULL)
        return -1;
    publisher->guard = guard_new (publisher->context, keys_file[0] != '\0' ? keys_file : NULL, err);
    if (publisher->guard == NULL)
        return -1;
    publisher->socket = socket_open (publisher->context, SOCKET_FEED, queue_max, err);
    if (publisher->socket == NULL || guard_protect (publisher->guard, publisher->socket, DOOR_FEED, err) != 0)
        return -1;
    return socket_bind (publisher->socket, endpoint, insecure, publisher->endpoint, err);
}

struct publisher *
publisher_new (const char *endpoint, bool insecure, const char *keys_file, int queue_max, struct error *err)
{
    struct publisher *publisher = calloc (1, sizeof *publisher);
    if (publisher == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    if (open_port (publisher, endpoint, insecure, keys_file, queue_max, err) != 0)
        publisher_destroy (&publisher);
    return publisher;
}

void
publisher_destroy (struct publisher **publisher)
{
    if (*publisher == NULL)
        return;
    socket_close (&(*publisher)->socket);
    guard_destroy (&(*publisher)->guard);
    if ((*publisher)->context != NULL)
        zmq_ctx_term ((*publisher)->context);
    free (*publisher);
    *publisher = NULL;
}

const char *
publisher_endpoint (const struct publisher *publisher)
{
    return publisher->endpoint;
}

void *
publisher_socket (const struct publisher *publisher)
{
    return publisher->socket;
}

void
publisher_admit (struct publisher *publisher, int64_t now_us)
{
    guard_serve (publisher->guard, now_us);
}

void *
publisher_guard_socket (const struct publisher *publisher)
{
    return guard_socket (publisher->guard);
}

int
publisher_reload_keys (struct publisher *publisher, struct error *err)
{
    bool revoked;
    if (guard_reload (publisher->guard, &revoked, err) != 0) {
        log_error ("the keys stay as they are: %s", err->message);
        return 0;
    }
    return revoked ? socket_rebind (publisher->socket, publisher->endpoint, err) : 0;
}

bool
publisher_refresh (struct publisher *publisher)
{
    struct frames frames;
    while (frames_receive (publisher->socket, &frames) == 1) {
        struct str said = frame_bytes (&frames, 0);
        if (said.size > 0 && said.data[0] == 1)
            publisher->subscriptions++;
        else if (said.size > 0 && said.data[0] == 0 && publisher->subscriptions > 0)
            publisher->subscriptions--;
        frames_close (&frames);
    }
    return publisher->subscriptions > 0;
}

void
publisher_send (struct publisher *publisher, const char *topic, const struct buf *body)
{
    zmq_msg_t name, bytes;
    zmq_msg_t *const parts[] = { &name, &bytes };
    if (message_copy_bytes (&name, str_of (topic)) != 0)
        return;
    if (message_copy_bytes (&bytes, (struct str){ (const char *)body->data, (uint32_t)body->size }) == 0) {
        frames_send (publisher->socket, parts, 2);
        zmq_msg_close (&bytes);
    }
    zmq_msg_close (&name);
}
