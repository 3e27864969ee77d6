/* schema.h - what a request's body may hold, as tables: decoding, bounds, the canonical hash, the
 * Python constants and the reference page all come from them.
 *
 * A body is a MessagePack map. `wire_decode` turns it into a `struct wire_record`: one value per
 * field of the schema, found by the field's index (F_ORDER_LINES, F_LINE_QTY, … in schemas.h).
 * Unknown fields, duplicate keys, wrong types and values out of bounds are refused with the
 * field's path. Everything decoded borrows from the body and the arena. */
#ifndef WIRE_SCHEMA_H
#define WIRE_SCHEMA_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Bounds of every request (docs/protocol.md, "Limits"). */
enum {
    WIRE_BODY_MAX = 1024 * 1024,
    WIRE_HEADER_MAX = 1024,
    WIRE_DEPTH_MAX = 8,
    WIRE_LINES_MAX = 1000,
    WIRE_NAME_MAX = 64, /* bytes of an order id, a key, a code */
    WIRE_META_MAX = 1024,
    WIRE_FIELDS_MAX = 64, /* of one schema: a set of them is a 64-bit mask */
    WIRE_HASH_BYTES = 32,
};

enum wire_type {
    WIRE_BOOL,
    WIRE_INT,       /* signed 64-bit; ids too */
    WIRE_STRING,    /* UTF-8 without NUL; min and max are bytes */
    WIRE_DECIMAL,   /* value.integer in millionths */
    WIRE_MONEY,     /* value.integer in minor units of the currency */
    WIRE_POINTS,    /* value.integer in hundredths */
    WIRE_TIME,      /* RFC 3339: value.time */
    WIRE_DAY,       /* "YYYY-MM-DD": value.integer, days since 1970-01-01 */
    WIRE_ENUM,      /* one of `names`: value.integer is its index */
    WIRE_RECORD,    /* value.record */
    WIRE_RECORDS,   /* list of records: value.list.records; max is the count */
    WIRE_INTS,      /* list of integers */
    WIRE_STRINGS,   /* list of strings of at most WIRE_NAME_MAX bytes */
    WIRE_ENUMS,     /* list of names: value.list.integers holds their indexes */
    WIRE_ANY,       /* anything that JSON can say, of at most max bytes of MessagePack: value.text holds its
                       bytes, checked (no binary, no extension, NaN or infinity; text and keys as STRING) */
};

enum wire_flag {
    WIRE_REQUIRED = 1,
    WIRE_NOT_HASHED = 2, /* left out of the canonical hash */
    WIRE_INT_OK = 4,     /* STRING: an integer is taken too, as its decimal text */
    WIRE_SHORT = 8,      /* RECORD, RECORDS: a string or an integer stands for a record with only its first
                            field of that type (STRING, INT) given; an integer also for a STRING with INT_OK */
    WIRE_DISTINCT = 16,  /* absent is not the same as default_value (no customer is not customer 0; a setting
                            taken from elsewhere): when given, it counts in the hash whatever it is */
};

struct wire_schema;

struct wire_field {
    const char *name;
    enum wire_type type;
    unsigned flags;
    int64_t min, max;        /* of the value (in its units), the bytes, or the count; both inclusive */
    int64_t default_value;   /* BOOL, INT, DECIMAL, MONEY, POINTS, ENUM: what an absent field reads as */
    const struct wire_schema *schema;  /* RECORD, RECORDS */
    const char *const *names;          /* ENUM, ENUMS: NULL-terminated */
    const char *doc;
};

struct wire_schema {
    const char *name; /* "order", "line": in the reference page */
    unsigned count;
    const struct wire_field *fields;
};

/* An instant with its offset resolved (`has_offset`), or local wall-clock time that the reader resolves
 * with the store's zone: microseconds since 1970-01-01T00:00 in UTC or on that local clock. */
struct wire_time {
    bool has_offset;
    int64_t us;
};

struct wire_list {
    uint32_t count;
    union {
        struct wire_record **records;
        int64_t *integers;
        struct str *texts;
    };
};

struct wire_value {
    bool present; /* given in the body and not null; an absent value reads as its default or zero */
    union {
        bool boolean;
        int64_t integer;
        struct str text;
        struct wire_time time;
        struct wire_list list;
        struct wire_record *record;
    };
};

struct wire_record {
    const struct wire_schema *schema;
    struct wire_value fields[];
};

/* Decodes one body against a schema. `currency_digits`: of WIRE_MONEY. NULL with `err` filled
 * (invalid_request or too_large with details.path, "lines[3].qty"). An absent list has count 0;
 * an absent record is NULL. A null stands for absent. */
struct wire_record *wire_decode (const struct wire_schema *schema, struct str body, unsigned currency_digits,
                                 struct arena *arena, struct error *err);

/* BLAKE2b-256 over the decoded fields, so that every way to write one request hashes alike and any other
 * change shows. The method is not part of it. Keys are kept with it for ever, so its form may change only
 * together with its version; test/unit/wire_hash_test.c pins it. The bytes that are hashed:
 *
 *   body    version (1 byte, now 1), record
 *   record  for each field that counts, in schema order: index (1 byte), tag (1 byte), value; then 0xff
 *   value   b BOOL                     1 byte, 0 or 1
 *           i INT, e ENUM, d DECIMAL, m MONEY, p POINTS, y DAY
 *                                      8 bytes, little-endian two's complement, in the units of wire_type
 *           t TIME                     1 byte has_offset, 8 bytes us
 *           s STRING                   length (4 bytes, little-endian), bytes
 *           r RECORD                   record
 *           I INTS, E ENUMS            count (4 bytes), 8 bytes each
 *           S STRINGS                  count, then each as STRING
 *           R RECORDS                  count, then each as record
 *           a ANY                      any, as any.h says
 *
 * A field counts unless it is absent (null, too), NOT_HASHED, an empty string or list, or its default_value
 * without DISTINCT. TIME, DAY, RECORD and ANY have no default. */
void wire_hash (const struct wire_record *record, uint8_t hash[WIRE_HASH_BYTES]);

/* Index of a name in a NULL-terminated list, -1 when it is not there. */
int wire_name_index (const char *const *names, struct str name);

#endif
