/* bench.h - what the files of `loyalty bench` share: its settings, the baskets, the load and its figures. */
#ifndef LOYALTY_BENCH_H
#define LOYALTY_BENCH_H

#include "base/error.h"
#include "base/histogram.h"
#include "loyalty/client.h"

#include <stdbool.h>
#include <stdint.h>

/* Ids that a bench uses, far from those of a shop. */
#define BENCH_PARTNER_FIRST INT64_C (4000000000)
#define BENCH_HOT_CODE "BENCH-HOT-CODE"   /* of a bearer's card of BENCH_COUPON_PROGRAM */
#define BENCH_HOT_LIMIT "BENCH-HOT-LIMIT" /* of a rule of BENCH_LIMIT_PROGRAM */
enum { BENCH_LOYALTY_PROGRAM = 900000001, BENCH_PROMOTION_PROGRAM = 900000002, BENCH_ORDER_PROGRAM = 900000003,
       BENCH_COUPON_PROGRAM = 900000004, BENCH_LIMIT_PROGRAM = 900000005, BENCH_FURTHER_PROGRAM = 900001000,
       BENCH_STORE = 900000001, BENCH_START_POINTS = 1000, BENCH_REDEEM_POINTS = 100 };

struct bench_settings {
    long seconds, warmup_seconds;
    long rate;        /* orders a second, open loop; 0: closed loop */
    long concurrency; /* requests in flight of the closed loop, and most of the open one */
    long cards, redeem_percent;
    long programs;    /* active ones beside the three that every order meets */
    bool hot_card;    /* every order is one member's */
    bool hot_code;    /* every order spends from one bearer's card, shown by its code */
    bool hot_limit;   /* every order is one use of a program whose uses are limited in all */
    const char *method;
    const char *orders_path; /* real orders as JSON lines; NULL: baskets of 1 to 10 lines */
    uint64_t seed;
};

/* A product with its price in cents, taken from the real orders. */
struct bench_product {
    int64_t product_id;
    int64_t price_cents; /* prices of the data have up to 3 decimals: millionths would be exact, cents are near enough */
};

struct bench_line {
    uint32_t product;
    uint32_t qty;
};

/* A real basket. */
struct bench_basket {
    uint32_t first, count; /* in lines */
};

struct bench_baskets {
    uint32_t product_count, line_count, basket_count;
    struct bench_product *products; /* distinct */
    struct bench_line *lines;
    struct bench_basket *baskets;   /* sale orders */
};

/* Reads orders from JSON lines: products, prices and baskets. `path` NULL: the sample that is built in. */
int bench_baskets_read (const char *path, struct bench_baskets *baskets, struct error *err);
void bench_baskets_free (struct bench_baskets *baskets);
/* A stable id for a product code, 53 bits. */
int64_t bench_product_id (const char *code);

/* Puts the programs that are not there yet, further ones of many kinds among them. */
int bench_programs_put (struct loyalty_client *client, const struct bench_settings *settings, const struct bench_baskets *baskets,
                        struct error *err);
/* Puts programs, products and members with points where they are missing. */
int bench_prepare (struct loyalty_client *client, const struct bench_settings *settings, const struct bench_baskets *baskets,
                   struct error *err);

struct bench_result {
    struct histogram latency;
    uint64_t orders, errors, redeemed, resent;
    double seconds;
    char first_error[300];
};

/* Warms up, then measures. Latencies are from the intended send time in an open loop. */
int bench_load (struct loyalty_client *client, const struct bench_settings *settings, const struct bench_baskets *baskets,
                struct bench_result *result, struct error *err);

/* Transactions a second of `pgbench -s SCALE -c 8 -j 2 -M prepared -T SECONDS` in a database of its own on the same
 * server, made when it is missing. */
int bench_pgbench (const char *database_url, long scale, long seconds, double *tps, struct error *err);

/* Pseudo-random numbers (xorshift64*): the same seed gives the same load. */
static inline uint64_t
bench_random (uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C (2685821657736338717);
}

#endif
