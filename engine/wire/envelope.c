/* envelope.c - headers and reply bodies: see envelope.h. */
#include "wire/envelope.h"
#include "wire/msgpack.h"
#include "wire/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum header_field { HEADER_V, HEADER_ID, HEADER_METHOD, HEADER_KEY, HEADER_TTL, HEADER_AFFINITY, HEADER_TRACE };
static const char *const HEADER_FIELDS[] = { "v", "id", "method", "key", "ttl_ms", "affinity", "traceparent", NULL };

/* Reads a header's fields one by one. What is at fault in one is kept as the error, but the rest is still
 * read, because a refusal should carry the request's id wherever that stands. */
struct header_reader {
    struct wire_reader reader;
    uint32_t pairs;
    unsigned seen, given; /* bits of enum header_field: not null, too, in `given` */
    bool refused;
    struct error *err;
};

__attribute__ ((format (printf, 3, 4))) static void
refuse (struct header_reader *header, const char *field, const char *format, ...)
{
    char text[160];
    va_list args;
    if (header->refused)
        return;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    header->refused = true;
    error_field (header->err, ERROR_INVALID_REQUEST, field, "%s", text);
}

static bool
header_open (struct header_reader *header, struct str frame, struct error *err)
{
    struct wire_token token;
    *header = (struct header_reader){ .reader = wire_reader_of (frame), .err = err };
    if (frame.size > WIRE_HEADER_MAX) {
        error_field (err, ERROR_TOO_LARGE, "header", "must have at most %d bytes, but has %" PRIu32, WIRE_HEADER_MAX,
                     frame.size);
        return false;
    }
    if (!wire_next (&header->reader, &token)) {
        refuse (header, "header", "%s", wire_fault_text (header->reader.fault));
        return false;
    }
    if (token.type != TOKEN_MAP) {
        refuse (header, "header", "must be a map, not %s", wire_token_text (token.type));
        return false;
    }
    header->pairs = token.count;
    return true;
}

/* The next field that is known and not null, with its value. False at the end, or where reading on makes no sense. */
static bool
header_next (struct header_reader *header, enum header_field *field, struct wire_token *value)
{
    struct wire_reader *reader = &header->reader;
    for (; header->pairs > 0; header->pairs--) {
        struct wire_token key;
        if (!wire_next (reader, &key)) {
            refuse (header, "header", "%s", wire_fault_text (reader->fault));
            return false;
        }
        if (key.type != TOKEN_STR) {
            refuse (header, "header", "its keys must be strings, not %s", wire_token_text (key.type));
            return false;
        }
        struct wire_reader start = *reader;
        if (!wire_skip (reader, WIRE_FOREIGN_DEPTH_MAX)) {
            refuse (header, "header", "%s", wire_fault_text (reader->fault));
            return false;
        }
        int index = wire_name_index (HEADER_FIELDS, key.text);
        if (index < 0)
            continue;
        if (header->seen & 1u << index)
            refuse (header, HEADER_FIELDS[index], "is given twice");
        header->seen |= 1u << index;
        wire_next (&start, value);
        if (value->type == TOKEN_NIL)
            continue;
        header->given |= 1u << index;
        header->pairs--;
        *field = (enum header_field)index;
        return true;
    }
    if (reader->at != reader->end)
        refuse (header, "header", "bytes follow it");
    return false;
}

static void
require (struct header_reader *header, enum header_field field)
{
    if (!(header->given & 1u << field))
        refuse (header, HEADER_FIELDS[field], "is required");
}

static uint64_t
take_natural (struct header_reader *header, enum header_field field, const struct wire_token *value, uint64_t min,
              uint64_t max)
{
    bool is_natural = value->type == TOKEN_UINT || (value->type == TOKEN_INT && value->integer >= 0);
    if (is_natural && value->natural >= min && value->natural <= max) /* of an INT from 0 on the bits are the same */
        return value->natural;
    refuse (header, HEADER_FIELDS[field], "must be an integer from %" PRIu64 " to %" PRIu64, min, max);
    return 0;
}

static struct str
take_text (struct header_reader *header, enum header_field field, const struct wire_token *value, unsigned size_max)
{
    if (value->type != TOKEN_STR)
        refuse (header, HEADER_FIELDS[field], "must be a string, not %s", wire_token_text (value->type));
    else if (value->text.size > size_max)
        refuse (header, HEADER_FIELDS[field], "must have at most %u bytes, but has %" PRIu32, size_max,
                value->text.size);
    else if (!wire_utf8_valid (value->text) || memchr (value->text.data, '\0', value->text.size) != NULL)
        refuse (header, HEADER_FIELDS[field], "must be UTF-8 without NUL");
    else
        return value->text;
    return (struct str){ NULL, 0 };
}

