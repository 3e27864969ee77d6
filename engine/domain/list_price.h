/* list_price.h - what a line would have cost without the discount given by hand (SEMANTICS 33). */
#ifndef DOMAIN_LIST_PRICE_H
#define DOMAIN_LIST_PRICE_H

#include "domain/order.h"

/* The line's price × quantity, taxes included and each rounded on the line, in minor units of a currency with `digits`.
 * -1: invalid_request (out of range), internal (the arena is exhausted). */
int list_price (const struct order_line *line, unsigned digits, struct arena *arena, int64_t *total_minor,
                struct error *err);

#endif
