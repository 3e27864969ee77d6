/* event.c - see event.h. */
#include "render/event.h"
#include "base/log.h"
#include "render/order_parts.h"
#include "wire/msgpack.h"

/* Fields of bodies that tell who somebody is. */
static const char *const PERSONAL[] = { "code", "reason", "texts", "merged_partner_id" };

/* ---- fields of orders */

static bool
is_difference (const struct warning *warning)
{
    return warning->kind == WARNING_DIFFERENCE || warning->kind == WARNING_OVER_LIMIT;
}

static void
optional_text (const struct renderer *to, const char *name, struct str value)
{
    if (value.size > 0)
        render_text (to->out, name, value);
    else
        render_nil (to->out, name);
}

static void
optional_int (const struct renderer *to, const char *name, bool has, int64_t value)
{
    if (has)
        render_int (to->out, name, value);
    else
        render_nil (to->out, name);
}

enum { SALE_FIELDS = 5, LIST_FIELDS = 8 };

/* The whole order: what the reply says that was done. */
static uint32_t
whole_fields (const struct renderer *to)
{
    const struct order *order = &to->record->order;
    return ORDER_HEAD_FIELDS + SALE_FIELDS + LIST_FIELDS + (order_has_returns (to->record) ? ORDER_RETURN_FIELDS : 0) +
           order->has_charged_total + (order->meta.size > 0);
}

static void
whole (const struct renderer *to)
{
    const struct order_record *record = to->record;
    const struct order *order = &record->order;
    order_head (to);
    render_text (to->out, "channel", order->channel == CHANNEL_SALE ? STR ("sale") : STR ("pos"));
    optional_text (to, "reference", order->reference);
    optional_int (to, "cashier_id", order->has_cashier, order->cashier_id);
    optional_int (to, "session_id", order->has_session, order->session_id);
    render_bool (to->out, "import", order->is_import);
    order_taxes (to, record->evaluation.tax_count, record->evaluation.taxes);
    order_lines (to);
    order_discounts (to);
    order_points (to, true);
    order_cards (to);
    order_referrals (to);
    order_membership (to);
    order_warnings (to);
    if (order_has_returns (record))
        order_returned (to);
    if (order->has_charged_total)
        order_money (to, "charged_total", order->charged_total_minor);
    if (order->meta.size > 0) {
        wire_write_cstr (to->out, "meta");
        wire_write_raw (to->out, order->meta);
    }
}

static void
points_of (const struct renderer *to, int64_t (*points) (const struct card_effect *))
{
    const struct order_record *record = to->record;
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->effect_count; i++)
        count += points (&record->effects[i]) != 0;
    wire_write_cstr (to->out, "points");
    wire_write_array (to->out, count);
    for (uint32_t i = 0; i < record->effect_count; i++) {
        const struct card_effect *effect = &record->effects[i];
        if (points (effect) == 0)
            continue;
        wire_write_map (to->out, 5);
        render_int (to->out, "card_id", effect->card_id);
        render_int (to->out, "program_id", effect->program_id);
        render_points (to->out, "points", points (effect));
        render_points (to->out, "balance", effect->balance);
        render_points (to->out, "debt", effect->debt);
    }
}

static void
earned (const struct renderer *to)
{
    points_of (to, order_earned);
}

static void
redeemed (const struct renderer *to)
{
    points_of (to, order_redeemed);
}

static void
applied (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    wire_write_cstr (to->out, "discounts");
    wire_write_array (to->out, evaluation->discount_count);
    for (uint32_t i = 0; i < evaluation->discount_count; i++) {
        const struct discount *discount = &evaluation->discounts[i];
        wire_write_map (to->out, ORDER_DISCOUNT_FIELDS);
        order_discount_head (to, discount);
    }
}

static void
differences (const struct renderer *to)
{
    const struct evaluation *evaluation = &to->record->evaluation;
    uint32_t count = 0;
    for (uint32_t i = 0; i < evaluation->warning_count; i++)
        count += is_difference (&evaluation->warnings[i]);
    render_text (to->out, "kind", STR ("order_differs"));
    wire_write_cstr (to->out, "texts");
    wire_write_array (to->out, count);
    for (uint32_t i = 0; i < evaluation->warning_count; i++)
        if (is_difference (&evaluation->warnings[i]))
            wire_write_cstr (to->out, evaluation->warnings[i].text);
}

/* ---- which events an order has */

static bool
is_processed (const struct order_record *record)
{
    return record->kind == RECORD_PROCESS;
}

static bool
is_refunded (const struct order_record *record)
{
    return record->kind == RECORD_REFUND;
}

static bool
is_cancelled (const struct order_record *record)
{
    return record->kind == RECORD_CANCEL;
}

static bool
has_cards (const struct order_record *record)
{
    for (uint32_t i = 0; i < record->effect_count; i++)
        if (record->effects[i].is_created)
            return true;
    return false;
}

