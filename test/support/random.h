/* random.h - numbers that are random enough for tests and the same on every run (SplitMix64). */
#ifndef TEST_SUPPORT_RANDOM_H
#define TEST_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t
random_next (struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* low .. high, both inclusive. */
static inline int64_t
random_between (struct random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next (random) % (uint64_t)(high - low + 1));
}

static inline bool
random_chance (struct random *random, unsigned percent)
{
    return random_next (random) % 100 < percent;
}

/* Mostly small, now and then of any size a 64-bit number can have. */
static inline int64_t
random_any (struct random *random)
{
    uint64_t number = random_next (random);
    unsigned shift = (unsigned)(random_next (random) % 64);
    return (int64_t)(random_chance (random, 50) ? number >> shift : 0 - (number >> shift));
}

#endif
