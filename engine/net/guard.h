/* guard.h - who may connect to the sockets of one process, and what the sender of a message may do.
 *
 * Without a list of keys every door is open, and whoever comes may do everything: the sockets are then bound where
 * only this machine reaches them (socket_bind). With one, sockets speak CURVE, a handshake succeeds with a listed key
 * that has a role for that door, and every message is looked up by the key its connection was made with: what is
 * revoked is refused at once. One thread, no waiting; belongs into the loop of the sockets' owner. */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include "net/zap.h"

#include <zmq.h>

struct guard;

/* What happened so far. */
struct guard_counters {
    uint64_t admitted; /* handshakes with a key that was let in */
    uint64_t refused;  /* handshakes with a key that was not */
    uint64_t broken;   /* handshakes that came to no key: no CURVE, a wrong server key, garbage, silence */
};

/* `keys_file`: the list of public keys, beside which lies the secret one of this server, SERVER_KEY_FILE; NULL: all
 * doors are open. To be made before the sockets it protects. NULL with `err`. */
struct guard *guard_new (void *zmq_context, const char *keys_file, struct error *err);
/* Sets *guard to NULL; to be called before the context ends. */
void guard_destroy (struct guard **guard);

#define SERVER_KEY_FILE "server.key"

/* Puts a socket, which is not bound yet, behind a door. -1 with `err` (internal). */
int guard_protect (struct guard *guard, void *socket, enum door door, struct error *err);

/* To be polled for ZMQ_POLLIN; NULL without keys. */
void *guard_socket (struct guard *guard);
/* Answers handshakes, counts, logs what was refused (a line a second of each kind at most). Call it when guard_socket can be read,
 * and several times a second. */
void guard_serve (struct guard *guard, int64_t now_us);

/* The key that a message's connection was made with, as listed now, borrowed until the next guard_reload; NULL: it is
 * not listed any more. Without keys: one without a name that has all roles. */
const struct listed_key *guard_identify (const struct guard *guard, zmq_msg_t *message);

/* The same in two steps: the key in Z85 (empty without keys), and what is listed under it. */
struct str guard_key_of (zmq_msg_t *message);
const struct listed_key *guard_find (const struct guard *guard, struct str key);

/* Reads the list again. -1 with `err`: the old one stays in force. *revoked (may be NULL) tells whether some key that
 * was listed lost a role or is listed no more. */
int guard_reload (struct guard *guard, bool *revoked, struct error *err);

struct guard_counters guard_counters (const struct guard *guard);
/* Keys that are listed; 0 without keys. */
unsigned guard_key_count (const struct guard *guard);

#endif
