/* wire_tables_test.c - the tables of methods, schemas, names and errors hold together. */
#include "wire_sample.h"

#include <criterion/criterion.h>

static bool
is_number (enum wire_type type)
{
    return type == WIRE_INT || type == WIRE_DECIMAL || type == WIRE_MONEY || type == WIRE_POINTS;
}

static bool
is_list (enum wire_type type)
{
    return type == WIRE_RECORDS || type == WIRE_INTS || type == WIRE_STRINGS || type == WIRE_ENUMS;
}

static void
check_field (const struct wire_schema *schema, const struct wire_field *field)
{
    bool holds_record = field->type == WIRE_RECORD || field->type == WIRE_RECORDS;
    bool holds_name = field->type == WIRE_ENUM || field->type == WIRE_ENUMS;
    cr_expect_eq (field->schema != NULL, holds_record, "%s.%s", schema->name, field->name);
    cr_expect_eq (field->names != NULL, holds_name, "%s.%s", schema->name, field->name);
    cr_expect (field->doc[0] != '\0', "%s.%s", schema->name, field->name);
    cr_expect (strlen (field->name) <= 32 && wire_utf8_valid (str_of (field->doc)), "%s.%s", schema->name, field->name);
    if (is_number (field->type) || is_list (field->type) || field->type == WIRE_STRING)
        cr_expect (field->min < field->max || (field->type == WIRE_STRING && field->min == field->max),
                   "%s.%s: the bounds", schema->name, field->name);
    if (is_list (field->type) || field->type == WIRE_STRING)
        cr_expect (field->min >= 0, "%s.%s: a count below 0", schema->name, field->name);
    if (is_number (field->type) && field->default_value != 0)
        cr_expect (field->default_value >= field->min && field->default_value <= field->max, "%s.%s: the default",
                   schema->name, field->name);
    if (field->type == WIRE_ANY)
        cr_expect (field->max <= WIRE_META_MAX, "%s.%s: any.c is made for less", schema->name, field->name);
    if (field->flags & WIRE_INT_OK)
        cr_expect_eq (field->type, WIRE_STRING, "%s.%s", schema->name, field->name);
    if (field->flags & WIRE_SHORT)
        cr_expect (holds_record, "%s.%s", schema->name, field->name);
    if (field->flags & WIRE_REQUIRED)
        cr_expect_eq (field->default_value, 0, "%s.%s: required, with a default", schema->name, field->name);
    if (field->flags & WIRE_DISTINCT)
        cr_expect_eq (field->default_value, 0, "%s.%s: distinct, with a default", schema->name, field->name);
    if (field->type == WIRE_ENUM) {
        int64_t names = 0;
        while (field->names[names] != NULL)
            names++;
        cr_expect (field->default_value >= 0 && field->default_value < names, "%s.%s: the default", schema->name,
                   field->name);
    }
}

Test (tables, fields_are_sound_and_unique_in_their_schema)
{
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        cr_expect (schema->count <= WIRE_FIELDS_MAX, "%s", schema->name);
        for (unsigned a = 0; a < schema->count; a++) {
            check_field (schema, &schema->fields[a]);
            for (unsigned b = 0; b < a; b++)
                cr_expect_str_neq (schema->fields[a].name, schema->fields[b].name, "%s", schema->name);
        }
    }
}

/* Containers from a body of this schema inwards. */
static unsigned
depth_of (const struct wire_schema *schema)
{
    unsigned deepest = 0;
    for (unsigned i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        unsigned depth = is_list (field->type) + (field->schema != NULL ? depth_of (field->schema) : 0);
        deepest = depth > deepest ? depth : deepest;
    }
    return 1 + deepest;
}

Test (tables, schemas_are_unique_and_nest_within_the_bound)
{
    for (unsigned a = 0; a < WIRE_SCHEMA_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            cr_expect_str_neq (WIRE_SCHEMA_LIST[a]->name, WIRE_SCHEMA_LIST[b]->name);
        cr_expect (depth_of (WIRE_SCHEMA_LIST[a]) <= WIRE_DEPTH_MAX, "%s is %u deep", WIRE_SCHEMA_LIST[a]->name,
                   depth_of (WIRE_SCHEMA_LIST[a]));
    }
}

