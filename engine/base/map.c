/* map.c - see map.h: open addressing, linear probes, at most half full. */
#include "base/map.h"

static bool
map_grow (struct map *map)
{
    struct map larger = { .arena = map->arena, .capacity = map->capacity ? map->capacity * 2 : 16 };
    larger.keys = arena_array_of (map->arena, larger.capacity, int64_t);
    larger.values = arena_array_of (map->arena, larger.capacity, uint32_t);
    if (larger.keys == NULL || larger.values == NULL)
        return false;
    memset (larger.values, 0xff, larger.capacity * sizeof *larger.values);
    for (uint32_t i = 0; i < map->capacity; i++)
        if (map->values[i] != MAP_ABSENT)
            map_set (&larger, map->keys[i], map->values[i]);
    *map = larger;
    return true;
}

bool
map_set (struct map *map, int64_t key, uint32_t value)
{
    if (map->count * 2 >= map->capacity && !map_grow (map))
        return false;
    uint32_t mask = map->capacity - 1;
    uint32_t at = (uint32_t)fnv1a64_int (key) & mask;
    while (map->values[at] != MAP_ABSENT && map->keys[at] != key)
        at = (at + 1) & mask;
    if (map->values[at] == MAP_ABSENT)
        map->count++;
    map->keys[at] = key;
    map->values[at] = value;
    return true;
}
