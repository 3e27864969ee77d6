/* refund.c - matches return lines to what was bought, and shares out money, taxes and points (SEMANTICS 33, 34).
 *
 * Every share is cumulative: what has gone back after this refund, rounded, less what had gone back before. So
 * the parts of whatever number of refunds add up to the whole, to the cent and to the hundredth of a point. */
#include "domain/refund.h"

#include <stdio.h>

enum { NONE = -1 };

/* What has been refunded of an original's line, this refund included. */
struct progress {
    int64_t qty_micro, net_minor, untaxed_minor;
    int64_t *taxes_minor;
};

/* Units of a return line that an original's line covers; a return line's matches are linked in order. */
struct match {
    uint32_t original, original_line;
    int64_t qty_micro;
    int32_t next;
};

struct matched_line {
    int64_t left_micro;  /* units that are not covered yet, > 0 */
    int32_t original;    /* index, or NONE when it is not there */
    int32_t first, last; /* matches */
    bool is_return;      /* a return that names an original */
};

struct matching {
    const struct order *order;
    const struct original *originals;
    uint32_t original_count;
    struct progress **progress; /* per original, per line */
    struct matched_line *lines; /* per line of the order */
    struct match *matches;
    uint32_t match_count;
    struct arena *arena;
};

static int
out_of_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for a refund");
}

/* ---------------------------------------------------------------- matching */

static int
progress_make (struct matching *matching, struct error *err)
{
    struct arena *arena = matching->arena;
    matching->progress = arena_array_of (arena, matching->original_count, struct progress *);
    if (matching->progress == NULL)
        return out_of_memory (err);
    for (uint32_t o = 0; o < matching->original_count; o++) {
        const struct original *original = &matching->originals[o];
        struct progress *progress = arena_array_of (arena, original->line_count, struct progress);
        if (progress == NULL)
            return out_of_memory (err);
        matching->progress[o] = progress;
        for (uint32_t i = 0; i < original->line_count; i++) {
            const struct original_line *line = &original->lines[i];
            int64_t *taxes = arena_array_of (arena, line->tax_count, int64_t);
            if (taxes == NULL)
                return out_of_memory (err);
            if (line->tax_count > 0 && line->refunded_taxes_minor != NULL)
                memcpy (taxes, line->refunded_taxes_minor, line->tax_count * sizeof *taxes);
            progress[i] = (struct progress){ line->refunded_qty_micro, line->refunded_net_minor,
                                             line->refunded_untaxed_minor, taxes };
        }
    }
    return 0;
}

static int32_t
original_by_id (const struct matching *matching, struct str order_id)
{
    for (uint32_t o = 0; o < matching->original_count; o++)
        if (str_equal (matching->originals[o].order_id, order_id))
            return (int32_t)o;
    return NONE;
}

/* Finds the returns among the order's lines, and their originals. */
static int
returns_find (struct matching *matching, struct error *err)
{
    const struct order *order = matching->order;
    size_t matches_max = order->line_count; /* each match uses up a return line or an original's */
    for (uint32_t o = 0; o < matching->original_count; o++)
        matches_max += matching->originals[o].line_count;
    matching->lines = arena_array_of (matching->arena, order->line_count, struct matched_line);
    matching->matches = arena_array_of (matching->arena, matches_max, struct match);
    if (matching->lines == NULL || matching->matches == NULL || matches_max > INT32_MAX)
        return out_of_memory (err);

    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        struct matched_line *matched = &matching->lines[i];
        *matched = (struct matched_line){ 0, NONE, NONE, NONE, false };
        if (line->qty_micro >= 0 || line->refund_order_id.size == 0)
            continue;
        matched->is_return = true;
        matched->left_micro = -line->qty_micro;
        matched->original = original_by_id (matching, line->refund_order_id);
        char path[40];
        snprintf (path, sizeof path, "lines[%u].refund_of", (unsigned)i);
        if (matched->original == NONE && line->refund_line_id.size > 0)
            return error_field (err, ERROR_NOT_FOUND, path, "there is no order %.*s", (int)line->refund_order_id.size,
                                line->refund_order_id.data);
        if (matched->original != NONE && matching->originals[matched->original].cancelled)
            return error_field (err, ERROR_CONFLICT, path, "order %.*s is cancelled", (int)line->refund_order_id.size,
                                line->refund_order_id.data);
    }
    return 0;
}

