/* stats.c - figures: kept as requests go by, and told as the result of admin.stats. */
#include "broker/state.h"
#include "wire/msgpack.h"

#include <stdio.h>

enum { LATENCY_US = 30 * 1000000, SECOND_US = 1000000, CLIENTS_LISTED_MAX = 20 };

void
stats_latency (struct core *core, int64_t latency_us)
{
    histogram_record (&core->latency[0], latency_us);
}

void
core_count_handshakes (struct core *core, uint64_t refused, uint64_t broken)
{
    core->counters.handshakes_refused += refused;
    core->counters.handshakes_broken += broken;
}

void
stats_tick (struct core *core)
{
    if (core->now_us - core->latency_us >= LATENCY_US) {
        core->latency[1] = core->latency[0];
        core->latency[0] = (struct histogram){ 0 };
        core->latency_us = core->now_us;
    }
    int64_t elapsed_us = core->now_us - core->second_us;
    if (elapsed_us >= SECOND_US) {
        core->answered_per_s = (double)(core->counters.answered - core->second_answered) * 1e6 / (double)elapsed_us;
        core->second_us = core->now_us;
        core->second_answered = core->counters.answered;
    }
}

static void
put (struct buf *out, const char *name, uint64_t value)
{
    wire_write_cstr (out, name);
    wire_write_uint (out, value);
}

static void
put_text (struct buf *out, const char *name, struct str value)
{
    wire_write_cstr (out, name);
    wire_write_str (out, value);
}

static void
put_hex (struct buf *out, const char *name, uint64_t value)
{
    char text[20];
    snprintf (text, sizeof text, "%016llx", (unsigned long long)value);
    put_text (out, name, str_of (text));
}

static void
put_flag (struct buf *out, const char *name, bool value)
{
    wire_write_cstr (out, name);
    wire_write_bool (out, value);
}

/* A map as the value of `name`. */
static void
put_map (struct buf *out, const char *name, uint32_t count)
{
    wire_write_cstr (out, name);
    wire_write_map (out, count);
}

static void
encode_queues (const struct core *core, struct buf *out)
{
    put_map (out, "queue", 9);
    put (out, "waiting", core->queued);
    put (out, "in_work", core->in_flight);
    put (out, "bytes", core->bytes);
    put (out, "requests_max", (uint64_t)core->settings.requests_max);
    put (out, "clients", core->client_count);
    put (out, "clients_waiting", core->busy_count);
    put (out, "clients_max", (uint64_t)core->settings.clients_max);
    wire_write_cstr (out, "answered_per_s");
    wire_write_double (out, core->answered_per_s);
    wire_write_cstr (out, "capacity_per_s");
    if (core->rate.is_known)
        wire_write_double (out, core->rate.per_s);
    else
        wire_write_nil (out);
}

static void
encode_counters (const struct core *core, struct buf *out)
{
    enum {
#define X(name, text) COUNTER_##name,
        CORE_COUNTERS (X)
#undef X
            COUNTER_COUNT
    };
    put_map (out, "counters", COUNTER_COUNT);
#define X(name, text) put (out, #name, core->counters.name);
    CORE_COUNTERS (X)
#undef X
}

static void
encode_errors (const struct core *core, struct buf *out)
{
    uint32_t count = 0;
    for (unsigned code = 0; code < ERROR_CODE_COUNT; code++)
        count += core->errors[code] > 0;
    put_map (out, "errors", count);
    for (unsigned code = 0; code < ERROR_CODE_COUNT; code++)
        if (core->errors[code] > 0)
            put (out, error_code_name ((enum error_code)code), core->errors[code]);
}

static void
encode_latency (const struct core *core, struct buf *out)
{
    struct histogram both = core->latency[0];
    histogram_add (&both, &core->latency[1]);
    put_map (out, "latency_us", 6);
    put (out, "count", both.count);
    put (out, "p50", histogram_percentile (&both, 50));
    put (out, "p90", histogram_percentile (&both, 90));
    put (out, "p99", histogram_percentile (&both, 99));
    put (out, "p999", histogram_percentile (&both, 99.9));
    put (out, "max", both.max_us);
}

