/* wire_refuse_test.c - what is malformed, mistyped or out of bounds is refused, and the answer names the field. */
#include "wire_sample.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ORDER(more) "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 1, 'price_unit': 1}]" more "}"
#define LINE(fields) "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 1, 'price_unit': 1}, {" fields "}]}"

static void
expect_refused (const struct wire_schema *schema, struct str body, enum error_code code, const char *path,
                const char *message_part)
{
    struct error err;
    struct str guarded = guarded_copy (body);
    cr_expect_null (decode (schema, guarded, &err), "taken, but should be refused: %s", message_part);
    cr_expect_eq (err.code, code, "%s: %s", error_code_name (err.code), err.message);
    cr_expect_str_eq (detail_of (&err, "path"), path);
    cr_expect (strstr (err.message, message_part) != NULL, "\"%s\" does not say \"%s\"", err.message, message_part);
    guarded_free (guarded);
}

static void
expect_invalid (const char *order, const char *path, const char *message_part)
{
    expect_refused (&SCHEMA_ORDER, json_body (order), ERROR_INVALID_REQUEST, path, message_part);
}

Test (refuse, bodies_that_are_no_map)
{
    expect_refused (&SCHEMA_ORDER, (struct str){ NULL, 0 }, ERROR_INVALID_REQUEST, "", "end within a value");
    expect_invalid ("[1]", "", "must be a map, not a list");
    expect_invalid ("'order'", "", "must be a map, not a string");
    expect_invalid ("null", "", "must be a map, not null");
    expect_refused (&SCHEMA_ORDER, STR ("\xc1"), ERROR_INVALID_REQUEST, "", "0xc1");
    expect_refused (&SCHEMA_EMPTY, STR ("\x80\xc0"), ERROR_INVALID_REQUEST, "", "1 bytes follow the body");
}

/* A valid order with a bit of everything. */
static struct str
valid_order (void)
{
    static struct buf body;
    buf_clear (&body);
    sample_record (&body, &SCHEMA_ORDER, SAMPLE_ALL, -1);
    cr_assert_not_null (decode (&SCHEMA_ORDER, str_of_buf (&body), NULL));
    return str_of_buf (&body);
}

Test (refuse, a_body_cut_at_any_byte)
{
    struct str whole = valid_order ();
    for (uint32_t size = 0; size < whole.size; size++) {
        struct error err;
        struct str cut = guarded_copy ((struct str){ whole.data, size });
        cr_expect_null (decode (&SCHEMA_ORDER, cut, &err), "cut at byte %u", size);
        cr_expect_eq (err.code, ERROR_INVALID_REQUEST);
        guarded_free (cut);
    }
}

/* Whatever a byte becomes, nothing is read past the end, and what is taken can be hashed. */
Test (refuse, any_byte_may_be_any_other)
{
    struct str whole = valid_order ();
    struct str copy = guarded_copy (whole);
    unsigned taken = 0, refused = 0;
    for (uint32_t at = 0; at < whole.size; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            ((char *)copy.data)[at] = (char)byte;
            struct error err;
            struct wire_record *record = decode (&SCHEMA_ORDER, copy, &err);
            struct hash hash;
            if (record != NULL)
                wire_hash (record, hash.bytes);
            else
                cr_assert (err.code == ERROR_INVALID_REQUEST || err.code == ERROR_TOO_LARGE);
            *(record != NULL ? &taken : &refused) += 1;
        }
        ((char *)copy.data)[at] = whole.data[at];
    }
    cr_expect (taken >= whole.size && refused > 100 * whole.size, "%u taken, %u refused", taken, refused);
    guarded_free (copy);
}

