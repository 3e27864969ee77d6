/* client_router.c - see client_router.h. */
#include "client_router.h"
#include "base/clock.h"
#include "base/error.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

void
router_open (struct router *router, const char *endpoint)
{
    int linger_ms = 0;
    size_t size = sizeof router->endpoint;
    router->context = zmq_ctx_new ();
    router->socket = zmq_socket (router->context, ZMQ_ROUTER);
    zmq_setsockopt (router->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    cr_assert_eq (zmq_bind (router->socket, endpoint != NULL ? endpoint : "tcp://127.0.0.1:*"), 0, "bind: %s",
                  zmq_strerror (zmq_errno ()));
    zmq_getsockopt (router->socket, ZMQ_LAST_ENDPOINT, router->endpoint, &size);
}

void
router_close (struct router *router)
{
    zmq_close (router->socket);
    zmq_ctx_term (router->context);
}

/* The next frame of a message, which has to be there. */
static size_t
next_frame (void *socket, void *to, size_t size_max)
{
    int size = zmq_recv (socket, to, size_max, ZMQ_DONTWAIT);
    cr_assert (size >= 0 && (size_t)size <= size_max, "a frame of %d bytes", size);
    return (size_t)size;
}

bool
router_take (struct router *router, struct loyalty_client *client, int wait_ms, struct taken *taken)
{
    struct error err;
    zmq_pollitem_t item = { .socket = router->socket, .events = ZMQ_POLLIN };
    int64_t until_ms = clock_monotonic_ms () + wait_ms;
    do {
        loyalty_poll (client, 0);
        if (zmq_poll (&item, 1, 2) == 1) {
            taken->identity_size = next_frame (router->socket, taken->identity, sizeof taken->identity);
            taken->header_size = next_frame (router->socket, taken->header_bytes, sizeof taken->header_bytes);
            taken->body_size = next_frame (router->socket, taken->body, sizeof taken->body);
            struct str header = { (const char *)taken->header_bytes, (uint32_t)taken->header_size };
            cr_assert_eq (request_header_decode (header, &taken->header, &err), 0, "%s", err.message);
            if (!str_equal (taken->header.method, STR ("admin.ping")))
                return true;
            if (!router->is_mute)
                router_ok (router, taken, 0);
        }
    } while (clock_monotonic_ms () < until_ms);
    return false;
}

void
router_reply (struct router *router, const struct taken *to, uint64_t id, const void *body, size_t size)
{
    struct buf header = { 0 };
    reply_header_encode (id, &header);
    zmq_send (router->socket, to->identity, to->identity_size, ZMQ_SNDMORE);
    zmq_send (router->socket, header.data, header.size, ZMQ_SNDMORE);
    zmq_send (router->socket, body, size, 0);
    buf_free (&header);
}

void
router_frames (struct router *router, const struct taken *to, unsigned count, const char *const *frames)
{
    zmq_send (router->socket, to->identity, to->identity_size, ZMQ_SNDMORE);
    for (unsigned i = 0; i < count; i++)
        zmq_send (router->socket, frames[i], strlen (frames[i]), i + 1 < count ? ZMQ_SNDMORE : 0);
}

void
router_ok (struct router *router, const struct taken *to, int64_t number)
{
    struct buf body = { 0 };
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "ok");
    wire_write_bool (&body, true);
    wire_write_cstr (&body, "result");
    wire_write_map (&body, 1);
    wire_write_cstr (&body, "number");
    wire_write_int (&body, number);
    router_reply (router, to, to->header.id, body.data, body.size);
    buf_free (&body);
}

void
router_error (struct router *router, const struct taken *to, const char *code, int64_t retry_after_ms)
{
    struct buf body = { 0 };
    struct error err;
    error_set (&err, error_code_by_name (code), "said the test");
    reply_error_encode (&err, retry_after_ms, &body);
    router_reply (router, to, to->header.id, body.data, body.size);
    buf_free (&body);
}

void
router_refuse (struct router *router, const struct taken *to, const char *code, const char *reason)
{
    struct buf body = { 0 };
    struct error err;
    error_set (&err, error_code_by_name (code), "said the test");
    error_detail (&err, "reason", "%s", reason);
    reply_error_encode (&err, 0, &body);
    router_reply (router, to, to->header.id, body.data, body.size);
    buf_free (&body);
}

struct loyalty_client *
router_client (const char *endpoint, const char *second)
{
    const char *endpoints[] = { endpoint, second };
    struct loyalty_options options;
    struct loyalty_error error;
    loyalty_options_init (&options);
    options.endpoints = endpoints;
    options.endpoint_count = second != NULL ? 2 : 1;
    options.silence_ms = options.connect_ms = options.probe_ms = 100;
    options.in_order = true;
    options.backoff_min_ms = 5;
    options.backoff_max_ms = 20;
    options.timeout_ms = 3000;
    options.in_flight_max = 8;
    struct loyalty_client *client = loyalty_client_new (&options, &error);
    cr_assert (client != NULL, "%s", error.message);
    return client;
}

json_t *
vectors (const char *name)
{
    char path[1024];
    json_error_t trouble;
    const char *slash = strrchr (__FILE__, '/');
    snprintf (path, sizeof path, "%.*s/../vectors/%s.json", (int)(slash - __FILE__), __FILE__, name);
    json_t *file = json_load_file (path, 0, &trouble);
    cr_assert (file != NULL, "%s: %s", path, trouble.text);
    json_t *cases = json_incref (json_object_get (file, "cases"));
    cr_assert_gt (json_array_size (cases), 0, "%s has no cases", path);
    json_decref (file);
    return cases;
}

uint8_t *
bytes_of_hex (const char *hex, size_t *size)
{
    *size = strlen (hex) / 2;
    uint8_t *bytes = malloc (*size + 1);
    for (size_t i = 0; i < *size; i++) {
        unsigned byte;
        cr_assert_eq (sscanf (hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return bytes;
}
