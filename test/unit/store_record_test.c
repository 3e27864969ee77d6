/* store_record_test.c - the stored record of an order: what is written is read, and what is damaged is refused. */
#include "base/hash.h"
#include "unit/store_record_sample.h"

#include <criterion/criterion.h>

enum { RANDOM_RECORDS = 3000, ARENA_LIMIT = 64 << 20 };

static struct arena *arena;
static struct buf buf;
static struct error err;

static void
setup (void)
{
    arena = arena_new (ARENA_LIMIT);
    buf = (struct buf){ 0 };
    err = (struct error){ 0 };
}

static void
teardown (void)
{
    arena_destroy (&arena);
    buf_free (&buf);
}

TestSuite (record, .init = setup, .fini = teardown);

static struct str
encode (const struct order_record *record)
{
    buf_clear (&buf);
    cr_assert_eq (order_record_encode (record, &buf, &err), 0, "%s", err.message);
    return (struct str){ (const char *)buf.data, (uint32_t)buf.size };
}

static void
expect_damaged (struct str bytes)
{
    struct order_record record;
    err.code = ERROR_NONE;
    cr_assert_eq (order_record_decode (bytes, arena, &record, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
}

/* Writes the check anew, as if the bytes had been stored so. */
static void
check_again (uint8_t *bytes, size_t size)
{
    uint32_t check = (uint32_t)fnv1a64 (bytes, size - 4);
    for (unsigned i = 0; i < 4; i++)
        bytes[size - 4 + i] = (uint8_t)(check >> 8 * i);
}

/* ---------------------------------------------------------------- what is written is read */

Test (record, a_real_order_comes_back)
{
    struct order_record record, read;
    sample_order (&record, 5, arena);
    struct str bytes = encode (&record);
    cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0, "%s", err.message);
    const char *difference = sample_compare (&record, &read);
    cr_assert_null (difference, "%s", difference);
}

Test (record, what_was_read_does_not_borrow_from_the_bytes)
{
    struct order_record record, read;
    sample_order (&record, 5, arena);
    struct str bytes = encode (&record);
    cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0);
    memset (buf.data, 0xaa, buf.size);
    const char *difference = sample_compare (&record, &read);
    cr_assert_null (difference, "%s", difference);
}

Test (record, random_records_come_back)
{
    struct random random = { 20101201 };
    unsigned compressed = 0;
    for (unsigned i = 0; i < RANDOM_RECORDS; i++) {
        struct order_record record, read;
        sample_random (&record, &random, arena);
        struct str bytes = encode (&record);
        compressed += (bytes.data[0] & RECORD_COMPRESSED) != 0;
        cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0, "record %u: %s", i, err.message);
        const char *difference = sample_compare (&record, &read);
        cr_assert_null (difference, "record %u: %s", i, difference);
        arena_reset (arena);
    }
    cr_assert (compressed > RANDOM_RECORDS / 20 && compressed < RANDOM_RECORDS * 19 / 20, "%u compressed", compressed);
}

Test (record, it_is_appended)
{
    struct order_record record, read;
    sample_order (&record, 21, arena);
    buf_append (&buf, "before", 6);
    cr_assert_eq (order_record_encode (&record, &buf, &err), 0);
    cr_assert_eq (memcmp (buf.data, "before", 6), 0);
    struct str bytes = { (const char *)buf.data + 6, (uint32_t)buf.size - 6 };
    cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0);
    cr_assert_null (sample_compare (&record, &read));
}

Test (record, it_is_small)
{
    struct order_record record;
    sample_order (&record, 5, arena);
    uint32_t five = encode (&record).size;
    sample_order (&record, 21, arena);
    uint32_t many = encode (&record).size;
    cr_log_info ("5 lines: %u bytes, 21 lines: %u bytes", five, many);
    cr_assert_lt (five, 280);
    cr_assert_lt (many, 620);
}

