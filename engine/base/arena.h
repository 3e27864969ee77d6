/* arena.h - memory that lives as long as one batch (or one request) and goes at once.
 *
 * Also the two views that most code passes around: `struct str`, text that somebody else
 * owns, and `struct buf`, bytes that grow. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that are borrowed: never freed through this view, not NUL-terminated. */
struct str {
    const char *data;
    uint32_t size;
};

#define STR(literal) ((struct str){ (literal), sizeof (literal) - 1 })

static inline struct str
str_of (const char *text)
{
    return (struct str){ text, (uint32_t) strlen (text) };
}

static inline bool
str_equal (struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}

/* <0, 0, >0 by bytes, the shorter first. */
int str_compare (struct str a, struct str b);

struct arena;

/* A new arena that hands out at most `limit_bytes` in all; NULL when there is no memory. */
struct arena *arena_new (size_t limit_bytes);
/* Frees it and sets *arena to NULL; NULL is fine. */
void arena_destroy (struct arena **arena);
/* Forgets all that was handed out and keeps one block for the next round. */
void arena_reset (struct arena *arena);
/* Bytes handed out since the last reset. */
size_t arena_used (const struct arena *arena);
/* Whether more was asked for since then than the limit allows; else what was refused was refused by the machine. */
bool arena_limit_reached (const struct arena *arena);

/* Zeroed, 16-byte aligned memory; NULL when memory or the limit is exhausted. */
void *arena_alloc (struct arena *arena, size_t size);
/* The same for an array; NULL also when count * size overflows. */
void *arena_array (struct arena *arena, size_t count, size_t size);
/* A copy of `text`; the copy is NUL-terminated too. data is NULL when memory ran out. */
struct str arena_str (struct arena *arena, struct str text);
/* printf into the arena; NULL when memory ran out. */
char *arena_printf (struct arena *arena, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#define arena_new_of(arena, type) ((type *) arena_alloc ((arena), sizeof (type)))
#define arena_array_of(arena, count, type) ((type *) arena_array ((arena), (count), sizeof (type)))

/* Bytes that grow, on the heap. A failed append sets `failed` and stays failed until
 * buf_clear, so that a writer may check once at the end. */
struct buf {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
};

void buf_append (struct buf *buf, const void *data, size_t size);
void buf_byte (struct buf *buf, uint8_t byte);
void buf_printf (struct buf *buf, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
/* Room for `size` bytes at the end, which the caller writes and adds to `size`; NULL on failure. */
uint8_t *buf_reserve (struct buf *buf, size_t size);
static inline void
buf_clear (struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}
/* Frees the bytes; the buffer can be used again. */
void buf_free (struct buf *buf);

#endif