Test (refuse, bodies_over_the_size_limit)
{
    struct buf body = { 0 };
    wire_write_map (&body, 1);
    wire_write_cstr (&body, "note");
    while (body.size <= WIRE_BODY_MAX)
        buf_byte (&body, ' ');
    struct error err;
    cr_expect_null (decode (&SCHEMA_LOAD_BEGIN, str_of_buf (&body), &err));
    cr_expect_eq (err.code, ERROR_TOO_LARGE);
    cr_expect (strstr (err.message, "1048576") != NULL, "%s", err.message);
    buf_free (&body);
}

Test (refuse, lengths_that_lie)
{
    static const struct {
        const char *bytes;
        unsigned size;
        const char *path;
    } BOMBS[] = {
#define BOMB(bytes, path) { bytes, sizeof bytes - 1, path }
        BOMB ("\xdf\xff\xff\xff\xff", ""),
        BOMB ("\xde\xff\xff", ""),
        BOMB ("\x81\xdb\xff\xff\xff\xff", ""),
        BOMB ("\x81\xa8order_id\xdb\xff\xff\xff\xff", "order_id"),
        BOMB ("\x81\xa5lines\xdd\xff\xff\xff\xff", "lines"),
        BOMB ("\x81\xa5lines\xdd\xff\xff\xff\xff\x80\x80\x80", "lines"),
        BOMB ("\x81\xa5lines\x91\xdf\xff\xff\xff\xff", "lines[0]"),
        BOMB ("\x81\xa4meta\xc6\xff\xff\xff\xff", "meta"),
        BOMB ("\x81\xa4meta\x81\xa1k\xdd\xff\xff\xff\xff", "meta"),
        BOMB ("\x81\xa4meta\xc9\xff\xff\xff\xff\x01", "meta"),
        BOMB ("\x81\xb1"
              "draft_program_ids\xdd\xff\xff\xff\xff",
              "draft_program_ids"),
    };
    for (unsigned i = 0; i < sizeof BOMBS / sizeof BOMBS[0]; i++)
        expect_refused (&SCHEMA_ORDER, (struct str){ BOMBS[i].bytes, BOMBS[i].size }, ERROR_INVALID_REQUEST,
                        BOMBS[i].path, "end within a value");
}

Test (refuse, lists_over_their_bound_are_too_large)
{
    struct buf body = { 0 };
    wire_write_map (&body, 2);
    json_append (&body, "'order_id'");
    json_append (&body, "'A'");
    json_append (&body, "'lines'");
    wire_write_array (&body, WIRE_LINES_MAX + 1);
    for (int i = 0; i <= WIRE_LINES_MAX; i++)
        json_append (&body, "{'product_id': 1, 'qty': 1, 'price_unit': 1}");
    expect_refused (&SCHEMA_ORDER, str_of_buf (&body), ERROR_TOO_LARGE, "lines", "1 to 1000 elements, but has 1001");
    buf_free (&body);
    expect_refused (&SCHEMA_ORDER,
                    json_body (ORDER (",'cards':[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]")),
                    ERROR_TOO_LARGE, "cards", "0 to 20 elements");
    expect_invalid ("{'order_id': 'A', 'lines': []}", "lines", "1 to 1000 elements, but has 0");
}

Test (refuse, memory_of_the_arena_is_a_bound)
{
    struct arena *arena = arena_new (4096);
    struct error err;
    struct buf body = { 0 };
    wire_write_map (&body, 1);
    wire_write_cstr (&body, "partners");
    wire_write_array (&body, 1000);
    for (int i = 0; i < 1000; i++)
        json_append (&body, "{'partner_id': 1}");
    cr_expect_null (wire_decode (&SCHEMA_REFERENCE_PUT, str_of_buf (&body), 2, arena, &err));
    cr_expect_eq (err.code, ERROR_TOO_LARGE);
    cr_expect (strstr (err.message, "memory") != NULL, "%s", err.message);
    buf_free (&body);
    arena_destroy (&arena);
}

