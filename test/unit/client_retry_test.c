/* client_retry_test.c - what the C client does when answers do not come, or say: later. */
#include "client_router.h"
#include "loyalty/body.h"
#include "base/clock.h"
#include "loyalty/value.h"

#include <criterion/criterion.h>
#include <string.h>

static struct router router;
static struct loyalty_client *client;
static struct taken taken;

static void
set_up (void)
{
    router_open (&router, NULL);
    client = router_client (router.endpoint, NULL);
}

static void
tear_down (void)
{
    loyalty_client_destroy (&client);
    router_close (&router);
}

TestSuite (retry, .init = set_up, .fini = tear_down);

static uint64_t
submit (const char *method, unsigned timeout_ms)
{
    struct loyalty_error error;
    const struct loyalty_request request = { .method = method, .timeout_ms = timeout_ms };
    uint64_t handle = loyalty_submit (client, &request, NULL, NULL, &error);
    cr_assert_neq (handle, 0, "%s", error.message);
    return handle;
}

static struct loyalty_stats
stats (void)
{
    struct loyalty_stats now;
    loyalty_client_stats (client, &now);
    return now;
}

static int64_t
number_of (const struct loyalty_reply *reply)
{
    struct loyalty_value value;
    cr_assert (reply->ok, "%s: %s", reply->error.name, reply->error.message);
    cr_assert (loyalty_find (reply->result, reply->result_size, "number", &value));
    return value.integer;
}

/* The next answer is ok and holds this number. */
static void
expect_number (uint64_t handle, int64_t number)
{
    struct loyalty_reply reply;
    cr_assert_eq (loyalty_next (client, 3000, &reply), 1);
    cr_expect_eq (reply.handle, handle);
    cr_expect_eq (number_of (&reply), number);
    loyalty_reply_free (&reply);
}

static struct loyalty_error
expect_failure (enum loyalty_code code)
{
    struct loyalty_reply reply;
    cr_assert_eq (loyalty_next (client, 5000, &reply), 1);
    cr_assert_not (reply.ok);
    cr_expect_eq (reply.error.code, code, "%s: %s", reply.error.name, reply.error.message);
    struct loyalty_error error = reply.error;
    loyalty_reply_free (&reply);
    return error;
}

static void
take (void)
{
    cr_assert (router_take (&router, client, 3000, &taken), "no request came");
}

Test (retry, an_answer)
{
    uint64_t handle = submit ("order.get", 0);
    take ();
    cr_expect (str_equal (taken.header.method, STR ("order.get")));
    cr_expect_eq (taken.header.key.size, 0, "a method that changes nothing has no key");
    router_ok (&router, &taken, 7);
    expect_number (handle, 7);
    cr_expect_eq (loyalty_in_flight (client), 0);
}

Test (retry, busy_is_sent_again_with_the_same_key_when_the_engine_says_so)
{
    char key[65] = "";
    struct loyalty_reply reply;
    submit ("card.create", 0);
    take ();
    cr_assert_eq (taken.header.key.size, 36, "a method that needs a key gets one");
    memcpy (key, taken.header.key.data, 36);
    router_error (&router, &taken, "busy", 60);
    cr_expect_not (router_take (&router, client, 40, &taken), "it came back too early");
    take ();
    cr_expect (str_equal (taken.header.key, str_of (key)));
    router_ok (&router, &taken, 1);
    cr_assert_eq (loyalty_next (client, 3000, &reply), 1);
    cr_expect_eq (reply.attempts, 2);
    cr_expect_str_eq (reply.key, key);
    cr_expect_geq (reply.elapsed_us, 60000);
    loyalty_reply_free (&reply);
}

Test (retry, worker_lost_and_unavailable_are_sent_again)
{
    uint64_t handle = submit ("order.process", 0);
    take ();
    router_error (&router, &taken, "worker_lost", 0);
    take ();
    router_error (&router, &taken, "unavailable", 0);
    take ();
    router_ok (&router, &taken, 3);
    expect_number (handle, 3);
    cr_expect_eq (stats ().resent, 2);
}

Test (retry, what_would_come_after_the_deadline_is_not_waited_for)
{
    submit ("order.process", 500);
    take ();
    router_error (&router, &taken, "busy", 10000);
    struct loyalty_error error = expect_failure (LOYALTY_BUSY);
    cr_expect_eq (error.retry_after_ms, 10000);
    cr_expect (error.retryable);
    cr_expect_not (error.outcome_unknown, "busy did nothing");
}

