/* store_record_sample.c - see store_record_sample.h. */
#include "unit/store_record_sample.h"

#include <stdio.h>

/* ---------------------------------------------------------------- a realistic order */

static const struct tax VAT = { 5, TAX_PERCENT, 21 * MICRO, true, false };

static void
sample_line (struct order_record *record, uint32_t i, struct arena *arena)
{
    static const int64_t CATEGORIES[] = { 3, 17, 41 };
    struct order_line *line = &record->order.lines[i];
    struct line_result *result = &record->evaluation.lines[i];
    struct tax_amount *tax = arena_new_of (arena, struct tax_amount);
    *line = (struct order_line){ .line_id = str_of (arena_printf (arena, "%u", (unsigned)i)),
                                 .product_id = 20000 + i * 7919 % 5000,
                                 .qty_micro = (1 + i % 4) * (int64_t)MICRO,
                                 .price_unit_micro = (295 + i * 137) * INT64_C (10000),
                                 .tax_count = 1,
                                 .taxes = &VAT,
                                 .product_known = true,
                                 .product_active = true,
                                 .categories = { 3, CATEGORIES } };
    int64_t total = line->qty_micro / MICRO * line->price_unit_micro / 10000, off = (total + 5) / 10;
    int64_t untaxed = (total * 100 + 60) / 121, net = total - off, net_untaxed = (net * 100 + 60) / 121;
    *tax = (struct tax_amount){ 5, net - net_untaxed };
    *result = (struct line_result){ untaxed, total - untaxed, total, off, net, net_untaxed, net - net_untaxed, 1, tax };
}

static void
sample_discount (struct order_record *record, uint32_t lines, struct arena *arena)
{
    struct discount *discount = arena_new_of (arena, struct discount);
    struct discount_part *parts = arena_array_of (arena, lines, struct discount_part);
    struct tax_amount *taxes = arena_new_of (arena, struct tax_amount);
    *discount = (struct discount){ .layer = LAYER_DISCOUNT,
                                   .program_id = 12,
                                   .rule_id = 1,
                                   .reward_id = 1,
                                   .points_cost = 100,
                                   .part_count = lines,
                                   .tax_count = 1,
                                   .parts = parts,
                                   .taxes = taxes,
                                   .automatic = true,
                                   .claim = -1 };
    for (uint32_t i = 0; i < lines; i++) {
        parts[i] = (struct discount_part){ i, 0, record->evaluation.lines[i].discount_minor };
        discount->amount_minor += parts[i].amount_minor;
    }
    discount->untaxed_minor = discount->amount_minor * 100 / 121;
    taxes[0] = (struct tax_amount){ 5, discount->amount_minor - discount->untaxed_minor };
    record->evaluation.discounts = discount;
    record->evaluation.discount_count = 1;
}

static void
sample_points (struct order_record *record, struct arena *arena)
{
    struct evaluation *evaluation = &record->evaluation;
    struct card_state *card = arena_new_of (arena, struct card_state);
    struct card_effect *effect = arena_new_of (arena, struct card_effect);
    struct record_lot *lot = arena_new_of (arena, struct record_lot);
    int64_t earned = evaluation->total_minor / 10;
    *card = (struct card_state){ .card_id = 100123,
                                 .program_id = 3,
                                 .has_partner = true,
                                 .partner_id = 17850,
                                 .code = STR ("0447-A7KM-2WQX"),
                                 .usable = 48250 };
    *lot = (struct record_lot){ 37, earned, record->order.instant, record->order.instant + 365 * US_PER_DAY };
    *effect = (struct card_effect){ .card_id = 100123,
                                    .program_id = 3,
                                    .code = card->code,
                                    .earned = earned,
                                    .balance = card->usable + earned,
                                    .change = earned,
                                    .lot_count = 1,
                                    .lots = lot };
    record->order.cards = card;
    record->order.card_count = 1;
    record->effects = effect;
    record->effect_count = 1;
    evaluation->points = arena_new_of (arena, struct points_result);
    evaluation->points[0] = (struct points_result){ 100123, 3, earned, 0, true };
    evaluation->points_count = 1;
    evaluation->has_primary = true;
    evaluation->primary_program_id = 3;
}

