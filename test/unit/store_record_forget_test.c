/* store_record_forget_test.c - a stored order without the person: what names it goes, every figure stays. */
#include "store/record_forget.h"
#include "unit/store_record_sample.h"

#include <criterion/criterion.h>

enum { RANDOM_RECORDS = 500, ARENA_LIMIT = 64 << 20 };
#define PSEUDONYM INT64_C (-123456789)

static struct arena *arena;

static void
setup (void)
{
    arena = arena_new (ARENA_LIMIT);
}

static void
teardown (void)
{
    arena_destroy (&arena);
}

TestSuite (record_forget, .init = setup, .fini = teardown);

/* What is read again after it was written without the person. */
static struct order_record
forgotten_and_read (struct order_record *record, const struct forgotten *who)
{
    struct order_record read;
    struct buf bytes = { 0 };
    struct error err = { 0 };
    cr_assert_eq (order_record_forget (record, who, arena), 0);
    cr_assert_eq (order_record_encode (record, &bytes, &err), 0, "%s", err.message);
    cr_assert_eq (
        order_record_decode ((struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, arena, &read, &err), 0,
        "%s", err.message);
    buf_free (&bytes);
    return read;
}

Test (record_forget, nothing_names_the_person)
{
    struct order_record record;
    sample_order (&record, 3, arena);
    struct order *order = &record.order;
    int64_t partners[] = { order->partner_id }, cards[] = { order->cards[0].card_id };
    struct str codes[] = { STR ("CARD-OF-SOMEBODY") };
    struct claim claims[] = { { .code = STR (" card-of-somebody ") } };
    struct forgotten who = { PSEUDONYM, 1, 1, partners, cards, codes };
    struct card_state card = order->cards[0];
    card.code = codes[0];
    order->cards = &card;
    order->claims = claims;
    order->claim_count = 1;
    record.evaluation.claims = arena_new_of (arena, struct claim_result);
    record.evaluation.claim_count = 1;
    order->reference = STR ("receipt");
    order->meta = STR ("\x81\xa1n\xa4name");
    order->member.has_birthday = true;
    order->member.birthday = 5000;
    int64_t total = record.evaluation.total_minor;

    struct order_record read = forgotten_and_read (&record, &who);
    cr_expect_eq (read.order.partner_id, PSEUDONYM);
    cr_expect_eq (read.order.member.partner_id, PSEUDONYM);
    cr_expect_eq (read.order.cards[0].partner_id, PSEUDONYM);
    cr_expect (str_equal (read.order.cards[0].code, read.order.claims[0].code));
    cr_expect_not (str_equal (read.order.cards[0].code, codes[0]));
    cr_expect_eq (read.order.reference.size, 0);
    cr_expect_eq (read.order.meta.size, 0);
    cr_expect_not (read.order.member.has_birthday);
    cr_expect_eq (read.evaluation.total_minor, total);
}

Test (record_forget, of_a_birthday_that_was_used_the_year_goes)
{
    struct order_record record;
    struct civil civil;
    sample_order (&record, 1, arena);
    struct usage_result usage = { .program_id = 1, .birthday = true };
    int64_t partners[] = { record.order.partner_id };
    struct forgotten who = { .pseudonym = PSEUDONYM, .partner_count = 1, .partners = partners };
    record.evaluation.usages = &usage;
    record.evaluation.usage_count = 1;
    record.order.member.has_birthday = true;
    record.order.member.birthday = day_from_civil (1992, 2, 29);
    struct order_record read = forgotten_and_read (&record, &who);
    civil_from_day (read.order.member.birthday, &civil);
    cr_expect (read.order.member.has_birthday);
    cr_expect (civil.month == 2 && civil.day == 29 && civil.year != 1992);
}

Test (record_forget, another_members_order_keeps_what_is_its_own)
{
    struct order_record record, same;
    sample_order (&record, 2, arena);
    sample_order (&same, 2, arena);
    int64_t partners[] = { record.order.partner_id + 1 };
    struct forgotten who = { .pseudonym = PSEUDONYM, .partner_count = 1, .partners = partners };
    struct order_record read = forgotten_and_read (&record, &who);
    cr_expect_null (sample_compare (&same, &read));
}

Test (record_forget, of_any_record_the_figures_stay)
{
    struct random random = { 20 };
    for (int i = 0; i < RANDOM_RECORDS; i++) {
        struct order_record record;
        arena_reset (arena);
        sample_random (&record, &random, arena);
        int64_t partners[] = { record.order.partner_id }, total = record.evaluation.total_minor;
        uint32_t effects = record.effect_count, discounts = record.evaluation.discount_count;
        bool has_partner = record.order.has_partner;
        struct forgotten who = { .pseudonym = PSEUDONYM, .partner_count = 1, .partners = partners };
        struct order_record read = forgotten_and_read (&record, &who);
        cr_assert_eq (read.evaluation.total_minor, total);
        cr_assert_eq (read.effect_count, effects);
        cr_assert_eq (read.evaluation.discount_count, discounts);
        cr_assert (!has_partner || read.order.partner_id == PSEUDONYM);
    }
}
