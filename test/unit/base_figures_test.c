/* base_figures_test.c - histograms within their error bound, hashes by their published vectors, the error table. */
#include "base/error.h"
#include "base/hash.h"
#include "base/histogram.h"

#include <criterion/criterion.h>
#include <string.h>

static struct histogram histogram, other;

static void
expect_within (uint64_t value, uint64_t exact)
{
    /* Never below the exact figure, and above it by one step of 64 at most. */
    cr_expect (value >= exact && value <= exact + exact / 64, "%llu for %llu", (unsigned long long)value,
               (unsigned long long)exact);
}

Test (histogram, one_value_is_right_within_a_64th)
{
    for (int64_t value = 0; value < INT64_C (3600) * 1000000; value = value * 21 / 20 + 1) {
        memset (&histogram, 0, sizeof histogram);
        histogram_record (&histogram, value);
        histogram_record (&histogram, INT64_C (8000000000)); /* so that the maximum does not mend the first */
        expect_within (histogram_percentile (&histogram, 50), (uint64_t)value);
    }
}

Test (histogram, percentiles_of_known_figures)
{
    memset (&histogram, 0, sizeof histogram);
    cr_expect_eq (histogram_percentile (&histogram, 99), 0);
    for (int64_t value = 1; value <= 100000; value++)
        histogram_record (&histogram, value);
    cr_expect_eq (histogram.count, 100000);
    cr_expect_eq (histogram.sum_us, UINT64_C (5000050000));
    cr_expect_eq (histogram.max_us, 100000);
    expect_within (histogram_percentile (&histogram, 50), 50000);
    expect_within (histogram_percentile (&histogram, 99), 99000);
    expect_within (histogram_percentile (&histogram, 99.9), 99900);
    cr_expect_eq (histogram_percentile (&histogram, 100), 100000, "never above the greatest one recorded");
    cr_expect_eq (histogram_percentile (&histogram, 0), 1);
}

Test (histogram, what_is_out_of_range_counts_at_the_edge)
{
    memset (&histogram, 0, sizeof histogram);
    histogram_record (&histogram, -5);
    cr_expect_eq (histogram_percentile (&histogram, 100), 0);
    histogram_record (&histogram, INT64_MAX);
    cr_expect_eq (histogram.count, 2);
    cr_expect_eq (histogram.max_us, (uint64_t)INT64_MAX);
    cr_expect (histogram_percentile (&histogram, 100) >= UINT64_C (3600) * 1000000);
}

Test (histogram, sums_are_as_if_recorded_in_one)
{
    memset (&histogram, 0, sizeof histogram);
    memset (&other, 0, sizeof other);
    for (int64_t value = 0; value < 1000; value++)
        histogram_record (value % 3 ? &histogram : &other, value * value);
    histogram_add (&histogram, &other);
    memset (&other, 0, sizeof other);
    for (int64_t value = 0; value < 1000; value++)
        histogram_record (&other, value * value);
    cr_expect (memcmp (&histogram, &other, sizeof histogram) == 0);
}

Test (hash, fnv1a_64_by_its_published_vectors)
{
    cr_expect_eq (fnv1a64 ("", 0), UINT64_C (0xcbf29ce484222325));
    cr_expect_eq (fnv1a64 ("a", 1), UINT64_C (0xaf63dc4c8601ec8c));
    cr_expect_eq (fnv1a64 ("foobar", 6), UINT64_C (0x85944171f73967e8));
    cr_expect_eq (fnv1a64_int (0x0807060504030201), fnv1a64 ("\1\2\3\4\5\6\7\x08", 8));
    cr_expect_eq (fnv1a64_int (-1), fnv1a64 ("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
}

Test (error, codes_have_unique_names_that_lead_back)
{
    cr_expect_str_eq (error_code_name (ERROR_NONE), "ok");
    for (int a = ERROR_NONE + 1; a < ERROR_CODE_COUNT; a++) {
        const char *name = error_code_name ((enum error_code)a);
        cr_expect_eq ((int)error_code_by_name (name), a, "%s", name);
        for (int b = ERROR_NONE; b < a; b++)
            cr_expect_str_neq (name, error_code_name ((enum error_code)b));
    }
    cr_expect_eq (error_code_by_name ("ok"), ERROR_NONE);
    cr_expect_eq (error_code_by_name ("no_such_code"), ERROR_NONE);
    cr_expect_str_eq (error_code_name ((enum error_code)1000), "internal");
    cr_expect (error_code_retryable (ERROR_BUSY));
    cr_expect_not (error_code_retryable (ERROR_CONFLICT));
    cr_expect_not (error_code_retryable ((enum error_code)1000));
}

Test (error, messages_and_details_stay_within_their_room)
{
    struct error err;
    char longest[600];
    memset (longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_expect_eq (error_set (&err, ERROR_NOT_FOUND, "%s", longest), -1);
    cr_expect_eq (strlen (err.message), sizeof err.message - 1);
    for (int i = 0; i < ERROR_DETAILS_MAX + 2; i++)
        cr_expect_eq (error_detail (&err, "a_name_that_is_longer_than_its_room", "%d%s", i, longest), -1);
    cr_expect_eq (err.detail_count, (unsigned)ERROR_DETAILS_MAX);
    cr_expect_str_eq (err.details[0].name, "a_name_that_is_longer_t");
    cr_expect_eq (strlen (err.details[3].value), sizeof err.details[3].value - 1);
    cr_expect_eq (err.details[3].value[0], '3');
    cr_expect_eq (error_field (&err, ERROR_TOO_LARGE, "lines[3].qty", "%s", longest), -1);
    cr_expect_eq (err.code, ERROR_TOO_LARGE);
    cr_expect_eq (err.detail_count, 1);
    cr_expect_str_eq (err.details[0].value, "lines[3].qty");
    cr_expect (strncmp (err.message, "lines[3].qty: xxx", 17) == 0);
    error_field (&err, ERROR_INVALID_REQUEST, "", "must be a map");
    cr_expect_str_eq (err.message, "request: must be a map");
    cr_expect_eq (error_set (NULL, ERROR_BUSY, "nobody listens"), -1);
    cr_expect_eq (error_field (NULL, ERROR_BUSY, "x", "nobody listens"), -1);
}
