/* wire_hash_test.c - one request hashes alike in every form, any other change shows, and the form itself is pinned. */
#include "wire_sample.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#define ORDER(more) "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 2, 'price_unit': '12.5'}]" more "}"

static void
expect_hashes (const struct wire_schema *schema, const char *one, const char *other, bool equal)
{
    struct hash a = hash_of (schema, json_body (one)), b = hash_of (schema, json_body (other));
    cr_expect_eq (hash_equal (a, b), equal, "%s hash:\n%s\n%s", equal ? "differing" : "equal", one, other);
}

static void
expect_same (const char *one, const char *other)
{
    expect_hashes (&SCHEMA_ORDER, one, other, true);
}

static void
expect_different (const char *one, const char *other)
{
    expect_hashes (&SCHEMA_ORDER, one, other, false);
}

/* Keys are kept with their hash for ever: if this fails, a retried order would be a conflict after an upgrade.
 * The bytes are written out here from the description in schema.h, and their hash was computed by Python:
 * hashlib.blake2b(bytes, digest_size=32). */
Test (hash, the_form_is_pinned)
{
    static const char BODY[] =
        "{'order_id': 'POS/1', 'channel': 'sale', 'date': '2010-12-16T08:03:00Z', 'partner_id': 0,"
        " 'lines': [{'product_id': -1, 'qty': '2', 'price_unit': 12.5,"
        "            'taxes': [{'id': 5, 'amount': 21, 'included': true}]}],"
        " 'cards': ['X'], 'claims': [{'points': '1.25'}], 'charged_total': '-0.01', 'refund_of': 'B',"
        " 'explain': true, 'meta': {'bb': [null, true, -2, 0.5], 'a': 'é'}}";
    static const uint8_t FORM[] = {
        1,                                                                /* version */
        0,    's',  5,    0,    0,    0,    'P',  'O',  'S',  '/',  '1',  /* order_id */
        1,    'e',  1,    0,    0,    0,    0,    0,    0,    0,          /* channel */
        3,    't',  1,    0x00, 0x55, 0x7a, 0x7b, 0x82, 0x97, 0x04, 0x00, /* date */
        4,    'i',  0,    0,    0,    0,    0,    0,    0,    0,          /* partner_id: customer 0 is not none */
        8,    'R',  1,    0,    0,    0,                                  /* lines */
        1,    'i',  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,       /*   product_id */
        2,    'd',  0x80, 0x84, 0x1e, 0,    0,    0,    0,    0,          /*   qty */
        3,    'd',  0x20, 0xbc, 0xbe, 0,    0,    0,    0,    0,          /*   price_unit */
        5,    'R',  1,    0,    0,    0,                                  /*   taxes */
        0,    'i',  5,    0,    0,    0,    0,    0,    0,    0,          /*     id */
        2,    'd',  0x40, 0x6f, 0x40, 0x01, 0,    0,    0,    0,          /*     amount */
        3,    'b',  1,                                                    /*     included */
        0xff,                                                             /*     end of the tax */
        0xff,                                                             /*   end of the line */
        9,    'R',  1,    0,    0,    0,    1,    's',  1,    0,    0,    0,    'X', 0xff,             /* cards */
        10,   'R',  1,    0,    0,    0,    5,    'p',  125,  0,    0,    0,    0,   0,    0, 0, 0xff, /* claims */
        16,   'm',  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                  /* charged_total */
        18,   'r',  0,    's',  1,    0,    0,    0,    'B',  0xff,                  /* refund_of */
        23,   'a',  'm',  2,    0,    0,    0,                                       /* meta */
        1,    0,    0,    0,    'a',  's',  2,    0,    0,    0,    0xc3, 0xa9,      /*   a */
        2,    0,    0,    0,    'b',  'b',  'l',  4,    0,    0,    0,    'n',  't', /*   bb */
        'i',  0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                        /*     -2 */
        'd',  0,    0,    0,    0,    0,    0,    0xe0, 0x3f,                        /*     0.5 */
        0xff,                                                                        /* end of the order */
    };
    struct hash hash = hash_of (&SCHEMA_ORDER, json_body (BODY)), of_form;
    char hex[2 * WIRE_HASH_BYTES + 1];
    crypto_generichash (of_form.bytes, sizeof of_form.bytes, FORM, sizeof FORM, NULL, 0);
    cr_expect (hash_equal (hash, of_form), "the bytes that are hashed are not those of schema.h");
    sodium_bin2hex (hex, sizeof hex, hash.bytes, sizeof hash.bytes);
    cr_expect_str_eq (hex, "dcb49bfaad27acc7367219751c1adbdc21bcd265749a87902a1378bcb7c1d380");
}

