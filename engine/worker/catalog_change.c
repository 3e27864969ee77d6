/* catalog_change.c - see catalog_change.h. */
#include "worker/catalog_change.h"
#include "wire/msgpack.h"
#include "worker/event.h"
#include "worker/program_decode.h"

#include <stdio.h>
#include <stdlib.h>

static int
no_memory (struct change *change)
{
    return request_fail (change->request, ERROR_BUSY, "there is no memory for the change just now");
}

/* Puts the item's path before the path of an error about a field of it. */
static int
at_item (struct change *change, const struct change_item *item)
{
    struct error inner = change->request->error, *err = &change->request->error;
    const char *path =
        inner.detail_count > 0 && strcmp (inner.details[0].name, "path") == 0 ? inner.details[0].value : "";
    char full[96];
    snprintf (full, sizeof full, "%.40s%s%.50s", item->path, item->path[0] != '\0' && path[0] != '\0' ? "." : "", path);
    const char *text = strstr (inner.message, ": ");
    return error_field (err, inner.code, full, "%s", text != NULL && path[0] != '\0' ? text + 2 : inner.message);
}

void
change_begin (struct change *change, struct executor *executor, struct request *request, struct arena *arena)
{
    *change = (struct change){ .executor = executor, .request = request, .arena = arena };
}

