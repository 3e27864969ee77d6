/* broker_limits_test.c - what one client may have and send, and its share of the turns and of the work. */
#include "unit/broker_fixture.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>
#include <string.h>

enum { CLIENT = 100, OTHER = 101, THIRD = 102, WORKER = 1, SESSION = 11 };

static void
expect_busy (struct fixture *fixture, uint64_t id)
{
    const struct kept_reply *reply = next_reply (fixture);
    cr_expect_eq (reply->id, id, "id %llu, not %llu", (unsigned long long)reply->id, (unsigned long long)id);
    cr_expect (!reply->ok && reply->failure.code == ERROR_BUSY, "%s", reply->failure.message);
    cr_expect_gt (reply->retry_ms, 0);
}

/* Ids of the dispatches that were not looked at, one after the other. */
static void
expect_dispatches (struct fixture *fixture, const char *ids)
{
    char text[200] = "";
    while (controls_left (fixture, MESSAGE_DISPATCH) > 0)
        snprintf (text + strlen (text), sizeof text - strlen (text), "%s%llu", text[0] != '\0' ? " " : "",
                  (unsigned long long)next_control (fixture, MESSAGE_DISPATCH)->request);
    cr_expect_str_eq (text, ids);
}

Test (broker_limits, a_user_has_one_bound_over_all_its_connections)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_requests_max = 3;
    struct fixture *fixture = fixture_new (&settings);
    request (fixture, .peer = CLIENT, .id = 1, .user = "till 1");
    request (fixture, .peer = OTHER, .id = 2, .user = "till 1");
    request (fixture, .peer = THIRD, .id = 3, .user = "till 1");
    request (fixture, .peer = OTHER, .id = 4, .user = "till 1");
    expect_busy (fixture, 4);
    request (fixture, .peer = CLIENT + 10, .id = 5, .user = "till 2");
    /* Who has no name is somebody else than whoever has none either. */
    request (fixture, .peer = CLIENT + 11, .id = 6);
    request (fixture, .peer = CLIENT + 12, .id = 7);
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_limits, a_user_takes_turns_as_one)
{
    struct fixture *fixture = fixture_new (NULL);
    uint64_t id = 0;
    for (unsigned round = 0; round < 3; round++)
        for (uint64_t peer = 1000; peer < 1003; peer++)
            request (fixture, .peer = peer, .id = ++id, .user = "crowd");
    request (fixture, .peer = OTHER, .id = 20, .user = "alone");
    request (fixture, .peer = OTHER, .id = 21, .user = "alone");
    request (fixture, .peer = OTHER, .id = 22, .user = "alone");
    hello (fixture, WORKER, SESSION, 100);
    /* One of each in turn; those of the crowd take turns among themselves. */
    expect_dispatches (fixture, "1 20 2 21 3 22 4 5 6 7 8 9");
    fixture_destroy (fixture);
}

Test (broker_limits, one_client_has_its_part_of_the_bytes)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_mib_max = 2;
    struct fixture *fixture = fixture_new (&settings);
    request (fixture, .peer = CLIENT, .id = 1, .body_size = 1000000, .user = "till 1");
    request (fixture, .peer = OTHER, .id = 2, .body_size = 1000000, .user = "till 1");
    request (fixture, .peer = CLIENT, .id = 3, .body_size = 1000000, .user = "till 1");
    expect_busy (fixture, 3);
    request (fixture, .peer = CLIENT, .id = 4, .body_size = 1000, .user = "till 1");
    request (fixture, .peer = THIRD, .id = 5, .body_size = 1000000, .user = "till 2");
    cr_expect_eq (replies_left (fixture), 0);
    /* What is answered makes room. */
    hello (fixture, WORKER, SESSION, 1);
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    cr_expect (next_reply (fixture)->ok);
    request (fixture, .peer = CLIENT, .id = 6, .body_size = 1000000, .user = "till 1");
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

static struct fixture *
rated (int64_t per_s, int64_t burst)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_rate_per_s = per_s;
    settings.client_burst = burst;
    settings.worker_timeout_ms = 60000;
    return fixture_new (&settings);
}

