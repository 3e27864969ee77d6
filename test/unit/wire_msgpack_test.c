/* wire_msgpack_test.c - the MessagePack reader takes every form and never trusts a length; the writers. */
#include "wire_sample.h"
#include "base/timestamp.h"

#include <criterion/criterion.h>
#include <math.h>

#define BYTES(...) \
    ((struct str){ (const char *)(const uint8_t[]){ __VA_ARGS__ }, sizeof ((const uint8_t[]){ __VA_ARGS__ }) })

static struct wire_token
only_token (struct str bytes)
{
    struct wire_reader reader = wire_reader_of (bytes);
    struct wire_token token;
    cr_assert (wire_next (&reader, &token), "%s", wire_fault_text (reader.fault));
    cr_assert_eq (reader.at, reader.end);
    return token;
}

static void
expect_int (struct str bytes, int64_t value)
{
    struct wire_token token = only_token (bytes);
    cr_expect_eq (token.type, TOKEN_INT);
    cr_expect_eq (token.integer, value, "%lld", (long long)token.integer);
}

Test (msgpack, integers_of_every_width)
{
    expect_int (BYTES (0x00), 0);
    expect_int (BYTES (0x7f), 127);
    expect_int (BYTES (0xe0), -32);
    expect_int (BYTES (0xff), -1);
    expect_int (BYTES (0xcc, 0xff), 255);
    expect_int (BYTES (0xcd, 0xff, 0xfe), 65534);
    expect_int (BYTES (0xce, 0xff, 0xff, 0xff, 0xff), 4294967295);
    expect_int (BYTES (0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), INT64_MAX);
    expect_int (BYTES (0xd0, 0x80), -128);
    expect_int (BYTES (0xd1, 0x80, 0x00), -32768);
    expect_int (BYTES (0xd2, 0x80, 0x00, 0x00, 0x00), -2147483648);
    expect_int (BYTES (0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0), INT64_MIN);
    struct wire_token token = only_token (BYTES (0xcf, 0x80, 0, 0, 0, 0, 0, 0, 1));
    cr_expect_eq (token.type, TOKEN_UINT);
    cr_expect_eq (token.natural, UINT64_C (0x8000000000000001));
}

Test (msgpack, nil_booleans_and_floats)
{
    cr_expect_eq (only_token (BYTES (0xc0)).type, TOKEN_NIL);
    cr_expect (only_token (BYTES (0xc3)).boolean);
    cr_expect_not (only_token (BYTES (0xc2)).boolean);
    struct wire_token token = only_token (BYTES (0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0));
    cr_expect_eq (token.type, TOKEN_DOUBLE);
    cr_expect_eq (token.number, 1.5);
    cr_expect_not (token.is_single);
    token = only_token (BYTES (0xca, 0x7f, 0x80, 0, 0));
    cr_expect (isinf (token.number) && token.is_single);
    cr_expect (isnan (only_token (BYTES (0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0)).number));
}

Test (msgpack, a_float_32_is_widened_by_its_shortest_decimal)
{
    struct wire_token token = only_token (BYTES (0xca, 0x41, 0x41, 0x99, 0x9a)); /* 12.1f */
    cr_expect_neq (token.number, 12.1);
    cr_expect_eq (wire_token_number (&token), 12.1);
    token = only_token (BYTES (0xca, 0x4b, 0x80, 0, 0)); /* 2^24 */
    cr_expect_eq (wire_token_number (&token), 16777216.0);
    token = only_token (BYTES (0xca, 0x7f, 0xc0, 0, 0));
    cr_expect (isnan (wire_token_number (&token)));
}

static void
expect_text (struct str bytes, enum wire_token_type type, const char *text, int ext_type)
{
    struct wire_token token = only_token (bytes);
    cr_expect_eq (token.type, type);
    cr_expect (str_equal (token.text, str_of (text)));
    if (type == TOKEN_EXT)
        cr_expect_eq (token.ext_type, ext_type);
}

Test (msgpack, texts_of_every_width)
{
    expect_text (BYTES (0xa0), TOKEN_STR, "", 0);
    expect_text (BYTES (0xa2, 'h', 'i'), TOKEN_STR, "hi", 0);
    expect_text (BYTES (0xd9, 2, 'h', 'i'), TOKEN_STR, "hi", 0);
    expect_text (BYTES (0xda, 0, 2, 'h', 'i'), TOKEN_STR, "hi", 0);
    expect_text (BYTES (0xdb, 0, 0, 0, 2, 'h', 'i'), TOKEN_STR, "hi", 0);
    expect_text (BYTES (0xc4, 2, 'h', 'i'), TOKEN_BIN, "hi", 0);
    expect_text (BYTES (0xc5, 0, 2, 'h', 'i'), TOKEN_BIN, "hi", 0);
    expect_text (BYTES (0xc6, 0, 0, 0, 2, 'h', 'i'), TOKEN_BIN, "hi", 0);
    expect_text (BYTES (0xc7, 2, 0xff, 'h', 'i'), TOKEN_EXT, "hi", -1);
    expect_text (BYTES (0xc8, 0, 2, 5, 'h', 'i'), TOKEN_EXT, "hi", 5);
    expect_text (BYTES (0xc9, 0, 0, 0, 2, 5, 'h', 'i'), TOKEN_EXT, "hi", 5);
    expect_text (BYTES (0xd4, 7, 'h'), TOKEN_EXT, "h", 7);
    expect_text (BYTES (0xd5, 7, 'h', 'i'), TOKEN_EXT, "hi", 7);
    expect_text (BYTES (0xd6, 7, '4', '4', '4', '4'), TOKEN_EXT, "4444", 7);
    expect_text (BYTES (0xd7, 7, '8', '8', '8', '8', '8', '8', '8', '8'), TOKEN_EXT, "88888888", 7);
    expect_text (BYTES (0xd8, 7, '1', '6', '1', '6', '1', '6', '1', '6', '1', '6', '1', '6', '1', '6', '1', '6'),
                 TOKEN_EXT, "1616161616161616", 7);
}

