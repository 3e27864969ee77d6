/* record_evaluation.c - the part of a stored record that was decided: lines, discounts, claims, points, warnings. */
#include "store/record_walk.h"

enum { WARNING_KINDS = WARNING_OVER_LIMIT + 1, LAYERS = LAYER_PAYMENT + 1, HINT_KINDS = HINT_POINTS + 1 };

/* A field that is added to one of these has to be walked here; then set the new size. */
#define WALKED(type, size) \
    _Static_assert(sizeof (void *) != 8 || sizeof (struct type) == (size), \
                   "struct " #type " changed: walk the new field")
WALKED (evaluation, 216);
WALKED (line_result, 72);
WALKED (discount, 136);
WALKED (discount_part, 24);
WALKED (claim_result, 168);
WALKED (points_result, 40);
WALKED (rejection, 160);
WALKED (warning, 136);
WALKED (card_result, 40);
WALKED (usage_result, 24);
WALKED (referral_result, 24);
WALKED (hint, 48);

#define COUNT_OF(array) ((unsigned)(sizeof (array) / sizeof *(array)))

static int64_t
plus (int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t
minus (int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* ---------------------------------------------------------------- lines */

/* What the net untaxed amount is expected to be: the untaxed amount in proportion. */
static int64_t
expected_net_untaxed (const struct line_result *line)
{
    if (line->discount_minor == 0)
        return line->untaxed_minor;
    if (line->tax_minor == 0 || line->total_minor == 0)
        return line->net_minor;
    int128 value = (int128)line->untaxed_minor * line->net_minor;
    bool negative = line->total_minor < 0;
    return (int64_t)(uint64_t)div_round (negative ? -value : value,
                                         negative ? -(int128)line->total_minor : line->total_minor);
}

/* Whether the line's taxes are those that the order's line names, and sum to its net tax. */
static bool
taxes_are_expected (const struct order_line *asked, const struct line_result *line)
{
    int64_t sum = 0;
    if (line->tax_count != asked->tax_count || line->tax_count == 0)
        return false;
    for (uint32_t i = 0; i < line->tax_count; i++) {
        if (line->taxes[i].tax_id != asked->taxes[i].id)
            return false;
        sum = plus (sum, line->taxes[i].amount_minor);
    }
    return sum == line->net_tax_minor;
}

/* All taxes but the last, which is the rest. */
static void
expected_taxes_walk (struct record_io *io, const struct order_line *asked, struct line_result *line)
{
    struct tax_amount *taxes = (struct tax_amount *)line->taxes;
    int64_t rest = line->net_tax_minor;
    if (!io->writing) {
        taxes = arena_array_of (io->arena, asked->tax_count, struct tax_amount);
        io->bad = io->bad || taxes == NULL || asked->tax_count == 0;
        line->taxes = io->bad ? NULL : taxes;
        line->tax_count = io->bad ? 0 : asked->tax_count;
    }
    for (uint32_t i = 0; i < line->tax_count; i++) {
        if (!io->writing)
            taxes[i] = (struct tax_amount){ asked->taxes[i].id, rest };
        if (i + 1 < line->tax_count)
            io_int (io, &taxes[i].amount_minor);
        rest = minus (rest, taxes[i].amount_minor);
    }
}

static void
line_walk (struct record_io *io, const struct order_line *asked, struct line_result *line)
{
    /* How far each figure is from what the others let expect: mostly 0. */
    int64_t tax = line->tax_minor, discount = line->discount_minor, total = 0, net = 0, untaxed = 0, net_tax = 0;
    int64_t taxes_form = 0; /* 0: those of the order's line, or none where there is no tax; 1: listed */
    if (io->writing) {
        total = minus (line->total_minor, plus (line->untaxed_minor, tax));
        net = minus (line->net_minor, minus (line->total_minor, discount));
        untaxed = minus (line->net_untaxed_minor, expected_net_untaxed (line));
        net_tax = minus (line->net_tax_minor, minus (line->net_minor, line->net_untaxed_minor));
        taxes_form = line->tax_count != asked->tax_count || (line->tax_count > 0 && !taxes_are_expected (asked, line));
    }
    io_sparse (io, (int64_t *const[]){ &tax, &discount, &untaxed, &taxes_form, &total, &net, &net_tax }, 7);
    io_int (io, &line->untaxed_minor);
    if (!io->writing) {
        line->tax_minor = tax;
        line->discount_minor = discount;
        line->total_minor = plus (total, plus (line->untaxed_minor, tax));
        line->net_minor = plus (net, minus (line->total_minor, discount));
        line->net_untaxed_minor = plus (untaxed, expected_net_untaxed (line));
        line->net_tax_minor = plus (net_tax, minus (line->net_minor, line->net_untaxed_minor));
    }
    if (taxes_form != 0)
        record_walk_taxes (io, &line->taxes, &line->tax_count);
    else if (asked->tax_count > 0)
        expected_taxes_walk (io, asked, line);
}

static void
lines_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    if (!io->writing) {
        evaluation->lines = arena_array_of (io->arena, order->line_count, struct line_result);
        io->bad = io->bad || evaluation->lines == NULL;
    }
    for (uint32_t i = 0; i < order->line_count && !io->bad; i++)
        line_walk (io, &order->lines[i], &evaluation->lines[i]);
}

/* The order's totals are mostly the sums of its lines, less payments. */
static void
totals_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    int64_t untaxed = 0, tax = 0;
    for (uint32_t i = 0; i < order->line_count && !io->bad; i++) {
        untaxed = plus (untaxed, evaluation->lines[i].net_untaxed_minor);
        tax = plus (tax, evaluation->lines[i].net_tax_minor);
    }
    io_near (io, &evaluation->untaxed_minor, untaxed);
    io_near (io, &evaluation->tax_minor, tax);
    io_near (io, &evaluation->total_minor, plus (evaluation->untaxed_minor, evaluation->tax_minor));
    record_walk_taxes (io, &evaluation->taxes, &evaluation->tax_count);
}

/* ---------------------------------------------------------------- discounts */

/* A part is mostly all that was taken off its line. */
static void
parts_walk (struct record_io *io, const struct order *order, const struct evaluation *evaluation,
            struct discount *discount)
{
    struct discount_part *parts = io_list (io, &discount->parts, &discount->part_count, sizeof *parts, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < discount->part_count && !io->bad; i++) {
        io_below (io, &parts[i].line, order->line_count);
        if (io->bad)
            break;
        io_decimal (io, &parts[i].qty_micro);
        io_near (io, &parts[i].amount_minor, evaluation->lines[parts[i].line].discount_minor);
    }
}

static void
discount_walk (struct record_io *io, const struct order *order, const struct evaluation *evaluation,
               struct discount *discount)
{
    int64_t untaxed = minus (discount->amount_minor, discount->untaxed_minor);
    int64_t *const numbers[] = { &discount->rule_id,      &discount->points_cost,     &untaxed,
                                 &discount->points_given, &discount->free_product_id, &discount->free_qty_micro };
    io_enum (io, discount->layer, LAYERS);
    io_bools (io, (bool *const[]){ &discount->automatic }, 1);
    io_index (io, &discount->claim, order->claim_count);
    record_walk_card (io, order, &discount->card_id, &discount->program_id);
    io_int (io, &discount->reward_id);
    io_sparse (io, numbers, COUNT_OF (numbers));
    io_str (io, &discount->code);
    io_int (io, &discount->amount_minor);
    if (!io->writing)
        discount->untaxed_minor = minus (discount->amount_minor, untaxed);
    parts_walk (io, order, evaluation, discount);
    record_walk_taxes (io, &discount->taxes, &discount->tax_count);
}

static void
discounts_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    struct discount *discounts =
        io_list (io, &evaluation->discounts, &evaluation->discount_count, sizeof *discounts, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->discount_count && !io->bad; i++)
        discount_walk (io, order, evaluation, &discounts[i]);
}

