/* program_check.h - what the files that check a program share: refusing a field by its path. */
#ifndef DOMAIN_PROGRAM_CHECK_H
#define DOMAIN_PROGRAM_CHECK_H

#include "domain/catalog.h"
#include "domain/text.h"

/* Where in the program the checker is looking: "rules[2]." */
struct program_place {
    char path[64];
};

struct program_place program_place (const char *list, uint32_t index);
/* invalid_request about a field of the place (NULL: of the program itself). Always -1. */
int program_refuse (struct error *err, const struct program_place *place, const char *field, const char *why);

/* One of the program's rewards; -1 with err. */
int reward_check (const struct program *program, uint32_t index, unsigned currency_digits, struct error *err);

#endif
