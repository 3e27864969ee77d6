/* publisher.c - see publisher.h. The socket is an XPUB: a PUB that says when the first subscriber comes and the last one goes, so that
 * nothing is rendered for nobody. */
#include "feed/publisher.h"
#include "net/socket.h"

#include <stdlib.h>

struct publisher {
    void *context, *socket;
    unsigned subscriptions; /* different ones that somebody has */
    char endpoint[SOCKET_ENDPOINT_MAX];
};

struct publisher *
publisher_new (const char *endpoint, bool insecure, int queue_max, struct error *err)
{
    struct publisher *publisher = calloc (1, sizeof *publisher);
    if (publisher == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    publisher->context = socket_context_new (1, err);
    if (publisher->context != NULL)
        publisher->socket = socket_open (publisher->context, SOCKET_FEED, queue_max, err);
    if (publisher->socket == NULL || socket_bind (publisher->socket, endpoint, insecure, publisher->endpoint, err) != 0)
        publisher_destroy (&publisher);
    return publisher;
}

void
publisher_destroy (struct publisher **publisher)
{
    if (*publisher == NULL)
        return;
    socket_close (&(*publisher)->socket);
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
