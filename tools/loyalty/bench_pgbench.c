/* bench_pgbench.c - PostgreSQL's own benchmark on the same server: the yardstick that is independent of the machine. */
#include "bench.h"
#include "database.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BENCH_DATABASE "loyalty_pgbench"

/* pgbench from the newest PostgreSQL of Debian's layout, else from PATH. */
static void
find_pgbench (char *path, size_t size)
{
    glob_t found;
    snprintf (path, size, "pgbench");
    if (glob ("/usr/lib/postgresql/*/bin/pgbench", 0, NULL, &found) == 0) {
        snprintf (path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree (&found);
    }
}

/* The connection string of another database on the same server, as key=value pairs. */
static int
other_database (const char *url, const char *name, char *text, size_t size, struct error *err)
{
    char *why = NULL;
    size_t used = 0;
    PQconninfoOption *options = PQconninfoParse (url, &why);
    if (options == NULL) {
        error_set (err, ERROR_INVALID_REQUEST, "the database's URL is not understood: %.150s", why != NULL ? why : "");
        PQfreemem (why);
        return -1;
    }
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || strcmp (option->keyword, "dbname") == 0 ||
            strcmp (option->keyword, "password") == 0 || strchr (option->val, '\'') != NULL)
            continue;
        used += (size_t)snprintf (text + used, size - used, "%s='%s' ", option->keyword, option->val);
        if (used >= size)
            break;
    }
    PQconninfoFree (options);
    if (used < size)
        used += (size_t)snprintf (text + used, size - used, "dbname=%s", name);
    return used < size ? 0 : error_set (err, ERROR_INVALID_REQUEST, "the database's URL is too long");
}

/* Runs pgbench with PGPASSWORD in its environment, and looks for "tps = " in what it prints. */
static int
run (const char *command, double *tps, struct error *err)
{
    char line[512], last[200] = "";
    FILE *output = popen (command, "r");
    if (output == NULL)
        return error_set (err, ERROR_INTERNAL, "pgbench cannot be started: %m");
    while (fgets (line, sizeof line, output) != NULL) {
        if (tps != NULL && strncmp (line, "tps = ", 6) == 0)
            *tps = strtod (line + 6, NULL);
        snprintf (last, sizeof last, "%.*s", (int)strcspn (line, "\n"), line);
    }
    if (pclose (output) != 0)
        return error_set (err, ERROR_INTERNAL, "pgbench failed: %s", last);
    return 0;
}

static int
make_database (const char *url, bool *made, struct error *err)
{
    PGconn *db = database_open (url, err);
    if (db == NULL)
        return -1;
    PGresult *result = database_query (db, "SELECT FROM pg_database WHERE datname = '" BENCH_DATABASE "'",
                                       "looking for pgbench's database", err);
    int status = result == NULL ? -1 : 0;
    *made = status == 0 && PQntuples (result) == 0;
    PQclear (result);
    if (*made) {
        result = database_query (db, "CREATE DATABASE " BENCH_DATABASE, "making pgbench's database", err);
        status = result == NULL ? -1 : 0;
        PQclear (result);
    }
    PQfinish (db);
    return status;
}

int
bench_pgbench (const char *database_url, long scale, long seconds, double *tps, struct error *err)
{
    char bare[DATABASE_MAX], password[PASSWORD_MAX], target[DATABASE_MAX * 2], program[256],
        command[DATABASE_MAX * 2 + 512];
    bool made;
    if (database_split (database_url, bare, password, err) < 0 ||
        other_database (bare, BENCH_DATABASE, target, sizeof target, err) < 0 ||
        make_database (database_url, &made, err) < 0)
        return -1;
    if (strpbrk (target, "\"`$\\") != NULL)
        return error_set (err, ERROR_INVALID_REQUEST,
                          "the database's URL has characters that cannot be passed to pgbench");
    if (password[0] != '\0')
        setenv ("PGPASSWORD", password, 1);
    find_pgbench (program, sizeof program);
    if (made) {
        snprintf (command, sizeof command, "%s -i -q -s %ld \"%s\" 2>&1", program, scale, target);
        if (run (command, NULL, err) < 0)
            return -1;
    }
    snprintf (command, sizeof command, "%s -c 8 -j 2 -M prepared -T %ld \"%s\" 2>&1", program, seconds, target);
    *tps = 0;
    return run (command, tps, err);
}