Test (retry, other_errors_are_final)
{
    submit ("order.process", 0);
    take ();
    router_error (&router, &taken, "conflict", 0);
    cr_expect_not (expect_failure (LOYALTY_CONFLICT).outcome_unknown);
    cr_expect_eq (stats ().sent, 1);
}

Test (retry, silence_of_a_broker_is_answered_with_a_fresh_socket)
{
    uint8_t identity[64];
    router.is_mute = true;
    uint64_t handle = submit ("order.process", 0);
    take ();
    memcpy (identity, taken.identity, taken.identity_size);
    do
        take ();
    while (memcmp (identity, taken.identity, taken.identity_size) == 0);
    router_ok (&router, &taken, 5);
    expect_number (handle, 5);
    cr_expect_eq (stats ().connects, 2);
    cr_expect_geq (stats ().probes, 1);
}

Test (retry, a_broker_that_lives_is_waited_for)
{
    uint64_t handle = submit ("order.process", 0);
    take ();
    struct taken first = taken;
    take (); /* again, as the request is not answered, but through the same socket */
    struct taken later;
    for (int times = 0; stats ().probes == 0 && times < 300;
         times++) /* which is asked for a sign of life, now or soon */
        router_take (&router, client, 10, &later);
    cr_expect_eq (memcmp (first.identity, taken.identity, taken.identity_size), 0);
    router_ok (&router, &taken, 5);
    expect_number (handle, 5);
    cr_expect_eq (stats ().connects, 1);
    cr_expect_geq (stats ().probes, 1);
    cr_expect_eq (stats ().late + stats ().garbage, 0, "answers to probes are neither");
}

