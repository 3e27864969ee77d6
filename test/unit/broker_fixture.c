/* broker_fixture.c - see broker_fixture.h. */
#include "unit/broker_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum sent
to_client (void *context, uint64_t peer, struct str header, struct str body, void *passed)
{
    struct fixture *fixture = context;
    struct kept_reply *kept = &fixture->replies[fixture->reply_count];
    struct error err;
    struct str result;
    if (peer == fixture->gone_peer)
        return SENT_GONE;
    if (peer == fixture->full_peer)
        return SENT_FULL;
    cr_assert_lt (fixture->reply_count, FIXTURE_KEPT_MAX);
    fixture->reply_count++;
    kept->peer = peer;
    cr_assert_eq (reply_header_decode (header, &kept->id, &err), 0);
    if (passed != NULL) {
        kept->is_passed = kept->ok = true;
        snprintf (kept->answer, sizeof kept->answer, "%s", (const char *)passed);
        return SENT;
    }
    cr_assert_eq (reply_body_decode (body, &kept->ok, &result, &kept->failure, &kept->retry_ms, &err), 0, "%s",
                  err.message);
    if (kept->ok) {
        cr_assert_leq (result.size, sizeof fixture->result);
        memcpy (fixture->result, result.data, result.size);
        fixture->result_size = result.size;
    }
    return SENT;
}

static enum sent
to_worker (void *context, uint64_t peer, struct str control, void *frames)
{
    struct fixture *fixture = context;
    struct kept_control *kept = &fixture->controls[fixture->control_count];
    struct error err;
    if (peer == fixture->killed_peer)
        return SENT_GONE;
    cr_assert_lt (fixture->control_count, FIXTURE_KEPT_MAX);
    fixture->control_count++;
    kept->peer = peer;
    cr_assert_eq (worker_message_decode (control, frames != NULL ? 2 : 0, false, &kept->message, &err), 0, "%s",
                  err.message);
    snprintf (kept->text, sizeof kept->text, "%.*s", (int)kept->message.text.size, kept->message.text.data);
    if (frames != NULL)
        kept->request = *(uint64_t *)frames;
    return SENT;
}

static void
release (void *context, void *frames)
{
    struct fixture *fixture = context;
    fixture->frames_count--;
    free (frames);
}

static void
event (void *context, enum log_level level, const char *text)
{
    struct fixture *fixture = context;
    size_t size = strlen (fixture->events);
    (void)level;
    snprintf (fixture->events + size, sizeof fixture->events - size, "%s\n", text);
}

static void *
allocate (void *context, size_t size)
{
    struct fixture *fixture = context;
    fixture->allocations++;
    if (fixture->fail_allocations_from > 0 && fixture->allocations >= fixture->fail_allocations_from)
        return NULL;
    fixture->memory_count++;
    return calloc (1, size);
}

static void
release_memory (void *context, void *memory)
{
    struct fixture *fixture = context;
    fixture->memory_count--;
    free (memory);
}

struct fixture *
fixture_new (const struct settings *settings)
{
    struct fixture *fixture = calloc (1, sizeof *fixture);
    const struct core_output output = { fixture, to_client, to_worker, release, event, allocate, release_memory };
    if (settings != NULL)
        fixture->settings = *settings;
    else
        settings_default (&fixture->settings);
    fixture->now_us = 10000000;
    fixture->core = core_new (&fixture->settings, &output, fixture->now_us);
    cr_assert_not_null (fixture->core);
    return fixture;
}

void
fixture_destroy (struct fixture *fixture)
{
    core_destroy (&fixture->core);
    cr_expect_eq (fixture->memory_count, 0, "%ld pieces of memory are left", fixture->memory_count);
    cr_expect_eq (fixture->frames_count, 0, "%u messages are left", fixture->frames_count);
    free (fixture);
}