Test (tables, methods_are_unique_and_found_by_name)
{
    for (int a = 0; a < METHOD_COUNT; a++) {
        const struct method *method = &METHOD_TABLE[a];
        cr_expect_eq (method_by_name (str_of (method->name)), a, "%s", method->name);
        cr_expect (strchr (method->name, '.') != NULL && strlen (method->name) <= WIRE_NAME_MAX, "%s", method->name);
        cr_expect (method->roles != 0 && (method->roles & ~(unsigned)ROLES_ANY) == 0, "%s: its roles", method->name);
        cr_expect (method->schema != NULL && method->doc[0] != '\0', "%s", method->name);
        cr_expect_eq (method->scope != SCOPE_NONE, method->target == TARGET_BATCH,
                      "%s: what changes something has a key and runs in the batch", method->name);
        if (method->scope == SCOPE_ORDER || method->scope == SCOPE_CANCEL)
            cr_expect_str_eq (method->schema->fields[0].name, "order_id", "%s: its key", method->name);
        for (int b = 0; b < a; b++)
            cr_expect_str_neq (method->name, METHOD_TABLE[b].name);
    }
    static const char *const NO_METHODS[] = {
        "", "order", "order.", "order.proces", "order.processs", "ORDER.PROCESS"
    };
    for (unsigned i = 0; i < sizeof NO_METHODS / sizeof NO_METHODS[0]; i++)
        cr_expect_eq (method_by_name (str_of (NO_METHODS[i])), -1, "%s", NO_METHODS[i]);
    cr_expect_eq (method_by_name ((struct str){ "order.quote\0", 12 }), -1);
}

Test (tables, every_schema_is_used)
{
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        unsigned uses = 0;
        for (int method = 0; method < METHOD_COUNT; method++)
            uses += METHOD_TABLE[method].schema == WIRE_SCHEMA_LIST[i];
        for (unsigned other = i + 1; other < WIRE_SCHEMA_COUNT; other++)
            for (unsigned field = 0; field < WIRE_SCHEMA_LIST[other]->count; field++)
                uses += WIRE_SCHEMA_LIST[other]->fields[field].schema == WIRE_SCHEMA_LIST[i];
        cr_expect (uses > 0, "%s", WIRE_SCHEMA_LIST[i]->name);
    }
}

Test (tables, names_of_lists_are_unique_and_found)
{
    for (unsigned a = 0; a < WIRE_NAME_LIST_COUNT; a++) {
        const char *const *names = WIRE_NAME_LISTS[a].names;
        for (unsigned b = 0; b < a; b++)
            cr_expect_str_neq (WIRE_NAME_LISTS[a].name, WIRE_NAME_LISTS[b].name);
        for (int i = 0; names[i] != NULL; i++) {
            cr_expect_eq (wire_name_index (names, str_of (names[i])), i, "%s", names[i]);
            cr_expect_eq (wire_name_index (names, (struct str){ names[i], (uint32_t)strlen (names[i]) - 1 }), -1);
        }
        cr_expect_eq (wire_name_index (names, (struct str){ NULL, 0 }), -1);
    }
    cr_expect_eq (wire_name_index (NAMES_CHANNEL, (struct str){ "pos\0", 4 }), -1);
}

/* Every list that a field names is one of those that other languages get. */
Test (tables, every_list_of_names_is_listed)
{
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++)
        for (unsigned f = 0; f < WIRE_SCHEMA_LIST[i]->count; f++) {
            const struct wire_field *field = &WIRE_SCHEMA_LIST[i]->fields[f];
            bool listed = field->names == NULL;
            for (unsigned list = 0; list < WIRE_NAME_LIST_COUNT; list++)
                listed |= WIRE_NAME_LISTS[list].names == field->names;
            cr_expect (listed, "%s.%s", WIRE_SCHEMA_LIST[i]->name, field->name);
        }
}
