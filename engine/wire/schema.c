/* schema.c - decoding a body against its schema. The hot path of every request: keys are guessed to come in
 * the schema's order, and nothing is allocated but records, lists and texts made of integers. */
#include "wire/schema.h"
#include "base/decimal.h"
#include "base/timestamp.h"
#include "wire/any.h"
#include "wire/msgpack.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Where in the body a value stands: built on the stack on the way down, printed only for errors. */
struct place {
    const struct place *above; /* NULL: the body is above */
    const char *name;          /* of a field; NULL for an element of a list */
    uint32_t index;            /* of an element */
};

struct decoder {
    struct wire_reader reader;
    unsigned currency_digits;
    unsigned depth_left; /* containers that may still be opened here */
    struct arena *arena;
    struct error *err;
};

enum { PATH_BYTES = 96, PLACES_MAX = 2 * WIRE_DEPTH_MAX };

static void
path_print (const struct place *place, char path[PATH_BYTES])
{
    const struct place *places[PLACES_MAX];
    unsigned count = 0, length = 0;
    for (; place != NULL && count < PLACES_MAX; place = place->above)
        places[count++] = place;
    path[0] = '\0';
    while (count > 0 && length < PATH_BYTES) {
        place = places[--count];
        char *end = path + length;
        size_t room = PATH_BYTES - length;
        if (place->name != NULL)
            length += (unsigned)snprintf (end, room, "%s%s", length > 0 ? "." : "", place->name);
        else
            length += (unsigned)snprintf (end, room, "[%" PRIu32 "]", place->index);
    }
}

/* Every refusal ends here; always false, so that a caller can write `return refuse (…)`. */
__attribute__ ((format (printf, 4, 5), cold, noinline)) static bool
refuse (struct decoder *decoder, enum error_code code, const struct place *place, const char *format, ...)
{
    char path[PATH_BYTES], text[200];
    va_list args;
    path_print (place, path);
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    error_field (decoder->err, code, path, "%s", text);
    return false;
}

static bool
refuse_fault (struct decoder *decoder, const struct place *place)
{
    return refuse (decoder, ERROR_INVALID_REQUEST, place, "%s", wire_fault_text (decoder->reader.fault));
}

static bool
refuse_type (struct decoder *decoder, const struct place *place, const char *wanted, const struct wire_token *token)
{
    return refuse (decoder, ERROR_INVALID_REQUEST, place, "must be %s, not %s", wanted, wire_token_text (token->type));
}

static bool
refuse_memory (struct decoder *decoder, const struct place *place)
{
    if (!arena_limit_reached (decoder->arena))
        return refuse (decoder, ERROR_BUSY, place, "there is no memory for the request just now");
    return refuse (decoder, ERROR_TOO_LARGE, place,
                   "the request takes more memory than one may have; send it in parts");
}

/* The bounds of a number as the end of a sentence; empty where there are none. */
static void
bounds_print (const struct wire_field *field, unsigned digits, char *text, size_t size)
{
    char min[DECIMAL_TEXT_MAX], max[DECIMAL_TEXT_MAX];
    decimal_format (field->min, digits, 0, min);
    decimal_format (field->max, digits, 0, max);
    if (field->max != INT64_MAX)
        snprintf (text, size, " from %s to %s", min, max);
    else if (field->min != INT64_MIN)
        snprintf (text, size, " of at least %s", min);
    else
        text[0] = '\0';
}

static bool
decode_int (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
            const struct place *place, struct wire_value *value)
{
    if (token->type == TOKEN_INT && token->integer >= field->min && token->integer <= field->max) {
        value->integer = token->integer;
        return true;
    }
    if (token->type != TOKEN_INT && token->type != TOKEN_UINT)
        return refuse_type (decoder, place, "an integer", token);
    char bounds[80];
    bounds_print (field, 0, bounds, sizeof bounds);
    return refuse (decoder, ERROR_INVALID_REQUEST, place, "must be a signed 64-bit integer%s", bounds);
}

