/* wire_sample.h - what the tests of wire decode: bodies from JSON text, and bodies made from the schema tables. */
#ifndef WIRE_SAMPLE_H
#define WIRE_SAMPLE_H

#include "wire/method.h"
#include "wire/msgpack.h"

/* Appends JSON as MessagePack: an aborting parser for literals in tests. Beyond JSON: 'single quotes', \xHH
 * bytes in strings, nan, inf. Numbers with a point or an exponent become floats. */
void json_append (struct buf *buf, const char *json);
/* The same as one body. The memory is the test's for good (a test process is short). */
struct str json_body (const char *json);

/* A copy whose last byte is the last one before a page that must not be touched, so that reading past the end
 * crashes also without a sanitizer. Free with guarded_free. */
struct str guarded_copy (struct str bytes);
void guarded_free (struct str bytes);

/* Decodes with 2 currency digits into an arena that is reset first; `err` may be NULL. */
struct wire_record *decode (const struct wire_schema *schema, struct str body, struct error *err);
/* The hash of a body that must decode. */
struct hash {
    uint8_t bytes[WIRE_HASH_BYTES];
};
struct hash hash_of (const struct wire_schema *schema, struct str body);
bool hash_equal (struct hash a, struct hash b);

/* Two different valid values for every field, never its default where it has another. */
enum sample { SAMPLE_A, SAMPLE_B };
void sample_value (struct buf *buf, const struct wire_field *field, enum sample sample);
/* A record with its required fields, or with all of them; `replaced` (an index, or -1) is left to the caller:
 * its key is written last, and the caller appends its value. */
enum sample_fields { SAMPLE_REQUIRED, SAMPLE_ALL };
void sample_record (struct buf *buf, const struct wire_schema *schema, enum sample_fields fields, int replaced);

static inline struct str
str_of_buf (const struct buf *buf)
{
    return (struct str){ (const char *)buf->data, (uint32_t)buf->size };
}

/* A detail of an error; "" when it has none of that name. */
const char *detail_of (const struct error *err, const char *name);

#endif
