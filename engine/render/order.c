/* order.c - an order as its reply tells it, from its record. */
#include "render/order_parts.h"
#include "wire/msgpack.h"

#include <stdio.h>

enum { OWN_FIELDS = 3, BODY_FIELDS = 10 };

static void
result (const struct renderer *to, bool replayed)
{
    const struct order_record *record = to->record;
    const struct order *order = &record->order;
    bool returns = order_has_returns (record), meta = order->meta.size > 0, charged = order->has_charged_total;
    wire_write_map (to->out, OWN_FIELDS + ORDER_HEAD_FIELDS + BODY_FIELDS + (returns ? ORDER_RETURN_FIELDS : 0) +
                                 order->explain + charged + meta);
    render_text (to->out, "order_id", order->order_id);
    render_bool (to->out, "replayed", replayed);
    render_time (to->out, "date", order->instant);
    order_head (to);
    order_taxes (to, record->evaluation.tax_count, record->evaluation.taxes);
    order_lines (to);
    order_discounts (to);
    order_claims (to);
    order_points (to, false);
    order_cards (to);
    order_referrals (to);
    order_membership (to);
    order_hints (to);
    order_warnings (to);
    if (returns)
        order_returned (to);
    if (order->explain)
        order_rejected (to);
    if (charged)
        order_money (to, "charged_total", order->charged_total_minor);
    if (meta) {
        wire_write_cstr (to->out, "meta");
        wire_write_raw (to->out, order->meta);
    }
}

void
render_order (const struct order_record *record, unsigned currency_digits, bool replayed, struct buf *out)
{
    struct renderer to = { out, currency_digits, record->kind == RECORD_CANCEL ? -1 : 1, record };
    wire_write_map (out, 2);
    wire_write_cstr (out, "ok");
    wire_write_bool (out, true);
    wire_write_cstr (out, "result");
    result (&to, replayed);
}

void
render_record (const struct order_record *record, unsigned currency_digits, struct buf *out)
{
    struct renderer to = { out, currency_digits, record->kind == RECORD_CANCEL ? -1 : 1, record };
    result (&to, false);
}

void
render_price_changed (const struct order_record *record, unsigned currency_digits, struct buf *out)
{
    struct renderer to = { out, currency_digits, 1, record };
    char message[160], expected[DECIMAL_TEXT_MAX], total[DECIMAL_TEXT_MAX];
    struct str text = { message, 0 };
    decimal_format (record->order.expected_total_minor, currency_digits, currency_digits, expected);
    decimal_format (record->evaluation.total_minor, currency_digits, currency_digits, total);
    text.size = (uint32_t)snprintf (message, sizeof message,
                                    "the order costs %s, not the expected %s; nothing was written", total, expected);

    wire_write_map (out, 2);
    wire_write_cstr (out, "ok");
    wire_write_bool (out, false);
    wire_write_cstr (out, "error");
    wire_write_map (out, 4);
    render_text (out, "code", str_of (error_code_name (ERROR_PRICE_CHANGED)));
    render_text (out, "message", text);
    render_bool (out, "retryable", false);
    wire_write_cstr (out, "details");
    wire_write_map (out, 3);
    render_text (out, "expected_total", str_of (expected));
    render_text (out, "amount_total", str_of (total));
    wire_write_cstr (out, "quote");
    result (&to, false);
}
