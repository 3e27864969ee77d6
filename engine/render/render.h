/* render.h - answers from what was done: one function renders an order's reply from its record, now or years later. */
#ifndef RENDER_RENDER_H
#define RENDER_RENDER_H

#include "store/record.h"

/* Appends a reply body {ok: true, result: …} for an order's record; docs/protocol.md, "Answers of orders". A
 * cancellation is rendered with the signs of the order it undid reversed. */
void render_order (const struct order_record *record, unsigned currency_digits, bool replayed, struct buf *out);

/* Appends the result alone, a map. */
void render_record (const struct order_record *record, unsigned currency_digits, struct buf *out);

/* Appends the whole body of a price_changed error: details.quote is the order as it would be answered now. */
void render_price_changed (const struct order_record *record, unsigned currency_digits, struct buf *out);

/* Opens a reply body {ok: true, result: {…}} whose result is a map of `fields` pairs, which the caller writes. */
void render_ok (struct buf *out, uint32_t fields);

/* "name": value pairs of the caller's map. */
void render_text (struct buf *out, const char *name, struct str value);
void render_int (struct buf *out, const char *name, int64_t value);
void render_bool (struct buf *out, const char *name, bool value);
void render_points (struct buf *out, const char *name, int64_t points);
void render_time (struct buf *out, const char *name, int64_t instant);
void render_nil (struct buf *out, const char *name);

#endif
