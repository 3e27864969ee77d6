/* broker_admit_test.c - what the broker takes in: form, methods, roles, bounds, deadlines. */
#include "unit/broker_fixture.h"
#include "wire/msgpack.h"
#include "wire/schema.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { CLIENT = 100, OTHER = 101, WORKER = 1, SESSION = 11 };

static void
raw_message (struct fixture *fixture, struct str header, unsigned frame_count, uint32_t body_size)
{
    const struct client_message message = {
        .peer = CLIENT, .roles = ROLES_ANY, .frame_count = frame_count, .header = header, .body_size = body_size
    };
    core_client_message (fixture->core, fixture->now_us, &message);
}

static void
expect_failure (struct fixture *fixture, uint64_t id, enum error_code code)
{
    const struct kept_reply *reply = next_reply (fixture);
    cr_expect_eq (reply->id, id, "id %llu, not %llu", (unsigned long long)reply->id, (unsigned long long)id);
    cr_expect (!reply->ok);
    cr_expect_eq (reply->failure.code, code, "%s, not %s: %s", error_code_name (reply->failure.code),
                  error_code_name (code), reply->failure.message);
}

Test (broker_admit, a_request_goes_to_a_worker_and_its_answer_back)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 7, .ttl_ms = 300, .roles = ROLE_TILL, .user = "till 3");
    const struct kept_control *dispatch = next_control (fixture, MESSAGE_DISPATCH);
    cr_expect_eq (dispatch->request, 7);
    cr_expect_eq (dispatch->message.ttl_ms, 300);
    cr_expect_eq (dispatch->message.roles, ROLE_TILL);
    cr_expect_str_eq (dispatch->text, "till 3");
    worker_answers (fixture, WORKER, SESSION, dispatch->message.dispatch, "done");
    const struct kept_reply *reply = next_reply (fixture);
    cr_expect_eq (reply->peer, CLIENT);
    cr_expect_eq (reply->id, 7);
    cr_expect_str_eq (reply->answer, "done");
    fixture_destroy (fixture);
}

Test (broker_admit, nonsense_is_invalid)
{
    struct fixture *fixture = fixture_new (NULL);
    raw_message (fixture, STR ("\xff\x00nonsense"), 2, 0);
    expect_failure (fixture, 0, ERROR_INVALID_REQUEST);
    raw_message (fixture, STR (""), 0, 0);
    expect_failure (fixture, 0, ERROR_INVALID_REQUEST);
    raw_message (fixture, STR (""), 2, 0);
    expect_failure (fixture, 0, ERROR_INVALID_REQUEST);
    fixture_destroy (fixture);
}

Test (broker_admit, a_wrong_number_of_frames_is_told_with_the_id)
{
    struct fixture *fixture = fixture_new (NULL);
    struct buf bytes = { 0 };
    const struct request_header header = {
        .version = PROTOCOL_VERSION, .id = 5, .method = STR ("order.quote"), .ttl_ms = 1000
    };
    request_header_encode (&header, &bytes);
    raw_message (fixture, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, 1, 0);
    expect_failure (fixture, 5, ERROR_INVALID_REQUEST);
    raw_message (fixture, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, 3, 0);
    expect_failure (fixture, 5, ERROR_INVALID_REQUEST);
    /* Two frames, but there was no memory to keep them. */
    raw_message (fixture, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, 2, 0);
    expect_failure (fixture, 5, ERROR_BUSY);
    buf_free (&bytes);
    fixture_destroy (fixture);
}

Test (broker_admit, sizes_have_bounds)
{
    struct fixture *fixture = fixture_new (NULL);
    static char big[WIRE_HEADER_MAX + 1];
    raw_message (fixture, (struct str){ big, sizeof big }, 2, 0);
    expect_failure (fixture, 0, ERROR_TOO_LARGE);
    request (fixture, .peer = CLIENT, .id = 1, .body_size = WIRE_BODY_MAX + 1);
    expect_failure (fixture, 1, ERROR_TOO_LARGE);
    request (fixture, .peer = CLIENT, .id = 2, .body_size = WIRE_BODY_MAX);
    cr_expect_eq (replies_left (fixture), 0, "a body of just the bound is taken");
    fixture_destroy (fixture);
}

Test (broker_admit, an_unknown_method_is_invalid)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 3, .method = "order.steal");
    expect_failure (fixture, 3, ERROR_INVALID_REQUEST);
    cr_expect_str_eq (fixture->replies[0].failure.details[0].value, "method");
    fixture_destroy (fixture);
}

