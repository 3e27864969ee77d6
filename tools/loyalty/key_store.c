/* key_store.c - see key_store.h. */
#include "key_store.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "net/guard.h"
#include "up_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700, LIST_MODE = 0644 };

#define SERVER_NAME "server"

/* --- files --- */

/* The path of a file beside the list. */
static int
path_beside (const struct key_store *store, const char *name, const char *ending, char path[PATH_MAX],
             struct error *err)
{
    const char *slash = strrchr (store->file, '/');
    int folder = slash != NULL ? (int)(slash - store->file) + 1 : 0;
    if (snprintf (path, PATH_MAX, "%.*s%s%s", folder, store->file, name, ending) >= PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
    return 0;
}

int
key_store_secret (const struct key_store *store, const char *name, char path[PATH_MAX], struct error *err)
{
    return path_beside (store, name, ".key", path, err);
}

/* Waits for another command that changes the list: these take a moment. */
static int
lock_store (struct key_store *store, bool create, struct error *err)
{
    char path[PATH_MAX], folder[PATH_MAX];
    if (path_beside (store, "", ".lock", path, err) != 0 || path_beside (store, "", "", folder, err) != 0)
        return -1;
    if (folder[0] != '\0')
        folder[strlen (folder) - 1] = '\0'; /* without its slash */
    if (create && folder[0] != '\0' && folders_make (folder, FOLDER_MODE, err) != 0)
        return -1;
    store->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0)
        return error_set (err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_FORBIDDEN, "cannot open %.180s: %s", path,
                          strerror (errno));
    if (flock (store->lock, LOCK_EX) == 0)
        return 0;
    close (store->lock);
    return error_set (err, ERROR_UNAVAILABLE, "cannot lock %.180s: %s", path, strerror (errno));
}

static bool
write_all (int fd, const struct buf *text)
{
    for (size_t done = 0; done < text->size;) {
        ssize_t count = write (fd, text->data + done, text->size - done);
        if (count < 0)
            return false;
        done += (size_t)count;
    }
    return fsync (fd) == 0;
}

/* Writes the list whole or not at all. */
static int
save (struct key_store *store, struct error *err)
{
    char beside[PATH_MAX];
    struct buf text = { 0 };
    if (path_beside (store, "", ".keys.new", beside, err) != 0)
        return -1;
    key_list_write (&store->list, &text);
    int fd = text.failed ? -1 : open (beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, LIST_MODE);
    bool written = fd >= 0 && write_all (fd, &text);
    if (fd >= 0 && close (fd) != 0)
        written = false;
    buf_free (&text);
    if (written && rename (beside, store->file) == 0)
        return 0;
    return error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", store->file, strerror (errno));
}

/* The server's own key, made once. */
static int
load_server (const struct key_store *store, bool create, struct certificate *server, struct error *err)
{
    char path[PATH_MAX];
    if (path_beside (store, SERVER_KEY_FILE, "", path, err) != 0)
        return -1;
    int result = certificate_load (server, path, err);
    if (result == 0 || !create || err->code != ERROR_NOT_FOUND)
        return result;
    if (certificate_make (server, SERVER_NAME, NULL, err) != 0)
        return -1;
    return certificate_save (server, path, err);
}

static int
load (struct key_store *store, bool create, struct error *err)
{
    struct certificate server;
    int result = key_list_load (&store->list, store->file, err);
    if (result != 0 && (!create || err->code != ERROR_NOT_FOUND))
        return result;
    if (load_server (store, create, &server, err) != 0)
        return -1;
    certificate_wipe (&server);
    return result == 0 ? 0 : save (store, err);
}

