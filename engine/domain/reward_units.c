/* reward_units.c - rewards that are about units: special prices, sets, and free products (rules 14, 15, 16). */
#include "domain/filter.h"
#include "domain/reward.h"
#include "domain/sort.h"

#define MICRO_POINT (MICRO / POINT) /* millionths in a hundredth of a point */

int64_t
units_left (const struct work *work, uint32_t line)
{
    return work->lines[line].order->qty_micro - work->free_micro[line];
}

int64_t
units_worth (const struct work *work, uint32_t line, int64_t units_micro)
{
    return (int64_t)div_round ((int128)work->left[line] * units_micro, units_left (work, line));
}

bool
units_can_go (const struct work *work, uint32_t line)
{
    return work->left[line] > 0 && !work->lines[line].order->is_covered_return && units_left (work, line) > 0;
}

/* ---------------------------------------------------------------- unit prices */

/* A line's unit price: money / quantity. */
struct unit_price {
    int64_t money, qty_micro;
    uint32_t line;
};

static int
compare_cheapest (const void *a, const void *b)
{
    const struct unit_price *x = a, *y = b;
    int128 left = (int128)x->money * y->qty_micro, right = (int128)y->money * x->qty_micro;
    return left != right ? (left < right ? -1 : 1) : compare_int64 (x->line, y->line);
}

static int
compare_dearest (const void *a, const void *b)
{
    const struct unit_price *x = a, *y = b;
    int128 left = (int128)x->money * y->qty_micro, right = (int128)y->money * x->qty_micro;
    return left != right ? (left > right ? -1 : 1) : compare_int64 (x->line, y->line);
}

/* With tax at the till, as entered on the server. What is given back has none: it never goes. */
static uint32_t *
lines_by_price (struct work *work, sort_compare *compare)
{
    struct unit_price *prices = arena_array_of (work->arena, work->line_count, struct unit_price);
    uint32_t *lines = arena_array_of (work->arena, work->line_count, uint32_t);
    if (prices == NULL || lines == NULL) {
        work_exhausted (work);
        return NULL;
    }
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct work_line *line = &work->lines[i];
        prices[i] = (struct unit_price){ 0, MICRO, i };
        if (line->order->qty_micro > 0)
            prices[i] = work->order->channel == CHANNEL_SALE
                            ? (struct unit_price){ line->order->price_unit_micro, MICRO, i }
                            : (struct unit_price){ line->total, line->order->qty_micro, i };
    }
    sort_items (prices, work->line_count, sizeof *prices, compare);
    for (uint32_t i = 0; i < work->line_count; i++)
        lines[i] = prices[i].line;
    return lines;
}

const uint32_t *
units_dearest (struct work *work)
{
    if (work->dearest == NULL)
        work->dearest = lines_by_price (work, compare_dearest);
    return work->dearest;
}

const uint32_t *
units_cheapest (struct work *work)
{
    if (work->cheapest == NULL)
        work->cheapest = lines_by_price (work, compare_cheapest);
    return work->cheapest;
}

