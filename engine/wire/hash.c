/* hash.c - the canonical hash of a decoded body; its form stands at wire_hash in schema.h. */
#include "wire/any.h"
#include "wire/schema.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { FORM_VERSION = 1, RECORD_END = 0xff };

/* Small pieces are gathered: a call into libsodium for each would cost more than the hashing. */
struct hasher {
    crypto_generichash_state state;
    unsigned size;
    uint8_t pending[1024];
};

static void
flush (struct hasher *hasher)
{
    crypto_generichash_update (&hasher->state, hasher->pending, hasher->size);
    hasher->size = 0;
}

static void
add (void *sink, const void *bytes, size_t size)
{
    struct hasher *hasher = sink;
    if (size > sizeof hasher->pending - hasher->size)
        flush (hasher);
    if (size > sizeof hasher->pending) {
        crypto_generichash_update (&hasher->state, bytes, size);
    } else if (size > 0) {
        memcpy (hasher->pending + hasher->size, bytes, size);
        hasher->size += (unsigned)size;
    }
}

static void
add_byte (struct hasher *hasher, uint8_t byte)
{
    add (hasher, &byte, 1);
}

static void
add_number (struct hasher *hasher, uint64_t number, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    add (hasher, bytes, size);
}

static void
add_text (struct hasher *hasher, struct str text)
{
    add_number (hasher, text.size, 4);
    add (hasher, text.data, text.size);
}

static bool
counts (const struct wire_field *field, const struct wire_value *value)
{
    if (!value->present || field->flags & WIRE_NOT_HASHED)
        return false;
    if (field->flags & WIRE_DISTINCT)
        return true;
    switch (field->type) {
    case WIRE_BOOL:
        return value->boolean != (field->default_value != 0);
    case WIRE_INT:
    case WIRE_DECIMAL:
    case WIRE_MONEY:
    case WIRE_POINTS:
    case WIRE_ENUM:
        return value->integer != field->default_value;
    case WIRE_STRING:
        return value->text.size > 0;
    case WIRE_RECORDS:
    case WIRE_INTS:
    case WIRE_STRINGS:
    case WIRE_ENUMS:
        return value->list.count > 0;
    case WIRE_TIME:
    case WIRE_DAY:
    case WIRE_RECORD:
    case WIRE_ANY:
        break;
    }
    return true;
}

static const uint8_t TAGS[] = {
    [WIRE_BOOL] = 'b',    [WIRE_INT] = 'i',  [WIRE_STRING] = 's',  [WIRE_DECIMAL] = 'd', [WIRE_MONEY] = 'm',
    [WIRE_POINTS] = 'p',  [WIRE_TIME] = 't', [WIRE_DAY] = 'y',     [WIRE_ENUM] = 'e',    [WIRE_RECORD] = 'r',
    [WIRE_RECORDS] = 'R', [WIRE_INTS] = 'I', [WIRE_STRINGS] = 'S', [WIRE_ENUMS] = 'E',   [WIRE_ANY] = 'a',
};

static void add_record (struct hasher *hasher, const struct wire_record *record);

static void
add_list (struct hasher *hasher, enum wire_type type, const struct wire_list *list)
{
    add_number (hasher, list->count, 4);
    for (uint32_t i = 0; i < list->count; i++) {
        if (type == WIRE_RECORDS)
            add_record (hasher, list->records[i]);
        else if (type == WIRE_STRINGS)
            add_text (hasher, list->texts[i]);
        else
            add_number (hasher, (uint64_t)list->integers[i], 8);
    }
}

static void
add_value (struct hasher *hasher, enum wire_type type, const struct wire_value *value)
{
    struct wire_reader reader;
    switch (type) {
    case WIRE_BOOL:
        add_byte (hasher, value->boolean);
        break;
    case WIRE_INT:
    case WIRE_DECIMAL:
    case WIRE_MONEY:
    case WIRE_POINTS:
    case WIRE_ENUM:
    case WIRE_DAY:
        add_number (hasher, (uint64_t)value->integer, 8);
        break;
    case WIRE_TIME:
        add_byte (hasher, value->time.has_offset);
        add_number (hasher, (uint64_t)value->time.us, 8);
        break;
    case WIRE_STRING:
        add_text (hasher, value->text);
        break;
    case WIRE_RECORD:
        add_record (hasher, value->record);
        break;
    case WIRE_RECORDS:
    case WIRE_INTS:
    case WIRE_STRINGS:
    case WIRE_ENUMS:
        add_list (hasher, type, &value->list);
        break;
    case WIRE_ANY:
        reader = wire_reader_of (value->text);
        any_canonical (&reader, add, hasher);
        break;
    }
}

static void
add_record (struct hasher *hasher, const struct wire_record *record)
{
    for (unsigned i = 0; i < record->schema->count; i++) {
        const struct wire_field *field = &record->schema->fields[i];
        if (!counts (field, &record->fields[i]))
            continue;
        add_byte (hasher, (uint8_t)i);
        add_byte (hasher, TAGS[field->type]);
        add_value (hasher, field->type, &record->fields[i]);
    }
    add_byte (hasher, RECORD_END);
}

/* Lets libsodium choose the fastest BLAKE2b of this processor. It fails only without a source of
 * randomness, which no program here could go on without. */
static void
prepare (void)
{
    if (sodium_init () < 0)
        abort ();
}

void
wire_hash (const struct wire_record *record, uint8_t hash[WIRE_HASH_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct hasher hasher;
    pthread_once (&once, prepare);
    crypto_generichash_init (&hasher.state, NULL, 0, WIRE_HASH_BYTES);
    hasher.size = 0;
    add_byte (&hasher, FORM_VERSION);
    add_record (&hasher, record);
    flush (&hasher);
    crypto_generichash_final (&hasher.state, hash, WIRE_HASH_BYTES);
}