void
sample_order (struct order_record *record, uint32_t lines, struct arena *arena)
{
    int64_t now = INT64_C (1291974960123456);
    *record = (struct order_record){ .kind = RECORD_PROCESS,
                                     .order_ref = 1234567,
                                     .catalog_version = 42,
                                     .evaluator_version = 1,
                                     .recorded = now + 1250 };
    record->order = (struct order){ .order_id = STR ("8d2f5f3a-0c55-4b0a-9a57-0f6f5be2d9c1"),
                                    .has_store = true,
                                    .has_partner = true,
                                    .store_id = 2,
                                    .partner_id = 17850,
                                    .instant = now,
                                    .line_count = lines,
                                    .lines = arena_array_of (arena, lines, struct order_line),
                                    .auto_claim = true,
                                    .member = { .known = true, .partner_id = 17850 },
                                    .reference = STR ("Shop 2 - 000123-004-0017"),
                                    .has_cashier = true,
                                    .has_session = true,
                                    .cashier_id = 7,
                                    .session_id = 3120 };
    record->evaluation.lines = arena_array_of (arena, lines, struct line_result);
    struct tax_amount *taxes = arena_new_of (arena, struct tax_amount);
    taxes->tax_id = 5;
    for (uint32_t i = 0; i < lines; i++) {
        sample_line (record, i, arena);
        record->evaluation.untaxed_minor += record->evaluation.lines[i].net_untaxed_minor;
        record->evaluation.tax_minor += record->evaluation.lines[i].net_tax_minor;
    }
    record->evaluation.total_minor = record->evaluation.untaxed_minor + record->evaluation.tax_minor;
    taxes->amount_minor = record->evaluation.tax_minor;
    record->evaluation.taxes = taxes;
    record->evaluation.tax_count = 1;
    sample_discount (record, lines, arena);
    sample_points (record, arena);
}

/* ---------------------------------------------------------------- random records */

static struct arena *memory;
static struct random *dice;

static bool
flip (void)
{
    return random_chance (dice, 50);
}

static int64_t
number (void)
{
    switch (random_between (dice, 0, 3)) {
    case 0:
        return 0;
    case 1:
        return random_between (dice, -50, 5000);
    case 2:
        return random_between (dice, -1000, 1000) * MICRO / 100;
    default:
        return random_any (dice);
    }
}

static uint32_t
below (uint32_t limit)
{
    return (uint32_t)random_between (dice, 0, (int64_t)limit - 1);
}

static uint32_t
some (uint32_t most)
{
    return flip () ? 0 : below (most + 1);
}

static struct str
text (void)
{
    char *bytes = arena_alloc (memory, 80);
    int size = 0;
    switch (random_between (dice, 0, 6)) {
    case 0:
        break;
    case 1:
    case 2:
        size = snprintf (bytes, 80, "%lld", (long long)number ());
        break;
    case 3:
        size = snprintf (bytes, 80, "00%lld", (long long)random_between (dice, 0, 99));
        break;
    case 4:
        size = snprintf (bytes, 80, flip () ? "%08x-%04x-%04x-%04x-%04x%08x" : "%08X-%04x-%04x-%04x-%04x%08x",
                         (unsigned)random_next (dice), below (65536), below (65536), below (65536), below (65536),
                         (unsigned)random_next (dice));
        break;
    case 5:
        size = snprintf (bytes, 80, "%llu", (unsigned long long)random_next (dice));
        break;
    case 6:
        for (size = 0; size < (int)below (65); size++)
            bytes[size] = (char)random_next (dice);
        break;
    }
    return (struct str){ bytes, (uint32_t)size };
}

/* Long, and easy to compress. */
static struct str
long_text (void)
{
    uint32_t size = 300 + below (700);
    char *bytes = arena_alloc (memory, size);
    memset (bytes, (int)below (256), size);
    return (struct str){ bytes, size };
}

static void
sentence (char *into, size_t size)
{
    size_t length = flip () ? 0 : below ((uint32_t)size);
    for (size_t i = 0; i < length; i++)
        into[i] = (char)random_between (dice, ' ', '~');
}

#define LIST(pointer, count, most, type) type *pointer = arena_array_of (memory, (count) = some (most), type);

static const struct tax_amount *
random_taxes (uint32_t *count)
{
    LIST (taxes, *count, 4, struct tax_amount)
    for (uint32_t i = 0; i < *count; i++)
        taxes[i] = (struct tax_amount){ number (), number () };
    return taxes;
}