/* What stands in the tables, by position: the hash of a stored key depends on it. Fields and names may be added
 * after these (and then here); a change of these would make a conflict of every request retried after it. */
static const struct {
    const char *schema, *fields; /* name:tag */
} PINNED_FIELDS[] = {
    { "tax", "id:i amount_type:e amount:d included:b affects_base:b" },
    { "refund_of", "order_id:s line_id:s" },
    { "card", "card_id:i code:s" },
    { "line", "line_id:s product_id:i qty:d price_unit:d discount:d taxes:R "
              "refund_of:r gift_code:s card:r" },
    { "claim", "code:s program_id:i reward_id:i product_id:i qty:d points:p "
               "card:r" },
    { "order", "order_id:s channel:e store_id:i date:t partner_id:i currency:s "
               "tax_rounding:e pricelist_id:i lines:R cards:R claims:R auto_claim:b "
               "on_refused:e hold_id:s expected_total:m paid:b charged_total:m import:b "
               "refund_of:r shortfall:e reference:s cashier_id:i session_id:i meta:a "
               "explain:b at:t draft_program_ids:I" },
    { "order_cancel", "order_id:s reason:s" },
    { "order_get", "order_id:s" },
    { "card_create", "program_id:i partner_id:i code:s points:p expires:t odoo_card_id:i" },
    { "card_get", "card_id:i code:s partner_id:i program_id:i at:t limit:i "
                  "cursor:s" },
    { "card_adjust", "card_id:i code:s partner_id:i program_id:i points:p reason:s "
                     "expires:t" },
    { "expiry", "policy:e count:i date:y" },
    { "birthday", "days_before:i days_after:i" },
    { "rule", "id:i minimum_qty:d minimum_amount:m minimum_amount_tax_mode:e product_ids:I category_id:i "
              "tag:s exclude_product_ids:I exclude_category_id:i exclude_tag:s membership_product_ids:I first_order:b "
              "birthday:r mode:e code:s reward_point_mode:e reward_point_amount:d reward_point_split:b" },
    { "set_item", "product_ids:I category_id:i tag:s qty:d" },
    { "discount_step", "discount:d" },
    { "reward", "id:i description:s reward_type:e required_points:p clear_wallet:b discount:d "
                "discount_mode:e discount_applicability:e discount_max_amount:m discount_product_ids:I "
                "discount_category_id:i discount_tag:s "
                "exclude_product_ids:I exclude_category_id:i exclude_tag:s reward_product_ids:I reward_product_qty:d "
                "special_price:m "
                "max_units:d set_items:R set_price:m max_sets:i discounts:R points:p" },
    { "program", "program_id:i name:s program_type:e state:e trigger:e applies_on:e "
                 "date_from:y date_to:y weekdays:E hours:S pos_config_ids:I channels:E "
                 "pricelist_ids:I membership_product_id:i is_primary_loyalty:b priority:i stacking:e best_of:s "
                 "discount_base:e max_usage:i max_usage_per_customer:i max_usage_per_store:i max_usage_per_day:i "
                 "max_usage_per_week:i "
                 "max_usage_per_month:i max_usage_per_year:i budget:m expiry:r pending_days:i restore_expired:e "
                 "extend_days:i max_referral_usage:i earn_on:e shortfall:e rules:R rewards:R" },
    { "program_get", "program_id:i catalog_version:i" },
    { "program_list", "state:e limit:i cursor:s" },
    { "store", "store_id:i name:s time_zone:s" },
    { "partner", "partner_id:i name:s birthday:y active:b" },
    { "product", "product_id:i name:s reference:s category_id:i tags:S active:b" },
    { "category", "category_id:i name:s parent_id:i" },
    { "level", "membership_product_id:i name:s sequence:i threshold:m earn_multiplier:d is_upgradable:b "
               "is_downgradable:b" },
    { "reference_put", "stores:R partners:R products:R categories:R levels:R" },
    { "load_begin", "note:s" },
    { "load_put", "load_id:i part:i stores:R partners:R products:R categories:R "
                  "levels:R programs:R" },
    { "load_commit", "load_id:i parts:i" },
    { "card_state", "card_id:i code:s partner_id:i program_id:i reason:s" },
    { "card_transfer", "from:r to:r points:p reason:s" },
    { "coupon_generate", "program_id:i pattern:s batch:s count:i offset:i total:i points:p expires:t partner_ids:I" },
    { "coupon_list", "batch:s limit:i cursor:s" },
    { "coupon_check", "code:s" },
    { "referral_create", "partner_id:i program_id:i" },
    { "points_hold", "card_id:i code:s partner_id:i program_id:i points:p ttl_s:i" },
    { "points_capture", "hold_id:s points:p reason:s" },
    { "points_release", "hold_id:s" },
    { "membership_get", "partner_id:i" },
    { "membership_change", "partner_id:i membership_product_id:i from:t to:t points:e reason:s" },
};

