/* any.c - values of no schema: the check at decoding, the canonical form for the hash. */
#include "wire/any.h"

#include <math.h>

enum { PAIRS_MAX = WIRE_META_MAX / 2 };
_Static_assert(WIRE_META_MAX <= UINT16_MAX, "offsets are 16-bit");

/* The pairs of one map in the order of their keys: where each key begins. */
struct pairs {
    const uint8_t *start, *end;
    unsigned count;
    uint16_t key_offset[PAIRS_MAX];
};

static struct str
key_at (const struct pairs *pairs, unsigned index, struct wire_reader *value)
{
    struct wire_token key;
    *value = (struct wire_reader){ pairs->start + pairs->key_offset[index], pairs->end, WIRE_FAULT_NONE };
    wire_next (value, &key);
    return key.text;
}

/* Puts the key that begins at `at` in its place; false when it is there already. */
static bool
pairs_insert (struct pairs *pairs, const uint8_t *at)
{
    struct wire_reader value;
    unsigned place = pairs->count++;
    pairs->key_offset[place] = (uint16_t)(at - pairs->start);
    struct str key = key_at (pairs, place, &value);
    for (; place > 0; place--) {
        int order = str_compare (key_at (pairs, place - 1, &value), key);
        if (order == 0)
            return false;
        if (order < 0)
            break;
        pairs->key_offset[place] = pairs->key_offset[place - 1];
    }
    pairs->key_offset[place] = (uint16_t)(at - pairs->start);
    return true;
}

static bool
text_valid (struct str text)
{
    return wire_utf8_valid (text) && memchr (text.data, '\0', text.size) == NULL;
}

static const char *
map_check (struct wire_reader *reader, uint32_t count, unsigned depth_max)
{
    struct pairs pairs = { .start = reader->at, .end = reader->end };
    if (count > PAIRS_MAX)
        return "has too many keys";
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = reader->at;
        struct wire_token key;
        if (!wire_next (reader, &key))
            return wire_fault_text (reader->fault);
        if (key.type != TOKEN_STR || !text_valid (key.text))
            return "has a key that is not a string of UTF-8 without NUL";
        if (!pairs_insert (&pairs, at))
            return "has the same key twice";
        const char *wrong = any_check (reader, depth_max);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

const char *
any_check (struct wire_reader *reader, unsigned depth_max)
{
    struct wire_token token;
    if (!wire_next (reader, &token))
        return wire_fault_text (reader->fault);
    switch (token.type) {
    case TOKEN_NIL:
    case TOKEN_BOOL:
    case TOKEN_INT:
    case TOKEN_UINT:
        return NULL;
    case TOKEN_DOUBLE:
        return isfinite (token.number) ? NULL : "holds a float that is infinite or not a number";
    case TOKEN_STR:
        return text_valid (token.text) ? NULL : "holds text that is not UTF-8 without NUL";
    case TOKEN_BIN:
    case TOKEN_EXT:
        return "holds binary bytes or an extension, which JSON has not";
    case TOKEN_ARRAY:
    case TOKEN_MAP:
        break;
    }
    if (depth_max == 0)
        return wire_fault_text (WIRE_FAULT_DEPTH);
    if (token.type == TOKEN_MAP)
        return map_check (reader, token.count, depth_max - 1);
    for (uint32_t i = 0; i < token.count; i++) {
        const char *wrong = any_check (reader, depth_max - 1);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static void
append_number (any_sink *append, void *sink, char tag, uint64_t bits)
{
    uint8_t bytes[9] = { (uint8_t)tag };
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (uint8_t)(bits >> (8 * i));
    append (sink, bytes, sizeof bytes);
}

static void
append_size (any_sink *append, void *sink, uint32_t size)
{
    uint8_t bytes[4] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24) };
    append (sink, bytes, sizeof bytes);
}

static void
append_text (any_sink *append, void *sink, struct str text)
{
    append_size (append, sink, text.size);
    append (sink, text.data, text.size);
}

static void
append_float (any_sink *append, void *sink, double number)
{
    if (number >= -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number) {
        append_number (append, sink, 'i', (uint64_t)(int64_t)number);
        return;
    }
    uint64_t bits;
    memcpy (&bits, &number, sizeof bits);
    append_number (append, sink, 'd', bits);
}

static void
append_map (any_sink *append, void *sink, struct wire_reader *reader, uint32_t count)
{
    struct pairs pairs = { .start = reader->at, .end = reader->end };
    for (uint32_t i = 0; i < count; i++) {
        pairs_insert (&pairs, reader->at);
        wire_skip (reader, 0);
        wire_skip (reader, WIRE_DEPTH_MAX);
    }
    append (sink, "m", 1);
    append_size (append, sink, count);
    for (unsigned i = 0; i < pairs.count; i++) {
        struct wire_reader value;
        append_text (append, sink, key_at (&pairs, i, &value));
        any_canonical (&value, append, sink);
    }
}

void
any_canonical (struct wire_reader *reader, any_sink *append, void *sink)
{
    struct wire_token token;
    if (!wire_next (reader, &token))
        return;
    switch (token.type) {
    case TOKEN_NIL:
        append (sink, "n", 1);
        break;
    case TOKEN_BOOL:
        append (sink, token.boolean ? "t" : "f", 1);
        break;
    case TOKEN_INT:
        append_number (append, sink, 'i', (uint64_t)token.integer);
        break;
    case TOKEN_UINT:
        append_number (append, sink, 'u', token.natural);
        break;
    case TOKEN_DOUBLE:
        append_float (append, sink, wire_token_number (&token));
        break;
    case TOKEN_STR:
        append (sink, "s", 1);
        append_text (append, sink, token.text);
        break;
    case TOKEN_ARRAY:
        append (sink, "l", 1);
        append_size (append, sink, token.count);
        for (uint32_t i = 0; i < token.count; i++)
            any_canonical (reader, append, sink);
        break;
    case TOKEN_MAP:
        append_map (append, sink, reader, token.count);
        break;
    case TOKEN_BIN:
    case TOKEN_EXT:
        break; /* any_check refuses them */
    }
}