static const struct lot_use *
random_uses (uint32_t *count)
{
    LIST (uses, *count, 3, struct lot_use)
    for (uint32_t i = 0; i < *count; i++)
        uses[i] = (struct lot_use){ (int32_t)random_next (dice), number () };
    return uses;
}

static void
random_line (struct order_line *line, const struct order_line *before)
{
    line->line_id = text ();
    line->product_id = number ();
    line->qty_micro = number ();
    line->price_unit_micro = number ();
    line->discount_micro = flip () ? 0 : number ();
    line->product_known = flip ();
    line->product_active = flip ();
    if (before != NULL && flip ()) {
        line->tax_count = before->tax_count;
        line->taxes = before->taxes;
        line->categories = before->categories;
        line->tag_count = before->tag_count;
        line->tags = before->tags;
    } else {
        LIST (taxes, line->tax_count, TAXES_PER_LINE_MAX, struct tax)
        for (uint32_t i = 0; i < line->tax_count; i++)
            taxes[i] = (struct tax){ number (), flip () ? TAX_FIXED : TAX_PERCENT, number (), flip (), flip () };
        LIST (categories, line->categories.count, 5, int64_t)
        for (uint32_t i = 0; i < line->categories.count; i++)
            categories[i] = number ();
        LIST (tags, line->tag_count, RECORD_TAGS_MAX, struct str)
        for (uint32_t i = 0; i < line->tag_count; i++)
            tags[i] = text ();
        line->taxes = taxes;
        line->categories.ids = categories;
        line->tags = tags;
    }
    if (flip ()) {
        line->gift_code = text ();
        line->has_card = flip ();
        line->card = (struct card_ref){ number (), text () };
    }
    if (flip ()) {
        line->refund_order_id = text ();
        line->refund_line_id = text ();
        line->is_covered_return = flip ();
        line->covered_untaxed_minor = number ();
        line->covered_tax_minor = number ();
        line->covered_taxes = random_taxes (&line->covered_tax_count);
    }
}

static void
random_order (struct order *order)
{
    *order = (struct order){ .order_id = text (), .channel = flip () ? CHANNEL_SALE : CHANNEL_POS };
    order->has_store = flip ();
    order->has_partner = flip ();
    order->has_pricelist = flip ();
    order->has_expected_total = flip ();
    order->has_charged_total = flip ();
    order->store_id = number ();
    order->partner_id = number ();
    order->pricelist_id = number ();
    order->instant = number ();
    order->tax_rounding = flip () ? ROUND_GLOBAL : ROUND_PER_LINE;
    order->auto_claim = flip ();
    order->skip_refused = flip ();
    order->paid = flip ();
    order->is_import = flip ();
    order->expected_total_minor = number ();
    order->charged_total_minor = number ();
    order->reference = text ();
    order->meta = random_chance (dice, 20) ? long_text () : text ();
    LIST (inactive, order->inactive_products.count, 3, int64_t)
    for (uint32_t i = 0; i < order->inactive_products.count; i++)
        inactive[i] = number ();
    order->inactive_products.ids = inactive;
    order->hold_id = random_chance (dice, 20) ? text () : STR ("");
    order->has_cashier = flip ();
    order->has_session = flip ();
    order->cashier_id = number ();
    order->session_id = number ();
    order->explain = flip ();
    order->member = (struct member_state){ flip (),
                                           flip () ? order->partner_id : number (),
                                           flip (),
                                           number (),
                                           flip (),
                                           flip (),
                                           (int32_t)random_next (dice) };
    LIST (lines, order->line_count, 8, struct order_line)
    for (uint32_t i = 0; i < order->line_count; i++)
        random_line (&lines[i], i > 0 ? &lines[i - 1] : NULL);
    LIST (claims, order->claim_count, 4, struct claim)
    for (uint32_t i = 0; i < order->claim_count; i++)
        claims[i] = (struct claim){ text (),
                                    flip (),
                                    flip (),
                                    flip (),
                                    flip (),
                                    number (),
                                    number (),
                                    number (),
                                    number (),
                                    number (),
                                    { number (), text () } };
    LIST (drafts, order->draft_count, 3, int64_t)
    for (uint32_t i = 0; i < order->draft_count; i++)
        drafts[i] = number ();
    LIST (cards, order->card_count, 3, struct card_state)
    for (uint32_t i = 0; i < order->card_count; i++)
        cards[i] = (struct card_state){ number (), number (), flip (),   number (), text (),  flip (),
                                        flip (),   number (), number (), number (), number () };
    LIST (usages, order->usage_count, 3, struct usage_state)
    for (uint32_t i = 0; i < order->usage_count; i++) {
        usages[i] = (struct usage_state){ .program_id = number (), .birthday_used = flip () };
        for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
            usages[i].used[limit] = number ();
    }
    order->usages = usages;
    order->forgiving = flip ();
    order->lines = lines;
    order->claims = claims;
    order->draft_program_ids = drafts;
    order->cards = cards;
}