static unsigned
digits_of (const struct decoder *decoder, enum wire_type type)
{
    if (type == WIRE_MONEY)
        return decoder->currency_digits;
    return type == WIRE_POINTS ? (unsigned)POINTS_DIGITS : (unsigned)MICRO_DIGITS;
}

static bool
decode_decimal (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
                const struct place *place, struct wire_value *value)
{
    unsigned digits = digits_of (decoder, field->type);
    int64_t number = 0;
    bool fits = false;
    switch (token->type) {
    case TOKEN_STR:
        fits = decimal_parse (token->text, digits, &number);
        break;
    case TOKEN_INT:
        fits = !__builtin_mul_overflow (token->integer, decimal_power (digits), &number);
        break;
    case TOKEN_UINT:
        break;
    case TOKEN_DOUBLE:
        fits = decimal_from_double (wire_token_number (token), digits, &number);
        break;
    default:
        return refuse_type (decoder, place, "a decimal (a string like \"12.50\", an integer or a float)", token);
    }
    if (fits && number >= field->min && number <= field->max) {
        value->integer = number;
        return true;
    }
    char bounds[80];
    bounds_print (field, digits, bounds, sizeof bounds);
    return refuse (decoder, ERROR_INVALID_REQUEST, place, "must be a number with at most %u decimals%s", digits,
                   bounds);
}

/* Text of `min` to `max` bytes from a string (or, where `int_ok`, an integer). */
static bool
decode_text (struct decoder *decoder, const struct wire_token *token, int64_t min, int64_t max, bool int_ok,
             const struct place *place, struct str *text)
{
    if (token->type == TOKEN_STR) {
        *text = token->text;
    } else if (token->type == TOKEN_INT && int_ok) {
        char digits[DECIMAL_TEXT_MAX];
        unsigned size = decimal_format (token->integer, 0, 0, digits);
        *text = arena_str (decoder->arena, (struct str){ digits, size });
        if (text->data == NULL)
            return refuse_memory (decoder, place);
    } else {
        return refuse_type (decoder, place, int_ok ? "a string or a signed 64-bit integer" : "a string", token);
    }
    if (text->size < min || text->size > max)
        return refuse (decoder, ERROR_INVALID_REQUEST, place,
                       "must have %" PRId64 " to %" PRId64 " bytes, but has %" PRIu32, min, max, text->size);
    if (memchr (text->data, '\0', text->size) != NULL)
        return refuse (decoder, ERROR_INVALID_REQUEST, place, "must not contain NUL");
    if (!wire_utf8_valid (*text))
        return refuse (decoder, ERROR_INVALID_REQUEST, place, "must be UTF-8");
    return true;
}

static bool
decode_enum (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
             const struct place *place, int64_t *index)
{
    if (token->type != TOKEN_STR)
        return refuse_type (decoder, place, "a string", token);
    *index = wire_name_index (field->names, token->text);
    if (*index >= 0)
        return true;
    char names[160] = "";
    for (unsigned i = 0, length = 0; field->names[i] != NULL && length < sizeof names; i++)
        length +=
            (unsigned)snprintf (names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "", field->names[i]);
    return refuse (decoder, ERROR_INVALID_REQUEST, place, "must be one of: %s", names);
}

/* Whether an RFC 3339 text that timestamp_parse took says its offset: whatever follows the seconds. */
static bool
has_offset (struct str text)
{
    uint32_t at = sizeof "2010-12-16T08:03:00" - 1;
    if (at < text.size && text.data[at] == '.')
        for (at++; at < text.size && text.data[at] >= '0' && text.data[at] <= '9';)
            at++;
    return at < text.size;
}

static bool
decode_time (struct decoder *decoder, const struct wire_token *token, const struct place *place,
             struct wire_value *value)
{
    if (token->type != TOKEN_STR)
        return refuse_type (decoder, place, "a string", token);
    if (!timestamp_parse (token->text, NULL, &value->time.us))
        return refuse (decoder, ERROR_INVALID_REQUEST, place,
                       "must be an RFC 3339 time like 2010-12-16T08:03:00+01:00, of the years 1900 to 2199");
    value->time.has_offset = has_offset (token->text);
    return true;
}

