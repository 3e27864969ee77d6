/* program_decode.h - a program as it came over the wire (or was stored) into the domain's form. */
#ifndef WORKER_PROGRAM_DECODE_H
#define WORKER_PROGRAM_DECODE_H

#include "domain/catalog.h"
#include "wire/schemas.h"

/* Fills *program from a record of SCHEMA_PROGRAM; all of it in the arena: the record may go. -1:
 * invalid_request by path (hours that are no times), or too_large when the arena is exhausted. What contradicts itself is
 * found by program_check. */
int program_from_record (const struct wire_record *record, struct arena *arena, struct program *program,
                         struct error *err);

/* Ids sorted ascending, without doubles. data NULL with count > 0: out of memory. */
struct id_list id_list_of (const struct wire_value *value, struct arena *arena);

#endif