/* One of the order's cards, or any other. */
static void
random_card (const struct order *order, int64_t *card_id, int64_t *program_id)
{
    const struct card_state *card = order->card_count > 0 ? &order->cards[below (order->card_count)] : NULL;
    *card_id = card != NULL && flip () ? card->card_id : number ();
    *program_id = card != NULL && flip () ? card->program_id : number ();
}

static void
random_result (const struct order_line *asked, struct line_result *line)
{
    int64_t untaxed = random_between (dice, -500, 5000), tax = random_between (dice, 0, 99);
    int64_t discount = flip () ? 0 : random_between (dice, 0, 300), net = untaxed + tax - discount;
    *line = (struct line_result){ untaxed, tax, untaxed + tax, discount, net, net - tax, tax, 0, NULL };
    if (flip ())
        *line = (struct line_result){ number (), number (), number (), number (), number (),
                                      number (), number (), 0,         NULL };
    if (flip ()) {
        line->taxes = random_taxes (&line->tax_count);
        return;
    }
    struct tax_amount *taxes = arena_array_of (memory, asked->tax_count, struct tax_amount);
    line->tax_count = asked->tax_count;
    line->taxes = taxes;
    for (uint32_t i = 0; i < asked->tax_count; i++)
        taxes[i] = (struct tax_amount){ asked->taxes[i].id, i == 0 && flip () ? line->net_tax_minor : 0 };
}

static void
random_discount (const struct order *order, struct discount *discount)
{
    *discount = (struct discount){ .layer = (enum layer)below (LAYER_PAYMENT + 1) };
    random_card (order, &discount->card_id, &discount->program_id);
    discount->rule_id = number ();
    discount->reward_id = number ();
    discount->code = text ();
    discount->points_cost = number ();
    discount->amount_minor = number ();
    discount->untaxed_minor = number ();
    discount->automatic = flip ();
    discount->claim = (int32_t)below (order->claim_count + 1) - 1;
    LIST (parts, discount->part_count, order->line_count, struct discount_part)
    for (uint32_t i = 0; i < discount->part_count; i++)
        parts[i] = (struct discount_part){ below (order->line_count), number (), number () };
    discount->parts = parts;
    discount->taxes = random_taxes (&discount->tax_count);
}

static void
random_outcome (const struct order *order, struct evaluation *evaluation)
{
    LIST (cards, evaluation->card_count, 3, struct card_result)
    for (uint32_t i = 0; i < evaluation->card_count; i++)
        cards[i] = (struct card_result){ number (), text (), number (), flip (),
                                         order->line_count > 0 ? (int32_t)below (order->line_count) : -1 };
    LIST (usages, evaluation->usage_count, 3, struct usage_result)
    for (uint32_t i = 0; i < evaluation->usage_count; i++)
        usages[i] = (struct usage_result){ number (), number (), flip (), below (512) };
    LIST (hints, evaluation->hint_count, 3, struct hint)
    for (uint32_t i = 0; i < evaluation->hint_count; i++)
        hints[i] = (struct hint){
            (enum hint_kind)below (HINT_POINTS + 1), number (), number (), number (), number (), number ()
        };
    evaluation->cards = cards;
    evaluation->usages = usages;
    evaluation->hints = hints;
    evaluation->referral = (struct referral_result){ number (), number (), number () };
}

