/* migrate.h - the schema: its numbered migrations, which are built into the program, the settings that are fixed
 * with the first of them, and the check that program and schema fit together. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/error.h"
#include "store/embedded.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* The files of sql/migrations: NNNN_name.sql, numbered from 1 without gaps. */
extern const struct embedded_file MIGRATIONS[];

/* Settings that are written once, at the first migrate, and never change. NULL: not given (the default is
 * written; later, whatever is stored is fine). */
struct migrate_settings {
    const char *buckets;         /* 1 .. 1024; default 1 */
    const char *currency;        /* ISO 4217, "GBP"; default EUR */
    const char *currency_digits; /* 0 .. 4; default 2 */
    const char *time_zone;       /* IANA name; default UTC */
};

/* Migrations beyond those that are built in, of a newer release: numbered on from them. */
struct migrate_files {
    struct embedded_file *files; /* in order, ended by one without a name; names and texts are on the heap */
    unsigned count;
};

/* Reads a folder of NNNN_name.sql; those whose numbers are built in are left out. -1: `invalid_request`. */
int migrate_files_read (const char *folder, struct migrate_files *files, struct error *err);
void migrate_files_free (struct migrate_files *files);

struct migrate_report {
    int version_before; /* 0: an empty database */
    int version_after;
    int applied;        /* migrations applied now */
};

/* Brings the database to the newest schema that this program knows (and beyond, by `further`; NULL: none), under an
 * advisory lock, each migration in a transaction of its own, which sets schema_state.version to its number. One that
 * waits for a lock gives way after a moment and is tried again, for a minute: what comes in meanwhile would wait behind it. A migration after which older programs
 * must not run sets schema_state.compatible_from itself. -1: `conflict` (an applied migration was changed since, a setting differs from the
 * stored one, or the database is newer than the program and says it is not compatible), `invalid_request` (a
 * setting that is out of range), `unavailable` or `internal` (the database refused; the message says which migration and why).
 * What was applied before a failure stays. */
int store_migrate (PGconn *db, const struct migrate_settings *settings, const struct migrate_files *further,
                   struct migrate_report *report, struct error *err);

/* The highest migration built into this program. */
int store_schema_version (void);

/* Whether a program of this schema version may work on a database that says so of itself. -1: `unavailable`. */
int store_schema_fits (int version, int compatible_from, struct error *err);

/* Whether this program may work on the database: it is migrated as far as the program needs, and says
 * that a program of this version still fits (schema_state.compatible_from). -1: `unavailable`, the message
 * says what to do. */
int store_schema_check (PGconn *db, struct error *err);

#endif
