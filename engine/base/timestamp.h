/* timestamp.h - instants, days and zones, by arithmetic alone (no clock, no locale, no libc zone).
 *
 * An instant is int64 microseconds since 1970-01-01T00:00Z. A day is int32 days since
 * 1970-01-01. The civil-date formulas are Howard Hinnant's
 * (https://howardhinnant.github.io/date_algorithms.html). */
#ifndef BASE_TIMESTAMP_H
#define BASE_TIMESTAMP_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIMESTAMP_TEXT_MAX = 40 };
#define US_PER_SECOND INT64_C (1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_DAY (86400 * US_PER_SECOND)
#define INSTANT_NEVER INT64_MAX /* an expiry that never comes */

/* A time zone: from utc_us[i] on, local time is UTC + offset_s[i]; before the first, the first. */
struct zone {
    struct str name;
    unsigned count;
    const int64_t *utc_us;
    const int32_t *offset_s;
};

struct civil {
    int32_t year;
    int month, day; /* 1..12, 1..31 */
    int hour, minute, second, microsecond;
    int weekday; /* 0 Monday .. 6 Sunday */
};

int32_t day_from_civil (int32_t year, int month, int day);
void civil_from_day (int32_t day, struct civil *civil);
int days_in_month (int32_t year, int month);

/* Seconds east of UTC at an instant; `zone` NULL means UTC. */
int32_t zone_offset_at (const struct zone *zone, int64_t instant);
/* Civil time in the zone at an instant. */
void civil_from_instant (const struct zone *zone, int64_t instant, struct civil *civil);
int32_t day_from_instant (const struct zone *zone, int64_t instant);
/* The instant of a local wall-clock time: of two (clocks set back) the first, of none (set
 * forward) the instant as if the clocks had not moved yet. */
int64_t instant_from_local (const struct zone *zone, int32_t day, int64_t us_of_day);

/* RFC 3339 ("2010-12-16T08:03:00Z", "… +01:00", up to 6 decimals; a blank may stand for the T); without
 * an offset the zone's local time. Years 1900 to 2199. False when it is not one. */
bool timestamp_parse (struct str text, const struct zone *zone, int64_t *instant);
/* "2010-12-16": a day. */
bool day_parse (struct str text, int32_t *day);
/* In UTC with a Z, microseconds only where there are any; returns the length. */
unsigned timestamp_format (int64_t instant, char *text);
unsigned day_format (int32_t day, char *text);

/* The instant `months` later at the same local time, the day clamped to the month's last. */
int64_t instant_add_months (const struct zone *zone, int64_t instant, int months);

#endif
