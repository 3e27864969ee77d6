/* database.c - see database.h. */
#include "database.h"
#include "base/arena.h"
#include "store/pg.h"

#include <stdio.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

static void
first_line (const char *message, char *text, size_t size)
{
    snprintf (text, size, "%s", message);
    text[strcspn (text, "\n")] = 0;
}

PGconn *
database_open (const char *url, struct error *err)
{
    return pg_open_plain (url, "loyalty", CONNECT_TIMEOUT_MS, err);
}

PGresult *
database_query (PGconn *db, const char *sql, const char *doing, struct error *err)
{
    PGresult *result = PQexec (db, sql);
    if (PQresultStatus (result) == PGRES_TUPLES_OK || PQresultStatus (result) == PGRES_COMMAND_OK)
        return result;
    char text[160];
    const char *primary = PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY);
    first_line (primary != NULL ? primary : PQerrorMessage (db), text, sizeof text);
    PQclear (result);
    error_set (err, PQstatus (db) == CONNECTION_OK ? ERROR_INTERNAL : ERROR_UNAVAILABLE, "%s: %s", doing, text);
    return NULL;
}

/* Appends name='value' with quotes and backslashes escaped, as conninfo strings want it. */
static void
conninfo_append (struct buf *out, const char *name, const char *value)
{
    buf_printf (out, "%s%s='", out->size > 0 ? " " : "", name);
    for (; *value != 0; value++) {
        if (*value == '\'' || *value == '\\')
            buf_byte (out, '\\');
        buf_byte (out, (uint8_t)*value);
    }
    buf_byte (out, '\'');
}

int
database_split (const char *url, char bare[DATABASE_MAX], char password[PASSWORD_MAX], struct error *err)
{
    /* libpq's own message is not passed on: it may quote what it could not parse, password and all. */
    PQconninfoOption *options = PQconninfoParse (url, NULL);
    if (options == NULL)
        return error_set (err, ERROR_INVALID_REQUEST,
                          "the database is not named as PostgreSQL wants it: postgresql://USER@HOST:PORT/NAME");
    struct buf out = { 0 };
    bool fits = true;
    password[0] = 0;
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL)
            continue;
        if (strcmp (option->keyword, "password") == 0)
            fits = snprintf (password, PASSWORD_MAX, "%s", option->val) < PASSWORD_MAX;
        else
            conninfo_append (&out, option->keyword, option->val);
    }
    PQconninfoFree (options);
    buf_byte (&out, 0);
    fits = fits && !out.failed && out.size <= DATABASE_MAX;
    if (fits)
        memcpy (bare, out.data, out.size);
    buf_free (&out);
    return fits ? 0 : error_set (err, ERROR_INVALID_REQUEST, "the database's connection string is too long");
}
