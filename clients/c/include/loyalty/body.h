/* loyalty/body.h - builds a request's body (a MessagePack map) field by field, without counting first.
 *
 *     struct loyalty_body *body = loyalty_body_new ();
 *     loyalty_body_string (body, "order_id", "SHOP1-0001");
 *     loyalty_body_int (body, "partner_id", 42);
 *     loyalty_body_list (body, "lines");
 *     loyalty_body_map (body, NULL);
 *     loyalty_body_int (body, "product_id", 7);
 *     loyalty_body_string (body, "qty", "2");
 *     loyalty_body_string (body, "price_unit", "12.50");
 *     loyalty_body_end (body); // the line
 *     loyalty_body_end (body); // lines
 *     size_t size;
 *     const void *bytes = loyalty_body_bytes (body, &size); // NULL: something above was wrong
 *
 * `name` is the field's name within a map and NULL within a list. Decimals (money, quantities, points) go as
 * text, exactly as they are to be read. A mistake (a name within a list, one end too many, no memory) makes
 * the body fail as a whole, which loyalty_body_bytes tells, so that single calls need no checks. */
#ifndef LOYALTY_BODY_H
#define LOYALTY_BODY_H

#include "loyalty/client.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loyalty_body;

/* An empty body, its map open; NULL: no memory. */
LOYALTY_API struct loyalty_body *loyalty_body_new (void);
/* Frees it and sets *body to NULL; NULL is fine. */
LOYALTY_API void loyalty_body_destroy (struct loyalty_body **body);
/* Forgets all fields, for the next request. */
LOYALTY_API void loyalty_body_clear (struct loyalty_body *body);

/* Text in UTF-8; also decimals ("12.50") and times ("2010-12-16T08:03:00Z"). */
LOYALTY_API void loyalty_body_string (struct loyalty_body *body, const char *name, const char *text);
LOYALTY_API void loyalty_body_int (struct loyalty_body *body, const char *name, int64_t number);
LOYALTY_API void loyalty_body_bool (struct loyalty_body *body, const char *name, bool value);
LOYALTY_API void loyalty_body_null (struct loyalty_body *body, const char *name);
/* `units` × 10^-digits as text: loyalty_body_decimal (body, "price_unit", 1250, 2) writes "12.50". digits <= 18. */
LOYALTY_API void loyalty_body_decimal (struct loyalty_body *body, const char *name, int64_t units, unsigned digits);
/* A value that is MessagePack already: exactly one, which is not checked. */
LOYALTY_API void loyalty_body_raw (struct loyalty_body *body, const char *name, const void *bytes, size_t size);

/* Open a map or a list inside; closed by loyalty_body_end. At most 16 deep (the engine takes 8). */
LOYALTY_API void loyalty_body_map (struct loyalty_body *body, const char *name);
LOYALTY_API void loyalty_body_list (struct loyalty_body *body, const char *name);
LOYALTY_API void loyalty_body_end (struct loyalty_body *body);

/* The finished body, borrowed until it is changed or destroyed; NULL when something failed or is still open. */
LOYALTY_API const void *loyalty_body_bytes (const struct loyalty_body *body, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
