/* value.c - loyalty/value.h on top of wire's MessagePack reader. */
#include "loyalty/value.h"
#include "wire/msgpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

/* The public type, and where the content lies, of a token that ends at `end`. */
static void
value_of_token (const struct wire_token *token, const char *end, struct loyalty_value *value)
{
    value->end = end;
    value->data = end;
    switch (token->type) {
    case TOKEN_NIL:
        value->type = LOYALTY_NULL;
        return;
    case TOKEN_BOOL:
        value->type = LOYALTY_BOOL;
        value->boolean = token->boolean;
        return;
    case TOKEN_INT:
        value->type = LOYALTY_INT;
        value->integer = token->integer;
        return;
    case TOKEN_UINT:
        value->type = LOYALTY_UINT;
        value->unsigned_integer = token->natural;
        return;
    case TOKEN_DOUBLE:
        value->type = LOYALTY_FLOAT;
        value->number = wire_token_number (token);
        return;
    case TOKEN_ARRAY:
    case TOKEN_MAP:
        value->type = token->type == TOKEN_MAP ? LOYALTY_MAP : LOYALTY_LIST;
        value->size = token->count;
        return;
    case TOKEN_STR:
    case TOKEN_BIN:
    case TOKEN_EXT:
        value->type = token->type == TOKEN_STR   ? LOYALTY_STRING
                      : token->type == TOKEN_BIN ? LOYALTY_BINARY
                                                 : LOYALTY_EXTENSION;
        value->data = token->text.data;
        value->size = token->text.size;
        return;
    }
}

bool
loyalty_read (const void *bytes, size_t size, struct loyalty_value *value)
{
    struct wire_token token;
    if (size > UINT32_MAX)
        return false;
    struct wire_reader reader = wire_reader_of ((struct str){ bytes, (uint32_t)size });
    memset (value, 0, sizeof *value);
    if (!wire_next (&reader, &token))
        return false;
    value->start = bytes;
    value->limit = value->start + size;
    value_of_token (&token, (const char *)reader.at, value);
    return true;
}

const char *
loyalty_skip (const struct loyalty_value *value)
{
    struct str bytes = { value->start, (uint32_t)(value->limit - value->start) };
    struct wire_reader reader = wire_reader_of (bytes);
    return wire_skip (&reader, DEPTH_MAX) ? (const char *)reader.at : NULL;
}

bool
loyalty_walk (struct loyalty_value *container, struct loyalty_value *item)
{
    if (container->size == 0 || !loyalty_read (container->data, (size_t)(container->limit - container->data), item))
        return false;
    const char *end = loyalty_skip (item);
    if (end == NULL)
        return false;
    container->data = end;
    /* Of a map `size` counts pairs; `boolean` remembers that the key of the current one was given. */
    if (container->type == LOYALTY_MAP)
        container->boolean = !container->boolean;
    if (!container->boolean)
        container->size--;
    return true;
}

/* The value under a name of `size` bytes. */
static bool
find_name (struct loyalty_value map, const char *name, size_t size, struct loyalty_value *value)
{
    struct loyalty_value key;
    if (map.type != LOYALTY_MAP)
        return false;
    while (loyalty_walk (&map, &key)) {
        if (!loyalty_walk (&map, value))
            return false;
        if (key.type == LOYALTY_STRING && key.size == size && memcmp (key.data, name, size) == 0)
            return true;
    }
    return false;
}

static bool
find_index (struct loyalty_value list, unsigned long index, struct loyalty_value *value)
{
    if (list.type != LOYALTY_LIST || index >= list.size)
        return false;
    for (unsigned long i = 0; i <= index; i++)
        if (!loyalty_walk (&list, value))
            return false;
    return true;
}

bool
loyalty_find (const void *bytes, size_t size, const char *path, struct loyalty_value *value)
{
    if (!loyalty_read (bytes, size, value))
        return false;
    for (const char *at = path; *at != '\0';) {
        if (*at == '[') {
            unsigned long index = 0;
            for (at++; *at >= '0' && *at <= '9' && index < UINT32_MAX; at++)
                index = 10 * index + (unsigned long)(*at - '0');
            if (*at++ != ']' || !find_index (*value, index, value))
                return false;
        } else {
            at += *at == '.';
            size_t length = strcspn (at, ".[");
            if (!find_name (*value, at, length, value))
                return false;
            at += length;
        }
    }
    return true;
}

bool
loyalty_value_text (const struct loyalty_value *value, char *text, size_t size)
{
    if (size == 0)
        return false;
    text[0] = '\0';
    if (value->type == LOYALTY_INT)
        return (size_t)snprintf (text, size, "%" PRId64, value->integer) < size;
    if (value->type != LOYALTY_STRING)
        return false;
    size_t length = value->size < size ? value->size : size - 1;
    memcpy (text, value->data, length);
    text[length] = '\0';
    return length == value->size;
}

bool
loyalty_value_equals (const struct loyalty_value *value, const char *text)
{
    return value->type == LOYALTY_STRING && value->size == strlen (text) &&
           memcmp (value->data, text, value->size) == 0;
}
