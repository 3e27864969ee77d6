/* role.h - the roles that keys have, each once: what a peer may do is said by the roles of the key it shows. */
#ifndef WIRE_ROLE_H
#define WIRE_ROLE_H

#include "base/arena.h"
#include "base/error.h"

/* X (identifier, bit, name, meaning) */
#define ROLE_LIST(X)                                                                                \
    X (TILL, 1, "till", "sells: prices and processes orders, makes cards, looks at what there is")   \
    X (ODOO, 2, "odoo", "the shop's backend: also programs, reference data, corrections")            \
    X (MONITOR, 4, "monitor", "looks at figures and at the event feed")                              \
    X (ADMIN, 8, "admin", "everything that a client can do")                                         \
    X (WORKER, 16, "worker", "a worker of the engine itself: the workers' port, and nothing else")

enum role {
#define X(id, bit, name, meaning) ROLE_##id = bit,
    ROLE_LIST (X)
#undef X
};

#define ROLES_ANY (ROLE_TILL | ROLE_ODOO | ROLE_MONITOR | ROLE_ADMIN)
#define ROLES_SALES (ROLE_TILL | ROLE_ODOO | ROLE_ADMIN)
#define ROLES_OFFICE (ROLE_ODOO | ROLE_ADMIN)
#define ROLES_FEED (ROLE_ODOO | ROLE_MONITOR | ROLE_ADMIN)

enum { ROLES_TEXT_MAX = 64 };

/* The roles of a text like "till, odoo". -1 with `err` (invalid_request): none, or one that there is not. */
int roles_read (struct str text, unsigned *roles, struct error *err);

/* The same text back, in the table's order. Returns `text`. */
const char *roles_text (unsigned roles, char text[ROLES_TEXT_MAX]);

#endif
