/* broker_worker_test.c - sessions of workers: credit, choice, death, drain. */
#include "unit/broker_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT = 100, OTHER = 101, WORKER = 1, SESSION = 11, SECOND = 2, SESSION_2 = 22 };

static void
expect_failure (struct fixture *fixture, uint64_t id, enum error_code code)
{
    const struct kept_reply *reply = next_reply (fixture);
    cr_expect_eq (reply->id, id, "id %llu, not %llu", (unsigned long long)reply->id, (unsigned long long)id);
    cr_expect_eq (reply->failure.code, code, "%s, not %s: %s", error_code_name (reply->failure.code),
                  error_code_name (code), reply->failure.message);
}

static void
grant (struct fixture *fixture, uint64_t peer, uint64_t session, uint64_t granted)
{
    worker_says (fixture, peer,
                 (struct worker_message){ .kind = MESSAGE_GRANT, .session = session, .granted = granted });
}

static void
say (struct fixture *fixture, uint64_t peer, uint64_t session, enum worker_message_kind kind)
{
    worker_says (fixture, peer, (struct worker_message){ .kind = kind, .session = session });
}

Test (broker_worker, hello_is_answered_and_said_twice_changes_nothing)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 2);
    const struct kept_control *welcome = next_control (fixture, MESSAGE_WELCOME);
    cr_expect_eq (welcome->message.session, SESSION);
    cr_expect_eq (welcome->message.heartbeat_ms, fixture->settings.heartbeat_ms);
    cr_expect_eq (welcome->message.timeout_ms, fixture->settings.worker_timeout_ms);
    request (fixture, .peer = CLIENT, .id = 1);
    hello (fixture, WORKER, SESSION, 2);
    next_control (fixture, MESSAGE_WELCOME);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 1, "what it has in work stays with it");
    for (uint64_t id = 2; id <= 3; id++)
        request (fixture, .peer = CLIENT, .id = id);
    cr_expect_eq (core_gauges (fixture->core).in_flight, 2, "the credit is still 2 in all");
    fixture_destroy (fixture);
}

Test (broker_worker, credit_is_a_total_that_only_grows)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 2);
    for (uint64_t id = 1; id <= 10; id++)
        request (fixture, .peer = CLIENT, .id = id);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 2);
    grant (fixture, WORKER, SESSION, 5);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 5);
    grant (fixture, WORKER, SESSION, 5); /* doubled */
    grant (fixture, WORKER, SESSION, 3); /* late */
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 5);
    grant (fixture, WORKER, SESSION, 6);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 6);
    fixture_destroy (fixture);
}

Test (broker_worker, credit_has_a_bound)
{
    struct settings settings;
    settings_default (&settings);
    settings.client_requests_max = 100000;
    struct fixture *fixture = fixture_new (&settings);
    hello (fixture, WORKER, SESSION, UINT64_MAX);
    fixture->controls_seen = fixture->control_count;
    for (uint64_t id = 1; id <= WORKER_CREDIT_MAX + 10; id++) {
        request (fixture, .peer = CLIENT, .id = id);
        fixture->control_count = 0; /* not to be looked at */
    }
    cr_expect_eq (core_gauges (fixture->core).in_flight, WORKER_CREDIT_MAX);
    cr_expect_eq (core_gauges (fixture->core).queued, 10);
    fixture_destroy (fixture);
}

Test (broker_worker, clients_take_turns)
{
    struct fixture *fixture = fixture_new (NULL);
    for (uint64_t id = 1; id <= 5; id++)
        request (fixture, .peer = CLIENT, .id = id);
    request (fixture, .peer = OTHER, .id = 101);
    request (fixture, .peer = OTHER + 1, .id = 201);
    request (fixture, .peer = OTHER, .id = 102);
    hello (fixture, WORKER, SESSION, 100);
    static const uint64_t ORDER[] = { 1, 101, 201, 2, 102, 3, 4, 5 };
    for (unsigned i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++)
        cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->request, ORDER[i], "turn %u", i);
    fixture_destroy (fixture);
}

