/* json.c - JSON to MessagePack and back. */
#include "loyalty/json.h"
#include "failure.h"
#include "loyalty/value.h"
#include "wire/msgpack.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32 };

static int encode (const json_t *value, unsigned depth, struct buf *out);

static int
encode_object (const json_t *object, unsigned depth, struct buf *out)
{
    const char *name;
    json_t *item;
    wire_write_map (out, (uint32_t)json_object_size (object));
    json_object_foreach ((json_t *)(uintptr_t)object, name, item)
    {
        wire_write_cstr (out, name);
        if (encode (item, depth + 1, out) != 0)
            return -1;
    }
    return 0;
}

static int
encode_list (const json_t *list, unsigned depth, struct buf *out)
{
    wire_write_array (out, (uint32_t)json_array_size (list));
    for (size_t i = 0; i < json_array_size (list); i++)
        if (encode (json_array_get (list, i), depth + 1, out) != 0)
            return -1;
    return 0;
}

/* 0; -1: nested too deep. */
static int
encode (const json_t *value, unsigned depth, struct buf *out)
{
    switch (json_typeof (value)) {
    case JSON_OBJECT:
        return depth == DEPTH_MAX ? -1 : encode_object (value, depth, out);
    case JSON_ARRAY:
        return depth == DEPTH_MAX ? -1 : encode_list (value, depth, out);
    case JSON_STRING:
        wire_write_str (out, (struct str){ json_string_value (value), (uint32_t)json_string_length (value) });
        return 0;
    case JSON_INTEGER:
        wire_write_int (out, json_integer_value (value));
        return 0;
    case JSON_REAL:
        wire_write_double (out, json_real_value (value));
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        wire_write_bool (out, json_is_true (value));
        return 0;
    case JSON_NULL:
        wire_write_nil (out);
        return 0;
    }
    return -1;
}

void *
loyalty_json_encode (const json_t *value, size_t *size, struct loyalty_error *error)
{
    struct buf out = { 0 };
    if (encode (value, 0, &out) != 0)
        failure_set (error, LOYALTY_INVALID_REQUEST, "nested deeper than %d", DEPTH_MAX);
    else if (out.failed)
        failure_set (error, LOYALTY_INTERNAL, "out of memory");
    else {
        *size = out.size;
        return out.data;
    }
    buf_free (&out);
    return NULL;
}

/* Where decoding stands, and what stopped it. */
struct decoder {
    struct wire_reader reader;
    const char *trouble;
};

static json_t *decode (struct decoder *decoder, unsigned depth);

static json_t *
give_up (struct decoder *decoder, json_t *unfinished, const char *trouble)
{
    json_decref (unfinished);
    if (decoder->trouble == NULL)
        decoder->trouble = trouble;
    return NULL;
}

static json_t *
decode_binary (struct str bytes)
{
    static const char DIGITS[] = "0123456789abcdef";
    char *text = malloc (2 * (size_t)bytes.size + 1);
    if (text == NULL)
        return NULL;
    for (uint32_t i = 0; i < bytes.size; i++) {
        text[2 * i] = DIGITS[(uint8_t)bytes.data[i] >> 4];
        text[2 * i + 1] = DIGITS[(uint8_t)bytes.data[i] & 15];
    }
    json_t *value = json_stringn (text, 2 * (size_t)bytes.size);
    free (text);
    return value;
}

/* A map's key, which JSON wants as text; `digits` holds that of an integer. False: neither. */
static bool
decode_key (struct decoder *decoder, char digits[24], struct str *key)
{
    struct wire_token token;
    if (!wire_next (&decoder->reader, &token))
        return false;
    if (token.type == TOKEN_INT) {
        *key = (struct str){ digits, (uint32_t)snprintf (digits, 24, "%" PRId64, token.integer) };
        return true;
    }
    *key = token.text;
    return token.type == TOKEN_STR;
}

