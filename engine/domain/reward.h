/* reward.h - what a reward would give where an order stands now; shared by the files that work rewards out. */
#ifndef DOMAIN_REWARD_H
#define DOMAIN_REWARD_H

#include "domain/work.h"

#define FREE_UNITS_MAX INT64_C (1000000000) /* that one reward adds to an order */
enum { REWARD_STEPS_MAX = 10 };

/* The lines that a reward takes something off, and how much of each may go. */
struct base {
    uint32_t count;
    const uint32_t *lines; /* ascending */
    int64_t *worth;        /* by number of the line, not by place in `lines` */
    const int64_t *units;  /* of each line: the units it is about, millionths; NULL: lines as a whole */
};

struct offer {
    struct base base;
    uint32_t step_count;                   /* each becomes a discount of its own */
    int64_t steps_minor[REWARD_STEPS_MAX]; /* what each takes off; the sum is never more than what the base is worth */
    int64_t saving_minor;                  /* what it counts for when rewards are compared */
    int64_t least_cost;                    /* points */
    int64_t free_product_id, free_qty_micro;
    int64_t points_given;
};

/* Each works out what its types of rewards give for at most `usable` points, which are at least the reward's
 * required_points; an offer without steps gives nothing. -1 with err. */
int discount_offer (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer);
int units_offer (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer);

/* Lines by unit price (rule 11), the first of equals first; NULL with err. */
const uint32_t *units_dearest (struct work *work);
const uint32_t *units_cheapest (struct work *work);
/* Units of a line that are not free, millionths. */
int64_t units_left (const struct work *work, uint32_t line);
/* What is left of so many of them: the line's, in proportion. */
int64_t units_worth (const struct work *work, uint32_t line, int64_t units_micro);
/* The line has units that are worth something, were not given free, and are not given back. */
bool units_can_go (const struct work *work, uint32_t line);

/* Splits an amount that is not more than what the base is worth, and takes it off (rule 12). -1 with err. */
int reward_take (struct work *work, const struct base *base, int64_t amount, struct applied *applied);

#endif
