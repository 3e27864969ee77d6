/* failure.h - filling in a struct loyalty_error, also from a reply's body. */
#ifndef CLIENT_FAILURE_H
#define CLIENT_FAILURE_H

#include "loyalty/client.h"
#include "base/arena.h"

/* Sets code, name and message and clears the rest. `error` may be NULL. Always returns -1. */
int failure_set (struct loyalty_error *error, enum loyalty_code code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Reads a reply's body. True: it is ok, and *result the bytes of its result. False: *error says why, *details
 * are the bytes of the error's details (empty: none); a body that is no reply is `internal`, outcome unknown. */
bool failure_read_reply (struct str body, struct str *result, struct str *details, struct loyalty_error *error);

#endif
