/* worker_protocol.c - the control frame's codec, driven by the table of messages. */
#include "net/worker_protocol.h"
#include "wire/msgpack.h"

#include <stddef.h>

static const struct message_form {
    unsigned kind;
    const char *name;
    bool from_worker;
    unsigned fields, frames_min, frames_max;
} FORMS[] = {
#define X(id, kind, name, from_worker, fields, frames_min, frames_max, text) \
    { kind, name, from_worker, fields, frames_min, frames_max },
    WORKER_MESSAGES (X)
#undef X
};

/* The numeric fields in wire order. FIELD_TEXT comes behind them, and FIELD_COMPATIBLE last. */
static const struct number_field {
    enum worker_field field;
    const char *name;
    size_t offset;
    bool is_wide; /* 64 bits */
} NUMBERS[] = {
    { FIELD_GRANTED, "granted", offsetof (struct worker_message, granted), true },
    { FIELD_DISPATCH, "dispatch", offsetof (struct worker_message, dispatch), true },
    { FIELD_TTL_MS, "ttl_ms", offsetof (struct worker_message, ttl_ms), false },
    { FIELD_ROLES, "roles", offsetof (struct worker_message, roles), false },
    { FIELD_HEARTBEAT_MS, "heartbeat_ms", offsetof (struct worker_message, heartbeat_ms), false },
    { FIELD_TIMEOUT_MS, "timeout_ms", offsetof (struct worker_message, timeout_ms), false },
    { FIELD_REASON, "reason", offsetof (struct worker_message, reason), false },
};

enum { FORM_COUNT = sizeof FORMS / sizeof FORMS[0], NUMBER_COUNT = sizeof NUMBERS / sizeof NUMBERS[0] };

static const struct message_form *
form_of (unsigned kind)
{
    for (unsigned i = 0; i < FORM_COUNT; i++)
        if (FORMS[i].kind == kind)
            return &FORMS[i];
    return NULL;
}

const char *
worker_message_name (unsigned kind)
{
    const struct message_form *form = form_of (kind);
    return form != NULL ? form->name : "unknown";
}

const char *
reset_reason_text (unsigned reason)
{
    switch (reason) {
#define X(id, number, text) \
    case number: \
        return text;
        RESET_REASONS (X)
#undef X
    }
    return "unknown reason";
}

static uint64_t
number_get (const struct worker_message *message, const struct number_field *number)
{
    const char *at = (const char *)message + number->offset;
    return number->is_wide ? *(const uint64_t *)at : *(const uint32_t *)at;
}

static bool
number_set (struct worker_message *message, const struct number_field *number, uint64_t value)
{
    char *at = (char *)message + number->offset;
    if (number->is_wide)
        *(uint64_t *)at = value;
    else if (value <= UINT32_MAX)
        *(uint32_t *)at = (uint32_t)value;
    else
        return false;
    return true;
}

void
worker_message_encode (const struct worker_message *message, struct buf *out)
{
    const struct message_form *form = form_of (message->kind);
    wire_write_array (out, 3 + (uint32_t)__builtin_popcount (form->fields));
    wire_write_uint (out, message->version != 0 ? message->version : WORKER_PROTOCOL_VERSION);
    wire_write_uint (out, form->kind);
    wire_write_uint (out, message->session);
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        if (form->fields & NUMBERS[i].field)
            wire_write_uint (out, number_get (message, &NUMBERS[i]));
    if (form->fields & FIELD_TEXT)
        wire_write_str (out, message->text);
    if (form->fields & FIELD_COMPATIBLE)
        wire_write_uint (out,
                         message->compatible_from != 0 ? message->compatible_from : WORKER_PROTOCOL_COMPATIBLE_FROM);
}

static bool
read_natural (struct wire_reader *reader, uint64_t *value)
{
    struct wire_token token;
    if (!wire_next (reader, &token))
        return false;
    if (token.type == TOKEN_UINT)
        *value = token.natural;
    else if (token.type == TOKEN_INT && token.integer >= 0)
        *value = (uint64_t)token.integer;
    else
        return false;
    return true;
}

/* The `elements` after the session. NULL, or the name of the field that is not as it should be. */
static const char *
read_fields (struct wire_reader *reader, uint32_t elements, unsigned fields, struct worker_message *message)
{
    uint64_t compatible_from = message->version;
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        uint64_t value;
        if (!(fields & NUMBERS[i].field))
            continue;
        if (!read_natural (reader, &value) || !number_set (message, &NUMBERS[i], value))
            return NUMBERS[i].name;
    }
    if (fields & FIELD_TEXT) {
        struct wire_token token;
        if (!wire_next (reader, &token) || token.type != TOKEN_STR || token.text.size > WORKER_NAME_BYTES_MAX ||
            !wire_utf8_valid (token.text))
            return "text";
        message->text = token.text;
    }
    if (elements >= (uint32_t)__builtin_popcount (fields) && (fields & FIELD_COMPATIBLE) &&
        (!read_natural (reader, &compatible_from) || compatible_from > message->version))
        return "compatible_from";
    message->compatible_from = (uint32_t)compatible_from;
    return NULL;
}

