/* base_decimal_test.c - exact decimals: parsing, printing, rounding, and the edges of 64 bits. */
#include "base/decimal.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

struct parse_case {
    const char *text;
    unsigned digits;
    int64_t value;
};

Test (decimal, parses_what_is_a_number)
{
    static const struct parse_case CASES[] = {
        { "0", 2, 0 },
        { "-0", 2, 0 },
        { "-0.00", 2, 0 },
        { "12.50", 2, 1250 },
        { "12.5", 2, 1250 },
        { "+12.5", 2, 1250 },
        { "-12.5", 2, -1250 },
        { ".5", 2, 50 },
        { "5.", 2, 500 },
        { "007", 0, 7 },
        { "12.5000000000000000000000", 2, 1250 }, /* trailing zeros beyond the digits are fine */
        { "1e3", 2, 100000 },
        { "1E+3", 2, 100000 },
        { "125e-1", 2, 1250 },
        { "1.25e-2", 6, 12500 },
        { "0e99999", 2, 0 },
        { "0.000001", 6, 1 },
        { "9223372036854.775807", 6, INT64_MAX },
        { "-9223372036854.775808", 6, INT64_MIN },
        { "9223372036854775807", 0, INT64_MAX },
        { "00000000000000000000000000000000000000000000000000000000000001.5", 1, 15 }, /* 64 bytes */
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t value = 99;
        cr_expect (decimal_parse (str_of (CASES[i].text), CASES[i].digits, &value), "%s", CASES[i].text);
        cr_expect_eq (value, CASES[i].value, "%s: %lld", CASES[i].text, (long long)value);
    }
}

Test (decimal, refuses_what_is_none_or_does_not_fit)
{
    static const struct parse_case CASES[] = {
        { "", 2, 0 },
        { "-", 2, 0 },
        { ".", 2, 0 },
        { "+-1", 2, 0 },
        { "1 ", 2, 0 },
        { " 1", 2, 0 },
        { "1,5", 2, 0 },
        { "1.2.3", 2, 0 },
        { "1e", 2, 0 },
        { "1e+", 2, 0 },
        { "1e1.5", 2, 0 },
        { "e1", 2, 0 },
        { "0x10", 2, 0 },
        { "nan", 2, 0 },
        { "inf", 2, 0 },
        { "NaN", 2, 0 },
        { "12.345", 2, 0 },
        { "0.001", 2, 0 },
        { "1e-3", 2, 0 },
        { "1e400", 2, 0 },
        { "1e-400", 2, 0 },
        { "1e99999999999999999999", 2, 0 },
        { "9223372036854.775808", 6, 0 },
        { "-9223372036854.775809", 6, 0 },
        { "92233720368547758070", 0, 0 },
        { "99999999999999999999999999999999999999", 0, 0 },
        { "000000000000000000000000000000000000000000000000000000000000001.5", 1, 0 }, /* 65 bytes */
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t value;
        cr_expect_not (decimal_parse (str_of (CASES[i].text), CASES[i].digits, &value), "%s", CASES[i].text);
    }
}

Test (decimal, a_float_counts_by_its_shortest_form)
{
    static const struct {
        double number;
        unsigned digits;
        int64_t value;
    } CASES[] = {
        { 0.1, 6, 100000 },
        { 12.5, 2, 1250 },
        { -0.0, 2, 0 },
        { 1e-6, 6, 1 },
        { 0.29, 2, 29 },
        { 1.1, 2, 110 },
        { 4.35, 2, 435 },
        { 1005.55, 2, 100555 },
        { 999999999.123456, 6, INT64_C (999999999123456) },
        { -33.333333, 6, -33333333 },
        { 1e18, 0, INT64_C (1000000000000000000) },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t value = 99;
        cr_expect (decimal_from_double (CASES[i].number, CASES[i].digits, &value), "%.17g", CASES[i].number);
        cr_expect_eq (value, CASES[i].value, "%.17g: %lld", CASES[i].number, (long long)value);
    }
    static const double BAD[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e19, 0.1 + 0.2, 1.0 / 3, 1e-7, 1e-300 };
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int64_t value;
        cr_expect_not (decimal_from_double (BAD[i], 6, &value), "%.17g", BAD[i]);
    }
}

/* Every amount of cents up to 100,000.00 comes back from the double that is nearest to it. */
Test (decimal, all_cents_survive_a_float)
{
    for (int64_t cents = -200; cents <= 10000000; cents += cents < 10000 ? 1 : 997) {
        int64_t value;
        cr_assert (decimal_from_double ((double)cents / 100.0, 2, &value), "%lld", (long long)cents);
        cr_assert_eq (value, cents);
    }
}

