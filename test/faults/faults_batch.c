/* faults_batch.c - runs one set of requests through the batch again and again, on a real PostgreSQL; each time another
 * allocation, or call of libpq, fails. Then: what is answered as failed was not done, or may have been and is told when it
 * is sent again; sent again all is done, once; nothing else is different from a run without a fault.
 *
 * The database has a loyalty program 1 that gives points for money (test/integration/test_faults.py). */
#include "base/clock.h"
#include "base/log.h"
#include "faults/inject.h"
#include "loyalty/json.h"
#include "loyalty/value.h"
#include "worker/batch.h"
#include "worker/settings.h"

#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LISTS = 4, LIST_MAX = 8, TRIES_MAX = 40, TRY_AGAIN_MS = 60, BODY_MAX = 1024, DEADLINE_S = 20, STATE_MAX = 256 };

/* What is sent: lists, one after the other, each as one batch. %1$s is the run's name, %2$s its member. */
static const struct step {
    unsigned list;
    const char *method;
    bool has_key; /* of its own; else the order's id is it */
    const char *body;
} STEPS[] = {
    { 0, "order.process", false,
      "{'order_id': '%1$s-A', 'partner_id': %2$s, 'lines': [{'product_id': 7, 'qty': 2, 'price_unit': '60.00', "
      "'taxes': [{'id': 1, 'amount': '20', 'included': true}]}, {'product_id': 8, 'qty': 1, 'price_unit': '30.00'}]}" },
    { 0, "order.process", false,
      "{'order_id': '%1$s-B', 'lines': [{'product_id': 9, 'qty': 1, 'price_unit': '5.00'}]}" },
    { 0, "program.put", true,
      "{'program_id': 77, 'name': '%1$s', 'program_type': 'loyalty', 'rules': [{'reward_point_mode': 'unit', "
      "'product_ids': [4711], 'reward_point_amount': 1}], 'rewards': [{'discount_mode': 'per_order', 'discount': "
      "'1.00', "
      "'required_points': 10}]}" },
    { 1, "order.process", false,
      "{'order_id': '%1$s-C', 'partner_id': %2$s, 'claims': [{'program_id': 1, 'points': '50'}], "
      "'lines': [{'line_id': '1', 'product_id': 7, 'qty': 1, 'price_unit': '20.00'}]}" },
    { 1, "card.adjust", true, "{'partner_id': %2$s, 'program_id': 1, 'points': '25.00', 'reason': 'a gift'}" },
    { 1, "points.hold", true, "{'partner_id': %2$s, 'program_id': 1, 'points': '10.00'}" },
    { 1, "order.process", false,
      "{'order_id': '%1$s-D', 'partner_id': %2$s, 'lines': [{'product_id': 8, 'qty': 1, 'price_unit': '12.00'}]}" },
    { 2, "order.refund", false,
      "{'order_id': '%1$s-E', 'partner_id': %2$s, 'lines': [{'product_id': 8, 'qty': -1, 'price_unit': '30.00', "
      "'refund_of': '%1$s-A'}]}" },
    { 2, "order.cancel", false, "{'order_id': '%1$s-D'}" },
    { 2, "reference.put", true, "{'products': [{'product_id': 8, 'name': '%1$s'}]}" },
    { 3, "job.run", true, "{'job': 'expire', 'period': '%1$s'}" },
    { 3, "order.cancel", false, "{'order_id': '%1$s-never-seen'}" },
};
enum { STEP_COUNT = sizeof STEPS / sizeof STEPS[0] };

struct run {
    char name[32], member[24];
    uint64_t number;
    enum inject_kind kind;
    struct request requests[STEP_COUNT];
    char keys[STEP_COUNT][48];
    void *bodies[STEP_COUNT];
    bool is_done_before[STEP_COUNT]; /* its key was stored when its failure was told */
    bool has_failed[STEP_COUNT];
};

static struct {
    PGconn *database; /* of the checks */
    struct worker_settings settings;
    struct lease lease;
    struct executor executor;
    bool is_warm, has_executor;         /* warm: one executor for all runs, which is connected and knows the catalog */
    uint64_t answers[ERROR_CODE_COUNT]; /* under faults */
} world;