static int
read_version (struct wire_reader *reader, uint32_t *elements, uint32_t *version_read, struct error *err)
{
    struct wire_token token;
    uint64_t version;
    if (!wire_next (reader, &token) || token.type != TOKEN_ARRAY || token.count < 3)
        return error_set (err, ERROR_INVALID_REQUEST, "a control frame is an array of at least 3 elements");
    if (!read_natural (reader, &version) || version == 0 || version > UINT32_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "a control frame begins with its version");
    *version_read = (uint32_t)version;
    *elements = token.count;
    return 0;
}

/* Whether a message of that kind can be read in its version. */
static int
check_version (uint32_t version, uint64_t kind, struct error *err)
{
    if (kind == MESSAGE_HELLO || kind == MESSAGE_RESET ||
        (version >= WORKER_PROTOCOL_COMPATIBLE_FROM && version <= WORKER_PROTOCOL_VERSION))
        return 0;
    error_set (err, ERROR_INVALID_REQUEST, "worker protocol version %u; versions %d to %d are spoken here", version,
               WORKER_PROTOCOL_COMPATIBLE_FROM, WORKER_PROTOCOL_VERSION);
    return error_detail (err, "version", "%d", WORKER_PROTOCOL_VERSION);
}

unsigned
worker_version_common (const struct worker_message *hello)
{
    uint32_t version = hello->version < WORKER_PROTOCOL_VERSION ? hello->version : WORKER_PROTOCOL_VERSION;
    return version >= hello->compatible_from && version >= WORKER_PROTOCOL_COMPATIBLE_FROM ? version : 0;
}

int
worker_message_decode (struct str frame, unsigned payload_frames, bool from_worker, struct worker_message *message,
                       struct error *err)
{
    struct wire_reader reader = wire_reader_of (frame);
    uint64_t kind, session;
    uint32_t elements = 0, version = 0;

    *message = (struct worker_message){ 0 };
    if (frame.size > WORKER_CONTROL_BYTES_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "a control frame of %u bytes; at most %d", frame.size,
                          WORKER_CONTROL_BYTES_MAX);
    if (read_version (&reader, &elements, &version, err) != 0)
        return -1;
    if (!read_natural (&reader, &kind) || !read_natural (&reader, &session))
        return error_set (err, ERROR_INVALID_REQUEST, "kind and session are not natural numbers");
    if (check_version (version, kind, err) != 0)
        return -1;
    const struct message_form *form = kind <= UINT32_MAX ? form_of ((unsigned)kind) : NULL;
    if (form == NULL || form->from_worker != from_worker)
        return error_set (err, ERROR_INVALID_REQUEST, "a message of kind %llu is not expected from a %s",
                          (unsigned long long)kind, from_worker ? "worker" : "broker");
    if (session == 0 && kind != MESSAGE_RESET)
        return error_set (err, ERROR_INVALID_REQUEST, "%s with session 0", form->name);
    if (payload_frames < form->frames_min || payload_frames > form->frames_max)
        return error_set (err, ERROR_INVALID_REQUEST, "%s with %u payload frames", form->name, payload_frames);
    if (elements < 3 + (uint32_t)__builtin_popcount (form->fields & ~(unsigned)FIELD_COMPATIBLE))
        return error_set (err, ERROR_INVALID_REQUEST, "%s with %u elements is too short", form->name, elements);
    message->kind = (enum worker_message_kind)kind;
    message->version = version;
    message->session = session;
    const char *wrong = read_fields (&reader, elements - 3, form->fields, message);
    if (wrong != NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "%s: %s is missing, of another type or out of range", form->name,
                          wrong);
    return 0;
}

/* Takes one value that any client can decode: maps with text as keys, text in UTF-8, no extension types. */
static bool
take_plain_value (struct wire_reader *reader, unsigned depth_max)
{
    struct wire_token token, key;
    if (!wire_next (reader, &token) || token.type == TOKEN_EXT)
        return false;
    if (token.type == TOKEN_STR)
        return wire_utf8_valid (token.text);
    if (token.type != TOKEN_ARRAY && token.type != TOKEN_MAP)
        return true;
    if (depth_max == 0)
        return false;
    for (uint32_t left = token.count; left > 0; left--) {
        if (token.type == TOKEN_MAP &&
            (!wire_next (reader, &key) || key.type != TOKEN_STR || !wire_utf8_valid (key.text)))
            return false;
        if (!take_plain_value (reader, depth_max - 1))
            return false;
    }
    return true;
}

bool
worker_stats_valid (struct str stats)
{
    struct wire_reader reader = wire_reader_of (stats), start = reader;
    struct wire_token token;
    if (stats.size > WORKER_STATS_BYTES_MAX || !wire_next (&reader, &token) || token.type != TOKEN_MAP)
        return false;
    return take_plain_value (&start, WORKER_STATS_DEPTH_MAX) && start.at == start.end;
}
