/* fsck_orders.h - the orders' records, decoded into temporary tables, so that checks in SQL can compare them. */
#ifndef LOYALTY_FSCK_ORDERS_H
#define LOYALTY_FSCK_ORDERS_H

#include "base/error.h"

#include <libpq-fe.h>
#include <stdint.h>

/* Makes the (empty) temporary tables; before the transaction, which only reads:
 * fsck_orders (order_ref, order_id), fsck_effects (order_ref, card_id, earned, redeemed, taken_back, given_back),
 * fsck_uses (order_ref, program_id, kind, amount), fsck_wholes (order_ref, original_ref),
 * fsck_damage (order_ref, figure, expected, found). */
int fsck_orders_prepare (PGconn *db, struct error *err);

/* Reads every order with a cursor, within the transaction, and fills the tables. `progress` (may be NULL) is called
 * now and then with the number of orders so far. *count: orders read. */
int fsck_orders_read (PGconn *db, void (*progress) (int64_t count), int64_t *count, struct error *err);

#endif