/* ---------------------------------------------------------------- claims, points, warnings */

static void
claims_walk (struct record_io *io, struct evaluation *evaluation)
{
    struct claim_result *claims =
        io_list (io, &evaluation->claims, &evaluation->claim_count, sizeof *claims, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->claim_count && !io->bad; i++) {
        struct claim_result *claim = &claims[i];
        io_bools (io, (bool *const[]){ &claim->ok, &claim->replaced }, 2);
        io_enum (io, claim->reason, REASON_COUNT);
        io_int32 (io, &claim->replaced_by);
        io_index (io, &claim->discount, evaluation->discount_count);
        io_sparse (io, (int64_t *const[]){ &claim->program_id, &claim->reward_id }, 2);
        io_text (io, claim->text, sizeof claim->text);
    }
}

static void
points_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    struct points_result *points =
        io_list (io, &evaluation->points, &evaluation->points_count, sizeof *points, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->points_count && !io->bad; i++) {
        record_walk_card (io, order, &points[i].card_id, &points[i].program_id);
        io_bools (io, (bool *const[]){ &points[i].usable_now }, 1);
        io_sparse (io, (int64_t *const[]){ &points[i].earned, &points[i].redeemed }, 2);
    }
}

static void
rejections_walk (struct record_io *io, struct evaluation *evaluation)
{
    struct rejection *rejections =
        io_list (io, &evaluation->rejections, &evaluation->rejection_count, sizeof *rejections, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->rejection_count && !io->bad; i++) {
        struct rejection *rejection = &rejections[i];
        io_int (io, &rejection->program_id);
        io_sparse (io, (int64_t *const[]){ &rejection->rule_id, &rejection->reward_id }, 2);
        io_enum (io, rejection->reason, REASON_COUNT);
        io_text (io, rejection->text, sizeof rejection->text);
    }
}