static int64_t
units_left (const struct matching *matching, int32_t original, uint32_t original_line)
{
    return matching->originals[original].lines[original_line].qty_micro -
           matching->progress[original][original_line].qty_micro;
}

/* Lets the original's line cover what it can of the return line. */
static void
match_add (struct matching *matching, uint32_t line, uint32_t original_line)
{
    struct matched_line *matched = &matching->lines[line];
    int64_t qty = units_left (matching, matched->original, original_line);
    if (qty > matched->left_micro)
        qty = matched->left_micro;
    if (qty <= 0)
        return;
    int32_t index = (int32_t)matching->match_count++;
    matching->matches[index] = (struct match){ (uint32_t)matched->original, original_line, qty, NONE };
    if (matched->last == NONE)
        matched->first = index;
    else
        matching->matches[matched->last].next = index;
    matched->last = index;
    matched->left_micro -= qty;
    matching->progress[matched->original][original_line].qty_micro += qty;
}

/* A return line that names the line it returns: that line covers all of it, or the refund fails. */
static int
match_named (struct matching *matching, uint32_t index, struct error *err)
{
    const struct order_line *line = &matching->order->lines[index];
    const struct original *original = &matching->originals[matching->lines[index].original];
    char path[40], left_text[DECIMAL_TEXT_MAX];
    uint32_t found = 0;
    while (found < original->line_count && !str_equal (original->lines[found].line_id, line->refund_line_id))
        found++;
    if (found == original->line_count) {
        snprintf (path, sizeof path, "lines[%u].refund_of.line_id", (unsigned)index);
        return error_field (err, ERROR_NOT_FOUND, path, "order %.*s sold no line %.*s", (int)original->order_id.size,
                            original->order_id.data, (int)line->refund_line_id.size, line->refund_line_id.data);
    }
    if (original->lines[found].product_id != line->product_id) {
        snprintf (path, sizeof path, "lines[%u].product_id", (unsigned)index);
        return error_field (err, ERROR_INVALID_REQUEST, path, "line %.*s of order %.*s is another product",
                            (int)line->refund_line_id.size, line->refund_line_id.data, (int)original->order_id.size,
                            original->order_id.data);
    }
    int64_t left = units_left (matching, (int32_t)(original - matching->originals), found);
    match_add (matching, index, found);
    if (matching->lines[index].left_micro == 0)
        return 0;
    snprintf (path, sizeof path, "lines[%u].qty", (unsigned)index);
    decimal_format (left > 0 ? left : 0, MICRO_DIGITS, 0, left_text);
    error_field (err, ERROR_REFUND_EXCEEDS, path, "%s units of this line are left to return", left_text);
    return error_detail (err, "left", "%s", left_text);
}

/* A return line that names the order only: covered by lines of its product, of its price where `by_price`. */
static void
match_product (struct matching *matching, uint32_t index, bool by_price)
{
    const struct order_line *line = &matching->order->lines[index];
    struct matched_line *matched = &matching->lines[index];
    const struct original *original = &matching->originals[matched->original];
    for (uint32_t i = 0; i < original->line_count && matched->left_micro > 0; i++) {
        const struct original_line *candidate = &original->lines[i];
        if (candidate->product_id == line->product_id &&
            (!by_price || candidate->price_unit_micro == line->price_unit_micro))
            match_add (matching, index, i);
    }
}