static void
random_evaluation (const struct order *order, struct evaluation *evaluation)
{
    evaluation->lines = arena_array_of (memory, order->line_count, struct line_result);
    for (uint32_t i = 0; i < order->line_count; i++)
        random_result (&order->lines[i], &evaluation->lines[i]);
    evaluation->untaxed_minor = number ();
    evaluation->tax_minor = number ();
    evaluation->total_minor = number ();
    evaluation->taxes = random_taxes (&evaluation->tax_count);
    LIST (discounts, evaluation->discount_count, 4, struct discount)
    for (uint32_t i = 0; i < evaluation->discount_count; i++)
        random_discount (order, &discounts[i]);
    LIST (claims, evaluation->claim_count, 4, struct claim_result)
    for (uint32_t i = 0; i < evaluation->claim_count; i++) {
        claims[i] = (struct claim_result){ .ok = flip (), .reason = (enum reason)below (REASON_COUNT) };
        sentence (claims[i].text, sizeof claims[i].text);
        claims[i].replaced = flip ();
        claims[i].replaced_by = (int32_t)random_next (dice);
        claims[i].discount = (int32_t)below (evaluation->discount_count + 1) - 1;
        claims[i].program_id = number ();
        claims[i].reward_id = number ();
    }
    LIST (points, evaluation->points_count, 3, struct points_result)
    for (uint32_t i = 0; i < evaluation->points_count; i++) {
        random_card (order, &points[i].card_id, &points[i].program_id);
        points[i].earned = number ();
        points[i].redeemed = number ();
        points[i].usable_now = flip ();
    }
    LIST (rejections, evaluation->rejection_count, 3, struct rejection)
    for (uint32_t i = 0; i < evaluation->rejection_count; i++) {
        rejections[i] = (struct rejection){ number (), number (), number (), (enum reason)below (REASON_COUNT), "" };
        sentence (rejections[i].text, sizeof rejections[i].text);
    }
    LIST (warnings, evaluation->warning_count, 3, struct warning)
    for (uint32_t i = 0; i < evaluation->warning_count; i++) {
        warnings[i] = (struct warning){ (enum warning_kind)below (WARNING_OVER_LIMIT + 1),
                                        order->line_count > 0 ? below (order->line_count) : 0, "" };
        sentence (warnings[i].text, sizeof warnings[i].text);
    }
    evaluation->discounts = discounts;
    evaluation->claims = claims;
    evaluation->points = points;
    evaluation->rejections = rejections;
    evaluation->warnings = warnings;
    evaluation->has_primary = flip ();
    evaluation->primary_program_id = number ();
    random_outcome (order, evaluation);
}

static void
random_refund (const struct order *order, struct record_refund *refund)
{
    LIST (originals, refund->original_count, 3, struct record_original)
    for (uint32_t i = 0; i < refund->original_count; i++)
        originals[i] = (struct record_original){ text (), number (), flip (), { number (), number (), number () } };
    bool possible = refund->original_count > 0 && order->line_count > 0;
    LIST (parts, refund->part_count, possible ? 4 : 0, struct record_part)
    for (uint32_t i = 0; i < refund->part_count; i++) {
        parts[i] = (struct record_part){
            below (order->line_count), below (refund->original_count), text (), number (), number (), number (), 0, NULL
        };
        parts[i].taxes = random_taxes (&parts[i].tax_count);
    }
    LIST (uncovered, refund->uncovered_count, order->line_count > 0 ? 3 : 0, struct refund_uncovered)
    for (uint32_t i = 0; i < refund->uncovered_count; i++)
        uncovered[i] = (struct refund_uncovered){ below (order->line_count), number () };
    LIST (points, refund->points_count, refund->original_count > 0 ? 3 : 0, struct record_points)
    for (uint32_t i = 0; i < refund->points_count; i++) {
        points[i].original = below (refund->original_count);
        random_card (order, &points[i].card_id, &points[i].program_id);
        points[i].take_back = number ();
        points[i].give_back = number ();
        points[i].paid_back_minor = number ();
    }
    refund->originals = originals;
    refund->parts = parts;
    refund->uncovered = uncovered;
    refund->points = points;
}

