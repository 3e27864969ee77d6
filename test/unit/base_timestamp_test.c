/* base_timestamp_test.c - instants, days and zones: leap years, month ends, clocks set forward and back. */
#include "base/timestamp.h"

#include <criterion/criterion.h>

#define HOUR_US (60 * US_PER_MINUTE)

static int64_t
utc (const char *text)
{
    int64_t instant = 0;
    cr_assert (timestamp_parse (str_of (text), NULL, &instant), "%s", text);
    return instant;
}

/* Brussels in 2024 and 2025: +1 h in winter, +2 h from the last Sunday of March to that of October. */
static const struct zone *
brussels (void)
{
    static int64_t utc_us[5];
    static const int32_t OFFSET_S[5] = { 3600, 7200, 3600, 7200, 3600 };
    static struct zone zone = { { "Europe/Brussels", 15 }, 5, utc_us, OFFSET_S };
    utc_us[0] = utc ("2023-10-29T01:00:00Z");
    utc_us[1] = utc ("2024-03-31T01:00:00Z");
    utc_us[2] = utc ("2024-10-27T01:00:00Z");
    utc_us[3] = utc ("2025-03-30T01:00:00Z");
    utc_us[4] = utc ("2025-10-26T01:00:00Z");
    return &zone;
}

/* Half a day from Greenwich, and set forward by half an hour only. */
static const struct zone *
lord_howe (void)
{
    static int64_t utc_us[2];
    static const int32_t OFFSET_S[2] = { 37800, 39600 };
    static struct zone zone = { { "Australia/Lord_Howe", 19 }, 2, utc_us, OFFSET_S };
    utc_us[0] = utc ("2024-04-06T15:00:00Z");
    utc_us[1] = utc ("2024-10-05T15:30:00Z");
    return &zone;
}

static int64_t
local (const struct zone *zone, const char *text)
{
    int64_t instant = 0;
    cr_assert (timestamp_parse (str_of (text), zone, &instant), "%s", text);
    return instant;
}

Test (timestamp, days_and_civil_dates_agree_over_three_centuries)
{
    struct civil civil;
    int32_t day = day_from_civil (1899, 12, 31);
    int weekday = 6; /* a Sunday */
    for (int32_t year = 1900; year <= 2199; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int days = 0;
        for (int month = 1; month <= 12; month++) {
            for (int of_month = 1; of_month <= days_in_month (year, month); of_month++, days++) {
                day++;
                weekday = (weekday + 1) % 7;
                cr_assert_eq (day_from_civil (year, month, of_month), day);
                civil_from_day (day, &civil);
                cr_assert (civil.year == year && civil.month == month && civil.day == of_month, "%d", day);
                cr_assert_eq (civil.weekday, weekday, "%d-%d-%d", year, month, of_month);
            }
        }
        cr_assert_eq (days, leap ? 366 : 365, "%d", year);
    }
    cr_expect_eq (day_from_civil (1970, 1, 1), 0);
}

Test (timestamp, parses_rfc_3339)
{
    cr_expect_eq (utc ("1970-01-01T00:00:00Z"), 0);
    cr_expect_eq (utc ("1969-12-31T23:59:59.999999Z"), -1);
    cr_expect_eq (utc ("2010-12-16T08:03:00Z"), INT64_C (1292486580000000));
    cr_expect_eq (utc ("2010-12-16t08:03:00z"), INT64_C (1292486580000000));
    cr_expect_eq (utc ("2010-12-16 08:03:00Z"), INT64_C (1292486580000000));
    cr_expect_eq (utc ("2010-12-16T09:03:00+01:00"), INT64_C (1292486580000000));
    cr_expect_eq (utc ("2010-12-15T20:33:00-11:30"), INT64_C (1292486580000000));
    cr_expect_eq (utc ("2010-12-16T08:03:00.5Z"), INT64_C (1292486580500000));
    cr_expect_eq (utc ("2010-12-16T08:03:00.000001Z"), INT64_C (1292486580000001));
    cr_expect_eq (utc ("2024-02-29T23:59:59Z") + US_PER_SECOND, utc ("2024-03-01T00:00:00Z"));
    cr_expect_eq (utc ("1900-01-01T00:00:00Z"), -INT64_C (2208988800000000));
    cr_expect_eq (utc ("2199-12-31T23:59:59Z"), INT64_C (7258118399000000));
}