/* The most exact matches come first, over all lines: no line takes units that another one names. */
static int
match_all (struct matching *matching, struct error *err)
{
    const struct order *order = matching->order;
    for (uint32_t i = 0; i < order->line_count; i++)
        if (matching->lines[i].original != NONE && order->lines[i].refund_line_id.size > 0 &&
            match_named (matching, i, err) != 0)
            return -1;
    for (int by_price = 1; by_price >= 0; by_price--)
        for (uint32_t i = 0; i < order->line_count; i++)
            if (matching->lines[i].original != NONE && order->lines[i].refund_line_id.size == 0)
                match_product (matching, i, by_price);
    return 0;
}

/* ---------------------------------------------------------------- money */

/* `total` × so_far ÷ all, rounded; 0 <= so_far <= all. */
static int64_t
share (int64_t total, int64_t so_far, int64_t all)
{
    return (int64_t)div_round ((int128)total * so_far, all);
}

static bool
never_negative (const struct original_line *line)
{
    bool fine = line->net_minor >= 0 && line->net_untaxed_minor >= 0;
    for (uint32_t i = 0; i < line->tax_count; i++)
        fine = fine && line->taxes[i].amount_minor >= 0;
    return fine;
}

/* Each tax is rounded by itself, so that a part's taxes could be a cent more than the part, or leave it more untaxed
 * money than the line has left. Moves such cents to the parts to come. */
static void
taxes_fit (const struct original_line *line, const struct progress *before, int64_t net_minor, struct tax_amount *taxes)
{
    int64_t sum = 0, untaxed_left = line->net_untaxed_minor - before->untaxed_minor;
    for (uint32_t i = 0; i < line->tax_count; i++) {
        if (taxes[i].amount_minor < 0)
            taxes[i].amount_minor = 0;
        sum += taxes[i].amount_minor;
    }
    for (uint32_t i = line->tax_count; i > 0 && sum > net_minor; i--) {
        int64_t less = sum - net_minor < taxes[i - 1].amount_minor ? sum - net_minor : taxes[i - 1].amount_minor;
        taxes[i - 1].amount_minor -= less;
        sum -= less;
    }
    for (uint32_t i = 0; i < line->tax_count && net_minor - sum > untaxed_left; i++) {
        int64_t room = line->taxes[i].amount_minor - before->taxes_minor[i] - taxes[i].amount_minor;
        int64_t more = net_minor - sum - untaxed_left < room ? net_minor - sum - untaxed_left : room;
        taxes[i].amount_minor += more;
        sum += more;
    }
}

/* Fills the part's money and moves the line's progress on; progress->qty_micro is counted here anew. */
static int
part_price (const struct original_line *line, struct progress *progress, struct refund_part *part, struct arena *arena,
            struct error *err)
{
    struct tax_amount *taxes = arena_array_of (arena, line->tax_count, struct tax_amount);
    if (taxes == NULL)
        return out_of_memory (err);
    progress->qty_micro += part->qty_micro;
    part->net_minor = share (line->net_minor, progress->qty_micro, line->qty_micro) - progress->net_minor;
    for (uint32_t i = 0; i < line->tax_count; i++) {
        int64_t so_far = share (line->taxes[i].amount_minor, progress->qty_micro, line->qty_micro);
        taxes[i] = (struct tax_amount){ line->taxes[i].tax_id, so_far - progress->taxes_minor[i] };
    }
    if (never_negative (line))
        taxes_fit (line, progress, part->net_minor, taxes);
    part->untaxed_minor = part->net_minor;
    for (uint32_t i = 0; i < line->tax_count; i++) {
        part->untaxed_minor -= taxes[i].amount_minor;
        progress->taxes_minor[i] += taxes[i].amount_minor;
    }
    progress->net_minor += part->net_minor;
    progress->untaxed_minor += part->untaxed_minor;
    part->tax_count = line->tax_count;
    part->taxes = taxes;
    return 0;
}

/* ---------------------------------------------------------------- the order's lines */

