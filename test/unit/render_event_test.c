/* render_event_test.c - events as they are told: the envelope, an order's events from its record, bodies, what is left out. */
#include "render/event.h"
#include "unit/store_record_sample.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>

enum { RANDOM_RECORDS = 500, ARENA_LIMIT = 64 << 20 };

static struct arena *arena;
static struct buf out, body;
static struct error err;

static void
setup (void)
{
    arena = arena_new (ARENA_LIMIT);
    out = body = (struct buf){ 0 };
    err = (struct error){ 0 };
}

static void
teardown (void)
{
    arena_destroy (&arena);
    buf_free (&out);
    buf_free (&body);
}

TestSuite (event, .init = setup, .fini = teardown);

static struct str
bytes_of (const struct buf *buf)
{
    return (struct str){ (const char *)buf->data, (uint32_t)buf->size };
}

static struct str
render (const struct event_change *change, enum topic topic)
{
    buf_clear (&out);
    cr_assert_eq (event_render (change, topic, change->number, 2, &out, &err), 0, "%s", err.message);
    return bytes_of (&out);
}

/* The one value that the bytes are. */
static void
expect_one_value (struct str bytes)
{
    struct wire_reader reader = wire_reader_of (bytes);
    cr_assert (wire_skip (&reader, WIRE_FOREIGN_DEPTH_MAX));
    cr_assert_eq (reader.at, reader.end, "%td bytes are left", reader.end - reader.at);
}

static struct wire_token
field (struct str map, const char *name)
{
    struct wire_token token = { .type = TOKEN_NIL };
    struct str value;
    cr_assert (wire_map_find (map, name, &value), "there is no %s", name);
    cr_assert (wire_token_of (value, &token));
    return token;
}

static void
expect_text (struct str map, const char *name, const char *text)
{
    struct wire_token token = field (map, name);
    cr_assert_eq (token.type, TOKEN_STR);
    cr_assert (str_equal (token.text, str_of (text)), "%s is %.*s, not %s", name, (int)token.text.size, token.text.data,
               text);
}

static void
expect_int (struct str map, const char *name, int64_t value)
{
    struct wire_token token = field (map, name);
    cr_assert (token.type == TOKEN_INT && token.integer == value, "%s is %lld, not %lld", name,
               (long long)token.integer, (long long)value);
}

static bool
has (struct str map, const char *name)
{
    struct str value;
    return wire_map_find (map, name, &value);
}

static struct event_change
of_order (const struct order_record *record)
{
    return (struct event_change){ .number = 7,
                                  .topics = event_order_topics (record),
                                  .recorded_at = record->recorded,
                                  .order_ref = 99,
                                  .record = record };
}

static struct event_change
of_body (void)
{
    return (struct event_change){
        .number = 1, .topics = TOPIC_BIT (TOPIC_CARD_ADJUSTED), .card_id = 5, .partner_id = 42, .body = bytes_of (&body)
    };
}

/* ---------------------------------------------------------------- topics */

Test (event, every_topic_has_its_name_and_its_number)
{
    for (unsigned topic = 1; topic <= TOPIC_LAST; topic++) {
        const char *name = topic_name (topic);
        cr_assert_not_null (name);
        cr_assert_eq (topic_by_name (name, (unsigned)strlen (name)), topic);
    }
    cr_assert_eq (topic_by_name ("order", 5), 0);
    cr_assert_eq (topic_by_name ("alert ", 6), 0);
    cr_assert_eq (event_count (TOPICS_ALL), TOPIC_LAST);
}

Test (event, the_lowest_topic_is_the_first_event)
{
    uint32_t topics = TOPIC_BIT (TOPIC_PROMOTION_APPLIED) | TOPIC_BIT (TOPIC_CARD_CREATED);
    cr_assert_eq (event_count (topics), 2);
    cr_assert_eq (event_first (topics), TOPIC_CARD_CREATED);
    cr_assert_eq (event_first (topics & (topics - 1)), TOPIC_PROMOTION_APPLIED);
}

/* ---------------------------------------------------------------- of orders */