static void fail (const struct run *run, const char *format, ...) __attribute__ ((format (printf, 2, 3), noreturn));

static void
fail (const struct run *run, const char *format, ...)
{
    va_list args;
    inject_disarm ();
    fprintf (stderr, "%s %" PRIu64 ": ", INJECT_KIND_NAMES[run->kind], run->number);
    va_start (args, format);
    vfprintf (stderr, format, args);
    va_end (args);
    fputc ('\n', stderr);
    _exit (1);
}

/* --- the checks' own eyes --- */

/* One value of the database, as text. */
static void
look (const struct run *run, const char *sql, const char *argument, char *value, size_t size)
{
    PGresult *result = PQexecParams (world.database, sql, 1, NULL, &argument, NULL, NULL, 0);
    if (PQresultStatus (result) != PGRES_TUPLES_OK || PQntuples (result) != 1)
        fail (run, "the check's own query: %s", PQerrorMessage (world.database));
    snprintf (value, size, "%s", PQgetvalue (result, 0, 0));
    PQclear (result);
}

/* All that a run leaves of its member and its keys, but for times and ids. */
static void
look_at_state (const struct run *run, char state[STATE_MAX])
{
    static const char MEMBER[] =
        "SELECT concat_ws (' ', (SELECT order_count || ' orders of ' || spending FROM members WHERE partner_id = "
        "$1::bigint),"
        " count (*) || ' cards', sum (points) || ' points', sum (debt) || ' debt',"
        " (SELECT count (*) || ' rows ' || sum (points_amount) FROM point_history h"
        "  WHERE h.card_id IN (SELECT card_id FROM loyalty_cards WHERE partner_id = $1::bigint)),"
        " (SELECT count (*) || ' held ' || sum (points) FROM point_holds h"
        "  WHERE h.card_id IN (SELECT card_id FROM loyalty_cards WHERE partner_id = $1::bigint)),"
        " (SELECT count (*) || ' events' FROM (SELECT partner_id FROM outbox UNION ALL SELECT partner_id FROM feed) e"
        "  WHERE partner_id = $1::bigint)) FROM loyalty_cards WHERE partner_id = $1::bigint";
    static const char KEYS[] = "SELECT count (*) || ' keys' FROM request_keys WHERE starts_with (key, $1 || '-') OR "
                               "starts_with (key, $1 || '_')";
    char keys[32];
    look (run, MEMBER, run->member, state, STATE_MAX - sizeof keys);
    look (run, KEYS, run->name, keys, sizeof keys);
    strcat (strcat (state, " "), keys);
}

static bool
key_is_stored (const struct run *run, unsigned step)
{
    char found[16], order_id[96];
    const char *key = run->keys[step];
    if (!STEPS[step].has_key) { /* '…-A' out of the body: the order's id */
        const char *from = strchr (strstr (STEPS[step].body, "%1$s"), '-');
        snprintf (order_id, sizeof order_id, "%s%.*s", run->name, (int)strcspn (from, "'"), from);
        key = order_id;
    }
    bool cancels = strcmp (STEPS[step].method, "order.cancel") == 0;
    look (run,
          cancels ? "SELECT count (*) FROM request_keys WHERE key = $1 AND scope = 2"
                  : "SELECT count (*) FROM request_keys WHERE key = $1 AND scope <> 2",
          key, found, sizeof found);
    return strcmp (found, "0") != 0;
}

/* --- a run --- */

/* JSON with single quotes, so that it can be read here, to MessagePack. */
static void *
encode (const struct run *run, const char *format, size_t *size)
{
    char text[BODY_MAX];
    struct loyalty_error failure;
    json_error_t where;
    snprintf (text, sizeof text, format, run->name, run->member);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *json = json_loads (text, 0, &where);
    void *bytes = json != NULL ? loyalty_json_encode (json, size, &failure) : NULL;
    if (bytes == NULL)
        fail (run, "a body of this test is wrong: %s", text);
    json_decref (json);
    return bytes;
}