static void
encode_worker (const struct core *core, const struct worker *worker, struct buf *out)
{
    wire_write_map (out, 11);
    put_text (out, "name", str_of (worker->name));
    put_hex (out, "session", worker->session);
    put (out, "credit", worker->granted > worker->dispatched ? worker->granted - worker->dispatched : 0);
    put (out, "in_work", worker->in_flight);
    put (out, "answered", worker->answered);
    put (out, "overdue", worker->overdue);
    put_flag (out, "draining", worker->is_draining);
    put_flag (out, "suspect", worker->is_suspect);
    put (out, "silent_ms", (uint64_t)(core->now_us - worker->heard_us) / 1000);
    put (out, "joined_ms", (uint64_t)(core->now_us - worker->joined_us) / 1000);
    wire_write_cstr (out, "stats");
    if (worker->stats_size > 0)
        wire_write_raw (out, (struct str){ worker->stats, worker->stats_size });
    else
        wire_write_map (out, 0);
}

/* Clients of one account that wait, at most `left`. Returns how many. */
static uint32_t
encode_busy (const struct account *account, uint32_t left, struct buf *out)
{
    uint32_t count = 0;
    for (const struct list *at = account->busy.next; at != &account->busy && count < left; at = at->next, count++) {
        const struct client *client = list_object (at, struct client, link);
        wire_write_map (out, 5);
        put_hex (out, "connection", client->peer);
        put_text (out, "user", (struct str){ client->account->user, client->account->user_size });
        put (out, "waiting", client->queued);
        put (out, "in_work", client->held - client->queued);
        put (out, "received", client->received);
    }
    return count;
}

/* The clients that wait, in the order of their turns: the first few say who fills the queue. */
static void
encode_clients (const struct core *core, struct buf *out)
{
    uint32_t left = core->busy_count < CLIENTS_LISTED_MAX ? core->busy_count : CLIENTS_LISTED_MAX;
    wire_write_cstr (out, "clients");
    wire_write_array (out, left);
    for (unsigned state = ACCOUNT_TURN; state <= ACCOUNT_CAPPED; state++)
        for (const struct list *at = core->accounts[state].next; at != &core->accounts[state] && left > 0;
             at = at->next)
            left -= encode_busy (list_object (at, struct account, link), left, out);
}

/* Whom a bound of its own refused something, the last one first. */
static void
encode_limited (const struct core *core, struct buf *out)
{
    uint32_t count = 0;
    for (const struct list *at = core->limited.next; at != &core->limited && count < CLIENTS_LISTED_MAX; at = at->next)
        count++;
    wire_write_cstr (out, "limited");
    wire_write_array (out, count);
    for (const struct list *at = core->limited.next; count > 0; at = at->next, count--) {
        const struct account *account = list_object (at, struct account, limited);
        wire_write_map (out, 3 + LIMIT_COUNT);
        put_text (out, "user", (struct str){ account->user, account->user_size });
        put_hex (out, "connection", account->peer);
        put (out, "ago_ms", (uint64_t)(core->now_us - account->limited_us) / 1000);
#define X(id, name, text) put (out, #name, account->refused[LIMIT_##id]);
        CLIENT_LIMITS (X)
#undef X
    }
}

void
ping_encode (struct core *core)
{
    struct buf *out = &core->body;
    buf_clear (out);
    wire_write_map (out, 2);
    put_flag (out, "ok", true);
    put_map (out, "result", 1);
    put_flag (out, "draining", core->is_draining);
}

void
stats_encode (struct core *core)
{
    struct buf *out = &core->body;
    buf_clear (out);
    wire_write_map (out, 2);
    put_flag (out, "ok", true);
    put_map (out, "result", 10);
    put_text (out, "version", str_of (LOYALTY_VERSION));
    put (out, "uptime_ms", (uint64_t)(core->now_us - core->started_us) / 1000);
    put_flag (out, "draining", core->is_draining);
    encode_queues (core, out);
    encode_counters (core, out);
    encode_errors (core, out);
    encode_latency (core, out);
    wire_write_cstr (out, "workers");
    wire_write_array (out, core->worker_count);
    for (uint32_t i = 0; i < core->worker_count; i++)
        encode_worker (core, core->workers[i], out);
    encode_clients (core, out);
    encode_limited (core, out);
}
