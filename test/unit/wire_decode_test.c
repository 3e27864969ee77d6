/* wire_decode_test.c - what a well-formed body decodes to. */
#include "wire_sample.h"

#include <criterion/criterion.h>

static struct wire_record *
decode_order (const char *json)
{
    struct error err;
    struct wire_record *order = decode (&SCHEMA_ORDER, json_body (json), &err);
    cr_assert_not_null (order, "%s", err.message);
    return order;
}

static const struct wire_record *
line_of (const char *line_json)
{
    struct buf text = { 0 };
    buf_printf (&text, "{'order_id': 'A', 'lines': [%s]}%c", line_json, '\0');
    struct wire_record *order = decode_order ((const char *)text.data);
    buf_free (&text);
    return order->fields[F_ORDER_LINES].list.records[0];
}

Test (decode, an_order)
{
    struct wire_record *order = decode_order (
        "{'order_id': 'POS/1', 'channel': 'sale', 'store_id': -3, 'date': '2010-12-16T08:03:00+01:00',"
        " 'partner_id': 42, 'tax_rounding': 'global', 'lines': ["
        "   {'line_id': 'a', 'product_id': 7, 'qty': '2', 'price_unit': '12.50', 'discount': '10',"
        "    'taxes': [{'id': 1, 'amount': '21', 'included': true}, {'id': 2, 'amount_type': 'fixed', 'amount': 1}]},"
        "   {'product_id': 8, 'qty': -1, 'price_unit': 0.333333, 'refund_of': {'order_id': 'B', 'line_id': 3}}],"
        " 'cards': [5, 'GIFT-1', {'card_id': 6}], 'claims': [{'code': 'X'}, {'program_id': 1, 'points': '1.25'}],"
        " 'expected_total': '30.25', 'meta': {'till': [1, null]}, 'draft_program_ids': [9, -9]}");
    const struct wire_value *fields = order->fields;
    cr_expect_eq (order->schema, &SCHEMA_ORDER);
    cr_expect (str_equal (fields[F_ORDER_ORDER_ID].text, STR ("POS/1")));
    cr_expect_eq (fields[F_ORDER_CHANNEL].integer, 1);
    cr_expect_eq (fields[F_ORDER_STORE_ID].integer, -3);
    cr_expect (fields[F_ORDER_DATE].time.has_offset);
    cr_expect_eq (fields[F_ORDER_DATE].time.us, INT64_C (1292482980000000));
    cr_expect_eq (fields[F_ORDER_TAX_ROUNDING].integer, 1);
    cr_expect_eq (fields[F_ORDER_EXPECTED_TOTAL].integer, 3025);
    cr_expect (str_equal (fields[F_ORDER_META].text, json_body ("{'till': [1, null]}")));
    cr_expect_eq (fields[F_ORDER_DRAFT_PROGRAM_IDS].list.count, 2);
    cr_expect_eq (fields[F_ORDER_DRAFT_PROGRAM_IDS].list.integers[1], -9);

    cr_assert_eq (fields[F_ORDER_LINES].list.count, 2);
    const struct wire_value *line = fields[F_ORDER_LINES].list.records[0]->fields;
    cr_expect_eq (line[F_LINE_QTY].integer, 2000000);
    cr_expect_eq (line[F_LINE_PRICE_UNIT].integer, 12500000);
    cr_expect_eq (line[F_LINE_DISCOUNT].integer, 10000000);
    cr_assert_eq (line[F_LINE_TAXES].list.count, 2);
    const struct wire_value *tax = line[F_LINE_TAXES].list.records[0]->fields;
    cr_expect (tax[F_TAX_INCLUDED].boolean && tax[F_TAX_AMOUNT_TYPE].integer == 0);
    tax = line[F_LINE_TAXES].list.records[1]->fields;
    cr_expect (!tax[F_TAX_INCLUDED].boolean && tax[F_TAX_AMOUNT_TYPE].integer == 1);
    cr_expect_eq (tax[F_TAX_AMOUNT].integer, 1000000);
    line = fields[F_ORDER_LINES].list.records[1]->fields;
    cr_expect_eq (line[F_LINE_QTY].integer, -1000000);
    cr_expect_eq (line[F_LINE_PRICE_UNIT].integer, 333333);
    cr_expect_eq (line[F_LINE_TAXES].list.count, 0);
    cr_expect (str_equal (line[F_LINE_REFUND_OF].record->fields[F_REFUND_REF_LINE_ID].text, STR ("3")));

    cr_assert_eq (fields[F_ORDER_CARDS].list.count, 3);
    cr_expect_eq (fields[F_ORDER_CARDS].list.records[0]->fields[F_CARD_REF_CARD_ID].integer, 5);
    cr_expect (str_equal (fields[F_ORDER_CARDS].list.records[1]->fields[F_CARD_REF_CODE].text, STR ("GIFT-1")));
    cr_expect_eq (fields[F_ORDER_CARDS].list.records[2]->fields[F_CARD_REF_CARD_ID].integer, 6);
    cr_expect_eq (fields[F_ORDER_CLAIMS].list.records[1]->fields[F_CLAIM_POINTS].integer, 125);
}

