/* schema_dump.c - the program `loyalty-schema`: prints the tables of the protocol (error codes, methods, request
 * bodies, name lists) as JSON, from which clients make their constants, or as Markdown, docs/reference.md. */
#include "base/decimal.h"
#include "wire/envelope.h"
#include "wire/method.h"

#include <inttypes.h>
#include "base/topic.h"

#include <stdio.h>

static const struct {
    const char *name;
    bool retryable;
    const char *meaning;
} ERRORS[] = {
#define X(id, name, retryable, text) { name, retryable, text },
    ERROR_CODES (X)
#undef X
};
enum { ERROR_COUNT = sizeof ERRORS / sizeof ERRORS[0] };

static const struct {
    int number;
    const char *name, *meaning;
} TOPIC_LIST[] = {
#define X(id, number, name, meaning) { number, name, meaning },
    TOPICS (X)
#undef X
};

static const struct {
    unsigned role;
    const char *name;
} ROLES[] = {
#define X(id, bit, name, meaning) { ROLE_##id, name },
    ROLE_LIST (X)
#undef X
};
enum { ROLE_COUNT = sizeof ROLES / sizeof ROLES[0] };

static const struct {
    const char *name;
    long value;
    const char *meaning;
} LIMITS[] = {
    { "body_bytes_max", WIRE_BODY_MAX, "bytes of a request's body" },
    { "header_bytes_max", WIRE_HEADER_MAX, "bytes of a request's header" },
    { "depth_max", WIRE_DEPTH_MAX, "containers within each other, the body itself being one" },
    { "lines_max", WIRE_LINES_MAX, "lines of an order" },
    { "name_bytes_max", WIRE_NAME_MAX, "bytes of an order id, a key, a code" },
    { "meta_bytes_max", WIRE_META_MAX, "bytes of `meta`" },
    { "ttl_default_ms", TTL_DEFAULT_MS, "milliseconds until the deadline of a request that says none" },
    { "ttl_max_ms", TTL_MAX_MS, "most milliseconds until a deadline" },
    { "traceparent_bytes_max", TRACEPARENT_MAX, "bytes of `traceparent`" },
};
enum { LIMIT_COUNT = sizeof LIMITS / sizeof LIMITS[0] };

static const char *const SCOPES[] = { "none", "order", "cancel", "op" };
static const char *const TARGETS[] = { "batch", "read", "broker" };
static const char *const TYPES[] = {
    [WIRE_BOOL] = "bool",       [WIRE_INT] = "int",       [WIRE_STRING] = "string",   [WIRE_DECIMAL] = "decimal",
    [WIRE_MONEY] = "money",     [WIRE_POINTS] = "points", [WIRE_TIME] = "time",       [WIRE_DAY] = "day",
    [WIRE_ENUM] = "enum",       [WIRE_RECORD] = "record", [WIRE_RECORDS] = "records", [WIRE_INTS] = "ints",
    [WIRE_STRINGS] = "strings", [WIRE_ENUMS] = "enums",   [WIRE_ANY] = "any",
};

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

static bool
has_bounds (const struct wire_field *field)
{
    return is_number (field->type) || is_list (field->type) || field->type == WIRE_STRING || field->type == WIRE_ANY;
}

/* Whether default_value says what an absent field reads as. */
static bool
has_default (const struct wire_field *field)
{
    if (field->flags & (WIRE_REQUIRED | WIRE_DISTINCT))
        return false;
    if (field->type == WIRE_BOOL || field->type == WIRE_ENUM)
        return true;
    return is_number (field->type) && field->default_value >= field->min && field->default_value <= field->max;
}

static const char *
list_name (const char *const *names)
{
    for (unsigned i = 0; i < WIRE_NAME_LIST_COUNT; i++)
        if (WIRE_NAME_LISTS[i].names == names)
            return WIRE_NAME_LISTS[i].name;
    return "";
}

/* --- JSON --- */

static void
json_text (const char *text)
{
    putchar ('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar ('\\');
        putchar (*text); /* no control characters stand in the tables */
    }
    putchar ('"');
}

