/* membership.h - the level a member stands on, and where spending takes it (SEMANTICS 8, 32).
 *
 * A path of levels is the catalog's, by sequence. The first is the base level: whoever has no other, or one that ran
 * out, stands on it. Orders and evaluations move a member up; only evaluations move one down. */
#ifndef DOMAIN_MEMBERSHIP_H
#define DOMAIN_MEMBERSHIP_H

#include "domain/catalog.h"

#define INSTANT_NONE INT64_MIN /* of below_since: not below; of from: since ever */

/* What is stored of a member. */
struct membership {
    bool has_level;                /* one was given or reached; else the base level */
    int64_t membership_product_id; /* held from `from` until before `to` */
    int64_t from, to;              /* instants; INSTANT_NONE, INSTANT_NEVER */
    int64_t below_since;           /* when an evaluation first found the spending too low; INSTANT_NONE */
};

/* What a member spent, net of returns: in all, and by the days (of the engine's zone) that matter for the windows. */
struct spent_day {
    int32_t day;
    int64_t minor;
};
struct member_spending {
    int64_t lifetime_minor;
    uint32_t day_count;
    const struct spent_day *days; /* in any order; a day may stand there more than once */
};

/* The level held at an instant, of the membership of that time; NULL when the catalog has no levels. A level that the catalog has no more is the base. */
const struct level *membership_level_at (const struct catalog *catalog, const struct membership *membership, int64_t instant);

/* The first day of a level's window at an instant; INT32_MIN: all of a member's life. */
int32_t membership_window_start (const struct catalog *catalog, const struct level *level, int64_t instant);
/* The first day of the longest window that is not a lifetime; INT32_MAX: every level looks at all of a member's life. */
int32_t membership_first_day (const struct catalog *catalog, int64_t instant);

/* The spending that counts for a level. */
int64_t membership_spending (const struct catalog *catalog, const struct level *level, const struct member_spending *spending,
                             int64_t instant);

/* The highest level above `level` whose threshold is reached; each level on the way, it too, is_upgradable. `level`
 * itself when there is none. */
const struct level *membership_upgrade (const struct catalog *catalog, const struct level *level,
                                        const struct member_spending *spending, int64_t instant);

/* The level after an evaluation, which also moves *below_since. Up as after an order. Down where the spending has been
 * below the level's threshold for its grace_days: to the highest level below whose threshold is reached, as far as each
 * level on the way is_downgradable. A membership with an end is not lowered before it. */
const struct level *membership_evaluate (const struct catalog *catalog, const struct membership *membership,
                                         const struct member_spending *spending, int64_t instant, int64_t *below_since);

/* What is still missing for the next level. */
struct membership_outlook {
    int64_t spending_minor;  /* in the window of the next level; without one, of the level itself */
    const struct level *next; /* NULL: none can be reached by spending */
    int64_t missing_minor;   /* >= 0 */
};
struct membership_outlook membership_outlook (const struct catalog *catalog, const struct level *level,
                                              const struct member_spending *spending, int64_t instant);

/* The active program that is primary for a level; NULL when there is none. */
const struct program *membership_program (const struct catalog *catalog, int64_t membership_product_id);
/* Whether a program is primary for any level. */
bool membership_owns_program (const struct catalog *catalog, int64_t program_id);

const struct level *membership_level (const struct catalog *catalog, int64_t membership_product_id);

#endif
