/* up_keys.c - see up_keys.h. */
#include "up_keys.h"
#include "key_store.h"
#include "wire/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The path of the list, absolute, since the programs have a working folder of their own; empty: there is none. */
static int
locate_list (const char *data, const char *given, char list[PATH_MAX], struct error *err)
{
    char path[PATH_MAX];
    if (snprintf (path, sizeof path, "%s%s", given != NULL ? given : data, given != NULL ? "" : "/" KEYS_FILE) >=
        PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
    if (given == NULL && access (path, F_OK) != 0)
        return 0;
    if (realpath (path, list) != NULL)
        return 0;
    list[0] = 0;
    return error_set (err, ERROR_NOT_FOUND, "there are no keys in %.150s (make some: loyalty keys make)", path);
}

int
up_keys_prepare (const char *data, const char *given, struct engine_keys *keys, struct error *err)
{
    struct key_store store;
    *keys = (struct engine_keys){ .list = "" };
    const struct {
        const char *name;
        unsigned roles;
        char *path;
    } own[] = { { "engine-worker", ROLE_WORKER, keys->worker },
                { "engine-feed", ROLE_ADMIN, keys->feed },
                { "engine-admin", ROLE_ADMIN, keys->admin } };
    if (locate_list (data, given, keys->list, err) != 0)
        return -1;
    if (keys->list[0] == 0)
        return 0;
    if (key_store_open (&store, keys->list, false, err) != 0)
        return -1;
    int status = 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0] && status == 0; i++)
        status = key_store_ensure (&store, own[i].name, own[i].roles, own[i].path, err);
    key_store_close (&store);
    return status;
}
