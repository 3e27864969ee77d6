/* keys.c - `loyalty keys`: makes, lists, revokes and rotates the keys of those who may connect. */
#include "commands.h"
#include "key_store.h"
#include "locate.h"
#include "options.h"
#include "output.h"
#include "wire/role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command_help HELP = {
    "keys make NAME --roles ROLES | list | revoke NAME | rotate NAME [OPTION]...",
    "Keys say who may connect, and as what. Without any, whoever is on this machine may do everything, and nobody\n"
    "from elsewhere can connect. The list of public keys is one file, in a data folder or where --keys says; the\n"
    "first key made there makes the engine's own, too, and an engine uses keys from its next start on.\n"
    "\n"
    "  make NAME --roles till      writes the secret key to a file, to be brought to whom it is for. Roles: till,\n"
    "                              odoo, monitor, admin, worker; several with commas\n"
    "  list                        who has a key, and which roles\n"
    "  revoke NAME                 takes it away, at once, from open connections too\n"
    "  rotate NAME                 makes a new key; the old one is good beside it until\n"
    "  rotate NAME --finish        or is not from the start, with --now\n"
    "\n"
    "Changes reach the running engine of the data folder by themselves. With --keys, tell brokers and feeds that\n"
    "use the file to read it again: SIGHUP, or systemctl reload.",
};

struct keys_options {
    const char *data, *file, *roles, *out;
    bool finish, now, json;
    char path[PATH_MAX];   /* of the list */
    char secret[PATH_MAX]; /* where a new secret goes */
};

/* --- telling running programs --- */

/* Whether a process of the engine reads the list. */
static bool
reads_keys (const char *name)
{
    return strncmp (name, "broker", 6) == 0 || strncmp (name, "feed", 4) == 0;
}

/* Tells the programs of the data folder's engine to read the list again. Returns how many; -1: the engine runs, but
 * without these keys. */
static int
tell_engine (const struct keys_options *options)
{
    struct error none;
    const char *name;
    json_t *process, *up = options->file == NULL ? locate_up (options->data, &none) : NULL;
    const char *file = json_string_value (json_object_get (up, "keys"));
    int told = up == NULL ? 0 : file == NULL || strcmp (file, options->path) != 0 ? -1 : 0;
    if (told == 0) {
        json_object_foreach (json_object_get (up, "processes"), name, process)
        {
            pid_t pid = (pid_t)json_integer_value (process);
            if (reads_keys (name) && pid > 0 && kill (pid, SIGHUP) == 0)
                told++;
        }
    }
    json_decref (up);
    return told;
}

/* Prints what was done: `result` as JSON (takes the reference), or a line for people. */
static int
report (const struct keys_options *options, json_t *result, const char *line)
{
    int told = tell_engine (options);
    if (options->json) {
        json_object_set_new (result, "told", json_integer (told > 0 ? told : 0));
        output_json (result, false);
        return EXIT_DONE;
    }
    json_decref (result);
    printf ("%s\n", line);
    if (told < 0)
        printf ("The running engine was started without keys: it uses them from its next start on.\n");
    else if (options->file != NULL)
        printf ("Brokers and feeds that use %s read it again on SIGHUP.\n", options->file);
    return EXIT_DONE;
}

/* --- the commands --- */

