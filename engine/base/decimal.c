/* decimal.c - fixed-point parsing, printing and rounding. */
#include "base/decimal.h"

#include <stdio.h>
#include <stdlib.h>

int64_t
decimal_power (unsigned digits)
{
    int64_t power = 1;
    while (digits-- > 0)
        power *= 10;
    return power;
}

bool
int128_to_int64 (int128 value, int64_t *result)
{
    if (value > INT64_MAX || value < INT64_MIN)
        return false;
    *result = (int64_t)value;
    return true;
}

/* The digits of a number, its sign and where the decimal point stands: value = mantissa * 10^exponent. */
struct scanned {
    int128 mantissa;
    int exponent;
    bool negative;
};

static bool
scan (struct str text, struct scanned *out)
{
    const char *at = text.data, *end = text.data + text.size;
    int128 mantissa = 0;
    int exponent = 0, digits_seen = 0, significant = 0;
    bool negative = false, fraction = false;

    if (text.size == 0 || text.size > 64)
        return false;
    if (*at == '-' || *at == '+')
        negative = *at++ == '-';
    for (; at < end; at++) {
        if (*at == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        digits_seen++;
        if (significant > 0 || *at != '0')
            significant++;
        if (significant > 37)
            return false;
        mantissa = mantissa * 10 + (*at - '0');
        if (fraction)
            exponent--;
    }
    if (digits_seen == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int sign = 1, written = 0, digits = 0;
        at++;
        if (at < end && (*at == '-' || *at == '+'))
            sign = *at++ == '-' ? -1 : 1;
        for (; at < end && *at >= '0' && *at <= '9'; at++, digits++)
            if (written < 10000)
                written = written * 10 + (*at - '0');
        if (digits == 0)
            return false;
        exponent += sign * written;
    }
    if (at != end)
        return false;
    *out = (struct scanned){ mantissa, exponent, negative };
    return true;
}

bool
decimal_parse (struct str text, unsigned digits, int64_t *value)
{
    struct scanned number;
    if (!scan (text, &number))
        return false;
    int shift = number.exponent + (int)digits;
    if (number.mantissa == 0)
        shift = 0;
    for (; shift < 0; shift++) {
        if (number.mantissa % 10 != 0)
            return false;
        number.mantissa /= 10;
    }
    for (; shift > 0; shift--) {
        if (number.mantissa > INT64_MAX)
            return false;
        number.mantissa *= 10;
    }
    return int128_to_int64 (number.negative ? -number.mantissa : number.mantissa, value);
}

bool
decimal_from_double (double number, unsigned digits, int64_t *value)
{
    /* A magnitude past 2^63 / 10^digits cannot fit; NaN fails both comparisons. */
    if (!(number < 1e19 && number > -1e19))
        return false;
    /* Of at most 15 digits no two decimals are the same double, so one that reads back is the shortest form; the
     * division rounds correctly, as reading the decimal would. This spares most floats the printing below. */
    double scaled = number * (double)decimal_power (digits);
    if (scaled < 1e15 && scaled > -1e15) {
        int64_t guess = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        if ((double)guess / (double)decimal_power (digits) == number) {
            *value = guess;
            return true;
        }
    }
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf (text, sizeof text, "%.*g", precision, number);
        if (strtod (text, NULL) == number)
            break;
    }
    return decimal_parse (str_of (text), digits, value);
}

unsigned
decimal_format (int64_t value, unsigned digits, unsigned digits_min, char *text)
{
    char reversed[DECIMAL_TEXT_MAX];
    unsigned size = 0, length = 0;
    uint64_t rest = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;

    for (; digits > digits_min && rest % 10 == 0; digits--)
        rest /= 10;
    for (unsigned i = 0; i < digits; i++, rest /= 10)
        reversed[size++] = (char)('0' + rest % 10);
    if (digits > 0)
        reversed[size++] = '.';
    do {
        reversed[size++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        reversed[size++] = '-';
    while (size > 0)
        text[length++] = reversed[--size];
    text[length] = '\0';
    return length;
}

int128
div_round (int128 value, int128 divisor)
{
    int128 half = divisor / 2;
    /* For an odd divisor there is no exact half, so adding divisor / 2 rounds to nearest. */
    return value >= 0 ? (value + half) / divisor : -((-value + half) / divisor);
}

int128
div_down (int128 value, int128 divisor)
{
    return value / divisor;
}

bool
mul_div_round (int64_t a, int64_t b, int64_t divisor, int64_t *result)
{
    return int128_to_int64 (div_round ((int128)a * b, divisor), result);
}

bool
mul_div_down (int64_t a, int64_t b, int64_t divisor, int64_t *result)
{
    return int128_to_int64 (div_down ((int128)a * b, divisor), result);
}