static void
json_names (const char *const *names)
{
    putchar ('[');
    for (int i = 0; names[i] != NULL; i++) {
        fputs (i > 0 ? ", " : "", stdout);
        json_text (names[i]);
    }
    putchar (']');
}

static void
json_flags (const struct wire_field *field)
{
    if (field->flags & WIRE_REQUIRED)
        printf (", \"required\": true");
    if (field->flags & WIRE_NOT_HASHED)
        printf (", \"hashed\": false");
    if (field->flags & WIRE_INT_OK)
        printf (", \"int_ok\": true");
    if (field->flags & WIRE_SHORT)
        printf (", \"short\": true");
    if (field->flags & WIRE_DISTINCT)
        printf (", \"distinct\": true");
}

/* Bounds and default are in the units of the type: millionths, minor units, hundredths, bytes, elements. */
static void
json_field (const struct wire_field *field)
{
    printf ("{\"name\": \"%s\", \"type\": \"%s\"", field->name, TYPES[field->type]);
    json_flags (field);
    if (has_bounds (field))
        printf (", \"min\": %" PRId64 ", \"max\": %" PRId64, field->min, field->max);
    if (has_default (field) && field->type == WIRE_BOOL)
        printf (", \"default\": %s", field->default_value != 0 ? "true" : "false");
    else if (has_default (field) && field->type == WIRE_ENUM)
        printf (", \"default\": \"%s\"", field->names[field->default_value]);
    else if (has_default (field))
        printf (", \"default\": %" PRId64, field->default_value);
    if (field->schema != NULL)
        printf (", \"schema\": \"%s\"", field->schema->name);
    if (field->names != NULL)
        printf (", \"names\": \"%s\"", list_name (field->names));
    printf (", \"doc\": ");
    json_text (field->doc);
    putchar ('}');
}

static void
json_method (const struct method *method)
{
    printf ("    {\"name\": \"%s\", \"roles\": [", method->name);
    bool more = false;
    for (int i = 0; i < ROLE_COUNT; i++)
        if (method->roles & ROLES[i].role) {
            printf ("%s\"%s\"", more ? ", " : "", ROLES[i].name);
            more = true;
        }
    printf ("], \"scope\": \"%s\", \"target\": \"%s\", \"schema\": \"%s\", \"doc\": ", SCOPES[method->scope],
            TARGETS[method->target], method->schema->name);
    json_text (method->doc);
    putchar ('}');
}

static void
print_json (void)
{
    printf ("{\n  \"protocol_version\": %d,\n  \"limits\": {", PROTOCOL_VERSION);
    for (int i = 0; i < LIMIT_COUNT; i++)
        printf ("%s\n    \"%s\": %ld", i > 0 ? "," : "", LIMITS[i].name, LIMITS[i].value);
    printf ("\n  },\n  \"roles\": [");
    for (int i = 0; i < ROLE_COUNT; i++)
        printf ("%s\"%s\"", i > 0 ? ", " : "", ROLES[i].name);
    printf ("],\n  \"errors\": [");
    for (int i = 0; i < ERROR_COUNT; i++) {
        printf ("%s\n    {\"code\": \"%s\", \"retryable\": %s, \"meaning\": ", i > 0 ? "," : "", ERRORS[i].name,
                ERRORS[i].retryable ? "true" : "false");
        json_text (ERRORS[i].meaning);
        putchar ('}');
    }
    printf ("\n  ],\n  \"topics\": [");
    for (int i = 0; i < TOPIC_LAST; i++) {
        printf ("%s\n    {\"number\": %d, \"name\": \"%s\", \"meaning\": ", i > 0 ? "," : "", TOPIC_LIST[i].number,
                TOPIC_LIST[i].name);
        json_text (TOPIC_LIST[i].meaning);
        putchar ('}');
    }
    printf ("\n  ],\n  \"methods\": [");
    for (int i = 0; i < METHOD_COUNT; i++) {
        puts (i > 0 ? "," : "");
        json_method (&METHOD_TABLE[i]);
    }
    printf ("\n  ],\n  \"names\": {");
    for (unsigned i = 0; i < WIRE_NAME_LIST_COUNT; i++) {
        printf ("%s\n    \"%s\": ", i > 0 ? "," : "", WIRE_NAME_LISTS[i].name);
        json_names (WIRE_NAME_LISTS[i].names);
    }
    printf ("\n  },\n  \"schemas\": [");
    for (unsigned i = 0; i < WIRE_SCHEMA_COUNT; i++) {
        const struct wire_schema *schema = WIRE_SCHEMA_LIST[i];
        printf ("%s\n    {\"name\": \"%s\", \"fields\": [", i > 0 ? "," : "", schema->name);
        for (unsigned f = 0; f < schema->count; f++) {
            printf ("%s\n      ", f > 0 ? "," : "");
            json_field (&schema->fields[f]);
        }
        printf ("%s]}", schema->count > 0 ? "\n    " : "");
    }
    printf ("\n  ]\n}\n");
}