Test (broker_limits, a_burst_passes_and_then_the_rate_holds)
{
    struct fixture *fixture = rated (10, 5);
    uint64_t id = 0;
    hello (fixture, WORKER, SESSION, 100);
    while (id < 5)
        request (fixture, .peer = CLIENT, .id = ++id);
    cr_expect_eq (replies_left (fixture), 0);
    request (fixture, .peer = CLIENT, .id = ++id);
    expect_busy (fixture, id);
    cr_expect_eq (fixture->replies[0].retry_ms, 100);
    cr_expect_not_null (strstr (fixture->replies[0].failure.message, "10 requests a second"));
    /* Nobody else is held up. */
    request (fixture, .peer = OTHER, .id = 50);
    cr_expect_eq (replies_left (fixture), 0);
    /* One each 100 ms, for as long as one likes. */
    for (unsigned i = 0; i < 20; i++) {
        tick_at (fixture, 100);
        request (fixture, .peer = CLIENT, .id = ++id);
    }
    cr_expect_eq (replies_left (fixture), 0);
    request (fixture, .peer = CLIENT, .id = ++id);
    expect_busy (fixture, id);
    /* A pause fills the bucket to a burst and no further. */
    tick_at (fixture, 4000);
    fixture->replies_seen = fixture->reply_count;
    for (unsigned i = 0; i < 5; i++)
        request (fixture, .peer = CLIENT, .id = ++id);
    cr_expect_eq (replies_left (fixture), 0);
    request (fixture, .peer = CLIENT, .id = ++id);
    expect_busy (fixture, id);
    fixture_destroy (fixture);
}

Test (broker_limits, each_that_is_refused_is_told_a_time_of_its_own_and_then_taken)
{
    struct fixture *fixture = rated (100, 1);
    int64_t begin_us = fixture->now_us;
    request (fixture, .peer = CLIENT, .id = 1);
    for (uint64_t id = 2; id <= 20; id++)
        request (fixture, .peer = CLIENT, .id = id);
    for (uint64_t id = 2; id <= 20; id++) {
        cr_expect_eq (fixture->replies[id - 2].retry_ms, 10 * ((int64_t)id - 1));
        expect_busy (fixture, id);
    }
    for (uint64_t id = 2; id <= 20; id++) {
        fixture->now_us = begin_us + fixture->replies[id - 2].retry_ms * 1000;
        request (fixture, .peer = CLIENT, .id = 100 + id);
        cr_expect_eq (replies_left (fixture), 0, "refused again when it came as it was told");
    }
    /* However many are refused, the time is not far. */
    for (uint64_t id = 1000; id < 3000; id++)
        request (fixture, .peer = CLIENT, .id = id);
    cr_expect_eq (fixture->replies[fixture->reply_count - 1].retry_ms, 5000);
    fixture_destroy (fixture);
}

Test (broker_limits, a_new_connection_is_no_new_user)
{
    struct fixture *fixture = rated (1, 2);
    fixture->gone_peer = CLIENT;
    request (fixture, .peer = CLIENT, .id = 1, .user = "till 1");
    request (fixture, .peer = CLIENT, .id = 2, .user = "till 1", .ttl_ms = 10);
    tick_at (fixture, 30);
    cr_expect_eq (core_gauges (fixture->core).clients, 0, "its connection is gone");
    request (fixture, .peer = OTHER, .id = 3, .user = "till 1");
    expect_busy (fixture, 3);
    request (fixture, .peer = THIRD, .id = 4, .user = "till 2");
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_limits, a_connection_whose_key_is_renamed_takes_its_requests_along)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_requests_max = 3;
    struct fixture *fixture = fixture_new (&settings);
    request (fixture, .peer = CLIENT, .id = 1, .user = "old");
    request (fixture, .peer = CLIENT, .id = 2, .user = "old");
    request (fixture, .peer = CLIENT, .id = 3, .user = "new");
    request (fixture, .peer = OTHER, .id = 4, .user = "new");
    expect_busy (fixture, 4);
    request (fixture, .peer = THIRD, .id = 5, .user = "old");
    cr_expect_eq (replies_left (fixture), 0);
    hello (fixture, WORKER, SESSION, 100);
    expect_dispatches (fixture, "1 5 2 3");
    fixture_destroy (fixture);
}