Test (decode, absent_and_null_fields_read_as_their_defaults)
{
    static const char *const FORMS[] = {
        "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 1, 'price_unit': 1}]}",
        "{'order_id': 'A', 'channel': null, 'store_id': null, 'auto_claim': null, 'cards': null, 'refund_of': null,"
        " 'meta': null, 'date': null, 'reference': null,"
        " 'lines': [{'line_id': null, 'product_id': 1, 'qty': 1, 'price_unit': 1, 'taxes': null}]}",
    };
    for (int i = 0; i < 2; i++) {
        struct wire_record *order = decode_order (FORMS[i]);
        for (unsigned field = 0; field < order->schema->count; field++)
            if (field != F_ORDER_ORDER_ID && field != F_ORDER_LINES)
                cr_expect_not (order->fields[field].present, "%s", order->schema->fields[field].name);
        cr_expect_eq (order->fields[F_ORDER_CHANNEL].integer, 0);
        cr_expect (order->fields[F_ORDER_AUTO_CLAIM].boolean, "its default is true");
        cr_expect_eq (order->fields[F_ORDER_CARDS].list.count, 0);
        cr_expect_null (order->fields[F_ORDER_REFUND_OF].record);
        cr_expect_eq (order->fields[F_ORDER_META].text.size, 0);
    }
    struct wire_record *program = decode (
        &SCHEMA_PROGRAM,
        json_body ("{'program_id': 1, 'name': 'P', 'program_type': 'loyalty', 'rules': [{}], 'rewards': [{}]}"), NULL);
    cr_assert_not_null (program);
    cr_expect_eq (program->fields[F_PROGRAM_STATE].integer, 1, "active");
    const struct wire_value *rule = program->fields[F_PROGRAM_RULES].list.records[0]->fields;
    cr_expect_eq (rule[F_RULE_REWARD_POINT_AMOUNT].integer, 1000000);
    cr_expect_eq (program->fields[F_PROGRAM_REWARDS].list.records[0]->fields[F_REWARD_REQUIRED_POINTS].integer, 100);
}

Test (decode, keys_may_come_in_any_order)
{
    struct wire_record *order = decode_order ("{'lines': [{'price_unit': '3', 'qty': '2', 'product_id': 1}],"
                                              " 'channel': 'sale', 'order_id': 'A'}");
    cr_expect (str_equal (order->fields[F_ORDER_ORDER_ID].text, STR ("A")));
    cr_expect_eq (order->fields[F_ORDER_CHANNEL].integer, 1);
    cr_expect_eq (order->fields[F_ORDER_LINES].list.records[0]->fields[F_LINE_PRICE_UNIT].integer, 3000000);
}

