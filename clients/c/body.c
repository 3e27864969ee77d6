/* body.c - builds MessagePack without counting first: maps and lists are opened with a four-byte count that
 * is filled in when they end. */
#include "loyalty/body.h"
#include "wire/msgpack.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, HEAD_SIZE = 5 /* 0xdd or 0xdf, and the count */ };

struct loyalty_body {
    struct buf bytes;
    bool failed;
    unsigned depth; /* of open[]; the body itself is open[0] */
    struct {
        size_t at; /* where its head is */
        uint32_t count;
        bool is_map;
    } open[DEPTH_MAX];
};

static void
open_container (struct loyalty_body *body, bool is_map)
{
    body->open[body->depth].at = body->bytes.size;
    body->open[body->depth].count = 0;
    body->open[body->depth].is_map = is_map;
    body->depth++;
    buf_append (&body->bytes, is_map ? "\xdf\0\0\0" : "\xdd\0\0\0", HEAD_SIZE);
}

struct loyalty_body *
loyalty_body_new (void)
{
    struct loyalty_body *body = calloc (1, sizeof *body);
    if (body != NULL)
        loyalty_body_clear (body);
    return body;
}

void
loyalty_body_destroy (struct loyalty_body **body)
{
    if (*body != NULL)
        buf_free (&(*body)->bytes);
    free (*body);
    *body = NULL;
}

void
loyalty_body_clear (struct loyalty_body *body)
{
    buf_clear (&body->bytes);
    body->failed = false;
    body->depth = 0;
    open_container (body, true);
}

/* Counts one more item in what is open, and writes its name. False: the call does not fit here. */
static bool
begin_item (struct loyalty_body *body, const char *name)
{
    if (body->failed || body->depth == 0 || body->open[body->depth - 1].is_map != (name != NULL))
        body->failed = true;
    if (body->failed)
        return false;
    body->open[body->depth - 1].count++;
    if (name != NULL)
        wire_write_cstr (&body->bytes, name);
    return true;
}

void
loyalty_body_string (struct loyalty_body *body, const char *name, const char *text)
{
    size_t size = strlen (text);
    if (size > UINT32_MAX)
        body->failed = true;
    if (begin_item (body, name))
        wire_write_str (&body->bytes, (struct str){ text, (uint32_t)size });
}

void
loyalty_body_int (struct loyalty_body *body, const char *name, int64_t number)
{
    if (begin_item (body, name))
        wire_write_int (&body->bytes, number);
}

void
loyalty_body_bool (struct loyalty_body *body, const char *name, bool value)
{
    if (begin_item (body, name))
        wire_write_bool (&body->bytes, value);
}

void
loyalty_body_null (struct loyalty_body *body, const char *name)
{
    if (begin_item (body, name))
        wire_write_nil (&body->bytes);
}

void
loyalty_body_decimal (struct loyalty_body *body, const char *name, int64_t units, unsigned digits)
{
    if (digits > 18)
        body->failed = true;
    if (begin_item (body, name))
        wire_write_decimal (&body->bytes, units, digits, digits);
}

void
loyalty_body_raw (struct loyalty_body *body, const char *name, const void *bytes, size_t size)
{
    if (begin_item (body, name))
        buf_append (&body->bytes, bytes, size);
}

static void
begin_container (struct loyalty_body *body, const char *name, bool is_map)
{
    if (body->depth == DEPTH_MAX)
        body->failed = true;
    if (begin_item (body, name))
        open_container (body, is_map);
}

void
loyalty_body_map (struct loyalty_body *body, const char *name)
{
    begin_container (body, name, true);
}

void
loyalty_body_list (struct loyalty_body *body, const char *name)
{
    begin_container (body, name, false);
}

/* Fills in the count of what is open at a depth. */
static void
write_count (const struct loyalty_body *body, unsigned depth)
{
    uint8_t *head = body->bytes.data + body->open[depth].at;
    for (unsigned i = 0; i < 4; i++)
        head[1 + i] = (uint8_t)(body->open[depth].count >> 8 * (3 - i));
}

void
loyalty_body_end (struct loyalty_body *body)
{
    /* The body itself is closed by loyalty_body_bytes. */
    if (body->depth < 2)
        body->failed = true;
    if (body->failed || body->bytes.failed)
        return;
    body->depth--;
    write_count (body, body->depth);
}

const void *
loyalty_body_bytes (const struct loyalty_body *body, size_t *size)
{
    *size = 0;
    if (body->failed || body->bytes.failed || body->depth != 1)
        return NULL;
    write_count (body, 0);
    *size = body->bytes.size;
    return body->bytes.data;
}