int
key_store_open (struct key_store *store, const char *file, bool create, struct error *err)
{
    *store = (struct key_store){ .lock = -1 };
    if (snprintf (store->file, sizeof store->file, "%s", file) >= PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
    if (!create && access (store->file, F_OK) != 0)
        return error_set (err, ERROR_NOT_FOUND, "there are no keys in %.150s (make some: loyalty keys make)", file);
    if (lock_store (store, create, err) != 0)
        return -1;
    if (load (store, create, err) == 0)
        return 0;
    key_store_close (store);
    return -1;
}

void
key_store_close (struct key_store *store)
{
    key_list_free (&store->list);
    if (store->lock >= 0)
        close (store->lock);
    store->lock = -1;
}

/* --- changes --- */

static int
find (struct key_store *store, const char *name, struct listed_key **key, struct error *err)
{
    *key = key_list_named (&store->list, name);
    return *key != NULL ? 0 : error_set (err, ERROR_NOT_FOUND, "there is no key named %.64s", name);
}

/* A new pair: the secret into its file, the public half into *key. The file is written first, before
 * the list: nobody is to be listed with a key that could not be handed out. */
static int
make_pair (const struct key_store *store, struct listed_key *key, const char *secret, struct error *err)
{
    struct certificate server, made;
    char now[TIMESTAMP_TEXT_MAX];
    if (load_server (store, false, &server, err) != 0)
        return -1;
    int result = certificate_make (&made, key->name, server.public_key, err);
    if (result == 0)
        result = certificate_save (&made, secret, err);
    memcpy (key->public_key, made.public_key, sizeof key->public_key);
    timestamp_format (clock_real_us () / 1000000 * 1000000, now);
    snprintf (key->made, sizeof key->made, "%.*s", KEY_MADE_MAX, now);
    certificate_wipe (&made);
    certificate_wipe (&server);
    return result;
}

int
key_store_make (struct key_store *store, const char *name, unsigned roles, const char *secret, struct error *err)
{
    struct listed_key key = { .roles = roles };
    if (!key_name_is_valid (str_of (name)) || strcmp (name, SERVER_NAME) == 0)
        return error_set (err, ERROR_INVALID_REQUEST,
                          "\"%.64s\" is no name for a key: 1 to %d letters, digits and . _ @ - (and not " SERVER_NAME
                          ")",
                          name, KEY_NAME_MAX);
    if (key_list_named (&store->list, name) != NULL)
        return error_set (err, ERROR_CONFLICT, "there is a key named %s already: rotate it, or revoke it first", name);
    snprintf (key.name, sizeof key.name, "%s", name);
    if (make_pair (store, &key, secret, err) != 0 || key_list_add (&store->list, &key, err) != 0)
        return -1;
    return save (store, err);
}

int
key_store_rotate (struct key_store *store, const char *name, bool keep_old, const char *secret, struct error *err)
{
    struct listed_key *key;
    if (find (store, name, &key, err) != 0)
        return -1;
    struct listed_key rotated = *key;
    rotated.old_key[0] = '\0';
    if (keep_old)
        memcpy (rotated.old_key, key->public_key, sizeof rotated.old_key);
    if (make_pair (store, &rotated, secret, err) != 0)
        return -1;
    *key = rotated;
    return save (store, err);
}

int
key_store_finish (struct key_store *store, const char *name, struct error *err)
{
    struct listed_key *key;
    if (find (store, name, &key, err) != 0)
        return -1;
    if (key->old_key[0] == '\0')
        return error_set (err, ERROR_CONFLICT, "%s has no old key", name);
    key->old_key[0] = '\0';
    return save (store, err);
}

int
key_store_revoke (struct key_store *store, const char *name, struct error *err)
{
    struct listed_key *key;
    if (find (store, name, &key, err) != 0)
        return -1;
    key_list_remove (&store->list, key);
    return save (store, err);
}

int
key_store_ensure (struct key_store *store, const char *name, unsigned roles, char path[PATH_MAX], struct error *err)
{
    struct certificate certificate;
    if (key_store_secret (store, name, path, err) != 0)
        return -1;
    const struct listed_key *key = key_list_named (&store->list, name);
    if (key == NULL)
        return key_store_make (store, name, roles, path, err);
    if (certificate_load (&certificate, path, err) != 0)
        return err->code == ERROR_NOT_FOUND ? key_store_rotate (store, name, false, path, err) : -1;
    bool is_same = strcmp (certificate.public_key, key->public_key) == 0;
    certificate_wipe (&certificate);
    return is_same ? 0 : key_store_rotate (store, name, false, path, err);
}
