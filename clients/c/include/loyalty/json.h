/* loyalty/json.h - JSON (Jansson) to MessagePack and back, and calls with JSON on both sides.
 *
 * To MessagePack: objects, lists, strings, integers, true, false and null as they are; a JSON number with
 * decimals becomes a 64-bit float, which the engine reads by its shortest decimal form (exact up to 15
 * digits; send decimals as strings where there may be more).
 * To JSON: strings, numbers, lists and maps as they are; binary as text in hexadecimal; NaN and infinities
 * as null; map keys that are integers as their digits; integers above INT64_MAX as text. */
#ifndef LOYALTY_JSON_H
#define LOYALTY_JSON_H

#include "loyalty/client.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The MessagePack bytes of `value`, to be freed with free(); NULL with `error` filled: invalid_request
 * (nested deeper than 32), internal (no memory). */
LOYALTY_API void *loyalty_json_encode (const json_t *value, size_t *size, struct loyalty_error *error);

/* The JSON of one MessagePack value, a new reference; NULL with `error` filled: invalid_request (cut short, bytes
 * left over, nested deeper than 32, a map key that is neither text nor integer, text that is not UTF-8). */
LOYALTY_API json_t *loyalty_json_decode (const void *bytes, size_t size, struct loyalty_error *error);

/* loyalty_call with JSON: `body` NULL is an empty one; `request` (method, key, timeout and so on) is used but for
 * its body. The result, a new reference; or NULL with `error` filled, and, where `details` is not NULL,
 * *details the error's details as JSON (a new reference; NULL where there are none). */
LOYALTY_API json_t *loyalty_call_json (struct loyalty_client *client, const struct loyalty_request *request,
                                       const json_t *body, json_t **details, struct loyalty_error *error);

#ifdef __cplusplus
}
#endif
#endif
