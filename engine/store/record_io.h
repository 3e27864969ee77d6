/* record_io.h - the primitives of stored records: one walk over the fields writes them or reads them.
 *
 * Each function takes a pointer to a field: when writing, it appends the field and leaves it alone; when reading,
 * it sets it. The first thing that is wrong sets `bad`; from then on reads give 0 and empty lists, so that a
 * walk ends by itself and is judged once. */
#ifndef STORE_RECORD_IO_H
#define STORE_RECORD_IO_H

#include "base/arena.h"

struct record_io {
    bool writing, bad;
    struct buf *buf; /* writing: at..end is its free room */
    uint8_t *at, *end;
    const uint8_t *from, *from_end; /* reading */
    struct arena *arena;
};

/* Makes room for `size` bytes; false (and bad) when there is no memory. */
bool io_grow (struct record_io *io, size_t size);

static inline bool
io_room (struct record_io *io, size_t size)
{
    return (size_t)(io->end - io->at) >= size || io_grow (io, size);
}

static inline uint64_t
zigzag (int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t
unzigzag (uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

void io_write_varint (struct record_io *io, uint64_t value);
uint64_t io_read_varint (struct record_io *io);

static inline void
io_unsigned (struct record_io *io, uint64_t *value)
{
    if (!io->writing)
        *value = io_read_varint (io);
    else
        io_write_varint (io, *value);
}

static inline void
io_int (struct record_io *io, int64_t *value)
{
    if (!io->writing)
        *value = unzigzag (io_read_varint (io));
    else
        io_write_varint (io, zigzag (*value));
}

/* A number that is mostly close to another one. */
static inline void
io_near (struct record_io *io, int64_t *value, int64_t base)
{
    int64_t difference = (int64_t)((uint64_t)*value - (uint64_t)base);
    io_int (io, &difference);
    if (!io->writing)
        *value = (int64_t)((uint64_t)base + (uint64_t)difference);
}

/* 0 .. limit - 1. */
void io_below (struct record_io *io, uint32_t *value, uint32_t limit);
/* -1 .. limit - 1. */
void io_index (struct record_io *io, int32_t *value, uint32_t limit);
void io_int32 (struct record_io *io, int32_t *value);
/* A decimal that mostly ends in zeros (millionths). */
void io_decimal (struct record_io *io, int64_t *value);
/* Bits, the frequent ones first. */
void io_bools (struct record_io *io, bool *const bools[], unsigned count);
/* At most 62 numbers of which most are 0. */
void io_sparse (struct record_io *io, int64_t *const values[], unsigned count);
/* Bytes; when reading, borrowed from what is read. */
void io_str (struct record_io *io, struct str *text);
/* An id, key or code: short where it is a decimal number close to *previous (which it moves on), or a UUID. */
void io_name (struct record_io *io, struct str *name, int64_t *previous);
/* A NUL-terminated text in an array of `size` bytes. */
void io_text (struct record_io *io, char *text, size_t size);

/* The count of a list and, when reading, memory for its elements. `list`: the address of the pointer to its first
 * element. At most `limit` elements, each of at least one byte. Returns the first element (NULL when there is none). */
void *io_list (struct record_io *io, void *list, uint32_t *count, size_t size, uint32_t limit);

#define io_enum(io, field, limit)                \
    do {                                         \
        uint32_t number_ = (uint32_t)(field);    \
        io_below ((io), &number_, (limit));      \
        if (!(io)->writing)                      \
            (field) = number_;                   \
    } while (0)

#endif