static int
add (struct change *change, struct change_list *list, const struct wire_record *record, const char *path,
     struct str definition)
{
    if (list->count == list->capacity) {
        uint32_t larger = list->capacity ? list->capacity * 2 : 16;
        struct change_item *items = arena_array_of (change->arena, larger, struct change_item);
        if (items == NULL)
            return no_memory (change);
        if (list->count > 0)
            memcpy (items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = larger;
    }
    list->items[list->count++] = (struct change_item){ record, path, definition };
    return 0;
}

int
change_add_program (struct change *change, const struct wire_record *record, struct str definition, const char *path)
{
    return add (change, &change->programs, record, path, definition);
}

static int
collect_list (struct change *change, struct change_list *list, const struct wire_record *record, int field,
              const char *name, int64_t part)
{
    if (field < 0)
        return 0;
    const struct wire_list *records = &record->fields[field].list;
    for (uint32_t i = 0; i < records->count; i++) {
        const char *path = part > 0 ? arena_printf (change->arena, "part %lld: %s[%u]", (long long)part, name, i)
                                    : arena_printf (change->arena, "%s[%u]", name, i);
        if (path == NULL)
            return no_memory (change);
        if (add (change, list, records->records[i], path, (struct str){ NULL, 0 }) < 0)
            return -1;
    }
    return 0;
}

/* The bytes of each program, as they stand in the body. */
static int
definitions_of (struct change *change, struct str body, uint32_t first)
{
    struct wire_token token;
    struct str list;
    if (first == change->programs.count)
        return 0;
    bool found = wire_map_find (body, "programs", &list);
    struct wire_reader rest = wire_reader_of (found ? list : STR (""));
    if (!wire_next (&rest, &token) || token.type != TOKEN_ARRAY)
        return request_fail (change->request, ERROR_INTERNAL, "the programs cannot be found in the body");
    for (uint32_t i = first; i < change->programs.count; i++) {
        struct str *definition = &change->programs.items[i].definition;
        if (!wire_slice (&rest, WIRE_DEPTH_MAX, definition))
            return request_fail (change->request, ERROR_INTERNAL, "a program cannot be found in the body");
        *definition = arena_str (change->arena, *definition);
        if (definition->data == NULL)
            return no_memory (change);
    }
    return 0;
}

int
change_collect (struct change *change, const struct wire_record *record, struct change_fields fields, struct str body,
                int64_t part)
{
    uint32_t first = change->programs.count;
    if (collect_list (change, &change->stores, record, fields.stores, "stores", part) < 0 ||
        collect_list (change, &change->partners, record, fields.partners, "partners", part) < 0 ||
        collect_list (change, &change->products, record, fields.products, "products", part) < 0 ||
        collect_list (change, &change->categories, record, fields.categories, "categories", part) < 0 ||
        collect_list (change, &change->levels, record, fields.levels, "levels", part) < 0 ||
        collect_list (change, &change->programs, record, fields.programs, "programs", part) < 0)
        return -1;
    return definitions_of (change, body, first);
}

/* ---- judging */

/* The id is the first field of each of these schemas. */
static int
check_doubles (struct change *change, const struct change_list *list, const char *id_name)
{
    struct map seen = map_in (change->arena);
    for (uint32_t i = 0; i < list->count; i++) {
        int64_t id = list->items[i].record->fields[0].integer;
        uint32_t at = map_get (&seen, id);
        if (at != MAP_ABSENT) {
            char path[96];
            snprintf (path, sizeof path, "%s.%s", list->items[i].path, id_name);
            return error_field (&change->request->error, ERROR_INVALID_REQUEST, path,
                                "%lld is given twice, first as %s", (long long)id, list->items[at].path);
        }
        if (!map_set (&seen, id, i))
            return no_memory (change);
    }
    return 0;
}

static int
check_programs (struct change *change)
{
    change->checked = arena_array_of (change->arena, change->programs.count + 1, struct program);
    if (change->checked == NULL)
        return no_memory (change);
    for (uint32_t i = 0; i < change->programs.count; i++) {
        const struct change_item *item = &change->programs.items[i];
        if (program_from_record (item->record, change->arena, &change->checked[i], &change->request->error) < 0 ||
            program_check (&change->checked[i], change->executor->engine->currency_digits, &change->request->error) < 0)
            return at_item (change, item);
    }
    return 0;
}

int
change_check (struct change *change)
{
    if (check_doubles (change, &change->stores, "store_id") < 0 ||
        check_doubles (change, &change->partners, "partner_id") < 0 ||
        check_doubles (change, &change->products, "product_id") < 0 ||
        check_doubles (change, &change->categories, "category_id") < 0 ||
        check_doubles (change, &change->levels, "membership_product_id") < 0 ||
        check_doubles (change, &change->programs, "program_id") < 0)
        return -1;
    return check_programs (change);
}

/* The last program of the change that has this code, or is primary for this membership: its field. NULL: none. */
static const char *
program_in_conflict (struct change *change, struct str code, int64_t membership_product_id)
{
    for (uint32_t i = change->programs.count; i-- > 0;) {
        const struct program *program = &change->checked[i];
        const char *at = change->programs.items[i].path, *dot = at[0] != '\0' ? "." : "";
        if (program->state != PROGRAM_ACTIVE)
            continue;
        if (code.size == 0 && program->is_primary_loyalty && program->membership_product_id == membership_product_id)
            return arena_printf (change->arena, "%s%sis_primary_loyalty", at, dot);
        for (uint32_t r = 0; r < program->rule_count && code.size > 0; r++)
            if (program->rules[r].code.size > 0 && code_compare (program->rules[r].code, code) == 0)
                return arena_printf (change->arena, "%s%srules[%u].code", at, dot, r);
    }
    return NULL;
}

/* A cycle may be named by a category that stays as it is: the change closed it all the same. */
static const char *
category_in_conflict (struct change *change, int64_t category_id)
{
    for (uint32_t i = 0; i < change->categories.count; i++)
        if (change->categories.items[i].record->fields[F_CATEGORY_ID].integer == category_id)
            return arena_printf (change->arena, "%s.parent_id", change->categories.items[i].path);
    return change->categories.count > 0 ? "categories" : NULL;
}

/* Names the field of the change by which the catalog as a whole cannot stand. */
static void
name_conflict (struct change *change)
{
    struct error inner = change->request->error;
    const char *path = NULL;
    if (inner.code != ERROR_INVALID_REQUEST || inner.detail_count != 1)
        return;
    const char *name = inner.details[0].name, *value = inner.details[0].value;
    if (strcmp (name, "code") == 0)
        path = program_in_conflict (change, str_of (value), 0);
    else if (strcmp (name, "membership_product_id") == 0)
        path = program_in_conflict (change, STR (""), strtoll (value, NULL, 10));
    else if (strcmp (name, "category_id") == 0)
        path = category_in_conflict (change, strtoll (value, NULL, 10));
    if (path != NULL)
        error_field (&change->request->error, inner.code, path, "%s", inner.message);
}

/* Builds the catalog as it will be; what cannot stand together is refused. */
static int
check_together (struct change *change, int64_t version)
{
    struct category *categories = arena_array_of (change->arena, change->categories.count + 1, struct category);
    struct level *levels = arena_array_of (change->arena, change->levels.count + 1, struct level);
    struct catalog *catalog;
    enum pg_failure failure = PG_NONE;
    if (categories == NULL || levels == NULL)
        return no_memory (change);
    for (uint32_t i = 0; i < change->categories.count; i++) {
        const struct wire_value *fields = change->categories.items[i].record->fields;
        categories[i] = (struct category){ fields[F_CATEGORY_ID].integer, fields[F_CATEGORY_PARENT_ID].present,
                                           fields[F_CATEGORY_PARENT_ID].integer };
    }
    for (uint32_t i = 0; i < change->levels.count; i++) {
        const struct wire_value *fields = change->levels.items[i].record->fields;
        levels[i] = (struct level){ fields[F_LEVEL_MEMBERSHIP_PRODUCT_ID].integer,
                                    fields[F_LEVEL_SEQUENCE].integer,
                                    fields[F_LEVEL_THRESHOLD].integer,
                                    fields[F_LEVEL_EARN_MULTIPLIER].integer,
                                    fields[F_LEVEL_IS_UPGRADABLE].boolean,
                                    fields[F_LEVEL_IS_DOWNGRADABLE].boolean,
                                    (enum level_window)fields[F_LEVEL_WINDOW].integer,
                                    (int)fields[F_LEVEL_WINDOW_MONTHS].integer,
                                    (int)fields[F_LEVEL_GRACE_DAYS].integer,
                                    (enum level_change)fields[F_LEVEL_ON_CHANGE].integer };
    }
    struct catalog_change candidate = { change->programs.count, change->checked, change->categories.count, categories,
                                        change->levels.count,   levels };
    struct executor *executor = change->executor;
    int status = catalog_load (executor->pg, executor->engine, version, &candidate, change->arena, &catalog,
                               executor_deadline_us (executor), &failure, &change->request->error);
    executor->unit.failure = failure;
    if (status < 0)
        name_conflict (change);
    return status;
}

/* ---- writing */

static int
run (struct change *change, enum statement statement, struct pg_params *params)
{
    struct unit *unit = &change->executor->unit;
    PGresult *result = pg_run (unit->pg, statement, params, executor_deadline_us (change->executor), &unit->failure,
                               &change->request->error);
    if (result == NULL)
        return -1;
    PQclear (result);
    change->applied++;
    return 0;
}

/* A list as columns: `add_row` appends one record's values. */
enum { CHANGE_COLUMNS_MAX = 11 };
struct change_table {
    enum statement close, insert; /* close == insert: rows have no versions */
    int column_count;
    enum pg_type types[CHANGE_COLUMNS_MAX];
    void (*add_row) (struct change *change, const struct wire_value *fields, struct pg_array *columns);
};

static void
text_or_empty (struct pg_array *column, const struct wire_value *value)
{
    pg_array_bytes (column, value->present ? value->text : STR (""));
}

static void
int_or_null (struct pg_array *column, const struct wire_value *value)
{
    if (value->present)
        pg_array_int (column, value->integer);
    else
        pg_array_null (column);
}

static void
add_store (struct change *change, const struct wire_value *fields, struct pg_array *columns)
{
    pg_array_int (&columns[0], fields[F_STORE_ID].integer);
    text_or_empty (&columns[1], &fields[F_STORE_NAME]);
    pg_array_bytes (&columns[2], fields[F_STORE_TIME_ZONE].present ? fields[F_STORE_TIME_ZONE].text
                                                                   : str_of (change->executor->engine->time_zone));
}

static void
add_category (struct change *change, const struct wire_value *fields, struct pg_array *columns)
{
    (void)change;
    pg_array_int (&columns[0], fields[F_CATEGORY_ID].integer);
    text_or_empty (&columns[1], &fields[F_CATEGORY_NAME]);
    int_or_null (&columns[2], &fields[F_CATEGORY_PARENT_ID]);
}

static void
add_level (struct change *change, const struct wire_value *fields, struct pg_array *columns)
{
    (void)change;
    pg_array_int (&columns[0], fields[F_LEVEL_MEMBERSHIP_PRODUCT_ID].integer);
    text_or_empty (&columns[1], &fields[F_LEVEL_NAME]);
    pg_array_int (&columns[2], fields[F_LEVEL_SEQUENCE].integer);
    pg_array_int (&columns[3], fields[F_LEVEL_THRESHOLD].integer);
    pg_array_int (&columns[4], fields[F_LEVEL_EARN_MULTIPLIER].integer);
    pg_array_int (&columns[5], fields[F_LEVEL_IS_UPGRADABLE].boolean);
    pg_array_int (&columns[6], fields[F_LEVEL_IS_DOWNGRADABLE].boolean);
    pg_array_int (&columns[7], fields[F_LEVEL_WINDOW].integer);
    pg_array_int (&columns[8], fields[F_LEVEL_WINDOW_MONTHS].integer);
    pg_array_int (&columns[9], fields[F_LEVEL_GRACE_DAYS].integer);
    pg_array_int (&columns[10], fields[F_LEVEL_ON_CHANGE].integer);
}

/* Tags as an array literal: quoted, with quotes and backslashes escaped. */
static struct str
tags_literal (struct change *change, const struct wire_list *tags)
{
    size_t size = 3;
    for (uint32_t i = 0; i < tags->count; i++)
        size += (size_t)tags->texts[i].size * 2 + 3;
    char *text = arena_alloc (change->arena, size), *at = text;
    if (text == NULL)
        return (struct str){ NULL, 0 };
    *at++ = '{';
    for (uint32_t i = 0; i < tags->count; i++) {
        if (i > 0)
            *at++ = ',';
        *at++ = '"';
        for (uint32_t j = 0; j < tags->texts[i].size; j++) {
            char character = tags->texts[i].data[j];
            if (character == '"' || character == '\\')
                *at++ = '\\';
            *at++ = character;
        }
        *at++ = '"';
    }
    *at++ = '}';
    return (struct str){ text, (uint32_t)(at - text) };
}

static void
add_product (struct change *change, const struct wire_value *fields, struct pg_array *columns)
{
    pg_array_int (&columns[0], fields[F_PRODUCT_ID].integer);
    text_or_empty (&columns[1], &fields[F_PRODUCT_NAME]);
    text_or_empty (&columns[2], &fields[F_PRODUCT_REFERENCE]);
    int_or_null (&columns[3], &fields[F_PRODUCT_CATEGORY_ID]);
    pg_array_bytes (&columns[4], tags_literal (change, &fields[F_PRODUCT_TAGS].list));
    pg_array_int (&columns[5], fields[F_PRODUCT_ACTIVE].boolean);
}

static void
add_partner (struct change *change, const struct wire_value *fields, struct pg_array *columns)
{
    pg_array_int (&columns[0], fields[F_PARTNER_ID].integer);
    text_or_empty (&columns[1], &fields[F_PARTNER_NAME]);
    if (fields[F_PARTNER_BIRTHDAY].present) {
        char *day = arena_alloc (change->arena, TIMESTAMP_TEXT_MAX);
        if (day != NULL)
            day_format ((int32_t)fields[F_PARTNER_BIRTHDAY].integer, day);
        pg_array_bytes (&columns[2], str_of (day != NULL ? day : ""));
    } else {
        pg_array_null (&columns[2]);
    }
    pg_array_int (&columns[3], fields[F_PARTNER_ACTIVE].boolean);
}

static const struct change_table STORES = {
    STATEMENT_STORES_CLOSE, STATEMENT_STORES_INSERT, 3, { PG_INT8, PG_TEXT, PG_TEXT }, add_store
};
static const struct change_table CATEGORIES = {
    STATEMENT_CATEGORIES_CLOSE, STATEMENT_CATEGORIES_INSERT, 3, { PG_INT8, PG_TEXT, PG_INT8 }, add_category
};
static const struct change_table LEVELS = { STATEMENT_LEVELS_CLOSE,
                                            STATEMENT_LEVELS_INSERT,
                                            11,
                                            { PG_INT8, PG_TEXT, PG_INT4, PG_INT8, PG_INT8, PG_BOOL, PG_BOOL, PG_INT2,
                                              PG_INT4, PG_INT4, PG_INT2 },
                                            add_level };
static const struct change_table PRODUCTS = { STATEMENT_PRODUCTS_UPSERT,
                                              STATEMENT_PRODUCTS_UPSERT,
                                              6,
                                              { PG_INT8, PG_TEXT, PG_TEXT, PG_INT8, PG_TEXT, PG_BOOL },
                                              add_product };
static const struct change_table PARTNERS = {
    STATEMENT_PARTNERS_UPSERT, STATEMENT_PARTNERS_UPSERT, 4, { PG_INT8, PG_TEXT, PG_TEXT, PG_BOOL }, add_partner
};

static int
write_table (struct change *change, const struct change_table *table, const struct change_list *list, int64_t version)
{
    struct pg_array columns[CHANGE_COLUMNS_MAX], ids;
    struct pg_params insert = { .arena = change->arena }, close = { .arena = change->arena };
    if (list->count == 0)
        return 0;
    pg_array_begin (&ids, PG_INT8);
    for (int i = 0; i < table->column_count; i++)
        pg_array_begin (&columns[i], table->types[i]);
    for (uint32_t i = 0; i < list->count; i++) {
        table->add_row (change, list->items[i].record->fields, columns);
        pg_array_int (&ids, list->items[i].record->fields[0].integer);
    }
    pg_param_array (&close, &ids);
    pg_param_int8 (&close, version);
    pg_param_int8 (&insert, version);
    for (int i = 0; i < table->column_count; i++)
        pg_param_array (&insert, &columns[i]);
    if (insert.failed || close.failed)
        return no_memory (change);
    if (table->close != table->insert && run (change, table->close, &close) < 0)
        return -1;
    return run (change, table->insert, &insert);
}

/* Makes sure that the zone of each store is in the database. */
static int
ensure_zones (struct change *change)
{
    struct unit *unit = &change->executor->unit;
    struct str last = { NULL, 0 };
    for (uint32_t i = 0; i < change->stores.count; i++) {
        const struct wire_value *zone = &change->stores.items[i].record->fields[F_STORE_TIME_ZONE];
        if (!zone->present || (last.data != NULL && str_equal (zone->text, last)))
            continue;
        last = zone->text;
        struct pg_params params = { .arena = change->arena };
        pg_param_text (&params, zone->text);
        PGresult *result = pg_run (unit->pg, STATEMENT_TIME_ZONE_ENSURE, &params,
                                   executor_deadline_us (change->executor), &unit->failure, &change->request->error);
        if (result == NULL)
            return -1;
        bool known = pg_bool (result, 0, 0);
        PQclear (result);
        if (!known) {
            char path[96];
            snprintf (path, sizeof path, "%s.time_zone", change->stores.items[i].path);
            return error_field (&change->request->error, ERROR_INVALID_REQUEST, path,
                                "\"%.*s\" is not an IANA time zone", (int)last.size, last.data);
        }
    }
    return 0;
}

static int
write_program (struct change *change, uint32_t index, int64_t version)
{
    const struct program *program = &change->checked[index];
    const struct change_item *item = &change->programs.items[index];
    struct pg_params draft = { .arena = change->arena }, close = draft, insert = draft;

    pg_param_int8 (&close, program->id);
    pg_param_int8 (&close, version);
    if (run (change, STATEMENT_PROGRAM_CLOSE, &close) < 0)
        return -1;
    pg_param_int8 (&draft, program->id);
    if (program->state == PROGRAM_DRAFT) {
        pg_param_text (&draft, program->name);
        pg_param_bytes (&draft, item->definition);
        return run (change, STATEMENT_DRAFT_PUT, &draft);
    }
    if (run (change, STATEMENT_DRAFT_DELETE, &draft) < 0)
        return -1;
    pg_param_int8 (&insert, program->id);
    pg_param_int8 (&insert, version);
    pg_param_text (&insert, program->name);
    pg_param_int2 (&insert, (int16_t)program->type);
    pg_param_int2 (&insert, (int16_t)program->state);
    if (program->has_membership)
        pg_param_int8 (&insert, program->membership_product_id);
    else
        pg_param_null (&insert);
    pg_param_bool (&insert, program->is_primary_loyalty);
    pg_param_bytes (&insert, item->definition);
    return run (change, STATEMENT_PROGRAM_INSERT, &insert);
}

/* A number from a statement without parameters that gives one row. */
static int
number_of (struct change *change, enum statement statement, int64_t *number)
{
    struct unit *unit = &change->executor->unit;
    PGresult *result = pg_run (unit->pg, statement, NULL, executor_deadline_us (change->executor), &unit->failure,
                               &change->request->error);
    if (result == NULL)
        return -1;
    *number = pg_int (result, 0, 0);
    PQclear (result);
    return 0;
}

/* Drafts move no version, unless they stand where an active program stood. */
static int
moves_catalog (struct change *change, bool *moves)
{
    struct unit *unit = &change->executor->unit;
    *moves = change->stores.count + change->categories.count + change->levels.count > 0;
    for (uint32_t i = 0; i < change->programs.count && !*moves; i++) {
        if (change->checked[i].state != PROGRAM_DRAFT) {
            *moves = true;
            break;
        }
        struct pg_params params = { .arena = change->arena };
        pg_param_int8 (&params, change->checked[i].id);
        pg_param_int8 (&params, INT64_MAX);
        PGresult *result = pg_run (unit->pg, STATEMENT_PROGRAM_GET, &params, executor_deadline_us (change->executor),
                                   &unit->failure, &change->request->error);
        if (result == NULL)
            return -1;
        *moves = PQntuples (result) > 0;
        PQclear (result);
    }
    return 0;
}

/* The ids of a list, of which `field` is the one. */
static struct event_ids
ids_of (struct change *change, const struct change_list *list, int field)
{
    int64_t *ids = arena_array_of (change->arena, (size_t)list->count + 1, int64_t);
    for (uint32_t i = 0; ids != NULL && i < list->count; i++)
        ids[i] = list->items[i].record->fields[field].integer;
    return (struct event_ids){ ids != NULL ? list->count : 0, ids };
}

static int
tell (struct change *change, int64_t version)
{
    const struct event_ids changed[CHANGED_KINDS] = {
        [CHANGED_PROGRAMS] = ids_of (change, &change->programs, F_PROGRAM_ID),
        [CHANGED_STORES] = ids_of (change, &change->stores, F_STORE_ID),
        [CHANGED_CATEGORIES] = ids_of (change, &change->categories, F_CATEGORY_ID),
        [CHANGED_LEVELS] = ids_of (change, &change->levels, F_LEVEL_MEMBERSHIP_PRODUCT_ID),
    };
    for (unsigned kind = 0; kind < CHANGED_KINDS; kind++)
        if (changed[kind].ids == NULL)
            return no_memory (change);
    return event_catalog_changed (&change->executor->unit, version, changed, &change->request->error);
}

int
change_apply (struct change *change, int64_t *version)
{
    int64_t reference_version;
    bool moves;
    if (number_of (change, STATEMENT_CATALOG_LOCK, version) < 0 || moves_catalog (change, &moves) < 0 ||
        ensure_zones (change) < 0)
        return -1;
    if (moves && check_together (change, *version) < 0)
        return -1;
    if (moves && number_of (change, STATEMENT_CATALOG_BUMP, version) < 0)
        return -1;
    if (write_table (change, &STORES, &change->stores, *version) < 0 ||
        write_table (change, &CATEGORIES, &change->categories, *version) < 0 ||
        write_table (change, &LEVELS, &change->levels, *version) < 0)
        return -1;
    for (uint32_t i = 0; i < change->programs.count; i++)
        if (write_program (change, i, *version) < 0)
            return -1;
    if (change->products.count + change->partners.count > 0 &&
        (number_of (change, STATEMENT_REFERENCE_BUMP, &reference_version) < 0 ||
         write_table (change, &PRODUCTS, &change->products, reference_version) < 0 ||
         write_table (change, &PARTNERS, &change->partners, reference_version) < 0))
        return -1;
    return moves ? tell (change, *version) : 0;
}