static unsigned
take_version (struct header_reader *header, const struct wire_token *value)
{
    uint64_t version = take_natural (header, HEADER_V, value, 0, UINT32_MAX);
    if (version != PROTOCOL_VERSION)
        refuse (header, "v", "this is protocol version %d, not %" PRIu64, PROTOCOL_VERSION, version);
    return (unsigned)version;
}

int
request_header_decode (struct str frame, struct request_header *header, struct error *err)
{
    struct header_reader reader;
    enum header_field field;
    struct wire_token value;
    *header = (struct request_header){ .ttl_ms = TTL_DEFAULT_MS };
    if (!header_open (&reader, frame, err))
        return -1;
    while (header_next (&reader, &field, &value)) {
        switch (field) {
        case HEADER_V:
            header->version = take_version (&reader, &value);
            break;
        case HEADER_ID:
            header->id = take_natural (&reader, field, &value, 0, UINT64_MAX);
            break;
        case HEADER_METHOD:
            header->method = take_text (&reader, field, &value, WIRE_NAME_MAX);
            break;
        case HEADER_KEY:
            header->key = take_text (&reader, field, &value, WIRE_NAME_MAX);
            break;
        case HEADER_TTL:
            header->ttl_ms = (uint32_t)take_natural (&reader, field, &value, 1, TTL_MAX_MS);
            break;
        case HEADER_AFFINITY:
            header->affinity = take_natural (&reader, field, &value, 0, UINT64_MAX);
            break;
        case HEADER_TRACE:
            header->traceparent = take_text (&reader, field, &value, TRACEPARENT_MAX);
            break;
        }
    }
    require (&reader, HEADER_V);
    require (&reader, HEADER_ID);
    require (&reader, HEADER_METHOD);
    if (header->method.size == 0)
        refuse (&reader, "method", "must not be empty");
    return reader.refused ? -1 : 0;
}

static void
write_text_field (struct buf *out, enum header_field field, struct str text)
{
    if (text.size == 0)
        return;
    wire_write_cstr (out, HEADER_FIELDS[field]);
    wire_write_str (out, text);
}

static void
write_natural_field (struct buf *out, enum header_field field, uint64_t natural)
{
    if (natural == 0)
        return;
    wire_write_cstr (out, HEADER_FIELDS[field]);
    wire_write_uint (out, natural);
}

void
request_header_encode (const struct request_header *header, struct buf *out)
{
    unsigned optional = (header->method.size > 0) + (header->key.size > 0) + (header->ttl_ms > 0) +
                        (header->affinity > 0) + (header->traceparent.size > 0);
    wire_write_map (out, 2 + optional);
    wire_write_cstr (out, "v");
    wire_write_uint (out, header->version > 0 ? header->version : PROTOCOL_VERSION);
    wire_write_cstr (out, "id");
    wire_write_uint (out, header->id);
    write_text_field (out, HEADER_METHOD, header->method);
    write_text_field (out, HEADER_KEY, header->key);
    write_natural_field (out, HEADER_TTL, header->ttl_ms);
    write_natural_field (out, HEADER_AFFINITY, header->affinity);
    write_text_field (out, HEADER_TRACE, header->traceparent);
}

int
reply_header_decode (struct str frame, uint64_t *id, struct error *err)
{
    struct header_reader reader;
    enum header_field field;
    struct wire_token value;
    *id = 0;
    if (!header_open (&reader, frame, err))
        return -1;
    while (header_next (&reader, &field, &value)) {
        if (field == HEADER_V)
            take_version (&reader, &value);
        else if (field == HEADER_ID)
            *id = take_natural (&reader, field, &value, 0, UINT64_MAX);
    }
    require (&reader, HEADER_V);
    require (&reader, HEADER_ID);
    return reader.refused ? -1 : 0;
}

void
reply_header_encode (uint64_t id, struct buf *out)
{
    wire_write_map (out, 2);
    wire_write_cstr (out, "v");
    wire_write_uint (out, PROTOCOL_VERSION);
    wire_write_cstr (out, "id");
    wire_write_uint (out, id);
}

/* A message may have been cut within a character, or quote what a client sent: strings are UTF-8 all the same. */
static void
write_clean (struct buf *out, const char *text)
{
    char clean[sizeof ((struct error *)NULL)->message];
    struct str whole = str_of (text);
    if (wire_utf8_valid (whole)) {
        wire_write_str (out, whole);
        return;
    }
    uint32_t size = 0;
    for (; size < whole.size && size < sizeof clean; size++)
        clean[size] = (uint8_t)text[size] < 0x80 ? text[size] : '?';
    wire_write_str (out, (struct str){ clean, size });
}

