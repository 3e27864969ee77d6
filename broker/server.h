/* server.h - the broker's sockets around its core: reads what came, lets the core decide, sends what it says. */
#ifndef BROKER_SERVER_H
#define BROKER_SERVER_H

#include "broker/settings.h"
#include "net/socket.h"

struct server;

struct server_options {
    struct settings settings;
    const char *config_file; /* read again on SIGHUP; NULL: none */
    bool insecure;           /* may bind where other machines reach it, without keys */
};

/* Binds both ports. Blocks SIGINT, SIGTERM and SIGHUP in the calling thread, to read them in the loop. NULL
 * with `err`. `options` stays the caller's and must outlive the server. */
struct server *server_new (const struct server_options *options, struct error *err);
/* Closes everything, lingering a second at most for the last replies; sets *server to NULL. */
void server_destroy (struct server **server);

/* The endpoints as bound, with ports resolved. */
const char *server_client_endpoint (const struct server *server);
const char *server_worker_endpoint (const struct server *server);

/* Serves until a signal says to stop: SIGTERM or SIGINT drains first, a second one stops at once. 0; -1 with
 * `err` when the sockets fail. */
int server_run (struct server *server, struct error *err);

#endif
