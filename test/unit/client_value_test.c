/* client_value_test.c - reading and building MessagePack, and JSON, with the C client's helpers. */
#include "loyalty/body.h"
#include "loyalty/json.h"
#include "loyalty/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loyalty_body *
an_order (void)
{
    struct loyalty_body *body = loyalty_body_new ();
    loyalty_body_string (body, "order_id", "SHOP1-0001");
    loyalty_body_int (body, "partner_id", -42);
    loyalty_body_bool (body, "paid", true);
    loyalty_body_null (body, "date");
    loyalty_body_list (body, "lines");
    for (int i = 0; i < 20; i++) {
        loyalty_body_map (body, NULL);
        loyalty_body_int (body, "product_id", i);
        loyalty_body_decimal (body, "price_unit", 1250 + i, 2);
        loyalty_body_list (body, "empty");
        loyalty_body_end (body);
        loyalty_body_end (body);
    }
    loyalty_body_end (body);
    loyalty_body_raw (body, "meta", "\x81\xa1x\x01", 4);
    return body;
}

Test (body, reads_back)
{
    struct loyalty_body *body = an_order ();
    struct loyalty_error error;
    size_t size;
    const void *bytes = loyalty_body_bytes (body, &size);
    cr_assert_not_null (bytes);
    json_t *json = loyalty_json_decode (bytes, size, &error);
    cr_assert (json != NULL, "%s", error.message);
    json_t *last = json_array_get (json_object_get (json, "lines"), 19);
    cr_expect_eq (json_object_size (json), 6);
    cr_expect_str_eq (json_string_value (json_object_get (json, "order_id")), "SHOP1-0001");
    cr_expect_eq (json_integer_value (json_object_get (json, "partner_id")), -42);
    cr_expect (json_is_true (json_object_get (json, "paid")));
    cr_expect (json_is_null (json_object_get (json, "date")));
    cr_expect_eq (json_integer_value (json_object_get (last, "product_id")), 19);
    cr_expect_str_eq (json_string_value (json_object_get (last, "price_unit")), "12.69");
    cr_expect_eq (json_array_size (json_object_get (last, "empty")), 0);
    cr_expect_eq (json_integer_value (json_object_get (json_object_get (json, "meta"), "x")), 1);
    json_decref (json);
    loyalty_body_clear (body);
    bytes = loyalty_body_bytes (body, &size);
    struct loyalty_value value;
    cr_assert (loyalty_read (bytes, size, &value));
    cr_expect (value.type == LOYALTY_MAP && value.size == 0, "cleared");
    loyalty_body_destroy (&body);
    cr_expect_null (body);
}

static void
wrong_name_in_list (struct loyalty_body *body)
{
    loyalty_body_list (body, "a");
    loyalty_body_int (body, "x", 1);
    loyalty_body_end (body);
}
static void
wrong_no_name (struct loyalty_body *body)
{
    loyalty_body_int (body, NULL, 1);
}
static void
wrong_end (struct loyalty_body *body)
{
    loyalty_body_end (body);
}
static void
wrong_open (struct loyalty_body *body)
{
    loyalty_body_list (body, "a");
}
static void
wrong_digits (struct loyalty_body *body)
{
    loyalty_body_decimal (body, "a", 1, 19);
}
static void
wrong_depth (struct loyalty_body *body)
{
    loyalty_body_list (body, "a");
    for (int i = 0; i < 16; i++)
        loyalty_body_list (body, NULL);
    for (int i = 0; i < 17; i++)
        loyalty_body_end (body);
}

Test (body, mistakes_fail_as_a_whole)
{
    void (*const mistakes[]) (struct loyalty_body *) = { wrong_name_in_list, wrong_no_name, wrong_end,
                                                         wrong_open,         wrong_digits,  wrong_depth };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct loyalty_body *body = loyalty_body_new ();
        size_t size;
        mistakes[i](body);
        cr_expect_null (loyalty_body_bytes (body, &size), "mistake %zu", i);
        loyalty_body_int (body, "b", 1);
        cr_expect_null (loyalty_body_bytes (body, &size), "mistake %zu", i);
        loyalty_body_destroy (&body);
    }
}

