/* store_record_sample.h - records for tests: one as a shop would make it, any number of random ones, and their comparison. */
#ifndef TEST_UNIT_STORE_RECORD_SAMPLE_H
#define TEST_UNIT_STORE_RECORD_SAMPLE_H

#include "store/record.h"
#include "support/random.h"

/* A realistic order of `lines` lines: 21 % tax, a member with a loyalty card that earns, one discount of 10 %. */
void sample_order (struct order_record *record, uint32_t lines, struct arena *arena);

/* A record of random size in which every field has a random value that it may have, also ones far from what a real
 * order could hold. */
void sample_random (struct order_record *record, struct random *random, struct arena *arena);

/* NULL when the records are equal in every field, else the first field that differs. */
const char *sample_compare (const struct order_record *a, const struct order_record *b);

#endif