Test (broker_admit, roles_are_those_of_the_table)
{
    struct fixture *fixture = fixture_new (NULL);
    static const unsigned ROLES[] = { ROLE_TILL, ROLE_ODOO, ROLE_MONITOR, ROLE_ADMIN, ROLE_WORKER };
    for (unsigned method = 0; method < METHOD_COUNT; method++) {
        for (unsigned i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
            unsigned waiting = core_gauges (fixture->core).queued;
            request (fixture, .peer = CLIENT, .id = method, .method = METHOD_TABLE[method].name, .roles = ROLES[i]);
            if ((METHOD_TABLE[method].roles & ROLES[i]) == 0)
                expect_failure (fixture, method, ERROR_FORBIDDEN);
            else if (METHOD_TABLE[method].target == TARGET_BROKER)
                cr_expect_eq (next_reply (fixture)->ok, method != METHOD_ADMIN_DRAIN, "the latter lacks a body");
            else
                cr_expect_eq (core_gauges (fixture->core).queued, waiting + 1, "%s is let in",
                              METHOD_TABLE[method].name);
        }
    }
    fixture_destroy (fixture);
}

Test (broker_admit, one_client_has_a_bound_and_the_others_have_room)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_requests_max = 3;
    struct fixture *fixture = fixture_new (&settings);
    for (uint64_t id = 1; id <= 4; id++)
        request (fixture, .peer = CLIENT, .id = id);
    expect_failure (fixture, 4, ERROR_BUSY);
    cr_expect_gt (fixture->replies[0].retry_ms, 0);
    request (fixture, .peer = OTHER, .id = 5);
    cr_expect_eq (replies_left (fixture), 0);
    /* What is in work counts too. */
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 6);
    expect_failure (fixture, 6, ERROR_BUSY);
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    cr_expect (next_reply (fixture)->ok);
    request (fixture, .peer = CLIENT, .id = 7);
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_admit, all_requests_together_have_a_bound)
{
    struct settings settings;
    settings_default (&settings);
    settings.requests_max = 10;
    struct fixture *fixture = fixture_new (&settings);
    for (uint64_t id = 1; id <= 11; id++)
        request (fixture, .peer = CLIENT + id, .id = id);
    expect_failure (fixture, 11, ERROR_BUSY);
    cr_expect_eq (core_gauges (fixture->core).queued, 10);
    fixture_destroy (fixture);
}

Test (broker_admit, bytes_have_a_bound)
{
    struct settings settings;
    settings_default (&settings);
    settings.request_mib_max = 2;
    struct fixture *fixture = fixture_new (&settings);
    request (fixture, .peer = CLIENT, .id = 1, .body_size = 1000000);
    request (fixture, .peer = CLIENT, .id = 2, .body_size = 1000000);
    cr_expect_eq (replies_left (fixture), 0);
    request (fixture, .peer = OTHER, .id = 3, .body_size = 1000000);
    expect_failure (fixture, 3, ERROR_BUSY);
    request (fixture, .peer = OTHER, .id = 4, .body_size = 1000);
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_admit, an_idle_client_makes_room_for_a_new_one)
{
    struct settings settings;
    settings_default (&settings);
    settings.clients_max = 2;
    struct fixture *fixture = fixture_new (&settings);
    request (fixture, .peer = 1000, .id = 1);
    request (fixture, .peer = 1001, .id = 2);
    request (fixture, .peer = 1002, .id = 3);
    expect_failure (fixture, 3, ERROR_BUSY);
    hello (fixture, WORKER, SESSION, 1);
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    request (fixture, .peer = 1002, .id = 4);
    cr_expect_eq (replies_left (fixture), 1, "the answer to 1 only");
    cr_expect_eq (core_gauges (fixture->core).clients, 2);
    fixture_destroy (fixture);
}

Test (broker_admit, idle_clients_are_forgotten)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 100);
    tick_at (fixture, fixture->settings.client_idle_ms - 1000);
    cr_expect_eq (core_gauges (fixture->core).clients, 1);
    tick_at (fixture, 2000);
    cr_expect_eq (core_gauges (fixture->core).clients, 0);
    fixture_destroy (fixture);
}

