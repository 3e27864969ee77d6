/* arena.c - a bump allocator in a list of blocks, and growable bytes. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct block {
    struct block *next;
    size_t capacity, used;
    _Alignas(ALIGN) uint8_t data[];
};

struct arena {
    struct block *head; /* the block that is being filled; older ones follow */
    size_t limit, used;
    bool limit_reached;
};

int
str_compare (struct str a, struct str b)
{
    uint32_t n = a.size < b.size ? a.size : b.size;
    int order = n ? memcmp (a.data, b.data, n) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

struct arena *
arena_new (size_t limit_bytes)
{
    struct arena *arena = calloc (1, sizeof *arena);
    if (arena != NULL)
        arena->limit = limit_bytes;
    return arena;
}

static void
blocks_free (struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free (block);
        block = next;
    }
}

void
arena_destroy (struct arena **arena)
{
    if (*arena == NULL)
        return;
    blocks_free ((*arena)->head);
    free (*arena);
    *arena = NULL;
}

void
arena_reset (struct arena *arena)
{
    /* The block that stays is one of the ordinary size: a single huge request must not keep
     * its memory for ever. */
    struct block *keep = NULL;
    for (struct block *block = arena->head, *next; block != NULL; block = next) {
        next = block->next;
        if (keep == NULL && block->capacity == BLOCK_BYTES)
            keep = block;
        else
            free (block);
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
    }
    arena->head = keep;
    arena->used = 0;
    arena->limit_reached = false;
}

size_t
arena_used (const struct arena *arena)
{
    return arena->used;
}

bool
arena_limit_reached (const struct arena *arena)
{
    return arena->limit_reached;
}

void *
arena_alloc (struct arena *arena, size_t size)
{
    bool is_absurd = size > SIZE_MAX / 2;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (is_absurd || size > arena->limit - arena->used) {
        arena->limit_reached = true;
        return NULL;
    }
    struct block *block = arena->head;
    if (block == NULL || block->capacity - block->used < size) {
        size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = malloc (sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->capacity = capacity;
        block->used = 0;
        block->next = arena->head;
        arena->head = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    arena->used += size;
    return memset (memory, 0, size);
}

void *
arena_array (struct arena *arena, size_t count, size_t size)
{
    return arena_alloc (arena, size != 0 && count > SIZE_MAX / 4 / size ? SIZE_MAX : count * size);
}

struct str
arena_str (struct arena *arena, struct str text)
{
    char *copy = arena_alloc (arena, (size_t)text.size + 1);
    if (copy == NULL)
        return (struct str){ NULL, 0 };
    if (text.size > 0)
        memcpy (copy, text.data, text.size);
    return (struct str){ copy, text.size };
}

char *
arena_printf (struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start (args, format);
    va_copy (again, args);
    int size = vsnprintf (NULL, 0, format, args);
    va_end (args);
    char *text = size < 0 ? NULL : arena_alloc (arena, (size_t)size + 1);
    if (text != NULL)
        vsnprintf (text, (size_t)size + 1, format, again);
    va_end (again);
    return text;
}

uint8_t *
buf_reserve (struct buf *buf, size_t size)
{
    if (buf->failed)
        return NULL;
    if (buf->capacity - buf->size < size) {
        size_t capacity = buf->capacity ? buf->capacity : 256;
        while (capacity - buf->size < size) {
            if (capacity > SIZE_MAX / 4) {
                buf->failed = true;
                return NULL;
            }
            capacity *= 2;
        }
        uint8_t *data = realloc (buf->data, capacity);
        if (data == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

void
buf_append (struct buf *buf, const void *data, size_t size)
{
    uint8_t *room = buf_reserve (buf, size);
    if (room != NULL && size > 0) {
        memcpy (room, data, size);
        buf->size += size;
    }
}

void
buf_byte (struct buf *buf, uint8_t byte)
{
    buf_append (buf, &byte, 1);
}

void
buf_printf (struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start (args, format);
    va_copy (again, args);
    int size = vsnprintf (NULL, 0, format, args);
    va_end (args);
    uint8_t *room = size < 0 ? NULL : buf_reserve (buf, (size_t)size + 1);
    if (room != NULL) {
        vsnprintf ((char *)room, (size_t)size + 1, format, again);
        buf->size += (size_t)size;
    }
    va_end (again);
}

void
buf_free (struct buf *buf)
{
    free (buf->data);
    *buf = (struct buf){ 0 };
}
