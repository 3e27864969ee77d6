/* work.h - an order while it is being evaluated. Shared by the files of the evaluation, and by nobody else.
 *
 * evaluate.c  begins and ends: checks the order, runs the steps, writes the answer
 * tax.c       what lines cost and what tax is in it; tax_take.c, of a part that is taken off; tax_settle.c, rounded
 * sold.c      lines that sell gift cards or top wallets up, and the cards that an order makes
 * take_part.c which programs take part: when, where, for whom, within which limits
 * match.c     which rules hold
 * points.c    how many points they give, with the discounts applied so far
 * claims.c    which rewards are asked for, by claims and by programs that apply by themselves
 * codes.c     codes that were entered, of rules and of cards
 * reason.c    what a reason says
 * reward.c    what a reward gives and costs where the order stands, and giving it; by type: discount.c (percentages,
 *             sums, points turned into money, payments), reward_units.c (special prices, sets, free products)
 * reward_take.c  an amount split over tax groups and lines, and taken off
 * stacking.c  the order in which rewards apply, which of a group stays, and asking again at the end
 * answer.c    writing the answer: claims, lines, points, cards, uses, warnings
 * hints.c     what is nearly reached
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

/* A rule that holds, with what it counts: asked again when discounts change what was paid. */
struct held_rule {
    const struct rule *rule;
    struct tally tally;
    bool whole;      /* fits every product */
    int32_t entered; /* from which claim on, from 1, it counts; 0: for all */
};

/* A card, or (for programs without cards) the order itself: where points come from and go to. */
struct purse {
    const struct card_state *card; /* NULL: a card still to be made, or none */
    bool earns;                    /* the order's points of the program can be spent from here */
    bool of_candidate;             /* some program's own; else a card that a claim showed */
    int64_t spent;
    int64_t granted;               /* by `point` rewards: of no use in this order */
};

/* What becomes of the order's points of a program. */
enum destination {
    POINTS_OF_ORDER,      /* they live and die with it */
    POINTS_TO_CARD,       /* and can be spent on it */
    POINTS_TO_CARD_LATER, /* usable from the next order on */
    POINTS_TO_NEW_CARDS,  /* the same, on cards of their own */
    POINTS_TO_OWNER,      /* of a referral code; the order spends as many */
    POINTS_NONE           /* its rules are conditions of use, or say what is sold */
};