Test (broker_admit, a_request_that_waits_expires)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 0);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 500);
    worker_beats (fixture, WORKER, SESSION, (struct str){ 0 });
    tick_at (fixture, 490);
    cr_expect_eq (replies_left (fixture), 0);
    tick_at (fixture, 30);
    expect_failure (fixture, 1, ERROR_EXPIRED_DEADLINE);
    fixture_destroy (fixture);
}

Test (broker_admit, deadlines_further_than_a_turn_of_the_wheel_are_kept)
{
    struct settings settings;
    settings_default (&settings);
    settings.unavailable_after_ms = 600000;
    struct fixture *fixture = fixture_new (&settings);
    static const uint32_t TTLS_MS[] = { 8000, 8389, 30000, 120000 };
    for (unsigned i = 0; i < 4; i++)
        request (fixture, .peer = CLIENT, .id = i + 1, .ttl_ms = TTLS_MS[i]);
    int64_t start_us = fixture->now_us;
    for (unsigned i = 0; i < 4; i++) {
        tick_at (fixture, TTLS_MS[i] - 20 - (fixture->now_us - start_us) / 1000);
        cr_expect_eq (replies_left (fixture), 0, "ttl %u fired early", TTLS_MS[i]);
        tick_at (fixture, 40);
        expect_failure (fixture, i + 1, ERROR_EXPIRED_DEADLINE);
    }
    fixture_destroy (fixture);
}

Test (broker_admit, no_worker_begins_what_is_too_late)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 100);
    fixture->now_us += 100000; /* no tick in between */
    hello (fixture, WORKER, SESSION, 1);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 0);
    expect_failure (fixture, 1, ERROR_EXPIRED_DEADLINE);
    fixture_destroy (fixture);
}

Test (broker_admit, the_rest_of_the_time_is_passed_on)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 1000);
    tick_at (fixture, 400);
    hello (fixture, WORKER, SESSION, 1);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->message.ttl_ms, 600);
    fixture_destroy (fixture);
}

/* Answers 100 requests a second while others wait, for two seconds. */
static void
serve_slowly (struct fixture *fixture)
{
    uint64_t granted = 1;
    hello (fixture, WORKER, SESSION, granted);
    for (unsigned i = 0; i < 200; i++) {
        request (fixture, .peer = CLIENT, .id = 1000 + i, .ttl_ms = 600000);
        request (fixture, .peer = CLIENT, .id = 5000 + i, .ttl_ms = 600000);
        tick_at (fixture, 10);
        worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
        worker_says (fixture, WORKER,
                     (struct worker_message){ .kind = MESSAGE_GRANT, .session = SESSION, .granted = ++granted });
        cr_assert (next_reply (fixture)->ok);
    }
}

Test (broker_admit, what_cannot_be_served_in_time_is_refused_at_once)
{
    struct fixture *fixture = fixture_new (NULL);
    serve_slowly (fixture); /* 200 wait: 2 seconds */
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 1000);
    expect_failure (fixture, 1, ERROR_BUSY);
    int64_t retry_ms = fixture->replies[fixture->replies_seen - 1].retry_ms;
    cr_expect (retry_ms > 1000 && retry_ms < 3000, "retry after %lld ms", (long long)retry_ms);
    request (fixture, .peer = CLIENT, .id = 2, .ttl_ms = 4000);
    cr_expect_eq (replies_left (fixture), 0, "there is time enough");
    /* Another client takes its turn next: the flood does not count against it. */
    request (fixture, .peer = OTHER, .id = 3, .ttl_ms = 1000);
    cr_expect_eq (replies_left (fixture), 0, "its turn comes soon");
    fixture_destroy (fixture);
}

Test (broker_admit, without_workers_requests_wait_and_then_are_told)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 60000);
    tick_at (fixture, fixture->settings.unavailable_after_ms - 10);
    cr_expect_eq (replies_left (fixture), 0);
    tick_at (fixture, 20);
    expect_failure (fixture, 1, ERROR_UNAVAILABLE);
    cr_expect_gt (fixture->replies[0].retry_ms, 0);
    request (fixture, .peer = CLIENT, .id = 2);
    expect_failure (fixture, 2, ERROR_UNAVAILABLE);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 3);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->request, 3);
    fixture_destroy (fixture);
}

Test (broker_admit, a_connection_that_is_gone_loses_what_waits)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    request (fixture, .peer = CLIENT, .id = 2);
    request (fixture, .peer = OTHER, .id = 3);
    fixture->gone_peer = CLIENT;
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    cr_expect_eq (core_gauges (fixture->core).queued, 1, "only the other client's is left");
    cr_expect_eq (core_gauges (fixture->core).clients, 1);
    fixture_destroy (fixture);
}