static const struct {
    const char *list, *names;
} PINNED_NAMES[] = {
    { "channel", "pos sale" },
    { "tax_rounding", "per_line global" },
    { "tax_type", "percent fixed" },
    { "on_refused", "fail skip" },
    { "shortfall", "debt refuse forgive" },
    { "program_type",
      "promotion buy_x_get_y coupons promo_code next_order_coupons referral loyalty gift_card ewallet" },
    { "program_state", "draft active archived" },
    { "trigger", "auto with_code" },
    { "applies_on", "current future both" },
    { "weekday", "monday tuesday wednesday thursday friday saturday sunday" },
    { "stacking", "stack exclusive best_of" },
    { "discount_base", "remaining initial" },
    { "earn_on", "gross net" },
    { "expiry", "never days months years end_of_month end_of_year date" },
    { "restore_expired", "keep extend_days" },
    { "tax_mode", "incl excl" },
    { "rule_mode", "auto with_code" },
    { "point_mode", "order money unit" },
    { "reward_type", "discount product special_price special_set multiple_discount point" },
    { "discount_mode", "percent per_point per_order" },
    { "applicability", "order cheapest specific" },
};

static const char TAGS[] = {
    [WIRE_BOOL] = 'b',    [WIRE_INT] = 'i',  [WIRE_STRING] = 's',  [WIRE_DECIMAL] = 'd', [WIRE_MONEY] = 'm',
    [WIRE_POINTS] = 'p',  [WIRE_TIME] = 't', [WIRE_DAY] = 'y',     [WIRE_ENUM] = 'e',    [WIRE_RECORD] = 'r',
    [WIRE_RECORDS] = 'R', [WIRE_INTS] = 'I', [WIRE_STRINGS] = 'S', [WIRE_ENUMS] = 'E',   [WIRE_ANY] = 'a',
};

static bool
begins_with (const struct buf *text, const char *pinned)
{
    size_t size = strlen (pinned);
    return text->size > size && memcmp (text->data, pinned, size) == 0 && text->data[size] == ' ';
}

Test (hash, positions_of_fields_are_pinned)
{
    unsigned checked = 0;
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        struct buf text = { 0 };
        for (unsigned f = 0; f < schema->count; f++)
            buf_printf (&text, "%s%s:%c", f > 0 ? " " : "", schema->fields[f].name, TAGS[schema->fields[f].type]);
        buf_byte (&text, ' ');
        for (unsigned p = 0; p < sizeof PINNED_FIELDS / sizeof PINNED_FIELDS[0]; p++)
            if (strcmp (PINNED_FIELDS[p].schema, schema->name) == 0) {
                cr_expect (begins_with (&text, PINNED_FIELDS[p].fields), "%s: a field was moved, removed or retyped",
                           schema->name);
                checked++;
            }
        buf_free (&text);
    }
    cr_expect_eq (checked, sizeof PINNED_FIELDS / sizeof PINNED_FIELDS[0], "a schema was removed or renamed");
}

