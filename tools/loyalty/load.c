/* load.c - `loyalty load`: programs and what they refer to, from one file, in parts, switched over at once. */
#include "commands.h"
#include "connect.h"
#include "json_input.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"
#include "wire/schemas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct command_help HELP = {
    "load FILE [OPTION]...",
    "Loads programs, products, partners, stores, categories and levels from one JSON file (- is standard input):\n"
    "{\"stores\": […], \"categories\": […], \"levels\": […], \"products\": […], \"partners\": […], \"programs\": […]}, "
    "with\n"
    "the fields of reference.put and program.put. Everything is checked before any of it is used.",
};

/* What a file may hold, and the field of load.put that tells how many go in a part. */
static const struct {
    const char *name;
    unsigned field;
} LISTS[] = {
    { "stores", F_LOAD_PUT_STORES },     { "categories", F_LOAD_PUT_CATEGORIES }, { "levels", F_LOAD_PUT_LEVELS },
    { "products", F_LOAD_PUT_PRODUCTS }, { "partners", F_LOAD_PUT_PARTNERS },     { "programs", F_LOAD_PUT_PROGRAMS },
};
enum { LIST_COUNT = sizeof LISTS / sizeof LISTS[0], PART_MAX = WIRE_BODY_MAX - 4096 };

struct load {
    struct loyalty_client *client;
    bool json;
    json_int_t load_id;
    int part;           /* parts sent so far */
    json_t *records;    /* of the part being gathered */
    size_t bytes;       /* of these */
    size_t done, total; /* records */
};

/* A call whose failure is printed: the result, or NULL. */
static json_t *
load_call (const struct load *load, const char *method, json_t *body)
{
    struct loyalty_request request = { .method = method };
    struct loyalty_error failure;
    json_t *details = NULL, *result = loyalty_call_json (load->client, &request, body, &details, &failure);
    json_decref (body);
    if (result == NULL)
        output_failure (&failure, details, load->json, false);
    json_decref (details);
    return result;
}

static int
part_send (struct load *load, const char *name)
{
    size_t count = json_array_size (load->records);
    if (count == 0)
        return 0;
    json_t *body = json_pack ("{s:I, s:i, s:o}", "load_id", load->load_id, "part", ++load->part, name, load->records);
    load->records = json_array ();
    load->bytes = 0;
    json_t *result = load_call (load, "load.put", body);
    if (result == NULL)
        return -1;
    json_decref (result);
    load->done += count;
    if (output_progress ())
        fprintf (stderr, "\rloading: %zu of %zu records%s", load->done, load->total,
                 load->done == load->total ? "\n" : "");
    return 0;
}

/* One list of the file, in parts that are within the bounds of a request. */
static int
list_send (struct load *load, const char *name, int64_t count_max, const json_t *list)
{
    size_t index;
    json_t *record;
    json_array_foreach (list, index, record)
    {
        size_t size = 0;
        struct loyalty_error failure;
        void *bytes = loyalty_json_encode (record, &size, &failure);
        if (bytes == NULL) {
            output_failure (&failure, NULL, load->json, false);
            return -1;
        }
        free (bytes);
        if ((int64_t)json_array_size (load->records) == count_max || load->bytes + size > PART_MAX)
            if (part_send (load, name) < 0)
                return -1;
        json_array_append (load->records, record);
        load->bytes += size;
    }
    return part_send (load, name);
}

static int
load_run (struct load *load, const json_t *content, const char *source)
{
    json_t *begun = load_call (load, "load.begin", json_pack ("{s:s#}", "note", source, strnlen (source, 200)));
    if (begun == NULL)
        return EXIT_FAILED;
    load->load_id = json_integer_value (json_object_get (begun, "load_id"));
    json_decref (begun);
    for (unsigned i = 0; i < LIST_COUNT; i++)
        if (list_send (load, LISTS[i].name, SCHEMA_LOAD_PUT.fields[LISTS[i].field].max,
                       json_object_get (content, LISTS[i].name)) < 0)
            return EXIT_FAILED;
    json_t *result =
        load_call (load, "load.commit", json_pack ("{s:I, s:i}", "load_id", load->load_id, "parts", load->part));
    if (result == NULL)
        return EXIT_FAILED;
    if (load->json) {
        output_json (result, false);
        return EXIT_DONE;
    }
    printf ("loaded %zu records:", load->done);
    for (unsigned i = 0; i < LIST_COUNT; i++)
        if (json_object_get (content, LISTS[i].name) != NULL)
            printf (" %zu %s", json_array_size (json_object_get (content, LISTS[i].name)), LISTS[i].name);
    printf ("\ncatalog version %lld\n", (long long)json_integer_value (json_object_get (result, "catalog_version")));
    json_decref (result);
    return EXIT_DONE;
}

/* The file's lists, and nothing else; NULL with `err`. */
static json_t *
content_read (const char *path, size_t *total, struct error *err)
{
    bool is_stdin = strcmp (path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen (path, "re");
    if (file == NULL) {
        error_set (err, ERROR_INVALID_REQUEST, "%.180s cannot be read: %s", path, strerror (errno));
        return NULL;
    }
    json_t *content = json_input_file (file, is_stdin ? "standard input" : path, err), *list;
    if (!is_stdin)
        fclose (file);
    const char *name;
    *total = 0;
    json_object_foreach (content, name, list)
    {
        unsigned i = 0;
        while (i < LIST_COUNT && strcmp (LISTS[i].name, name) != 0)
            i++;
        if (i == LIST_COUNT || !json_is_array (list)) {
            error_field (err, ERROR_INVALID_REQUEST, name,
                         i == LIST_COUNT ? "not one of stores, categories, levels, products, partners, programs"
                                         : "not a list");
            json_decref (content);
            return NULL;
        }
        *total += json_array_size (list);
    }
    return content;
}

int
command_load (int argc, char **argv)
{
    struct connect_options where = { .timeout_ms = 60000 };
    struct load load = { 0 };
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "json", OPTION_FLAG, &load.json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left != 1)
        return options_wrong (&HELP, left < 1 ? "which file?" : "more than one file");
    json_t *content = content_read (argv[1], &load.total, &err);
    if (content == NULL)
        return output_error (&err, load.json);
    load.client = connect_engine (&where, &err);
    if (load.client == NULL) {
        json_decref (content);
        return output_error (&err, load.json);
    }
    load.records = json_array ();
    code = load_run (&load, content, argv[1]);
    json_decref (load.records);
    json_decref (content);
    loyalty_client_destroy (&load.client);
    return code;
}