Test (record, many_like_lines_are_compressed)
{
    struct order_record record, read;
    sample_order (&record, 1000, arena);
    for (uint32_t i = 1; i < 1000; i++) {
        record.order.lines[i].product_id = record.order.lines[0].product_id;
        record.order.lines[i].price_unit_micro = record.order.lines[0].price_unit_micro;
    }
    struct str bytes = encode (&record);
    cr_assert (bytes.data[0] & RECORD_COMPRESSED);
    cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0, "%s", err.message);
    cr_assert_null (sample_compare (&record, &read));
}

Test (record, a_plan_is_kept_with_its_originals)
{
    static const struct tax_amount TAXES[] = { { 5, 20 } };
    struct original_line lines[] = { { .line_id = STR ("x") }, { .line_id = STR ("y") } };
    struct original originals[] = { { .order_id = STR ("A"), .order_ref = 11 },
                                    { .order_id = STR ("B"), .order_ref = 12, .line_count = 2, .lines = lines } };
    struct refund_part part = { 0, 1, 1, 2 * MICRO, 120, 100, 1, TAXES };
    struct refund_uncovered uncovered = { 1, MICRO };
    struct refund_points points = { .original = 1, .card_id = 9, .program_id = 3, .take_back = 40, .give_back = 5 };
    struct refund_plan plan = { 1, 1, 1, &part, &uncovered, &points };
    struct order_record record, read;
    sample_order (&record, 2, arena);
    record.kind = RECORD_REFUND;
    cr_assert_eq (order_record_set_plan (&record, &plan, originals, arena), 0);
    struct str bytes = encode (&record);
    cr_assert_eq (order_record_decode (bytes, arena, &read, &err), 0);
    cr_assert_null (sample_compare (&record, &read));
    const struct record_part *kept = &read.refund.parts[0];
    cr_assert (str_equal (read.refund.originals[kept->original].order_id, STR ("B")));
    cr_assert_eq (read.refund.originals[kept->original].order_ref, 12);
    cr_assert (str_equal (kept->line_id, STR ("y")));
    cr_assert_eq (kept->taxes[0].amount_minor, 20);
    cr_assert_eq (read.refund.uncovered[0].line, 1);
    cr_assert_eq (read.refund.points[0].take_back, 40);
}

/* ---------------------------------------------------------------- bounds of what is written */