Test (event, a_sale_is_told_with_what_follows_from_it)
{
    struct order_record record;
    sample_order (&record, 5, arena);
    struct event_change change = of_order (&record);
    cr_assert_eq (change.topics, TOPIC_BIT (TOPIC_ORDER_PROCESSED) | TOPIC_BIT (TOPIC_POINTS_EARNED) |
                                     TOPIC_BIT (TOPIC_PROMOTION_APPLIED));
    struct str event = render (&change, TOPIC_ORDER_PROCESSED);
    expect_one_value (event);
    expect_text (event, "topic", "order.processed");
    expect_int (event, "number", 7);
    expect_int (event, "partner_id", record.order.partner_id);
    expect_text (event, "channel", record.order.channel == CHANNEL_POS ? "pos" : "sale");
    cr_assert_eq (field (event, "lines").count, 5);
    cr_assert (has (event, "order_id") && has (event, "date") && has (event, "membership"));
    cr_assert_not (has (event, "replayed") || has (event, "hints") || has (event, "left_out"));
    event = render (&change, TOPIC_POINTS_EARNED);
    cr_assert_eq (field (event, "points").count, 1);
    expect_one_value (event);
}

Test (event, what_a_cancellation_undoes_has_its_signs_reversed)
{
    struct order_record record;
    sample_order (&record, 2, arena);
    record.kind = RECORD_CANCEL;
    struct event_change change = of_order (&record);
    cr_assert (change.topics & TOPIC_BIT (TOPIC_ORDER_CANCELLED));
    cr_assert_not (change.topics & (TOPIC_BIT (TOPIC_PROMOTION_APPLIED) | TOPIC_BIT (TOPIC_ORDER_PROCESSED)));
    struct wire_token total = field (render (&change, TOPIC_ORDER_CANCELLED), "amount_total");
    cr_assert_eq (total.text.data[0], '-');
}

Test (event, only_an_order_that_was_forgiven_raises_an_alert)
{
    struct order_record record;
    struct warning warning = { .kind = WARNING_DIFFERENCE, .text = "amount_total: charged 5.00, evaluated 6.00" };
    sample_order (&record, 1, arena);
    record.evaluation.warnings = &warning;
    record.evaluation.warning_count = 1;
    cr_assert_not (event_order_topics (&record) & TOPIC_BIT (TOPIC_ALERT));
    record.order.forgiving = true;
    cr_assert (event_order_topics (&record) & TOPIC_BIT (TOPIC_ALERT));
    struct event_change change = of_order (&record);
    struct str event = render (&change, TOPIC_ALERT);
    expect_text (event, "kind", "order_differs");
    cr_assert_eq (field (event, "texts").count, 1);
    warning.kind = WARNING_UNKNOWN_PARTNER;
    cr_assert_not (event_order_topics (&record) & TOPIC_BIT (TOPIC_ALERT));
    warning.kind = WARNING_OVER_LIMIT;
    record.kind = RECORD_CANCEL;
    cr_assert_not (event_order_topics (&record) & TOPIC_BIT (TOPIC_ALERT));
}

Test (event, every_event_of_any_order_is_one_map)
{
    struct random random = { .state = 20101216 };
    unsigned rendered = 0;
    for (unsigned i = 0; i < RANDOM_RECORDS; i++) {
        struct order_record record;
        arena_reset (arena);
        sample_random (&record, &random, arena);
        record.order.meta = STR ("");
        struct event_change change = of_order (&record);
        for (uint32_t topics = change.topics; topics != 0; topics &= topics - 1, rendered++)
            expect_one_value (render (&change, event_first (topics)));
    }
    cr_assert_gt (rendered, RANDOM_RECORDS);
}

Test (event, an_order_has_no_event_of_another_topic)
{
    struct order_record record;
    sample_order (&record, 1, arena);
    struct event_change change = of_order (&record);
    expect_text (render (&change, TOPIC_CATALOG_CHANGED), "left_out", "damaged");
}

Test (event, of_an_order_past_its_retention_the_envelope_is_left)
{
    struct event_change change = { .number = 3, .topics = TOPIC_BIT (TOPIC_ORDER_REFUNDED), .order_ref = 5 };
    struct str event = render (&change, TOPIC_ORDER_REFUNDED);
    expect_one_value (event);
    expect_text (event, "topic", "order.refunded");
    expect_text (event, "left_out", "retention");
}