/* --- Markdown --- */

static void
markdown_intro (void)
{
    puts (
        "# Reference: errors, topics, methods, request bodies\n\n"
        "Made by `loyalty-schema markdown` from the tables that the engine itself runs on; do not edit it. How\n"
        "messages travel stands in [protocol.md](protocol.md); what the fields do in [semantics.md](semantics.md).\n");
    puts ("## Limits\n\n| name | value | of |\n| --- | --- | --- |");
    for (int i = 0; i < LIMIT_COUNT; i++)
        printf ("| `%s` | %ld | %s |\n", LIMITS[i].name, LIMITS[i].value, LIMITS[i].meaning);
    puts ("\n## Errors\n\n\"Retry\": the same request may succeed when it is sent again unchanged.\n\n"
          "| code | retry | meaning |\n| --- | --- | --- |");
    for (int i = 0; i < ERROR_COUNT; i++)
        printf ("| `%s` | %s | %s |\n", ERRORS[i].name, ERRORS[i].retryable ? "yes" : "no", ERRORS[i].meaning);
    puts ("\n## Topics\n\nOf [events](protocol.md#events).\n\n| topic | what happened |\n| --- | --- |");
    for (int i = 0; i < TOPIC_LAST; i++)
        printf ("| `%s` | %s |\n", TOPIC_LIST[i].name, TOPIC_LIST[i].meaning);
}

static void
markdown_methods (void)
{
    puts ("\n## Methods\n\n"
          "Key: what makes a changing request happen once. `order`: the body's `order_id`, shared by process and\n"
          "refund; `cancel`: the `order_id` that is cancelled; `op`: the header's `key`, a UUID that the client "
          "makes.\n\n"
          "| method | what it does | body | key | roles |\n| --- | --- | --- | --- | --- |");
    for (int i = 0; i < METHOD_COUNT; i++) {
        const struct method *method = &METHOD_TABLE[i];
        printf ("| `%s` | %s | ", method->name, method->doc);
        if (method->schema->count > 0)
            printf ("[%s](#%s)", method->schema->name, method->schema->name);
        else
            printf ("empty");
        printf (" | %s |", method->scope == SCOPE_NONE ? "" : SCOPES[method->scope]);
        for (int r = 0; r < ROLE_COUNT; r++)
            if (method->roles & ROLES[r].role)
                printf (" %s", ROLES[r].name);
        puts (" |");
    }
}

static void
markdown_type (const struct wire_field *field)
{
    switch (field->type) {
    case WIRE_STRING:
        fputs (field->flags & WIRE_INT_OK ? "string, or integer" : "string", stdout);
        break;
    case WIRE_RECORD:
    case WIRE_RECORDS:
        printf ("%s[%s](#%s)", field->type == WIRE_RECORDS ? "list of " : "", field->schema->name, field->schema->name);
        if (field->flags & WIRE_SHORT)
            fputs (", or its id or code alone", stdout);
        break;
    case WIRE_INTS:
        fputs ("list of int", stdout);
        break;
    case WIRE_STRINGS:
        fputs ("list of string", stdout);
        break;
    case WIRE_ENUM:
    case WIRE_ENUMS:
        fputs (field->type == WIRE_ENUMS ? "list of " : "", stdout);
        for (int i = 0; field->names[i] != NULL; i++)
            printf ("%s`%s`", i > 0 ? ", " : "", field->names[i]);
        break;
    default:
        fputs (TYPES[field->type], stdout);
    }
}