Test (broker_worker, the_idler_worker_is_chosen)
{
    struct fixture *fixture = fixture_new (NULL);
    unsigned given[3] = { 0 };
    hello (fixture, WORKER, SESSION, 100);
    hello (fixture, SECOND, SESSION_2, 100);
    for (uint64_t id = 1; id <= 20; id++) {
        request (fixture, .peer = CLIENT, .id = id);
        given[next_control (fixture, MESSAGE_DISPATCH)->peer]++;
    }
    cr_expect_eq (given[WORKER], 10);
    cr_expect_eq (given[SECOND], 10);
    fixture_destroy (fixture);
}

Test (broker_worker, an_affinity_stays_with_its_worker_until_that_has_far_more_to_do)
{
    struct settings settings;
    settings_default (&settings);
    settings.affinity_slack = 4;
    struct fixture *fixture = fixture_new (&settings);
    hello (fixture, WORKER, SESSION, 100);
    hello (fixture, SECOND, SESSION_2, 100);
    request (fixture, .peer = CLIENT, .id = 1, .affinity = 77);
    uint64_t first = next_control (fixture, MESSAGE_DISPATCH)->peer;
    for (uint64_t id = 2; id <= 5; id++) {
        request (fixture, .peer = CLIENT, .id = id, .affinity = 77);
        cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->peer, first, "request %llu", (unsigned long long)id);
    }
    request (fixture, .peer = CLIENT, .id = 6, .affinity = 77);
    cr_expect_neq (next_control (fixture, MESSAGE_DISPATCH)->peer, first, "it has 5 more than the other");
    fixture_destroy (fixture);
}

Test (broker_worker, affinities_spread_and_none_waits_while_a_worker_has_credit)
{
    struct fixture *fixture = fixture_new (NULL);
    unsigned given[3] = { 0 };
    hello (fixture, WORKER, SESSION, 20);
    hello (fixture, SECOND, SESSION_2, 20);
    for (uint64_t id = 1; id <= 20; id++) {
        request (fixture, .peer = CLIENT, .id = id, .affinity = id * 7919);
        given[next_control (fixture, MESSAGE_DISPATCH)->peer]++;
    }
    cr_expect (given[WORKER] >= 4 && given[SECOND] >= 4, "%u and %u", given[WORKER], given[SECOND]);
    for (uint64_t id = 21; id <= 40; id++)
        request (fixture, .peer = CLIENT, .id = id, .affinity = 77);
    cr_expect_eq (core_gauges (fixture->core).queued, 0, "40 requests, 40 credits");
    fixture_destroy (fixture);
}

Test (broker_worker, a_silent_worker_loses_its_requests_to_another)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 3);
    for (uint64_t id = 1; id <= 3; id++)
        request (fixture, .peer = CLIENT, .id = id, .ttl_ms = 60000);
    for (unsigned i = 0; i < 3; i++)
        next_control (fixture, MESSAGE_DISPATCH);
    request (fixture, .peer = CLIENT, .id = 4, .ttl_ms = 60000);
    tick_at (fixture, 2000);
    hello (fixture, SECOND, SESSION_2, 0);
    tick_at (fixture, 490);
    cr_expect_eq (core_gauges (fixture->core).workers, 2);
    tick_at (fixture, 30);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    cr_expect_eq (next_control (fixture, MESSAGE_RESET)->peer, WORKER, "it is told, should it wake");
    grant (fixture, SECOND, SESSION_2, 10);
    for (uint64_t id = 1; id <= 4; id++)
        cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->request, id,
                      "in their old order, before the newer one");
    fixture_destroy (fixture);
}

Test (broker_worker, heartbeats_keep_a_session)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    for (unsigned i = 0; i < 20; i++) {
        tick_at (fixture, 500);
        worker_beats (fixture, WORKER, SESSION, (struct str){ 0 });
    }
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    cr_expect_geq (controls_left (fixture, MESSAGE_BROKER_BEAT), 19);
    fixture_destroy (fixture);
}

Test (broker_worker, a_broker_that_stalled_does_not_blame_its_workers)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    tick_at (fixture, 100);
    fixture->now_us += 20000000;
    core_tick (fixture->core, fixture->now_us);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    fixture_destroy (fixture);
}

