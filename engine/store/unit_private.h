/* unit_private.h - what the files of the unit of work share. */
#ifndef STORE_UNIT_PRIVATE_H
#define STORE_UNIT_PRIVATE_H

#include "store/unit.h"

/* Room for one more in an array of the arena; false when memory ran out. */
bool unit_grow (struct arena *arena, void **array, uint32_t count, uint32_t *capacity, size_t size);

/* A card's entry at the end of the table, in the indexes too. NULL: out of memory. */
struct unit_card *unit_card_append (struct unit *unit, int64_t card_id, bool has_partner, int64_t partner_id);

static inline struct pg_params
unit_params (struct unit *unit)
{
    return (struct pg_params){ .arena = unit->arena };
}

#endif
