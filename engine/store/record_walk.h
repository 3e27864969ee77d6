/* record_walk.h - the walk over all fields of an order's record, in the one order in which they are stored. */
#ifndef STORE_RECORD_WALK_H
#define STORE_RECORD_WALK_H

#include "store/record.h"
#include "store/record_io.h"

/* Writes or reads every field (as io says). Judge io->bad afterwards. */
void record_walk (struct record_io *io, struct order_record *record);

/* Its parts: the order as asked and the state that was read; what was decided. */
void record_walk_order (struct record_io *io, struct order *order, int64_t recorded);
void record_walk_evaluation (struct record_io *io, const struct order *order, struct evaluation *evaluation);

/* A list of taxes with their amounts. */
void record_walk_taxes (struct record_io *io, const struct tax_amount **taxes, uint32_t *count);
/* A card's id and program: short for one of the order's cards, whose index is returned, -1 for another one. */
int32_t record_walk_card (struct record_io *io, const struct order *order, int64_t *card_id, int64_t *program_id);

#endif
