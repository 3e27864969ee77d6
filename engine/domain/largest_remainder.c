/* largest_remainder.c - proportional parts in whole minor units. */
#include "domain/largest_remainder.h"

#include "base/decimal.h"
#include "domain/sort.h"

static int
compare_remainders (const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return compare_int64 (x->index, y->index);
}

void
split_by_largest_remainder (int64_t whole, const int64_t *weights, uint32_t count, int64_t *parts,
                            struct remainder *remainders)
{
    int64_t sum = 0, missing = whole;
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    if (whole == sum) {
        for (uint32_t i = 0; i < count; i++)
            parts[i] = weights[i];
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t product;
        if (!__builtin_mul_overflow (whole, weights[i], &product)) {
            parts[i] = product / sum;
            remainders[i].rest = (uint64_t)(product % sum);
        } else {
            parts[i] = (int64_t)((int128)whole * weights[i] / sum);
            remainders[i].rest = (uint64_t)((int128)whole * weights[i] % sum);
        }
        remainders[i].index = i;
        missing -= parts[i];
    }
    if (missing == 0)
        return;
    sort_items (remainders, count, sizeof *remainders, compare_remainders);
    for (int64_t i = 0; i < missing; i++)
        parts[remainders[i].index]++;
}