/* Whether it differs from what its till thought (rule 35). A cancellation's warnings are those of the order that it undid. */
static bool
differs (const struct order_record *record)
{
    const struct evaluation *evaluation = &record->evaluation;
    bool was_judged = record->order.forgiving && record->kind != RECORD_CANCEL;
    for (uint32_t i = 0; was_judged && i < evaluation->warning_count; i++)
        if (is_difference (&evaluation->warnings[i]))
            return true;
    return false;
}

static bool
has_earned (const struct order_record *record)
{
    for (uint32_t i = 0; i < record->effect_count; i++)
        if (order_earned (&record->effects[i]) != 0)
            return true;
    return false;
}

static bool
has_redeemed (const struct order_record *record)
{
    for (uint32_t i = 0; i < record->effect_count; i++)
        if (order_redeemed (&record->effects[i]) != 0)
            return true;
    return false;
}

static bool
has_discounts (const struct order_record *record)
{
    return record->evaluation.discount_count > 0 && record->kind != RECORD_CANCEL;
}

/* Whether an order has an event of a topic, and what that tells: `fields` pairs, or as many as a function says. */
struct order_topic {
    enum topic topic;
    bool (*is_told) (const struct order_record *record);
    uint32_t fields;
    uint32_t (*count) (const struct renderer *to);
    void (*write) (const struct renderer *to);
};

static const struct order_topic ORDER_TOPICS[] = {
    { TOPIC_ORDER_PROCESSED, is_processed, 0, whole_fields, whole },
    { TOPIC_ORDER_REFUNDED, is_refunded, 0, whole_fields, whole },
    { TOPIC_ORDER_CANCELLED, is_cancelled, 0, whole_fields, whole },
    { TOPIC_CARD_CREATED, has_cards, 1, NULL, order_cards },
    { TOPIC_ALERT, differs, 2, NULL, differences },
    { TOPIC_POINTS_EARNED, has_earned, 1, NULL, earned },
    { TOPIC_POINTS_REDEEMED, has_redeemed, 1, NULL, redeemed },
    { TOPIC_PROMOTION_APPLIED, has_discounts, 1, NULL, applied },
};
enum { ORDER_TOPIC_COUNT = sizeof ORDER_TOPICS / sizeof ORDER_TOPICS[0] };

uint32_t
event_order_topics (const struct order_record *record)
{
    uint32_t topics = 0;
    for (unsigned i = 0; i < ORDER_TOPIC_COUNT; i++)
        if (ORDER_TOPICS[i].is_told (record))
            topics |= TOPIC_BIT (ORDER_TOPICS[i].topic);
    return topics;
}

static const struct order_topic *
order_topic_of (enum topic topic)
{
    for (unsigned i = 0; i < ORDER_TOPIC_COUNT; i++)
        if (ORDER_TOPICS[i].topic == topic)
            return &ORDER_TOPICS[i];
    return NULL;
}

/* ---- the envelope */

enum { ENVELOPE_FIELDS = 3 };

/* Opens the map of the event: its envelope, and room for `fields` more pairs. */
static void
envelope (const struct event_change *change, enum topic topic, int64_t number, uint32_t fields, struct buf *out)
{
    const struct order *order = change->record != NULL ? &change->record->order : NULL;
    bool has_store = order != NULL && order->has_store;
    bool has_partner = order != NULL ? order->has_partner : change->partner_id != 0;
    wire_write_map (out, ENVELOPE_FIELDS + (order != NULL) + has_store + has_partner + (change->card_id != 0) + fields);
    render_int (out, "number", number);
    render_text (out, "topic", str_of (topic_name (topic)));
    render_time (out, "at", change->recorded_at);
    if (order != NULL)
        render_text (out, "order_id", order->order_id);
    if (has_store)
        render_int (out, "store_id", order->store_id);
    if (has_partner)
        render_int (out, "partner_id", order != NULL ? order->partner_id : change->partner_id);
    if (change->card_id != 0)
        render_int (out, "card_id", change->card_id);
}

/* In place of an event whose fields cannot be had any more, or are too many. */
static void
in_short (const struct event_change *change, enum topic topic, int64_t number, struct str why, struct buf *out)
{
    envelope (change, topic, number, 1, out);
    render_text (out, "left_out", why);
}

/* Of an order that is too large its figures are told all the same, and what it did to cards. */
static void
order_in_short (const struct event_change *change, enum topic topic, int64_t number, unsigned currency_digits,
                struct buf *out)
{
    const struct order_record *record = change->record;
    struct renderer to = { out, currency_digits, record->kind == RECORD_CANCEL ? -1 : 1, record };
    envelope (change, topic, number, 3 + ORDER_HEAD_FIELDS, out);
    render_text (out, "left_out", STR ("size"));
    render_time (out, "date", record->order.instant);
    order_head (&to);
    order_points (&to, true);
}

