/* batch.c - see batch.h. The life of a batch: prepare, look up, then transactions (batch_transaction.c) until every
 * request has its answer. */
#include "worker/batch.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/batch_transaction.h"

#include <stdlib.h>
#include <unistd.h>

enum { RETRIES_MAX = 3, ROUNDS_MAX = 100, BUSY_RETRY_AFTER_MS = 50, UNAVAILABLE_RETRY_AFTER_MS = 250 };

/* What it answered so far counts for nothing: it was written in a transaction that did not commit. */
static void
fail_with (struct request *request, const struct error *err, int64_t retry_after_ms)
{
    request->status = REQUEST_FAILED;
    buf_clear (&request->reply);
    request->error = *err;
    request->retry_after_ms = error_code_retryable (err->code) ? retry_after_ms : 0;
}

static void
fail_all (struct request **requests, unsigned count, const struct error *err, int64_t retry_after_ms)
{
    for (unsigned i = 0; i < count; i++)
        fail_with (requests[i], err, retry_after_ms);
}

/* Decodes a body, and makes the key. */
static int
decode (struct executor *executor, struct request *request)
{
    const struct method *method = &METHOD_TABLE[request->method];
    request->record = wire_decode (method->schema, request->body, executor->engine->currency_digits, executor->requests,
                                   &request->error);
    if (request->record == NULL)
        return -1;
    if (method->scope == SCOPE_NONE)
        return 0;
    wire_hash (request->record, request->hash);
    if (method->scope == SCOPE_OP) {
        if (request->header_key.size == 0 || request->header_key.size > WIRE_NAME_MAX)
            return request_fail (request, ERROR_INVALID_REQUEST,
                                 "the header's `key` is missing: %s needs one of 1 to %d bytes", method->name,
                                 WIRE_NAME_MAX);
        request->keys[0] = (struct request_key){ .scope = SCOPE_OP, .key = request->header_key };
    } else {
        /* The order's id is the first field of every schema in these scopes. */
        struct str order_id = request->record->fields[0].text;
        if (request->header_key.size > 0 && !str_equal (request->header_key, order_id))
            return request_fail (request, ERROR_INVALID_REQUEST,
                                 "the header's `key` differs from order_id, which is the key of %s", method->name);
        request->keys[0] = (struct request_key){ .scope = (int16_t)method->scope, .key = order_id };
        request->keys[1] = (struct request_key){ .scope = SCOPE_ORDER, .key = order_id };
    }
    request->key_count = method->scope == SCOPE_CANCEL ? 2 : 1;
    for (unsigned i = 0; i < request->key_count; i++)
        request->keys[i].bucket = bucket_of_text (request->keys[i].key, executor->engine->buckets);
    return 0;
}

/* Takes what can be judged without the database; returns how many requests are left, moved to the front. */
static unsigned
prepare (struct executor *executor, struct request **requests, unsigned count, struct request **left)
{
    unsigned kept = 0;
    int64_t now_us = clock_monotonic_us ();
    for (unsigned i = 0; i < count; i++) {
        struct request *request = requests[i];
        const struct handler *handler = &HANDLERS[request->method];
        request->status = REQUEST_FAILED;
        request->key_count = 0;
        request->error = (struct error){ 0 };
        if (now_us >= request->deadline_us)
            request_fail (request, ERROR_EXPIRED_DEADLINE, "the deadline passed before the work began");
        else if (decode (executor, request) == 0 &&
                 (handler->prepare == NULL || handler->prepare (executor, request) == 0)) {
            request->status = REQUEST_PENDING;
            left[kept++] = request;
        }
        if (request->status == REQUEST_FAILED)
            request_explain (request);
    }
    return kept;
}

static unsigned
look_up (struct executor *executor, struct request **requests, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        struct request *request = requests[i];
        const struct handler *handler = &HANDLERS[request->method];
        if (handler->look_up != NULL && handler->look_up (executor, request) < 0) {
            request_explain (request);
            fail_with (request, &request->error, UNAVAILABLE_RETRY_AFTER_MS);
        } else {
            requests[kept++] = request;
        }
    }
    return kept;
}

static void
pause_with_jitter (unsigned attempt)
{
    usleep ((useconds_t)((1u + (unsigned)rand () % 4u) * 1000u << attempt));
}

/* One transaction for these requests: again on serialization failures, in halves down to the one request that is at fault,
 * one by one where a lock was not had. */
static void
run (struct executor *executor, struct request **requests, unsigned count)
{
    struct error err;
    enum pg_failure failure = PG_NONE;

    for (unsigned attempt = 0; attempt <= RETRIES_MAX; attempt++) {
        if (attempt > 0) {
            executor->stats.retries++;
            pause_with_jitter (attempt);
        }
        for (unsigned i = 0; i < count; i++)
            requests[i]->status = REQUEST_PENDING;
        if (executor_ready (executor, &err) < 0) {
            failure = PG_UNAVAILABLE;
            break;
        }
        failure = batch_transaction (executor, requests, count, &err);
        if (failure == PG_NONE)
            return;
        if (failure != PG_RETRY)
            break;
    }
    if (failure == PG_LOCKED)
        executor_end_stopped_sessions (executor);
    if (count > 1 && failure != PG_UNAVAILABLE && failure != PG_RETRY) {
        unsigned half = failure == PG_LOCKED ? 1 : count / 2;
        executor->stats.bisections++;
        /* The others have waited long enough for the one that somebody keeps from its locks. */
        executor->hurried = failure == PG_LOCKED;
        for (unsigned from = 0; from < count; from += half)
            run (executor, requests + from, count - from < half ? count - from : half);
        executor->hurried = false;
        return;
    }
    executor->stats.failures++;
    err.code = pg_failure_code (failure);
    if (err.code == ERROR_INTERNAL)
        log_error ("alert: a batch of %u failed: %s", count, err.message);
    fail_all (requests, count, &err, failure == PG_UNAVAILABLE ? UNAVAILABLE_RETRY_AFTER_MS : BUSY_RETRY_AFTER_MS);
}

