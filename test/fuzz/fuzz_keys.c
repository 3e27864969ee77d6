/* fuzz_keys.c - any bytes as a list of keys, and as handshakes that it has to judge.
 *
 * The text up to the first NUL is the list; the rest are frames of handshakes, each after a byte that says its size. A list that is
 * taken says the same once written and read again, and finds each of its keys; nobody comes in whose key it does not have. */
#include "net/zap.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum { HANDSHAKES_MAX = 16 };

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

static void
check_entry (const struct key_list *list, const struct listed_key *key)
{
    require (key_name_is_valid (str_of (key->name)) && key_text_is_valid (str_of (key->public_key)));
    require (key_list_find (list, str_of (key->public_key)) == key);
    require (key->old_key[0] == '\0' || key_list_find (list, str_of (key->old_key)) == key);
    require (key_list_named (list, key->name) == key);
}

static void
check_written (const struct key_list *list)
{
    struct key_list again = { 0 };
    struct buf text = { 0 };
    struct error err;
    key_list_write (list, &text);
    require (!text.failed);
    require (key_list_read (&again, (struct str){ (const char *)text.data, (uint32_t)text.size }, &err) == 0);
    require (again.count == list->count);
    for (unsigned i = 0; i < list->count; i++)
        require (strcmp (again.keys[i].public_key, list->keys[i].public_key) == 0 &&
                 again.keys[i].roles == list->keys[i].roles);
    key_list_free (&again);
    buf_free (&text);
}

/* One handshake; the bytes that are left. */
static struct str
judge (const struct key_list *list, struct str left)
{
    struct str frames[ZAP_FRAMES + 1];
    struct zap_verdict verdict;
    unsigned count = 0;
    while (count <= ZAP_FRAMES && left.size > 0) {
        uint32_t size = (uint8_t)left.data[0];
        size = size < left.size ? size : left.size - 1;
        frames[count++] = (struct str){ left.data + 1, size };
        left = (struct str){ left.data + 1 + size, left.size - 1 - size };
    }
    zap_judge (list, frames, count, &verdict);
    require (verdict.code == 200 || verdict.code == 400 || verdict.code == 500);
    require (memchr (verdict.reason, '\0', sizeof verdict.reason) != NULL);
    if (verdict.code == 200)
        require (key_list_find (list, str_of (verdict.key)) != NULL);
    return left;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    struct key_list list = { 0 };
    struct error err = { 0 };
    const uint8_t *end = size > 0 ? memchr (data, 0, size) : NULL;
    size_t text_size = end != NULL ? (size_t)(end - data) : size;
    if (key_list_read (&list, (struct str){ (const char *)data, (uint32_t)text_size }, &err) == 0) {
        for (unsigned i = 0; i < list.count; i++)
            check_entry (&list, &list.keys[i]);
        check_written (&list);
    } else {
        require (err.message[0] != '\0' && list.count == 0);
    }
    struct str left = { (const char *)data + text_size, (uint32_t)(size - text_size) };
    for (unsigned i = 0; i < HANDSHAKES_MAX && left.size > 0; i++)
        left = judge (&list, left);
    key_list_free (&list);
    return 0;
}
