/* keys.c - the names of the codes, keys, and the affinity hint. */
#include "loyalty/client.h"
#include "loyalty/value.h"
#include "base/error.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* The public codes are those of the one table, in its order. */
#define X(id, name, retryable, text) _Static_assert((int)LOYALTY_##id == (int)ERROR_##id, name);
ERROR_CODES (X)
#undef X
_Static_assert(LOYALTY_INTERNAL + 1 == (int)ERROR_CODE_COUNT, "every code of the table is public");

const char *
loyalty_code_name (enum loyalty_code code)
{
    return error_code_name ((enum error_code)code);
}

int
loyalty_key_make (char key[LOYALTY_KEY_SIZE])
{
    uint8_t bytes[16];
    if (getrandom (bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -1;
    bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4 */
    bytes[8] = (bytes[8] & 0x3f) | 0x80; /* the variant of RFC 4122 */
    char *at = key;
    for (unsigned i = 0; i < sizeof bytes; i++)
        at += sprintf (at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
    return 0;
}

/* The code by which a body names a card: its own, or that of the first card it presents. */
static bool
find_card_code (const void *body, size_t size, struct loyalty_value *code)
{
    if (loyalty_find (body, size, "code", code) && code->type == LOYALTY_STRING)
        return true;
    if (!loyalty_find (body, size, "cards[0]", code))
        return false;
    if (code->type == LOYALTY_STRING)
        return true;
    return loyalty_find (code->start, (size_t)(code->limit - code->start), "code", code) &&
           code->type == LOYALTY_STRING;
}

uint64_t
loyalty_affinity (const void *body, size_t size)
{
    struct loyalty_value value;
    char digits[24];
    if (body == NULL || size == 0)
        return 0;
    if (loyalty_find (body, size, "partner_id", &value) && value.type == LOYALTY_INT)
        return fnv1a64_int (value.integer);
    if (find_card_code (body, size, &value))
        return fnv1a64 (value.data, value.size);
    if (!loyalty_find (body, size, "order_id", &value))
        return 0;
    if (value.type == LOYALTY_STRING)
        return fnv1a64 (value.data, value.size);
    if (value.type == LOYALTY_INT && loyalty_value_text (&value, digits, sizeof digits))
        return fnv1a64 (digits, strlen (digits));
    return 0;
}