/* Wherever the memory ends, the answer is the same, and with enough of it the order is taken. */
Test (refuse, memory_may_end_at_any_allocation)
{
    struct str body = json_body ("{'order_id': 17, 'cards': [5, 'X'], 'refund_of': 18, 'draft_program_ids': [1, 2],"
                                 " 'lines': [{'line_id': 1, 'product_id': 1, 'qty': 1, 'price_unit': 1,"
                                 " 'taxes': [{'id': 1, 'amount': 21}]}], 'claims': [{'card': {'code': 'C'}}]}");
    unsigned refused = 0;
    for (size_t limit = 0;; limit += 16) {
        struct arena *arena = arena_new (limit);
        struct error err = { .code = ERROR_NONE };
        struct wire_record *record = wire_decode (&SCHEMA_ORDER, body, 2, arena, &err);
        arena_destroy (&arena);
        if (record != NULL)
            break;
        refused++;
        cr_assert_eq (err.code, ERROR_TOO_LARGE, "%zu bytes: %s", limit, err.message);
        cr_assert (strstr (err.message, "memory") != NULL, "%s", err.message);
    }
    cr_expect (refused > 50, "%u", refused);
}

Test (refuse, fields_that_are_not_there)
{
    expect_invalid (ORDER (", 'colour': 1"), "colour", "there is no such field");
    expect_invalid (LINE ("'product_id': 1, 'Qty': 1"), "lines[1].Qty", "there is no such field");
    expect_invalid (ORDER (", 'or\\x0ader\\xff': 1"), "or?der?", "there is no such field");
    expect_invalid (ORDER (", '': 1"), "", "there is no such field");
    /* Neither a field's name with a NUL after it nor a part of one is that field. */
    expect_invalid (ORDER (", 'paid\\x00': true"), "paid?", "there is no such field");
    expect_invalid (ORDER (", 'pai': true"), "pai", "there is no such field");
    expect_invalid (ORDER (", 'a_name_that_goes_on_and_on_and_on_and_on_and_on': 1"),
                    "a_name_that_goes_on_and_on_and_on_and_on", "there is no such field");
}

Test (refuse, fields_that_must_be_there)
{
    expect_invalid ("{}", "order_id", "is required");
    expect_invalid ("{'order_id': 'A'}", "lines", "is required");
    expect_invalid ("{'order_id': null, 'lines': []}", "lines", "elements");
    expect_invalid (LINE ("'product_id': 1, 'qty': 1"), "lines[1].price_unit", "is required");
    expect_invalid (LINE ("'product_id': 1, 'qty': null, 'price_unit': 1"), "lines[1].qty", "is required");
    expect_invalid (ORDER (", 'refund_of': {}"), "refund_of.order_id", "is required");
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        for (unsigned field = 0; field < schema->count; field++) {
            if (!(schema->fields[field].flags & WIRE_REQUIRED))
                continue;
            struct buf body = { 0 };
            sample_record (&body, schema, SAMPLE_ALL, (int)field);
            wire_write_nil (&body);
            expect_refused (schema, str_of_buf (&body), ERROR_INVALID_REQUEST, schema->fields[field].name,
                            "is required");
            buf_free (&body);
        }
    }
}

Test (refuse, keys_given_twice)
{
    expect_invalid (ORDER (", 'order_id': 'A'"), "order_id", "is given twice");
    expect_invalid (ORDER (", 'paid': null, 'paid': true"), "paid", "is given twice");
    expect_invalid (LINE ("'product_id': 1, 'qty': 1, 'price_unit': 1, 'qty': 1"), "lines[1].qty", "is given twice");
    expect_invalid (ORDER (", 'meta': {'a': 1, 'b': 2, 'a': 1}"), "meta", "same key twice");
    expect_invalid (ORDER (", 'meta': [{'a': {'x': 1, 'y': 2, 'x': 3}}]"), "meta", "same key twice");
}

