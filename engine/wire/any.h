/* any.h - values of no schema (WIRE_ANY): what they may hold, and the one form in which they are hashed.
 *
 * They may hold what JSON can say: null, booleans, integers of 64 bits, finite floats, strings, lists, and
 * maps with distinct strings as keys; strings are UTF-8 without NUL. Private to wire. */
#ifndef WIRE_ANY_H
#define WIRE_ANY_H

#include "wire/msgpack.h"
#include "wire/schema.h"

/* Takes one value, nested at most `depth_max` containers deep. NULL when it is as said above; else what is
 * wrong with it, as the end of a sentence. */
const char *any_check (struct wire_reader *reader, unsigned depth_max);

/* Appends the canonical bytes of a value that any_check has passed:
 *
 *   any   n null | f false | t true
 *         i integer     8 bytes, little-endian two's complement
 *         u integer above 2^63 - 1, as 8 bytes
 *         d float       8 bytes of IEEE 754, little-endian (a float 32 by its shortest decimal form)
 *         s string      length (4 bytes, little-endian), bytes
 *         l list        count (4 bytes), the elements
 *         m map         count (4 bytes), for each key by its bytes, the shorter first: length, bytes, value
 *
 * A float without a fraction that fits 64 bits counts as an integer: JSON cannot tell them apart. */
typedef void any_sink (void *sink, const void *bytes, size_t size);
void any_canonical (struct wire_reader *reader, any_sink *append, void *sink);

#endif
