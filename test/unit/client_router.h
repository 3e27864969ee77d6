/* client_router.h - the broker's side of a socket, driven by the test that also drives the client: one thread,
 * so that nothing depends on how threads take turns. */
#ifndef TEST_CLIENT_ROUTER_H
#define TEST_CLIENT_ROUTER_H

#include "loyalty/client.h"
#include "wire/envelope.h"

#include <jansson.h>

struct router {
    void *context, *socket;
    char endpoint[256];
    bool is_mute; /* gives no sign of life when it is asked for one */
};

/* One request as it came. */
struct taken {
    uint8_t identity[64];
    size_t identity_size;
    uint8_t header_bytes[1024];
    size_t header_size;
    struct request_header header; /* borrows from header_bytes */
    uint8_t body[4096];
    size_t body_size;
};

/* Binds to `endpoint`, or where that is NULL to a port that the system chooses. */
void router_open (struct router *router, const char *endpoint);
void router_close (struct router *router);

/* Lets the client work until a request comes, telling it meanwhile that the broker lives; false: none did within
 * `wait_ms`. */
bool router_take (struct router *router, struct loyalty_client *client, int wait_ms, struct taken *taken);

/* Sends a reply: with a header for `id` and this body; with these frames; with ok and a result of one number. */
void router_reply (struct router *router, const struct taken *to, uint64_t id, const void *body, size_t size);
void router_frames (struct router *router, const struct taken *to, unsigned count, const char *const *frames);
void router_ok (struct router *router, const struct taken *to, int64_t number);
void router_error (struct router *router, const struct taken *to, const char *code, int64_t retry_after_ms);
/* An error with details.reason. */
void router_refuse (struct router *router, const struct taken *to, const char *code, const char *reason);

/* A client of `endpoint` (and `second`, unless NULL) that is in a hurry: silence, connect and probe 100 ms, backoff
 * 5 to 20 ms, timeout 3 s, 8 in flight. */
struct loyalty_client *router_client (const char *endpoint, const char *second);

/* The `cases` of test/vectors/NAME.json, a new reference. */
json_t *vectors (const char *name);
/* Bytes of hexadecimal text, to be freed. */
uint8_t *bytes_of_hex (const char *hex, size_t *size);

#endif