Test (timestamp, refuses_what_is_no_time)
{
    static const char *const BAD[] = {
        "",
        "2010-12-16",
        "2010-12-16T",
        "2010-12-16T08:03",
        "2010-12-16T08:03:0",
        "2010-12-16T24:00:00Z",
        "2010-12-16T08:60:00Z",
        "2010-12-16T08:03:60Z",
        "2010-12-16T08:03:00.Z",
        "2010-12-16T08:03:00.1234567Z",
        "2010-12-16T08:03:00+1:00",
        "2010-12-16T08:03:00+0100",
        "2010-12-16T08:03:00+24:00",
        "2010-12-16T08:03:00+01:60",
        "2010-12-16T08:03:00Z ",
        "2010-12-16X08:03:00Z",
        "2010-13-01T00:00:00Z",
        "2010-00-01T00:00:00Z",
        "2010-04-31T00:00:00Z",
        "2010-01-00T00:00:00Z",
        "2100-02-29T00:00:00Z", /* no leap year */
        "1899-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "-2010-12-16T08:03:00Z",
        "10-12-16T08:03:00Z",
    };
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int64_t instant;
        cr_expect_not (timestamp_parse (str_of (BAD[i]), NULL, &instant), "%s", BAD[i]);
    }
    int32_t day;
    cr_expect (day_parse (STR ("2000-02-29"), &day) && day == 11016);
    cr_expect_not (day_parse (STR ("1900-02-29"), &day));
    cr_expect_not (day_parse (STR ("2010-12-16T"), &day));
    cr_expect_not (day_parse (STR ("2010-12-1"), &day));
}

Test (timestamp, formats_in_utc)
{
    char text[TIMESTAMP_TEXT_MAX];
    cr_expect_eq (timestamp_format (INT64_C (1292486580000000), text), 20);
    cr_expect_str_eq (text, "2010-12-16T08:03:00Z");
    timestamp_format (INT64_C (1292486580000001), text);
    cr_expect_str_eq (text, "2010-12-16T08:03:00.000001Z");
    timestamp_format (-1, text);
    cr_expect_str_eq (text, "1969-12-31T23:59:59.999999Z");
    cr_expect_eq (day_format (-1, text), 10);
    cr_expect_str_eq (text, "1969-12-31");
    for (int64_t instant = utc ("1900-01-01T00:00:00Z"); instant < utc ("2199-12-31T00:00:00Z");
         instant += INT64_C (7919) * 3600 * 1000003) {
        timestamp_format (instant, text);
        cr_assert_eq (utc (text), instant, "%s", text);
    }
}

Test (timestamp, offsets_change_at_their_instant)
{
    const struct zone *zone = brussels ();
    cr_expect_eq (zone_offset_at (NULL, 0), 0);
    cr_expect_eq (zone_offset_at (zone, utc ("2000-01-01T00:00:00Z")), 3600, "before the table begins: its first");
    cr_expect_eq (zone_offset_at (zone, utc ("2024-03-31T00:59:59Z")), 3600);
    cr_expect_eq (zone_offset_at (zone, utc ("2024-03-31T01:00:00Z")), 7200);
    cr_expect_eq (zone_offset_at (zone, utc ("2024-10-27T00:59:59Z")), 7200);
    cr_expect_eq (zone_offset_at (zone, utc ("2024-10-27T01:00:00Z")), 3600);
    cr_expect_eq (zone_offset_at (zone, utc ("2100-07-01T00:00:00Z")), 3600, "after it ends: its last");
    cr_expect_eq (day_from_instant (zone, utc ("2024-06-30T22:00:00Z")), day_from_civil (2024, 7, 1));
    cr_expect_eq (day_from_instant (zone, utc ("2024-06-30T21:59:59Z")), day_from_civil (2024, 6, 30));
    cr_expect_eq (day_from_instant (NULL, -1), -1);
    struct civil civil;
    civil_from_instant (zone, utc ("2024-12-31T23:30:15.000007Z"), &civil);
    cr_expect (civil.year == 2025 && civil.month == 1 && civil.day == 1 && civil.hour == 0 && civil.minute == 30);
    cr_expect (civil.second == 15 && civil.microsecond == 7 && civil.weekday == 2, "a Wednesday");
}

