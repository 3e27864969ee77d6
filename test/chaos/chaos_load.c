/* chaos_load.c - many chaos clients in one process: the mix of operations.py at a rate that Python does not reach. Each
 * operation and its answer is a line of the log, as client_process.py writes them, with what the verdict needs of an answer.
 *
 *     chaos-load NAME SEED MEMBERS CLIENTS RATE TIMEOUT_MS LOG ENDPOINT...
 *
 * RATE is in operations a second, on a schedule that does not wait for answers while a client is idle; 0: as fast as answers
 * come. It ends, with what is in flight answered, when its standard input is closed. */
#include "loyalty/body.h"
#include "loyalty/client.h"
#include "loyalty/value.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 4, OPEN_MAX = 64, KEY_SIZE = 48, CLIENTS_MAX = 1024, ENDPOINTS_MAX = 8, TEXT_SIZE = 32 };

enum kind { EARN, REDEEM, REFUND, CANCEL, ADJUST };

static const struct {
    const char *name, *method;
} KINDS[] = {
    [EARN] = { "earn", "order.process" },    [REDEEM] = { "redeem", "order.process" },
    [REFUND] = { "refund", "order.refund" }, [CANCEL] = { "cancel", "order.cancel" },
    [ADJUST] = { "adjust", "card.adjust" },
};

struct line {
    int64_t price_minor;
    int number, product_id, qty;
    bool taxed;
};

struct operation {
    enum kind kind;
    char key[KEY_SIZE], original[KEY_SIZE];
    int64_t partner_id;
    struct line lines[LINES_MAX];
    int line_count;
    int64_t claim;  /* points spent, in points */
    int64_t points; /* of an adjustment, in hundredths */
};

/* One client: does one thing after another, and knows its own orders. */
struct chaos_client {
    struct load *load;
    unsigned number, count;
    uint64_t random;
    bool waits; /* for an answer */
    struct operation now;
    struct operation open[OPEN_MAX]; /* answered ok, and nothing of them was given back */
    unsigned open_count;
};

struct load {
    const char *name;
    int64_t members;
    unsigned client_count;
    double rate;
    FILE *log;
    struct loyalty_client *engine;
    struct loyalty_body *body;
    struct chaos_client clients[CLIENTS_MAX];
};