Test (record, too_many_lines_are_not_written)
{
    struct order_record record;
    sample_order (&record, RECORD_LINES_MAX, arena);
    encode (&record);
    sample_order (&record, RECORD_LINES_MAX + 1, arena);
    cr_assert_eq (order_record_encode (&record, &buf, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
}

Test (record, an_index_out_of_bounds_is_not_written)
{
    struct order_record record;
    sample_order (&record, 2, arena);
    ((struct discount_part *)record.evaluation.discounts[0].parts)[1].line = 2;
    cr_assert_eq (order_record_encode (&record, &buf, &err), -1);
    cr_assert_eq (err.code, ERROR_INTERNAL);
}

/* ---------------------------------------------------------------- what is damaged is refused */

Test (record, cut_anywhere_it_is_damaged)
{
    for (uint32_t lines = 1; lines <= 21; lines += 20) {
        struct order_record record;
        sample_order (&record, lines, arena);
        struct str bytes = encode (&record);
        for (uint32_t size = 0; size < bytes.size; size++)
            expect_damaged ((struct str){ bytes.data, size });
    }
}

Test (record, cut_anywhere_and_checked_again_it_is_damaged)
{
    struct order_record record;
    sample_order (&record, 3, arena);
    struct str bytes = encode (&record);
    cr_assert_not (bytes.data[0] & RECORD_COMPRESSED);
    for (uint32_t size = 5; size < bytes.size; size++) {
        uint8_t *cut = arena_alloc (arena, size);
        memcpy (cut, bytes.data, size);
        check_again (cut, size);
        expect_damaged ((struct str){ (const char *)cut, size });
    }
}

Test (record, any_flipped_bit_is_noticed)
{
    for (uint32_t lines = 1; lines <= 21; lines += 20) {
        struct order_record record;
        sample_order (&record, lines, arena);
        struct str bytes = encode (&record);
        for (size_t bit = 0; bit < (size_t)bytes.size * 8; bit++) {
            buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            expect_damaged (bytes);
            buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* Whatever the bytes say: they are read within their bounds, and what was read can be written again. */
Test (record, random_damage_never_crashes)
{
    struct random random = { 99 };
    struct buf again = { 0 };
    unsigned fine = 0, refused = 0;
    for (unsigned i = 0; i < 10 * RANDOM_RECORDS; i++) {
        struct order_record record, read;
        sample_random (&record, &random, arena);
        struct str bytes = encode (&record);
        for (int64_t flips = random_between (&random, 1, 4); flips > 0; flips--)
            buf.data[random_between (&random, 0, (int64_t)bytes.size - 5)] ^=
                (uint8_t)(1 << random_between (&random, 0, 7));
        check_again (buf.data, bytes.size);
        if (order_record_decode (bytes, arena, &read, &err) == 0) {
            fine++;
            buf_clear (&again);
            cr_assert_eq (order_record_encode (&read, &again, &err), 0, "%s", err.message);
        } else
            refused++;
        arena_reset (arena);
    }
    buf_free (&again);
    cr_assert (fine > 100 && refused > 100, "%u read, %u refused", fine, refused);
}

Test (record, random_bytes_never_crash)
{
    struct random random = { 7 };
    for (unsigned i = 0; i < 20 * RANDOM_RECORDS; i++) {
        uint8_t bytes[300];
        struct order_record read;
        size_t size = (size_t)random_between (&random, 5, sizeof bytes);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)random_between (&random, 0, random_chance (&random, 60) ? 8 : 255);
        bytes[0] = RECORD_FORM | (random_chance (&random, 20) ? RECORD_COMPRESSED : 0);
        check_again (bytes, size);
        order_record_decode ((struct str){ (const char *)bytes, (uint32_t)size }, arena, &read, &err);
        arena_reset (arena);
    }
}

Test (record, another_form_is_refused)
{
    struct order_record record;
    sample_order (&record, 1, arena);
    struct str bytes = encode (&record);
    buf.data[0] = RECORD_FORM + 1;
    check_again (buf.data, buf.size);
    expect_damaged (bytes);
    cr_assert (strstr (err.message, "form 2") != NULL, "%s", err.message);
}

Test (record, bytes_after_its_end_are_refused)
{
    struct order_record record;
    sample_order (&record, 1, arena);
    encode (&record);
    buf_byte (&buf, 0);
    check_again (buf.data, buf.size);
    expect_damaged ((struct str){ (const char *)buf.data, (uint32_t)buf.size });
}

Test (record, a_raw_size_that_lies_is_refused)
{
    static const uint64_t LIES[] = { 0, 1, 300, 1 << 20, RECORD_BODY_MAX, RECORD_BODY_MAX + 1, UINT64_MAX };
    for (unsigned i = 0; i < sizeof LIES / sizeof *LIES; i++) {
        buf_clear (&buf);
        buf_byte (&buf, RECORD_FORM | RECORD_COMPRESSED);
        for (uint64_t rest = LIES[i];; rest >>= 7) {
            buf_byte (&buf, (uint8_t)(rest >= 0x80 ? rest | 0x80 : rest));
            if (rest < 0x80)
                break;
        }
        buf_append (&buf, "\xf0 some bytes, not LZ4", 22);
        buf_append (&buf, "\0\0\0\0", 4);
        check_again (buf.data, buf.size);
        expect_damaged ((struct str){ (const char *)buf.data, (uint32_t)buf.size });
    }
}

Test (record, too_little_memory_is_an_error)
{
    struct order_record record, read;
    sample_order (&record, 5, arena);
    struct str bytes = encode (&record);
    unsigned refused = 0;
    for (size_t limit = 0; limit < 8192; limit += 16) {
        struct arena *small = arena_new (limit);
        refused += order_record_decode (bytes, small, &read, &err) != 0;
        arena_destroy (&small);
    }
    cr_assert (refused > 50 && refused < 512, "%u", refused);
}
