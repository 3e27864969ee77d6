/* fuzz_decode.c - any bytes as a request body: the first picks the schema, the rest is decoded and hashed. What is
 * taken must hash alike in a second decoding, hold its bounds, and have strings that are text. */
#include "wire/method.h"
#include "wire/msgpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

static void check_record (const struct wire_record *record);

static void
check_text (struct str text, int64_t size_max)
{
    require (text.size <= size_max && wire_utf8_valid (text));
    require (text.size == 0 || memchr (text.data, '\0', text.size) == NULL);
}

static void
check_list (const struct wire_field *field, const struct wire_list *list)
{
    require (list->count <= field->max);
    for (uint32_t i = 0; i < list->count; i++) {
        if (field->type == WIRE_RECORDS)
            check_record (list->records[i]);
        else if (field->type == WIRE_STRINGS)
            check_text (list->texts[i], WIRE_NAME_MAX);
        else if (field->type == WIRE_ENUMS)
            require (list->integers[i] >= 0 && field->names[list->integers[i]] != NULL);
    }
}

static void
check_value (const struct wire_field *field, const struct wire_value *value)
{
    switch (field->type) {
    case WIRE_INT:
    case WIRE_DECIMAL:
    case WIRE_MONEY:
    case WIRE_POINTS:
        require (value->integer >= field->min && value->integer <= field->max);
        break;
    case WIRE_STRING:
        require (value->text.size >= field->min);
        check_text (value->text, field->max);
        break;
    case WIRE_ENUM:
        require (value->integer >= 0 && field->names[value->integer] != NULL);
        break;
    case WIRE_RECORD:
        check_record (value->record);
        break;
    case WIRE_RECORDS:
    case WIRE_INTS:
    case WIRE_STRINGS:
    case WIRE_ENUMS:
        require (value->list.count >= field->min);
        check_list (field, &value->list);
        break;
    case WIRE_ANY:
        require (value->text.size > 0 && value->text.size <= field->max);
        break;
    case WIRE_BOOL:
    case WIRE_TIME:
    case WIRE_DAY:
        break;
    }
}

static void
check_record (const struct wire_record *record)
{
    for (unsigned i = 0; i < record->schema->count; i++) {
        const struct wire_field *field = &record->schema->fields[i];
        if (record->fields[i].present)
            check_value (field, &record->fields[i]);
        else
            require (!(field->flags & WIRE_REQUIRED));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static struct arena *arena, *second;
    if (arena == NULL) {
        arena = arena_new (4 * 1024 * 1024);
        second = arena_new (4 * 1024 * 1024);
        require (arena != NULL && second != NULL);
    }
    if (size == 0)
        return 0;
    arena_reset (arena);
    arena_reset (second);
    const struct wire_schema *schema = WIRE_SCHEMA_LIST[data[0] % WIRE_SCHEMA_COUNT];
    struct str body = { (const char *)data + 1, (uint32_t)(size - 1) };
    struct error err = { .code = ERROR_NONE };
    struct wire_record *record = wire_decode (schema, body, 2, arena, &err);
    if (record == NULL) {
        require (err.code == ERROR_INVALID_REQUEST || err.code == ERROR_TOO_LARGE);
        require (err.detail_count == 1 && wire_utf8_valid (str_of (err.message)));
        return 0;
    }
    uint8_t hash[WIRE_HASH_BYTES], again[WIRE_HASH_BYTES];
    check_record (record);
    wire_hash (record, hash);
    record = wire_decode (schema, body, 2, second, &err);
    require (record != NULL);
    wire_hash (record, again);
    require (memcmp (hash, again, sizeof hash) == 0);
    return 0;
}