Test (hash, positions_of_names_are_pinned)
{
    unsigned checked = 0;
    for (unsigned i = 0; i < WIRE_NAME_LIST_COUNT; i++) {
        struct buf text = { 0 };
        for (int n = 0; WIRE_NAME_LISTS[i].names[n] != NULL; n++)
            buf_printf (&text, "%s%s", n > 0 ? " " : "", WIRE_NAME_LISTS[i].names[n]);
        buf_byte (&text, ' ');
        for (unsigned p = 0; p < sizeof PINNED_NAMES / sizeof PINNED_NAMES[0]; p++)
            if (strcmp (PINNED_NAMES[p].list, WIRE_NAME_LISTS[i].name) == 0) {
                cr_expect (begins_with (&text, PINNED_NAMES[p].names), "%s: a name was moved or removed",
                           WIRE_NAME_LISTS[i].name);
                checked++;
            }
        buf_free (&text);
    }
    cr_expect_eq (checked, sizeof PINNED_NAMES / sizeof PINNED_NAMES[0], "a list was removed or renamed");
}

Test (hash, forms_of_one_request_are_the_same)
{
    static const char PLAIN[] = ORDER ("");
    expect_same (PLAIN, "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': '2.000', 'price_unit': 12.5}]}");
    expect_same (PLAIN, "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 2.0, 'price_unit': '1.25e1'}]}");
    expect_same (PLAIN, "{'lines': [{'price_unit': '12.50', 'qty': '2', 'product_id': 1}], 'order_id': 'A'}");
    expect_same (PLAIN, ORDER (", 'channel': 'pos', 'auto_claim': true, 'paid': false, 'cards': [], 'reference': ''"));
    expect_same (PLAIN, ORDER (", 'channel': null, 'auto_claim': null, 'paid': null, 'cards': null, 'meta': null"));
    expect_same (PLAIN, ORDER (", 'explain': true, 'expected_total': 25, 'at': '2010-12-16T08:03:00Z',"
                               " 'draft_program_ids': [1]"));
    expect_same (ORDER (", 'refund_of': 'B'"), ORDER (", 'refund_of': {'order_id': 'B', 'line_id': null}"));
    expect_same (ORDER (", 'refund_of': 17"), ORDER (", 'refund_of': {'order_id': '17'}"));
    expect_same (ORDER (", 'cards': [5, 'X']"), ORDER (", 'cards': [{'card_id': 5}, {'code': 'X'}]"));
    expect_same (ORDER (", 'date': '2010-12-16T08:03:00Z'"), ORDER (", 'date': '2010-12-16 09:03:00.000+01:00'"));
    expect_same ("{'order_id': 17, 'lines': [{'product_id': 1, 'qty': 2, 'price_unit': 1}]}",
                 "{'order_id': '17', 'lines': [{'product_id': 1, 'qty': 2, 'price_unit': 1}]}");
    expect_same (ORDER (", 'meta': {'a': 1, 'b': {'x': 2.0, 'y': -3}}"),
                 ORDER (", 'meta': {'b': {'y': -3.0, 'x': 2}, 'a': 1}"));
    expect_same (ORDER (", 'meta': -0.0"), ORDER (", 'meta': 0"));
}

Test (hash, an_integer_of_any_width_is_the_same)
{
    static const char *const FIVE[] = {
        "\x05", "\xcc\x05", "\xd0\x05", "\xcd\0\x05", "\xd2\0\0\0\x05", "\xcf\0\0\0\0\0\0\0\x05", "\xca\x40\xa0\0\0"
    };
    static const unsigned SIZES[] = { 1, 2, 2, 3, 5, 9, 5 };
    struct hash first = { 0 };
    for (unsigned i = 0; i < sizeof FIVE / sizeof FIVE[0]; i++) {
        struct buf body = { 0 };
        sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
        wire_write_raw (&body, (struct str){ FIVE[i], SIZES[i] });
        struct hash hash = hash_of (&SCHEMA_ORDER, str_of_buf (&body));
        if (i == 0)
            first = hash;
        cr_expect (hash_equal (first, hash), "form %u", i);
        buf_free (&body);
    }
}