/* Gives the covered piece of a return line its money: the sum of its parts, negative. */
static int
line_cover (struct order_line *line, const struct refund_part *parts, uint32_t part_count, struct arena *arena,
            struct error *err)
{
    size_t tax_max = 0;
    for (uint32_t i = 0; i < part_count; i++)
        tax_max += parts[i].tax_count;
    struct tax_amount *taxes = arena_array_of (arena, tax_max, struct tax_amount);
    if (taxes == NULL)
        return out_of_memory (err);
    line->is_covered_return = true;
    line->covered_untaxed_minor = line->covered_tax_minor = 0;
    line->covered_tax_count = 0;
    line->covered_taxes = taxes;
    for (uint32_t i = 0; i < part_count; i++) {
        line->covered_untaxed_minor -= parts[i].untaxed_minor;
        for (uint32_t tax = 0; tax < parts[i].tax_count; tax++) {
            uint32_t at = 0;
            while (at < line->covered_tax_count && taxes[at].tax_id != parts[i].taxes[tax].tax_id)
                at++;
            if (at == line->covered_tax_count)
                taxes[line->covered_tax_count++].tax_id = parts[i].taxes[tax].tax_id;
            taxes[at].amount_minor -= parts[i].taxes[tax].amount_minor;
            line->covered_tax_minor -= parts[i].taxes[tax].amount_minor;
        }
    }
    return 0;
}

/* Makes the order's new lines, the parts and what is uncovered, in the order of the lines. */
static int
lines_make (struct matching *matching, struct order *order, struct refund_plan *plan, struct error *err)
{
    struct arena *arena = matching->arena;
    uint32_t splits = 0, line_count = 0;
    for (uint32_t i = 0; i < order->line_count; i++)
        splits += matching->lines[i].first != NONE && matching->lines[i].left_micro > 0;
    struct order_line *lines = arena_array_of (arena, (size_t)order->line_count + splits, struct order_line);
    struct refund_part *parts = arena_array_of (arena, matching->match_count, struct refund_part);
    struct refund_uncovered *uncovered = arena_array_of (arena, order->line_count, struct refund_uncovered);
    if (lines == NULL || parts == NULL || uncovered == NULL)
        return out_of_memory (err);

    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct matched_line *matched = &matching->lines[i];
        struct order_line *line = &lines[line_count];
        uint32_t part_first = plan->part_count;
        *line = order->lines[i];
        for (int32_t at = matched->first; at != NONE; at = matching->matches[at].next) {
            const struct match *match = &matching->matches[at];
            struct refund_part *part = &parts[plan->part_count++];
            *part = (struct refund_part){ .line = line_count,
                                          .original = match->original,
                                          .original_line = match->original_line,
                                          .qty_micro = match->qty_micro };
            if (part_price (&matching->originals[match->original].lines[match->original_line],
                            &matching->progress[match->original][match->original_line], part, arena, err) != 0)
                return -1;
        }
        if (matched->first != NONE &&
            line_cover (line, parts + part_first, plan->part_count - part_first, arena, err) != 0)
            return -1;
        line_count++;
        if (!matched->is_return || matched->left_micro == 0)
            continue;
        if (matched->first != NONE) { /* covered in part: what is not becomes a line of its own */
            line->qty_micro += matched->left_micro;
            lines[line_count] = order->lines[i];
            lines[line_count++].qty_micro = -matched->left_micro;
        }
        uncovered[plan->uncovered_count++] = (struct refund_uncovered){ line_count - 1, matched->left_micro };
    }
    plan->parts = parts;
    plan->uncovered = uncovered;
    order->lines = lines;
    order->line_count = line_count;
    return 0;
}

/* ---------------------------------------------------------------- points */

/* How much of an original has been refunded: so_far ÷ all. */
struct fraction {
    int64_t so_far, all;
};

enum measure { MEASURE_NET, MEASURE_LIST, MEASURE_UNITS };

/* Which lines a fraction is of: all, those that earn, or some. */
struct measured {
    bool earning_only;
    uint32_t count;
    const uint32_t *lines; /* NULL: not named */
};

