/* bench_load.c - the load: a closed loop of so many orders in flight, or an open one on a fixed schedule. */
#include "bench.h"
#include "base/clock.h"
#include "loyalty/body.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, POLL_MS = 100 };

struct run;

/* One order in flight. */
struct slot {
    struct run *run;
    int64_t intended_us; /* when it should have been sent */
    bool redeems;
    struct slot *next;
};

struct run {
    struct loyalty_client *client;
    const struct bench_settings *settings;
    const struct bench_baskets *baskets;
    struct bench_result *result;
    struct loyalty_body *body;
    uint64_t random;
    uint64_t next_order;
    char prefix[16];
    struct slot *slots, *idle;
    unsigned in_flight;
    int64_t measure_from_us, end_us;
    bool failed;
    struct loyalty_error failure;
};

static void order_done (const struct loyalty_reply *reply);

static void
add_line (struct run *run, const struct bench_product *product, uint32_t qty)
{
    loyalty_body_map (run->body, NULL);
    loyalty_body_int (run->body, "product_id", product->product_id);
    loyalty_body_int (run->body, "qty", qty);
    loyalty_body_decimal (run->body, "price_unit", product->price_cents, 2);
    loyalty_body_end (run->body);
}

static uint32_t
pick (struct run *run, uint32_t count)
{
    return (uint32_t)((bench_random (&run->random) >> 32) * count >> 32);
}

static void
add_lines (struct run *run)
{
    const struct bench_baskets *baskets = run->baskets;
    loyalty_body_list (run->body, "lines");
    if (run->settings->orders_path != NULL) {
        const struct bench_basket *basket = &baskets->baskets[pick (run, baskets->basket_count)];
        for (uint32_t i = 0; i < basket->count; i++) {
            const struct bench_line *line = &baskets->lines[basket->first + i];
            add_line (run, &baskets->products[line->product], line->qty);
        }
    } else {
        /* 1 to 9 lines evenly, and 10 as often as makes the mean 5. */
        uint32_t count = 1 + pick (run, 9);
        for (uint32_t i = 0; i < count; i++)
            add_line (run, &baskets->products[pick (run, baskets->product_count)], 1 + pick (run, 3));
    }
    loyalty_body_end (run->body);
}

static void
claim_code (struct run *run, const char *code)
{
    loyalty_body_map (run->body, NULL);
    loyalty_body_string (run->body, "code", code);
    loyalty_body_end (run->body);
}

static void
add_claims (struct run *run, bool redeems)
{
    if (!redeems && !run->settings->hot_code && !run->settings->hot_limit)
        return;
    loyalty_body_list (run->body, "claims");
    if (run->settings->hot_code)
        claim_code (run, BENCH_HOT_CODE);
    if (run->settings->hot_limit)
        claim_code (run, BENCH_HOT_LIMIT);
    if (redeems) {
        loyalty_body_map (run->body, NULL);
        loyalty_body_int (run->body, "program_id", BENCH_LOYALTY_PROGRAM);
        loyalty_body_int (run->body, "points", BENCH_REDEEM_POINTS);
        loyalty_body_end (run->body);
    }
    loyalty_body_end (run->body);
    if (redeems)
        loyalty_body_string (run->body, "on_refused", "skip");
}

/* Sends one order; its latency counts from `intended_us`. */
static void
submit (struct run *run, int64_t intended_us)
{
    struct slot *slot = run->idle;
    struct loyalty_error error;
    char order_id[48];
    size_t size;
    int64_t member = run->settings->hot_card ? 0 : pick (run, (uint32_t)run->settings->cards);

    run->idle = slot->next;
    slot->intended_us = intended_us;
    slot->redeems = pick (run, 100) < (uint32_t)run->settings->redeem_percent;
    snprintf (order_id, sizeof order_id, "%s-%llu", run->prefix, (unsigned long long)run->next_order++);
    loyalty_body_clear (run->body);
    loyalty_body_string (run->body, "order_id", order_id);
    loyalty_body_int (run->body, "partner_id", BENCH_PARTNER_FIRST + member);
    add_lines (run);
    add_claims (run, slot->redeems);
    const void *bytes = loyalty_body_bytes (run->body, &size);
    struct loyalty_request request = {
        .method = run->settings->method, .body = bytes, .body_size = size, .timeout_ms = TIMEOUT_MS
    };
    if (loyalty_submit (run->client, &request, order_done, slot, &error) == 0) {
        run->failed = true;
        run->failure = error;
        return;
    }
    run->in_flight++;
}

