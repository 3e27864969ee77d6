/* net_session_test.c - the worker's side of a session, moment by moment. */
#include "net/worker_session.h"

#include <criterion/criterion.h>

static bool
next_is (struct worker_session *session, int64_t now_ms, enum worker_message_kind kind, struct worker_message *message)
{
    if (!worker_session_next (session, now_ms, message))
        return false;
    cr_expect_eq (message->kind, kind, "%s, not %s", worker_message_name (message->kind), worker_message_name (kind));
    return message->kind == kind;
}

static bool
is_quiet (struct worker_session *session, int64_t now_ms)
{
    struct worker_message message;
    return !worker_session_next (session, now_ms, &message);
}

static void
broker_says (struct worker_session *session, int64_t now_ms, enum worker_message_kind kind)
{
    const struct worker_message message = {
        .kind = kind, .session = session->session, .heartbeat_ms = 500, .timeout_ms = 2500
    };
    worker_session_receive (session, now_ms, &message);
}

/* A session that is open at `now_ms`. */
static struct worker_session
open_session (unsigned credit, int64_t now_ms)
{
    struct worker_session session;
    struct worker_message message;
    worker_session_init (&session, credit, 1);
    cr_assert (next_is (&session, now_ms, MESSAGE_HELLO, &message));
    broker_says (&session, now_ms, MESSAGE_WELCOME);
    cr_assert_eq (session.state, WORKER_SESSION_OPEN);
    return session;
}

static bool
take_dispatch (struct worker_session *session, int64_t now_ms)
{
    const struct worker_message dispatch = { .kind = MESSAGE_DISPATCH, .session = session->session, .dispatch = 1 };
    return worker_session_receive (session, now_ms, &dispatch);
}

Test (net_session, hello_is_repeated_with_growing_waits_until_it_is_answered)
{
    struct worker_session session;
    struct worker_message message, first;
    worker_session_init (&session, 64, 1);
    cr_assert (next_is (&session, 1000, MESSAGE_HELLO, &first));
    cr_expect_neq (first.session, 0);
    cr_expect_eq (first.granted, 64);
    int64_t now_ms = 1000, last_ms = now_ms, longest_ms = 0;
    unsigned hellos = 0;
    for (; now_ms < 61000; now_ms++) {
        if (!worker_session_next (&session, now_ms, &message))
            continue;
        cr_expect_eq (message.session, first.session, "the same session");
        longest_ms = now_ms - last_ms > longest_ms ? now_ms - last_ms : longest_ms;
        last_ms = now_ms;
        hellos++;
    }
    cr_expect_leq (longest_ms, WORKER_HELLO_MS_MAX);
    cr_expect (hellos > 10 && hellos < 60, "%u in a minute", hellos);
    broker_says (&session, now_ms, MESSAGE_WELCOME);
    cr_expect (is_quiet (&session, now_ms));
}

Test (net_session, two_workers_do_not_say_hello_in_step)
{
    struct worker_session one, two;
    struct worker_message message;
    unsigned together = 0, hellos = 0;
    worker_session_init (&one, 1, 1);
    worker_session_init (&two, 1, 2);
    for (int64_t now_ms = 0; now_ms < 60000; now_ms++) {
        bool first = worker_session_next (&one, now_ms, &message);
        uint64_t session = message.session;
        bool second = worker_session_next (&two, now_ms, &message);
        hellos += first;
        together += first && second;
        cr_expect (!(first && second) || session != message.session, "two sessions of one number");
    }
    cr_expect (together * 4 < hellos, "%u of %u", together, hellos);
}

Test (net_session, heartbeats_carry_the_credit)
{
    struct worker_session session = open_session (10, 1000);
    struct worker_message message;
    cr_expect (is_quiet (&session, 1499));
    cr_expect (next_is (&session, 1500, MESSAGE_WORKER_BEAT, &message));
    cr_expect_eq (message.granted, 10);
    cr_expect (is_quiet (&session, 1500));
}

Test (net_session, grants_add_up_and_are_told_once)
{
    struct worker_session session = open_session (10, 1000);
    struct worker_message message;
    for (unsigned i = 0; i < 4; i++)
        take_dispatch (&session, 1001);
    for (unsigned i = 0; i < 4; i++)
        worker_session_grant (&session, 1);
    cr_expect_eq (worker_session_wait_ms (&session, 1001), 0);
    cr_expect (next_is (&session, 1001, MESSAGE_GRANT, &message));
    cr_expect_eq (message.granted, 14);
    cr_expect (is_quiet (&session, 1001));
    cr_expect_gt (worker_session_wait_ms (&session, 1001), 0);
}