/* A program that takes part. */
struct candidate {
    const struct program *program;
    enum destination destination;
    int32_t *entered;         /* of each rule: the claim that entered its code, from 1; 0: none did; NULL: of none */
    bool by_code;             /* a code of a rule was, or the program's referral code */
    bool needs_all;           /* all rules have to hold, not one */
    bool holds;               /* its rules do, before discounts; or it has none */
    bool earns;               /* the order's points of it go where they should; not to a blocked card, or without a member */
    const struct rule *rule;  /* the first that holds */
    const struct rule *failing; /* of which the reason speaks; NULL: the program */
    enum reason reason;       /* why it does not hold, with the figures */
    int64_t needed, had;
    uint32_t held_count;
    struct held_rule *held;
    int64_t multiplier_micro; /* of points, by the member's level */
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
    struct str code;          /* that was entered for it; empty: none */
    bool asks_rules;          /* its points are the order's, or its rules conditions of use: they have to hold still */
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

/* Its discount is one of a program entered by code (not of an automatic one that has a code, too): it lowers the money for
 * others' minimums (rule 3). */
static inline bool
entry_by_code (const struct entry *entry)
{
    return entry->program->trigger == TRIGGER_WITH_CODE;
}

/* What became of a claim. */
struct claim_note {
    enum { CLAIM_REFUSED, CLAIM_ACCEPTED, CLAIM_WAITS, CLAIM_PLAYS } state; /* accepted: gives nothing itself; plays: an entry */
    uint32_t candidate;       /* of one that waits */
    bool dropped;             /* refused in an earlier round, which had to be worked again without it */
    int64_t program_id;       /* of one that was dropped */
    enum reason reason;
    int64_t needed, had;
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
    int32_t engine_day; /* in the engine's zone, which counts for what is per member */
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
    const struct program **sold_by; /* of each line: the gift card or wallet program that it is of; NULL: of none */
    const struct program *primary;  /* of the member's level; NULL: none */
    int64_t multiplier_micro;       /* of the member's level; MICRO: none */
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
    struct claim_note *notes;
    bool *shown;                   /* of each card: by a code that was entered */
    uint32_t code_count;           /* entries by code */
    int32_t referral;              /* candidate of the referral code that was entered; -1 */
    const struct card_state *referral_card;
    uint32_t warning_count, warning_capacity;
    struct warning *warnings;
    uint32_t hint_count;
    struct hint *hints;
};

/* internal: the arena is exhausted. Always -1. */
int work_exhausted (struct work *work);
/* Sets the day, weekday and minute at the store from the order's instant, and the engine's day. */
void work_set_clock (struct work *work);
/* invalid_request about `lines[line].field`. Always -1. */
int work_refuse_line (struct work *work, uint32_t line, const char *field, const char *why);
int work_refuse_blocked (struct work *work, const struct card_state *card);
/* Room for one more in an array that doubles; NULL when the arena is exhausted. */
void *work_grow (struct work *work, void *array, uint32_t count, uint32_t *capacity, size_t size);

/* A warning to be filled in; NULL when the arena is exhausted. */
struct warning *work_warn (struct work *work, enum warning_kind kind);

/* sold.c */

/* Finds the lines that sell or top up, which are discounted by nothing and earn nothing. -1 with err. */
int sold_find (struct work *work);
/* Cards that the order makes: sold, and earned for later orders. -1 with err. */
int sold_cards (struct work *work, struct evaluation *out);
/* What a line puts on a card that it names, in points; *card NULL where it names none. */
int64_t sold_top_up (const struct work *work, uint32_t line, const struct card_state **card);

/* take_part.c */

/* Why a program takes no part by what the catalog and the request say alone; REASON_NONE when it does. */
enum reason take_part_facts (const struct work *work, const struct program *program);
/* Why it takes no part by rule 1, its codes aside; REASON_NONE when it does. */
enum reason match_takes_part (const struct work *work, const struct program *program);
/* Sets what the member's level means for earning: its primary program and multiplier. */
void take_part_level (struct work *work);
/* The limit that the program has reached, with its figures; NULL: none. */
const char *limit_reached (const struct work *work, const struct program *program, int64_t *needed, int64_t *had);
/* Does what the order gives go over the program's budget? With its figures. */
bool limit_over_budget (const struct work *work, const struct program *program, int64_t given_minor, int64_t *needed,
                        int64_t *had);
/* What of the program's budget is left to give, with the discounts applied so far; INT64_MAX: it has none. */
int64_t limit_budget_left (const struct work *work, const struct program *program);
/* Why the member does not fit a rule; REASON_NONE when it does. */
enum reason take_part_member (const struct work *work, const struct program *program, const struct rule *rule);

/* match.c */

/* Tallies what each rule sees. -1 with err. */
int match_tally (struct work *work);
/* Adds all programs that the index leads to and that take part and hold. -1 with err. */
int match_candidates (struct work *work);
/* The candidate of a program that takes part (made if need be, also when its rules do not hold); -1: err. */
int match_candidate (struct work *work, const struct program *program, uint32_t *candidate);
/* Asks the candidate's rules, with the codes entered so far. -1 with err. */
int match_ask (struct work *work, struct candidate *candidate);
/* Why a rule of the candidate does not hold, its code taken as entered. */
enum reason match_rule (const struct work *work, const struct candidate *candidate, uint32_t rule, int64_t *needed,
                        int64_t *had);
/* A coupon program of which the code of a rule was entered earns by its rules, as one of type promo_code does. */
void match_open_without_card (struct work *work, struct candidate *candidate);
/* Rules without effect on anything, for explanations: does some line fit one of the program's rules? */
bool match_touches (const struct work *work, const struct program *program);
/* Each member has one card of the program, on which points are kept. */
bool match_has_own_card (const struct candidate *candidate);

/* points.c */

/* The order's points of a candidate with the discounts applied so far; -1 with err. */
int match_points (struct work *work, const struct candidate *candidate, int64_t *points);
/* The same of those that an entry may use: a code counts from its place on. */
int match_points_of (struct work *work, const struct entry *entry, int64_t *points);
/* The same of one rule that holds. */
int points_of_rule (struct work *work, const struct candidate *candidate, const struct held_rule *held, int64_t *points);
/* The points of one unit, by a rule of units; and by one of money, where the unit is one of a line's that are paid for. They
 * are added. -1 with err. */
int points_of_unit (struct work *work, const struct candidate *candidate, const struct rule *rule, int64_t *points);
int points_of_unit_on (struct work *work, const struct candidate *candidate, const struct held_rule *held, uint32_t line,
                       int64_t *points);
/* Units that a rule counts: without those given free. */
int64_t points_units (const struct work *work, const struct held_rule *held);
/* Do the candidate's rules hold, with the discounts applied so far? REASON_NONE, or why not. */
enum reason match_holds (const struct work *work, const struct candidate *candidate, int64_t *needed, int64_t *had);
/* Points that one unit of the line's product earns by unit (rule 14), millionths. */
int64_t match_unit_points (const struct work *work, const struct entry *entry, uint32_t line);
/* Usable from a purse when the order earns `points` (rule 7), before what is spent: debt is paid first. */
int64_t purse_usable (const struct purse *purse, int64_t points);

/* claims.c */

/* Reads claims into entries, answers those that cannot be, and adds what applies by itself. -1 with err. */
int claims_read (struct work *work);
/* Whether the reward was given already, whatever it takes: one that was claimed of an order that was paid for (rule 35). */
static inline bool
entry_is_forgiven (const struct work *work, const struct entry *entry)
{
    return work->order->forgiving && entry->claim >= 0;
}
/* Refuses a claim; false where nothing may be refused: the difference is a warning then. */
bool claim_refuse (struct work *work, uint32_t claim, enum reason reason, int64_t needed, int64_t had);
/* A claim of a candidate's reward that is granted as far as the program goes; its entry. -1 with err. */
int claim_play (struct work *work, uint32_t claim, uint32_t candidate, uint32_t purse, const struct reward *reward);
/* Warns of a claim that gave nothing where nothing may be refused. -1 with err. */
int claim_warn (struct work *work, uint32_t claim, const char *why);
/* The reward that a claim is about; NULL with its reason. */
const struct reward *claimed_reward (const struct program *program, const struct claim *claim, enum reason *reason);
/* The claim does not say which of the reward's products: a code opens it then, for a claim that says so. */
bool claim_leaves_choice (const struct claim *claim, const struct reward *reward);
/* The purse of a card that a claim presents. -1 with err. */
int claimed_purse (struct work *work, const struct candidate *candidate, const struct card_state *card, uint32_t *purse);
/* When all is worked: a code whose claim is refused leaves nothing behind. *again: work everything without it. */
int claims_settle (struct work *work, bool *again);

/* codes.c */

/* Reads a claim that enters a code. -1 with err. */
int code_read (struct work *work, uint32_t claim);

/* reason.c */

/* A text for a person from a reason and its figures. */
void reason_text (const struct work *work, const struct program *program, enum reason reason, int64_t needed, int64_t had,
                  char *text, size_t size);
/* The limit of which the reason limit_reached speaks. */
const char *reason_limit (const struct work *work, const struct program *program);

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

/* answer.c */

/* Writes the answer. -1 with err. */
int answer_write (struct work *work, bool strict, struct evaluation *out);

/* hints.c */

/* Notes what a program that does not hold lacks, if that is little. -1 with err. */
int hint_minimum (struct work *work, const struct candidate *candidate);
/* Adds what cards lack, and writes the nearest. -1 with err. */
int hints_write (struct work *work, struct evaluation *out);

/* explain.c */

int explain_rejections (struct work *work, struct evaluation *out);

#endif