Test (broker_admit, a_full_connection_loses_the_reply_alone)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    request (fixture, .peer = CLIENT, .id = 2);
    fixture->full_peer = CLIENT;
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    cr_expect_eq (core_gauges (fixture->core).queued, 1);
    cr_expect_eq (core_gauges (fixture->core).clients, 1);
    fixture_destroy (fixture);
}

Test (broker_admit, out_of_memory_is_busy_and_nothing_breaks)
{
    for (unsigned nth = 2; nth < 6; nth++) {
        struct fixture *fixture = fixture_new (NULL);
        fixture->fail_allocations_from = nth; /* the core itself was the first */
        for (uint64_t id = 1; id <= 600; id++)
            request (fixture, .peer = CLIENT + id % 3, .id = id);
        cr_expect_gt (replies_left (fixture), 0, "allocation %u never failed", nth);
        while (replies_left (fixture) > 0)
            cr_expect_eq (next_reply (fixture)->failure.code, ERROR_BUSY);
        hello (fixture, WORKER, SESSION, 1);
        cr_expect_eq (next_control (fixture, MESSAGE_RESET)->message.reason, RESET_FULL);
        fixture->fail_allocations_from = 0;
        hello (fixture, WORKER, SESSION, 1000);
        request (fixture, .peer = CLIENT, .id = 601);
        cr_expect_eq (core_gauges (fixture->core).queued, 0);
        fixture_destroy (fixture);
    }
}

Test (broker_admit, a_core_without_memory_is_none)
{
    struct settings settings;
    struct fixture *fixture = fixture_new (NULL);
    settings_default (&settings);
    core_destroy (&fixture->core);
    core_destroy (&fixture->core); /* NULL is fine */
    fixture_destroy (fixture);
}

/* The value of `name` in the map `map` of the last result; of the map itself when `name` is NULL. */
static bool
stat_of (struct fixture *fixture, const char *map, const char *name, struct wire_token *token)
{
    struct str value = { (const char *)fixture->result, fixture->result_size };
    if (!wire_map_find (value, map, &value) || (name != NULL && !wire_map_find (value, name, &value)))
        return false;
    struct wire_reader reader = wire_reader_of (value);
    return wire_next (&reader, token);
}

Test (broker_admit, statistics_are_answered_by_the_broker)
{
    struct fixture *fixture = fixture_new (NULL);
    struct wire_token token;
    hello (fixture, WORKER, SESSION, 1);
    worker_beats (fixture, WORKER, SESSION,
                  STR ("\x81\xa7"
                       "batches\x05"));
    for (uint64_t id = 1; id <= 3; id++)
        request (fixture, .peer = CLIENT, .id = id, .user = "till 1");
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    request (fixture, .peer = CLIENT, .id = 4, .method = "order.steal");
    request (fixture, .peer = OTHER, .id = 5, .method = "admin.stats", .roles = ROLE_MONITOR);
    const struct kept_reply *reply = &fixture->replies[fixture->reply_count - 1];
    cr_assert (reply->ok && reply->id == 5 && reply->peer == OTHER);
    cr_assert (stat_of (fixture, "version", NULL, &token) && token.type == TOKEN_STR);
    cr_assert (stat_of (fixture, "queue", "waiting", &token));
    cr_expect_eq (token.integer, 2);
    cr_assert (stat_of (fixture, "counters", "answered", &token));
    cr_expect_eq (token.integer, 1);
    cr_assert (stat_of (fixture, "errors", "invalid_request", &token));
    cr_expect_eq (token.integer, 1);
    cr_assert (stat_of (fixture, "latency_us", "count", &token));
    cr_expect_eq (token.integer, 1);
    cr_assert (stat_of (fixture, "workers", NULL, &token));
    cr_expect_eq (token.count, 1);
    cr_assert_not_null (memmem (fixture->result, fixture->result_size,
                                "\xa7"
                                "batches\x05",
                                9),
                        "the worker's own");
    cr_assert_not_null (memmem (fixture->result, fixture->result_size, "till 1", 6));
    /* The whole is one well-formed value. */
    struct wire_reader reader = wire_reader_of ((struct str){ (const char *)fixture->result, fixture->result_size });
    cr_expect (wire_skip (&reader, 8) && reader.at == reader.end);
    fixture_destroy (fixture);
}