static json_t *
decode_map (struct decoder *decoder, uint32_t count, unsigned depth)
{
    json_t *object = json_object ();
    for (uint32_t i = 0; i < count; i++) {
        char digits[24], *name;
        struct str key;
        if (!decode_key (decoder, digits, &key))
            return give_up (decoder, object, "a map's key is neither text nor an integer, or the bytes end");
        json_t *item = decode (decoder, depth + 1);
        if (item == NULL)
            return give_up (decoder, object, "out of memory");
        /* Jansson 2.13 has no setter that takes a length. */
        name = strndup (key.data, key.size);
        int set = name == NULL ? -1 : json_object_set_new (object, name, item);
        if (name == NULL)
            json_decref (item);
        free (name);
        if (set != 0)
            return give_up (decoder, object, "a map's key is not UTF-8");
    }
    return object;
}

static json_t *
decode_list (struct decoder *decoder, uint32_t count, unsigned depth)
{
    json_t *list = json_array ();
    for (uint32_t i = 0; i < count; i++) {
        json_t *item = decode (decoder, depth + 1);
        if (item == NULL || json_array_append_new (list, item) != 0)
            return give_up (decoder, list, "out of memory");
    }
    return list;
}

static json_t *
decode_text (struct decoder *decoder, struct str text)
{
    json_t *value = json_stringn (text.data, text.size);
    return value != NULL ? value : give_up (decoder, NULL, "a text is not UTF-8");
}

/* A new reference; NULL with decoder->trouble. */
static json_t *
decode (struct decoder *decoder, unsigned depth)
{
    struct wire_token token;
    char digits[24];
    if (!wire_next (&decoder->reader, &token))
        return give_up (decoder, NULL, wire_fault_text (decoder->reader.fault));
    if ((token.type == TOKEN_MAP || token.type == TOKEN_ARRAY) && depth == DEPTH_MAX)
        return give_up (decoder, NULL, "nested too deep");
    switch (token.type) {
    case TOKEN_NIL:
        return json_null ();
    case TOKEN_BOOL:
        return json_boolean (token.boolean);
    case TOKEN_INT:
        return json_integer (token.integer);
    case TOKEN_UINT:
        snprintf (digits, sizeof digits, "%" PRIu64, token.natural);
        return json_string (digits);
    case TOKEN_DOUBLE:
        return isfinite (wire_token_number (&token)) ? json_real (wire_token_number (&token)) : json_null ();
    case TOKEN_STR:
        return decode_text (decoder, token.text);
    case TOKEN_BIN:
    case TOKEN_EXT:
        return decode_binary (token.text);
    case TOKEN_ARRAY:
        return decode_list (decoder, token.count, depth);
    case TOKEN_MAP:
        return decode_map (decoder, token.count, depth);
    }
    return NULL;
}

json_t *
loyalty_json_decode (const void *bytes, size_t size, struct loyalty_error *error)
{
    if (size > UINT32_MAX) {
        failure_set (error, LOYALTY_INVALID_REQUEST, "too large");
        return NULL;
    }
    struct decoder decoder = { wire_reader_of ((struct str){ bytes, (uint32_t)size }), NULL };
    json_t *value = decode (&decoder, 0);
    if (value != NULL && decoder.reader.at != decoder.reader.end) {
        json_decref (value);
        value = NULL;
        decoder.trouble = "bytes are left over behind the value";
    }
    if (value == NULL)
        failure_set (error, LOYALTY_INVALID_REQUEST, "not MessagePack that JSON can show: %s",
                     decoder.trouble != NULL ? decoder.trouble : "out of memory");
    return value;
}

json_t *
loyalty_call_json (struct loyalty_client *client, const struct loyalty_request *request, const json_t *body,
                   json_t **details, struct loyalty_error *error)
{
    struct loyalty_request with_body = *request;
    struct loyalty_reply reply;
    void *bytes = NULL;
    json_t *result = NULL;
    if (details != NULL)
        *details = NULL;
    with_body.body_size = 0;
    if (body != NULL && (bytes = loyalty_json_encode (body, &with_body.body_size, error)) == NULL)
        return NULL;
    with_body.body = bytes;
    if (loyalty_call (client, &with_body, &reply) == 0)
        result = loyalty_json_decode (reply.result, reply.result_size, error);
    else if (error != NULL)
        *error = reply.error;
    if (details != NULL && reply.details_size > 0)
        *details = loyalty_json_decode (reply.details, reply.details_size, NULL);
    loyalty_reply_free (&reply);
    free (bytes);
    return result;
}