static int64_t
smaller (int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Nothing of any line yet. */
static void
clear_units (struct work *work)
{
    memset (work->worth, 0, work->line_count * sizeof *work->worth);
    memset (work->units, 0, work->line_count * sizeof *work->units);
}

/* One step that takes all that `worth` says. */
static void
offer_worth (struct work *work, struct offer *offer)
{
    offer->base = (struct base){ 0, work->base_lines, work->worth, work->units };
    for (uint32_t i = 0; i < work->line_count; i++)
        if (work->worth[i] > 0) {
            work->base_lines[offer->base.count++] = i;
            offer->steps_minor[0] += work->worth[i];
        }
    offer->step_count = offer->steps_minor[0] > 0;
    offer->saving_minor = offer->steps_minor[0];
}

/* ---------------------------------------------------------------- special prices */

static int
special_price (struct work *work, const struct entry *entry, struct offer *offer)
{
    const struct reward *reward = entry->reward;
    const uint32_t *lines = units_dearest (work);
    int64_t wanted = reward->max_units_micro > 0 ? reward->max_units_micro : INT64_MAX;
    if (lines == NULL)
        return -1;
    clear_units (work);
    for (uint32_t i = 0; i < work->line_count && wanted > 0; i++) {
        uint32_t line = lines[i];
        if (!units_can_go (work, line) || !filter_fits (&reward->filter, work->lines[line].order))
            continue;
        int64_t units = smaller (units_left (work, line), wanted);
        int128 cost = div_round ((int128)reward->special_price_minor * units, MICRO);
        int64_t worth = units_worth (work, line, units);
        if (worth <= cost)
            continue;
        work->units[line] = units;
        work->worth[line] = worth - (int64_t)cost;
        wanted -= units;
    }
    offer_worth (work, offer);
    offer->least_cost = reward->required_points;
    return 0;
}

/* ---------------------------------------------------------------- sets */

/* Whole units of a line that are in no set yet; `sets` of this reward take `taken` of them. */
static int64_t
units_for_sets (const struct work *work, uint32_t line, int64_t taken)
{
    if (!units_can_go (work, line))
        return 0;
    return (units_left (work, line) - work->set_micro[line] - taken) / MICRO * MICRO;
}

/* Fills one set with the dearest units there are, into `set`; false when an item cannot be filled. */
static bool
fill_set (const struct work *work, const struct reward *reward, const uint32_t *lines, const int64_t *taken,
          int64_t *set)
{
    memset (set, 0, work->line_count * sizeof *set);
    for (uint32_t s = 0; s < reward->set_item_count; s++) {
        const struct set_item *item = &reward->set_items[s];
        int64_t missing = item->qty_micro;
        for (uint32_t i = 0; i < work->line_count && missing > 0; i++) {
            uint32_t line = lines[i];
            const struct order_line *order = work->lines[line].order;
            if (!filter_fits (&item->filter, order) || !filter_fits (&reward->filter, order))
                continue;
            int64_t units = smaller (units_for_sets (work, line, taken[line] + set[line]), missing);
            if (units <= 0)
                continue;
            set[line] += units;
            missing -= units;
        }
        if (missing > 0)
            return false;
    }
    return true;
}

/* What is left of a set's units, in millionths of a minor unit, rounded down. */
static int128
set_worth (const struct work *work, const int64_t *set)
{
    int128 worth = 0;
    for (uint32_t i = 0; i < work->line_count; i++)
        if (set[i] > 0)
            worth += (int128)work->left[i] * set[i] / units_left (work, i) * MICRO +
                     (int128)work->left[i] * set[i] % units_left (work, i) * MICRO / units_left (work, i);
    return worth;
}

/* How many more sets just like this one there are units for. */
static int64_t
equal_sets (const struct work *work, const int64_t *taken, const int64_t *set)
{
    int64_t count = INT64_MAX;
    for (uint32_t i = 0; i < work->line_count; i++)
        if (set[i] > 0)
            count = smaller (count, units_for_sets (work, i, taken[i]) / set[i]);
    return count;
}

static int
special_set (struct work *work, const struct entry *entry, struct offer *offer)
{
    const struct reward *reward = entry->reward;
    const uint32_t *lines = units_dearest (work);
    if (lines == NULL)
        return -1;
    clear_units (work);
    int64_t *set = work->shares, *taken = work->units, sets = 0;
    int64_t most = reward->max_sets > 0 ? reward->max_sets : INT64_MAX;
    while (sets < most && fill_set (work, reward, lines, taken, set) &&
           set_worth (work, set) > (int128)reward->set_price_minor * MICRO) {
        int64_t count = smaller (equal_sets (work, taken, set), most - sets);
        for (uint32_t i = 0; i < work->line_count; i++)
            taken[i] += count * set[i];
        sets += count;
    }
    offer->least_cost = reward->required_points;
    if (sets == 0)
        return 0;
    for (uint32_t i = 0; i < work->line_count; i++)
        work->worth[i] = taken[i] > 0 ? units_worth (work, i, taken[i]) : 0;
    offer_worth (work, offer);
    int128 cost = (int128)reward->set_price_minor * sets;
    /* Lines are rounded to the cent, sets were not. */
    if (cost >= offer->steps_minor[0])
        offer->step_count = 0;
    else
        offer->steps_minor[0] -= (int64_t)cost;
    offer->saving_minor = offer->steps_minor[0];
    return 0;
}

/* ---------------------------------------------------------------- free products */

/* Free products come before other rewards, but take no more than one group's points from what claims given before this one
 * need at least. Answers the points that may be spent; *most_groups: how often. */
static int64_t
points_to_spend (const struct work *work, const struct entry *entry, int64_t usable, int64_t *most_groups)
{
    int64_t spare = usable;
    for (uint32_t e = 0; e < work->entry_count; e++) {
        const struct entry *other = &work->entries[e];
        if (other->purse == entry->purse && other->layer > entry->layer && other->claim >= 0 &&
            other->claim < entry->claim && other->out != OUT_FOR_GOOD)
            spare -= smaller (spare, other->reward->required_points);
    }
    bool enough = spare >= entry->reward->required_points;
    *most_groups = enough ? INT64_MAX : 1;
    return enough ? spare : usable;
}

static bool
is_offered (const struct entry *entry, const struct order_line *line)
{
    bool named = entry->has_product ? line->product_id == entry->product_id
                                    : id_list_has (&entry->reward->reward_products, line->product_id);
    return named && (line->product_active || !line->product_known) && filter_fits (&entry->reward->filter, line);
}

/* What giving units free may cost: each group begun its points, and each unit the points that it does not earn any more.
 * Millionths of a point. That is "pay n, take m" where the product itself earns, and whole groups where it does not. */
struct giving {
    int128 budget, lost;
    int64_t group_cost, group_units;
};

static int64_t
groups_begun (const struct giving *giving, int64_t units)
{
    return units / giving->group_units + (units % giving->group_units != 0);
}

/* The most of `most` more units, each of which would earn `earns`, that can be paid for. */
static int64_t
affordable (const struct giving *giving, int64_t given, int64_t most, int64_t earns)
{
    int64_t low = 0, high = most;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        int128 cost =
            giving->lost + (int128)earns * middle + (int128)giving->group_cost * groups_begun (giving, given + middle);
        if (cost <= giving->budget)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int
free_in_cart (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer)
{
    const uint32_t *lines = units_cheapest (work);
    /* The points of a coupon come from its card. */
    bool earns = work->purses[entry->purse].earns && entry->program->type != PROGRAM_COUPONS;
    int64_t most_groups, points = points_to_spend (work, entry, usable, &most_groups);
    struct giving giving = { .budget = (int128)points * MICRO_POINT,
                             .group_cost = entry->reward->required_points * MICRO_POINT,
                             .group_units = entry->reward->reward_product_qty_micro / MICRO };
    int64_t given = 0, limit = entry->units_limit_micro > 0 ? entry->units_limit_micro / MICRO : INT64_MAX;
    if (lines == NULL)
        return -1;
    if (most_groups == 1)
        limit = smaller (giving.group_units, limit);
    clear_units (work);
    for (uint32_t i = 0; i < work->line_count && given < limit; i++) {
        uint32_t line = lines[i];
        if (!units_can_go (work, line) || !is_offered (entry, work->lines[line].order))
            continue;
        int64_t unit_earns = earns ? match_unit_points (work, entry, line) : 0;
        int64_t units =
            affordable (&giving, given, smaller (units_left (work, line) / MICRO, limit - given), unit_earns);
        int64_t worth = units_worth (work, line, units * MICRO);
        if (worth == 0)
            continue;
        work->units[line] = units * MICRO;
        work->worth[line] = worth;
        giving.lost += (int128)unit_earns * units;
        given += units;
    }
    offer_worth (work, offer);
    offer->least_cost = groups_begun (&giving, given) * entry->reward->required_points;
    return 0;
}

/* What units of a product save: as much as those in the cart cost; where there are none a sign that it is something. */
static int64_t
saving_of_product (const struct work *work, int64_t product_id, int64_t units)
{
    int64_t price = 1;
    for (uint32_t i = work->line_count; i-- > 0;)
        if (work->lines[i].order->product_id == product_id && work->lines[i].order->qty_micro > 0 &&
            work->lines[i].total > 0)
            price = (int64_t)div_round ((int128)work->lines[i].total * MICRO, work->lines[i].order->qty_micro);
    int128 saving = (int128)price * units;
    return saving < AMOUNT_MAX ? (int64_t)saving : AMOUNT_MAX;
}

/* On the server the units come on a line of their own, whether there are any in the cart or not. */
static int
free_added (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer)
{
    const struct reward *reward = entry->reward;
    int64_t product_id = entry->has_product ? entry->product_id : reward->reward_products.ids[0];
    int64_t of_group = reward->reward_product_qty_micro / MICRO;
    int64_t most_groups, points = points_to_spend (work, entry, usable, &most_groups);
    int64_t groups = smaller (points / reward->required_points, smaller (FREE_UNITS_MAX / of_group, most_groups));
    int64_t units = groups * of_group;
    if (entry->units_limit_micro > 0)
        units = smaller (units, entry->units_limit_micro / MICRO);
    if (!entry->has_product && reward->reward_products.count > 1)
        units = 0; /* nobody chose one */
    if (id_list_has (&work->order->inactive_products, product_id))
        units = 0;
    for (uint32_t i = 0; i < work->line_count; i++) {
        const struct order_line *line = work->lines[i].order;
        if (line->product_id == product_id && line->product_known && !line->product_active)
            units = 0;
    }
    if (units <= 0)
        return 0;
    offer->step_count = 1;
    offer->free_product_id = product_id;
    offer->free_qty_micro = units * MICRO;
    offer->saving_minor = saving_of_product (work, product_id, units);
    offer->least_cost = (units + of_group - 1) / of_group * reward->required_points;
    return 0;
}

int
units_offer (struct work *work, const struct entry *entry, int64_t usable, struct offer *offer)
{
    switch (entry->reward->type) {
    case REWARD_SPECIAL_PRICE:
        return special_price (work, entry, offer);
    case REWARD_SPECIAL_SET:
        return special_set (work, entry, offer);
    case REWARD_PRODUCT:
        return work->order->channel == CHANNEL_POS ? free_in_cart (work, entry, usable, offer)
                                                   : free_added (work, entry, usable, offer);
    case REWARD_DISCOUNT:
    case REWARD_MULTIPLE_DISCOUNT:
    case REWARD_POINT:
        break;
    }
    return 0;
}