/* Whether a request has to wait until an earlier one of this round is done. */
static bool
has_to_wait (struct request **requests, unsigned index)
{
    const struct handler *handler = &HANDLERS[requests[index]->method];
    for (unsigned i = 0; handler->waits_for != NULL && i < index; i++)
        if (handler->waits_for (requests[index], requests[i]))
            return true;
    return false;
}

/* Runs those of the list that need not wait: what stands alone by itself, the rest together. */
static void
run_round (struct executor *executor, struct request **requests, unsigned count, struct request **together)
{
    unsigned joined = 0;
    for (unsigned i = 0; i <= count; i++) {
        bool alone = i < count && HANDLERS[requests[i]->method].alone;
        if (joined > 0 && (i == count || alone)) {
            run (executor, together, joined);
            joined = 0;
        }
        if (i == count)
            break;
        if (has_to_wait (requests, i))
            requests[i]->status = REQUEST_DEFERRED;
        else if (alone)
            run (executor, &requests[i], 1);
        else
            together[joined++] = requests[i];
    }
}

static unsigned
deferred (struct request **requests, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (requests[i]->status == REQUEST_DEFERRED)
            requests[kept++] = requests[i];
    return kept;
}

static void
unit_of_look_ups (struct executor *executor)
{
    arena_reset (executor->transaction);
    unit_begin (&executor->unit, executor->transaction, executor->pg, executor->engine->buckets, false,
                clock_real_us (), executor_deadline_us (executor));
}

void
batch_run (struct executor *executor, struct request **requests, unsigned count)
{
    struct error err;
    executor_begin (executor);
    executor->stats.batches++;
    executor->stats.requests += count;
    executor_set_patience (executor, requests, count);
    if (count > executor->stats.batch_requests_max)
        executor->stats.batch_requests_max = count;
    if (executor_ready (executor, &err) < 0) {
        fail_all (requests, count, &err, UNAVAILABLE_RETRY_AFTER_MS);
        return;
    }
    struct request **left = arena_array_of (executor->requests, count + 1, struct request *);
    struct request **together = arena_array_of (executor->requests, count + 1, struct request *);
    if (left == NULL || together == NULL) {
        error_set (&err, ERROR_BUSY, "the worker is out of memory");
        fail_all (requests, count, &err, BUSY_RETRY_AFTER_MS);
        return;
    }
    unsigned kept = prepare (executor, requests, count, left);
    /* A round answers at least one request of each key, so the rounds are as many as requests share a key. What is
     * looked up is looked up again each time: it may have been written by the round before. */
    for (unsigned round = 0; kept > 0 && round < ROUNDS_MAX; round++) {
        unit_of_look_ups (executor);
        kept = look_up (executor, left, kept);
        if (kept > 0)
            run_round (executor, left, kept, together);
        kept = deferred (left, kept);
    }
    error_set (&err, ERROR_BUSY, "too many requests for the same key at once");
    fail_all (left, kept, &err, BUSY_RETRY_AFTER_MS);
}

void
batch_read (struct executor *executor, struct request **requests, unsigned count)
{
    struct error err;
    executor_begin (executor);
    executor->stats.batches++;
    executor->stats.requests += count;
    executor_set_patience (executor, requests, count);
    struct request **left = arena_array_of (executor->requests, count + 1, struct request *);
    if (left == NULL || executor_ready (executor, &err) < 0) {
        if (left == NULL)
            error_set (&err, ERROR_BUSY, "the worker is out of memory");
        fail_all (requests, count, &err, UNAVAILABLE_RETRY_AFTER_MS);
        return;
    }
    unsigned kept = prepare (executor, requests, count, left);
    unit_of_look_ups (executor);
    kept = look_up (executor, left, kept);
    if (kept > 0)
        run (executor, left, kept);
}

/* Whether the replica may be asked: it answers, and what it shows is recent enough. */
static bool
is_recent (struct executor *executor, struct error *err)
{
    enum pg_failure failure;
    executor->stats.replica_lag_ms = -1;
    if (executor_ready (executor, err) < 0)
        return false;
    PGresult *result =
        pg_run (executor->pg, STATEMENT_REPLICA_LAG, NULL, executor_deadline_us (executor), &failure, err);
    if (result != NULL && !pg_is_null (result, 0, 0))
        executor->stats.replica_lag_ms = pg_int (result, 0, 0);
    PQclear (result);
    if (result == NULL)
        return false;
    int64_t lag_ms = executor->stats.replica_lag_ms;
    return lag_ms >= 0 && lag_ms <= executor->settings->replica_lag_ms;
}

/* Everything that went wrong here is left to the primary too: what is not found may only not have come yet. */
void
batch_read_late (struct executor *executor, struct request **requests, unsigned count)
{
    struct error err;
    executor_begin (executor);
    executor_set_patience (executor, requests, count);
    bool answers = is_recent (executor, &err);
    if (answers)
        batch_read (executor, requests, count);
    for (unsigned i = 0; i < count; i++)
        if (!answers || requests[i]->status != REQUEST_DONE) {
            requests[i]->status = REQUEST_DEFERRED;
            executor->stats.replica_declined++;
        }
}
