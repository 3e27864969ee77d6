/* wire_sample.c - see wire_sample.h. */
#include "wire_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void
expect (bool condition, const char *what)
{
    if (condition)
        return;
    fprintf (stderr, "sample: %s\n", what);
    abort ();
}

static const char *
skip_blanks (const char *at)
{
    while (*at == ' ' || *at == '\n')
        at++;
    return at;
}

static const char *
string_append (struct buf *buf, const char *at)
{
    struct buf text = { 0 };
    char quote = *at++;
    for (; *at != quote; at++) {
        expect (*at != '\0', "a string without end");
        if (at[0] == '\\' && at[1] == 'x') {
            char hex[3] = { at[2], at[3], '\0' };
            buf_byte (&text, (uint8_t)strtoul (hex, NULL, 16));
            at += 3;
        } else {
            buf_byte (&text, (uint8_t)*at);
        }
    }
    wire_write_str (buf, str_of_buf (&text));
    buf_free (&text);
    return at + 1;
}

static const char *value_append (struct buf *buf, const char *at);

static const char *
container_append (struct buf *buf, const char *at)
{
    char close = *at == '{' ? '}' : ']';
    struct buf elements = { 0 };
    uint32_t count = 0;
    for (at = skip_blanks (at + 1); *at != close; count++) {
        at = skip_blanks (value_append (&elements, at));
        if (close == '}') {
            expect (*at == ':', "a key without a colon");
            at = skip_blanks (value_append (&elements, skip_blanks (at + 1)));
        }
        if (*at == ',')
            at = skip_blanks (at + 1);
        else
            expect (*at == close, "neither a comma nor the end");
    }
    if (close == '}')
        wire_write_map (buf, count);
    else
        wire_write_array (buf, count);
    wire_write_raw (buf, str_of_buf (&elements));
    buf_free (&elements);
    return at + 1;
}

static const char *
number_append (struct buf *buf, const char *at)
{
    char *end, *end_of_int;
    double number = strtod (at, &end);
    long long integer = strtoll (at, &end_of_int, 10);
    expect (end > at, "no value");
    if (end == end_of_int)
        wire_write_int (buf, integer);
    else
        wire_write_double (buf, number);
    return end;
}

static const char *
value_append (struct buf *buf, const char *at)
{
    if (*at == '{' || *at == '[')
        return container_append (buf, at);
    if (*at == '\'' || *at == '"')
        return string_append (buf, at);
    if (strncmp (at, "true", 4) == 0 || strncmp (at, "false", 5) == 0) {
        wire_write_bool (buf, *at == 't');
        return at + (*at == 't' ? 4 : 5);
    }
    if (strncmp (at, "null", 4) == 0) {
        wire_write_nil (buf);
        return at + 4;
    }
    return number_append (buf, at);
}

void
json_append (struct buf *buf, const char *json)
{
    const char *end = skip_blanks (value_append (buf, skip_blanks (json)));
    expect (*end == '\0', "text after the value");
}

struct str
json_body (const char *json)
{
    /* Kept in a list, so that a leak checker sees that it is meant. */
    static struct kept {
        struct kept *next;
        struct buf body;
    } * all;
    struct kept *kept = calloc (1, sizeof *kept);
    expect (kept != NULL, "no memory");
    kept->next = all;
    all = kept;
    json_append (&kept->body, json);
    expect (!kept->body.failed, "no memory");
    return str_of_buf (&kept->body);
}