static double
seconds_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c). */
static uint64_t
random_next (uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number from `least` to `most`, both included. */
static int64_t
between (struct chaos_client *client, int64_t least, int64_t most)
{
    return least + (int64_t)(random_next (&client->random) % (uint64_t)(most - least + 1));
}

/* ---- what is asked for */

static void
begin (struct chaos_client *client, enum kind kind)
{
    struct operation *operation = &client->now;
    *operation = (struct operation){ .kind = kind };
    snprintf (operation->key, KEY_SIZE, "%s.%u-%u", client->load->name, client->number, ++client->count);
    /* Now and then somebody whom the engine has never met. */
    operation->partner_id = between (client, 1, 10) == 1 ? between (client, 1000000, 999999999)
                                                         : between (client, 1, client->load->members);
}

static void
make_order (struct chaos_client *client, enum kind kind)
{
    struct operation *operation = &client->now;
    begin (client, kind);
    operation->line_count = (int)between (client, 1, LINES_MAX);
    for (int i = 0; i < operation->line_count; i++)
        operation->lines[i] = (struct line){ .number = i,
                                             .product_id = (int)between (client, 1, 50),
                                             .qty = (int)between (client, 1, 3),
                                             .price_minor = between (client, 1, 5000),
                                             .taxed = between (client, 0, 1) == 1 };
    if (kind == REDEEM)
        operation->claim = between (client, 1, 40) * 100;
}

static struct operation
take_open (struct chaos_client *client)
{
    unsigned index = (unsigned)between (client, 0, client->open_count - 1);
    struct operation order = client->open[index];
    client->open[index] = client->open[--client->open_count];
    return order;
}

/* All of an order, or one line of one on which no points were spent. */
static void
make_refund (struct chaos_client *client)
{
    struct operation order = take_open (client), *operation = &client->now;
    bool part = order.kind == EARN && between (client, 0, 1) == 1;
    begin (client, REFUND);
    operation->partner_id = order.partner_id;
    memcpy (operation->original, order.key, KEY_SIZE);
    memcpy (operation->lines, order.lines, sizeof order.lines);
    operation->line_count = order.line_count;
    if (part) {
        operation->lines[0] = order.lines[between (client, 0, order.line_count - 1)];
        operation->line_count = 1;
    }
    for (int i = 0; i < operation->line_count; i++)
        operation->lines[i].qty = -operation->lines[i].qty;
}

static void
make_cancel (struct chaos_client *client)
{
    struct operation order = take_open (client), *operation = &client->now;
    *operation = order;
    operation->kind = CANCEL;
    memcpy (operation->original, order.key, KEY_SIZE);
    for (int i = 0; i < operation->line_count; i++)
        operation->lines[i].qty = -operation->lines[i].qty;
    client->count++;
}

/* Of a member that has a card, or it is refused, which has to come out right too. */
static void
make_adjust (struct chaos_client *client)
{
    begin (client, ADJUST);
    client->now.partner_id = between (client, 1, client->load->members);
    client->now.points = between (client, 1, 20000) * (between (client, 1, 3) == 1 ? -1 : 1);
}

static void
make_next (struct chaos_client *client)
{
    int64_t roll = between (client, 0, 99);
    if (roll < 15 && client->open_count > 0)
        make_refund (client);
    else if (roll < 20 && client->open_count > 0)
        make_cancel (client);
    else if (roll >= 20 && roll < 35)
        make_adjust (client);
    else
        make_order (client, roll < 60 ? REDEEM : EARN);
}

/* ---- the body, for the engine and as text for the log */

static const char *
decimal (int64_t hundredths, char text[TEXT_SIZE])
{
    int64_t size = hundredths < 0 ? -hundredths : hundredths;
    snprintf (text, TEXT_SIZE, "%s%" PRId64 ".%02" PRId64, hundredths < 0 ? "-" : "", size / 100, size % 100);
    return text;
}

static void
write_line (struct load *load, const struct operation *operation, const struct line *line, bool first)
{
    struct loyalty_body *body = load->body;
    char number[TEXT_SIZE], price[TEXT_SIZE];
    snprintf (number, sizeof number, "%d", line->number);
    loyalty_body_map (body, NULL);
    loyalty_body_string (body, "line_id", number);
    loyalty_body_int (body, "product_id", line->product_id);
    loyalty_body_int (body, "qty", line->qty);
    loyalty_body_string (body, "price_unit", decimal (line->price_minor, price));
    fprintf (load->log, "%s{\"line_id\":\"%s\",\"product_id\":%d,\"qty\":%d,\"price_unit\":\"%s\"", first ? "" : ",",
             number, line->product_id, line->qty, price);
    if (line->taxed) {
        loyalty_body_list (body, "taxes");
        loyalty_body_map (body, NULL);
        loyalty_body_int (body, "id", 1);
        loyalty_body_string (body, "amount", "20");
        loyalty_body_bool (body, "included", true);
        loyalty_body_end (body);
        loyalty_body_end (body);
        fprintf (load->log, ",\"taxes\":[{\"id\":1,\"amount\":\"20\",\"included\":true}]");
    }
    if (operation->kind == REFUND) {
        loyalty_body_map (body, "refund_of");
        loyalty_body_string (body, "order_id", operation->original);
        loyalty_body_string (body, "line_id", number);
        loyalty_body_end (body);
        fprintf (load->log, ",\"refund_of\":{\"order_id\":\"%s\",\"line_id\":\"%s\"}", operation->original, number);
    }
    loyalty_body_end (body);
    fprintf (load->log, "}");
}

static void
write_order (struct load *load, const struct operation *operation)
{
    struct loyalty_body *body = load->body;
    loyalty_body_string (body, "order_id", operation->key);
    fprintf (load->log, "\"order_id\":\"%s\"", operation->key);
    if (operation->kind == CANCEL)
        return;
    loyalty_body_int (body, "partner_id", operation->partner_id);
    loyalty_body_list (body, "lines");
    fprintf (load->log, ",\"partner_id\":%" PRId64 ",\"lines\":[", operation->partner_id);
    for (int i = 0; i < operation->line_count; i++)
        write_line (load, operation, &operation->lines[i], i == 0);
    loyalty_body_end (body);
    fprintf (load->log, "]");
    if (operation->kind != REDEEM)
        return;
    loyalty_body_list (body, "claims");
    loyalty_body_map (body, NULL);
    loyalty_body_int (body, "program_id", 1);
    loyalty_body_int (body, "points", operation->claim);
    loyalty_body_end (body);
    loyalty_body_end (body);
    fprintf (load->log, ",\"claims\":[{\"program_id\":1,\"points\":%" PRId64 "}]", operation->claim);
}

static void
write_adjust (struct load *load, const struct operation *operation)
{
    struct loyalty_body *body = load->body;
    char points[TEXT_SIZE];
    loyalty_body_int (body, "partner_id", operation->partner_id);
    loyalty_body_int (body, "program_id", 1);
    loyalty_body_string (body, "points", decimal (operation->points, points));
    loyalty_body_string (body, "reason", operation->key);
    fprintf (load->log, "\"partner_id\":%" PRId64 ",\"program_id\":1,\"points\":\"%s\",\"reason\":\"%s\"",
             operation->partner_id, points, operation->key);
}

static int64_t
total_of (const struct operation *operation)
{
    int64_t total = 0;
    for (int i = 0; i < operation->line_count; i++)
        total += operation->lines[i].price_minor * operation->lines[i].qty;
    return total;
}

/* ---- the answer */

static const char *
text_at (const struct loyalty_reply *reply, const char *path, char text[TEXT_SIZE])
{
    struct loyalty_value value;
    if (!loyalty_find (reply->result, reply->result_size, path, &value) ||
        !loyalty_value_text (&value, text, TEXT_SIZE))
        snprintf (text, TEXT_SIZE, "0");
    return text;
}

static void
log_result (const struct load *load, const struct operation *operation, const struct loyalty_reply *reply)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE], d[TEXT_SIZE], e[TEXT_SIZE], f[TEXT_SIZE];
    if (operation->kind == ADJUST) {
        fprintf (load->log, "{\"card_id\":%s,\"balance\":\"%s\",\"debt\":\"%s\"}", text_at (reply, "card_id", a),
                 text_at (reply, "balance", b), text_at (reply, "debt", c));
        return;
    }
    char order_id[KEY_SIZE] = "";
    struct loyalty_value value;
    if (loyalty_find (reply->result, reply->result_size, "order_id", &value))
        loyalty_value_text (&value, order_id, sizeof order_id);
    fprintf (load->log,
             "{\"order_id\":\"%s\",\"amount_total\":\"%s\",\"points_earned\":\"%s\",\"points_redeemed\":\"%s\","
             "\"shortfall\":[{\"points\":\"%s\"}],\"points\":[{\"balance\":\"%s\",\"debt\":\"%s\"}]}",
             order_id, text_at (reply, "amount_total", a), text_at (reply, "points_earned", b),
             text_at (reply, "points_redeemed", c), text_at (reply, "shortfall[0].points", d),
             text_at (reply, "points[0].balance", e), text_at (reply, "points[0].debt", f));
}

