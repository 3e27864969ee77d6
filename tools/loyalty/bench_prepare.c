/* bench_prepare.c - puts what the bench's orders need: products, programs, members with points. */
#include "bench.h"
#include "loyalty/body.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS_PER_CALL = 1000, CARDS_IN_FLIGHT = 512, CALL_TIMEOUT_MS = 60000 };

static int
engine_error (struct error *err, const char *doing, const struct loyalty_error *failure)
{
    return error_set (err, ERROR_INTERNAL, "%s: %s: %.150s", doing, failure->name, failure->message);
}

static int
put_products (struct loyalty_client *client, const struct bench_baskets *baskets, struct error *err)
{
    struct loyalty_body *body = loyalty_body_new ();
    int status = body == NULL ? error_set (err, ERROR_INTERNAL, "out of memory") : 0;
    for (uint32_t from = 0; from < baskets->product_count && status == 0; from += PRODUCTS_PER_CALL) {
        struct loyalty_reply reply;
        size_t size;
        loyalty_body_clear (body);
        loyalty_body_list (body, "products");
        for (uint32_t i = from; i < baskets->product_count && i < from + PRODUCTS_PER_CALL; i++) {
            loyalty_body_map (body, NULL);
            loyalty_body_int (body, "product_id", baskets->products[i].product_id);
            loyalty_body_end (body);
        }
        loyalty_body_end (body);
        const void *bytes = loyalty_body_bytes (body, &size);
        struct loyalty_request request = {
            .method = "reference.put", .body = bytes, .body_size = size, .timeout_ms = CALL_TIMEOUT_MS
        };
        if (loyalty_call (client, &request, &reply) < 0)
            status = engine_error (err, "reference.put", &reply.error);
        loyalty_reply_free (&reply);
    }
    loyalty_body_destroy (&body);
    return status;
}

/* ---- members */

struct priming {
    struct loyalty_client *client;
    struct loyalty_body *body;
    int64_t next, end;
    uint64_t done;
    struct loyalty_error failure;
    bool failed;
};

static void card_done (const struct loyalty_reply *reply);

static void
card_submit (struct priming *priming)
{
    size_t size;
    struct loyalty_error error;
    loyalty_body_clear (priming->body);
    loyalty_body_int (priming->body, "program_id", BENCH_LOYALTY_PROGRAM);
    loyalty_body_int (priming->body, "partner_id", BENCH_PARTNER_FIRST + priming->next++);
    loyalty_body_int (priming->body, "points", BENCH_START_POINTS);
    const void *bytes = loyalty_body_bytes (priming->body, &size);
    struct loyalty_request request = {
        .method = "card.create", .body = bytes, .body_size = size, .timeout_ms = CALL_TIMEOUT_MS
    };
    if (loyalty_submit (priming->client, &request, card_done, priming, &error) == 0) {
        priming->failed = true;
        priming->failure = error;
    }
}

static void
card_done (const struct loyalty_reply *reply)
{
    struct priming *priming = reply->context;
    priming->done++;
    /* A member of an earlier run has a card already. */
    if (!reply->ok && reply->error.code != LOYALTY_CONFLICT) {
        priming->failed = true;
        priming->failure = reply->error;
    }
    if (!priming->failed && priming->next < priming->end)
        card_submit (priming);
}

static bool
member_there (struct loyalty_client *client, int64_t partner_id)
{
    struct loyalty_body *body = loyalty_body_new ();
    struct loyalty_reply reply;
    size_t size;
    loyalty_body_int (body, "partner_id", partner_id);
    loyalty_body_int (body, "program_id", BENCH_LOYALTY_PROGRAM);
    const void *bytes = loyalty_body_bytes (body, &size);
    struct loyalty_request request = { .method = "card.balance", .body = bytes, .body_size = size };
    bool there = loyalty_call (client, &request, &reply) == 0;
    loyalty_reply_free (&reply);
    loyalty_body_destroy (&body);
    return there;
}

static int
put_members (struct loyalty_client *client, long cards, struct error *err)
{
    struct priming priming = { .client = client, .body = loyalty_body_new (), .end = cards };
    if (priming.body == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    if (!member_there (client, BENCH_PARTNER_FIRST + cards - 1)) {
        for (int i = 0; i < CARDS_IN_FLIGHT && priming.next < priming.end && !priming.failed; i++)
            card_submit (&priming);
        while (loyalty_in_flight (client) > 0) {
            loyalty_poll (client, 200);
            if (output_progress ())
                fprintf (stderr, "\rcards: %llu of %ld ", (unsigned long long)priming.done, cards);
        }
        if (output_progress ())
            fputc ('\n', stderr);
    }
    loyalty_body_destroy (&priming.body);
    return priming.failed ? engine_error (err, "card.create", &priming.failure) : 0;
}

int
bench_prepare (struct loyalty_client *client, const struct bench_settings *settings,
               const struct bench_baskets *baskets, struct error *err)
{
    if (put_products (client, baskets, err) < 0 || bench_programs_put (client, settings, baskets, err) < 0)
        return -1;
    return put_members (client, settings->hot_card ? 1 : settings->cards, err);
}