static bool
is_measured (const struct measured *measured, const struct original_line *line, uint32_t index)
{
    bool named = measured->lines == NULL;
    for (uint32_t i = 0; i < measured->count && !named; i++)
        named = measured->lines[i] == index;
    return named && !(measured->earning_only && line->sells);
}

/* False when the lines are worth nothing by this measure (or their sum is out of range). */
static bool
fraction_by (const struct original *original, const struct progress *progress, const struct measured *measured,
             enum measure measure, struct fraction *fraction)
{
    int128 so_far = 0, all = 0;
    for (uint32_t i = 0; i < original->line_count; i++) {
        const struct original_line *line = &original->lines[i];
        if (!is_measured (measured, line, i))
            continue;
        switch (measure) {
        case MEASURE_NET:
            so_far += progress[i].net_minor;
            all += line->net_minor;
            break;
        case MEASURE_LIST:
            so_far += share (line->list_minor, progress[i].qty_micro, line->qty_micro);
            all += line->list_minor;
            break;
        case MEASURE_UNITS:
            so_far += progress[i].qty_micro;
            all += line->qty_micro;
            break;
        }
    }
    if (all <= 0 || !int128_to_int64 (all, &fraction->all))
        return false;
    /* Lines of negative worth can take the sum out of bounds while they are not returned themselves. */
    fraction->so_far = so_far < 0 ? 0 : so_far > all ? fraction->all : (int64_t)so_far;
    return true;
}

/* By money before payments, by list prices where that is 0, by units where all is free. */
static bool
fraction_of (const struct original *original, const struct progress *progress, const struct measured *measured,
             struct fraction *fraction)
{
    return fraction_by (original, progress, measured, MEASURE_NET, fraction) ||
           fraction_by (original, progress, measured, MEASURE_LIST, fraction) ||
           fraction_by (original, progress, measured, MEASURE_UNITS, fraction);
}

/* What is taken back of points that lines put on a card themselves. */
static struct fraction
fraction_of_lines (const struct original *original, const struct progress *progress,
                   const struct original_points *points)
{
    struct fraction fraction = { 0, 1 };
    struct measured measured = { false, points->line_count, points->lines };
    if (points->is_sold) {
        int64_t back = progress[points->lines[0]].qty_micro - points->units_before * MICRO;
        return (struct fraction){ back < 0 ? 0 : back > MICRO ? MICRO : back, MICRO };
    }
    fraction_of (original, progress, &measured, &fraction);
    return fraction;
}

/* What goes back now: the share so far, less what went back before; never less than 0. */
static int64_t
share_now (int64_t points, int64_t before, const struct fraction *fraction)
{
    int64_t now = share (points, fraction->so_far, fraction->all) - before;
    return now > 0 ? now : 0;
}

/* What goes back of a card that earned. Of several that the order made in one program (coupons, one for each unit) the last goes
 * back first, and whole, so that those that are left stay of use. */
static int64_t
earned_share_now (const struct original *original, uint32_t index, const struct fraction *fraction)
{
    const struct original_points *of = &original->points[index];
    int64_t all = of->earned, later = 0;
    for (uint32_t i = 0; i < original->points_count; i++) {
        const struct original_points *other = &original->points[i];
        if (i == index || other->program_id != of->program_id || other->line_count > 0)
            continue;
        all += other->earned;
        later += i > index ? other->earned : 0;
    }
    int64_t so_far = share (all, fraction->so_far, fraction->all) - later;
    so_far = so_far < of->earned ? so_far : of->earned;
    return so_far > of->taken_back ? so_far - of->taken_back : 0;
}

