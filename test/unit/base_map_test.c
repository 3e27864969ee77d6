/* base_map_test.c - the map finds what was set, whatever the keys, and says so when memory ends. */
#include "base/map.h"

#include <criterion/criterion.h>

static int64_t
key_at (int i)
{
    /* Neighbours, both signs, and keys that differ only in their upper halves. */
    int64_t key = i % 3 == 0 ? i : (int64_t)((uint64_t)i << 40);
    return i % 2 ? -key : key;
}

Test (map, what_was_set_is_found)
{
    struct arena *arena = arena_new (8 << 20);
    struct map map = map_in (arena);
    enum { COUNT = 20000 };
    cr_expect_eq (map_get (&map, 0), (uint32_t)MAP_ABSENT, "an empty map has no memory");
    for (int i = 1; i <= COUNT; i++)
        cr_assert (map_set (&map, key_at (i), (uint32_t)i));
    cr_expect_eq (map.count, (uint32_t)COUNT);
    for (int i = 1; i <= COUNT; i++)
        cr_assert_eq (map_get (&map, key_at (i)), (uint32_t)i);
    cr_expect_eq (map_get (&map, INT64_MAX), (uint32_t)MAP_ABSENT);
    cr_expect_eq (map_get (&map, 0), (uint32_t)MAP_ABSENT);
    cr_assert (map_set (&map, 0, 0) && map_set (&map, INT64_MIN, 7) && map_set (&map, key_at (5), 55));
    cr_expect_eq (map_get (&map, 0), 0);
    cr_expect_eq (map_get (&map, INT64_MIN), 7);
    cr_expect_eq (map_get (&map, key_at (5)), 55);
    cr_expect_eq (map.count, (uint32_t)COUNT + 2, "a key set again is not counted again");
    arena_destroy (&arena);
}

Test (map, a_full_arena_leaves_the_map_as_it_was)
{
    struct arena *arena = arena_new (2048);
    struct map map = map_in (arena);
    int set = 0;
    while (set < 1000 && map_set (&map, set, (uint32_t)set))
        set++;
    cr_expect (set > 0 && set < 1000, "%d", set);
    for (int i = 0; i < set; i++)
        cr_expect_eq (map_get (&map, i), (uint32_t)i);
    cr_expect_eq (map_get (&map, set), (uint32_t)MAP_ABSENT);
    arena_destroy (&arena);
}
