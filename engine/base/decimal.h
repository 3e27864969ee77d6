/* decimal.h - exact decimals: 64-bit fixed point, 128-bit intermediates, no floating point.
 *
 * Three scales are in use everywhere:
 *   _minor   money in the currency's minor units (digits are the store's; 2 unless set)
 *   _micro   unit prices, quantities, percentages and rates, in millionths
 *   _points  points, in hundredths
 * Halves round away from zero unless a name says `down` (towards zero). Every operation that
 * could leave 64 bits answers -1 (false) instead of wrapping. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef __int128 int128;

enum { MICRO_DIGITS = 6, POINTS_DIGITS = 2, MICRO = 1000000, POINT = 100, DECIMAL_TEXT_MAX = 32 };

/* 10^digits for 0..18. */
int64_t decimal_power (unsigned digits);

/* Reads "-12.50" with at most `digits` decimals (trailing zeros beyond are fine) into units of
 * 10^-digits. An exponent ("1e3") is accepted. False: not a number, too many decimals,
 * or out of range. */
bool decimal_parse (struct str text, unsigned digits, int64_t *value);

/* Reads a float by its shortest decimal form that reads back the same; false also for NaN and
 * infinity, or more than `digits` decimals. (The only place where a double is looked at.) */
bool decimal_from_double (double number, unsigned digits, int64_t *value);

/* Writes value * 10^-digits with at least `digits_min` decimals and no other trailing zeros;
 * returns the length. `text` needs DECIMAL_TEXT_MAX bytes and is NUL-terminated. */
unsigned decimal_format (int64_t value, unsigned digits, unsigned digits_min, char *text);

/* value / divisor, halves away from zero; divisor > 0. */
int128 div_round (int128 value, int128 divisor);
/* value / divisor towards zero; divisor > 0. */
int128 div_down (int128 value, int128 divisor);

/* a * b / divisor, rounded, into *result; false when it does not fit 64 bits. */
bool mul_div_round (int64_t a, int64_t b, int64_t divisor, int64_t *result);
bool mul_div_down (int64_t a, int64_t b, int64_t divisor, int64_t *result);

/* Narrowing; false when the value does not fit. */
bool int128_to_int64 (int128 value, int64_t *result);

#endif
