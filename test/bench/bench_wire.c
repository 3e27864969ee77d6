/* bench_wire.c - how long a body takes to decode and to hash: an order of 5 lines, one of 542, and the same in
 * other forms. Prints figures; fails on none. */
#include "base/clock.h"
#include "wire/method.h"
#include "wire/msgpack.h"

#include <stdio.h>
#include <stdlib.h>

enum form { FORM_STRINGS, FORM_INTEGERS, FORM_FLOATS, FORM_UNORDERED };
static const char *const FORMS[] = { "decimals as strings", "as integers", "as floats", "keys in no order" };

static void
write_amount (struct buf *body, enum form form, int amount)
{
    if (form == FORM_INTEGERS)
        wire_write_int (body, amount);
    else if (form == FORM_FLOATS)
        wire_write_double (body, amount + 0.25);
    else
        wire_write_decimal (body, amount * 100 + 25, 2, 2);
}

static void
write_line (struct buf *body, enum form form, int number)
{
    char line_id[16];
    snprintf (line_id, sizeof line_id, "%d", number);
    wire_write_map (body, 5);
    if (form == FORM_UNORDERED) {
        wire_write_cstr (body, "taxes");
        wire_write_array (body, 0);
        wire_write_cstr (body, "price_unit");
        write_amount (body, form, 12);
    }
    wire_write_cstr (body, "line_id");
    wire_write_cstr (body, line_id);
    wire_write_cstr (body, "product_id");
    wire_write_int (body, 10000 + number);
    wire_write_cstr (body, "qty");
    write_amount (body, form, 1 + number % 3);
    if (form == FORM_UNORDERED)
        return;
    wire_write_cstr (body, "price_unit");
    write_amount (body, form, 12);
    wire_write_cstr (body, "taxes");
    wire_write_array (body, 1);
    wire_write_map (body, 3);
    wire_write_cstr (body, "id");
    wire_write_int (body, 1);
    wire_write_cstr (body, "amount");
    write_amount (body, form, 21);
    wire_write_cstr (body, "included");
    wire_write_bool (body, true);
}

static void
write_order (struct buf *body, enum form form, int lines)
{
    wire_write_map (body, 6);
    wire_write_cstr (body, "order_id");
    wire_write_cstr (body, "Shop/0001/00042-017-0003");
    wire_write_cstr (body, "channel");
    wire_write_cstr (body, "pos");
    wire_write_cstr (body, "store_id");
    wire_write_int (body, 3);
    wire_write_cstr (body, "date");
    wire_write_cstr (body, "2010-12-16T08:03:00+01:00");
    wire_write_cstr (body, "partner_id");
    wire_write_int (body, 123456);
    wire_write_cstr (body, "lines");
    wire_write_array (body, (uint32_t)lines);
    for (int i = 0; i < lines; i++)
        write_line (body, form, i);
}

static void
measure (enum form form, int lines, int rounds)
{
    struct arena *arena = arena_new (16 * 1024 * 1024);
    struct buf body = { 0 };
    struct error err = { .code = ERROR_NONE };
    uint8_t hash[WIRE_HASH_BYTES];
    int64_t decode_us = 0, hash_us = 0;
    write_order (&body, form, lines);
    struct str bytes = { (const char *)body.data, (uint32_t)body.size };
    for (int round = 0; round < rounds && arena != NULL; round++) {
        enum { BATCH = 64 }; /* as many as a worker takes at once share one arena */
        struct wire_record *records[BATCH];
        arena_reset (arena);
        int64_t start_us = clock_monotonic_us ();
        for (int i = 0; i < BATCH; i++)
            if ((records[i] = wire_decode (&SCHEMA_ORDER, bytes, 2, arena, &err)) == NULL) {
                fprintf (stderr, "bench-wire: %s\n", err.message);
                exit (1);
            }
        int64_t decoded_us = clock_monotonic_us ();
        for (int i = 0; i < BATCH; i++)
            wire_hash (records[i], hash);
        hash_us += clock_monotonic_us () - decoded_us;
        decode_us += decoded_us - start_us;
    }
    double count = rounds * 64.0;
    printf ("%4d lines, %-20s %6zu bytes: decode %7.2f us, hash %7.2f us\n", lines, FORMS[form], body.size,
            (double)decode_us / count, (double)hash_us / count);
    buf_free (&body);
    arena_destroy (&arena);
}

int
main (void)
{
    for (enum form form = FORM_STRINGS; form <= FORM_UNORDERED; form++)
        measure (form, 5, 2000);
    for (enum form form = FORM_STRINGS; form <= FORM_UNORDERED; form++)
        measure (form, 542, 20);
    return 0;
}