Test (decode, decimals_in_every_form)
{
    static const struct {
        const char *form;
        int64_t micro;
    } CASES[] = {
        { "'12.50'", 12500000 },
        { "'12.5'", 12500000 },
        { "12.5", 12500000 },
        { "12", 12000000 },
        { "'12'", 12000000 },
        { "12.0", 12000000 },
        { "'1.25e1'", 12500000 },
        { "0.1", 100000 },
        { "'-0.000001'", -1 },
        { "-0.000001", -1 },
        { "1e-6", 1 },
        { "'0.10000000'", 100000 },
        { "999999999.123456", INT64_C (999999999123456) },
        { "-1000000000", -INT64_C (1000000000000000) },
        { "-0.0", 0 },
        { "1e9", INT64_C (1000000000000000) },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf text = { 0 };
        buf_printf (&text, "{'product_id': 1, 'qty': 1, 'price_unit': %s}%c", CASES[i].form, '\0');
        const struct wire_record *line = line_of ((const char *)text.data);
        cr_expect_eq (line->fields[F_LINE_PRICE_UNIT].integer, CASES[i].micro, "%s", CASES[i].form);
        buf_free (&text);
    }
}

Test (decode, a_float_32_counts_by_its_shortest_decimal)
{
    struct buf body = { 0 };
    wire_write_map (&body, 3);
    json_append (&body, "'product_id'");
    json_append (&body, "1");
    json_append (&body, "'qty'");
    json_append (&body, "1");
    json_append (&body, "'price_unit'");
    wire_write_raw (&body, STR ("\xca\x41\x41\x99\x9a")); /* 12.1f */
    struct wire_record *line = decode (&SCHEMA_LINE, str_of_buf (&body), NULL);
    cr_assert_not_null (line);
    cr_expect_eq (line->fields[F_LINE_PRICE_UNIT].integer, 12100000);
    buf_free (&body);
}

Test (decode, money_has_the_digits_of_the_currency)
{
    struct arena *arena = arena_new (1 << 20);
    struct error err = { .code = ERROR_NONE };
    struct str body = json_body ("{'membership_product_id': 1, 'threshold': '12.345'}");
    struct wire_record *level = wire_decode (&SCHEMA_LEVEL, body, 3, arena, &err);
    cr_assert_not_null (level, "%s", err.message);
    cr_expect_eq (level->fields[F_LEVEL_THRESHOLD].integer, 12345);
    cr_expect_null (wire_decode (&SCHEMA_LEVEL, body, 2, arena, &err));
    cr_expect_str_eq (detail_of (&err, "path"), "threshold");
    level = wire_decode (&SCHEMA_LEVEL, json_body ("{'membership_product_id': 1, 'threshold': 12}"), 0, arena, &err);
    cr_assert_not_null (level, "%s", err.message);
    cr_expect_eq (level->fields[F_LEVEL_THRESHOLD].integer, 12);
    arena_destroy (&arena);
}

Test (decode, times_with_and_without_an_offset)
{
    static const struct {
        const char *time;
        bool has_offset;
        int64_t us;
    } CASES[] = {
        { "2010-12-16T08:03:00Z", true, INT64_C (1292486580000000) },
        { "2010-12-16T09:03:00+01:00", true, INT64_C (1292486580000000) },
        { "2010-12-16 08:03:00", false, INT64_C (1292486580000000) },
        { "2010-12-16T08:03:00.25", false, INT64_C (1292486580250000) },
        { "2010-12-16T08:03:00.25-00:30", true, INT64_C (1292488380250000) },
        { "2010-12-16T08:03:00.123456z", true, INT64_C (1292486580123456) },
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf text = { 0 };
        buf_printf (&text, "{'card_id': 1, 'at': '%s'}%c", CASES[i].time, '\0');
        struct wire_record *record = decode (&SCHEMA_CARD_GET, json_body ((const char *)text.data), NULL);
        cr_assert_not_null (record, "%s", CASES[i].time);
        cr_expect_eq (record->fields[F_CARD_GET_AT].time.has_offset, CASES[i].has_offset, "%s", CASES[i].time);
        cr_expect_eq (record->fields[F_CARD_GET_AT].time.us, CASES[i].us, "%s", CASES[i].time);
        buf_free (&text);
    }
    struct wire_record *partner =
        decode (&SCHEMA_PARTNER, json_body ("{'partner_id': 1, 'birthday': '2000-02-29'}"), NULL);
    cr_assert_not_null (partner);
    cr_expect_eq (partner->fields[F_PARTNER_BIRTHDAY].integer, 11016);
}