static void
order_done (const struct loyalty_reply *reply)
{
    struct slot *slot = reply->context;
    struct run *run = slot->run;
    int64_t now_us = clock_monotonic_us ();
    run->in_flight--;
    slot->next = run->idle;
    run->idle = slot;
    if (slot->intended_us >= run->measure_from_us && now_us <= run->end_us) {
        run->result->resent += reply->attempts > 1;
        if (reply->ok) {
            run->result->orders++;
            run->result->redeemed += slot->redeems;
            histogram_record (&run->result->latency, now_us - slot->intended_us);
        } else {
            run->result->errors++;
            if (run->result->first_error[0] == '\0')
                snprintf (run->result->first_error, sizeof run->result->first_error, "%s: %s", reply->error.name,
                          reply->error.message);
        }
    }
    /* The closed loop: an order done is an order sent. */
    if (run->settings->rate == 0 && now_us < run->end_us && !run->failed)
        submit (run, now_us);
}

static void
show (const struct run *run, int64_t *shown_us)
{
    int64_t now_us = clock_monotonic_us ();
    if (!output_progress () || now_us - *shown_us < 1000000)
        return;
    *shown_us = now_us;
    fprintf (stderr, "\r%s %llu orders, p99 %.1f ms ", now_us < run->measure_from_us ? "warming up" : "measuring ",
             (unsigned long long)run->result->orders, (double)histogram_percentile (&run->result->latency, 99) / 1000);
}

static void
closed_loop (struct run *run)
{
    int64_t shown_us = 0;
    for (long i = 0; i < run->settings->concurrency && !run->failed; i++)
        submit (run, clock_monotonic_us ());
    while (clock_monotonic_us () < run->end_us && !run->failed) {
        loyalty_poll (run->client, POLL_MS);
        show (run, &shown_us);
    }
}

/* Orders are due at fixed instants whatever becomes of those before; one that could not be sent in time, because all places
 * were taken, still counts from when it was due. */
static void
open_loop (struct run *run)
{
    int64_t start_us = clock_monotonic_us (), shown_us = 0;
    uint64_t sent = 0;
    while (!run->failed) {
        int64_t now_us = clock_monotonic_us ();
        if (now_us >= run->end_us)
            break;
        for (;;) {
            int64_t due_us = start_us + (int64_t)(sent * UINT64_C (1000000) / (uint64_t)run->settings->rate);
            if (due_us > now_us || run->idle == NULL || run->failed)
                break;
            submit (run, due_us);
            sent++;
        }
        int64_t next_us = start_us + (int64_t)(sent * UINT64_C (1000000) / (uint64_t)run->settings->rate);
        int64_t wait_us = next_us - clock_monotonic_us ();
        /* At thousands a second several orders are due each millisecond: they are sent together, which costs them at most that
         * (it counts in their latency) and saves the machine, which the engine shares, a wake-up each. */
        loyalty_poll (run->client, run->idle == NULL ? POLL_MS : wait_us >= 1000 ? (int)(wait_us / 1000) : 0);
        if (run->idle != NULL && wait_us > 0 && wait_us < 1000)
            usleep (1000);
        show (run, &shown_us);
    }
}

int
bench_load (struct loyalty_client *client, const struct bench_settings *settings, const struct bench_baskets *baskets,
            struct bench_result *result, struct error *err)
{
    struct run run = { .client = client,
                       .settings = settings,
                       .baskets = baskets,
                       .result = result,
                       .body = loyalty_body_new (),
                       .random = settings->seed ^ UINT64_C (0x9e3779b97f4a7c15),
                       .in_flight = 0 };
    char key[LOYALTY_KEY_SIZE];
    *result = (struct bench_result){ 0 };
    run.slots = calloc ((size_t)settings->concurrency, sizeof *run.slots);
    if (run.body == NULL || run.slots == NULL || loyalty_key_make (key) < 0) {
        loyalty_body_destroy (&run.body);
        free (run.slots);
        return error_set (err, ERROR_INTERNAL, "out of memory");
    }
    snprintf (run.prefix, sizeof run.prefix, "b%.8s", key); /* of its own for each run */
    for (long i = 0; i < settings->concurrency; i++) {
        run.slots[i] = (struct slot){ .run = &run, .next = run.idle };
        run.idle = &run.slots[i];
    }
    int64_t start_us = clock_monotonic_us ();
    run.measure_from_us = start_us + settings->warmup_seconds * INT64_C (1000000);
    run.end_us = run.measure_from_us + settings->seconds * INT64_C (1000000);
    if (settings->rate > 0)
        open_loop (&run);
    else
        closed_loop (&run);
    result->seconds = (double)settings->seconds;
    if (output_progress ())
        fputc ('\n', stderr);
    /* What is still on its way is waited for: its slots are ours. */
    while (loyalty_in_flight (client) > 0)
        loyalty_poll (client, POLL_MS);
    loyalty_body_destroy (&run.body);
    free (run.slots);
    if (run.failed)
        return error_set (err, ERROR_INTERNAL, "an order could not be sent: %s: %.150s", run.failure.name,
                          run.failure.message);
    return 0;
}