Test (refuse, keys_that_are_no_strings)
{
    expect_invalid (ORDER (", 1: 1"), "", "keys must be strings, not an integer");
    expect_invalid (LINE ("null: 1"), "lines[1]", "keys must be strings, not null");
    expect_invalid (ORDER (", 'meta': {1: 1}"), "meta", "key that is not a string");
    expect_refused (&SCHEMA_LOAD_BEGIN, STR ("\x81\xc4\x04note\xa0"), ERROR_INVALID_REQUEST, "", "binary bytes");
}

Test (refuse, texts_out_of_bounds)
{
    expect_invalid ("{'order_id': '', 'lines': []}", "order_id", "1 to 64 bytes, but has 0");
    expect_invalid ("{'order_id': '0123456789012345678901234567890123456789012345678901234567890123-'}", "order_id",
                    "1 to 64 bytes, but has 65");
    expect_invalid (ORDER (", 'currency': 'EU'"), "currency", "3 to 3 bytes");
    expect_invalid (ORDER (", 'reference': 'a\\x00b'"), "reference", "NUL");
    expect_invalid (ORDER (", 'reference': 'caf\\xe9'"), "reference", "UTF-8");
    expect_invalid (ORDER (", 'reference': '\\xed\\xa0\\x80'"), "reference", "UTF-8");
    expect_invalid (ORDER (", 'meta': {'\\xff': 1}"), "meta", "UTF-8");
    expect_invalid (ORDER (", 'meta': ['\\xff']"), "meta", "UTF-8");
    expect_invalid (ORDER (", 'meta': ['\\x00']"), "meta", "NUL");
    expect_invalid (ORDER (", 'cards': [{'code': '\\x00'}]"), "cards[0].code", "NUL");
    expect_refused (&SCHEMA_PRODUCT, json_body ("{'product_id': 1, 'tags': ['ok', '\\xff']}"), ERROR_INVALID_REQUEST,
                    "tags[1]", "UTF-8");
}

Test (refuse, numbers_out_of_bounds)
{
    static const char *const BAD_PRICES[] = {
        "nan",
        "inf",
        "-inf",
        "1e400",
        "'1e400'",
        "'nan'",
        "'inf'",
        "1e19",
        "1e300",
        "1e-7",
        "0.1234567",
        "'0.1234567'",
        "'1000000000.000001'",
        "1000000001",
        "-1000000001",
        "9223372036854775807",
        "-9223372036854775808",
        "'99999999999999999999'",
        "''",
        "' 1'",
        "'1 '",
        "'1,5'",
        "'1.5.5'",
        "'--1'",
        "'0x10'",
        "'1e'",
        "'-'",
        "'.'",
        "'1_000'",
        "'\\xd9\\xa1'",
        "'1\\x00'",
        "'1e99999999999'",
    };
    for (unsigned i = 0; i < sizeof BAD_PRICES / sizeof BAD_PRICES[0]; i++) {
        char order[200];
        snprintf (order, sizeof order, LINE ("'product_id': 1, 'qty': 1, 'price_unit': %s"), BAD_PRICES[i]);
        expect_invalid (order, "lines[1].price_unit",
                        "must be a number with at most 6 decimals from -1000000000 to 1000000000");
    }
    struct buf body = { 0 };
    sample_record (&body, &SCHEMA_LINE, SAMPLE_REQUIRED, F_LINE_QTY);
    wire_write_uint (&body, UINT64_MAX);
    expect_refused (&SCHEMA_LINE, str_of_buf (&body), ERROR_INVALID_REQUEST, "qty", "at most 6 decimals");
    buf_free (&body);
    expect_invalid (ORDER (", 'expected_total': '0.001'"), "expected_total", "at most 2 decimals");
    expect_invalid (ORDER (", 'claims': [{'points': '0.001'}]"), "claims[0].points", "at most 2 decimals");
    expect_invalid (ORDER (", 'claims': [{'points': 0}]"), "claims[0].points", "from 0.01 to");
    expect_invalid (ORDER (", 'claims': [{'points': -1}]"), "claims[0].points", "from 0.01 to");
    expect_invalid (LINE ("'product_id': 1, 'qty': 1, 'price_unit': 1, 'discount': 100.000001"), "lines[1].discount",
                    "from 0 to 100");
    expect_invalid (LINE ("'product_id': 1, 'qty': 1, 'price_unit': 1, 'discount': -1"), "lines[1].discount",
                    "from 0 to 100");
    expect_invalid (ORDER (", 'cards': [0]"), "cards[0]", "integer of at least 1");
    expect_refused (&SCHEMA_CARD_GET, json_body ("{'limit': 1001}"), ERROR_INVALID_REQUEST, "limit", "from 1 to 1000");
}