static void
random_effect (const struct order *order, struct card_effect *effect)
{
    random_card (order, &effect->card_id, &effect->program_id);
    effect->code = order->card_count > 0 && flip () ? order->cards[0].code : text ();
    effect->is_created = flip ();
    effect->earned = number ();
    effect->redeemed = number ();
    effect->taken_back = number ();
    effect->given_back = number ();
    effect->missing = number ();
    effect->owed = number ();
    effect->change = number ();
    effect->shortfall = (enum shortfall)below (SHORTFALL_FORGIVE + 1);
    effect->balance = number ();
    effect->debt = number ();
    LIST (lots, effect->lot_count, 3, struct record_lot)
    for (uint32_t i = 0; i < effect->lot_count; i++)
        lots[i] = (struct record_lot){ (int32_t)random_next (dice), number (), number (),
                                       flip () ? INSTANT_NEVER : number () };
    effect->lots = lots;
    effect->redeemed_uses = random_uses (&effect->redeemed_count);
    effect->taken_uses = random_uses (&effect->taken_count);
    effect->given_uses = random_uses (&effect->given_count);
}

void
sample_random (struct order_record *record, struct random *random, struct arena *arena)
{
    memory = arena;
    dice = random;
    *record = (struct order_record){ .kind = (enum record_kind)random_between (random, RECORD_PROCESS, RECORD_CANCEL),
                                     .order_ref = number (),
                                     .catalog_version = number (),
                                     .evaluator_version = (uint32_t)random_next (random),
                                     .recorded = number (),
                                     .is_late = flip () };
    random_order (&record->order);
    random_evaluation (&record->order, &record->evaluation);
    random_refund (&record->order, &record->refund);
    LIST (effects, record->effect_count, 4, struct card_effect)
    for (uint32_t i = 0; i < record->effect_count; i++)
        random_effect (&record->order, &effects[i]);
    record->effects = effects;
}

/* ---------------------------------------------------------------- comparison */

#define SAME(field) \
    do { \
        if (a->field != b->field) \
            return #field; \
    } while (0)
#define SAME_STR(field) \
    do { \
        if (!str_equal (a->field, b->field)) \
            return #field; \
    } while (0)
#define SAME_LIST(list, count, compare) \
    do { \
        SAME (count); \
        for (uint32_t i_ = 0; i_ < a->count; i_++) { \
            const char *difference_ = compare (&a->list[i_], &b->list[i_]); \
            if (difference_ != NULL) \
                return difference_; \
        } \
    } while (0)

static const char *
same_int (const int64_t *a, const int64_t *b)
{
    return *a == *b ? NULL : "an id in a list";
}

static const char *
same_str (const struct str *a, const struct str *b)
{
    return str_equal (*a, *b) ? NULL : "a text in a list";
}

static const char *
same_tax (const struct tax *a, const struct tax *b)
{
    SAME (id);
    SAME (type);
    SAME (amount_micro);
    SAME (included);
    SAME (affects_base);
    return NULL;
}

static const char *
same_tax_amount (const struct tax_amount *a, const struct tax_amount *b)
{
    SAME (tax_id);
    SAME (amount_minor);
    return NULL;
}

static const char *
same_line (const struct order_line *a, const struct order_line *b)
{
    SAME_STR (line_id);
    SAME (product_id);
    SAME (qty_micro);
    SAME (price_unit_micro);
    SAME (discount_micro);
    SAME_LIST (taxes, tax_count, same_tax);
    SAME_STR (gift_code);
    SAME (has_card);
    SAME (card.card_id);
    SAME_STR (card.code);
    SAME_STR (refund_order_id);
    SAME_STR (refund_line_id);
    SAME (is_covered_return);
    SAME (covered_untaxed_minor);
    SAME (covered_tax_minor);
    SAME_LIST (covered_taxes, covered_tax_count, same_tax_amount);
    SAME (product_known);
    SAME (product_active);
    SAME_LIST (categories.ids, categories.count, same_int);
    SAME_LIST (tags, tag_count, same_str);
    return NULL;
}

static const char *
same_claim (const struct claim *a, const struct claim *b)
{
    SAME_STR (code);
    SAME (has_program);
    SAME (has_reward);
    SAME (has_product);
    SAME (has_card);
    SAME (program_id);
    SAME (reward_id);
    SAME (product_id);
    SAME (qty_micro);
    SAME (points);
    SAME (card.card_id);
    SAME_STR (card.code);
    return NULL;
}

static const char *
same_card (const struct card_state *a, const struct card_state *b)
{
    SAME (card_id);
    SAME (program_id);
    SAME (has_partner);
    SAME (partner_id);
    SAME_STR (code);
    SAME (blocked);
    SAME (presented);
    SAME (usable);
    SAME (debt);
    SAME (expired);
    SAME (referral_uses);
    return NULL;
}

