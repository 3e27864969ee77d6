/* pg_values.c - parameters and values in PostgreSQL's binary formats: integers big-endian, times as microseconds from 2000-01-01,
 * arrays as array_send writes them (dimensions, null flag, element type, size and lower bound, then length and value of each). */
#include "base/timestamp.h"
#include "store/pg.h"

#include <stdio.h>
#include <stdlib.h>

#define PG_EPOCH_US INT64_C (946684800000000)

/* ---- parameters */

static void
put_big_endian (uint8_t *to, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static void
param_add (struct pg_params *params, const char *value, int length)
{
    if (params->count == PG_PARAMS_MAX) {
        params->failed = true;
        return;
    }
    params->values[params->count] = value;
    params->lengths[params->count++] = length;
}

static void
param_number (struct pg_params *params, uint64_t value, int size)
{
    uint8_t *bytes = arena_alloc (params->arena, 8);
    if (bytes == NULL) {
        params->failed = true;
        return;
    }
    put_big_endian (bytes, value, size);
    param_add (params, (const char *)bytes, size);
}

void
pg_param_null (struct pg_params *params)
{
    param_add (params, NULL, 0);
}

void
pg_param_bool (struct pg_params *params, bool value)
{
    param_number (params, value, 1);
}

void
pg_param_int2 (struct pg_params *params, int16_t value)
{
    param_number (params, (uint64_t)value, 2);
}

void
pg_param_int4 (struct pg_params *params, int32_t value)
{
    param_number (params, (uint64_t)value, 4);
}

void
pg_param_int8 (struct pg_params *params, int64_t value)
{
    param_number (params, (uint64_t)value, 8);
}

static int64_t
time_to_pg (int64_t instant)
{
    return instant == INSTANT_NEVER || instant == INT64_MIN ? instant : instant - PG_EPOCH_US;
}

void
pg_param_time (struct pg_params *params, int64_t instant)
{
    pg_param_int8 (params, time_to_pg (instant));
}

void
pg_param_bytes (struct pg_params *params, struct str bytes)
{
    param_add (params, bytes.size > 0 ? bytes.data : "", (int)bytes.size);
}

void
pg_param_text (struct pg_params *params, struct str text)
{
    pg_param_bytes (params, text);
}

void
pg_array_begin (struct pg_array *array, enum pg_type type)
{
    *array = (struct pg_array){ .type = type };
}

void
pg_array_null (struct pg_array *array)
{
    static const uint8_t LENGTH_NULL[4] = { 0xff, 0xff, 0xff, 0xff };
    buf_append (&array->bytes, LENGTH_NULL, 4);
    array->has_null = true;
    array->count++;
}

void
pg_array_int (struct pg_array *array, int64_t value)
{
    int size = array->type == PG_BOOL ? 1 : array->type == PG_INT2 ? 2 : array->type == PG_INT4 ? 4 : 8;
    uint8_t *room = buf_reserve (&array->bytes, 12);
    if (room == NULL)
        return;
    put_big_endian (room, (uint64_t)size, 4);
    put_big_endian (room + 4, (uint64_t)value, size);
    array->bytes.size += 4 + (size_t)size;
    array->count++;
}

void
pg_array_time (struct pg_array *array, int64_t instant)
{
    pg_array_int (array, time_to_pg (instant));
}

void
pg_array_bytes (struct pg_array *array, struct str value)
{
    uint8_t length[4];
    put_big_endian (length, value.size, 4);
    buf_append (&array->bytes, length, 4);
    buf_append (&array->bytes, value.data, value.size);
    array->count++;
}

void
pg_param_array (struct pg_params *params, struct pg_array *array)
{
    size_t size = array->count == 0 ? 12 : 20 + array->bytes.size;
    uint8_t *bytes = array->bytes.failed || size > INT32_MAX ? NULL : arena_alloc (params->arena, size);
    if (bytes == NULL) {
        params->failed = true;
    } else {
        put_big_endian (bytes, array->count > 0, 4);
        put_big_endian (bytes + 4, array->has_null, 4);
        put_big_endian (bytes + 8, (uint64_t)array->type, 4);
        if (array->count > 0) {
            put_big_endian (bytes + 12, array->count, 4);
            put_big_endian (bytes + 16, 1, 4);
            memcpy (bytes + 20, array->bytes.data, array->bytes.size);
        }
        param_add (params, (const char *)bytes, (int)size);
    }
    buf_free (&array->bytes);
}

void
pg_param_int8s (struct pg_params *params, const int64_t *values, uint32_t count)
{
    struct pg_array array;
    pg_array_begin (&array, PG_INT8);
    for (uint32_t i = 0; i < count; i++)
        pg_array_int (&array, values[i]);
    pg_param_array (params, &array);
}

struct str
pg_array_text (struct arena *arena, const int64_t *values, uint32_t count)
{
    /* 20 digits and a comma each at most. */
    char *text = arena_alloc (arena, (size_t)count * 21 + 3);
    size_t size = 0;
    if (text == NULL)
        return (struct str){ NULL, 0 };
    text[size++] = '{';
    for (uint32_t i = 0; i < count; i++)
        size += (size_t)snprintf (text + size, 22, "%s%lld", i ? "," : "", (long long)values[i]);
    text[size++] = '}';
    return (struct str){ text, (uint32_t)size };
}

/* ---- values */

static uint64_t
get_big_endian (const char *from, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | (uint8_t)from[i];
    return value;
}

static int64_t
get_signed (const char *from, int size)
{
    uint64_t value = get_big_endian (from, size);
    return size == 2 ? (int16_t)value : size == 4 ? (int32_t)value : (int64_t)value;
}

int64_t
pg_affected (const PGresult *result)
{
    return strtoll (PQcmdTuples ((PGresult *)result), NULL, 10);
}

bool
pg_is_null (const PGresult *result, int row, int column)
{
    return PQgetisnull (result, row, column);
}

bool
pg_bool (const PGresult *result, int row, int column)
{
    return !pg_is_null (result, row, column) && *PQgetvalue (result, row, column) != 0;
}

int64_t
pg_int (const PGresult *result, int row, int column)
{
    int size = PQgetlength (result, row, column);
    return size == 2 || size == 4 || size == 8 ? get_signed (PQgetvalue (result, row, column), size) : 0;
}

int64_t
pg_time (const PGresult *result, int row, int column)
{
    int64_t value = pg_int (result, row, column);
    return value == INT64_MAX || value == INT64_MIN ? value : value + PG_EPOCH_US;
}

struct str
pg_text (const PGresult *result, int row, int column)
{
    return (struct str){ PQgetvalue (result, row, column), (uint32_t)PQgetlength (result, row, column) };
}

/* The elements of a one-dimensional array value: count, and where the first one starts. */
static int
array_open (const PGresult *result, int row, int column, const char **at, const char **end)
{
    *at = PQgetvalue (result, row, column);
    *end = *at + PQgetlength (result, row, column);
    if (*end - *at < 20 || get_big_endian (*at, 4) != 1)
        return 0;
    int count = (int)get_big_endian (*at + 12, 4);
    *at += 20;
    return count;
}

int
pg_int_array (const PGresult *result, int row, int column, struct arena *arena, const int64_t **values)
{
    const char *at, *end;
    int count = array_open (result, row, column, &at, &end);
    int64_t *list = arena_array_of (arena, (size_t)count + 1, int64_t);
    *values = list;
    if (list == NULL)
        return 0;
    for (int i = 0; i < count; i++) {
        int size = (int)get_big_endian (at, 4);
        list[i] = get_signed (at + 4, size);
        at += 4 + size;
    }
    return count;
}

int
pg_text_array (const PGresult *result, int row, int column, struct arena *arena, const struct str **values)
{
    const char *at, *end;
    int count = array_open (result, row, column, &at, &end);
    struct str *list = arena_array_of (arena, (size_t)count + 1, struct str);
    *values = list;
    if (list == NULL)
        return 0;
    for (int i = 0; i < count; i++) {
        int size = (int)get_big_endian (at, 4);
        list[i] = arena_str (arena, (struct str){ at + 4, (uint32_t)size });
        at += 4 + size;
    }
    return count;
}