Test (timestamp, local_times_in_ordinary_weeks)
{
    const struct zone *zone = brussels ();
    cr_expect_eq (local (zone, "2024-01-15T12:00:00"), utc ("2024-01-15T11:00:00Z"));
    cr_expect_eq (local (zone, "2024-07-15T12:00:00"), utc ("2024-07-15T10:00:00Z"));
    cr_expect_eq (local (zone, "2024-07-15T12:00:00Z"), utc ("2024-07-15T12:00:00Z"), "an offset given wins");
    cr_expect_eq (local (lord_howe (), "2024-12-01T00:00:00"), utc ("2024-11-30T13:00:00Z"));
}

Test (timestamp, a_local_time_that_is_skipped_counts_as_before_the_change)
{
    const struct zone *zone = brussels ();
    cr_expect_eq (local (zone, "2024-03-31T01:59:59"), utc ("2024-03-31T00:59:59Z"));
    cr_expect_eq (local (zone, "2024-03-31T02:00:00"), utc ("2024-03-31T01:00:00Z"));
    cr_expect_eq (local (zone, "2024-03-31T02:30:00"), utc ("2024-03-31T01:30:00Z"));
    cr_expect_eq (local (zone, "2024-03-31T03:00:00"), utc ("2024-03-31T01:00:00Z"));
    cr_expect_eq (local (lord_howe (), "2024-10-06T02:15:00"), utc ("2024-10-05T15:45:00Z"));
    cr_expect_eq (local (lord_howe (), "2024-10-06T02:30:00"), utc ("2024-10-05T15:30:00Z"));
}

Test (timestamp, of_two_equal_local_times_the_first_counts)
{
    const struct zone *zone = brussels ();
    cr_expect_eq (local (zone, "2024-10-27T01:59:59"), utc ("2024-10-26T23:59:59Z"));
    cr_expect_eq (local (zone, "2024-10-27T02:00:00"), utc ("2024-10-27T00:00:00Z"));
    cr_expect_eq (local (zone, "2024-10-27T02:59:59"), utc ("2024-10-27T00:59:59Z"));
    cr_expect_eq (local (zone, "2024-10-27T03:00:00"), utc ("2024-10-27T02:00:00Z"));
}

/* Whatever the clocks do, each instant's local time leads back to it, or in the doubled hour to the one before. */
Test (timestamp, local_times_lead_back)
{
    const struct zone *zones[] = { brussels (), lord_howe () };
    unsigned doubled = 0;
    for (int z = 0; z < 2; z++) {
        for (int64_t instant = utc ("2024-03-01T00:00:00Z"); instant < utc ("2025-03-01T00:00:00Z");
             instant += 15 * US_PER_MINUTE) {
            struct civil civil;
            civil_from_instant (zones[z], instant, &civil);
            int32_t day = day_from_civil (civil.year, civil.month, civil.day);
            int64_t back = instant_from_local (zones[z], day, civil.hour * HOUR_US + civil.minute * US_PER_MINUTE);
            if (back == instant)
                continue;
            doubled++;
            cr_assert (back < instant && instant - back <= HOUR_US);
            cr_assert (zone_offset_at (zones[z], back) > zone_offset_at (zones[z], instant));
        }
    }
    cr_expect_eq (doubled, 4, "four quarters of an hour in Brussels; the half-hour in April is before the table");
}

Test (timestamp, months_later_at_the_same_local_time)
{
    const struct zone *zone = brussels ();
    cr_expect_eq (instant_add_months (NULL, utc ("2024-01-31T10:00:00Z"), 1), utc ("2024-02-29T10:00:00Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2023-01-31T10:00:00Z"), 1), utc ("2023-02-28T10:00:00Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2024-02-29T10:00:00Z"), 12), utc ("2025-02-28T10:00:00Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2024-02-29T10:00:00Z"), 48), utc ("2028-02-29T10:00:00Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2024-11-30T23:59:59.999999Z"), 3),
                  utc ("2025-02-28T23:59:59.999999Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2024-12-31T00:00:00Z"), 0), utc ("2024-12-31T00:00:00Z"));
    cr_expect_eq (instant_add_months (NULL, utc ("2024-01-31T00:00:00Z"), -2), utc ("2023-11-30T00:00:00Z"));
    cr_expect_eq (instant_add_months (zone, local (zone, "2024-01-31T12:00:00"), 6),
                  local (zone, "2024-07-31T12:00:00"));
    cr_expect_eq (instant_add_months (zone, local (zone, "2024-02-29T02:30:00"), 1),
                  local (zone, "2024-03-29T02:30:00"));
    /* 31 March 02:30 does not exist. */
    cr_expect_eq (instant_add_months (zone, local (zone, "2024-01-31T02:30:00"), 2), utc ("2024-03-31T01:30:00Z"));
}