static size_t
guarded_pages (size_t size)
{
    size_t page = (size_t)sysconf (_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

struct str
guarded_copy (struct str bytes)
{
    size_t page = (size_t)sysconf (_SC_PAGESIZE), room = guarded_pages (bytes.size);
    char *memory = mmap (NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect (memory != MAP_FAILED && mprotect (memory + room, page, PROT_NONE) == 0, "no guard page");
    char *copy = memory + room - bytes.size;
    if (bytes.size > 0)
        memcpy (copy, bytes.data, bytes.size);
    return (struct str){ copy, bytes.size };
}

void
guarded_free (struct str bytes)
{
    size_t page = (size_t)sysconf (_SC_PAGESIZE), room = guarded_pages (bytes.size);
    munmap ((char *)bytes.data + bytes.size - room, room + page);
}

struct wire_record *
decode (const struct wire_schema *schema, struct str body, struct error *err)
{
    static struct arena *arena;
    struct error ignored;
    if (arena == NULL)
        arena = arena_new (64 * 1024 * 1024);
    expect (arena != NULL, "no arena");
    arena_reset (arena);
    if (err == NULL)
        err = &ignored;
    *err = (struct error){ .code = ERROR_NONE };
    return wire_decode (schema, body, 2, arena, err);
}

struct hash
hash_of (const struct wire_schema *schema, struct str body)
{
    struct hash hash;
    struct error err;
    struct wire_record *record = decode (schema, body, &err);
    expect (record != NULL, err.message);
    wire_hash (record, hash.bytes);
    return hash;
}

bool
hash_equal (struct hash a, struct hash b)
{
    return memcmp (a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* A number that is not the default, within the bounds; the next one for SAMPLE_B. */
static int64_t
sample_number (const struct wire_field *field, enum sample sample)
{
    int64_t number = field->default_value < field->min ? field->min : field->default_value;
    for (int steps = sample == SAMPLE_A ? 1 : 2; steps > 0;)
        if (++number != field->default_value)
            steps--;
    expect (number <= field->max, "bounds too narrow for two values");
    return number;
}

/* SAMPLE_A: required fields only; SAMPLE_B: the first optional one too, or other values. */
static void
sample_nested (struct buf *buf, const struct wire_schema *schema, enum sample sample)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < schema->count; i++)
        count += (schema->fields[i].flags & WIRE_REQUIRED) != 0;
    bool add_first = sample == SAMPLE_B && count == 0;
    wire_write_map (buf, count + add_first);
    for (unsigned i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        if (field->flags & WIRE_REQUIRED || (add_first && i == 0)) {
            wire_write_cstr (buf, field->name);
            sample_value (buf, field, sample);
        }
    }
}

static void
sample_text (struct buf *buf, const struct wire_field *field, enum sample sample)
{
    char text[256];
    int64_t size = field->min > 1 ? field->min : 1;
    expect (size <= field->max && (size_t)size < sizeof text, "bounds of a text");
    memset (text, sample == SAMPLE_A ? 'a' : 'b', (size_t)size);
    wire_write_str (buf, (struct str){ text, (uint32_t)size });
}

void
sample_value (struct buf *buf, const struct wire_field *field, enum sample sample)
{
    bool is_a = sample == SAMPLE_A;
    switch (field->type) {
    case WIRE_BOOL:
        wire_write_bool (buf, is_a == (field->default_value == 0));
        break;
    case WIRE_INT:
        wire_write_int (buf, sample_number (field, sample));
        break;
    case WIRE_DECIMAL:
        wire_write_decimal (buf, sample_number (field, sample), 6, 0);
        break;
    case WIRE_MONEY:
    case WIRE_POINTS:
        wire_write_decimal (buf, sample_number (field, sample), 2, 2);
        break;
    case WIRE_STRING:
        sample_text (buf, field, sample);
        break;
    case WIRE_TIME:
        wire_write_cstr (buf, is_a ? "2010-12-16T08:03:00Z" : "2010-12-16T08:03:00.000001Z");
        break;
    case WIRE_DAY:
        wire_write_cstr (buf, is_a ? "2010-12-16" : "2010-12-17");
        break;
    case WIRE_ENUM:
        wire_write_cstr (buf, field->names[is_a ? field->default_value == 0 : field->default_value != 0]);
        break;
    case WIRE_RECORD:
        sample_nested (buf, field->schema, sample);
        break;
    case WIRE_RECORDS:
        wire_write_array (buf, 1);
        sample_nested (buf, field->schema, sample);
        break;
    case WIRE_INTS:
        wire_write_array (buf, 1);
        wire_write_int (buf, is_a ? 1 : INT64_MIN);
        break;
    case WIRE_STRINGS:
        wire_write_array (buf, 1);
        wire_write_cstr (buf, is_a ? "a" : "b");
        break;
    case WIRE_ENUMS:
        wire_write_array (buf, 1);
        wire_write_cstr (buf, field->names[is_a ? 0 : 1]);
        break;
    case WIRE_ANY:
        json_append (buf, is_a ? "{'a': 1}" : "{'a': 2}");
        break;
    }
}

void
sample_record (struct buf *buf, const struct wire_schema *schema, enum sample_fields fields, int replaced)
{
    uint32_t count = replaced >= 0;
    for (unsigned i = 0; i < schema->count; i++)
        count += (int)i != replaced && (fields == SAMPLE_ALL || schema->fields[i].flags & WIRE_REQUIRED);
    wire_write_map (buf, count);
    for (unsigned i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        if ((int)i == replaced || !(fields == SAMPLE_ALL || field->flags & WIRE_REQUIRED))
            continue;
        wire_write_cstr (buf, field->name);
        sample_value (buf, field, SAMPLE_A);
    }
    if (replaced >= 0)
        wire_write_cstr (buf, schema->fields[replaced].name);
}

const char *
detail_of (const struct error *err, const char *name)
{
    for (unsigned i = 0; i < err->detail_count; i++)
        if (strcmp (err->details[i].name, name) == 0)
            return err->details[i].value;
    return "";
}