static int
secret_path (struct keys_options *options, const struct key_store *store, const char *name, struct error *err)
{
    if (options->out == NULL)
        return key_store_secret (store, name, options->secret, err);
    if (snprintf (options->secret, PATH_MAX, "%s", options->out) >= PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the key is too long");
    return 0;
}

static int
keys_make (struct keys_options *options, const char *name, struct error *err)
{
    struct key_store store;
    unsigned roles = 0;
    char line[PATH_MAX + 256], text[ROLES_TEXT_MAX];
    if (roles_read (str_of (options->roles), &roles, err) != 0 ||
        key_store_open (&store, options->path, true, err) != 0)
        return -1;
    int status = secret_path (options, &store, name, err);
    if (status == 0)
        status = key_store_make (&store, name, roles, options->secret, err);
    if (status == 0) {
        const char *public_key = key_list_named (&store.list, name)->public_key;
        snprintf (line, sizeof line, "%s (%s): its secret key is in %s", name, roles_text (roles, text),
                  options->secret);
        status = report (options,
                         json_pack ("{s:s, s:s, s:s, s:s}", "name", name, "roles", text, "public_key", public_key,
                                    "file", options->secret),
                         line);
    }
    key_store_close (&store);
    return status;
}

static int
keys_rotate (struct keys_options *options, const char *name, struct error *err)
{
    struct key_store store;
    char line[PATH_MAX + 256];
    if (key_store_open (&store, options->path, false, err) != 0)
        return -1;
    int status = secret_path (options, &store, name, err);
    if (status == 0)
        status = options->finish ? key_store_finish (&store, name, err)
                                 : key_store_rotate (&store, name, !options->now, options->secret, err);
    if (status == 0) {
        const char *public_key = key_list_named (&store.list, name)->public_key;
        json_t *result = json_pack ("{s:s, s:s, s:b}", "name", name, "public_key", public_key, "old_key_good",
                                    !options->finish && !options->now);
        if (options->finish)
            snprintf (line, sizeof line, "%s: the old key is good no longer", name);
        else
            snprintf (line, sizeof line, "%s: its new secret key is in %s; the old one is good %s", name,
                      options->secret, options->now ? "no longer" : "until `loyalty keys rotate --finish`");
        if (!options->finish)
            json_object_set_new (result, "file", json_string (options->secret));
        status = report (options, result, line);
    }
    key_store_close (&store);
    return status;
}

static int
keys_revoke (struct keys_options *options, const char *name, struct error *err)
{
    struct key_store store;
    char line[KEY_NAME_MAX + 32];
    if (key_store_open (&store, options->path, false, err) != 0)
        return -1;
    int status = key_store_revoke (&store, name, err);
    key_store_close (&store);
    if (status != 0)
        return -1;
    snprintf (line, sizeof line, "%.*s is revoked", KEY_NAME_MAX, name);
    return report (options, json_pack ("{s:s, s:b}", "name", name, "revoked", true), line);
}

static void
print_key (const struct listed_key *key)
{
    char text[ROLES_TEXT_MAX];
    printf ("%-20s %-24s %-20s %s%s\n", key->name, roles_text (key->roles, text), key->made, key->public_key,
            key->old_key[0] != 0 ? " (and an old one: rotate --finish ends it)" : "");
}

static json_t *
key_as_json (const struct listed_key *key)
{
    char text[ROLES_TEXT_MAX];
    return json_pack ("{s:s, s:s, s:s, s:s, s:b}", "name", key->name, "roles", roles_text (key->roles, text), "made",
                      key->made, "public_key", key->public_key, "rotating", key->old_key[0] != 0);
}

static int
keys_list (struct keys_options *options, struct error *err)
{
    struct key_list list;
    if (key_list_load (&list, options->path, err) != 0)
        return -1;
    json_t *rows = json_array ();
    for (unsigned i = 0; i < list.count; i++) {
        if (options->json)
            json_array_append_new (rows, key_as_json (&list.keys[i]));
        else
            print_key (&list.keys[i]);
    }
    if (options->json)
        output_json (json_pack ("{s:O}", "keys", rows), false);
    json_decref (rows);
    key_list_free (&list);
    return EXIT_DONE;
}

/* The file of the list. */
static int
locate_list (struct keys_options *options, struct error *err)
{
    char data[PATH_MAX];
    int size = -1;
    if (options->file != NULL)
        size = snprintf (options->path, PATH_MAX, "%s", options->file);
    else if (locate_data (options->data, data, err) == 0)
        size = snprintf (options->path, PATH_MAX, "%s/" KEYS_FILE, data);
    else
        return -1;
    return size < PATH_MAX ? 0 : error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
}

enum action { ACTION_MAKE, ACTION_LIST, ACTION_REVOKE, ACTION_ROTATE, ACTION_COUNT };

static enum action
action_by_name (const char *name)
{
    static const char *const NAMES[ACTION_COUNT] = { "make", "list", "revoke", "rotate" };
    unsigned action = 0;
    while (action < ACTION_COUNT && strcmp (NAMES[action], name) != 0)
        action++;
    return action;
}

int
command_keys (int argc, char **argv)
{
    struct keys_options options = { 0 };
    const struct option_spec specs[] = {
        { "data", OPTION_TEXT, &options.data, "DIR", "the engine's data folder", 0, 0 },
        { "keys", OPTION_TEXT, &options.file, "FILE", "the list of public keys, in place of that of a data folder", 0,
          0 },
        { "roles", OPTION_TEXT, &options.roles, "ROLES", "make: what the key is for", 0, 0 },
        { "out", OPTION_TEXT, &options.out, "FILE", "where the secret key goes (default: NAME.key beside the list)", 0,
          0 },
        { "now", OPTION_FLAG, &options.now, NULL, "rotate: the old key is good no longer", 0, 0 },
        { "finish", OPTION_FLAG, &options.finish, NULL, "rotate: make no key, end the old one", 0, 0 },
        { "json", OPTION_FLAG, &options.json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    enum action action = left > 0 ? action_by_name (argv[1]) : ACTION_COUNT;
    if (action == ACTION_COUNT)
        return options_wrong (&HELP, "make, list, revoke or rotate?");
    if (left != (action == ACTION_LIST ? 1 : 2))
        return options_wrong (&HELP, action == ACTION_LIST ? "list takes no argument" : "the name of one key, please");
    if ((action == ACTION_MAKE) != (options.roles != NULL))
        return options_wrong (&HELP, "--roles goes with make, and make needs it");
    if ((options.now || options.finish) && (action != ACTION_ROTATE || (options.now && options.finish)))
        return options_wrong (&HELP, "--now or --finish goes with rotate");
    code = locate_list (&options, &err);
    if (code == 0)
        code = action == ACTION_MAKE     ? keys_make (&options, argv[2], &err)
               : action == ACTION_LIST   ? keys_list (&options, &err)
               : action == ACTION_REVOKE ? keys_revoke (&options, argv[2], &err)
                                         : keys_rotate (&options, argv[2], &err);
    return code == 0 ? EXIT_DONE : output_error (&err, options.json);
}