/* Both ask in one second, so that the next tick shares the work out. */
static void
ask_both (struct fixture *fixture)
{
    request (fixture, .peer = CLIENT, .id = 1);
    request (fixture, .peer = OTHER, .id = 2);
    tick_at (fixture, 10);
    for (unsigned i = 0; i < 2; i++)
        worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    worker_says (fixture, WORKER, (struct worker_message){ .kind = MESSAGE_GRANT, .session = SESSION, .granted = 102 });
    tick_at (fixture, 10);
    fixture->replies_seen = fixture->reply_count;
}

static void
flood (struct fixture *fixture, uint64_t count)
{
    for (uint64_t id = 1000; id < 1000 + count; id++)
        request (fixture, .peer = CLIENT, .id = id);
}

Test (broker_limits, alone_a_client_has_all_of_the_work)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 100);
    tick_at (fixture, 10);
    flood (fixture, 150);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 100);
    fixture_destroy (fixture);
}

Test (broker_limits, while_others_ask_it_has_its_share)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 100);
    ask_both (fixture);
    flood (fixture, 150);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 50, "half of the credit");
    /* The other has all room that it may want. */
    request (fixture, .peer = OTHER, .id = 3);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 51);
    /* As its requests are answered, others of it follow. */
    const struct kept_control *dispatch = next_control (fixture, MESSAGE_DISPATCH);
    cr_expect_eq (dispatch->request, 1000);
    worker_answers (fixture, WORKER, SESSION, dispatch->message.dispatch, "");
    cr_expect_eq (core_gauges (fixture->core).in_flight, 51);
    /* Nobody else has asked for a while: it may have everything. */
    tick_at (fixture, 2100);
    cr_expect_gt (core_gauges (fixture->core).in_flight, 90);
    fixture_destroy (fixture);
}

Test (broker_limits, a_share_is_never_less_than_the_least)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_work_min = 7;
    struct fixture *fixture = fixture_new (&settings);
    hello (fixture, WORKER, SESSION, 200);
    for (uint64_t peer = 1; peer <= 100; peer++)
        request (fixture, .peer = 1000 + peer, .id = peer);
    tick_at (fixture, 10);
    flood (fixture, 50);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 107);
    fixture_destroy (fixture);
}

Test (broker_limits, when_it_stops_whoever_is_capped_is_answered_too)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 100);
    ask_both (fixture);
    flood (fixture, 150);
    core_stop (fixture->core, fixture->now_us);
    cr_expect_eq (replies_left (fixture), 150);
    cr_expect_eq (core_gauges (fixture->core).queued, 0);
    fixture_destroy (fixture);
}

Test (broker_limits, statistics_and_log_tell_who_was_limited)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_requests_max = 2;
    struct fixture *fixture = fixture_new (&settings);
    for (uint64_t id = 1; id <= 7; id++)
        request (fixture, .peer = CLIENT, .id = id, .user = "till 9");
    request (fixture, .peer = OTHER, .id = 8, .user = "till 8");
    const char *told = strstr (fixture->events, "client till 9");
    cr_assert_not_null (told, "%s", fixture->events);
    cr_expect_not_null (strstr (told, "requests waiting or in work"));
    cr_expect_null (strstr (told + 1, "client till 9"), "told once, not each time");
    request (fixture, .peer = OTHER, .id = 9, .method = "admin.stats");
    struct str value = { (const char *)fixture->result, fixture->result_size }, counter;
    cr_assert (wire_map_find (value, "counters", &counter) && wire_map_find (counter, "limited", &counter));
    cr_expect_eq (counter.data[0], 5);
    cr_assert (wire_map_find (value, "limited", &value));
    struct wire_reader reader = wire_reader_of (value);
    struct wire_token token;
    cr_assert (wire_next (&reader, &token) && token.type == TOKEN_ARRAY && token.count == 1);
    cr_expect_not_null (memmem (value.data, value.size, "till 9", 6));
    cr_expect_not_null (memmem (value.data, value.size, "\xa8requests\x05", 10));
    fixture_destroy (fixture);
}

Test (broker_limits, no_memory_for_a_user_is_busy)
{
    struct fixture *fixture = fixture_new (NULL);
    fixture->fail_allocations_from = fixture->allocations + 2; /* the connection; then the user */
    request (fixture, .peer = CLIENT, .id = 1, .user = "till 1");
    expect_busy (fixture, 1);
    fixture->fail_allocations_from = 0;
    request (fixture, .peer = CLIENT, .id = 2, .user = "till 1");
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}