Test (event, an_order_that_is_too_large_is_told_in_short_with_what_it_did_to_cards)
{
    struct order_record record;
    sample_order (&record, 2000, arena);
    for (uint32_t i = 0; i < record.order.line_count; i++)
        record.order.lines[i].line_id = STR ("a-line-id-that-is-as-long-as-one-may-be-and-then-some-more-of-it");
    struct event_change change = of_order (&record);
    struct str event = render (&change, TOPIC_ORDER_PROCESSED);
    cr_assert_lt (event.size, 2000);
    expect_one_value (event);
    expect_text (event, "left_out", "size");
    cr_assert_eq (field (event, "points").count, 1);
    cr_assert_not (has (event, "lines"));
}

/* ---------------------------------------------------------------- bodies */

Test (event, a_body_stands_behind_the_envelope)
{
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "points");
    wire_write_cstr (&body, "5.00");
    wire_write_cstr (&body, "lots");
    wire_write_array (&body, 2);
    wire_write_int (&body, 1);
    wire_write_nil (&body);
    struct event_change change = of_body ();
    struct str event = render (&change, TOPIC_CARD_ADJUSTED);
    expect_one_value (event);
    expect_int (event, "card_id", 5);
    expect_int (event, "partner_id", 42);
    expect_text (event, "points", "5.00");
    cr_assert_eq (field (event, "lots").count, 2);
}

Test (event, without_a_body_there_is_the_envelope)
{
    struct event_change change = of_body ();
    struct str event = render (&change, TOPIC_CARD_ADJUSTED);
    expect_one_value (event);
    expect_text (event, "topic", "card.adjusted");
}

/* Whatever bytes a body has, the event is one map. */
Test (event, what_is_damaged_is_told_as_such)
{
    wire_write_map (&body, 1);
    wire_write_cstr (&body, "points");
    wire_write_cstr (&body, "5.00");
    const struct buf whole = body;
    for (size_t i = 0; i < whole.size; i++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t before = whole.data[i];
            whole.data[i] = (uint8_t)value;
            struct event_change change = of_body ();
            expect_one_value (render (&change, TOPIC_CARD_ADJUSTED));
            whole.data[i] = before;
        }
    struct event_change change = of_body ();
    for (uint32_t size = 1; size < whole.size; size++) {
        change.body.size = size;
        expect_text (render (&change, TOPIC_CARD_ADJUSTED), "left_out", "damaged");
    }
    change.body = STR ("\x80\x80");
    expect_text (render (&change, TOPIC_CARD_ADJUSTED), "left_out", "damaged");
    struct event_change unread = { .number = 1, .topics = TOPIC_BIT (TOPIC_ALERT), .order_ref = 5, .is_damaged = true };
    expect_text (render (&unread, TOPIC_ALERT), "left_out", "damaged");
}

Test (event, what_tells_of_a_person_is_taken_out_of_a_body)
{
    wire_write_map (&body, 4);
    wire_write_cstr (&body, "points");
    wire_write_cstr (&body, "5.00");
    wire_write_cstr (&body, "reason");
    wire_write_cstr (&body, "for Ottilie");
    wire_write_cstr (&body, "cards");
    wire_write_array (&body, 1);
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "code");
    wire_write_cstr (&body, "SECRET");
    wire_write_cstr (&body, "card_id");
    wire_write_int (&body, 5);
    wire_write_cstr (&body, "merged_partner_id");
    wire_write_int (&body, 43);
    cr_assert_eq (event_body_forget (bytes_of (&body), &out, &err), 0);
    struct str kept = bytes_of (&out);
    expect_one_value (kept);
    expect_text (kept, "points", "5.00");
    cr_assert_not (has (kept, "reason") || has (kept, "merged_partner_id"));
    struct str cards;
    cr_assert (wire_map_find (kept, "cards", &cards));
    struct str card = { cards.data + 1, cards.size - 1 };
    expect_int (card, "card_id", 5);
    cr_assert_not (has (card, "code"));
    /* Once more changes nothing. */
    struct buf again = { 0 };
    cr_assert_eq (event_body_forget (kept, &again, &err), 0);
    cr_assert (str_equal (bytes_of (&again), kept));
    buf_free (&again);
}

Test (event, a_damaged_body_is_not_half_forgotten)
{
    cr_assert_eq (event_body_forget (STR ("\x82\xa4"
                                          "code"),
                                     &out, &err),
                  -1);
    cr_assert_eq (event_body_forget (STR ("\xc1"), &out, &err), -1);
    cr_assert_eq (event_body_forget (STR (""), &out, &err), 0);
}
