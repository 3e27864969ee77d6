/* database.h - connecting to PostgreSQL from the commands, and keeping passwords out of sight. */
#ifndef LOYALTY_DATABASE_H
#define LOYALTY_DATABASE_H

#include "base/error.h"
#include "locate.h"

#include <libpq-fe.h>

enum { PASSWORD_MAX = 256 };

/* A connection to `url` (postgresql://… or key=value); NULL with `unavailable`. Closed with PQfinish. */
PGconn *database_open (const char *url, struct error *err);

/* The same connection string without its password, as `bare`, and the password (empty when it has none): what
 * child processes get on their command line and in PGPASSWORD. */
int database_split (const char *url, char bare[DATABASE_MAX], char password[PASSWORD_MAX], struct error *err);

/* Runs one statement without parameters that returns rows or nothing; NULL with `err`, whose message begins with
 * `doing`. The caller clears the result. */
PGresult *database_query (PGconn *db, const char *sql, const char *doing, struct error *err);

#endif