static unsigned
digits_of (enum wire_type type)
{
    if (type == WIRE_INT)
        return 0;
    return type == WIRE_DECIMAL ? (unsigned)MICRO_DIGITS : 2; /* MONEY as with 2 digits */
}

static void
markdown_bounds (const struct wire_field *field)
{
    char min[DECIMAL_TEXT_MAX], max[DECIMAL_TEXT_MAX];
    if (is_number (field->type)) {
        decimal_format (field->min, digits_of (field->type), 0, min);
        decimal_format (field->max, digits_of (field->type), 0, max);
        if (field->max != INT64_MAX)
            printf ("%s to %s", min, max);
        else if (field->min != INT64_MIN)
            printf ("from %s", min);
    } else if (field->type == WIRE_ANY) {
        printf ("at most %" PRId64 " bytes", field->max);
    } else if (has_bounds (field)) {
        const char *unit = is_list (field->type) ? "elements" : "bytes";
        if (field->min == field->max)
            printf ("%" PRId64 " %s", field->max, unit);
        else
            printf ("%" PRId64 " to %" PRId64 " %s", field->min, field->max, unit);
    }
}

static void
markdown_default (const struct wire_field *field)
{
    char text[DECIMAL_TEXT_MAX];
    if (field->flags & WIRE_REQUIRED)
        printf ("**required**");
    if (!has_default (field))
        return;
    if (field->type == WIRE_BOOL)
        printf ("%s", field->default_value != 0 ? "true" : "false");
    else if (field->type == WIRE_ENUM)
        printf ("`%s`", field->names[field->default_value]);
    else {
        decimal_format (field->default_value, digits_of (field->type), 0, text);
        printf ("%s", text);
    }
}

static void
markdown_schema (const struct wire_schema *schema)
{
    printf ("\n### %s\n\n| field | type | bounds | default | meaning |\n| --- | --- | --- | --- | --- |\n",
            schema->name);
    for (unsigned i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        printf ("| `%s` | ", field->name);
        markdown_type (field);
        printf (" | ");
        markdown_bounds (field);
        printf (" | ");
        markdown_default (field);
        printf (" | %s |\n", field->doc);
    }
}

static void
print_markdown (void)
{
    markdown_intro ();
    markdown_methods ();
    puts ("\n## Request bodies\n\n"
          "A body is a MessagePack map with these fields; unknown ones are refused, null stands for absent.\n\n"
          "- `decimal`, `money`, `points`: a string like `\"12.50\"`, an integer, or a float (by its shortest decimal\n"
          "  form), with at most 6 decimals, the currency's (2 in the bounds below), and 2.\n"
          "- `time`: RFC 3339, `2010-12-16T08:03:00+01:00`; without an offset, the store's local time. `day`:\n"
          "  `2010-12-16`. Years 1900 to 2199.\n"
          "- `string`: UTF-8 without NUL. `int`: signed, 64 bits. `any`: whatever JSON can say.");
    for (unsigned i = WIRE_SCHEMA_COUNT; i-- > 0;) /* what holds records before them */
        if (WIRE_SCHEMA_LIST[i]->count > 0)
            markdown_schema (WIRE_SCHEMA_LIST[i]);
}

static int
usage (FILE *to)
{
    fputs ("usage: loyalty-schema json|markdown\n"
           "Prints the protocol's tables: errors, methods, request bodies.\n",
           to);
    return to == stdout ? 0 : 2;
}

int
main (int argc, char **argv)
{
    if (argc == 2 && strcmp (argv[1], "--help") == 0)
        return usage (stdout);
    if (argc == 2 && strcmp (argv[1], "json") == 0)
        print_json ();
    else if (argc == 2 && strcmp (argv[1], "markdown") == 0)
        print_markdown ();
    else
        return usage (stderr);
    if (fflush (stdout) == 0 && !ferror (stdout))
        return 0;
    perror ("loyalty-schema");
    return 1;
}