Test (retry, a_broker_that_sends_its_clients_away)
{
    struct router second;
    static const struct {
        const char *code, *reason;
        bool is_left;
    } CASES[] = {
        { "busy", "draining", true },
        { "unavailable", "no_worker", true },
        { "worker_lost", "draining", true },
        { "busy", "full", false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        router_open (&second, NULL);
        loyalty_client_destroy (&client);
        client = router_client (router.endpoint, second.endpoint);
        uint64_t refused = submit ("order.process", 0), waiting = submit ("order.process", 0);
        take ();
        router_refuse (&router, &taken, CASES[i].code, CASES[i].reason);
        take (); /* the other one, which is never answered here */
        if (!CASES[i].is_left) {
            take ();
            cr_expect_eq (taken.header.id, refused, "%s %s", CASES[i].code, CASES[i].reason);
            cr_expect_eq (stats ().connects, 1);
        } else {
            cr_assert (router_take (&second, client, 3000, &taken), "%s %s", CASES[i].code, CASES[i].reason);
            cr_expect_eq (taken.header.id, waiting, "what was not answered goes first");
            router_ok (&second, &taken, 1);
            cr_assert (router_take (&second, client, 3000, &taken));
            cr_expect_eq (taken.header.id, refused);
            router_ok (&second, &taken, 2);
            expect_number (waiting, 1);
            expect_number (refused, 2);
        }
        router_close (&second);
    }
}

Test (retry, the_only_broker_is_not_left)
{
    uint64_t handle = submit ("order.process", 0);
    take ();
    router_refuse (&router, &taken, "busy", "draining");
    take ();
    router_ok (&router, &taken, 1);
    expect_number (handle, 1);
    cr_expect_eq (stats ().connects, 1);
}

Test (retry, endpoints_with_commas)
{
    char text[600];
    loyalty_client_destroy (&client);
    snprintf (text, sizeof text, "tcp://127.0.0.1:1,%s", router.endpoint);
    client = router_client (text, NULL);
    uint64_t handle = submit ("order.get", 0);
    take ();
    router_ok (&router, &taken, 1);
    expect_number (handle, 1);
    cr_expect_str_eq (loyalty_client_endpoint (client), router.endpoint);
}

Test (retry, silence_about_one_request_while_others_are_answered_keeps_the_socket)
{
    uint64_t silent = submit ("order.process", 0);
    take ();
    for (int i = 0; i < 20; i++) {
        uint64_t other = submit ("order.get", 0);
        take ();
        if (taken.header.id == silent)
            break;
        cr_assert_eq (taken.header.id, other);
        router_ok (&router, &taken, i);
        expect_number (other, i);
        struct loyalty_reply none;
        cr_assert_eq (loyalty_next (client, 20, &none), 0);
    }
    cr_expect_eq (taken.header.id, silent, "it was not sent again");
    cr_expect_eq (stats ().connects, 1);
    router_ok (&router, &taken, 99);
    expect_number (silent, 99);
}

Test (retry, no_answer_at_all)
{
    submit ("order.process", 400);
    take ();
    struct loyalty_error error = expect_failure (LOYALTY_UNAVAILABLE);
    cr_expect (error.outcome_unknown);
    cr_expect (strstr (error.message, "no answer") != NULL, "%s", error.message);
}

Test (retry, silence_is_remembered_when_a_later_attempt_is_answered)
{
    submit ("order.process", 600);
    take (); /* not answered: it may have been done */
    take ();
    router_error (&router, &taken, "busy", 10000);
    cr_expect (expect_failure (LOYALTY_BUSY).outcome_unknown, "busy speaks of the second attempt only");
}

Test (retry, each_silence_is_waited_out_longer)
{
    int64_t at_ms[3];
    submit ("order.process", 0);
    for (int i = 0; i < 3; i++) {
        take ();
        at_ms[i] = clock_monotonic_ms ();
    }
    router_ok (&router, &taken, 1);
    cr_expect_geq (at_ms[1] - at_ms[0], 90);
    cr_expect_geq (at_ms[2] - at_ms[1], 190, "%lld ms", (long long)(at_ms[2] - at_ms[1]));
}

Test (retry, nobody_there)
{
    router_close (&router);
    submit ("order.process", 300);
    struct loyalty_error error = expect_failure (LOYALTY_UNAVAILABLE);
    cr_expect_not (error.outcome_unknown, "it was never sent");
    cr_expect_eq (stats ().sent, 0);
    router_open (&router, NULL);
}

Test (retry, a_deadline_shorter_than_the_silence_does_not_keep_a_dead_broker)
{
    for (int i = 0; i < 8; i++) {
        submit ("order.get", 60);
        expect_failure (LOYALTY_UNAVAILABLE);
    }
    cr_expect_geq (stats ().connects, 2);
}

Test (retry, a_broker_that_restarts)
{
    char endpoint[256];
    strcpy (endpoint, router.endpoint);
    uint64_t handle = submit ("order.process", 0);
    take ();
    router_close (&router);
    for (int i = 0; i < 30; i++)
        loyalty_poll (client, 10);
    router_open (&router, endpoint);
    take ();
    cr_expect_eq (taken.header.id, handle);
    router_ok (&router, &taken, 4);
    expect_number (handle, 4);
}

Test (retry, the_second_endpoint)
{
    struct router second;
    router_open (&second, NULL);
    loyalty_client_destroy (&client);
    client = router_client (router.endpoint, second.endpoint);
    uint64_t handle = submit ("order.process", 0);
    take ();
    cr_expect_str_eq (loyalty_client_endpoint (client), router.endpoint);
    router_close (&router);
    cr_assert (router_take (&second, client, 3000, &taken), "nothing came to the second");
    router_ok (&second, &taken, 6);
    expect_number (handle, 6);
    cr_expect_str_eq (loyalty_client_endpoint (client), second.endpoint);
    router_close (&second);
    router_open (&router, NULL);
}

Test (retry, late_replies_and_garbage_are_dropped)
{
    const char *const one[] = { "garbage" }, *const two[] = { "garbage", "body" }, *const three[] = { "a", "b", "c" };
    uint64_t first = submit ("order.get", 0);
    take ();
    router_ok (&router, &taken, 1);
    router_ok (&router, &taken, 2);
    router_frames (&router, &taken, 1, one);
    router_frames (&router, &taken, 2, two);
    router_frames (&router, &taken, 3, three);
    expect_number (first, 1);
    uint64_t second = submit ("order.get", 0);
    take ();
    router_ok (&router, &taken, 3);
    expect_number (second, 3);
    cr_expect_eq (stats ().late, 1);
    cr_expect_eq (stats ().garbage, 3);
}

Test (retry, an_answer_to_the_first_attempt_counts_while_the_second_waits)
{
    uint64_t handle = submit ("order.process", 0);
    take ();
    router_error (&router, &taken, "worker_lost", 2000);
    loyalty_poll (client, 50);
    router_ok (&router, &taken, 8);
    expect_number (handle, 8);
    cr_expect_eq (stats ().sent, 1);
}

Test (retry, forgotten)
{
    uint64_t handle = submit ("order.get", 0);
    take ();
    cr_expect_eq (loyalty_forget (client, handle), 0);
    cr_expect_eq (loyalty_forget (client, handle), -1);
    router_ok (&router, &taken, 1);
    struct loyalty_reply reply;
    cr_expect_eq (loyalty_next (client, 100, &reply), 0);
    cr_expect_eq (stats ().late, 1);
}

/* Requests take each other's places in the client's table: 8 may be in flight, so that of 20 some take the first's. */
Test (retry, a_late_answer_is_not_taken_for_the_request_in_its_place)
{
    struct taken first;
    uint64_t forgotten = submit ("order.get", 0);
    take ();
    first = taken;
    first.header.id = forgotten;
    cr_assert_eq (loyalty_forget (client, forgotten), 0);
    for (int i = 0; i < 20; i++) {
        uint64_t handle = submit ("order.get", 0);
        take ();
        router_ok (&router, &first, -1);
        router_ok (&router, &taken, i);
        expect_number (handle, i);
    }
    cr_expect_eq (stats ().late, 20);
}

Test (retry, more_than_may_be_in_flight)
{
    struct loyalty_error error;
    const struct loyalty_request request = { .method = "order.get" };
    for (int i = 0; i < 8; i++)
        submit ("order.get", 0);
    cr_expect_eq (loyalty_submit (client, &request, NULL, NULL, &error), 0);
    cr_expect_eq (error.code, LOYALTY_BUSY);
    take ();
    router_ok (&router, &taken, 1);
    expect_number (taken.header.id, 1);
    submit ("order.get", 0);
}

static unsigned answered;

static void
submit_another (const struct loyalty_reply *reply)
{
    struct loyalty_error error;
    const struct loyalty_request request = { .method = "order.get" };
    answered++;
    cr_expect_eq (reply->context, &answered);
    if (answered < 20)
        cr_expect_neq (loyalty_submit (client, &request, submit_another, &answered, &error), 0, "%s", error.message);
}

Test (retry, callbacks_submit_more_with_all_places_taken)
{
    struct loyalty_error error;
    const struct loyalty_request request = { .method = "order.get" };
    answered = 0;
    for (int i = 0; i < 8; i++)
        cr_assert_neq (loyalty_submit (client, &request, submit_another, &answered, &error), 0);
    while (router_take (&router, client, answered < 20 ? 1000 : 50, &taken))
        router_ok (&router, &taken, 1);
    while (loyalty_in_flight (client) > 0)
        loyalty_poll (client, 100);
    cr_expect_eq (answered, 27, "%u", answered);
}

Test (retry, wrong_requests)
{
    struct loyalty_error error;
    static char large[1024 * 1024 + 1];
    const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
    const struct loyalty_request wrong[] = {
        { .method = NULL },
        { .method = "" },
        { .method = long_name },
        { .method = "order.get", .key = "" },
        { .method = "order.get", .key = long_name },
        { .method = "order.get", .traceparent = long_name },
        { .method = "order.get", .timeout_ms = 600001 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq (loyalty_submit (client, &wrong[i], NULL, NULL, &error), 0, "%zu", i);
        cr_expect_eq (error.code, LOYALTY_INVALID_REQUEST, "%zu: %s", i, error.message);
    }
    const struct loyalty_request request = { .method = "order.get", .body = large, .body_size = sizeof large };
    cr_expect_eq (loyalty_submit (client, &request, NULL, NULL, &error), 0);
    cr_expect_eq (error.code, LOYALTY_TOO_LARGE);
    cr_expect_eq (loyalty_in_flight (client), 0);
}

Test (retry, wrong_options)
{
    struct loyalty_options options;
    struct loyalty_error error;
    const char *const endpoints[] = { "localhost:7600" };
    loyalty_options_init (&options);
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    cr_expect_null (loyalty_client_new (&options, &error));
    cr_expect_eq (error.code, LOYALTY_INVALID_REQUEST);
    const char *const lists[] = { "tcp://127.0.0.1:7600,localhost:7600" };
    options.endpoints = lists;
    cr_expect_null (loyalty_client_new (&options, &error));
    cr_expect_eq (error.code, LOYALTY_INVALID_REQUEST);
    loyalty_options_init (&options);
    options.in_flight_max = 0;
    cr_expect_null (loyalty_client_new (&options, &error));
    cr_expect (strstr (error.message, "in_flight_max") != NULL, "%s", error.message);
    loyalty_options_init (&options);
    options.server_key = "too short";
    cr_expect_null (loyalty_client_new (&options, &error));
    cr_expect (strstr (error.message, "server_key") != NULL, "%s", error.message);
}
