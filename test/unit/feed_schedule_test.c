/* feed_schedule_test.c - which step of which background job is due, and when. */
#include "feed/schedule.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define MINUTE_US INT64_C (60000000)
#define MIDNIGHT_US (INT64_C (1795305600) * 1000000) /* 2026-11-22T00:00:00Z */

static struct schedule schedule;
static struct schedule_step step;
static int64_t real_us, now_ms;

/* Only job expire, every `minutes`. */
static void
begin (int64_t minutes)
{
    int64_t all[SCHEDULED_COUNT] = { 0 };
    all[SCHEDULED_expire] = minutes;
    real_us = MIDNIGHT_US;
    now_ms = 5000;
    schedule_init (&schedule, all);
    schedule_begin (&schedule);
}

static bool
next (void)
{
    return schedule_next (&schedule, real_us, now_ms, &step);
}

/* Time passes, on both clocks. */
static void
pass (int64_t ms)
{
    real_us += ms * 1000;
    now_ms += ms;
}

static void
answer_after (int64_t ms, enum schedule_outcome outcome)
{
    pass (ms);
    schedule_answer (&schedule, outcome, now_ms);
}

Test (schedule, a_period_is_asked_for_by_its_beginning)
{
    begin (60);
    pass (14 * 60000 + 3);
    cr_assert (next ());
    cr_assert_str_eq (step.job, "expire");
    cr_assert_str_eq (step.period, "2026-11-22T00:00:00Z");
}

Test (schedule, one_step_at_a_time)
{
    begin (60);
    cr_assert (next ());
    pass (100000);
    cr_assert_not (next ());
}

Test (schedule, a_period_is_done_once_and_the_next_when_it_begins)
{
    begin (60);
    cr_assert (next ());
    answer_after (10, STEP_DONE);
    pass (59 * 60000);
    cr_assert_not (next ());
    pass (60000);
    cr_assert (next ());
    cr_assert_str_eq (step.period, "2026-11-22T01:00:00Z");
}

Test (schedule, more_steps_follow_after_a_pause_of_several_times_what_one_took)
{
    begin (60);
    cr_assert (next ());
    answer_after (50, STEP_MORE);
    pass (199);
    cr_assert_not (next ());
    pass (1);
    cr_assert (next ());
    cr_assert_str_eq (step.period, "2026-11-22T00:00:00Z");
}

Test (schedule, the_pause_has_bounds)
{
    begin (60);
    cr_assert (next ());
    answer_after (0, STEP_MORE);
    pass (SCHEDULE_PAUSE_MS_MIN - 1);
    cr_assert_not (next ());
    pass (1);
    cr_assert (next ());
    answer_after (1000000, STEP_MORE);
    pass (SCHEDULE_PAUSE_MS_MAX);
    cr_assert (next ());
}

Test (schedule, a_failure_is_tried_again_ever_more_slowly)
{
    int64_t before_ms = 0;
    begin (60);
    for (int i = 0; i < 10; i++) {
        int64_t waited_ms = 0;
        while (!next ()) {
            pass (1);
            waited_ms++;
        }
        cr_assert (waited_ms >= before_ms && waited_ms <= 32000, "%d: %lld ms", i, (long long)waited_ms);
        before_ms = waited_ms;
        answer_after (1, STEP_FAILED);
    }
    cr_assert (before_ms > 10000);
}

Test (schedule, what_works_again_is_not_slow_any_more)
{
    begin (60);
    for (int i = 0; i < 5; i++) {
        pass (60000);
        cr_assert (next ());
        answer_after (1, STEP_FAILED);
    }
    pass (60000);
    cr_assert (next ());
    answer_after (1, STEP_MORE);
    pass (SCHEDULE_PAUSE_MS_MIN);
    cr_assert (next ());
}

Test (schedule, a_refused_job_rests_and_others_go_on)
{
    begin (60);
    schedule.jobs[SCHEDULED_referrals].every_us = 10 * MINUTE_US;
    cr_assert (next ());
    cr_assert_str_eq (step.job, "expire");
    answer_after (1, STEP_REFUSED);
    pass (SCHEDULE_PAUSE_MS_MIN);
    cr_assert (next ());
    cr_assert_str_eq (step.job, "referrals");
    answer_after (1, STEP_DONE);
    pass (SCHEDULE_REST_MS - 100);
    cr_assert_not (next ());
    pass (100);
    cr_assert (next ());
    cr_assert_str_eq (step.job, "expire");
}

Test (schedule, never_is_never)
{
    begin (0);
    pass (INT64_C (1) << 40);
    cr_assert_not (next ());
}

Test (schedule, missed_periods_are_not_made_up_for)
{
    begin (10);
    cr_assert (next ());
    answer_after (1, STEP_DONE);
    pass (95 * 60000);
    cr_assert (next ());
    cr_assert_str_eq (step.period, "2026-11-22T01:30:00Z");
    answer_after (1, STEP_DONE);
    cr_assert_not (next ());
}

Test (schedule, a_clock_that_is_set_back_repeats_no_period)
{
    begin (60);
    cr_assert (next ());
    answer_after (1, STEP_DONE);
    real_us -= 7 * 60 * MINUTE_US;
    pass (60000);
    cr_assert_not (next ());
    real_us = MIDNIGHT_US + 60 * MINUTE_US;
    cr_assert (next ());
}

Test (schedule, a_period_that_ends_in_the_middle_of_its_steps_gives_way_to_the_next)
{
    begin (1);
    cr_assert (next ());
    answer_after (1, STEP_MORE);
    pass (60000);
    cr_assert (next ());
    cr_assert_str_eq (step.period, "2026-11-22T00:01:00Z");
}

Test (schedule, a_new_leader_does_not_wait_for_the_answer_to_an_old_step)
{
    begin (60);
    cr_assert (next ());
    schedule_begin (&schedule);
    cr_assert (next ());
    schedule_answer (&schedule, STEP_DONE, now_ms);
    schedule_answer (&schedule, STEP_DONE, now_ms);
    cr_assert_not (next ());
}

Test (schedule, times_before_the_epoch_have_periods)
{
    begin (60);
    real_us = -1;
    cr_assert (next ());
    cr_assert_str_eq (step.period, "1969-12-31T23:00:00Z");
}