static void
expect_count (struct str bytes, enum wire_token_type type, uint32_t count)
{
    struct wire_reader reader = wire_reader_of (bytes);
    struct wire_token token;
    cr_assert (wire_next (&reader, &token));
    cr_expect_eq (token.type, type);
    cr_expect_eq (token.count, count);
    reader = wire_reader_of (bytes);
    cr_expect (wire_skip (&reader, 1));
    cr_expect_eq (reader.at, reader.end);
    reader = wire_reader_of (bytes);
    cr_expect_not (wire_skip (&reader, 0));
    cr_expect_eq (reader.fault, WIRE_FAULT_DEPTH);
}

Test (msgpack, containers_of_every_width)
{
    expect_count (BYTES (0x90), TOKEN_ARRAY, 0);
    expect_count (BYTES (0x92, 1, 2), TOKEN_ARRAY, 2);
    expect_count (BYTES (0xdc, 0, 2, 1, 2), TOKEN_ARRAY, 2);
    expect_count (BYTES (0xdd, 0, 0, 0, 2, 1, 2), TOKEN_ARRAY, 2);
    expect_count (BYTES (0x81, 1, 2), TOKEN_MAP, 1);
    expect_count (BYTES (0xde, 0, 1, 1, 2), TOKEN_MAP, 1);
    expect_count (BYTES (0xdf, 0, 0, 0, 1, 1, 2), TOKEN_MAP, 1);
}

static void
expect_fault (struct str bytes, enum wire_fault fault)
{
    struct str guarded = guarded_copy (bytes);
    struct wire_reader reader = wire_reader_of (guarded);
    const uint8_t *start = reader.at;
    struct wire_token token;
    cr_expect_not (wire_next (&reader, &token));
    cr_expect_eq (reader.fault, fault);
    cr_expect_eq (reader.at, start);
    guarded_free (guarded);
}

Test (msgpack, every_marker_cut_short_is_a_fault)
{
    for (unsigned marker = 0x81; marker <= 0xff; marker++) {
        uint8_t bytes[9] = { (uint8_t)marker };
        /* Without what must follow; bin 8 of 0 bytes and the like are whole, so ask for one byte more. */
        bool is_alone =
            marker == 0x90 || marker == 0xa0 || marker == 0xc0 || (marker >= 0xc2 && marker <= 0xc3) || marker >= 0xe0;
        if (!is_alone)
            expect_fault ((struct str){ (char *)bytes, 1 },
                          marker == 0xc1 ? WIRE_FAULT_RESERVED : WIRE_FAULT_TRUNCATED);
    }
    expect_fault ((struct str){ NULL, 0 }, WIRE_FAULT_TRUNCATED);
    for (uint32_t size = 2; size < 9; size++) {
        const uint8_t doubled[9] = { 0xcb }, wide[9] = { 0xcf };
        expect_fault ((struct str){ (const char *)doubled, size }, WIRE_FAULT_TRUNCATED);
        expect_fault ((struct str){ (const char *)wide, size }, WIRE_FAULT_TRUNCATED);
    }
}

Test (msgpack, a_length_or_count_that_lies_is_a_fault_at_once)
{
    expect_fault (BYTES (0xdd, 0xff, 0xff, 0xff, 0xff), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xc0), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0, 0xc0), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xdf, 0x80, 0, 0, 0), WIRE_FAULT_TRUNCATED); /* 2 × 2^31 is no 32-bit number */
    expect_fault (BYTES (0xdc, 0xff, 0xff, 0xc0), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xde, 0x00, 0x02, 0xa0, 0xc0, 0xa0), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0x82, 0xa0, 0xc0, 0xa0), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xdb, 0xff, 0xff, 0xff, 0xff, 'x'), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xc6, 0xff, 0xff, 0xff, 0xfb, 'x'), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xc9, 0xff, 0xff, 0xff, 0xff, 1, 'x'), WIRE_FAULT_TRUNCATED);
    expect_fault (BYTES (0xd8, 1, 'x'), WIRE_FAULT_TRUNCATED);
}

