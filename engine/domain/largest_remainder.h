/* largest_remainder.h - splitting a whole into parts that add up to it (rule 12). */
#ifndef DOMAIN_LARGEST_REMAINDER_H
#define DOMAIN_LARGEST_REMAINDER_H

#include <stdint.h>

struct remainder {
    uint64_t rest;
    uint32_t index;
};

/* Splits `whole` (>= 0) in proportion to `weights` (>= 0, not all 0): each part rounded down, and what is
 * missing one by one to the largest remainders, the first winning a tie. No part exceeds its weight
 * when the whole does not exceed their sum. `remainders`: scratch, one per weight. */
void split_by_largest_remainder (int64_t whole, const int64_t *weights, uint32_t count, int64_t *parts,
                                 struct remainder *remainders);

#endif