static const char *
same_usage_state (const struct usage_state *a, const struct usage_state *b)
{
    SAME (program_id);
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        SAME (used[limit]);
    SAME (birthday_used);
    return NULL;
}

static const char *
same_order (const struct order *a, const struct order *b)
{
    SAME (forgiving);
    SAME_LIST (usages, usage_count, same_usage_state);
    SAME_STR (order_id);
    SAME (channel);
    SAME (has_store);
    SAME (has_partner);
    SAME (has_pricelist);
    SAME (has_expected_total);
    SAME (has_charged_total);
    SAME (store_id);
    SAME (partner_id);
    SAME (pricelist_id);
    SAME (instant);
    SAME (tax_rounding);
    SAME_LIST (lines, line_count, same_line);
    SAME_LIST (claims, claim_count, same_claim);
    SAME (auto_claim);
    SAME (skip_refused);
    SAME (paid);
    SAME (is_import);
    SAME (expected_total_minor);
    SAME (charged_total_minor);
    SAME_LIST (draft_program_ids, draft_count, same_int);
    SAME_LIST (cards, card_count, same_card);
    SAME (member.known);
    SAME (member.partner_id);
    SAME (member.has_level);
    SAME (member.membership_product_id);
    SAME (member.is_first_order);
    SAME (member.has_birthday);
    SAME (member.birthday);
    SAME_STR (reference);
    SAME_STR (meta);
    SAME_STR (hold_id);
    SAME_LIST (inactive_products.ids, inactive_products.count, same_int);
    SAME (has_cashier);
    SAME (has_session);
    SAME (cashier_id);
    SAME (session_id);
    SAME (explain);
    return NULL;
}

static const char *
same_result (const struct line_result *a, const struct line_result *b)
{
    SAME (untaxed_minor);
    SAME (tax_minor);
    SAME (total_minor);
    SAME (discount_minor);
    SAME (net_minor);
    SAME (net_untaxed_minor);
    SAME (net_tax_minor);
    SAME_LIST (taxes, tax_count, same_tax_amount);
    return NULL;
}

static const char *
same_discount_part (const struct discount_part *a, const struct discount_part *b)
{
    SAME (line);
    SAME (qty_micro);
    SAME (amount_minor);
    return NULL;
}

static const char *
same_discount (const struct discount *a, const struct discount *b)
{
    SAME (layer);
    SAME (program_id);
    SAME (rule_id);
    SAME (reward_id);
    SAME (card_id);
    SAME_STR (code);
    SAME (points_cost);
    SAME (amount_minor);
    SAME (untaxed_minor);
    SAME_LIST (parts, part_count, same_discount_part);
    SAME_LIST (taxes, tax_count, same_tax_amount);
    SAME (automatic);
    SAME (claim);
    return NULL;
}

static const char *
same_claim_result (const struct claim_result *a, const struct claim_result *b)
{
    SAME (ok);
    SAME (reason);
    SAME (replaced);
    SAME (replaced_by);
    SAME (discount);
    SAME (program_id);
    SAME (reward_id);
    return strcmp (a->text, b->text) == 0 ? NULL : "a claim's text";
}

static const char *
same_points_result (const struct points_result *a, const struct points_result *b)
{
    SAME (card_id);
    SAME (program_id);
    SAME (earned);
    SAME (redeemed);
    SAME (usable_now);
    return NULL;
}

static const char *
same_rejection (const struct rejection *a, const struct rejection *b)
{
    SAME (program_id);
    SAME (rule_id);
    SAME (reward_id);
    SAME (reason);
    return strcmp (a->text, b->text) == 0 ? NULL : "a rejection's text";
}

static const char *
same_warning (const struct warning *a, const struct warning *b)
{
    SAME (kind);
    SAME (line);
    return strcmp (a->text, b->text) == 0 ? NULL : "a warning's text";
}

static const char *
same_card_result (const struct card_result *a, const struct card_result *b)
{
    SAME (program_id);
    SAME_STR (code);
    SAME (points);
    SAME (for_partner);
    SAME (line);
    return NULL;
}

static const char *
same_usage_result (const struct usage_result *a, const struct usage_result *b)
{
    SAME (program_id);
    SAME (given_minor);
    SAME (birthday);
    SAME (counters);
    return NULL;
}

