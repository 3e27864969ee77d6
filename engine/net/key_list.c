/* key_list.c - see key_list.h. */
#include "net/key_list.h"
#include "base/timestamp.h"
#include "net/zpl.h"
#include "wire/role.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

struct key_place {
    char key[KEY_TEXT_SIZE];
    unsigned at; /* in keys */
};

static const char HEADER[] =
    "# Who may connect to this Loyalty Engine, and as what. Public keys only: nothing here is secret.\n"
    "# Written by `loyalty keys`; after a change by hand, brokers and feeds read it again on SIGHUP.\n";

bool
key_name_is_valid (struct str name)
{
    for (uint32_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '@' || c == '-'))
            return false;
    }
    return name.size > 0 && name.size <= KEY_NAME_MAX && name.data[0] != '.';
}

bool
key_text_is_valid (struct str text)
{
    char key[KEY_TEXT_SIZE];
    uint8_t bytes[32];
    if (text.size != KEY_TEXT_SIZE - 1 || memchr (text.data, '\0', text.size) != NULL)
        return false;
    memcpy (key, text.data, text.size);
    key[text.size] = '\0';
    return zmq_z85_decode (bytes, key) != NULL;
}

/* --- reading --- */

static int
take_key (const struct zpl_item *item, char to[KEY_TEXT_SIZE], struct error *err)
{
    if (!key_text_is_valid (item->value))
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: not a CURVE key in Z85 (40 characters)", item->line);
    memcpy (to, item->value.data, item->value.size);
    to[item->value.size] = '\0';
    return 0;
}

static int
take_time (const struct zpl_item *item, char to[KEY_MADE_MAX + 1], struct error *err)
{
    int64_t instant;
    if (item->value.size > KEY_MADE_MAX || (item->value.size > 0 && !timestamp_parse (item->value, NULL, &instant)))
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: not a time (2026-03-02T10:37:39Z)", item->line);
    snprintf (to, KEY_MADE_MAX + 1, "%.*s", (int)item->value.size, item->value.data);
    return 0;
}

static int
take_field (struct listed_key *key, const struct zpl_item *item, struct error *err)
{
    struct error inner;
    if (str_equal (item->name, STR ("public-key")))
        return take_key (item, key->public_key, err);
    if (str_equal (item->name, STR ("old-key")))
        return take_key (item, key->old_key, err);
    if (str_equal (item->name, STR ("made")))
        return take_time (item, key->made, err);
    if (!str_equal (item->name, STR ("roles")))
        return error_set (err, ERROR_INVALID_REQUEST,
                          "line %u: \"%.*s\" is none of public-key, old-key, roles and made", item->line,
                          (int)(item->name.size < 64 ? item->name.size : 64), item->name.data);
    if (roles_read (item->value, &key->roles, &inner) != 0)
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: %.200s", item->line, inner.message);
    return 0;
}

static int
take_name (struct key_list *list, const struct zpl_item *item, struct error *err)
{
    struct listed_key key = { .roles = 0 };
    if (!key_name_is_valid (item->name) || item->value.size > 0)
        return error_set (err, ERROR_INVALID_REQUEST,
                          "line %u: a key's name, alone, is expected: 1 to %d letters, digits and . _ @ -", item->line,
                          KEY_NAME_MAX);
    memcpy (key.name, item->name.data, item->name.size);
    return key_list_add (list, &key, err);
}

static int
compare_places (const void *a, const void *b)
{
    return memcmp (a, b, KEY_TEXT_SIZE - 1);
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp ((*(const struct listed_key *const *)a)->name, (*(const struct listed_key *const *)b)->name);
}

static int
check_names (const struct key_list *list, struct error *err)
{
    int result = 0;
    const struct listed_key **names = malloc ((list->count + 1) * sizeof *names);
    if (names == NULL)
        return error_set (err, ERROR_INTERNAL, "no memory for the list of keys");
    for (unsigned i = 0; i < list->count; i++)
        names[i] = &list->keys[i];
    qsort (names, list->count, sizeof *names, compare_names);
    for (unsigned i = 1; i < list->count && result == 0; i++)
        if (strcmp (names[i - 1]->name, names[i]->name) == 0)
            result = error_set (err, ERROR_INVALID_REQUEST, "there are two keys named %s", names[i]->name);
    free (names);
    return result;
}

/* Sorts all keys for key_list_find. */
static int
make_places (struct key_list *list, struct error *err)
{
    list->places = malloc ((2 * list->count + 1) * sizeof *list->places);
    if (list->places == NULL)
        return error_set (err, ERROR_INTERNAL, "no memory for the list of keys");
    for (unsigned i = 0; i < list->count; i++) {
        const char *const texts[] = { list->keys[i].public_key, list->keys[i].old_key };
        for (unsigned k = 0; k < 2; k++) {
            if (texts[k][0] == '\0')
                continue;
            memcpy (list->places[list->place_count].key, texts[k], KEY_TEXT_SIZE);
            list->places[list->place_count++].at = i;
        }
    }
    qsort (list->places, list->place_count, sizeof *list->places, compare_places);
    for (unsigned i = 1; i < list->place_count; i++)
        if (compare_places (&list->places[i - 1], &list->places[i]) == 0)
            return error_set (err, ERROR_INVALID_REQUEST, "%s and %s have the same key",
                              list->keys[list->places[i - 1].at].name, list->keys[list->places[i].at].name);
    return 0;
}