static void
answered (const struct loyalty_reply *reply)
{
    struct chaos_client *client = reply->context;
    const struct operation *operation = &client->now;
    FILE *log = client->load->log;
    fprintf (log, "{\"event\":\"done\",\"t\":%.6f,\"key\":\"%s\",\"kind\":\"%s\",\"ok\": %s,", seconds_now (),
             operation->key, KINDS[operation->kind].name, reply->ok ? "true" : "false");
    if (reply->ok) {
        fprintf (log, "\"result\":");
        log_result (client->load, operation, reply);
        fprintf (log, "}\n");
    } else {
        fprintf (log, "\"code\":\"%s\",\"message\":\"\",\"unknown\":%s}\n", reply->error.name,
                 reply->error.outcome_unknown ? "true" : "false");
    }
    if (reply->ok && operation->kind <= REDEEM && client->open_count < OPEN_MAX)
        client->open[client->open_count++] = *operation;
    client->waits = false;
}

/* Writes it down and sends it. 0; -1: the library did not take it. */
static int
send_next (struct chaos_client *client)
{
    struct load *load = client->load;
    struct operation *operation = &client->now;
    struct loyalty_error error;
    make_next (client);
    fprintf (load->log, "{\"event\":\"send\",\"t\":%.6f,\"key\":\"%s\",\"operation\":{\"kind\":\"%s\",\"key\":\"%s\",",
             seconds_now (), operation->key, KINDS[operation->kind].name, operation->key);
    fprintf (load->log, "\"partner\":%" PRId64 ",\"body\":{", operation->partner_id);
    loyalty_body_clear (load->body);
    if (operation->kind == ADJUST)
        write_adjust (load, operation);
    else
        write_order (load, operation);
    fprintf (load->log, "},\"total\":%" PRId64 ",\"original\":\"%s\",\"points\":%" PRId64 "}}\n", total_of (operation),
             operation->original, operation->points);
    struct loyalty_request request = { .method = KINDS[operation->kind].method,
                                       .key = operation->kind == ADJUST ? operation->key : NULL };
    request.body = loyalty_body_bytes (load->body, &request.body_size);
    if (loyalty_submit (load->engine, &request, answered, client, &error) == 0) {
        fprintf (stderr, "chaos-load: %s: %s\n", error.name, error.message);
        return -1;
    }
    client->waits = true;
    return 0;
}

