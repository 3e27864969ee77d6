/* work.h - an order while it is being evaluated. Shared by the files of the evaluation, and by nobody else.
 *
 * evaluate.c  begins and ends: checks the order, runs the steps, writes the answer
 * tax.c       what lines cost and what tax is in it; tax_take.c, of a part that is taken off; tax_settle.c, rounded
 * match.c     which programs take part, which rules hold, how many points they give
 * claims.c    which rewards are asked for, by claims and by programs that apply by themselves
 * reward.c    what a reward gives and costs where the order stands, and giving it; by type: discount.c (percentages,
 *             sums, points turned into money, payments), reward_units.c (special prices, sets, free products)
 * reward_take.c  an amount split over tax groups and lines, and taken off
 * stacking.c  the order in which rewards apply, which of a group stays, and asking again at the end
 * explain.c   why programs did not apply
 *
 * Taxes are kept in "fine" units: minor units where they are rounded on each line, and 10^-12 of a
 * minor unit where they are rounded once for the order. Everything else is in minor units. */
#ifndef DOMAIN_WORK_H
#define DOMAIN_WORK_H

#include "domain/catalog_index.h"
#include "domain/evaluate.h"
#include "domain/largest_remainder.h"
#include "domain/text.h"

#define PERCENT_ONE INT64_C (100000000)       /* 100 % in millionths */
#define FACTOR_ONE INT64_C (1000000000000)    /* factors of taxes are in 10^-12 */
#define AMOUNT_MAX INT64_C (1000000000000000) /* of a line, in minor units: 1,000 of them fit 64 bits */
#define POINTS_MAX INT64_C (100000000000000)  /* hundredths that one program may give to one order */
enum { TAX_NONE = 0xff };

/* The percent taxes that some lines have in common: the unit over which discounts are split (rule 12). */
struct tax_group {
    uint32_t count;
    const struct tax *taxes[TAXES_PER_LINE_MAX];
    int64_t factors[TAXES_PER_LINE_MAX]; /* tax = factor × untaxed amount */
    int64_t factor_sum, included_sum;    /* of all; of those that are in the price */
};

struct work_line {
    const struct order_line *order;
    uint32_t group;
    uint32_t tax_first, tax_count;          /* its places in the arrays of taxes */
    uint8_t percent_at[TAXES_PER_LINE_MAX]; /* which of them is the group's k-th; TAX_NONE */
    bool negative;                          /* worth less than nothing: given back, or a price below 0 */
    int64_t price;                          /* price × quantity less its own percent, with the taxes in it */
    int64_t total, untaxed;
    int64_t discountable;                   /* total less fixed taxes; negative on negative lines */
};

/* What a rule sees of an order: units and money on its products. */
struct tally {
    int64_t units_micro, incl_minor, excl_minor;
    bool bought; /* some unit of them is bought, not only given back */
};

/* A rule that holds and counts money or units: asked again when discounts change what was paid, or units are free. */
struct money_rule {
    const struct rule *rule;
    int64_t incl_minor, units_micro;
    bool whole; /* fits every product */
};

/* A card, or (for programs without cards) the order itself: where points come from and go to. */
struct purse {
    const struct card_state *card; /* NULL: a card still to be made, or none */
    bool earns;                    /* the order's points of the program go here */
    int64_t spent;
    int64_t granted;               /* by `point` rewards: of no use in this order */
};

/* A program that takes part. */
struct candidate {
    const struct program *program;
    bool holds;               /* a rule holds, or it has none */
    bool keeps_card;
    const struct rule *rule;  /* the first that holds */
    enum reason reason;       /* why it does not hold, with the figures */
    int64_t needed, had;
    int64_t fixed_points;     /* by order: discounts do not change them */
    uint32_t money_rule_count;
    struct money_rule *money_rules;
    int64_t points;           /* of the order, when all discounts are known */
    bool named;               /* by a claim */
    uint32_t purse;           /* the one that earns */
};

/* A reward that is asked for: by a claim, or by a program that applies by itself. */
struct entry {
    uint32_t candidate, purse;
    const struct program *program;
    const struct reward *reward;
    int32_t claim;            /* -1: by itself */
    int64_t points_limit;     /* the claim's; 0: none */
    bool has_product;         /* the claim chose one of the reward's products */
    int64_t product_id;
    int64_t units_limit_micro; /* the claim's; 0: none */
    enum layer layer;
    int rank;                 /* within a priority: automatic specific, automatic order-wide, claims */
    enum { PLAYS, OUT_OF_GROUP, OUT_FOR_GOOD } out; /* refused, and the order worked again: see stacking.c */
    /* Of the pass that is running; what is out keeps them. */
    bool won;                 /* chosen over others of its group */
    bool group_decided, order_wide_decided;
    int32_t beaten_by;        /* entry; -1 */
    int32_t discount;         /* what it gave: the first, where it has several steps; -1 */
    int64_t saving;           /* by what it gave */
    int64_t cost, least_cost; /* least: what it needs, where clear_wallet takes all there is */
    enum reason reason;       /* why it gave nothing, with the figures */
    int64_t needed, had;
};

