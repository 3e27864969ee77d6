/* wire_envelope_test.c - headers and replies: round trips, and what is refused. */
#include "wire_sample.h"
#include "wire/envelope.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void
expect_header_refused (struct str frame, uint64_t id, const char *path, const char *message_part)
{
    struct request_header header;
    struct error err = { .code = ERROR_NONE };
    struct str guarded = guarded_copy (frame);
    cr_expect_eq (request_header_decode (guarded, &header, &err), -1, "taken: %s", message_part);
    cr_expect_eq (header.id, id, "id %llu: %s", (unsigned long long)header.id, message_part);
    cr_expect_str_eq (detail_of (&err, "path"), path);
    cr_expect (strstr (err.message, message_part) != NULL, "\"%s\" does not say \"%s\"", err.message, message_part);
    guarded_free (guarded);
}

Test (envelope, request_headers_round_trip)
{
    struct request_header in = {
        .version = 1,
        .id = UINT64_MAX,
        .method = STR ("order.process"),
        .key = STR ("0b7a2f4e-6d57-4a5c-8a53-9a5d0f4a9d0e"),
        .ttl_ms = TTL_MAX_MS,
        .affinity = UINT64_C (0x8000000000000000),
        .traceparent = STR ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    };
    struct request_header out;
    struct error err = { .code = ERROR_NONE };
    struct buf frame = { 0 };
    request_header_encode (&in, &frame);
    cr_assert_eq (request_header_decode (str_of_buf (&frame), &out, &err), 0, "%s", err.message);
    cr_expect_eq (out.version, 1);
    cr_expect_eq (out.id, in.id);
    cr_expect (str_equal (out.method, in.method));
    cr_expect (str_equal (out.key, in.key));
    cr_expect_eq (out.ttl_ms, in.ttl_ms);
    cr_expect_eq (out.affinity, in.affinity);
    cr_expect (str_equal (out.traceparent, in.traceparent));
    buf_free (&frame);
}

Test (envelope, the_least_header_reads_with_defaults)
{
    struct request_header in = { .id = 7, .method = STR ("admin.health") }, out;
    struct error err = { .code = ERROR_NONE };
    struct buf frame = { 0 };
    request_header_encode (&in, &frame);
    cr_expect (str_equal (str_of_buf (&frame), json_body ("{'v': 1, 'id': 7, 'method': 'admin.health'}")));
    cr_assert_eq (request_header_decode (str_of_buf (&frame), &out, &err), 0, "%s", err.message);
    cr_expect_eq (out.ttl_ms, (uint32_t)TTL_DEFAULT_MS);
    cr_expect (out.key.size == 0 && out.traceparent.size == 0 && out.affinity == 0);
    buf_free (&frame);
}

Test (envelope, unknown_fields_and_nulls_are_passed_over)
{
    struct request_header header;
    struct error err = { .code = ERROR_NONE };
    struct str frame = json_body ("{'new': {'a': [1, [2]]}, 'v': 1, 'key': null, 'ttl_ms': null, 'id': 9,"
                                  " 'method': 'order.get', 'affinity': null, 'x': 'y'}");
    cr_assert_eq (request_header_decode (frame, &header, &err), 0, "%s", err.message);
    cr_expect_eq (header.id, 9);
    cr_expect (str_equal (header.method, STR ("order.get")));
    cr_expect_eq (header.ttl_ms, (uint32_t)TTL_DEFAULT_MS);
}

