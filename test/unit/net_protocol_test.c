/* net_protocol_test.c - the control frame of the worker protocol: what goes in comes out, and nothing else comes in. */
#include "net/worker_protocol.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>
#include <string.h>

static struct str
bytes_of (const struct buf *buf)
{
    return (struct str){ (const char *)buf->data, (uint32_t)buf->size };
}

static const struct form {
    enum worker_message_kind kind;
    bool from_worker;
    unsigned fields, frames_min, frames_max;
} FORMS[] = {
#define X(id, kind, name, from_worker, fields, frames_min, frames_max, text) \
    { MESSAGE_##id, from_worker, fields, frames_min, frames_max },
    WORKER_MESSAGES (X)
#undef X
};
enum { FORM_COUNT = sizeof FORMS / sizeof FORMS[0] };

static struct worker_message
sample (const struct form *form)
{
    struct worker_message message = { .kind = form->kind, .session = UINT64_MAX - 1 };
    if (form->fields & FIELD_GRANTED)
        message.granted = UINT64_MAX;
    if (form->fields & FIELD_DISPATCH)
        message.dispatch = 1234567890123u;
    if (form->fields & FIELD_TTL_MS)
        message.ttl_ms = 5000;
    if (form->fields & FIELD_ROLES)
        message.roles = 15;
    if (form->fields & FIELD_HEARTBEAT_MS)
        message.heartbeat_ms = 500;
    if (form->fields & FIELD_TIMEOUT_MS)
        message.timeout_ms = 2500;
    if (form->fields & FIELD_REASON)
        message.reason = RESET_STOPPING;
    if (form->fields & FIELD_TEXT)
        message.text = STR ("till 3 €");
    return message;
}

Test (net_protocol, every_message_comes_out_as_it_went_in)
{
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        const struct worker_message in = sample (&FORMS[i]);
        struct worker_message out;
        struct error err;
        struct buf bytes = { 0 };
        worker_message_encode (&in, &bytes);
        cr_assert_eq (worker_message_decode (bytes_of (&bytes), FORMS[i].frames_min, FORMS[i].from_worker, &out, &err),
                      0, "%s: %s", worker_message_name (in.kind), err.message);
        cr_expect (out.kind == in.kind && out.session == in.session && out.granted == in.granted &&
                       out.dispatch == in.dispatch && out.ttl_ms == in.ttl_ms && out.roles == in.roles &&
                       out.heartbeat_ms == in.heartbeat_ms && out.timeout_ms == in.timeout_ms &&
                       out.version == WORKER_PROTOCOL_VERSION && out.reason == in.reason &&
                       str_equal (out.text, in.text),
                   "%s", worker_message_name (in.kind));
        buf_free (&bytes);
    }
}

Test (net_protocol, the_other_side_s_messages_and_wrong_frames_are_refused)
{
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        const struct worker_message in = sample (&FORMS[i]);
        struct worker_message out;
        struct error err;
        struct buf bytes = { 0 };
        worker_message_encode (&in, &bytes);
        cr_expect_eq (worker_message_decode (bytes_of (&bytes), FORMS[i].frames_min, !FORMS[i].from_worker, &out, &err),
                      -1, "%s", worker_message_name (in.kind));
        cr_expect_eq (
            worker_message_decode (bytes_of (&bytes), FORMS[i].frames_max + 1, FORMS[i].from_worker, &out, &err), -1,
            "%s with a frame too many", worker_message_name (in.kind));
        if (FORMS[i].frames_min > 0)
            cr_expect_eq (
                worker_message_decode (bytes_of (&bytes), FORMS[i].frames_min - 1, FORMS[i].from_worker, &out, &err),
                -1, "%s with a frame too few", worker_message_name (in.kind));
        buf_free (&bytes);
    }
}

Test (net_protocol, every_cut_is_noticed)
{
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        const struct worker_message in = sample (&FORMS[i]);
        struct worker_message out;
        struct error err;
        struct buf bytes = { 0 };
        worker_message_encode (&in, &bytes);
        for (uint32_t size = 0; size < bytes.size; size++)
            cr_expect_eq (worker_message_decode ((struct str){ (const char *)bytes.data, size }, FORMS[i].frames_min,
                                                 FORMS[i].from_worker, &out, &err),
                          -1, "%s cut to %u bytes", worker_message_name (in.kind), size);
        buf_free (&bytes);
    }
}