Test (decode, integers_stand_for_texts_and_records_where_allowed)
{
    struct wire_record *order = decode_order (
        "{'order_id': 9223372036854775807, 'refund_of': 17, 'lines': [{'line_id': -5, 'product_id': 1, 'qty': 1,"
        " 'price_unit': 1, 'card': 8}, {'product_id': 1, 'qty': 1, 'price_unit': 1, 'card': 'W-8'}]}");
    cr_expect (str_equal (order->fields[F_ORDER_ORDER_ID].text, STR ("9223372036854775807")));
    struct wire_record *original = order->fields[F_ORDER_REFUND_OF].record;
    cr_expect (str_equal (original->fields[F_REFUND_REF_ORDER_ID].text, STR ("17")));
    cr_expect_not (original->fields[F_REFUND_REF_LINE_ID].present);
    struct wire_record **lines = order->fields[F_ORDER_LINES].list.records;
    cr_expect (str_equal (lines[0]->fields[F_LINE_LINE_ID].text, STR ("-5")));
    cr_expect_eq (lines[0]->fields[F_LINE_CARD].record->fields[F_CARD_REF_CARD_ID].integer, 8);
    cr_expect_not (lines[0]->fields[F_LINE_CARD].record->fields[F_CARD_REF_CODE].present);
    cr_expect (str_equal (lines[1]->fields[F_LINE_CARD].record->fields[F_CARD_REF_CODE].text, STR ("W-8")));
}

Test (decode, lists_of_texts_and_names)
{
    struct wire_record *program =
        decode (&SCHEMA_PROGRAM,
                json_body ("{'program_id': 1, 'name': 'Zweites Glück ☂', 'program_type': 'promotion',"
                           " 'weekdays': ['sunday', 'monday'], 'hours': ['17:00', '19:00'], 'pos_config_ids': []}"),
                NULL);
    cr_assert_not_null (program);
    cr_expect_eq (program->fields[F_PROGRAM_WEEKDAYS].list.count, 2);
    cr_expect_eq (program->fields[F_PROGRAM_WEEKDAYS].list.integers[0], 6);
    cr_expect_eq (program->fields[F_PROGRAM_WEEKDAYS].list.integers[1], 0);
    cr_expect (str_equal (program->fields[F_PROGRAM_HOURS].list.texts[1], STR ("19:00")));
    cr_expect_eq (program->fields[F_PROGRAM_POS_CONFIG_IDS].list.count, 0);
}

Test (decode, every_field_of_every_schema)
{
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        struct buf body = { 0 };
        struct error err;
        sample_record (&body, schema, SAMPLE_ALL, -1);
        struct wire_record *record = decode (schema, str_of_buf (&body), &err);
        cr_assert_not_null (record, "%s: %s", schema->name, err.message);
        for (unsigned field = 0; field < schema->count; field++)
            cr_expect (record->fields[field].present, "%s.%s", schema->name, schema->fields[field].name);
        buf_clear (&body);
        sample_record (&body, schema, SAMPLE_REQUIRED, -1);
        cr_expect_not_null (decode (schema, str_of_buf (&body), &err), "%s: %s", schema->name, err.message);
        buf_free (&body);
    }
}

Test (decode, the_most_lines_and_the_longest_names)
{
    struct buf body = { 0 };
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "order_id");
    char name[WIRE_NAME_MAX];
    memset (name, 'x', sizeof name);
    wire_write_str (&body, (struct str){ name, sizeof name });
    wire_write_cstr (&body, "lines");
    wire_write_array (&body, WIRE_LINES_MAX);
    for (int i = 0; i < WIRE_LINES_MAX; i++)
        json_append (&body, "{'product_id': 1, 'qty': '1', 'price_unit': '9.99', 'taxes': [{'id': 1, 'amount': 21}]}");
    struct error err;
    struct wire_record *order = decode (&SCHEMA_ORDER, str_of_buf (&body), &err);
    cr_assert_not_null (order, "%s", err.message);
    cr_expect_eq (order->fields[F_ORDER_LINES].list.count, (uint32_t)WIRE_LINES_MAX);
    buf_free (&body);
}
