/* publisher.h - the socket of the feed: messages of two frames, topic and body, to whoever subscribed. */
#ifndef FEED_PUBLISHER_H
#define FEED_PUBLISHER_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

struct publisher;

/* Binds. `keys_file`: the list of those who may subscribe; empty: whoever can reach it. `queue_max`: messages that wait
 * for one subscriber; what is more it loses. NULL with `err`. */
struct publisher *publisher_new (const char *endpoint, bool insecure, const char *keys_file, int queue_max,
                                 struct error *err);
void publisher_destroy (struct publisher **publisher);

/* Where it is bound, with the port resolved. */
const char *publisher_endpoint (const struct publisher *publisher);
/* The ZeroMQ socket, to be polled: it is readable when subscribers come or go. */
void *publisher_socket (const struct publisher *publisher);

/* Answers handshakes; call it when publisher_guard_socket (NULL without keys) is readable, and several times a second. */
void publisher_admit (struct publisher *publisher, int64_t now_us);
void *publisher_guard_socket (const struct publisher *publisher);
/* Reads the list of keys again; one with a mistake changes nothing. Where a key lost its right to subscribe, all
 * connections are ended: the others come back, and read what they missed. -1 with `err`: the port is lost. */
int publisher_reload_keys (struct publisher *publisher, struct error *err);

/* Takes in who came and went. Returns whether anybody listens. */
bool publisher_refresh (struct publisher *publisher);
/* Never waits; without memory the message is lost, as it is to a subscriber that is too slow. */
void publisher_send (struct publisher *publisher, const char *topic, const struct buf *body);

#endif