static const char *
same_hint (const struct hint *a, const struct hint *b)
{
    SAME (kind);
    SAME (program_id);
    SAME (rule_id);
    SAME (reward_id);
    SAME (needed);
    SAME (missing);
    return NULL;
}

static const char *
same_evaluation (const struct evaluation *a, const struct evaluation *b, uint32_t line_count)
{
    for (uint32_t i = 0; i < line_count; i++) {
        const char *difference = same_result (&a->lines[i], &b->lines[i]);
        if (difference != NULL)
            return difference;
    }
    SAME (untaxed_minor);
    SAME (tax_minor);
    SAME (total_minor);
    SAME_LIST (taxes, tax_count, same_tax_amount);
    SAME_LIST (discounts, discount_count, same_discount);
    SAME_LIST (claims, claim_count, same_claim_result);
    SAME_LIST (points, points_count, same_points_result);
    SAME_LIST (rejections, rejection_count, same_rejection);
    SAME_LIST (warnings, warning_count, same_warning);
    SAME (has_primary);
    SAME (primary_program_id);
    SAME_LIST (cards, card_count, same_card_result);
    SAME_LIST (usages, usage_count, same_usage_result);
    SAME_LIST (hints, hint_count, same_hint);
    SAME (referral.card_id);
    SAME (referral.program_id);
    SAME (referral.points);
    return NULL;
}

static const char *
same_original (const struct record_original *a, const struct record_original *b)
{
    SAME_STR (order_id);
    SAME (order_ref);
    SAME (is_whole);
    SAME (referral.card_id);
    SAME (referral.program_id);
    SAME (referral.points);
    return NULL;
}

static const char *
same_part (const struct record_part *a, const struct record_part *b)
{
    SAME (line);
    SAME (original);
    SAME_STR (line_id);
    SAME (qty_micro);
    SAME (net_minor);
    SAME (untaxed_minor);
    SAME_LIST (taxes, tax_count, same_tax_amount);
    return NULL;
}

static const char *
same_uncovered (const struct refund_uncovered *a, const struct refund_uncovered *b)
{
    SAME (line);
    SAME (qty_micro);
    return NULL;
}

static const char *
same_points (const struct record_points *a, const struct record_points *b)
{
    SAME (original);
    SAME (card_id);
    SAME (program_id);
    SAME (take_back);
    SAME (give_back);
    SAME (paid_back_minor);
    return NULL;
}

static const char *
same_lot (const struct record_lot *a, const struct record_lot *b)
{
    SAME (lot_no);
    SAME (points);
    SAME (usable_from);
    SAME (expires);
    return NULL;
}

static const char *
same_use (const struct lot_use *a, const struct lot_use *b)
{
    SAME (lot_no);
    SAME (points);
    return NULL;
}

static const char *
same_effect (const struct card_effect *a, const struct card_effect *b)
{
    SAME (card_id);
    SAME (program_id);
    SAME_STR (code);
    SAME (is_created);
    SAME (earned);
    SAME (redeemed);
    SAME (taken_back);
    SAME (given_back);
    SAME (missing);
    SAME (owed);
    SAME (change);
    SAME (shortfall);
    SAME (balance);
    SAME (debt);
    SAME_LIST (lots, lot_count, same_lot);
    SAME_LIST (redeemed_uses, redeemed_count, same_use);
    SAME_LIST (taken_uses, taken_count, same_use);
    SAME_LIST (given_uses, given_count, same_use);
    return NULL;
}

const char *
sample_compare (const struct order_record *a, const struct order_record *b)
{
    SAME (kind);
    SAME (order_ref);
    SAME (catalog_version);
    SAME (evaluator_version);
    SAME (recorded);
    SAME (is_late);
    const char *difference = same_order (&a->order, &b->order);
    if (difference == NULL)
        difference = same_evaluation (&a->evaluation, &b->evaluation, a->order.line_count);
    if (difference != NULL)
        return difference;
    SAME_LIST (refund.originals, refund.original_count, same_original);
    SAME_LIST (refund.parts, refund.part_count, same_part);
    SAME_LIST (refund.uncovered, refund.uncovered_count, same_uncovered);
    SAME_LIST (refund.points, refund.points_count, same_points);
    SAME_LIST (effects, effect_count, same_effect);
    return NULL;
}