static int
render_order_event (const struct event_change *change, enum topic topic, int64_t number, unsigned currency_digits,
                    struct buf *out, struct error *err)
{
    const struct order_record *record = change->record;
    const struct order_topic *entry = order_topic_of (topic);
    struct renderer to = { out, currency_digits, record->kind == RECORD_CANCEL ? -1 : 1, record };
    if (entry == NULL)
        return error_set (err, ERROR_INTERNAL, "an order has no event of topic %d", (int)topic);
    envelope (change, topic, number, 1 + (entry->count != NULL ? entry->count (&to) : entry->fields), out);
    render_time (out, "date", record->order.instant);
    entry->write (&to);
    return 0;
}

/* ---- bodies */

static int
damaged (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "the body of an event is damaged");
}

/* The number of pairs of a body, and the bytes of them. */
static int
open_body (struct str body, uint32_t *count, struct wire_reader *pairs, struct error *err)
{
    struct wire_token token;
    *pairs = wire_reader_of (body);
    *count = 0;
    if (body.size == 0)
        return 0;
    if (!wire_next (pairs, &token) || token.type != TOKEN_MAP)
        return damaged (err);
    *count = token.count;
    return 0;
}

static int
render_body (const struct event_change *change, enum topic topic, int64_t number, struct buf *out, struct error *err)
{
    struct wire_reader pairs;
    uint32_t count;
    if (open_body (change->body, &count, &pairs, err) < 0)
        return -1;
    const uint8_t *from = pairs.at;
    for (uint32_t i = 0; i < 2 * count; i++)
        if (!wire_skip (&pairs, WIRE_FOREIGN_DEPTH_MAX))
            return damaged (err);
    if (pairs.at != pairs.end)
        return damaged (err);
    envelope (change, topic, number, count, out);
    wire_write_raw (out, (struct str){ (const char *)from, (uint32_t)(pairs.at - from) });
    return 0;
}

static bool
is_personal (struct str key)
{
    struct wire_token token;
    if (!wire_token_of (key, &token) || token.type != TOKEN_STR)
        return false;
    for (size_t i = 0; i < sizeof PERSONAL / sizeof PERSONAL[0]; i++)
        if (str_equal (token.text, str_of (PERSONAL[i])))
            return true;
    return false;
}

/* Copies a value without what is personal in it, at any depth that bodies have. */
static int
forget_value (struct str value, unsigned depth, struct buf *out, struct error *err)
{
    struct wire_reader reader = wire_reader_of (value);
    struct wire_token token;
    struct str key, part;
    if (!wire_next (&reader, &token))
        return damaged (err);
    if ((token.type != TOKEN_MAP && token.type != TOKEN_ARRAY) || depth == 0) {
        wire_write_raw (out, value);
        return 0;
    }
    struct wire_reader start = reader;
    uint32_t kept = token.count;
    for (uint32_t i = 0; token.type == TOKEN_MAP && i < token.count; i++) {
        if (!wire_slice (&reader, 0, &key) || !wire_slice (&reader, WIRE_FOREIGN_DEPTH_MAX, &part))
            return damaged (err);
        kept -= is_personal (key);
    }
    reader = start;
    if (token.type == TOKEN_MAP)
        wire_write_map (out, kept);
    else
        wire_write_array (out, kept);
    for (uint32_t i = 0; i < token.count; i++) {
        if (token.type == TOKEN_MAP && !wire_slice (&reader, 0, &key))
            return damaged (err);
        if (!wire_slice (&reader, WIRE_FOREIGN_DEPTH_MAX, &part))
            return damaged (err);
        if (token.type == TOKEN_MAP && is_personal (key))
            continue;
        if (token.type == TOKEN_MAP)
            wire_write_raw (out, key);
        if (forget_value (part, depth - 1, out, err) < 0)
            return -1;
    }
    return 0;
}

enum { BODY_DEPTH = 3 };

int
event_body_forget (struct str body, struct buf *out, struct error *err)
{
    if (body.size == 0)
        return 0;
    if (forget_value (body, BODY_DEPTH, out, err) < 0)
        return -1;
    return out->failed ? error_set (err, ERROR_INTERNAL, "out of memory for an event") : 0;
}

/* ---- all */

int
event_render (const struct event_change *change, enum topic topic, int64_t number, unsigned currency_digits,
              struct buf *out, struct error *err)
{
    size_t start = out->size;
    int status = 0;
    if (change->is_damaged)
        in_short (change, topic, number, STR ("damaged"), out);
    else if (change->order_ref != 0 && change->record == NULL)
        in_short (change, topic, number, STR ("retention"), out);
    else if (change->record != NULL)
        status = render_order_event (change, topic, number, currency_digits, out, err);
    else
        status = render_body (change, topic, number, out, err);
    if (status < 0) {
        log_error ("event %lld (%s): %s", (long long)number, topic_name (topic), err->message);
        out->size = start;
        in_short (change, topic, number, STR ("damaged"), out);
    }
    if (change->record != NULL && out->size - start > EVENT_BYTES_MAX) {
        out->size = start;
        order_in_short (change, topic, number, currency_digits, out);
    }
    if (out->size - start > EVENT_BYTES_MAX) {
        out->size = start;
        in_short (change, topic, number, STR ("size"), out);
    }
    return out->failed ? error_set (err, ERROR_INTERNAL, "out of memory for an event") : 0;
}