/* Whether the entry that ends before `line` is whole. */
static int
check_last (const struct key_list *list, unsigned line, struct error *err)
{
    const struct listed_key *key = list->count > 0 ? &list->keys[list->count - 1] : NULL;
    if (key == NULL || (key->public_key[0] != '\0' && key->roles != 0))
        return 0;
    return error_set (err, ERROR_INVALID_REQUEST, "line %u: %s has no %s", line, key->name,
                      key->roles != 0 ? "public-key" : "roles");
}

static int
read_items (struct key_list *list, struct str text, struct error *err)
{
    struct zpl_reader reader = zpl_begin (text);
    struct zpl_item item;
    int got;
    while ((got = zpl_next (&reader, &item, err)) > 0) {
        if (item.depth == 1 && list->count == 0)
            return error_set (err, ERROR_INVALID_REQUEST, "line %u: a key's name has to come first", item.line);
        if (item.depth == 0 && check_last (list, item.line, err) != 0)
            return -1;
        if ((item.depth == 0 ? take_name (list, &item, err) : take_field (&list->keys[list->count - 1], &item, err)) !=
            0)
            return -1;
    }
    return got < 0 ? -1 : check_last (list, reader.line, err);
}

int
key_list_read (struct key_list *list, struct str text, struct error *err)
{
    *list = (struct key_list){ 0 };
    if (read_items (list, text, err) == 0 && check_names (list, err) == 0 && make_places (list, err) == 0)
        return 0;
    key_list_free (list);
    return -1;
}

/* The whole file, as one text with a final NUL. NULL: `err` says why. */
static char *
read_file (const char *file, size_t *size, struct error *err)
{
    FILE *in = fopen (file, "re");
    char *text = in != NULL ? malloc (KEY_LIST_BYTES_MAX + 1) : NULL;
    if (in == NULL) {
        error_set (err, ERROR_NOT_FOUND, "cannot read %.150s: %s", file, strerror (errno));
    } else if (text == NULL) {
        error_set (err, ERROR_INTERNAL, "no memory to read %.150s", file);
    } else {
        *size = fread (text, 1, KEY_LIST_BYTES_MAX + 1, in);
        bool is_long = *size > KEY_LIST_BYTES_MAX;
        if (ferror (in) || is_long) {
            error_set (err, ERROR_INVALID_REQUEST, "cannot read %.150s: %s", file,
                       is_long ? "it is too large" : strerror (errno));
            free (text);
            text = NULL;
        }
    }
    if (in != NULL)
        fclose (in);
    return text;
}

int
key_list_load (struct key_list *list, const char *file, struct error *err)
{
    struct error inner;
    size_t size = 0;
    *list = (struct key_list){ 0 };
    char *text = read_file (file, &size, err);
    if (text == NULL)
        return -1;
    int result = key_list_read (list, (struct str){ text, (uint32_t)size }, &inner);
    free (text);
    return result == 0 ? 0 : error_set (err, inner.code, "%.120s: %.130s", file, inner.message);
}

void
key_list_free (struct key_list *list)
{
    free (list->keys);
    free (list->places);
    *list = (struct key_list){ 0 };
}

/* --- looking up and changing --- */

const struct listed_key *
key_list_find (const struct key_list *list, struct str key)
{
    if (key.size != KEY_TEXT_SIZE - 1 || list->place_count == 0)
        return NULL;
    const struct key_place *place =
        bsearch (key.data, list->places, list->place_count, sizeof *list->places, compare_places);
    return place != NULL ? &list->keys[place->at] : NULL;
}

struct listed_key *
key_list_named (const struct key_list *list, const char *name)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp (list->keys[i].name, name) == 0)
            return &list->keys[i];
    return NULL;
}

int
key_list_add (struct key_list *list, const struct listed_key *key, struct error *err)
{
    enum { CAPACITY_MIN = 16 };
    if (list->count == KEY_LIST_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "there are %d keys, which is the bound", KEY_LIST_MAX);
    if (list->count == list->capacity) {
        unsigned capacity = list->capacity > 0 ? 2 * list->capacity : CAPACITY_MIN;
        struct listed_key *keys = realloc (list->keys, capacity * sizeof *keys);
        if (keys == NULL)
            return error_set (err, ERROR_INTERNAL, "no memory for the list of keys");
        list->keys = keys;
        list->capacity = capacity;
    }
    list->keys[list->count++] = *key;
    return 0;
}

void
key_list_remove (struct key_list *list, struct listed_key *key)
{
    size_t behind = (size_t)(list->keys + --list->count - key);
    memmove (key, key + 1, behind * sizeof *key);
}

static void
write_line (struct buf *out, const char *name, const char *value)
{
    char line[128];
    int size = snprintf (line, sizeof line, "    %s = \"%s\"\n", name, value);
    if (value[0] != '\0')
        buf_append (out, line, (size_t)size);
}

void
key_list_write (const struct key_list *list, struct buf *out)
{
    char roles[ROLES_TEXT_MAX];
    buf_append (out, HEADER, sizeof HEADER - 1);
    for (unsigned i = 0; i < list->count; i++) {
        const struct listed_key *key = &list->keys[i];
        buf_append (out, "\n", 1);
        buf_append (out, key->name, strlen (key->name));
        buf_append (out, "\n", 1);
        write_line (out, "public-key", key->public_key);
        write_line (out, "old-key", key->old_key);
        write_line (out, "roles", roles_text (key->roles, roles));
        write_line (out, "made", key->made);
    }
}
