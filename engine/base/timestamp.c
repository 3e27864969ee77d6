/* timestamp.c - civil dates, zones by offset table, RFC 3339. */
#include "base/timestamp.h"

#include <stdio.h>

int32_t
day_from_civil (int32_t year, int month, int day)
{
    year -= month <= 2;
    int32_t era = (year >= 0 ? year : year - 399) / 400;
    int32_t year_of_era = year - era * 400;
    int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void
civil_from_day (int32_t day, struct civil *civil)
{
    int32_t shifted = day + 719468;
    int32_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int32_t day_of_era = shifted - era * 146097;
    int32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month_shifted = (5 * day_of_year + 2) / 153;
    *civil = (struct civil){ 0 };
    civil->day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    civil->month = month_shifted < 10 ? month_shifted + 3 : month_shifted - 9;
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
    civil->weekday = (int)(((day + 3) % 7 + 7) % 7); /* day 0 was a Thursday */
}

int
days_in_month (int32_t year, int month)
{
    static const int DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

int32_t
zone_offset_at (const struct zone *zone, int64_t instant)
{
    if (zone == NULL || zone->count == 0)
        return 0;
    unsigned low = 0, high = zone->count; /* the last entry at or before the instant */
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (zone->utc_us[middle] <= instant)
            low = middle;
        else
            high = middle;
    }
    return zone->offset_s[low];
}

static int64_t
floor_div (int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

void
civil_from_instant (const struct zone *zone, int64_t instant, struct civil *civil)
{
    int64_t local = instant + zone_offset_at (zone, instant) * US_PER_SECOND;
    int64_t day = floor_div (local, US_PER_DAY);
    int64_t us = local - day * US_PER_DAY;
    civil_from_day ((int32_t)day, civil);
    civil->hour = (int)(us / (60 * US_PER_MINUTE));
    civil->minute = (int)(us / US_PER_MINUTE % 60);
    civil->second = (int)(us / US_PER_SECOND % 60);
    civil->microsecond = (int)(us % US_PER_SECOND);
}

int32_t
day_from_instant (const struct zone *zone, int64_t instant)
{
    return (int32_t)floor_div (instant + zone_offset_at (zone, instant) * US_PER_SECOND, US_PER_DAY);
}

int64_t
instant_from_local (const struct zone *zone, int32_t day, int64_t us_of_day)
{
    int64_t local = day * US_PER_DAY + us_of_day;
    /* The offset a day before is the one in force before any change near this time. */
    int32_t before = zone_offset_at (zone, local - US_PER_DAY);
    int64_t instant = local - before * US_PER_SECOND;
    int32_t there = zone_offset_at (zone, instant);
    if (there == before)
        return instant;
    int64_t moved = local - there * US_PER_SECOND;
    return zone_offset_at (zone, moved) == there ? moved : instant;
}

/* Reads exactly `count` digits at *at. */
static bool
digits (const char **at, const char *end, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at >= end || **at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool
literal (const char **at, const char *end, char character)
{
    return *at < end && *(*at)++ == character;
}

static bool
date (const char **at, const char *end, int32_t *day)
{
    int year, month, day_of_month;
    if (!digits (at, end, 4, &year) || !literal (at, end, '-') || !digits (at, end, 2, &month) ||
        !literal (at, end, '-') || !digits (at, end, 2, &day_of_month))
        return false;
    if (year < 1900 || year > 2199 || month < 1 || month > 12 || day_of_month < 1 ||
        day_of_month > days_in_month (year, month))
        return false;
    *day = day_from_civil (year, month, day_of_month);
    return true;
}

bool
day_parse (struct str text, int32_t *day)
{
    const char *at = text.data, *end = text.data + text.size;
    return date (&at, end, day) && at == end;
}

bool
timestamp_parse (struct str text, const struct zone *zone, int64_t *instant)
{
    const char *at = text.data, *end = text.data + text.size;
    int32_t day;
    int hour, minute, second, us = 0;

    if (!date (&at, end, &day) || at >= end || (*at != 'T' && *at != 't' && *at != ' '))
        return false;
    at++;
    if (!digits (&at, end, 2, &hour) || !literal (&at, end, ':') || !digits (&at, end, 2, &minute) ||
        !literal (&at, end, ':') || !digits (&at, end, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (at < end && *at == '.') {
        int places = 0;
        for (at++; at < end && *at >= '0' && *at <= '9'; at++, places++) {
            if (places == 6)
                return false;
            us = us * 10 + (*at - '0');
        }
        if (places == 0)
            return false;
        for (; places < 6; places++)
            us *= 10;
    }
    int64_t us_of_day = ((hour * 60 + minute) * 60 + second) * US_PER_SECOND + us;
    if (at == end) {
        *instant = instant_from_local (zone, day, us_of_day);
        return true;
    }
    int64_t offset_us = 0;
    if (*at == 'Z' || *at == 'z') {
        at++;
    } else {
        int sign = *at == '-' ? -1 : 1, offset_hour, offset_minute;
        if (*at != '+' && *at != '-')
            return false;
        at++;
        if (!digits (&at, end, 2, &offset_hour) || !literal (&at, end, ':') || !digits (&at, end, 2, &offset_minute) ||
            offset_hour > 23 || offset_minute > 59)
            return false;
        offset_us = sign * (offset_hour * 60 + offset_minute) * US_PER_MINUTE;
    }
    *instant = day * US_PER_DAY + us_of_day - offset_us;
    return at == end;
}

unsigned
timestamp_format (int64_t instant, char *text)
{
    struct civil civil;
    civil_from_instant (NULL, instant, &civil);
    int length = snprintf (text, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)civil.year, civil.month,
                           civil.day, civil.hour, civil.minute, civil.second);
    if (civil.microsecond != 0)
        length += snprintf (text + length, TIMESTAMP_TEXT_MAX - (size_t)length, ".%06d", civil.microsecond);
    length += snprintf (text + length, TIMESTAMP_TEXT_MAX - (size_t)length, "Z");
    return (unsigned)length;
}

unsigned
day_format (int32_t day, char *text)
{
    struct civil civil;
    civil_from_day (day, &civil);
    return (unsigned)snprintf (text, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02d", (int)civil.year, civil.month, civil.day);
}

int64_t
instant_add_months (const struct zone *zone, int64_t instant, int months)
{
    struct civil civil;
    civil_from_instant (zone, instant, &civil);
    int64_t us_of_day =
        (civil.hour * 60 + civil.minute) * US_PER_MINUTE + civil.second * US_PER_SECOND + civil.microsecond;
    int32_t month_index = civil.year * 12 + civil.month - 1 + months;
    int32_t year = month_index / 12;
    int month = month_index % 12 + 1;
    int last = days_in_month (year, month);
    int32_t day = day_from_civil (year, month, civil.day < last ? civil.day : last);
    return instant_from_local (zone, day, us_of_day);
}