Test (refuse, names_times_and_days_that_are_none)
{
    expect_invalid (ORDER (", 'channel': 'web'"), "channel", "must be one of: pos, sale");
    expect_invalid (ORDER (", 'channel': 0"), "channel", "must be a string, not an integer");
    expect_invalid (ORDER (", 'channel': 'po'"), "channel", "must be one of");
    expect_refused (&SCHEMA_PROGRAM, json_body ("{'program_type': 'free'}"), ERROR_INVALID_REQUEST, "program_type",
                    "promotion, buy_x_get_y, coupons, promo_code, next_order_coupons, referral, loyalty, gift_card, "
                    "ewallet");
    expect_refused (&SCHEMA_PROGRAM, json_body ("{'weekdays': ['monday', 'caturday']}"), ERROR_INVALID_REQUEST,
                    "weekdays[1]", "must be one of: monday");
    static const char *const BAD_TIMES[] = {
        "''",
        "'2010-12-16'",
        "'2010-12-16T08:03'",
        "'2010-02-29T00:00:00Z'",
        "'2010-12-16T24:00:00'",
        "'2010-12-16T08:03:00+1'",
        "'2010-12-16T08:03:00.Z'",
        "'2010-12-16T08:03:00.1234567Z'",
        "'1899-12-31T00:00:00Z'",
        "'2200-01-01T00:00:00Z'",
        "'16.12.2010 08:03:00'",
        "'2010-12-16T08:03:00Zx'",
    };
    for (unsigned i = 0; i < sizeof BAD_TIMES / sizeof BAD_TIMES[0]; i++) {
        char order[200];
        snprintf (order, sizeof order, ORDER (", 'date': %s"), BAD_TIMES[i]);
        expect_invalid (order, "date", "must be an RFC 3339 time");
    }
    expect_refused (&SCHEMA_PARTNER, json_body ("{'birthday': '1900-02-29'}"), ERROR_INVALID_REQUEST, "birthday",
                    "must be a day");
}

Test (refuse, nesting_deeper_than_the_bound)
{
    /* The body is one, so `meta` may have seven. */
    cr_expect_not_null (decode (&SCHEMA_ORDER, json_body (ORDER (", 'meta': [[[[[[[1]]]]]]]")), NULL));
    expect_invalid (ORDER (", 'meta': [[[[[[[[1]]]]]]]]"), "meta", "nested too deep");
    expect_invalid (ORDER (", 'meta': {'a':{'a':{'a':{'a':{'a':{'a':{'a':{'a': 1}}}}}}}}"), "meta", "nested too deep");
    struct buf body = { 0 };
    sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
    for (int i = 0; i < 100000; i++)
        buf_byte (&body, 0x91);
    wire_write_nil (&body);
    expect_refused (&SCHEMA_ORDER, str_of_buf (&body), ERROR_INVALID_REQUEST, "meta", "nested too deep");
    buf_free (&body);
}