Test (msgpack, skip_is_bounded_in_depth)
{
    uint8_t nested[101];
    memset (nested, 0x91, 100); /* lists of one element */
    nested[100] = 0xc0;
    struct str bytes = { (const char *)nested, sizeof nested }, value;
    struct wire_reader reader = wire_reader_of (bytes);
    cr_expect (wire_skip (&reader, 100));
    reader = wire_reader_of (bytes);
    cr_expect_not (wire_skip (&reader, 99));
    cr_expect_eq (reader.fault, WIRE_FAULT_DEPTH);
    reader = wire_reader_of (bytes);
    cr_expect (wire_slice (&reader, 100, &value));
    cr_expect (str_equal (value, bytes));
}

Test (msgpack, a_key_is_found_in_a_map)
{
    struct str body = json_body ("{'a': [1, {'b': 2}], 'b': 'x', 'c': {'d': 1.5}}"), value;
    struct wire_token token;
    cr_assert (wire_map_find (body, "b", &value) && wire_token_of (value, &token));
    cr_expect (token.type == TOKEN_STR && str_equal (token.text, STR ("x")));
    cr_assert (wire_map_find (body, "c", &value) && wire_map_find (value, "d", &value));
    cr_expect (wire_token_of (value, &token) && token.number == 1.5);
    cr_expect_not (wire_map_find (body, "d", &value));
    cr_expect_not (wire_map_find (json_body ("['b', 1]"), "b", &value));
    cr_expect_not (wire_map_find ((struct str){ body.data, body.size - 1 }, "c", &value));
    cr_expect_not (wire_token_of ((struct str){ NULL, 0 }, &token));
}

Test (msgpack, utf8)
{
    static const char *const GOOD[] = { "",
                                        "plain",
                                        "Müller, Łódź, 東京, 🎁",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "eight by\xc3\xa9tes and more" };
    static const char *const BAD[] = {
        "\x80", /* a continuation alone */
        "\xbf",
        "\xc3",
        "abc\xc3",
        "\xe2\x82",
        "\xf0\x9f\x8e", /* cut */
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* surrogates */
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe", /* above U+10FFFF */
        "\xc3(",
        "\xe2(\xa1",
        "\xe2\x82(",
        "\xf0\x28\x8c\xbc",
        "long enough text \xe9 latin 1",
    };
    for (unsigned i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
        cr_expect (wire_utf8_valid (str_of (GOOD[i])), "good %u", i);
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct str guarded = guarded_copy (str_of (BAD[i]));
        cr_expect_not (wire_utf8_valid (guarded), "bad %u", i);
        guarded_free (guarded);
    }
    cr_expect (wire_utf8_valid ((struct str){ NULL, 0 }));
}

static void
expect_bytes (struct buf *buf, struct str bytes)
{
    cr_expect (str_equal (str_of_buf (buf), bytes));
    buf_clear (buf);
}

Test (msgpack, writers_use_the_shortest_form)
{
    struct buf buf = { 0 };
    wire_write_nil (&buf);
    wire_write_bool (&buf, true);
    wire_write_bool (&buf, false);
    expect_bytes (&buf, BYTES (0xc0, 0xc3, 0xc2));
    wire_write_int (&buf, -1);
    wire_write_int (&buf, 127);
    wire_write_int (&buf, 128);
    wire_write_int (&buf, -129);
    expect_bytes (&buf, BYTES (0xff, 0x7f, 0xcc, 0x80, 0xd1, 0xff, 0x7f));
    wire_write_uint (&buf, UINT64_MAX);
    expect_bytes (&buf, BYTES (0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
    wire_write_double (&buf, 1.5);
    expect_bytes (&buf, BYTES (0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0));
    wire_write_str (&buf, (struct str){ NULL, 0 });
    wire_write_cstr (&buf, "hi");
    wire_write_bin (&buf, "\1", 1);
    expect_bytes (&buf, BYTES (0xa0, 0xa2, 'h', 'i', 0xc4, 1, 1));
    wire_write_map (&buf, 1);
    wire_write_raw (&buf, STR ("\xa1k"));
    wire_write_array (&buf, 16);
    expect_bytes (&buf, BYTES (0x81, 0xa1, 'k', 0xdc, 0, 16));
    buf_free (&buf);
}

Test (msgpack, decimals_times_and_days_are_strings)
{
    struct buf buf = { 0 };
    wire_write_decimal (&buf, 1250, 2, 2);
    expect_bytes (&buf, STR ("\xa5"
                             "12.50"));
    wire_write_decimal (&buf, -12500000, 6, 0);
    expect_bytes (&buf, STR ("\xa5-12.5"));
    wire_write_time (&buf, INT64_C (1292486580000000));
    expect_bytes (&buf, STR ("\xb4"
                             "2010-12-16T08:03:00Z"));
    wire_write_time (&buf, INSTANT_NEVER);
    expect_bytes (&buf, BYTES (0xc0));
    wire_write_day (&buf, 14959);
    expect_bytes (&buf, STR ("\xaa"
                             "2010-12-16"));
    buf_free (&buf);
}