Test (broker_worker, a_killed_worker_is_found_by_the_next_send)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 5);
    hello (fixture, SECOND, SESSION_2, 5);
    request (fixture, .peer = CLIENT, .id = 1);
    uint64_t first = next_control (fixture, MESSAGE_DISPATCH)->peer;
    fixture->killed_peer = first;
    tick_at (fixture, 520); /* a heartbeat fails */
    const struct kept_control *again = next_control (fixture, MESSAGE_DISPATCH);
    cr_expect_eq (again->request, 1);
    cr_expect_neq (again->peer, first);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    fixture_destroy (fixture);
}

Test (broker_worker, a_dispatch_that_cannot_be_sent_goes_to_another)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 5);
    fixture->killed_peer = WORKER;
    hello (fixture, SECOND, SESSION_2, 0);
    request (fixture, .peer = CLIENT, .id = 1);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    cr_expect_eq (core_gauges (fixture->core).queued, 1);
    grant (fixture, SECOND, SESSION_2, 1);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->peer, SECOND);
    fixture_destroy (fixture);
}

Test (broker_worker, after_two_requeues_a_request_is_lost)
{
    struct fixture *fixture = fixture_new (NULL);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 60000);
    for (uint64_t i = 0; i < 3; i++) {
        cr_expect_eq (replies_left (fixture), 0, "after %llu deaths", (unsigned long long)i);
        hello (fixture, 10 + i, 500 + i, 1);
        cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->peer, 10 + i);
        say (fixture, 10 + i, 500 + i, MESSAGE_GOODBYE);
    }
    expect_failure (fixture, 1, ERROR_WORKER_LOST);
    fixture_destroy (fixture);
}

Test (broker_worker, what_was_in_work_is_never_said_to_be_untouched)
{
    /* Given out once, its worker died: from then on neither expired_deadline nor unavailable is true. */
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 1000);
    request (fixture, .peer = OTHER, .id = 2, .ttl_ms = 60000);
    say (fixture, WORKER, SESSION, MESSAGE_GOODBYE);
    tick_at (fixture, 1020);
    expect_failure (fixture, 1, ERROR_WORKER_LOST);
    tick_at (fixture, 1000);
    expect_failure (fixture, 2, ERROR_UNAVAILABLE);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 3, .ttl_ms = 60000);
    say (fixture, WORKER, SESSION, MESSAGE_GOODBYE);
    tick_at (fixture, 2020);
    expect_failure (fixture, 3, ERROR_WORKER_LOST);
    fixture_destroy (fixture);
}

Test (broker_worker, the_deadline_of_a_request_in_work_has_a_grace)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 2);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 1000);
    request (fixture, .peer = CLIENT, .id = 2, .ttl_ms = 1000);
    uint64_t one = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    uint64_t two = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    tick_at (fixture, 1500);
    worker_answers (fixture, WORKER, SESSION, one, "late but there");
    cr_expect_str_eq (next_reply (fixture)->answer, "late but there");
    tick_at (fixture, 520);
    expect_failure (fixture, 2, ERROR_WORKER_LOST);
    worker_answers (fixture, WORKER, SESSION, two, "too late");
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_worker, one_that_let_a_deadline_pass_is_the_last_choice_until_it_answers)
{
    struct settings settings;
    settings_default (&settings);
    settings.worker_timeout_ms = 60000;
    struct fixture *fixture = fixture_new (&settings);
    hello (fixture, WORKER, SESSION, 100);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 100);
    uint64_t stuck = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    hello (fixture, SECOND, SESSION_2, 100);
    tick_at (fixture, 1200);
    expect_failure (fixture, 1, ERROR_WORKER_LOST);
    for (uint64_t id = 2; id <= 20; id++) {
        request (fixture, .peer = CLIENT, .id = id, .ttl_ms = 30000, .affinity = id);
        cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->peer, SECOND);
    }
    worker_answers (fixture, WORKER, SESSION, stuck, "at last");
    request (fixture, .peer = CLIENT, .id = 21, .ttl_ms = 30000);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->peer, WORKER);
    fixture_destroy (fixture);
}