Test (hash, what_is_not_the_same_differs)
{
    static const char PLAIN[] = ORDER ("");
    expect_different (PLAIN, "{'order_id': 'a', 'lines': [{'product_id': 1, 'qty': 2, 'price_unit': 12.5}]}");
    expect_different (PLAIN, "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': 2, 'price_unit': 12.500001}]}");
    expect_different (PLAIN, "{'order_id': 'A', 'lines': [{'product_id': 1, 'qty': -2, 'price_unit': 12.5}]}");
    expect_different (PLAIN, ORDER (", 'partner_id': 0"));
    expect_different (PLAIN, ORDER (", 'charged_total': 0"));
    expect_different (PLAIN, ORDER (", 'meta': {}"));
    expect_different (PLAIN, ORDER (", 'cards': [{}]"));
    expect_different (ORDER (", 'cards': [5]"), ORDER (", 'cards': ['5']"));
    expect_different (ORDER (", 'cards': ['A', 'B']"), ORDER (", 'cards': ['B', 'A']"));
    expect_different (ORDER (", 'cards': ['AB']"), ORDER (", 'cards': ['A', 'B']"));
    expect_different (ORDER (", 'cards': [{'card_id': 1, 'code': 'A'}]"), ORDER (", 'cards': [1, 'A']"));
    expect_different (ORDER (", 'date': '2010-12-16T08:03:00Z'"), ORDER (", 'date': '2010-12-16T08:03:00'"));
    expect_different (ORDER (", 'partner_id': 3"), ORDER (", 'store_id': 3"));
    expect_different (ORDER (", 'meta': {'a': 1}"), ORDER (", 'meta': {'a': '1'}"));
    expect_different (ORDER (", 'meta': [1, 2]"), ORDER (", 'meta': [2, 1]"));
    expect_different (ORDER (", 'meta': [[1], 2]"), ORDER (", 'meta': [[1, 2]]"));
    expect_different (ORDER (", 'meta': [1.5]"), ORDER (", 'meta': [1.25]"));
    expect_different (ORDER (", 'meta': [true]"), ORDER (", 'meta': [false]"));
    expect_different (ORDER (", 'meta': [null]"), ORDER (", 'meta': ['']"));
    expect_different (ORDER (", 'meta': 9223372036854775807"), ORDER (", 'meta': 9.3e18"));
    expect_different (ORDER (", 'meta': {'a': {'b': 1}}"), ORDER (", 'meta': {'a': {}, 'b': 1}"));
    expect_hashes (&SCHEMA_PROGRAM, "{'program_id': 1, 'name': 'P', 'program_type': 'loyalty'}",
                   "{'program_id': 1, 'name': 'P', 'program_type': 'loyalty', 'applies_on': 'current'}", false);
    expect_hashes (&SCHEMA_RULE, "{}", "{'birthday': {}}", false);
}

Test (hash, integers_above_63_bits_count)
{
    struct hash hashes[3];
    for (unsigned i = 0; i < 3; i++) {
        struct buf body = { 0 };
        sample_record (&body, &SCHEMA_ORDER, SAMPLE_REQUIRED, F_ORDER_META);
        wire_write_uint (&body, i < 2 ? UINT64_MAX - i : INT64_MAX);
        hashes[i] = hash_of (&SCHEMA_ORDER, str_of_buf (&body));
        buf_free (&body);
    }
    cr_expect_not (hash_equal (hashes[0], hashes[1]));
    cr_expect_not (hash_equal (hashes[0], hashes[2]));
    expect_different (ORDER (", 'meta': -1"), ORDER (", 'meta': 1"));
}