/* A discount as it is applied, with what the answer does not show. */
struct applied {
    struct discount discount;
    uint32_t entry;
    int128 *taken; /* of each of the order's taxes, fine */
};

struct work {
    const struct catalog *catalog;
    const struct catalog_index *index;
    const struct order *order;
    struct arena *arena;
    struct error *err;
    unsigned digits;
    int64_t fine;               /* fine units in a minor unit */
    /* Local time at the store. */
    int32_t day;
    int weekday, minute;
    /* Lines and taxes. */
    uint32_t line_count, group_count, tax_count;
    struct work_line *lines;
    struct tax_group *groups;
    int64_t *tax_ids;           /* the order's, by first appearance */
    uint32_t slot_count;
    uint32_t *slot_tax;         /* of each place: which of the order's taxes */
    int64_t *first_taxes;       /* before discounts, in minor units */
    int128 *first_fine, *taxes; /* before discounts, and what is left of them */
    int64_t *left;              /* of each line's discountable */
    uint32_t *all_lines;        /* 0, 1, 2, … */
    int64_t *free_micro;        /* of each line: units given free (pos) */
    int64_t *set_micro;         /* of each line: units in sets */
    int64_t first_left_sum, left_sum, total;
    int64_t paid;               /* by gift cards and wallets; taken off the total */
    bool gave_free;             /* some line has free units */
    uint32_t *dearest, *cheapest; /* lines by unit price, the first of equals first; NULL until asked for */
    /* Scratch of a reward, one entry per line (groups: at most as many). */
    uint32_t *base_lines, *base_groups, *members;
    int64_t *worth, *units, *weights, *group_left, *parts, *shares;
    struct remainder *remainders;
    /* Programs. */
    struct tally whole;
    int64_t money_bound;        /* no rule sees more money than this */
    uint32_t tally_mask, tally_count;
    uint32_t *tally_places;     /* open addressing by number of the rule: its tally's number + 1 */
    uint32_t *tally_rules;
    struct tally *tallies;
    uint32_t candidate_count, candidate_capacity;
    struct candidate *candidates;
    uint32_t purse_count, purse_capacity;
    struct purse *purses;
    /* Rewards. */
    uint32_t entry_count, entry_capacity;
    struct entry *entries;
    uint32_t layer_first, layer_end; /* the entries of the layer that is being worked */
    uint32_t applied_count;
    struct applied *applied;
    struct claim_result *claims;
};

/* internal: the arena is exhausted. Always -1. */
int work_exhausted (struct work *work);
/* invalid_request about `lines[line].field`. Always -1. */
int work_refuse_line (struct work *work, uint32_t line, const char *field, const char *why);
/* Room for one more in an array that doubles; NULL when the arena is exhausted. */
void *work_grow (struct work *work, void *array, uint32_t count, uint32_t *capacity, size_t size);

/* match.c */

/* Tallies what each rule sees. -1 with err. */
int match_tally (struct work *work);
/* Adds all programs that the index leads to and that take part and hold. -1 with err. */
int match_candidates (struct work *work);
/* Why a program takes no part by rule 1; REASON_NONE when it does. */
enum reason match_takes_part (const struct work *work, const struct program *program);
/* The candidate of a program that takes part (made if need be, also when its rules do not hold); -1: err. */
int match_candidate (struct work *work, const struct program *program, uint32_t *candidate);
/* The order's points of a candidate with the discounts applied so far; -1 with err. */
int match_points (struct work *work, const struct candidate *candidate, int64_t *points);
/* Points that one unit of the line's product earns by unit (rule 14), millionths. */
int64_t match_unit_points (const struct work *work, const struct candidate *candidate, uint32_t line);
/* Rules without effect on anything, for explanations: does some line fit one of the program's rules? */
bool match_touches (const struct work *work, const struct program *program);

/* claims.c */

/* Reads claims into entries, answers those that cannot be, and adds what applies by itself. -1 with err. */
int claims_read (struct work *work);
/* Sets a claim's or rejection's text from a reason and its figures. */
void reason_text (const struct work *work, enum reason reason, int64_t needed, int64_t had, char *text, size_t size);

/* reward.c */

/* In which layer a reward of the program stands. */
enum layer reward_layer (const struct program *program, const struct reward *reward);
/* Is the reward one of the order-wide percentages and sums, of which one stays (rule 25)? */
bool reward_is_order_wide (const struct entry *entry);
/* What the entry would save now, without giving it; *value 0 with the entry's reason when nothing. -1 with err. */
int reward_measure (struct work *work, struct entry *entry, int64_t *value);
/* Gives it; entry->discount stays -1 with the entry's reason when it gives nothing. -1 with err. */
int reward_apply (struct work *work, uint32_t entry);

/* stacking.c */

/* Applies the entries, rule 24 and 25. -1 with err. */
int stacking_run (struct work *work);

/* explain.c */

int explain_rejections (struct work *work, struct evaluation *out);

#endif
