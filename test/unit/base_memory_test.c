/* base_memory_test.c - arenas hand out no more than they may, aligned and zeroed; buffers grow and fail once. */
#include "base/arena.h"

#include <criterion/criterion.h>

Test (arena, memory_is_zeroed_aligned_and_apart)
{
    struct arena *arena = arena_new (1 << 20);
    uint8_t *last = NULL;
    for (size_t size = 1; size < 3000; size = size * 3 / 2 + 1) {
        uint8_t *memory = arena_alloc (arena, size);
        cr_assert_not_null (memory);
        cr_expect_eq ((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq (memory[i], 0);
        memset (memory, 0xaa, size);
        cr_expect_neq (memory, last);
        last = memory;
    }
    arena_reset (arena);
    uint8_t *again = arena_alloc (arena, 3000);
    for (size_t i = 0; i < 3000; i++)
        cr_assert_eq (again[i], 0, "memory that was used before is zeroed again");
    arena_destroy (&arena);
    cr_expect_null (arena);
    arena_destroy (&arena);
}

Test (arena, the_limit_holds_to_the_byte)
{
    struct arena *arena = arena_new (1024);
    cr_expect_not_null (arena_alloc (arena, 1000)); /* 1008 with alignment */
    cr_expect_eq (arena_used (arena), 1008);
    cr_expect_null (arena_alloc (arena, 17));
    cr_expect_not_null (arena_alloc (arena, 16));
    cr_expect_eq (arena_used (arena), 1024);
    cr_expect_null (arena_alloc (arena, 1));
    arena_reset (arena);
    cr_expect_eq (arena_used (arena), 0);
    cr_expect_not_null (arena_alloc (arena, 1024));
    arena_destroy (&arena);
}

Test (arena, absurd_sizes_are_refused)
{
    struct arena *arena = arena_new (SIZE_MAX);
    cr_expect_null (arena_alloc (arena, SIZE_MAX));
    cr_expect_null (arena_alloc (arena, SIZE_MAX / 2 + 1));
    cr_expect_null (arena_array (arena, SIZE_MAX / 8, 16));
    cr_expect_null (arena_array (arena, SIZE_MAX, SIZE_MAX));
    cr_expect_not_null (arena_array (arena, 0, 16));
    cr_expect_not_null (arena_array (arena, 10, 16));
    arena_destroy (&arena);
}

Test (arena, blocks_of_any_size)
{
    struct arena *arena = arena_new (16 << 20);
    for (int round = 0; round < 3; round++) {
        uint8_t *small = arena_alloc (arena, 100), *huge = arena_alloc (arena, 1 << 20);
        cr_assert (small != NULL && huge != NULL);
        memset (small, 1, 100);
        memset (huge, 2, 1 << 20);
        for (int i = 0; i < 2000; i++)
            memset (arena_alloc (arena, 777), 3, 777);
        cr_expect_eq (small[99], 1);
        cr_expect_eq (huge[(1 << 20) - 1], 2);
        arena_reset (arena);
    }
    arena_destroy (&arena);
}

Test (arena, texts)
{
    struct arena *arena = arena_new (4096);
    struct str copy = arena_str (arena, STR ("abc"));
    cr_expect (str_equal (copy, STR ("abc")) && copy.data[3] == '\0');
    copy = arena_str (arena, (struct str){ NULL, 0 });
    cr_expect (copy.size == 0 && copy.data != NULL && copy.data[0] == '\0');
    cr_expect_str_eq (arena_printf (arena, "%s-%05d", "x", 42), "x-00042");
    cr_expect_null (arena_printf (arena, "%5000d", 1));
    cr_expect_null (arena_str (arena, (struct str){ "x", 5000 }).data);
    arena_destroy (&arena);
}

Test (arena, texts_compare_by_bytes)
{
    cr_expect (str_equal (STR (""), (struct str){ NULL, 0 }));
    cr_expect_not (str_equal (STR ("a"), STR ("b")));
    cr_expect_not (str_equal (STR ("a"), STR ("ab")));
    cr_expect (str_compare (STR ("a"), STR ("b")) < 0);
    cr_expect (str_compare (STR ("b"), STR ("a")) > 0);
    cr_expect (str_compare (STR ("a"), STR ("ab")) < 0);
    cr_expect (str_compare (STR ("ab"), STR ("a")) > 0);
    cr_expect (str_compare (STR ("\xff"), STR ("a")) > 0, "bytes, not signed characters");
    cr_expect_eq (str_compare (STR ("ab"), STR ("ab")), 0);
    cr_expect_eq (str_compare ((struct str){ NULL, 0 }, STR ("")), 0);
}

Test (buf, grows_and_keeps_what_it_has)
{
    struct buf buf = { 0 };
    for (int i = 0; i < 5000; i++) {
        buf_byte (&buf, (uint8_t)i);
        buf_append (&buf, "xyz", 3);
        buf_printf (&buf, "%d", i % 10);
    }
    cr_assert_not (buf.failed);
    cr_assert_eq (buf.size, 5000 * 5);
    for (int i = 0; i < 5000; i++) {
        cr_assert_eq (buf.data[5 * i], (uint8_t)i);
        cr_assert (memcmp (buf.data + 5 * i + 1, "xyz", 3) == 0);
        cr_assert_eq (buf.data[5 * i + 4], '0' + i % 10);
    }
    buf_clear (&buf);
    cr_expect_eq (buf.size, 0);
    buf_append (&buf, NULL, 0);
    cr_expect_eq (buf.size, 0);
    buf_free (&buf);
    cr_expect (buf.data == NULL && buf.capacity == 0);
}

Test (buf, a_failure_stays_until_it_is_cleared)
{
    struct buf buf = { 0 };
    buf_byte (&buf, 'a');
    cr_expect_null (buf_reserve (&buf, SIZE_MAX / 2));
    cr_expect (buf.failed);
    buf_byte (&buf, 'b');
    cr_expect_eq (buf.size, 1);
    buf_clear (&buf);
    buf_byte (&buf, 'c');
    cr_expect (!buf.failed && buf.size == 1 && buf.data[0] == 'c');
    buf_free (&buf);
}
