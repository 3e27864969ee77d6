/* loyalty/value.h - reads values out of MessagePack (a reply's result, an error's details) where it lies.
 *
 *     struct loyalty_value value;
 *     char total[32];
 *     if (loyalty_find (reply.result, reply.result_size, "lines[0].amount_total", &value)
 *         && loyalty_value_text (&value, total, sizeof total))
 *         printf ("%s\n", total);
 *
 * Nothing is copied or allocated; bytes that are not MessagePack are "not found". */
#ifndef LOYALTY_VALUE_H
#define LOYALTY_VALUE_H

#include "loyalty/client.h"

#ifdef __cplusplus
extern "C" {
#endif

enum loyalty_type {
    LOYALTY_NULL,
    LOYALTY_BOOL,
    LOYALTY_INT,    /* signed 64-bit */
    LOYALTY_UINT,   /* above INT64_MAX */
    LOYALTY_FLOAT,
    LOYALTY_STRING,
    LOYALTY_BINARY,
    LOYALTY_LIST,
    LOYALTY_MAP,
    LOYALTY_EXTENSION,
};

struct loyalty_value {
    enum loyalty_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double number;
    };
    const char *data;  /* STRING, BINARY, EXTENSION: the content, not NUL-terminated; LIST, MAP: the first item */
    uint32_t size;     /* STRING, BINARY, EXTENSION: bytes; LIST: items; MAP: pairs */
    const char *start; /* the whole value's bytes */
    const char *end;   /* where the next value begins; LIST, MAP: only loyalty_skip knows */
    const char *limit; /* the end of the bytes it was read from */
};

/* Reads the value at the start of the bytes. False: they are cut short or not MessagePack. Of a list or map
 * only the head is read: its items follow at `data`. */
LOYALTY_API bool loyalty_read (const void *bytes, size_t size, struct loyalty_value *value);

/* Where the value ends, items included; NULL: cut short, not MessagePack, or nested deeper than 32. */
LOYALTY_API const char *loyalty_skip (const struct loyalty_value *value);

/* Finds a value by its path from a map or list: names divided by dots, indexes in brackets:
 * "points[0].balance". False: not there. */
LOYALTY_API bool loyalty_find (const void *bytes, size_t size, const char *path, struct loyalty_value *value);

/* Walks a LIST or MAP: copy the value, and call this once for each item (of a map: first key, then value). */
LOYALTY_API bool loyalty_walk (struct loyalty_value *container, struct loyalty_value *item);

/* The text of a STRING, or the digits of an INT, cut to `size` and NUL-terminated. False: another type, or cut. */
LOYALTY_API bool loyalty_value_text (const struct loyalty_value *value, char *text, size_t size);
LOYALTY_API bool loyalty_value_equals (const struct loyalty_value *value, const char *text);

#ifdef __cplusplus
}
#endif
#endif
