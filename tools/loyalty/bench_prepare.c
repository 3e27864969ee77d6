/* bench_prepare.c - puts what the bench's orders need: a loyalty program, promotions, products, members with points. */
#include "bench.h"
#include "loyalty/body.h"
#include "loyalty/json.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS_PER_CALL = 1000, CARDS_IN_FLIGHT = 512, CALL_TIMEOUT_MS = 60000 };

/* A point a pound and 100 points are 1.00 off; 5 % off some products from 20.00 of them on; 1.00 off from 30.00 on. */
static const char PROGRAMS[][640] = {
    "{\"program_id\":900000001,\"name\":\"bench: "
    "points\",\"program_type\":\"loyalty\",\"expiry\":{\"policy\":\"years\",\"count\":1},"
    "\"rules\":[{\"reward_point_mode\":\"money\",\"reward_point_amount\":1}],"
    "\"rewards\":[{\"reward_type\":\"discount\",\"discount_mode\":\"per_point\",\"discount\":\"0.01\",\"required_"
    "points\":100}]}",
    "{\"program_id\":900000002,\"name\":\"bench: five percent on some\",\"program_type\":\"promotion\","
    "\"rules\":[{\"minimum_amount\":20,\"product_ids\":[%s]}],"
    "\"rewards\":[{\"reward_type\":\"discount\",\"discount_mode\":\"percent\",\"discount\":5,"
    "\"discount_applicability\":\"specific\",\"discount_product_ids\":[%s]}]}",
    "{\"program_id\":900000003,\"name\":\"bench: spend and "
    "save\",\"program_type\":\"promotion\",\"rules\":[{\"minimum_amount\":30}],"
    "\"rewards\":[{\"reward_type\":\"discount\",\"discount_mode\":\"per_order\",\"discount\":1}]}",
};

/* 0.10 off for whoever enters the code: by a card that holds enough for ten million orders; by a program that counts its uses. */
static const char COUPON_PROGRAM[] =
    "{\"program_id\":900000004,\"name\":\"bench: one coupon for "
    "all\",\"program_type\":\"coupons\",\"trigger\":\"with_code\","
    "\"rules\":[{\"minimum_qty\":1}],\"rewards\":[{\"reward_type\":\"discount\",\"discount_mode\":\"per_order\","
    "\"discount\":\"0.10\",\"discount_applicability\":\"specific\",\"required_points\":1}]}";
static const char LIMIT_PROGRAM[] =
    "{\"program_id\":900000005,\"name\":\"bench: one limit for "
    "all\",\"program_type\":\"promo_code\",\"trigger\":\"with_code\","
    "\"max_usage\":2000000000,\"rules\":[{\"mode\":\"with_code\",\"code\":\"" BENCH_HOT_LIMIT
    "\"}],\"rewards\":[{\"reward_type\":\"discount\",\"discount_mode\":\"per_order\",\"discount\":\"0.10\","
    "\"discount_applicability\":\"specific\"}]}";
static const char HOT_CARD[] = "{\"program_id\":900000004,\"code\":\"" BENCH_HOT_CODE "\",\"points\":10000000}";

static int
engine_error (struct error *err, const char *doing, const struct loyalty_error *failure)
{
    return error_set (err, ERROR_INTERNAL, "%s: %s: %.150s", doing, failure->name, failure->message);
}

static int
put (struct loyalty_client *client, const char *method, const char *text, struct error *err)
{
    struct loyalty_error failure;
    struct loyalty_request request = { .method = method, .timeout_ms = CALL_TIMEOUT_MS };
    json_t *body = json_loads (text, 0, NULL), *details = NULL;
    json_t *result = loyalty_call_json (client, &request, body, &details, &failure);
    json_decref (body);
    json_decref (details);
    if (result == NULL)
        return engine_error (err, method, &failure);
    json_decref (result);
    return 0;
}

static bool
program_there (struct loyalty_client *client, int64_t id)
{
    struct loyalty_body *body = loyalty_body_new ();
    struct loyalty_reply reply;
    size_t size;
    loyalty_body_int (body, "program_id", id);
    const void *bytes = loyalty_body_bytes (body, &size);
    struct loyalty_request request = { .method = "program.get", .body = bytes, .body_size = size };
    bool there = loyalty_call (client, &request, &reply) == 0;
    loyalty_reply_free (&reply);
    loyalty_body_destroy (&body);
    return there;
}

static int
put_programs (struct loyalty_client *client, const struct bench_baskets *baskets, struct error *err)
{
    char ids[400] = "", text[1600];
    size_t used = 0;
    for (uint32_t i = 0; i < 12 && i * 7 < baskets->product_count; i++)
        used += (size_t)snprintf (ids + used, sizeof ids - used, "%s%lld", i ? "," : "",
                                  (long long)baskets->products[i * 7].product_id);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof PROGRAMS[0]; i++) {
        if (program_there (client, BENCH_LOYALTY_PROGRAM + (int64_t)i))
            continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf (text, sizeof text, PROGRAMS[i], ids, ids);
#pragma GCC diagnostic pop
        if (put (client, "program.put", text, err) < 0)
            return -1;
    }
    return 0;
}

/* What every order of a hot code or a hot limit uses; both stay where they are when they are there. */
static int
put_hot (struct loyalty_client *client, const struct bench_settings *settings, struct error *err)
{
    if (settings->hot_code && !program_there (client, BENCH_COUPON_PROGRAM) &&
        (put (client, "program.put", COUPON_PROGRAM, err) < 0 || put (client, "card.create", HOT_CARD, err) < 0))
        return -1;
    if (settings->hot_limit && !program_there (client, BENCH_LIMIT_PROGRAM))
        return put (client, "program.put", LIMIT_PROGRAM, err);
    return 0;
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
    if (put_products (client, baskets, err) < 0 || put_programs (client, baskets, err) < 0 ||
        put_hot (client, settings, err) < 0)
        return -1;
    return put_members (client, settings->hot_card ? 1 : settings->cards, err);
}
