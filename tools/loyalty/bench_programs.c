/* bench_programs.c - the catalog of a bench: the programs that its orders meet, and as many more as are asked for. */
#include "bench.h"
#include "loyalty/body.h"
#include "loyalty/json.h"

#include <jansson.h>
#include <stdio.h>

enum { CALL_TIMEOUT_MS = 60000 };

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

/* Takes over the body. */
static int
put (struct loyalty_client *client, const char *method, json_t *body, struct error *err)
{
    struct loyalty_error failure;
    struct loyalty_request request = { .method = method, .timeout_ms = CALL_TIMEOUT_MS };
    json_t *details = NULL;
    json_t *result = loyalty_call_json (client, &request, body, &details, &failure);
    json_decref (body);
    json_decref (details);
    if (result == NULL)
        return error_set (err, ERROR_INTERNAL, "%s: %s: %.150s", method, failure.name, failure.message);
    json_decref (result);
    return 0;
}

static int
put_text (struct loyalty_client *client, const char *method, const char *text, struct error *err)
{
    return put (client, method, json_loads (text, 0, NULL), err);
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

/* The three that every order meets. */
static int
put_own (struct loyalty_client *client, const struct bench_baskets *baskets, struct error *err)
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
        if (put_text (client, "program.put", text, err) < 0)
            return -1;
    }
    return 0;
}

/* What every order of a hot code or a hot limit uses; both stay where they are when they are there. */
static int
put_hot (struct loyalty_client *client, const struct bench_settings *settings, struct error *err)
{
    if (settings->hot_code && !program_there (client, BENCH_COUPON_PROGRAM) &&
        (put_text (client, "program.put", COUPON_PROGRAM, err) < 0 ||
         put_text (client, "card.create", HOT_CARD, err) < 0))
        return -1;
    if (settings->hot_limit && !program_there (client, BENCH_LIMIT_PROGRAM))
        return put_text (client, "program.put", LIMIT_PROGRAM, err);
    return 0;
}

/* Program n of a chain that runs many: a percentage on three products, a sum off in some other stores, or a sum off a
 * basket that few customers fill. */
static json_t *
further_program (uint32_t n, const struct bench_baskets *baskets)
{
    int64_t first = baskets->products[n * 3 % baskets->product_count].product_id;
    int64_t second = baskets->products[(n * 3 + 1) % baskets->product_count].product_id;
    int64_t third = baskets->products[(n * 3 + 2) % baskets->product_count].product_id;
    int minimum = 300 + (int)(n % 400);
    json_t *rule, *reward, *stores = NULL;
    switch (n % 4) {
    case 0:
    case 1:
        rule = json_pack ("{s:i, s:[I,I,I]}", "minimum_qty", 2 + (int)(n % 2), "product_ids", first, second, third);
        reward = json_pack ("{s:i, s:s, s:[I,I,I]}", "discount", 10, "discount_applicability", "specific",
                            "discount_product_ids", first, second, third);
        break;
    case 2:
        rule = json_pack ("{s:i}", "minimum_amount", 50);
        reward = json_pack ("{s:i, s:s}", "discount", 5, "discount_mode", "per_order");
        stores = json_pack ("[i,i]", BENCH_STORE + 1 + (int)(n % 50), BENCH_STORE + 2 + (int)(n % 50));
        break;
    default:
        rule = json_pack ("{s:i}", "minimum_amount", minimum);
        reward = json_pack ("{s:i, s:s}", "discount", 3, "discount_mode", "per_order");
        break;
    }
    char name[40];
    snprintf (name, sizeof name, "bench: further %u", n);
    return json_pack ("{s:I, s:s, s:s, s:[o], s:[o], s:o*}", "program_id", (json_int_t)BENCH_FURTHER_PROGRAM + n,
                      "name", name, "program_type", "promotion", "rules", rule, "rewards", reward, "pos_config_ids",
                      stores);
}

int
bench_programs_put (struct loyalty_client *client, const struct bench_settings *settings,
                    const struct bench_baskets *baskets, struct error *err)
{
    if (put_own (client, baskets, err) < 0 || put_hot (client, settings, err) < 0)
        return -1;
    for (long n = 0; n < settings->programs; n++)
        if (!program_there (client, BENCH_FURTHER_PROGRAM + n) &&
            put (client, "program.put", further_program ((uint32_t)n, baskets), err) < 0)
            return -1;
    return 0;
}
