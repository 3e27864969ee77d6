/* sort.h - heap sort: in place, without memory of its own, n log n also in the worst case. Not stable: compare ties away. */
#ifndef DOMAIN_SORT_H
#define DOMAIN_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SORT_ITEM_MAX = 1024 }; /* bytes of one item */

typedef int sort_compare (const void *a, const void *b);

static inline void
sort_swap (uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t spare[SORT_ITEM_MAX];
    memcpy (spare, a, size);
    memcpy (a, b, size);
    memcpy (b, spare, size);
}

static inline void
sort_sift (uint8_t *items, size_t at, size_t count, size_t size, sort_compare *compare)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare (items + child * size, items + (child + 1) * size) < 0)
            child++;
        if (compare (items + at * size, items + child * size) >= 0)
            return;
        sort_swap (items + at * size, items + child * size, size);
    }
}

/* Sorts `count` items of `size` (at most SORT_ITEM_MAX) bytes ascending; a sorted array costs one look. */
static inline void
sort_items (void *array, size_t count, size_t size, sort_compare *compare)
{
    uint8_t *items = array;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = compare (items + (i - 1) * size, items + i * size) <= 0;
    if (sorted)
        return;
    for (size_t at = count / 2; at-- > 0;)
        sort_sift (items, at, count, size, compare);
    for (size_t end = count - 1; end > 0; end--) {
        sort_swap (items, items + end * size, size);
        sort_sift (items, 0, end, size, compare);
    }
}

static inline int
compare_int64 (int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

#endif