Test (hash, any_change_of_any_field_shows)
{
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        struct buf body = { 0 };
        sample_record (&body, schema, SAMPLE_ALL, -1);
        struct hash whole = hash_of (schema, str_of_buf (&body));
        for (unsigned f = 0; f < schema->count; f++) {
            const struct wire_field *field = &schema->fields[f];
            bool counts = !(field->flags & WIRE_NOT_HASHED);
            buf_clear (&body);
            sample_record (&body, schema, SAMPLE_ALL, (int)f);
            size_t before_value = body.size;
            sample_value (&body, field, SAMPLE_A);
            cr_expect (hash_equal (whole, hash_of (schema, str_of_buf (&body))), "%s.%s last", schema->name,
                       field->name);
            body.size = before_value;
            sample_value (&body, field, SAMPLE_B);
            cr_expect_eq (hash_equal (whole, hash_of (schema, str_of_buf (&body))), !counts, "%s.%s changed",
                          schema->name, field->name);
            if (field->flags & WIRE_REQUIRED)
                continue;
            body.size = before_value;
            wire_write_nil (&body);
            cr_expect_eq (hash_equal (whole, hash_of (schema, str_of_buf (&body))), !counts, "%s.%s left out",
                          schema->name, field->name);
        }
        buf_free (&body);
    }
}

/* Absent, null and the default hash alike unless the field says that they are different things. */
Test (hash, defaults_count_as_absent)
{
    unsigned alike = 0, distinct = 0;
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        struct buf body = { 0 };
        sample_record (&body, schema, SAMPLE_REQUIRED, -1);
        struct hash bare = hash_of (schema, str_of_buf (&body));
        for (unsigned f = 0; f < schema->count; f++) {
            const struct wire_field *field = &schema->fields[f];
            bool has_default = field->type == WIRE_BOOL || field->type == WIRE_ENUM ||
                               ((field->type == WIRE_INT || field->type == WIRE_DECIMAL || field->type == WIRE_MONEY ||
                                 field->type == WIRE_POINTS) &&
                                field->default_value >= field->min);
            if (field->flags & (WIRE_REQUIRED | WIRE_NOT_HASHED) || !has_default)
                continue;
            buf_clear (&body);
            sample_record (&body, schema, SAMPLE_REQUIRED, (int)f);
            if (field->type == WIRE_BOOL)
                wire_write_bool (&body, field->default_value != 0);
            else if (field->type == WIRE_ENUM)
                wire_write_cstr (&body, field->names[field->default_value]);
            else if (field->type == WIRE_INT)
                wire_write_int (&body, field->default_value);
            else
                wire_write_decimal (&body, field->default_value, field->type == WIRE_DECIMAL ? 6 : 2, 0);
            bool is_distinct = field->flags & WIRE_DISTINCT;
            cr_expect_eq (hash_equal (bare, hash_of (schema, str_of_buf (&body))), !is_distinct, "%s.%s", schema->name,
                          field->name);
            *(is_distinct ? &distinct : &alike) += 1;
        }
        buf_free (&body);
    }
    cr_expect (alike > 50 && distinct > 20, "%u alike, %u distinct", alike, distinct);
}

Test (hash, long_orders_are_hashed_whole)
{
    struct hash hashes[3];
    for (int i = 0; i < 3; i++) {
        struct buf body = { 0 };
        wire_write_map (&body, 2);
        wire_write_cstr (&body, "order_id");
        wire_write_cstr (&body, "A");
        wire_write_cstr (&body, "lines");
        wire_write_array (&body, 600);
        for (int line = 0; line < 600; line++) {
            wire_write_map (&body, 3);
            wire_write_cstr (&body, "product_id");
            wire_write_int (&body, line == 300 && i == 1 ? -1 : line);
            wire_write_cstr (&body, "qty");
            wire_write_cstr (&body, line == 599 && i == 2 ? "2" : "1");
            wire_write_cstr (&body, "price_unit");
            wire_write_cstr (&body, "9.99");
        }
        hashes[i] = hash_of (&SCHEMA_ORDER, str_of_buf (&body));
        buf_free (&body);
    }
    cr_expect_not (hash_equal (hashes[0], hashes[1]));
    cr_expect_not (hash_equal (hashes[0], hashes[2]));
    cr_expect_not (hash_equal (hashes[1], hashes[2]));
}