Test (broker_worker, answers_count_once_and_only_from_who_was_asked)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    uint64_t dispatch = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    hello (fixture, SECOND, SESSION_2, 0);
    worker_answers (fixture, SECOND, SESSION_2, dispatch, "not mine");
    worker_answers (fixture, WORKER, SESSION, dispatch + 1, "which");
    worker_answers (fixture, WORKER, SESSION, UINT64_MAX, "which");
    worker_answers (fixture, WORKER, SESSION, dispatch ^ (1u << 20), "an older one in the same place");
    cr_expect_eq (replies_left (fixture), 0);
    worker_answers (fixture, WORKER, SESSION, dispatch, "mine");
    worker_answers (fixture, WORKER, SESSION, dispatch, "again");
    cr_expect_str_eq (next_reply (fixture)->answer, "mine");
    cr_expect_eq (replies_left (fixture), 0);
    fixture_destroy (fixture);
}

Test (broker_worker, an_unknown_session_is_reset)
{
    struct fixture *fixture = fixture_new (NULL);
    static const enum worker_message_kind KINDS[] = { MESSAGE_GRANT, MESSAGE_DRAIN, MESSAGE_WORKER_BEAT };
    for (unsigned i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        say (fixture, WORKER, 999, KINDS[i]);
        const struct kept_control *reset = next_control (fixture, MESSAGE_RESET);
        cr_expect_eq (reset->message.session, 999);
        cr_expect_eq (reset->message.reason, RESET_UNKNOWN_SESSION);
    }
    say (fixture, WORKER, 999, MESSAGE_GOODBYE);
    cr_expect_eq (controls_left (fixture, MESSAGE_RESET), 0, "who says goodbye wants no new session");
    fixture_destroy (fixture);
}

Test (broker_worker, a_session_does_not_outlive_its_connection)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    uint64_t dispatch = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    worker_answers (fixture, SECOND, SESSION, dispatch, "over another connection");
    cr_expect_eq (replies_left (fixture), 0);
    const struct kept_control *reset = next_control (fixture, MESSAGE_RESET);
    cr_expect_eq (reset->peer, SECOND);
    cr_expect_eq (reset->message.reason, RESET_CONNECTION_CHANGED);
    cr_expect_eq (core_gauges (fixture->core).workers, 0);
    cr_expect_eq (core_gauges (fixture->core).queued, 1);
    hello (fixture, SECOND, SESSION_2, 1);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->request, 1);
    fixture_destroy (fixture);
}

Test (broker_worker, hello_again_ends_the_session_before)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    next_control (fixture, MESSAGE_DISPATCH);
    hello (fixture, WORKER, SESSION_2, 1);
    cr_expect_eq (core_gauges (fixture->core).workers, 1);
    const struct kept_control *dispatch = next_control (fixture, MESSAGE_DISPATCH);
    cr_expect_eq (dispatch->message.session, SESSION_2);
    fixture_destroy (fixture);
}

Test (broker_worker, there_are_only_so_many_workers)
{
    struct settings settings;
    settings_default (&settings);
    settings.workers_max = 2;
    struct fixture *fixture = fixture_new (&settings);
    for (uint64_t i = 1; i <= 3; i++)
        hello (fixture, i, i * 100, 1);
    cr_expect_eq (core_gauges (fixture->core).workers, 2);
    cr_expect_eq (next_control (fixture, MESSAGE_RESET)->message.reason, RESET_FULL);
    say (fixture, 1, 100, MESSAGE_GOODBYE);
    hello (fixture, 3, 300, 1);
    cr_expect_eq (core_gauges (fixture->core).workers, 2);
    fixture_destroy (fixture);
}

Test (broker_worker, what_cannot_be_read_ends_the_session)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    static const struct str NONSENSE[] = {
        { "", 0 }, { "x", 1 }, { "\x93\x01\x63\x0b", 4 }, { "\x93\x02\x03\x0b", 4 }
    };
    for (unsigned i = 0; i < 4; i++) {
        const struct broker_worker_message from = { .peer = WORKER, .frame_count = i > 0, .control = NONSENSE[i] };
        core_worker_message (fixture->core, fixture->now_us, &from);
        const struct kept_control *reset = next_control (fixture, MESSAGE_RESET);
        cr_expect_eq (reset->message.session, 0);
        cr_expect_eq (reset->message.reason, i == 3 ? RESET_VERSION : RESET_MALFORMED, "message %u: reason %u", i,
                      reset->message.reason);
        cr_expect_eq (core_gauges (fixture->core).workers, 0);
    }
    cr_expect_eq (core_gauges (fixture->core).queued, 1);
    fixture_destroy (fixture);
}