/* An array of these numbers, and perhaps a text, as a control frame of a worker. */
static int
decode (const uint64_t *numbers, unsigned count, const char *text, struct worker_message *message, struct error *err)
{
    struct buf bytes = { 0 };
    wire_write_array (&bytes, count + (text != NULL));
    for (unsigned i = 0; i < count; i++)
        wire_write_uint (&bytes, numbers[i]);
    if (text != NULL)
        wire_write_cstr (&bytes, text);
    int result = worker_message_decode (bytes_of (&bytes), 0, true, message, err);
    buf_free (&bytes);
    return result;
}

Test (net_protocol, a_newer_peer_may_say_more)
{
    struct worker_message message;
    struct error err;
    const uint64_t numbers[] = { 1, MESSAGE_GRANT, 7, 64, 99, 98 };
    cr_expect_eq (decode (numbers, 6, "more", &message, &err), 0, "%s", err.message);
    cr_expect_eq (message.granted, 64);
}

/* A hello in `version` of a worker that speaks all from `compatible_from` on (0: it does not say). */
static unsigned
common (uint64_t version, uint64_t compatible_from)
{
    struct worker_message message;
    struct error err;
    struct buf bytes = { 0 };
    wire_write_array (&bytes, compatible_from != 0 ? 7 : 5);
    const uint64_t numbers[] = { version, MESSAGE_HELLO, 7, 64 };
    for (unsigned i = 0; i < 4; i++)
        wire_write_uint (&bytes, numbers[i]);
    wire_write_cstr (&bytes, "name");
    if (compatible_from != 0) {
        wire_write_uint (&bytes, compatible_from);
        wire_write_cstr (&bytes, "what later versions add");
    }
    cr_assert_eq (worker_message_decode (bytes_of (&bytes), 0, true, &message, &err), 0, "%s", err.message);
    cr_expect_eq (message.granted, 64);
    buf_free (&bytes);
    return worker_version_common (&message);
}

Test (net_protocol, the_newest_version_that_both_speak_is_taken)
{
    cr_expect_eq (common (WORKER_PROTOCOL_VERSION, 0), WORKER_PROTOCOL_VERSION);
    cr_expect_eq (common (WORKER_PROTOCOL_VERSION, WORKER_PROTOCOL_COMPATIBLE_FROM), WORKER_PROTOCOL_VERSION);
    cr_expect_eq (common (WORKER_PROTOCOL_VERSION + 8, WORKER_PROTOCOL_VERSION), WORKER_PROTOCOL_VERSION);
    cr_expect_eq (common (WORKER_PROTOCOL_VERSION + 8, WORKER_PROTOCOL_VERSION + 1), 0);
    cr_expect_eq (common (WORKER_PROTOCOL_VERSION + 8, 0), 0, "who does not say speaks the one alone");
}

Test (net_protocol, hello_and_reset_are_read_in_any_version)
{
    struct worker_message message;
    struct error err;
    struct buf bytes = { 0 };
    const struct worker_message reset = { .kind = MESSAGE_RESET, .version = 77, .reason = RESET_VERSION };
    worker_message_encode (&reset, &bytes);
    cr_assert_eq (worker_message_decode (bytes_of (&bytes), 0, false, &message, &err), 0, "%s", err.message);
    cr_expect (message.reason == RESET_VERSION && message.version == 77);
    buf_free (&bytes);
    const uint64_t backwards[] = { 3, MESSAGE_HELLO, 7, 64 };
    cr_expect_eq (decode (backwards, 4, "name", &message, &err), 0);
    cr_expect_eq (message.compatible_from, 3);
    const uint64_t zero[] = { 0, MESSAGE_HELLO, 7, 64 };
    cr_expect_eq (decode (zero, 4, "name", &message, &err), -1, "there is no version 0");
}

Test (net_protocol, another_version_is_told_apart)
{
    struct worker_message message;
    struct error err;
    const uint64_t numbers[] = { 2, MESSAGE_GRANT, 7, 64 };
    cr_expect_eq (decode (numbers, 4, NULL, &message, &err), -1);
    cr_assert_eq (err.detail_count, 1);
    cr_expect_str_eq (err.details[0].name, "version");
}

