/* locate.c - see locate.h. */
#include "locate.h"
#include "store/pg.h"
#include "up_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
locate_variable (const char *name)
{
    const char *value = getenv (name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

static int
path_set (char path[PATH_MAX], struct error *err, const char *folder, const char *below)
{
    if (snprintf (path, PATH_MAX, "%s%s", folder, below) >= PATH_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the data folder is too long");
    return 0;
}

int
locate_data (const char *given, char path[PATH_MAX], struct error *err)
{
    if (given == NULL)
        given = locate_variable ("LOYALTY_DATA");
    if (given != NULL && given[0] == '/')
        return path_set (path, err, given, "");
    if (given != NULL) { /* Relative: the programs that are started have a working folder of their own. */
        char here[PATH_MAX];
        if (getcwd (here, sizeof here) == NULL || strlen (here) + 1 + strlen (given) >= sizeof here)
            return error_set (err, ERROR_INVALID_REQUEST, "the working folder's path cannot be read: %s",
                              strerror (errno));
        strcat (strcat (here, "/"), given);
        return path_set (path, err, here, "");
    }
    if (geteuid () == 0)
        return path_set (path, err, "/var/lib/loyalty", "");
    if (locate_variable ("HOME") == NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "HOME is not set: say where the data is with --data DIR");
    return path_set (path, err, getenv ("HOME"), "/.local/share/loyalty");
}

json_t *
locate_up (const char *data_given, struct error *err)
{
    char data[PATH_MAX], path[PATH_MAX + 16];
    json_error_t reading;
    if (locate_data (data_given, data, err) < 0)
        return NULL;
    snprintf (path, sizeof path, "%s/up.json", data);
    json_t *up = up_is_locked (data) ? json_load_file (path, 0, &reading) : NULL;
    if (up == NULL)
        error_set (err, ERROR_NOT_FOUND, "no engine is running in %.150s (start one with: loyalty up --data DIR)",
                   data);
    return up;
}

static int
text_set (char *text, size_t size, const char *value, const char *what, struct error *err)
{
    if (value == NULL || strlen (value) >= size)
        return error_set (err, ERROR_INVALID_REQUEST, "the %s is missing or longer than %zu bytes", what, size - 1);
    memcpy (text, value, strlen (value) + 1);
    return 0;
}

/* Given, environment, then the field of up.json. */
static int
locate (const char *given, const char *variable, const char *data_given, const char *field, char *text, size_t size,
        struct error *err)
{
    if (given == NULL)
        given = locate_variable (variable);
    else if (pg_url_shows_password (given)) /* an endpoint is no connection string, and has none */
        return error_set (err, ERROR_INVALID_REQUEST, PG_PASSWORD_HINT);
    if (given != NULL)
        return text_set (text, size, given, field, err);
    json_t *up = locate_up (data_given, err);
    if (up == NULL)
        return -1;
    int status = text_set (text, size, json_string_value (json_object_get (up, field)), field, err);
    json_decref (up);
    return status;
}

int
locate_endpoint (const char *given, const char *data_given, char endpoints[ENDPOINTS_MAX], struct error *err)
{
    return locate (given, "LOYALTY_ENDPOINT", data_given, "endpoint", endpoints, ENDPOINTS_MAX, err);
}

/* The endpoints of up.json in one text. */
static int
feeds_join (const json_t *list, char *feeds, size_t size, struct error *err)
{
    size_t place, length = 0;
    json_t *one;
    json_array_foreach (list, place, one)
    {
        const char *text = json_string_value (one);
        int added = snprintf (feeds + length, size - length, "%s%s", place > 0 ? "," : "", text != NULL ? text : "");
        if (added < 0 || (size_t)added >= size - length)
            return error_set (err, ERROR_INVALID_REQUEST, "the endpoints of the feeds are longer than %zu bytes",
                              size - 1);
        length += (size_t)added;
    }
    return 0;
}

int
locate_feeds (const char *given, const char *endpoint_given, const char *data_given, char *feeds, size_t size,
              struct error *err)
{
    feeds[0] = 0;
    if (given == NULL)
        given = locate_variable ("LOYALTY_FEED");
    if (given != NULL)
        return text_set (feeds, size, given, "feed", err);
    if (endpoint_given != NULL || locate_variable ("LOYALTY_ENDPOINT") != NULL)
        return 0; /* of another engine than the data folder's */
    json_t *up = locate_up (data_given, err);
    if (up == NULL)
        return -1;
    int status = feeds_join (json_object_get (up, "feed_endpoints"), feeds, size, err);
    json_decref (up);
    return status;
}

int
locate_database (const char *given, const char *data_given, char url[DATABASE_MAX], struct error *err)
{
    return locate (given, "LOYALTY_DATABASE", data_given, "database", url, DATABASE_MAX, err);
}

int
locate_fsck_database (const char *given, const char *data_given, char url[DATABASE_MAX], struct error *err)
{
    return locate (given, "LOYALTY_DATABASE", data_given, "fsck_database", url, DATABASE_MAX, err);
}

int
locate_key (const char *given, const char *endpoint_given, const char *data_given, char file[PATH_MAX],
            struct error *err)
{
    file[0] = 0;
    if (given == NULL)
        given = locate_variable ("LOYALTY_KEY");
    if (given != NULL)
        return text_set (file, PATH_MAX, given, "key", err);
    bool is_elsewhere = endpoint_given != NULL || locate_variable ("LOYALTY_ENDPOINT") != NULL;
    if (is_elsewhere && data_given == NULL)
        return 0;
    json_t *up = locate_up (data_given, err);
    if (up == NULL)
        return -1;
    const char *key = json_string_value (json_object_get (up, "key"));
    int status = key != NULL ? text_set (file, PATH_MAX, key, "key", err) : 0;
    json_decref (up);
    return status;
}