static bool
decode_day (struct decoder *decoder, const struct wire_token *token, const struct place *place,
            struct wire_value *value)
{
    int32_t day;
    if (token->type != TOKEN_STR)
        return refuse_type (decoder, place, "a string", token);
    if (!day_parse (token->text, &day))
        return refuse (decoder, ERROR_INVALID_REQUEST, place,
                       "must be a day like 2010-12-16, of the years 1900 to 2199");
    value->integer = day;
    return true;
}

static bool
decode_any (struct decoder *decoder, const struct wire_field *field, const struct place *place,
            struct wire_value *value)
{
    if (!wire_slice (&decoder->reader, decoder->depth_left, &value->text))
        return refuse_fault (decoder, place);
    if (value->text.size > field->max)
        return refuse (decoder, ERROR_TOO_LARGE, place, "must have at most %" PRId64 " bytes, but has %" PRIu32,
                       field->max, value->text.size);
    struct wire_reader reader = wire_reader_of (value->text);
    const char *wrong = any_check (&reader, decoder->depth_left);
    return wrong == NULL || refuse (decoder, ERROR_INVALID_REQUEST, place, "%s", wrong);
}

static bool decode_value (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
                          const struct place *place, struct wire_value *value);

/* Fills in what an absent field reads as; refuses where one is missing that must be there. */
static bool
complete (struct decoder *decoder, struct wire_record *record, const struct place *place)
{
    const struct wire_schema *schema = record->schema;
    for (unsigned i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        if (record->fields[i].present)
            continue;
        if (field->flags & WIRE_REQUIRED) {
            struct place missing = { place, field->name, 0 };
            return refuse (decoder, ERROR_INVALID_REQUEST, &missing, "is required");
        }
        if (field->default_value == 0)
            continue;
        if (field->type == WIRE_BOOL)
            record->fields[i].boolean = true;
        else
            record->fields[i].integer = field->default_value;
    }
    return true;
}

static struct wire_record *
record_new (struct decoder *decoder, const struct wire_schema *schema, const struct place *place)
{
    struct wire_record *record =
        arena_alloc (decoder->arena, sizeof *record + schema->count * sizeof record->fields[0]);
    if (record == NULL)
        refuse_memory (decoder, place);
    else
        record->schema = schema;
    return record;
}

static bool
name_is (const char *name, struct str key)
{
    for (uint32_t i = 0; i < key.size; i++)
        if (name[i] == '\0' || name[i] != key.data[i])
            return false;
    return name[key.size] == '\0';
}

/* The field of that name; `guess` is where to look first. schema->count when there is none. */
static unsigned
field_find (const struct wire_schema *schema, unsigned guess, struct str key)
{
    for (unsigned i = guess; i < schema->count; i++)
        if (name_is (schema->fields[i].name, key))
            return i;
    for (unsigned i = 0; i < guess; i++)
        if (name_is (schema->fields[i].name, key))
            return i;
    return schema->count;
}

/* Names what a client called a field that does not exist: printable, and not at any length. */
static bool
refuse_unknown (struct decoder *decoder, struct str key, const struct place *place)
{
    char name[41];
    unsigned size = 0;
    for (; size < key.size && size < sizeof name - 1; size++)
        name[size] = key.data[size] >= ' ' && key.data[size] <= '~' ? key.data[size] : '?';
    name[size] = '\0';
    struct place unknown = { place, name, 0 };
    return refuse (decoder, ERROR_INVALID_REQUEST, &unknown, "there is no such field");
}