Test (net_protocol, what_is_out_of_range_is_refused)
{
    struct worker_message message;
    struct error err;
    const uint64_t no_session[] = { 1, MESSAGE_GRANT, 0, 64 }, no_kind[] = { 1, 99, 7, 64 },
                   huge_kind[] = { 1, UINT64_MAX, 7, 64 }, hello[] = { 1, MESSAGE_HELLO, 7, 64 };
    cr_expect_eq (decode (no_session, 4, NULL, &message, &err), -1);
    cr_expect_eq (decode (no_kind, 4, NULL, &message, &err), -1);
    cr_expect_eq (decode (huge_kind, 4, NULL, &message, &err), -1);
    cr_expect_eq (decode (hello, 4, "a name", &message, &err), 0);
    cr_expect_eq (decode (hello, 4, NULL, &message, &err), -1);
    cr_expect_eq (decode (hello, 4, "\xff not UTF-8", &message, &err), -1);
    char name[WORKER_NAME_BYTES_MAX + 2];
    memset (name, 'x', sizeof name);
    name[WORKER_NAME_BYTES_MAX + 1] = '\0';
    cr_expect_eq (decode (hello, 4, name, &message, &err), -1);
    name[WORKER_NAME_BYTES_MAX] = '\0';
    cr_expect_eq (decode (hello, 4, name, &message, &err), 0);
}

Test (net_protocol, a_control_frame_has_a_bound)
{
    struct worker_message message;
    struct error err;
    static char big[WORKER_CONTROL_BYTES_MAX + 1];
    cr_expect_eq (worker_message_decode ((struct str){ big, sizeof big }, 0, true, &message, &err), -1);
    cr_expect_not_null (strstr (err.message, "bytes"));
    /* The longest that we send is within it. */
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        struct worker_message longest = { .kind = FORMS[i].kind,
                                          .session = UINT64_MAX,
                                          .granted = UINT64_MAX,
                                          .dispatch = UINT64_MAX,
                                          .ttl_ms = UINT32_MAX,
                                          .roles = UINT32_MAX,
                                          .text = { big, WORKER_NAME_BYTES_MAX } };
        struct buf bytes = { 0 };
        worker_message_encode (&longest, &bytes);
        cr_expect_leq (bytes.size, WORKER_CONTROL_BYTES_MAX);
        buf_free (&bytes);
    }
}

Test (net_protocol, statistics_are_a_plain_map)
{
    cr_expect (worker_stats_valid (STR ("\x80")));
    cr_expect (worker_stats_valid (STR ("\x81\xa1n\x05")));
    cr_expect (worker_stats_valid (STR ("\x81\xa1n\x92\x01\x81\xa1m\xc0")));
    cr_expect (!worker_stats_valid (STR ("")), "nothing");
    cr_expect (!worker_stats_valid (STR ("\x90")), "a list");
    cr_expect (!worker_stats_valid (STR ("\x81\xa1n")), "cut");
    cr_expect (!worker_stats_valid (STR ("\x80\x80")), "two maps");
    cr_expect (!worker_stats_valid (STR ("\x81\x01\x05")), "a number as key");
    cr_expect (!worker_stats_valid (STR ("\x81\xa1\xff\x05")), "a key that is not UTF-8");
    cr_expect (!worker_stats_valid (STR ("\x81\xa1n\xa1\xff")), "a text that is not UTF-8");
    cr_expect (!worker_stats_valid (STR ("\x81\xa1n\xd4\x01\x00")), "an extension");
    cr_expect (!worker_stats_valid (STR ("\x81\xa1n\x91\x91\x91\x91\x01")), "nested too deep");
    cr_expect (!worker_stats_valid (STR ("\xdf\xff\xff\xff\xff")), "a count that lies");
    static char big[WORKER_STATS_BYTES_MAX + 1] = "\x80";
    cr_expect (!worker_stats_valid ((struct str){ big, sizeof big }), "too large");
}

Test (net_protocol, names_and_reasons_have_texts)
{
    cr_expect_str_eq (worker_message_name (MESSAGE_DISPATCH), "dispatch");
    cr_expect_str_eq (worker_message_name (99), "unknown");
    cr_expect_neq (strcmp (reset_reason_text (RESET_FULL), reset_reason_text (99)), 0);
}