Test (broker_worker, a_worker_of_a_newer_version_is_spoken_to_in_ours)
{
    struct fixture *fixture = fixture_new (NULL);
    const struct worker_message newer = { .kind = MESSAGE_HELLO,
                                          .version = WORKER_PROTOCOL_VERSION + 4,
                                          .compatible_from = WORKER_PROTOCOL_VERSION,
                                          .session = SESSION,
                                          .granted = 1 };
    worker_says (fixture, WORKER, newer);
    cr_expect_eq (next_control (fixture, MESSAGE_WELCOME)->message.version, WORKER_PROTOCOL_VERSION);
    request (fixture, .peer = CLIENT, .id = 1);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->message.version, WORKER_PROTOCOL_VERSION);
    fixture_destroy (fixture);
}

Test (broker_worker, a_worker_without_a_common_version_is_refused_and_the_log_says_which)
{
    struct fixture *fixture = fixture_new (NULL);
    const struct worker_message foreign = { .kind = MESSAGE_HELLO,
                                            .version = WORKER_PROTOCOL_VERSION + 4,
                                            .compatible_from = WORKER_PROTOCOL_VERSION + 2,
                                            .session = SESSION,
                                            .granted = 1,
                                            .text = STR ("tomorrow") };
    for (unsigned i = 0; i < 5; i++) {
        worker_says (fixture, WORKER, foreign);
        const struct kept_control *reset = next_control (fixture, MESSAGE_RESET);
        cr_expect (reset->message.reason == RESET_VERSION && reset->message.session == SESSION);
    }
    cr_expect_eq (core_gauges (fixture->core).workers, 0);
    const char *told = strstr (fixture->events, "worker tomorrow is refused: it speaks versions 3 to 5");
    cr_assert_not_null (told, "%s", fixture->events);
    cr_expect_null (strstr (told + 1, "worker tomorrow"), "once, not with each hello");
    fixture_destroy (fixture);
}

Test (broker_worker, who_is_drained_gets_nothing_more_and_is_asked_to_end)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 10);
    request (fixture, .peer = CLIENT, .id = 1);
    uint64_t dispatch = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    request (fixture, .peer = CLIENT, .id = 2, .method = "admin.drain", .body = STR ("\x81\xa6worker\xa8worker-9"));
    cr_expect_eq (next_reply (fixture)->failure.code, ERROR_NOT_FOUND);
    request (fixture, .peer = CLIENT, .id = 3, .method = "admin.drain", .body = STR ("\x81\xa6worked\xa8worker-1"));
    cr_expect_eq (next_reply (fixture)->failure.code, ERROR_INVALID_REQUEST);
    cr_expect_eq (controls_left (fixture, MESSAGE_STOP), 0);
    request (fixture, .peer = CLIENT, .id = 4, .method = "admin.drain", .body = STR ("\x81\xa6worker\xa8worker-1"));
    cr_expect (next_reply (fixture)->ok);
    const struct kept_control *stop = next_control (fixture, MESSAGE_STOP);
    cr_expect (stop->peer == WORKER && stop->message.session == SESSION);
    /* What comes waits for another; what it has it answers. */
    request (fixture, .peer = CLIENT, .id = 5);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 0);
    worker_answers (fixture, WORKER, SESSION, dispatch, "done");
    cr_expect_str_eq (next_reply (fixture)->answer, "done");
    hello (fixture, WORKER + 1, SESSION + 1, 10);
    cr_expect_eq (next_control (fixture, MESSAGE_DISPATCH)->request, 5);
    fixture_destroy (fixture);
}

Test (broker_worker, a_broker_that_is_told_to_drain_takes_nothing_more)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 10);
    request (fixture, .peer = CLIENT, .id = 1);
    request (fixture, .peer = CLIENT, .id = 2, .method = "admin.drain", .body = STR ("\x80"), .roles = ROLE_ODOO);
    cr_expect_eq (next_reply (fixture)->failure.code, ERROR_FORBIDDEN);
    request (fixture, .peer = CLIENT, .id = 3, .method = "admin.drain", .body = STR ("\x80"), .roles = ROLE_ADMIN);
    cr_expect (next_reply (fixture)->ok);
    request (fixture, .peer = CLIENT, .id = 4);
    cr_expect_eq (next_reply (fixture)->failure.code, ERROR_BUSY);
    cr_expect (!core_is_drained (fixture->core), "it waits for what is in work");
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "");
    cr_expect (core_is_drained (fixture->core));
    fixture_destroy (fixture);
}