static void
run_begin (struct run *run, enum inject_kind kind, uint64_t number)
{
    *run = (struct run){ .kind = kind, .number = number };
    /* The process's number too: a database sees this program more than once. */
    snprintf (run->name, sizeof run->name, "f%d.%" PRIu64, (int)getpid (), number);
    snprintf (run->member, sizeof run->member, "%" PRIu64, (uint64_t)getpid () * 1000000007 + number % 1000000007);
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        size_t size = 0;
        run->bodies[i] = encode (run, STEPS[i].body, &size);
        if (STEPS[i].has_key)
            snprintf (run->keys[i], sizeof run->keys[i], "%s_%u", run->name, i);
        run->requests[i] = (struct request){ .method = method_by_name (str_of (STEPS[i].method)),
                                             .body = { run->bodies[i], (uint32_t)size },
                                             .header_key = str_of (run->keys[i]),
                                             .roles = ROLES_ANY };
    }
}

static void
run_end (struct run *run)
{
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        free (run->bodies[i]);
        buf_free (&run->requests[i].reply);
    }
}

static bool
has_replayed (const struct run *run, unsigned step)
{
    const struct buf *reply = &run->requests[step].reply;
    struct loyalty_value value;
    if (!loyalty_find (reply->data, reply->size, "ok", &value) || !value.boolean)
        fail (run, "%s is done, and its answer does not say ok", STEPS[step].method);
    return loyalty_find (reply->data, reply->size, "result.replayed", &value) && value.boolean;
}

/* What is answered after a fault has to be true. */
static void
judge_failure (struct run *run, unsigned step)
{
    const struct request *request = &run->requests[step];
    enum error_code code = request->error.code;
    if (request->status != REQUEST_FAILED)
        fail (run, "%s is neither done nor failed", STEPS[step].method);
    if (!inject_fired ())
        fail (run, "%s failed without a fault: %s", STEPS[step].method, request->error.message);
    if (code != ERROR_BUSY && code != ERROR_UNAVAILABLE && code != ERROR_INTERNAL)
        fail (run, "%s is answered with %s, which is not about the fault: %s", STEPS[step].method,
              error_code_name (code), request->error.message);
    run->has_failed[step] = true;
    run->is_done_before[step] = key_is_stored (run, step);
    if (run->is_done_before[step] && code != ERROR_UNAVAILABLE)
        fail (run, "%s is answered with %s, and was done", STEPS[step].method, error_code_name (code));
    world.answers[code]++;
}

static void
judge_done (struct run *run, unsigned step)
{
    bool has_told_before = has_replayed (run, step);
    /* Not the other way round: a COMMIT may have been under way when the connection was lost. */
    if (run->is_done_before[step] && !has_told_before)
        fail (run, "%s was done before its failure was told, and again when it was sent again", STEPS[step].method);
    if (!run->has_failed[step] && has_told_before)
        fail (run, "%s is replayed, sent for the first time", STEPS[step].method);
    if (!key_is_stored (run, step))
        fail (run, "%s is done, and its key is not stored", STEPS[step].method);
}

/* Sends what is left of a list, until all of it is done. */
static void
run_list (struct run *run, unsigned list)
{
    struct request *left[LIST_MAX];
    for (unsigned try = 0; try < TRIES_MAX; try++) {
        unsigned count = 0;
        int64_t now_us = clock_monotonic_us ();
        lease_renew (&world.lease, now_us, INT64_MAX / 2);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
            if (STEPS[i].list != list || run->requests[i].status == REQUEST_DONE)
                continue;
            run->requests[i].deadline_us = now_us + DEADLINE_S * INT64_C (1000000);
            run->requests[i].pauses = world.lease.pauses;
            buf_clear (&run->requests[i].reply);
            left[count++] = &run->requests[i];
        }
        if (count == 0)
            return;
        if (try > 0)
            usleep (TRY_AGAIN_MS * 1000);
        batch_run (&world.executor, left, count);
        for (unsigned i = 0; i < count; i++) {
            unsigned step = (unsigned)(left[i] - run->requests);
            if (left[i]->status == REQUEST_DONE)
                judge_done (run, step);
            else
                judge_failure (run, step);
        }
    }
    fail (run, "list %u is not done after %d tries", list, TRIES_MAX);
}

