/* fuzz_record.c - libFuzzer over the decoder of stored records. The input is a record without its check, which is added
 * here, so that the fuzzer gets past it. What can be read can be written again and reads as the same bytes. */
#include "base/hash.h"
#include "store/refund_state.h"

#include <stdlib.h>

enum { ARENA_LIMIT = 32 << 20 };

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
fail_unless (bool condition)
{
    if (!condition)
        abort ();
}

static bool
decode (struct buf *bytes, struct arena *arena, struct order_record *record)
{
    struct error err;
    return order_record_decode ((struct str){ (const char *)bytes->data, (uint32_t)bytes->size }, arena, record,
                                &err) == 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    struct buf given = { 0 }, first = { 0 }, second = { 0 };
    struct order_record record;
    struct original original;
    struct error err;
    struct arena *arena = arena_new (ARENA_LIMIT);
    if (arena == NULL || size == 0)
        goto end;
    buf_byte (&given, RECORD_FORM | (data[0] & RECORD_COMPRESSED));
    buf_append (&given, data + 1, size - 1);
    uint32_t check = (uint32_t)fnv1a64 (given.data, given.size);
    for (unsigned i = 0; i < 4; i++)
        buf_byte (&given, (uint8_t)(check >> 8 * i));
    if (!decode (&given, arena, &record))
        goto end;
    const struct order_record *refunds[] = { &record };
    refund_original_from_records (&record, refunds, 1, 2, arena, &original, &err);
    fail_unless (order_record_encode (&record, &first, &err) == 0);
    if (!decode (&first, arena, &record)) /* the arena may be used up by now */
        goto end;
    fail_unless (order_record_encode (&record, &second, &err) == 0);
    fail_unless (first.size == second.size && memcmp (first.data, second.data, first.size) == 0);
end:
    buf_free (&given);
    buf_free (&first);
    buf_free (&second);
    arena_destroy (&arena);
    return 0;
}
