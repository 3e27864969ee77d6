/* membership.c - see membership.h: which level, by dates and spending. */
#include "domain/membership.h"

const struct level *
membership_level (const struct catalog *catalog, int64_t membership_product_id)
{
    for (uint32_t i = 0; i < catalog->level_count; i++)
        if (catalog->levels[i].membership_product_id == membership_product_id)
            return &catalog->levels[i];
    return NULL;
}

const struct level *
membership_level_at (const struct catalog *catalog, const struct membership *membership, int64_t instant)
{
    const struct level *level = NULL;
    if (catalog->level_count == 0)
        return NULL;
    if (membership->has_level && instant >= membership->from && instant < membership->to)
        level = membership_level (catalog, membership->membership_product_id);
    return level != NULL ? level : &catalog->levels[0];
}

/* ---- spending */

int32_t
membership_window_start (const struct catalog *catalog, const struct level *level, int64_t instant)
{
    struct civil civil;
    switch (level->window) {
    case WINDOW_LIFETIME:
        return INT32_MIN;
    case WINDOW_CALENDAR_YEAR:
        civil_from_instant (&catalog->zone, instant, &civil);
        return day_from_civil (civil.year, 1, 1);
    case WINDOW_ROLLING_MONTHS:
        /* The same day of the month so many months ago does not count any more: today does. */
        return day_from_instant (&catalog->zone, instant_add_months (&catalog->zone, instant, -level->window_months)) +
               1;
    }
    return INT32_MIN;
}

int32_t
membership_first_day (const struct catalog *catalog, int64_t instant)
{
    int32_t first = INT32_MAX;
    for (uint32_t i = 0; i < catalog->level_count; i++) {
        int32_t start = membership_window_start (catalog, &catalog->levels[i], instant);
        if (start != INT32_MIN && start < first)
            first = start;
    }
    return first;
}

int64_t
membership_spending (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
                     int64_t instant)
{
    int32_t start = membership_window_start (catalog, level, instant);
    if (start == INT32_MIN)
        return spending->lifetime_minor;
    __int128 sum = 0;
    for (uint32_t i = 0; i < spending->day_count; i++)
        if (spending->days[i].day >= start)
            sum += spending->days[i].minor;
    return sum > INT64_MAX ? INT64_MAX : sum < INT64_MIN ? INT64_MIN : (int64_t)sum;
}

/* The base level needs no spending. */
static bool
is_reached (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
            int64_t instant)
{
    return level == &catalog->levels[0] ||
           membership_spending (catalog, level, spending, instant) >= level->threshold_minor;
}

/* ---- the path */

const struct level *
membership_upgrade (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
                    int64_t instant)
{
    const struct level *end = catalog->levels + catalog->level_count, *reached = level;
    for (const struct level *next = level + 1; next < end && next->is_upgradable; next++)
        if (is_reached (catalog, next, spending, instant))
            reached = next;
    return reached;
}

static const struct level *
downgrade (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
           int64_t instant)
{
    while (level > catalog->levels && level->is_downgradable && !is_reached (catalog, level, spending, instant))
        level--;
    return level;
}

const struct level *
membership_evaluate (const struct catalog *catalog, const struct membership *membership,
                     const struct member_spending *spending, int64_t instant, int64_t *below_since)
{
    const struct level *level = membership_level_at (catalog, membership, instant);
    *below_since = membership->below_since;
    if (level == NULL)
        return NULL;
    bool is_fixed = membership->has_level && instant >= membership->from && instant < membership->to &&
                    membership->to != INSTANT_NEVER;
    const struct level *higher = membership_upgrade (catalog, level, spending, instant);
    if (higher != level || is_fixed || is_reached (catalog, level, spending, instant)) {
        *below_since = INSTANT_NONE;
        return higher;
    }
    if (*below_since == INSTANT_NONE)
        *below_since = instant;
    int32_t days = day_from_instant (&catalog->zone, instant) - day_from_instant (&catalog->zone, *below_since);
    const struct level *lower = days >= level->grace_days ? downgrade (catalog, level, spending, instant) : level;
    if (lower != level)
        *below_since = INSTANT_NONE;
    return lower;
}

struct membership_outlook
membership_outlook (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
                    int64_t instant)
{
    struct membership_outlook outlook = { 0 };
    const struct level *next = level + 1;
    if (next < catalog->levels + catalog->level_count && next->is_upgradable)
        outlook.next = next;
    outlook.spending_minor =
        membership_spending (catalog, outlook.next != NULL ? outlook.next : level, spending, instant);
    /* A difference of two 64-bit figures; spending may be below 0 after returns. */
    if (outlook.next != NULL && outlook.spending_minor < outlook.next->threshold_minor &&
        __builtin_sub_overflow (outlook.next->threshold_minor, outlook.spending_minor, &outlook.missing_minor))
        outlook.missing_minor = INT64_MAX;
    return outlook;
}

/* ---- programs */

static bool
is_primary_of_level (const struct program *program)
{
    return program->is_primary_loyalty && program->has_membership && program->state == PROGRAM_ACTIVE;
}

const struct program *
membership_program (const struct catalog *catalog, int64_t membership_product_id)
{
    for (uint32_t i = 0; i < catalog->program_count; i++)
        if (is_primary_of_level (&catalog->programs[i]) &&
            catalog->programs[i].membership_product_id == membership_product_id)
            return &catalog->programs[i];
    return NULL;
}

bool
membership_owns_program (const struct catalog *catalog, int64_t program_id)
{
    const struct program *program = catalog_program (catalog, program_id);
    return program != NULL && is_primary_of_level (program);
}
