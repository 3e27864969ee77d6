/* hash.h - FNV-1a 64 (http://www.isthe.com/chongo/tech/comp/fnv/): the affinity hint and the buckets. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t
fnv1a64 (const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

/* FNV-1a 64 of the number's eight bytes, little-endian. */
static inline uint64_t
fnv1a64_int (int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t) ((uint64_t) number >> (8 * i));
    return fnv1a64 (bytes, sizeof bytes);
}

#endif