void
reply_error_encode (const struct error *err, int64_t retry_after_ms, struct buf *out)
{
    wire_write_map (out, 2);
    wire_write_cstr (out, "ok");
    wire_write_bool (out, false);
    wire_write_cstr (out, "error");
    wire_write_map (out, 4);
    wire_write_cstr (out, "code");
    wire_write_cstr (out, error_code_name (err->code));
    wire_write_cstr (out, "message");
    write_clean (out, err->message);
    wire_write_cstr (out, "details");
    wire_write_map (out, err->detail_count + (retry_after_ms > 0));
    for (unsigned i = 0; i < err->detail_count; i++) {
        wire_write_cstr (out, err->details[i].name);
        write_clean (out, err->details[i].value);
    }
    if (retry_after_ms > 0) {
        wire_write_cstr (out, "retry_after_ms");
        wire_write_int (out, retry_after_ms);
    }
    wire_write_cstr (out, "retryable");
    wire_write_bool (out, error_code_retryable (err->code));
}

/* Text of a reply as a C string, cut where it is longer or holds a NUL; empty when the value is no string. */
static void
copy_text (char *to, size_t size, const struct wire_token *token)
{
    bool is_text = token->type == TOKEN_STR;
    snprintf (to, size, "%.*s", is_text ? (int)token->text.size : 0, is_text ? token->text.data : "");
}

/* The text of a key that should be there; false when it is missing or no string. */
static bool
find_text (struct str map, const char *key, char *to, size_t size)
{
    struct str value;
    struct wire_token token;
    if (!wire_map_find (map, key, &value) || !wire_token_of (value, &token) || token.type != TOKEN_STR)
        return false;
    copy_text (to, size, &token);
    return true;
}

static void
details_decode (struct str details, struct error *failure, int64_t *retry_after_ms)
{
    struct wire_reader reader = wire_reader_of (details);
    struct wire_token token, name;
    if (!wire_next (&reader, &token) || token.type != TOKEN_MAP)
        return;
    for (uint32_t pairs = token.count; pairs > 0; pairs--) {
        struct str value;
        if (!wire_next (&reader, &name) || name.type != TOKEN_STR ||
            !wire_slice (&reader, WIRE_FOREIGN_DEPTH_MAX, &value))
            return;
        wire_token_of (value, &token);
        if (token.type == TOKEN_INT && str_equal (name.text, STR ("retry_after_ms"))) {
            *retry_after_ms = token.integer;
        } else if (token.type == TOKEN_STR && failure->detail_count < ERROR_DETAILS_MAX) {
            unsigned i = failure->detail_count++;
            copy_text (failure->details[i].name, sizeof failure->details[i].name, &name);
            copy_text (failure->details[i].value, sizeof failure->details[i].value, &token);
        }
    }
}

/* {code, message, details, retryable}; a code of a newer engine counts as internal. */
static bool
failure_decode (struct str encoded, struct error *failure, int64_t *retry_after_ms)
{
    char code[32];
    struct str details;
    if (!find_text (encoded, "code", code, sizeof code) ||
        !find_text (encoded, "message", failure->message, sizeof failure->message))
        return false;
    failure->code = error_code_by_name (code);
    if (failure->code == ERROR_NONE)
        failure->code = ERROR_INTERNAL;
    if (wire_map_find (encoded, "details", &details))
        details_decode (details, failure, retry_after_ms);
    return true;
}

int
reply_body_decode (struct str frame, bool *ok, struct str *result, struct error *failure, int64_t *retry_after_ms,
                   struct error *err)
{
    struct wire_reader reader = wire_reader_of (frame);
    struct wire_token token;
    struct str value;
    *ok = false;
    *result = (struct str){ NULL, 0 };
    *failure = (struct error){ .code = ERROR_NONE };
    *retry_after_ms = 0;
    if (!wire_skip (&reader, WIRE_FOREIGN_DEPTH_MAX))
        return error_set (err, ERROR_INTERNAL, "the reply is malformed: %s", wire_fault_text (reader.fault));
    if (reader.at != reader.end)
        return error_set (err, ERROR_INTERNAL, "the reply is malformed: bytes follow it");
    if (!wire_map_find (frame, "ok", &value) || !wire_token_of (value, &token) || token.type != TOKEN_BOOL)
        return error_set (err, ERROR_INTERNAL, "the reply is malformed: it has no `ok`");
    *ok = token.boolean;
    if (*ok) {
        if (!wire_map_find (frame, "result", result) || !wire_token_of (*result, &token) || token.type != TOKEN_MAP)
            return error_set (err, ERROR_INTERNAL, "the reply is malformed: its `result` is no map");
        return 0;
    }
    if (!wire_map_find (frame, "error", &value) || !failure_decode (value, failure, retry_after_ms))
        return error_set (err, ERROR_INTERNAL, "the reply is malformed: its `error` has no code and message");
    return 0;
}
