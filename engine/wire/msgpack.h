/* msgpack.h - MessagePack: a reader for bytes that nobody vouches for, and a writer on msgpack-c's packer.
 *
 * The reader is a cursor. It allocates nothing, never recurses deeper than it is told, and never reads past
 * the end: a length or a count that the rest of the bytes cannot hold is a fault where it stands, so that a
 * count may be trusted to be at most the number of bytes there are. Why msgpack-c's own unpacker is not
 * used here: docs/decisions/001-own-msgpack-reader.md. */
#ifndef WIRE_MSGPACK_H
#define WIRE_MSGPACK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* How deep a value may nest that is only passed over or handed on: what other versions send, results. */
enum { WIRE_FOREIGN_DEPTH_MAX = 32 };

enum wire_token_type {
    TOKEN_NIL,
    TOKEN_BOOL,
    TOKEN_INT,    /* any integer that fits int64 */
    TOKEN_UINT,   /* only those above INT64_MAX */
    TOKEN_DOUBLE, /* float 32 too; perhaps NaN or infinite */
    TOKEN_STR,    /* bytes that should be UTF-8: see wire_utf8_valid */
    TOKEN_BIN,
    TOKEN_ARRAY,
    TOKEN_MAP,
    TOKEN_EXT, /* timestamps too */
};

struct wire_token {
    enum wire_token_type type;
    bool is_single;  /* DOUBLE: it was a float 32 */
    int8_t ext_type; /* EXT */
    union {
        bool boolean;
        int64_t integer;  /* INT */
        uint64_t natural; /* UINT */
        double number;
        struct str text; /* STR, BIN, EXT: the bytes, borrowed */
        uint32_t count;  /* ARRAY: elements that follow; MAP: pairs of key and value that follow */
    };
};

enum wire_fault {
    WIRE_FAULT_NONE,
    WIRE_FAULT_TRUNCATED, /* the bytes end within a value, or a length or count exceeds what is left */
    WIRE_FAULT_RESERVED,  /* 0xc1, which MessagePack does not use */
    WIRE_FAULT_DEPTH,     /* nested deeper than asked for */
};

struct wire_reader {
    const uint8_t *at, *end;
    enum wire_fault fault;
};

struct wire_reader wire_reader_of (struct str bytes);

/* Takes the next token; the elements of an array or a map follow as tokens of their own. False, with
 * reader->fault set, when there is none: the cursor then stays where it was. */
bool wire_next (struct wire_reader *reader, struct wire_token *token);

/* Passes over one whole value nested at most `depth_max` containers deep (0: no container). */
bool wire_skip (struct wire_reader *reader, unsigned depth_max);

/* The same; *value becomes the value's bytes. */
bool wire_slice (struct wire_reader *reader, unsigned depth_max, struct str *value);

/* Finds `key` in the map that `map` begins with; *value becomes the bytes of its value. False: it is no map, is
 * malformed up to there, or has no such key. */
bool wire_map_find (struct str map, const char *key, struct str *value);

/* The one token that `value` begins with. False: there is none. */
bool wire_token_of (struct str value, struct wire_token *token);

/* A fault as the end of a sentence: "the bytes end within a value". */
const char *wire_fault_text (enum wire_fault fault);
/* A type with its article, for messages: "a map". */
const char *wire_token_text (enum wire_token_type type);

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool wire_utf8_valid (struct str text);

/* The float that a token holds, widened by its shortest decimal form: the float 32 12.1 is 12.1 here, not
 * 12.10000038146973. */
double wire_token_number (const struct wire_token *token);

/* Writers append to `buf` in the shortest form; a failure shows in buf->failed. The caller writes as many
 * values after wire_write_map (twice as many) and wire_write_array as it announced. */
void wire_write_nil (struct buf *buf);
void wire_write_bool (struct buf *buf, bool value);
void wire_write_int (struct buf *buf, int64_t value);
void wire_write_uint (struct buf *buf, uint64_t value);
void wire_write_double (struct buf *buf, double value);
void wire_write_str (struct buf *buf, struct str value);
void wire_write_cstr (struct buf *buf, const char *value);
void wire_write_bin (struct buf *buf, const void *data, uint32_t size);
void wire_write_array (struct buf *buf, uint32_t count);
void wire_write_map (struct buf *buf, uint32_t count);
/* Bytes of one or more values that are encoded already. */
void wire_write_raw (struct buf *buf, struct str encoded);

/* value * 10^-digits as a string with at least `digits_min` decimals: "12.50". */
void wire_write_decimal (struct buf *buf, int64_t value, unsigned digits, unsigned digits_min);
/* An instant as RFC 3339 in UTC; INSTANT_NEVER is written as nil. */
void wire_write_time (struct buf *buf, int64_t instant);
/* A day as "YYYY-MM-DD". */
void wire_write_day (struct buf *buf, int32_t day);

#endif