Test (net_session, a_new_session_begins_with_less_while_old_requests_are_in_hand)
{
    struct worker_session session = open_session (10, 1000);
    struct worker_message message;
    uint64_t old = session.session;
    for (unsigned i = 0; i < 4; i++)
        cr_expect (take_dispatch (&session, 1001));
    broker_says (&session, 1002, MESSAGE_RESET);
    cr_expect (is_quiet (&session, 1002), "not at once: a broker that resets must not be flooded");
    cr_assert (next_is (&session, 1002 + WORKER_HELLO_MS, MESSAGE_HELLO, &message));
    cr_expect_neq (message.session, old);
    cr_expect_eq (message.granted, 6);
    /* The four are done: the credit is whole again. */
    worker_session_grant (&session, 4);
    broker_says (&session, 1300, MESSAGE_WELCOME);
    cr_expect (next_is (&session, 1300, MESSAGE_GRANT, &message));
    cr_expect_eq (message.granted, 10);
}

Test (net_session, a_silent_broker_ends_the_session)
{
    struct worker_session session = open_session (10, 1000);
    struct worker_message message;
    int64_t now_ms = 1000;
    for (; now_ms <= 3500; now_ms += 100)
        while (worker_session_next (&session, now_ms, &message))
            cr_expect_eq (message.kind, MESSAGE_WORKER_BEAT);
    cr_expect_eq (session.state, WORKER_SESSION_OPEN, "2.5 s are allowed");
    worker_session_next (&session, 3501, &message);
    cr_expect_eq (session.state, WORKER_SESSION_WAITING);
    cr_expect_eq (session.lost, 1);
}

Test (net_session, any_word_of_the_broker_keeps_it)
{
    struct worker_session session = open_session (10, 1000);
    struct worker_message message;
    for (int64_t now_ms = 1000; now_ms < 20000; now_ms += 100) {
        if (now_ms % 1000 == 0)
            broker_says (&session, now_ms, MESSAGE_BROKER_BEAT);
        while (worker_session_next (&session, now_ms, &message))
            cr_expect_eq (message.kind, MESSAGE_WORKER_BEAT);
    }
    cr_expect_eq (session.state, WORKER_SESSION_OPEN);
}

Test (net_session, messages_of_other_sessions_change_nothing)
{
    struct worker_session session = open_session (10, 1000);
    const struct worker_message dispatch = { .kind = MESSAGE_DISPATCH, .session = session.session + 1 },
                                reset = { .kind = MESSAGE_RESET, .session = session.session + 1 },
                                reset_all = { .kind = MESSAGE_RESET, .session = 0 };
    cr_expect (!worker_session_receive (&session, 1001, &dispatch));
    cr_expect (!worker_session_receive (&session, 1001, &reset));
    cr_expect_eq (session.state, WORKER_SESSION_OPEN);
    worker_session_receive (&session, 1001, &reset_all);
    cr_expect_eq (session.state, WORKER_SESSION_WAITING, "session 0: a message of ours could not be read");
    cr_expect (!take_dispatch (&session, 1002), "there is no session");
}

Test (net_session, a_failed_send_is_tried_again_soon_and_ends_an_open_session)
{
    struct worker_session session;
    struct worker_message message;
    worker_session_init (&session, 5, 1);
    for (int64_t now_ms = 0; now_ms < 10000; now_ms += WORKER_UNSENT_MS) {
        cr_assert (next_is (&session, now_ms, MESSAGE_HELLO, &message), "at %lld", (long long)now_ms);
        worker_session_unsent (&session, now_ms);
    }
    cr_expect_eq (session.lost, 0);
    session = open_session (5, 20000);
    worker_session_unsent (&session, 20001);
    cr_expect_eq (session.state, WORKER_SESSION_WAITING);
    cr_expect_eq (session.lost, 1);
}

Test (net_session, draining_is_told_and_no_session_begins_after_it)
{
    struct worker_session session = open_session (5, 1000);
    struct worker_message message;
    worker_session_drain (&session);
    cr_expect_eq (worker_session_wait_ms (&session, 1001), 0);
    cr_expect (next_is (&session, 1001, MESSAGE_DRAIN, &message));
    cr_expect (is_quiet (&session, 1001));
    broker_says (&session, 1002, MESSAGE_RESET);
    cr_expect (is_quiet (&session, 60000));
    cr_expect_gt (worker_session_wait_ms (&session, 60000), 0);
}

Test (net_session, a_broker_s_times_are_taken_within_reason)
{
    struct worker_session session;
    struct worker_message message;
    worker_session_init (&session, 5, 1);
    cr_assert (worker_session_next (&session, 0, &message));
    const struct worker_message welcome = { .kind = MESSAGE_WELCOME, .session = session.session };
    worker_session_receive (&session, 0, &welcome);
    cr_expect (is_quiet (&session, 1));
    cr_expect_eq (session.state, WORKER_SESSION_OPEN);
}
