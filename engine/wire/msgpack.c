/* msgpack.c - the bounded MessagePack reader, and the writers. */
#include "wire/msgpack.h"
#include "base/decimal.h"
#include "base/timestamp.h"

#include <msgpack/pack.h>
#include <stdio.h>
#include <stdlib.h>

struct wire_reader
wire_reader_of (struct str bytes)
{
    static const uint8_t NOTHING[1];
    const uint8_t *at = bytes.size > 0 ? (const uint8_t *)bytes.data : NOTHING;
    return (struct wire_reader){ at, at + bytes.size, WIRE_FAULT_NONE };
}

static size_t
left (const struct wire_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static uint64_t
big_endian (const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static bool
fail (struct wire_reader *reader, enum wire_fault fault)
{
    reader->fault = fault;
    return false;
}

/* The rest of a token whose first `head` bytes are known to be there: `size` bytes of text. */
static bool
take_text (struct wire_reader *reader, unsigned head, uint32_t size, enum wire_token_type type,
           struct wire_token *token)
{
    if (size > left (reader) - head)
        return fail (reader, WIRE_FAULT_TRUNCATED);
    token->type = type;
    token->text = (struct str){ (const char *)reader->at + head, size };
    reader->at += head + size;
    return true;
}

/* Every element takes at least one byte, which unmasks counts that lie. */
static bool
take_container (struct wire_reader *reader, unsigned head, uint32_t count, enum wire_token_type type,
                struct wire_token *token)
{
    uint64_t bytes_min = type == TOKEN_MAP ? (uint64_t)count * 2 : count;
    if (bytes_min > left (reader) - head)
        return fail (reader, WIRE_FAULT_TRUNCATED);
    token->type = type;
    token->count = count;
    reader->at += head;
    return true;
}

static bool
take_ext (struct wire_reader *reader, unsigned head, uint32_t size, struct wire_token *token)
{
    token->ext_type = (int8_t)reader->at[head - 1];
    return take_text (reader, head, size, TOKEN_EXT, token);
}

static bool
take_int (struct wire_reader *reader, unsigned head, int64_t value, struct wire_token *token)
{
    token->type = TOKEN_INT;
    token->integer = value;
    reader->at += head;
    return true;
}

static bool
take_uint64 (struct wire_reader *reader, struct wire_token *token)
{
    uint64_t value = big_endian (reader->at + 1, 8);
    if (value <= INT64_MAX)
        return take_int (reader, 9, (int64_t)value, token);
    token->type = TOKEN_UINT;
    token->natural = value;
    reader->at += 9;
    return true;
}

static bool
take_float (struct wire_reader *reader, unsigned size, struct wire_token *token)
{
    uint64_t bits = big_endian (reader->at + 1, size);
    token->type = TOKEN_DOUBLE;
    token->is_single = size == 4;
    if (token->is_single) {
        uint32_t bits_single = (uint32_t)bits;
        float single;
        memcpy (&single, &bits_single, sizeof single);
        token->number = (double)single;
    } else {
        memcpy (&token->number, &bits, sizeof bits);
    }
    reader->at += 1 + size;
    return true;
}

/* Bytes from the marker to where the payload (or the elements) begin, for markers 0xc0 to 0xdf. */
static const uint8_t HEAD_BYTES[32] = {
    [0xc0 - 0xc0] = 1, [0xc1 - 0xc0] = 1, [0xc2 - 0xc0] = 1, [0xc3 - 0xc0] = 1, /* nil, reserved, false, true */
    [0xc4 - 0xc0] = 2, [0xc5 - 0xc0] = 3, [0xc6 - 0xc0] = 5,                    /* bin 8, 16, 32 */
    [0xc7 - 0xc0] = 3, [0xc8 - 0xc0] = 4, [0xc9 - 0xc0] = 6,                    /* ext 8, 16, 32 */
    [0xca - 0xc0] = 5, [0xcb - 0xc0] = 9,                                       /* float 32, 64 */
    [0xcc - 0xc0] = 2, [0xcd - 0xc0] = 3, [0xce - 0xc0] = 5, [0xcf - 0xc0] = 9, /* uint 8, 16, 32, 64 */
    [0xd0 - 0xc0] = 2, [0xd1 - 0xc0] = 3, [0xd2 - 0xc0] = 5, [0xd3 - 0xc0] = 9, /* int 8, 16, 32, 64 */
    [0xd4 - 0xc0] = 2, [0xd5 - 0xc0] = 2, [0xd6 - 0xc0] = 2, [0xd7 - 0xc0] = 2, /* fixext 1, 2, 4, 8 */
    [0xd8 - 0xc0] = 2,                                                          /* fixext 16 */
    [0xd9 - 0xc0] = 2, [0xda - 0xc0] = 3, [0xdb - 0xc0] = 5,                    /* str 8, 16, 32 */
    [0xdc - 0xc0] = 3, [0xdd - 0xc0] = 5, [0xde - 0xc0] = 3, [0xdf - 0xc0] = 5, /* array, map 16, 32 */
};

static bool
next_marked (struct wire_reader *reader, uint8_t marker, struct wire_token *token)
{
    const uint8_t *at = reader->at;
    unsigned head = HEAD_BYTES[marker - 0xc0];
    if (left (reader) < head)
        return fail (reader, WIRE_FAULT_TRUNCATED);
    switch (marker) {
    case 0xc0:
        token->type = TOKEN_NIL;
        reader->at++;
        return true;
    case 0xc2:
    case 0xc3:
        token->type = TOKEN_BOOL;
        token->boolean = marker == 0xc3;
        reader->at++;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_text (reader, head, (uint32_t)big_endian (at + 1, head - 1), TOKEN_BIN, token);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_ext (reader, head, (uint32_t)big_endian (at + 1, head - 2), token);
    case 0xca:
        return take_float (reader, 4, token);
    case 0xcb:
        return take_float (reader, 8, token);
    case 0xcc:
    case 0xcd:
    case 0xce:
        return take_int (reader, head, (int64_t)big_endian (at + 1, head - 1), token);
    case 0xcf:
        return take_uint64 (reader, token);
    case 0xd0:
        return take_int (reader, head, (int8_t)at[1], token);
    case 0xd1:
        return take_int (reader, head, (int16_t)big_endian (at + 1, 2), token);
    case 0xd2:
        return take_int (reader, head, (int32_t)big_endian (at + 1, 4), token);
    case 0xd3:
        return take_int (reader, head, (int64_t)big_endian (at + 1, 8), token);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_ext (reader, head, 1u << (marker - 0xd4), token);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_text (reader, head, (uint32_t)big_endian (at + 1, head - 1), TOKEN_STR, token);
    case 0xdc:
    case 0xdd:
        return take_container (reader, head, (uint32_t)big_endian (at + 1, head - 1), TOKEN_ARRAY, token);
    case 0xde:
    case 0xdf:
        return take_container (reader, head, (uint32_t)big_endian (at + 1, head - 1), TOKEN_MAP, token);
    default:
        return fail (reader, WIRE_FAULT_RESERVED);
    }
}

bool
wire_next (struct wire_reader *reader, struct wire_token *token)
{
    if (reader->at == reader->end)
        return fail (reader, WIRE_FAULT_TRUNCATED);
    uint8_t marker = *reader->at;
    if (marker < 0x80)
        return take_int (reader, 1, marker, token);
    if (marker < 0x90)
        return take_container (reader, 1, marker & 0x0f, TOKEN_MAP, token);
    if (marker < 0xa0)
        return take_container (reader, 1, marker & 0x0f, TOKEN_ARRAY, token);
    if (marker < 0xc0)
        return take_text (reader, 1, marker & 0x1f, TOKEN_STR, token);
    if (marker >= 0xe0)
        return take_int (reader, 1, (int8_t)marker, token);
    return next_marked (reader, marker, token);
}

bool
wire_skip (struct wire_reader *reader, unsigned depth_max)
{
    struct wire_token token;
    if (!wire_next (reader, &token))
        return false;
    if (token.type != TOKEN_ARRAY && token.type != TOKEN_MAP)
        return true;
    if (depth_max == 0)
        return fail (reader, WIRE_FAULT_DEPTH);
    uint64_t values = token.type == TOKEN_MAP ? (uint64_t)token.count * 2 : token.count;
    for (; values > 0; values--)
        if (!wire_skip (reader, depth_max - 1))
            return false;
    return true;
}

bool
wire_slice (struct wire_reader *reader, unsigned depth_max, struct str *value)
{
    const uint8_t *start = reader->at;
    if (!wire_skip (reader, depth_max))
        return false;
    *value = (struct str){ (const char *)start, (uint32_t)(reader->at - start) };
    return true;
}

bool
wire_map_find (struct str map, const char *key, struct str *value)
{
    struct wire_reader reader = wire_reader_of (map);
    struct str wanted = str_of (key);
    struct wire_token token;
    if (!wire_next (&reader, &token) || token.type != TOKEN_MAP)
        return false;
    for (uint32_t pairs = token.count; pairs > 0; pairs--) {
        if (!wire_next (&reader, &token) || token.type != TOKEN_STR)
            return false;
        if (!wire_slice (&reader, WIRE_FOREIGN_DEPTH_MAX, value))
            return false;
        if (str_equal (token.text, wanted))
            return true;
    }
    return false;
}

bool
wire_token_of (struct str value, struct wire_token *token)
{
    struct wire_reader reader = wire_reader_of (value);
    return wire_next (&reader, token);
}

const char *
wire_fault_text (enum wire_fault fault)
{
    switch (fault) {
    case WIRE_FAULT_TRUNCATED:
        return "the bytes end within a value";
    case WIRE_FAULT_RESERVED:
        return "byte 0xc1 is not MessagePack";
    case WIRE_FAULT_DEPTH:
        return "nested too deep";
    case WIRE_FAULT_NONE:
        break;
    }
    return "no fault";
}

const char *
wire_token_text (enum wire_token_type type)
{
    static const char *const TEXTS[] = {
        [TOKEN_NIL] = "null",         [TOKEN_BOOL] = "a boolean", [TOKEN_INT] = "an integer",
        [TOKEN_UINT] = "an integer",  [TOKEN_DOUBLE] = "a float", [TOKEN_STR] = "a string",
        [TOKEN_BIN] = "binary bytes", [TOKEN_ARRAY] = "a list",   [TOKEN_MAP] = "a map",
        [TOKEN_EXT] = "an extension",
    };
    return TEXTS[type];
}

/* Bytes of the well-formed sequence at `at` that begins with a byte above 0x7f (Unicode, table 3-7); 0: none. */
static unsigned
utf8_sequence (const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0], low = 0x80, high = 0xbf;
    unsigned size;
    if (first >= 0xc2 && first <= 0xdf)
        size = 2;
    else if (first >= 0xe0 && first <= 0xef)
        size = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        size = 4;
    else
        return 0;
    if ((size_t)(end - at) < size)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (unsigned i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool
wire_utf8_valid (struct str text)
{
    if (text.size == 0)
        return true;
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy (&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
        } else if (*at < 0x80) {
            at++;
        } else {
            unsigned size = utf8_sequence (at, end);
            if (size == 0)
                return false;
            at += size;
        }
    }
    return true;
}

double
wire_token_number (const struct wire_token *token)
{
    if (!token->is_single)
        return token->number;
    char text[40];
    for (int precision = 6; precision <= 9; precision++) {
        snprintf (text, sizeof text, "%.*g", precision, token->number);
        if ((double)strtof (text, NULL) == token->number)
            break;
    }
    return strtod (text, NULL);
}

static int
sink (void *data, const char *bytes, size_t size)
{
    struct buf *buf = data;
    buf_append (buf, bytes, size);
    return buf->failed ? -1 : 0;
}

static msgpack_packer
packer_of (struct buf *buf)
{
    msgpack_packer packer;
    msgpack_packer_init (&packer, buf, sink);
    return packer;
}

void
wire_write_nil (struct buf *buf)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_nil (&packer);
}

void
wire_write_bool (struct buf *buf, bool value)
{
    msgpack_packer packer = packer_of (buf);
    if (value)
        msgpack_pack_true (&packer);
    else
        msgpack_pack_false (&packer);
}

void
wire_write_int (struct buf *buf, int64_t value)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_int64 (&packer, value);
}