Test (value, paths)
{
    struct loyalty_body *body = an_order ();
    struct loyalty_value value;
    char text[16];
    size_t size;
    const void *bytes = loyalty_body_bytes (body, &size);
    cr_assert (loyalty_find (bytes, size, "lines[3].price_unit", &value));
    cr_expect (loyalty_value_equals (&value, "12.53"));
    cr_expect (loyalty_value_text (&value, text, sizeof text));
    cr_expect_str_eq (text, "12.53");
    cr_expect_not (loyalty_value_text (&value, text, 4), "cut");
    cr_expect_str_eq (text, "12.");
    cr_assert (loyalty_find (bytes, size, "partner_id", &value));
    cr_expect (loyalty_value_text (&value, text, sizeof text));
    cr_expect_str_eq (text, "-42");
    cr_assert (loyalty_find (bytes, size, "", &value));
    cr_expect_eq (value.type, LOYALTY_MAP);
    cr_assert (loyalty_find (bytes, size, "meta.x", &value), "behind the lines");
    static const char *const MISSING[] = { "nothing", "lines[20]", "lines.x", "order_id[0]",
                                           "lines[",  "lines[x]",  "meta.y" };
    for (size_t i = 0; i < sizeof MISSING / sizeof MISSING[0]; i++)
        cr_expect_not (loyalty_find (bytes, size, MISSING[i], &value), "%s", MISSING[i]);
    loyalty_body_destroy (&body);
}

Test (value, walks)
{
    struct loyalty_body *body = an_order ();
    struct loyalty_value lines, item, key;
    size_t size, count = 0;
    const void *bytes = loyalty_body_bytes (body, &size);
    cr_assert (loyalty_find (bytes, size, "lines", &lines));
    while (loyalty_walk (&lines, &item)) {
        cr_assert (loyalty_walk (&item, &key));
        cr_expect (loyalty_value_equals (&key, "product_id"));
        cr_assert (loyalty_walk (&item, &key));
        cr_expect_eq (key.integer, (int64_t)count);
        count++;
    }
    cr_expect_eq (count, 20);
    loyalty_body_destroy (&body);
}

/* Of a value that is cut anywhere nothing is read beyond the cut: run under AddressSanitizer. */
Test (value, every_cut_is_found)
{
    struct loyalty_body *body = an_order ();
    size_t size;
    const void *bytes = loyalty_body_bytes (body, &size);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc (cut + 1);
        struct loyalty_value value;
        memcpy (copy, bytes, cut);
        cr_expect (!loyalty_read (copy, cut, &value) || loyalty_skip (&value) == NULL, "cut at %zu", cut);
        cr_expect_not (loyalty_find (copy, cut, "meta.x", &value), "cut at %zu", cut);
        cr_expect_null (loyalty_json_decode (copy, cut, NULL), "cut at %zu", cut);
        free (copy);
    }
    loyalty_body_destroy (&body);
}

static json_t *
decoded (const char *bytes, size_t size)
{
    return loyalty_json_decode (bytes, size, NULL);
}

static void
expect_json (const char *bytes, size_t size, const char *expected)
{
    json_t *value = decoded (bytes, size);
    char *text = value != NULL ? json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    cr_expect (text != NULL && strcmp (text, expected) == 0, "%s, not %s", text, expected);
    free (text);
    json_decref (value);
}

Test (json, what_json_has_no_type_for)
{
    expect_json ("\xc4\x02\x0f\xa0", 4, "\"0fa0\"");
    expect_json ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "\"18446744073709551615\"");
    expect_json ("\xcb\x7f\xf8\0\0\0\0\0\0", 9, "null");
    expect_json ("\x81\x07\xa1x", 4, "{\"7\":\"x\"}");
}

Test (json, what_cannot_be_shown)
{
    char deep[40];
    memset (deep, 0x91, sizeof deep);
    deep[39] = 0;
    cr_expect_null (decoded (deep, sizeof deep), "too deep");
    cr_expect_null (decoded ("\xa2\xff\xfe", 3), "not UTF-8");
    cr_expect_null (decoded ("\x81\xc0\x01", 3), "a key that is null");
    cr_expect_null (decoded ("\x01\x02", 2), "bytes left over");
    cr_expect_null (decoded ("", 0), "nothing");
}

Test (json, nested_too_deep_to_send)
{
    json_t *value = json_object ();
    struct loyalty_error error;
    size_t size;
    for (int i = 0; i < 40; i++)
        value = json_pack ("[o]", value);
    cr_expect_null (loyalty_json_encode (value, &size, &error));
    cr_expect_eq (error.code, LOYALTY_INVALID_REQUEST);
    json_decref (value);
}

Test (key, are_uuids_and_differ)
{
    char first[LOYALTY_KEY_SIZE], second[LOYALTY_KEY_SIZE];
    cr_assert_eq (loyalty_key_make (first), 0);
    cr_assert_eq (loyalty_key_make (second), 0);
    cr_expect_str_neq (first, second);
    cr_expect_eq (strlen (first), 36);
    cr_expect_eq (first[14], '4');
    cr_expect (strchr ("89ab", first[19]) != NULL, "%s", first);
}