Test (refuse, what_json_cannot_say_in_meta)
{
    expect_invalid (ORDER (", 'meta': nan"), "meta", "not a number");
    expect_invalid (ORDER (", 'meta': [1e400]"), "meta", "infinite");
    struct buf body = { 0 };
    sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
    wire_write_bin (&body, "x", 1);
    expect_refused (&SCHEMA_ORDER, str_of_buf (&body), ERROR_INVALID_REQUEST, "meta", "binary");
    buf_clear (&body);
    sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
    wire_write_raw (&body, STR ("\xd4\x01x"));
    expect_refused (&SCHEMA_ORDER, str_of_buf (&body), ERROR_INVALID_REQUEST, "meta", "extension");
    buf_clear (&body);
    sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
    wire_write_array (&body, WIRE_META_MAX);
    for (int i = 0; i < WIRE_META_MAX; i++)
        wire_write_nil (&body);
    expect_refused (&SCHEMA_ORDER, str_of_buf (&body), ERROR_TOO_LARGE, "meta", "at most 1024 bytes, but has 1027");
    buf_free (&body);
}

/* A value of every type of MessagePack, none of which is a good name, time, day or decimal. */
static void
write_of_type (struct buf *buf, enum wire_token_type type)
{
    static const char *const RAW[] = {
        [TOKEN_NIL] = "\xc0",
        [TOKEN_BOOL] = "\xc3",
        [TOKEN_INT] = "\x05",
        [TOKEN_UINT] = "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        [TOKEN_DOUBLE] = "\xcb\x7f\xf8\1\1\1\1\1\1", /* not a number */
        [TOKEN_STR] = "\xa3~~~",
        [TOKEN_BIN] = "\xc4\x03~~~",
        [TOKEN_ARRAY] = "\x91\x91\xc3",
        [TOKEN_MAP] = "\x81\xa3~~~\x05",
        [TOKEN_EXT] = "\xd4\x01~",
    };
    wire_write_raw (buf, str_of (RAW[type]));
}

static bool
takes (const struct wire_field *field, enum wire_token_type type)
{
    if (type == TOKEN_NIL)
        return !(field->flags & WIRE_REQUIRED);
    switch (field->type) {
    case WIRE_BOOL:
        return type == TOKEN_BOOL;
    case WIRE_INT:
        return type == TOKEN_INT;
    case WIRE_STRING:
        return type == TOKEN_STR || (type == TOKEN_INT && field->flags & WIRE_INT_OK && field->min <= 1);
    case WIRE_DECIMAL:
    case WIRE_MONEY:
    case WIRE_POINTS:
        return type == TOKEN_INT;
    case WIRE_RECORD:
        return field->flags & WIRE_SHORT && (type == TOKEN_STR || type == TOKEN_INT);
    case WIRE_ANY:
        return type != TOKEN_BIN && type != TOKEN_EXT && type != TOKEN_DOUBLE;
    default:
        return false;
    }
}

Test (refuse, every_type_in_every_field_of_every_schema)
{
    unsigned taken = 0, refused = 0;
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        for (unsigned f = 0; f < schema->count; f++) {
            const struct wire_field *field = &schema->fields[f];
            for (enum wire_token_type type = TOKEN_NIL; type <= TOKEN_EXT; type++) {
                struct buf body = { 0 };
                struct error err;
                sample_record (&body, schema, SAMPLE_REQUIRED, (int)f);
                write_of_type (&body, type);
                bool is_taken = decode (schema, str_of_buf (&body), &err) != NULL;
                cr_expect_eq (is_taken, takes (field, type), "%s.%s given %s: %s", schema->name, field->name,
                              wire_token_text (type), err.message);
                const char *path = detail_of (&err, "path");
                if (!is_taken)
                    cr_expect (err.code == ERROR_INVALID_REQUEST &&
                                   strncmp (path, field->name, strlen (field->name)) == 0,
                               "%s.%s given %s: %s", schema->name, field->name, wire_token_text (type), err.message);
                *(is_taken ? &taken : &refused) += 1;
                buf_free (&body);
            }
        }
    }
    cr_expect (taken > 300 && refused > 1500, "%u taken, %u refused", taken, refused);
}