void
wire_write_uint (struct buf *buf, uint64_t value)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_uint64 (&packer, value);
}

void
wire_write_double (struct buf *buf, double value)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_double (&packer, value);
}

void
wire_write_str (struct buf *buf, struct str value)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_str (&packer, value.size);
    msgpack_pack_str_body (&packer, value.data, value.size);
}

void
wire_write_cstr (struct buf *buf, const char *value)
{
    wire_write_str (buf, str_of (value));
}

void
wire_write_bin (struct buf *buf, const void *data, uint32_t size)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_bin (&packer, size);
    msgpack_pack_bin_body (&packer, data, size);
}

void
wire_write_array (struct buf *buf, uint32_t count)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_array (&packer, count);
}

void
wire_write_map (struct buf *buf, uint32_t count)
{
    msgpack_packer packer = packer_of (buf);
    msgpack_pack_map (&packer, count);
}

void
wire_write_raw (struct buf *buf, struct str encoded)
{
    buf_append (buf, encoded.data, encoded.size);
}

void
wire_write_decimal (struct buf *buf, int64_t value, unsigned digits, unsigned digits_min)
{
    char text[DECIMAL_TEXT_MAX];
    unsigned size = decimal_format (value, digits, digits_min, text);
    wire_write_str (buf, (struct str){ text, size });
}

void
wire_write_time (struct buf *buf, int64_t instant)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (instant == INSTANT_NEVER) {
        wire_write_nil (buf);
        return;
    }
    unsigned size = timestamp_format (instant, text);
    wire_write_str (buf, (struct str){ text, size });
}

void
wire_write_day (struct buf *buf, int32_t day)
{
    char text[TIMESTAMP_TEXT_MAX];
    unsigned size = day_format (day, text);
    wire_write_str (buf, (struct str){ text, size });
}
