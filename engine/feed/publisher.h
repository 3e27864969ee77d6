/* publisher.h - the socket of the feed: messages of two frames, topic and body, to whoever subscribed. */
#ifndef FEED_PUBLISHER_H
#define FEED_PUBLISHER_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

struct publisher;

/* Binds. `queue_max`: messages that wait for one subscriber; what is more it loses. NULL with `err`. */
struct publisher *publisher_new (const char *endpoint, bool insecure, int queue_max, struct error *err);
void publisher_destroy (struct publisher **publisher);

/* Where it is bound, with the port resolved. */
const char *publisher_endpoint (const struct publisher *publisher);
/* The ZeroMQ socket, to be polled: it is readable when subscribers come or go. */
void *publisher_socket (const struct publisher *publisher);

/* Takes in who came and went. Returns whether anybody listens. */
bool publisher_refresh (struct publisher *publisher);
/* Never waits; without memory the message is lost, as it is to a subscriber that is too slow. */
void publisher_send (struct publisher *publisher, const char *topic, const struct buf *body);

#endif