static void
warnings_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    struct warning *warnings =
        io_list (io, &evaluation->warnings, &evaluation->warning_count, sizeof *warnings, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->warning_count && !io->bad; i++) {
        io_enum (io, warnings[i].kind, WARNING_KINDS);
        io_below (io, &warnings[i].line, order->line_count > 0 ? order->line_count : 1);
        io_text (io, warnings[i].text, sizeof warnings[i].text);
    }
}

/* ---------------------------------------------------------------- cards made, uses counted, what is nearly reached */

static void
cards_walk (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    struct card_result *cards =
        io_list (io, &evaluation->cards, &evaluation->card_count, sizeof *cards, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->card_count && !io->bad; i++) {
        io_int (io, &cards[i].program_id);
        io_str (io, &cards[i].code);
        io_int (io, &cards[i].points);
        io_bools (io, (bool *const[]){ &cards[i].for_partner }, 1);
        io_index (io, &cards[i].line, order->line_count);
    }
}

static void
usages_walk (struct record_io *io, struct evaluation *evaluation)
{
    struct usage_result *usages =
        io_list (io, &evaluation->usages, &evaluation->usage_count, sizeof *usages, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->usage_count && !io->bad; i++) {
        io_int (io, &usages[i].program_id);
        io_int (io, &usages[i].given_minor);
        io_bools (io, (bool *const[]){ &usages[i].birthday }, 1);
        int64_t counters = usages[i].counters;
        io_int (io, &counters);
        if (!io->writing)
            usages[i].counters = (uint32_t)counters;
    }
}

static void
hints_walk (struct record_io *io, struct evaluation *evaluation)
{
    struct hint *hints = io_list (io, &evaluation->hints, &evaluation->hint_count, sizeof *hints, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < evaluation->hint_count && !io->bad; i++) {
        io_enum (io, hints[i].kind, HINT_KINDS);
        io_sparse (io, (int64_t *const[]){ &hints[i].program_id, &hints[i].rule_id, &hints[i].reward_id }, 3);
        io_int (io, &hints[i].needed);
        io_int (io, &hints[i].missing);
    }
}

void
record_walk_evaluation (struct record_io *io, const struct order *order, struct evaluation *evaluation)
{
    lines_walk (io, order, evaluation);
    totals_walk (io, order, evaluation);
    discounts_walk (io, order, evaluation);
    claims_walk (io, evaluation);
    points_walk (io, order, evaluation);
    rejections_walk (io, evaluation);
    warnings_walk (io, order, evaluation);
    io_bools (io, (bool *const[]){ &evaluation->has_primary }, 1);
    io_int (io, &evaluation->primary_program_id);
    cards_walk (io, order, evaluation);
    usages_walk (io, evaluation);
    hints_walk (io, evaluation);
    io_sparse (io,
               (int64_t *const[]){ &evaluation->referral.card_id, &evaluation->referral.program_id,
                                   &evaluation->referral.points },
               3);
}