/* ---- the run */

static bool
is_over (void)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    char byte;
    return poll (&input, 1, 0) == 1 && read (STDIN_FILENO, &byte, 1) <= 0;
}

/* Sends what is due, as far as there are clients that wait for nothing. */
static int
send_due (struct load *load, double begun, uint64_t *sent)
{
    double due = load->rate > 0 ? (seconds_now () - begun) * load->rate : 1e18;
    for (unsigned i = 0; i < load->client_count && (double)*sent < due; i++) {
        if (load->clients[i].waits)
            continue;
        if (send_next (&load->clients[i]) != 0)
            return -1;
        (*sent)++;
    }
    return 0;
}

static int
run (struct load *load)
{
    double begun = seconds_now ();
    uint64_t sent = 0;
    while (!is_over ()) {
        if (send_due (load, begun, &sent) != 0)
            return 1;
        loyalty_poll (load->engine, 1);
        fflush (load->log);
        /* What fell behind while nothing was answered is not made up for at once. */
        if (load->rate > 0 && (double)sent < (seconds_now () - begun) * load->rate - load->client_count)
            sent = (uint64_t)((seconds_now () - begun) * load->rate - load->client_count);
    }
    while (loyalty_in_flight (load->engine) > 0)
        loyalty_poll (load->engine, 100);
    return 0;
}

static int
open_engine (struct load *load, unsigned timeout_ms, char **endpoints, unsigned count)
{
    struct loyalty_options options;
    struct loyalty_error error;
    loyalty_options_init (&options);
    options.endpoints = (const char *const *)endpoints;
    options.endpoint_count = count;
    options.timeout_ms = timeout_ms;
    load->engine = loyalty_client_new (&options, &error);
    load->body = loyalty_body_new ();
    if (load->engine == NULL)
        fprintf (stderr, "chaos-load: %s\n", error.message);
    return load->engine == NULL || load->body == NULL ? -1 : 0;
}

int
main (int argc, char **argv)
{
    enum { NAME = 1, SEED, MEMBERS, CLIENTS, RATE, TIMEOUT, LOG, ENDPOINT };
    if (argc <= ENDPOINT || argc > ENDPOINT + ENDPOINTS_MAX) {
        fprintf (stderr, "usage: chaos-load NAME SEED MEMBERS CLIENTS RATE TIMEOUT_MS LOG ENDPOINT...\n");
        return 2;
    }
    struct load *load = calloc (1, sizeof *load);
    if (load == NULL)
        return 1;
    load->name = argv[NAME];
    load->members = strtoll (argv[MEMBERS], NULL, 10);
    load->client_count = (unsigned)strtoul (argv[CLIENTS], NULL, 10);
    if (load->client_count > CLIENTS_MAX)
        load->client_count = CLIENTS_MAX;
    load->rate = strtod (argv[RATE], NULL);
    load->log = fopen (argv[LOG], "ae");
    uint64_t seed = strtoull (argv[SEED], NULL, 10);
    for (unsigned i = 0; i < load->client_count; i++)
        load->clients[i] = (struct chaos_client){ .load = load, .number = i, .random = random_next (&seed) };
    int code = 1;
    if (load->log != NULL && open_engine (load, (unsigned)strtoul (argv[TIMEOUT], NULL, 10), argv + ENDPOINT,
                                          (unsigned)(argc - ENDPOINT)) == 0)
        code = run (load);
    if (load->log != NULL && fclose (load->log) != 0)
        code = 1;
    loyalty_body_destroy (&load->body);
    loyalty_client_destroy (&load->engine);
    free (load);
    return code;
}