/* The decimal that a float was read from comes back, as long as it has no more than 15 digits. */
Test (decimal, any_decimal_of_15_digits_survives_a_float)
{
    uint64_t state = 7;
    for (int i = 0; i < 20000; i++) {
        state = state * UINT64_C (6364136223846793005) + 1442695040888963407u;
        int64_t number = (int64_t)(state >> 14) % INT64_C (1000000000000000), value;
        number = (i % 2 ? number : -number) / decimal_power ((unsigned)(i % 15));
        unsigned digits = (unsigned)(i % 7);
        char text[DECIMAL_TEXT_MAX];
        decimal_format (number, digits, 0, text);
        cr_assert (decimal_from_double (strtod (text, NULL), digits, &value), "%s", text);
        cr_assert_eq (value, number, "%s: %lld", text, (long long)value);
        if (digits > 0 && number % 10 != 0) /* with a digit less it has one decimal too many */
            cr_assert_not (decimal_from_double (strtod (text, NULL), digits - 1, &value), "%s", text);
    }
}

Test (decimal, formats)
{
    static const struct {
        int64_t value;
        unsigned digits, digits_min;
        const char *text;
    } CASES[] = {
        { 1250, 2, 2, "12.50" },
        { 1250, 2, 0, "12.5" },
        { 1200, 2, 0, "12" },
        { 0, 2, 2, "0.00" },
        { 0, 6, 0, "0" },
        { -5, 2, 2, "-0.05" },
        { -1, 6, 0, "-0.000001" },
        { 1000000, 6, 2, "1.00" },
        { 1234567, 6, 2, "1.234567" },
        { 42, 0, 0, "42" },
        { INT64_MAX, 6, 0, "9223372036854.775807" },
        { INT64_MIN, 6, 0, "-9223372036854.775808" },
        { INT64_MIN, 0, 0, "-9223372036854775808" },
        { INT64_MIN, 18, 18, "-9.223372036854775808" },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[DECIMAL_TEXT_MAX];
        unsigned length = decimal_format (CASES[i].value, CASES[i].digits, CASES[i].digits_min, text);
        cr_expect_str_eq (text, CASES[i].text);
        cr_expect_eq (length, strlen (CASES[i].text));
    }
}

Test (decimal, what_is_formatted_parses_back)
{
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * UINT64_C (6364136223846793005) + 1442695040888963407u;
        int64_t value = (int64_t)state >> (i % 60), back;
        unsigned digits = (unsigned)(i % 19);
        char text[DECIMAL_TEXT_MAX];
        unsigned length = decimal_format (value, digits, (unsigned)(i % (int)(digits + 1)), text);
        cr_assert (decimal_parse ((struct str){ text, length }, digits, &back), "%s", text);
        cr_assert_eq (back, value, "%s", text);
    }
}

Test (decimal, halves_round_away_from_zero)
{
    static const struct {
        int64_t value, divisor, rounded, down;
    } CASES[] = {
        { 5, 10, 1, 0 },     { 4, 10, 0, 0 },
        { 15, 10, 2, 1 },    { 25, 10, 3, 2 },
        { 24, 10, 2, 2 },    { -5, 10, -1, 0 },
        { -4, 10, 0, 0 },    { -15, 10, -2, -1 },
        { -25, 10, -3, -2 }, { 0, 10, 0, 0 },
        { 1, 3, 0, 0 },      { 2, 3, 1, 0 },
        { -1, 3, 0, 0 },     { -2, 3, -1, 0 },
        { 7, 1, 7, 7 },      { 1, 2, 1, 0 },
        { -1, 2, -1, 0 },    { 3, 7, 0, 0 },
        { 4, 7, 1, 0 },      { INT64_MAX, 2, INT64_C (4611686018427387904), INT64_C (4611686018427387903) },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        cr_expect (div_round (CASES[i].value, CASES[i].divisor) == CASES[i].rounded, "case %u", i);
        cr_expect (div_down (CASES[i].value, CASES[i].divisor) == CASES[i].down, "case %u", i);
    }
}

Test (decimal, products_are_exact_and_overflow_is_an_error)
{
    int64_t result = 0;
    cr_expect (mul_div_round (INT64_MAX, INT64_MAX, INT64_MAX, &result) && result == INT64_MAX);
    cr_expect (mul_div_round (INT64_MIN, 1000000, 1000000, &result) && result == INT64_MIN);
    cr_expect (mul_div_round (333333, 3, 1000000, &result) && result == 1);
    cr_expect (mul_div_down (333333, 3, 1000000, &result) && result == 0);
    cr_expect (mul_div_round (-12345, 500000, 1000000, &result) && result == -6173, "-6172.5 away from zero");
    cr_expect (mul_div_down (-12345, 500000, 1000000, &result) && result == -6172);
    cr_expect_not (mul_div_round (INT64_MAX, 3, 2, &result));
    cr_expect_not (mul_div_down (INT64_MIN, 3, 2, &result));
    cr_expect_not (mul_div_round (INT64_MAX, INT64_MAX, 1, &result));
    cr_expect (int128_to_int64 (INT64_MIN, &result) && result == INT64_MIN);
    cr_expect_not (int128_to_int64 ((int128)INT64_MIN - 1, &result));
    cr_expect_not (int128_to_int64 ((int128)INT64_MAX + 1, &result));
    cr_expect_eq (decimal_power (0), 1);
    cr_expect_eq (decimal_power (18), INT64_C (1000000000000000000));
}