Test (broker_worker, a_name_cannot_forge_lines_of_the_log)
{
    struct fixture *fixture = fixture_new (NULL);
    worker_says (fixture, WORKER,
                 (struct worker_message){
                     .kind = MESSAGE_HELLO, .session = SESSION, .text = STR ("a\nerror: all is lost \xe2\x82\xac") });
    cr_expect_not_null (strstr (fixture->events, "worker a?error: all is lost ???:"), "%s", fixture->events);
    fixture_destroy (fixture);
}

Test (broker_worker, one_that_drains_gets_no_more_and_may_answer)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 5);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 60000);
    uint64_t dispatch = next_control (fixture, MESSAGE_DISPATCH)->message.dispatch;
    say (fixture, WORKER, SESSION, MESSAGE_DRAIN);
    request (fixture, .peer = CLIENT, .id = 2, .ttl_ms = 60000);
    cr_expect_eq (controls_left (fixture, MESSAGE_DISPATCH), 0);
    worker_answers (fixture, WORKER, SESSION, dispatch, "done");
    cr_expect (next_reply (fixture)->ok);
    tick_at (fixture, 2100);
    expect_failure (fixture, 2, ERROR_UNAVAILABLE);
    fixture_destroy (fixture);
}

Test (broker_worker, draining_finishes_what_is_there_and_takes_no_more)
{
    struct fixture *fixture = fixture_new (NULL);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1);
    request (fixture, .peer = CLIENT, .id = 2);
    core_drain (fixture->core, fixture->now_us);
    request (fixture, .peer = CLIENT, .id = 3);
    expect_failure (fixture, 3, ERROR_BUSY);
    cr_expect_gt (fixture->replies[0].retry_ms, 0);
    request (fixture, .peer = OTHER, .id = 4, .method = "admin.stats");
    cr_expect (next_reply (fixture)->ok, "an operator can still look");
    cr_expect (!core_is_drained (fixture->core));
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "1");
    grant (fixture, WORKER, SESSION, 2);
    worker_answers (fixture, WORKER, SESSION, next_control (fixture, MESSAGE_DISPATCH)->message.dispatch, "2");
    cr_expect (core_is_drained (fixture->core));
    core_stop (fixture->core, fixture->now_us);
    cr_expect_eq (next_control (fixture, MESSAGE_RESET)->message.reason, RESET_STOPPING);
    fixture_destroy (fixture);
}

Test (broker_worker, draining_ends_in_time_and_everybody_is_told)
{
    struct settings settings;
    settings_default (&settings);
    settings.worker_timeout_ms = 60000;
    settings.drain_ms_max = 3000;
    struct fixture *fixture = fixture_new (&settings);
    hello (fixture, WORKER, SESSION, 1);
    request (fixture, .peer = CLIENT, .id = 1, .ttl_ms = 60000);
    request (fixture, .peer = CLIENT, .id = 2, .ttl_ms = 60000);
    core_drain (fixture->core, fixture->now_us);
    tick_at (fixture, 2990);
    cr_expect (!core_is_drained (fixture->core));
    tick_at (fixture, 20);
    cr_expect (core_is_drained (fixture->core));
    expect_failure (fixture, 2, ERROR_BUSY);
    expect_failure (fixture, 1, ERROR_WORKER_LOST);
    fixture_destroy (fixture);
}

Test (broker_worker, bounds_that_shrink_hold_for_what_comes)
{
    struct fixture *fixture = fixture_new (NULL);
    for (uint64_t id = 1; id <= 10; id++)
        request (fixture, .peer = CLIENT, .id = id);
    struct settings smaller = fixture->settings;
    smaller.client_requests_max = 5;
    core_configure (fixture->core, &smaller);
    request (fixture, .peer = CLIENT, .id = 11);
    expect_failure (fixture, 11, ERROR_BUSY);
    cr_expect_eq (core_gauges (fixture->core).queued, 10);
    fixture_destroy (fixture);
}
