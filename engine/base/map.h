/* map.h - a hash map from 64-bit keys to 32-bit values in an arena: ids to places in a batch's tables. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/arena.h"
#include "base/hash.h"

enum { MAP_ABSENT = UINT32_MAX };

struct map {
    struct arena *arena;
    uint32_t count, capacity; /* capacity is a power of two, or 0 */
    int64_t *keys;
    uint32_t *values;         /* MAP_ABSENT where the place is free */
};

static inline struct map
map_in (struct arena *arena)
{
    return (struct map){ .arena = arena };
}

/* MAP_ABSENT when the key is not there. */
static inline uint32_t
map_get (const struct map *map, int64_t key)
{
    if (map->capacity == 0)
        return MAP_ABSENT;
    uint32_t mask = map->capacity - 1;
    for (uint32_t at = (uint32_t) fnv1a64_int (key) & mask; map->values[at] != MAP_ABSENT; at = (at + 1) & mask)
        if (map->keys[at] == key)
            return map->values[at];
    return MAP_ABSENT;
}

/* Sets a key's value (not MAP_ABSENT). False when memory ran out. */
bool map_set (struct map *map, int64_t key, uint32_t value);

#endif
