/* refund_state.h - an original order as a refund needs it, rebuilt from its record and those of its refunds so far. */
#ifndef STORE_REFUND_STATE_H
#define STORE_REFUND_STATE_H

#include "store/record.h"

/* Fills `original` from the order's record, and what was taken of it from the records of the refunds of it that stand
 * (cancelled ones are left out by the caller; records of other orders, and parts of a refund that are about other
 * originals, count nothing). `digits` are the currency's. Borrows from the records. `original->cancelled` stays
 * false: that is the order row's to say. -1: internal, when memory ran out or the records contradict each other (more was taken than there was). */
int refund_original_from_records (const struct order_record *order, const struct order_record *const *refunds,
                                  uint32_t refund_count, unsigned digits, struct arena *arena,
                                  struct original *original, struct error *err);

#endif