static bool
decode_pair (struct decoder *decoder, struct wire_record *record, const struct place *place, uint64_t *seen,
             unsigned *guess)
{
    const struct wire_schema *schema = record->schema;
    struct wire_token token;
    if (!wire_next (&decoder->reader, &token))
        return refuse_fault (decoder, place);
    if (token.type != TOKEN_STR)
        return refuse (decoder, ERROR_INVALID_REQUEST, place, "its keys must be strings, not %s",
                       wire_token_text (token.type));
    unsigned index = field_find (schema, *guess, token.text);
    if (index == schema->count)
        return refuse_unknown (decoder, token.text, place);

    const struct wire_field *field = &schema->fields[index];
    struct place here = { place, field->name, 0 };
    if (*seen & UINT64_C (1) << index)
        return refuse (decoder, ERROR_INVALID_REQUEST, &here, "is given twice");
    *seen |= UINT64_C (1) << index;
    *guess = index + 1;

    const uint8_t *start = decoder->reader.at;
    if (!wire_next (&decoder->reader, &token))
        return refuse_fault (decoder, &here);
    if (token.type == TOKEN_NIL)
        return true;
    record->fields[index].present = true;
    if (field->type == WIRE_ANY)
        decoder->reader.at = start;
    return decode_value (decoder, field, &token, &here, &record->fields[index]);
}

/* A record from the `pairs` that follow. */
static struct wire_record *
decode_record (struct decoder *decoder, const struct wire_schema *schema, uint32_t pairs, const struct place *place)
{
    if (decoder->depth_left == 0) {
        refuse (decoder, ERROR_INVALID_REQUEST, place, "nested deeper than %d", WIRE_DEPTH_MAX);
        return NULL;
    }
    struct wire_record *record = record_new (decoder, schema, place);
    if (record == NULL)
        return NULL;
    uint64_t seen = 0;
    unsigned guess = 0;
    decoder->depth_left--;
    for (; pairs > 0; pairs--)
        if (!decode_pair (decoder, record, place, &seen, &guess))
            return NULL;
    decoder->depth_left++;
    return complete (decoder, record, place) ? record : NULL;
}

/* The field that a string or an integer alone stands for (WIRE_SHORT); schema->count when there is none. */
static unsigned
short_field (const struct wire_schema *schema, enum wire_token_type type)
{
    for (unsigned i = 0; i < schema->count; i++)
        if (schema->fields[i].type == (type == TOKEN_STR ? WIRE_STRING : WIRE_INT))
            return i;
    for (unsigned i = 0; type == TOKEN_INT && i < schema->count; i++)
        if (schema->fields[i].type == WIRE_STRING && schema->fields[i].flags & WIRE_INT_OK)
            return i;
    return schema->count;
}

static struct wire_record *
decode_short (struct decoder *decoder, const struct wire_schema *schema, const struct wire_token *token,
              const struct place *place)
{
    unsigned index = short_field (schema, token->type);
    if (index == schema->count) {
        refuse_type (decoder, place, "a string or a map", token);
        return NULL;
    }
    struct wire_record *record = record_new (decoder, schema, place);
    if (record == NULL)
        return NULL;
    record->fields[index].present = true;
    if (!decode_value (decoder, &schema->fields[index], token, place, &record->fields[index]))
        return NULL;
    return complete (decoder, record, place) ? record : NULL;
}

static struct wire_record *
decode_record_value (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
                     const struct place *place)
{
    bool may_be_short = field->flags & WIRE_SHORT;
    if (token->type == TOKEN_MAP)
        return decode_record (decoder, field->schema, token->count, place);
    if (may_be_short && (token->type == TOKEN_STR || token->type == TOKEN_INT))
        return decode_short (decoder, field->schema, token, place);
    refuse_type (decoder, place, may_be_short ? "a map, a string or an integer" : "a map", token);
    return NULL;
}

static bool
decode_element (struct decoder *decoder, const struct wire_field *field, uint32_t index, const struct place *above,
                struct wire_list *list)
{
    struct place place = { above, NULL, index };
    struct wire_token token;
    if (!wire_next (&decoder->reader, &token))
        return refuse_fault (decoder, &place);
    switch (field->type) {
    case WIRE_RECORDS:
        list->records[index] = decode_record_value (decoder, field, &token, &place);
        return list->records[index] != NULL;
    case WIRE_STRINGS:
        return decode_text (decoder, &token, 0, WIRE_NAME_MAX, false, &place, &list->texts[index]);
    case WIRE_ENUMS:
        return decode_enum (decoder, field, &token, &place, &list->integers[index]);
    default: /* WIRE_INTS */
        list->integers[index] = token.integer;
        return token.type == TOKEN_INT || refuse_type (decoder, &place, "a signed 64-bit integer", &token);
    }
}