Test (envelope, a_refused_header_still_tells_the_id)
{
    static const struct {
        const char *json;
        uint64_t id;
        const char *path, *message_part;
    } CASES[] = {
        { "{'v': 2, 'id': 5, 'method': 'a'}", 5, "v", "this is protocol version 1, not 2" },
        { "{'v': 'x', 'method': 'a', 'id': 5}", 5, "v", "must be an integer" },
        { "{'id': 5, 'method': 'a'}", 5, "v", "is required" },
        { "{'v': 1, 'id': 5}", 5, "method", "is required" },
        { "{'v': 1, 'id': 5, 'method': ''}", 5, "method", "must not be empty" },
        { "{'v': 1, 'method': 'a'}", 0, "id", "is required" },
        { "{'v': 1, 'method': 'a', 'id': -1}", 0, "id", "must be an integer from 0" },
        { "{'v': 1, 'method': 'a', 'id': '1'}", 0, "id", "must be an integer" },
        { "{'v': 1, 'method': 'a', 'id': 1.0}", 0, "id", "must be an integer" },
        { "{'ttl_ms': 0, 'v': 1, 'method': 'a', 'id': 5}", 5, "ttl_ms", "from 1 to 600000" },
        { "{'ttl_ms': 600001, 'v': 1, 'method': 'a', 'id': 5}", 5, "ttl_ms", "from 1 to 600000" },
        { "{'affinity': -1, 'v': 1, 'method': 'a', 'id': 5}", 5, "affinity", "must be an integer" },
        { "{'method': 5, 'v': 1, 'id': 5}", 5, "method", "must be a string" },
        { "{'key': 'a\\x00', 'v': 1, 'method': 'a', 'id': 5}", 5, "key", "UTF-8 without NUL" },
        { "{'key': '\\xff', 'v': 1, 'method': 'a', 'id': 5}", 5, "key", "UTF-8 without NUL" },
        { "{'key': '0123456789012345678901234567890123456789012345678901234567890123-', 'v': 1, 'method': 'a',"
          " 'id': 5}",
          5, "key", "at most 64 bytes, but has 65" },
        { "{'traceparent': '0123456789012345678901234567890123456789012345678901234-', 'v': 1, 'method': 'a',"
          " 'id': 5}",
          5, "traceparent", "at most 55" },
        { "{'v': 1, 'v': 1, 'method': 'a', 'id': 5}", 5, "v", "is given twice" },
        { "{'key': null, 'key': 'a', 'v': 1, 'method': 'a', 'id': 5}", 5, "key", "is given twice" },
        { "{'id': 5, 'v': 1, 7: 8, 'method': 'a'}", 5, "header", "keys must be strings" },
        { "[1]", 0, "header", "must be a map, not a list" },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        expect_header_refused (json_body (CASES[i].json), CASES[i].id, CASES[i].path, CASES[i].message_part);
}

Test (envelope, headers_cut_or_too_long)
{
    struct str whole = json_body ("{'id': 5, 'v': 1, 'method': 'order.get', 'later': [{'a': 1}]}");
    /* Of fewer bytes than four pairs take at least, not even the count is believed. */
    for (uint32_t size = 0; size < whole.size; size++)
        expect_header_refused ((struct str){ whole.data, size }, size >= 1 + 2 * 4 ? 5 : 0, "header",
                               "end within a value");
    struct buf frame = { 0 };
    wire_write_raw (&frame, json_body ("{'v': 1, 'id': 5, 'method': 'a'}"));
    wire_write_nil (&frame);
    expect_header_refused (str_of_buf (&frame), 5, "header", "bytes follow it");
    buf_clear (&frame);
    while (frame.size <= WIRE_HEADER_MAX)
        wire_write_nil (&frame);
    expect_header_refused (str_of_buf (&frame), 0, "header", "at most 1024 bytes");
    buf_clear (&frame);
    wire_write_map (&frame, 1);
    wire_write_cstr (&frame, "later");
    for (int i = 0; i < 40; i++)
        wire_write_array (&frame, 1);
    wire_write_nil (&frame);
    expect_header_refused (str_of_buf (&frame), 0, "header", "nested too deep");
    buf_free (&frame);
}

Test (envelope, reply_headers_round_trip)
{
    struct buf frame = { 0 };
    struct error err = { .code = ERROR_NONE };
    uint64_t id;
    reply_header_encode (UINT64_MAX, &frame);
    cr_assert_eq (reply_header_decode (str_of_buf (&frame), &id, &err), 0, "%s", err.message);
    cr_expect_eq (id, UINT64_MAX);
    cr_expect_eq (reply_header_decode (json_body ("{'v': 1}"), &id, &err), -1);
    cr_expect_eq (reply_header_decode (json_body ("{'v': 3, 'id': 4}"), &id, &err), -1);
    cr_expect_eq (id, 4);
    cr_expect_eq (reply_header_decode (json_body ("[]"), &id, &err), -1);
    cr_expect_eq (id, 0);
    buf_free (&frame);
}

struct reply {
    bool ok;
    struct str result;
    struct error failure, err;
    int64_t retry_after_ms;
};

static int
reply_read (struct str frame, struct reply *reply)
{
    memset (reply, 0xff, sizeof *reply);
    struct str guarded = guarded_copy (frame);
    int status =
        reply_body_decode (guarded, &reply->ok, &reply->result, &reply->failure, &reply->retry_after_ms, &reply->err);
    if (status == 0 && reply->ok) /* keep what outlives the guarded copy */
        reply->result.data = frame.data + (reply->result.data - guarded.data);
    guarded_free (guarded);
    return status;
}

Test (envelope, failures_round_trip_for_every_code)
{
    for (int code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        struct error in;
        struct reply reply;
        struct buf frame = { 0 };
        error_set (&in, (enum error_code)code, "what is wrong with %s", error_code_name ((enum error_code)code));
        error_detail (&in, "path", "lines[%d].qty", 3);
        error_detail (&in, "reason", "%s", "not_enough");
        reply_error_encode (&in, code == ERROR_BUSY ? 250 : 0, &frame);
        cr_assert_eq (reply_read (str_of_buf (&frame), &reply), 0, "%s", reply.err.message);
        cr_expect_not (reply.ok);
        cr_expect_eq (reply.failure.code, in.code);
        cr_expect_str_eq (reply.failure.message, in.message);
        cr_expect_eq (reply.failure.detail_count, 2);
        cr_expect_str_eq (detail_of (&reply.failure, "path"), "lines[3].qty");
        cr_expect_str_eq (detail_of (&reply.failure, "reason"), "not_enough");
        cr_expect_eq (reply.retry_after_ms, code == ERROR_BUSY ? 250 : 0);
        struct str error, value;
        struct wire_token token;
        cr_assert (wire_map_find (str_of_buf (&frame), "error", &error) && wire_map_find (error, "retryable", &value));
        cr_expect (wire_token_of (value, &token) && token.boolean == error_code_retryable ((enum error_code)code));
        buf_free (&frame);
    }
}

Test (envelope, results_are_handed_on_as_they_are)
{
    struct reply reply;
    cr_assert_eq (reply_read (json_body ("{'trace': 1, 'ok': true, 'result': {'a': [1, 2]}}"), &reply), 0);
    cr_expect (reply.ok);
    cr_expect (str_equal (reply.result, json_body ("{'a': [1, 2]}")));
    cr_expect_eq (reply.failure.code, ERROR_NONE);
}

Test (envelope, a_failure_of_another_version)
{
    struct reply reply;
    cr_assert_eq (
        reply_read (json_body ("{'ok': false, 'error': {'code': 'out_of_cheese', 'message': 'redo', 'more': [],"
                               " 'details': {'a': 1, 'b': '2', 'c': {}, 'retry_after_ms': 5, 'd': 'e',"
                               " 'f': 'g', 'h': 'i', 'one_more': 'j'}}}"),
                    &reply),
        0, "%s", reply.err.message);
    cr_expect_eq (reply.failure.code, ERROR_INTERNAL);
    cr_expect_str_eq (reply.failure.message, "redo");
    cr_expect_eq (reply.failure.detail_count, (unsigned)ERROR_DETAILS_MAX);
    cr_expect_str_eq (detail_of (&reply.failure, "b"), "2");
    cr_expect_eq (reply.retry_after_ms, 5);
}

Test (envelope, what_is_no_reply)
{
    static const char *const BAD[] = {
        "[]",
        "{}",
        "{'ok': 1}",
        "{'ok': true}",
        "{'ok': true, 'result': [1]}",
        "{'ok': false}",
        "{'ok': false, 'error': 'no'}",
        "{'ok': false, 'error': {}}",
        "{'ok': false, 'error': {'code': 'busy'}}",
        "{'ok': false, 'error': {'code': 5, 'message': 'x'}}",
    };
    struct reply reply;
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        cr_expect_eq (reply_read (json_body (BAD[i]), &reply), -1, "%s", BAD[i]);
    struct str whole = json_body ("{'ok': false, 'error': {'code': 'busy', 'message': 'x', 'details': {'a': 'b'}}}");
    for (uint32_t size = 0; size < whole.size; size++)
        cr_expect_eq (reply_read ((struct str){ whole.data, size }, &reply), -1, "cut at %u", size);
    cr_expect_eq (reply_read (whole, &reply), 0);
    struct buf longer = { 0 };
    wire_write_raw (&longer, whole);
    wire_write_nil (&longer);
    cr_expect_eq (reply_read (str_of_buf (&longer), &reply), -1, "a byte too many");
    buf_free (&longer);
}

Test (envelope, messages_are_utf8_whatever_was_cut)
{
    struct error in = { .code = ERROR_NOT_FOUND };
    struct reply reply;
    struct buf frame = { 0 };
    /* An é across the end of the message's room. */
    memset (in.message, 'x', sizeof in.message - 2);
    in.message[sizeof in.message - 2] = (char)0xc3;
    error_detail (&in, "code", "\xff\xfe");
    reply_error_encode (&in, 0, &frame);
    cr_assert_eq (reply_read (str_of_buf (&frame), &reply), 0);
    cr_expect (wire_utf8_valid (str_of (reply.failure.message)));
    cr_expect_eq (strlen (reply.failure.message), sizeof in.message - 1);
    cr_expect_str_eq (detail_of (&reply.failure, "code"), "??");
    buf_free (&frame);
}
