/* key_list.h - the public keys that may connect, each with a name and roles, as one text file says them. It holds
 * no secret. `loyalty keys` writes it; brokers and feeds read it.
 *
 *     till-1
 *         public-key = "…"      the key in Z85, 40 characters
 *         old-key = "…"         the key before the last rotation, as long as it is good too
 *         roles = "till"        of wire/role.h, with commas in between
 *         made = "2026-03-02T10:37:39Z"
 */
#ifndef NET_KEY_LIST_H
#define NET_KEY_LIST_H

#include "base/arena.h"
#include "base/error.h"

enum {
    KEY_TEXT_SIZE = 41, /* a CURVE key in Z85, with its final NUL */
    KEY_NAME_MAX = 64,
    KEY_MADE_MAX = 39,
    KEY_LIST_MAX = 20000,
    KEY_LIST_BYTES_MAX = 8 * 1024 * 1024,
};

struct listed_key {
    char name[KEY_NAME_MAX + 1];
    char made[KEY_MADE_MAX + 1];   /* for people; may be empty */
    char public_key[KEY_TEXT_SIZE];
    char old_key[KEY_TEXT_SIZE];   /* empty but during a rotation */
    unsigned roles;
};

/* Zeroed it is an empty list. */
struct key_list {
    struct listed_key *keys; /* as in the file */
    unsigned count, capacity;
    struct key_place *places; /* of public and old keys, sorted by key */
    unsigned place_count;
};

/* Reads a list from text. -1 with `err` (invalid_request: the line and what is wrong with it; internal: no memory);
 * *list is empty then. Names and keys occur once. */
int key_list_read (struct key_list *list, struct str text, struct error *err);
/* The same from a file; messages begin with its name. A file that cannot be opened is `not_found`. */
int key_list_load (struct key_list *list, const char *file, struct error *err);
void key_list_free (struct key_list *list);

/* Whose public key (or old one) that is, borrowed until the list changes; NULL. */
const struct listed_key *key_list_find (const struct key_list *list, struct str key);
/* The entry of that name; NULL. */
struct listed_key *key_list_named (const struct key_list *list, const char *name);

/* For `loyalty keys`: a copy of `key` at the end, and removing one. After either, or after a change of an entry,
 * only key_list_named and key_list_write know of it. -1: there is no room, or no memory. */
int key_list_add (struct key_list *list, const struct listed_key *key, struct error *err);
void key_list_remove (struct key_list *list, struct listed_key *key);
/* The list as the text of a file. */
void key_list_write (const struct key_list *list, struct buf *out);

/* Whether it may be the name of a key: 1 to KEY_NAME_MAX letters, digits and . _ @ - . */
bool key_name_is_valid (struct str name);
/* Whether it is a CURVE key in Z85. */
bool key_text_is_valid (struct str text);

#endif