void
request_send (struct fixture *fixture, struct request_of of)
{
    struct buf bytes = { 0 };
    const struct request_header header = {
        .version = PROTOCOL_VERSION,
        .id = of.id,
        .method = str_of (of.method != NULL ? of.method : "order.quote"),
        .ttl_ms = of.ttl_ms != 0 ? of.ttl_ms : 5000,
        .affinity = of.affinity,
    };
    request_header_encode (&header, &bytes);
    uint64_t *frames = malloc (sizeof *frames);
    *frames = of.id;
    fixture->frames_count++;
    const struct client_message message = {
        .peer = of.peer,
        .user = str_of (of.user != NULL ? of.user : ""),
        .roles = of.roles != 0 ? of.roles : ROLES_ANY,
        .frame_count = 2,
        .header = { (const char *)bytes.data, (uint32_t)bytes.size },
        .body_size = of.body.size > 0 ? of.body.size : of.body_size,
        .body = of.body,
        .frames = frames,
    };
    core_client_message (fixture->core, fixture->now_us, &message);
    buf_free (&bytes);
}

static void
worker_sends (struct fixture *fixture, uint64_t peer, struct worker_message message, struct str payload, void *passed)
{
    struct buf bytes = { 0 };
    worker_message_encode (&message, &bytes);
    const struct broker_worker_message from = {
        .peer = peer,
        .frame_count = 1 + (payload.size > 0 || passed != NULL),
        .control = { (const char *)bytes.data, (uint32_t)bytes.size },
        .payload = payload,
        .passed = passed,
    };
    core_worker_message (fixture->core, fixture->now_us, &from);
    buf_free (&bytes);
}

void
worker_says (struct fixture *fixture, uint64_t peer, struct worker_message message)
{
    worker_sends (fixture, peer, message, (struct str){ NULL, 0 }, NULL);
}

void
hello (struct fixture *fixture, uint64_t peer, uint64_t session, uint64_t granted)
{
    char name[32];
    snprintf (name, sizeof name, "worker-%llu", (unsigned long long)peer);
    worker_says (fixture, peer,
                 (struct worker_message){
                     .kind = MESSAGE_HELLO, .session = session, .granted = granted, .text = str_of (name) });
}

void
worker_answers (struct fixture *fixture, uint64_t peer, uint64_t session, uint64_t dispatch, const char *answer)
{
    char text[32];
    snprintf (text, sizeof text, "%s", answer);
    worker_sends (fixture, peer,
                  (struct worker_message){ .kind = MESSAGE_REPLY, .session = session, .dispatch = dispatch },
                  str_of (text), text);
}

void
worker_beats (struct fixture *fixture, uint64_t peer, uint64_t session, struct str stats)
{
    worker_sends (fixture, peer, (struct worker_message){ .kind = MESSAGE_WORKER_BEAT, .session = session }, stats,
                  NULL);
}

void
tick_at (struct fixture *fixture, int64_t ms_later)
{
    /* In the steps of a broker that runs: only a stalled one lets much time pass between two ticks. */
    for (int64_t step_ms; ms_later > 0; ms_later -= step_ms) {
        step_ms = ms_later < 10 ? ms_later : 10;
        fixture->now_us += step_ms * 1000;
        core_tick (fixture->core, fixture->now_us);
    }
}

const struct kept_reply *
next_reply (struct fixture *fixture)
{
    cr_assert_lt (fixture->replies_seen, fixture->reply_count, "there is no further reply");
    return &fixture->replies[fixture->replies_seen++];
}

unsigned
replies_left (const struct fixture *fixture)
{
    return fixture->reply_count - fixture->replies_seen;
}

const struct kept_control *
next_control (struct fixture *fixture, enum worker_message_kind kind)
{
    while (fixture->controls_seen < fixture->control_count) {
        const struct kept_control *control = &fixture->controls[fixture->controls_seen++];
        if (control->message.kind == kind)
            return control;
    }
    cr_assert_fail ("there is no further %s", worker_message_name (kind));
    return NULL;
}

unsigned
controls_left (const struct fixture *fixture, enum worker_message_kind kind)
{
    unsigned count = 0;
    for (unsigned i = fixture->controls_seen; i < fixture->control_count; i++)
        count += fixture->controls[i].message.kind == kind;
    return count;
}
