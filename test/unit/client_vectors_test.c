/* client_vectors_test.c - the C client against the vectors that every client of the protocol has to pass. */
#include "client_router.h"
#include "liveness.h"
#include "loyalty/json.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *
text_of (const json_t *object, const char *name)
{
    const char *text = json_string_value (json_object_get (object, name));
    return text != NULL ? text : "";
}

Test (vectors, affinity)
{
    json_t *cases = vectors ("affinity"), *one;
    size_t i;
    json_array_foreach (cases, i, one)
    {
        size_t size;
        uint8_t *body = bytes_of_hex (text_of (one, "body_hex"), &size);
        uint64_t expected = strtoull (text_of (one, "affinity"), NULL, 10);
        cr_expect_eq (loyalty_affinity (body, size), expected, "%s: %" PRIu64 ", not %" PRIu64, text_of (one, "name"),
                      loyalty_affinity (body, size), expected);
        free (body);
    }
    json_decref (cases);
}

Test (vectors, bodies)
{
    json_t *cases = vectors ("bodies"), *one;
    size_t i;
    json_array_foreach (cases, i, one)
    {
        struct loyalty_error error;
        size_t size, encoded_size;
        const char *name = text_of (one, "name");
        const json_t *body = json_object_get (one, "body");
        uint8_t *bytes = bytes_of_hex (text_of (one, "hex"), &size);
        void *encoded = loyalty_json_encode (body, &encoded_size, &error);
        cr_expect (encoded != NULL && encoded_size == size && memcmp (encoded, bytes, size) == 0, "%s: encoded", name);
        json_t *decoded = loyalty_json_decode (bytes, size, &error);
        cr_expect (decoded != NULL && json_equal (decoded, body), "%s: decoded", name);
        json_decref (decoded);
        free (encoded);
        free (bytes);
    }
    json_decref (cases);
}

/* What the client puts on the wire, but for what it chooses itself: the id, and how much of the time is left. */
Test (vectors, headers)
{
    struct router router;
    struct taken taken;
    router_open (&router, NULL);
    struct loyalty_client *client = router_client (router.endpoint, NULL);
    json_t *cases = vectors ("headers"), *one;
    size_t i;
    json_array_foreach (cases, i, one)
    {
        struct loyalty_error error;
        const char *name = text_of (one, "name"), *key = text_of (one, "key"), *trace = text_of (one, "traceparent");
        const struct loyalty_request request = {
            .method = text_of (one, "method"),
            .key = key[0] != '\0' ? key : NULL,
            .timeout_ms = (unsigned)json_integer_value (json_object_get (one, "ttl_ms")),
            .affinity = strtoull (text_of (one, "affinity"), NULL, 10),
            .traceparent = trace[0] != '\0' ? trace : NULL,
        };
        /* A time to live of 1 ms is over before a client that has not connected yet can send it. */
        if (request.timeout_ms < 100)
            continue;
        cr_assert_neq (loyalty_submit (client, &request, NULL, NULL, &error), 0, "%s: %s", name, error.message);
        cr_assert (router_take (&router, client, 3000, &taken), "%s", name);
        cr_expect_leq (taken.header.ttl_ms, request.timeout_ms, "%s", name);
        cr_expect_gt (taken.header.ttl_ms + 3000, request.timeout_ms, "%s", name);
        size_t size;
        uint8_t *bytes = bytes_of_hex (text_of (one, "hex"), &size);
        struct buf again = { 0 };
        struct request_header header = taken.header;
        header.id = strtoull (text_of (one, "id"), NULL, 10);
        header.ttl_ms = request.timeout_ms;
        request_header_encode (&header, &again);
        cr_expect (again.size == size && memcmp (again.data, bytes, size) == 0, "%s", name);
        buf_free (&again);
        free (bytes);
        router_ok (&router, &taken, 1);
    }
    json_decref (cases);
    loyalty_client_destroy (&client);
    router_close (&router);
}

static void
expect_error (const json_t *expected, const struct loyalty_reply *reply, const char *name)
{
    cr_expect_str_eq (reply->error.name, text_of (expected, "code"), "%s: code %s", name, reply->error.name);
    if (json_object_get (expected, "message") != NULL)
        cr_expect_str_eq (reply->error.message, text_of (expected, "message"), "%s", name);
    cr_expect_eq (reply->error.retryable, json_is_true (json_object_get (expected, "retryable")), "%s", name);
    cr_expect_eq (reply->error.outcome_unknown, json_is_true (json_object_get (expected, "outcome_unknown")), "%s",
                  name);
    json_t *details =
        reply->details_size > 0 ? loyalty_json_decode (reply->details, reply->details_size, NULL) : json_object ();
    cr_expect (json_equal (details, json_object_get (expected, "details")), "%s: details", name);
    json_decref (details);
}

Test (vectors, liveness)
{
    static const char *const VERDICTS[] = {
        [LIVENESS_FINE] = "fine", [LIVENESS_ASK] = "ask", [LIVENESS_SILENT] = "silent"
    };
    json_t *cases = vectors ("liveness"), *one, *step;
    size_t i, k;
    json_array_foreach (cases, i, one)
    {
        struct liveness liveness;
        unsigned patience_ms = (unsigned)json_integer_value (json_object_get (one, "patience_ms"));
        unsigned rounds = (unsigned)json_integer_value (json_object_get (one, "rounds"));
        liveness_begin (&liveness, 0);
        json_array_foreach (json_object_get (one, "steps"), k, step)
        {
            int64_t now_ms = json_integer_value (json_object_get (step, "at_ms"));
            if (json_object_get (step, "heard") != NULL) {
                liveness_heard (&liveness, now_ms);
                continue;
            }
            bool is_waiting = json_is_true (json_object_get (step, "waiting"));
            enum liveness_verdict verdict = liveness_look (&liveness, now_ms, is_waiting, patience_ms, rounds);
            cr_expect_str_eq (VERDICTS[verdict], text_of (step, "look"), "%s at %lld", text_of (one, "name"),
                              (long long)now_ms);
        }
    }
    json_decref (cases);
}

Test (vectors, replies)
{
    struct router router;
    struct taken taken;
    router_open (&router, NULL);
    struct loyalty_client *client = router_client (router.endpoint, NULL);
    json_t *cases = vectors ("replies"), *one;
    size_t i;
    json_array_foreach (cases, i, one)
    {
        struct loyalty_error error;
        struct loyalty_reply reply;
        const char *name = text_of (one, "name");
        const json_t *result = json_object_get (one, "result");
        const struct loyalty_request request = { .method = "order.get" };
        cr_assert_neq (loyalty_submit (client, &request, NULL, NULL, &error), 0, "%s", error.message);
        cr_assert (router_take (&router, client, 3000, &taken), "%s", name);
        size_t size;
        uint8_t *body = bytes_of_hex (text_of (one, "hex"), &size);
        router_reply (&router, &taken, taken.header.id, body, size);
        free (body);
        cr_assert_eq (loyalty_next (client, 3000, &reply), 1, "%s", name);
        cr_expect_eq (reply.ok, result != NULL, "%s", name);
        if (reply.ok) {
            json_t *decoded = loyalty_json_decode (reply.result, reply.result_size, &error);
            cr_expect (json_equal (decoded, result), "%s: result", name);
            json_decref (decoded);
        } else {
            expect_error (json_object_get (one, "error"), &reply, name);
        }
        loyalty_reply_free (&reply);
    }
    json_decref (cases);
    loyalty_client_destroy (&client);
    router_close (&router);
}