static void
executor_make (const struct run *run)
{
    struct error err;
    while (!world.has_executor) {
        bool has_fired = inject_fired ();
        world.has_executor = executor_init (&world.executor, &world.settings, &world.lease, false, &err) == 0;
        if (!world.has_executor && has_fired == inject_fired ())
            fail (run, "no executor, and no fault: %s", err.message);
    }
}

static void
executor_drop (void)
{
    if (world.has_executor)
        executor_free (&world.executor);
    world.has_executor = false;
}

/* True: the fault came. */
static bool
run_once (enum inject_kind kind, uint64_t number, char state[STATE_MAX])
{
    struct run run;
    run_begin (&run, kind, number);
    if (!world.is_warm)
        executor_drop ();
    inject_arm (kind, number);
    executor_make (&run);
    for (unsigned list = 0; list < LISTS; list++)
        run_list (&run, list);
    bool has_fired = inject_fired ();
    inject_disarm ();
    look_at_state (&run, state);
    run_end (&run);
    return has_fired;
}

/* --- the program --- */

static enum inject_kind
kind_by_name (const char *name)
{
    int kind = 0;
    while (kind < INJECT_KIND_COUNT && strcmp (name, INJECT_KIND_NAMES[kind]) != 0)
        kind++;
    return (enum inject_kind)kind;
}

static void
report (enum inject_kind kind, uint64_t runs, uint64_t calls)
{
    printf ("{\"kind\": \"%s\", \"runs\": %" PRIu64 ", \"calls\": %" PRIu64 ", \"busy\": %" PRIu64
            ", \"unavailable\": %" PRIu64 ", \"internal\": %" PRIu64 "}\n",
            INJECT_KIND_NAMES[kind], runs, calls, world.answers[ERROR_BUSY], world.answers[ERROR_UNAVAILABLE],
            world.answers[ERROR_INTERNAL]);
}

int
main (int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        { "database", required_argument, NULL, 'd' }, { "kind", required_argument, NULL, 'k' },
        { "first", required_argument, NULL, 'f' },    { "step", required_argument, NULL, 's' },
        { "warm", no_argument, NULL, 'w' },           { NULL, 0, NULL, 0 }
    };
    const char *url = NULL;
    enum inject_kind kind = INJECT_KIND_COUNT;
    uint64_t first = 1, step = 1, runs = 0;
    for (int option; (option = getopt_long (argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == 'd')
            url = optarg;
        else if (option == 'k')
            kind = kind_by_name (optarg);
        else if (option == 'f')
            first = strtoull (optarg, NULL, 10);
        else if (option == 's')
            step = strtoull (optarg, NULL, 10);
        else if (option == 'w')
            world.is_warm = true;
    }
    if (url == NULL || kind == INJECT_KIND_COUNT || first == 0 || step == 0) {
        fprintf (
            stderr,
            "usage: faults-batch --database URL --kind memory|arena|call|connection [--first N] [--step N] [--warm]\n");
        return 2;
    }
    log_open ("faults-batch", LOG_ERROR);
    world.settings = (struct worker_settings){ .database = url,
                                               .name = "faults",
                                               .credit = 1,
                                               .batch_max = LIST_MAX,
                                               .lock_timeout_ms = 2000,
                                               .idle_in_transaction_timeout_ms = 1000,
                                               .statement_timeout_ms = 10000,
                                               .commit_timeout_ms = 10000 };
    world.database = PQconnectdb (url);
    lease_begin (&world.lease, clock_monotonic_us ());
    if (sodium_init () < 0 || PQstatus (world.database) != CONNECTION_OK) {
        fprintf (stderr, "%s", PQerrorMessage (world.database));
        return 1;
    }
    char expected[STATE_MAX], state[STATE_MAX];
    run_once (kind, 0, expected);
    if (world.is_warm) /* once more, to count without the first connection */
        run_once (kind, 1000000000, expected);
    uint64_t calls = inject_count ();
    for (uint64_t number = first; run_once (kind, number, state); number += step) {
        runs++;
        if (strcmp (state, expected) != 0) {
            fprintf (stderr, "%s %" PRIu64 ": left %s; without a fault %s\n", INJECT_KIND_NAMES[kind], number, state,
                     expected);
            return 1;
        }
    }
    executor_drop ();
    PQfinish (world.database);
    report (kind, runs, calls);
    return 0;
}