static bool
decode_list (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
             const struct place *place, struct wire_list *list)
{
    if (token->type != TOKEN_ARRAY)
        return refuse_type (decoder, place, "a list", token);
    if (token->count > field->max || token->count < field->min)
        return refuse (decoder, token->count > field->max ? ERROR_TOO_LARGE : ERROR_INVALID_REQUEST, place,
                       "must have %" PRId64 " to %" PRId64 " elements, but has %" PRIu32, field->min, field->max,
                       token->count);
    if (decoder->depth_left == 0)
        return refuse (decoder, ERROR_INVALID_REQUEST, place, "nested deeper than %d", WIRE_DEPTH_MAX);
    if (token->count == 0)
        return true;

    size_t element = field->type == WIRE_RECORDS   ? sizeof *list->records
                     : field->type == WIRE_STRINGS ? sizeof *list->texts
                                                   : sizeof *list->integers;
    void *memory = arena_array (decoder->arena, token->count, element);
    if (memory == NULL)
        return refuse_memory (decoder, place);
    list->records = memory; /* one union of pointers */
    list->count = token->count;
    decoder->depth_left--;
    for (uint32_t i = 0; i < token->count; i++)
        if (!decode_element (decoder, field, i, place, list))
            return false;
    decoder->depth_left++;
    return true;
}

static bool
decode_value (struct decoder *decoder, const struct wire_field *field, const struct wire_token *token,
              const struct place *place, struct wire_value *value)
{
    switch (field->type) {
    case WIRE_BOOL:
        value->boolean = token->type == TOKEN_BOOL && token->boolean;
        return token->type == TOKEN_BOOL || refuse_type (decoder, place, "true or false", token);
    case WIRE_INT:
        return decode_int (decoder, field, token, place, value);
    case WIRE_STRING:
        return decode_text (decoder, token, field->min, field->max, field->flags & WIRE_INT_OK, place, &value->text);
    case WIRE_DECIMAL:
    case WIRE_MONEY:
    case WIRE_POINTS:
        return decode_decimal (decoder, field, token, place, value);
    case WIRE_TIME:
        return decode_time (decoder, token, place, value);
    case WIRE_DAY:
        return decode_day (decoder, token, place, value);
    case WIRE_ENUM:
        return decode_enum (decoder, field, token, place, &value->integer);
    case WIRE_RECORD:
        value->record = decode_record_value (decoder, field, token, place);
        return value->record != NULL;
    case WIRE_RECORDS:
    case WIRE_INTS:
    case WIRE_STRINGS:
    case WIRE_ENUMS:
        return decode_list (decoder, field, token, place, &value->list);
    case WIRE_ANY:
        return decode_any (decoder, field, place, value);
    }
    return false;
}

struct wire_record *
wire_decode (const struct wire_schema *schema, struct str body, unsigned currency_digits, struct arena *arena,
             struct error *err)
{
    struct decoder decoder = { wire_reader_of (body), currency_digits, WIRE_DEPTH_MAX, arena, err };
    struct wire_token token;
    if (body.size > WIRE_BODY_MAX) {
        refuse (&decoder, ERROR_TOO_LARGE, NULL, "must have at most %d bytes, but has %" PRIu32, WIRE_BODY_MAX,
                body.size);
        return NULL;
    }
    if (!wire_next (&decoder.reader, &token)) {
        refuse_fault (&decoder, NULL);
        return NULL;
    }
    if (token.type != TOKEN_MAP) {
        refuse_type (&decoder, NULL, "a map", &token);
        return NULL;
    }
    struct wire_record *record = decode_record (&decoder, schema, token.count, NULL);
    if (record == NULL)
        return NULL;
    if (decoder.reader.at != decoder.reader.end) {
        refuse (&decoder, ERROR_INVALID_REQUEST, NULL, "%zu bytes follow the body",
                (size_t)(decoder.reader.end - decoder.reader.at));
        return NULL;
    }
    return record;
}

int
wire_name_index (const char *const *names, struct str name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (name_is (names[i], name))
            return i;
    return -1;
}