/* The lots to which give_back goes: the uses from the last to the first, past those already given back. */
static int
give_back_uses (const struct original_points *points, struct refund_points *out, struct arena *arena, struct error *err)
{
    struct lot_use *uses = arena_array_of (arena, points->use_count, struct lot_use);
    int64_t skip = points->given_back, left = out->give_back;
    if (uses == NULL)
        return out_of_memory (err);
    for (uint32_t i = points->use_count; i > 0 && left > 0; i--) {
        const struct lot_use *use = &points->uses[i - 1];
        int64_t rest = use->points > skip ? use->points - skip : 0;
        skip -= use->points - rest;
        if (rest == 0)
            continue;
        uses[out->use_count] = (struct lot_use){ use->lot_no, rest < left ? rest : left };
        left -= uses[out->use_count++].points;
    }
    out->uses = uses;
    if (left > 0)
        return error_set (err, ERROR_INTERNAL, "the lots that card %lld spent are not what it spent",
                          (long long)points->card_id);
    return 0;
}

static int
points_make (const struct matching *matching, struct refund_plan *plan, struct error *err)
{
    struct arena *arena = matching->arena;
    size_t points_max = 0;
    for (uint32_t o = 0; o < matching->original_count; o++)
        points_max += matching->originals[o].points_count;
    struct refund_points *points = arena_array_of (arena, points_max, struct refund_points);
    bool *touched = arena_array_of (arena, matching->original_count, bool);
    if (points == NULL || touched == NULL)
        return out_of_memory (err);
    for (uint32_t i = 0; i < plan->part_count; i++)
        touched[plan->parts[i].original] = true;

    for (uint32_t o = 0; o < matching->original_count; o++) {
        const struct original *original = &matching->originals[o];
        struct fraction fraction, earning;
        const struct progress *progress = matching->progress[o];
        if (!touched[o])
            continue;
        if (!fraction_of (original, progress, &(struct measured){ false, 0, NULL }, &fraction))
            return error_set (err, ERROR_INTERNAL, "order %.*s has nothing that could be refunded",
                              (int)original->order_id.size, original->order_id.data);
        /* Lines that sell cards earned nothing, so their money takes nothing back of what the others earned. */
        if (!fraction_of (original, progress, &(struct measured){ true, 0, NULL }, &earning))
            earning = fraction;
        for (uint32_t i = 0; i < original->points_count; i++) {
            const struct original_points *from = &original->points[i];
            struct refund_points now = { .original = o, .card_id = from->card_id, .program_id = from->program_id };
            if (from->line_count > 0) {
                struct fraction own = fraction_of_lines (original, progress, from);
                now.take_back = share_now (from->earned, from->taken_back, &own);
            } else {
                now.take_back = earned_share_now (original, i, &earning);
            }
            now.paid_back_minor = share_now (from->paid_minor, from->paid_back_minor, &fraction);
            now.lot_count = from->earned_lot_count;
            now.lots = from->earned_lots;
            now.give_back = share_now (from->redeemed, from->given_back, &fraction);
            if (give_back_uses (from, &now, arena, err) != 0)
                return -1;
            if (now.take_back > 0 || now.give_back > 0 || now.paid_back_minor > 0)
                points[plan->points_count++] = now;
        }
    }
    plan->points = points;
    return 0;
}

/* ---------------------------------------------------------------- the plan */

int
refund_plan_make (struct order *order, const struct original *originals, uint32_t original_count, struct arena *arena,
                  struct refund_plan *plan, struct error *err)
{
    struct matching matching = {
        .order = order, .originals = originals, .original_count = original_count, .arena = arena
    };
    struct order changed = *order;
    *plan = (struct refund_plan){ 0 };
    if (progress_make (&matching, err) != 0 || returns_find (&matching, err) != 0 || match_all (&matching, err) != 0)
        return -1;
    /* Matching counted units; pricing counts them again, part by part. */
    for (uint32_t o = 0; o < original_count; o++)
        for (uint32_t i = 0; i < originals[o].line_count; i++)
            matching.progress[o][i].qty_micro = originals[o].lines[i].refunded_qty_micro;
    if (lines_make (&matching, &changed, plan, err) != 0 || points_make (&matching, plan, err) != 0)
        return -1;
    order->lines = changed.lines;
    order->line_count = changed.line_count;
    return 0;
}
