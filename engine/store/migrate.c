/* migrate.c - see migrate.h. */
#include "store/migrate.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIGRATIONS_MAX = 9999, CHECKSUM_BYTES = 32, SERVER_VERSION_MIN = 140000, LOCK_WAIT_S = 60 };

/* How long a migration waits for a lock before it gives way: meanwhile whoever needs the table waits behind it. */
enum { LOCK_MS = 500, LOCK_PAUSE_MS = 500, LOCK_ATTEMPTS_MAX = LOCK_WAIT_S * 1000 / (LOCK_MS + LOCK_PAUSE_MS) };

/* "loyalty" in ASCII: one number for all programs, whatever their version. */
#define MIGRATE_LOCK "30521864600974457"

static const char CREATE_MIGRATIONS[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                        " version integer PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL,"
                                        " applied_at timestamptz NOT NULL DEFAULT now())";

struct setting {
    const char *name, *value, *default_value;
};
enum { SETTING_COUNT = 4 };

/* --- What is built in --- */

static int
migration_number (const struct embedded_file *file)
{
    return atoi (file->name);
}

int
store_schema_version (void)
{
    int version = 0;
    for (const struct embedded_file *file = MIGRATIONS; file->name != NULL; file++)
        version = migration_number (file);
    return version;
}

static const struct embedded_file *
migration_find (const struct migrate_files *further, int version)
{
    for (const struct embedded_file *file = MIGRATIONS; file->name != NULL; file++)
        if (migration_number (file) == version)
            return file;
    for (unsigned i = 0; further != NULL && i < further->count; i++)
        if (migration_number (&further->files[i]) == version)
            return &further->files[i];
    return NULL;
}

static int
newest_version (const struct migrate_files *further)
{
    return further != NULL && further->count > 0 ? migration_number (&further->files[further->count - 1])
                                                 : store_schema_version ();
}

static void
migration_checksum (const struct embedded_file *file, uint8_t checksum[CHECKSUM_BYTES])
{
    crypto_generichash (checksum, CHECKSUM_BYTES, (const uint8_t *)file->data, file->size, NULL, 0);
}

/* --- Talking to the database --- */

/* PostgreSQL's own sentence, without its trailing newline; for a failed connection the connection's. */
static void
failure_text (PGconn *db, const PGresult *result, char *text, size_t size)
{
    const char *primary = result != NULL ? PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    snprintf (text, size, "%s", primary != NULL ? primary : PQerrorMessage (db));
    text[strcspn (text, "\n")] = 0;
}

static int
failed (PGconn *db, PGresult *result, const char *doing, struct error *err)
{
    char text[160];
    failure_text (db, result, text, sizeof text);
    PQclear (result);
    return error_set (err, PQstatus (db) == CONNECTION_OK ? ERROR_INTERNAL : ERROR_UNAVAILABLE, "%s: %s", doing, text);
}

/* Runs one command that returns nothing. */
static int
run (PGconn *db, const char *sql, const char *doing, struct error *err)
{
    PGresult *result = PQexec (db, sql);
    if (PQresultStatus (result) != PGRES_COMMAND_OK && PQresultStatus (result) != PGRES_TUPLES_OK)
        return failed (db, result, doing, err);
    PQclear (result);
    return 0;
}

/* Rows of a query with text parameters; NULL with `err`. The caller clears the result. */
static PGresult *
query (PGconn *db, const char *sql, int count, const char *const *values, const char *doing, struct error *err)
{
    PGresult *result = PQexecParams (db, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus (result) == PGRES_TUPLES_OK || PQresultStatus (result) == PGRES_COMMAND_OK)
        return result;
    failed (db, result, doing, err);
    return NULL;
}

/* --- Settings --- */

static void
settings_list (const struct migrate_settings *settings, struct setting list[SETTING_COUNT])
{
    list[0] = (struct setting){ "buckets", settings->buckets, "1" };
    list[1] = (struct setting){ "currency", settings->currency, "EUR" };
    list[2] = (struct setting){ "currency_digits", settings->currency_digits, "2" };
    list[3] = (struct setting){ "time_zone", settings->time_zone, "UTC" };
}

/* A canonical whole number ("8", not "08" or "+8"), so that stored values can be compared as text. */
static int
check_number (const char *name, const char *value, long least, long most, struct error *err)
{
    char *end, canonical[32];
    long number = strtol (value, &end, 10);
    snprintf (canonical, sizeof canonical, "%ld", number);
    if (*end != 0 || number < least || number > most || strcmp (canonical, value) != 0)
        return error_field (err, ERROR_INVALID_REQUEST, name, "\"%s\" is not a whole number from %ld to %ld", value,
                            least, most);
    return 0;
}

static int
settings_check (PGconn *db, const struct migrate_settings *settings, struct error *err)
{
    if (settings->buckets != NULL && check_number ("buckets", settings->buckets, 1, 1024, err) < 0)
        return -1;
    if (settings->currency_digits != NULL && check_number ("currency_digits", settings->currency_digits, 0, 4, err) < 0)
        return -1;
    if (settings->currency != NULL &&
        (strlen (settings->currency) != 3 || strspn (settings->currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
        return error_field (err, ERROR_INVALID_REQUEST, "currency", "\"%s\" is not a code of three capital letters",
                            settings->currency);
    if (settings->time_zone == NULL)
        return 0;
    PGresult *result = query (db, "SELECT FROM pg_timezone_names WHERE name = $1", 1, &settings->time_zone,
                              "looking up the time zone", err);
    if (result == NULL)
        return -1;
    bool known = PQntuples (result) == 1;
    PQclear (result);
    if (!known)
        return error_field (err, ERROR_INVALID_REQUEST, "time_zone",
                            "\"%s\" is not a time zone (\"Europe/London\" is one)", settings->time_zone);
    return 0;
}

static int
settings_write (PGconn *db, const struct migrate_settings *settings, struct error *err)
{
    struct setting list[SETTING_COUNT];
    settings_list (settings, list);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        const char *values[] = { list[i].name, list[i].value != NULL ? list[i].value : list[i].default_value };
        PGresult *result =
            query (db, "INSERT INTO settings (name, value) VALUES ($1, $2)", 2, values, "writing the settings", err);
        if (result == NULL)
            return -1;
        PQclear (result);
    }
    /* Orders are priced in this zone: its table of offsets is made now. */
    PGresult *result = query (db, "SELECT time_zone_ensure (value) FROM settings WHERE name = 'time_zone'", 0, NULL,
                              "resolving the time zone", err);
    PQclear (result);
    return result != NULL ? 0 : -1;
}

static int
settings_compare (PGconn *db, const struct migrate_settings *settings, struct error *err)
{
    struct setting list[SETTING_COUNT];
    settings_list (settings, list);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        if (list[i].value == NULL)
            continue;
        PGresult *result =
            query (db, "SELECT value FROM settings WHERE name = $1", 1, &list[i].name, "reading the settings", err);
        if (result == NULL)
            return -1;
        const char *stored = PQntuples (result) == 1 ? PQgetvalue (result, 0, 0) : "";
        if (strcmp (stored, list[i].value) != 0) {
            error_set (err, ERROR_CONFLICT, "%s is fixed at %s since the database was made, and cannot become %s",
                       list[i].name, stored, list[i].value);
            PQclear (result);
            return -1;
        }
        PQclear (result);
    }
    return 0;
}

/* --- Migrating --- */

/* One applied migration against the one built in. `row` of (version, name, checksum in hex). */
static int
applied_check (const PGresult *applied, int row, const struct migrate_files *further, struct error *err)
{
    uint8_t checksum[CHECKSUM_BYTES];
    char hex[2 * CHECKSUM_BYTES + 1];
    const struct embedded_file *file = migration_find (further, atoi (PQgetvalue (applied, row, 0)));
    if (file == NULL) /* Of a newer program: store_schema_check decides. */
        return 0;
    migration_checksum (file, checksum);
    sodium_bin2hex (hex, sizeof hex, checksum, sizeof checksum);
    if (strcmp (hex, PQgetvalue (applied, row, 2)) == 0)
        return 0;
    return error_set (err, ERROR_CONFLICT,
                      "migration %s was applied as %s with other contents: an applied migration must not be changed, "
                      "write a new one",
                      file->name, PQgetvalue (applied, row, 1));
}

/* Checks what is applied, and finds the highest version; -1 on a conflict. */
static int
applied_read (PGconn *db, const struct migrate_files *further, int *version, struct error *err)
{
    PGresult *applied =
        query (db, "SELECT version, name, encode (checksum, 'hex') FROM schema_migrations ORDER BY version", 0, NULL,
               "reading schema_migrations", err);
    if (applied == NULL)
        return -1;
    int status = 0;
    *version = 0;
    for (int row = 0; row < PQntuples (applied) && status == 0; row++) {
        status = applied_check (applied, row, further, err);
        *version = atoi (PQgetvalue (applied, row, 0));
        if (status == 0 && *version != row + 1)
            status =
                error_set (err, ERROR_CONFLICT, "schema_migrations lacks version %d but has %d", row + 1, *version);
    }
    PQclear (applied);
    return status;
}

/* The line of a migration's text that PostgreSQL complains about; 0 when it does not say. */
static int
failure_line (const struct embedded_file *file, const PGresult *result)
{
    const char *position_text = PQresultErrorField (result, PG_DIAG_STATEMENT_POSITION);
    int position = position_text != NULL ? atoi (position_text) : 0, line = 1;
    for (int i = 0; i < position - 1 && (size_t)i < file->size; i++)
        line += file->data[i] == '\n';
    return position > 0 ? line : 0;
}

/* -1: `conflict` when it waited for a lock, `internal` or `unavailable` for everything else. */
static int
migration_run (PGconn *db, const struct embedded_file *file, struct error *err)
{
    PGresult *result = PQexec (db, file->data);
    ExecStatusType status = PQresultStatus (result);
    const char *state = PQresultErrorField (result, PG_DIAG_SQLSTATE);
    bool is_locked = state != NULL && strcmp (state, "55P03") == 0;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
        PQclear (result);
        return 0;
    }
    char doing[120];
    int line = failure_line (file, result);
    if (line > 0)
        snprintf (doing, sizeof doing, "migration %s, line %d", file->name, line);
    else
        snprintf (doing, sizeof doing, "migration %s", file->name);
    failed (db, result, doing, err);
    if (is_locked)
        err->code = ERROR_CONFLICT;
    return -1;
}

static int
migration_record (PGconn *db, const struct embedded_file *file, struct error *err)
{
    uint8_t checksum[CHECKSUM_BYTES];
    char hex[2 * CHECKSUM_BYTES + 1], version[12], name[128];
    migration_checksum (file, checksum);
    sodium_bin2hex (hex, sizeof hex, checksum, sizeof checksum);
    snprintf (version, sizeof version, "%d", migration_number (file));
    snprintf (name, sizeof name, "%.*s", (int)strcspn (file->name, "."), file->name);
    const char *values[] = { version, name, hex };
    PGresult *result = query (db,
                              "WITH state AS (UPDATE schema_state SET version = $1::integer) "
                              "INSERT INTO schema_migrations (version, name, checksum) "
                              "VALUES ($1::integer, $2, decode ($3, 'hex'))",
                              3, values, "recording a migration", err);
    if (result == NULL)
        return -1;
    PQclear (result);
    return 0;
}

/* One migration, its record and (with the first) the settings: all or nothing. */
static int
migration_try (PGconn *db, const struct embedded_file *file, const struct migrate_settings *settings, struct error *err)
{
    if (run (db, "BEGIN", "starting a migration", err) < 0)
        return -1;
    if (migration_run (db, file, err) == 0 && migration_record (db, file, err) == 0 &&
        (migration_number (file) != 1 || settings_write (db, settings, err) == 0) &&
        run (db, "COMMIT", "committing a migration", err) == 0)
        return 0;
    PQclear (PQexec (db, "ROLLBACK"));
    return -1;
}

static int
migration_apply (PGconn *db, const struct embedded_file *file, const struct migrate_settings *settings,
                 struct error *err)
{
    for (int attempt = 1;; attempt++) {
        if (migration_try (db, file, settings, err) == 0)
            return 0;
        if (err->code != ERROR_CONFLICT || attempt == LOCK_ATTEMPTS_MAX)
            return -1;
        usleep (LOCK_PAUSE_MS * 1000);
    }
}

static int
migrate_locked (PGconn *db, const struct migrate_settings *settings, const struct migrate_files *further,
                struct migrate_report *report, struct error *err)
{
    char lock_timeout[64];

    if (run (db, CREATE_MIGRATIONS, "making schema_migrations", err) < 0)
        return -1;
    if (applied_read (db, further, &report->version_before, err) < 0)
        return -1;
    snprintf (lock_timeout, sizeof lock_timeout, "SET lock_timeout = %d", LOCK_MS);
    if (run (db, lock_timeout, "setting up the session", err) < 0)
        return -1;
    report->version_after = report->version_before;
    if (report->version_before > 0 && settings_compare (db, settings, err) < 0)
        return -1;
    int newest = newest_version (further);
    for (int version = report->version_before + 1; version <= newest; version++) {
        const struct embedded_file *file = migration_find (further, version);
        if (file == NULL)
            return error_set (err, ERROR_INVALID_REQUEST, "there is no migration %04d", version);
        if (migration_apply (db, file, settings, err) < 0)
            return -1;
        report->version_after = version;
        report->applied++;
    }
    return store_schema_check (db, err);
}

int
store_migrate (PGconn *db, const struct migrate_settings *settings, const struct migrate_files *further,
               struct migrate_report *report, struct error *err)
{
    char lock_timeout[64];
    *report = (struct migrate_report){ 0 };
    if (PQserverVersion (db) < SERVER_VERSION_MIN)
        return error_set (err, ERROR_UNAVAILABLE, "PostgreSQL %d is too old: 14 or newer is needed",
                          PQserverVersion (db) / 10000);
    if (settings_check (db, settings, err) < 0)
        return -1;
    snprintf (lock_timeout, sizeof lock_timeout, "SET lock_timeout = '%ds'; SET client_min_messages = warning",
              LOCK_WAIT_S);
    if (run (db, lock_timeout, "setting up the session", err) < 0 ||
        run (db, "SELECT pg_advisory_lock (" MIGRATE_LOCK ")", "waiting for another migrate", err) < 0)
        return -1;
    int status = migrate_locked (db, settings, further, report, err);
    PQclear (PQexec (db, "SELECT pg_advisory_unlock (" MIGRATE_LOCK ")"));
    PQclear (PQexec (db, "RESET lock_timeout; RESET client_min_messages"));
    return status;
}

int
store_schema_check (PGconn *db, struct error *err)
{
    PGresult *result =
        query (db, "SELECT to_regclass ('schema_state') IS NOT NULL", 0, NULL, "looking for the schema", err);
    if (result == NULL)
        return -1;
    bool exists = strcmp (PQgetvalue (result, 0, 0), "t") == 0;
    PQclear (result);
    if (!exists)
        return error_set (err, ERROR_UNAVAILABLE, "the database has no schema yet: run loyalty migrate");
    result = query (db, "SELECT version, compatible_from FROM schema_state", 0, NULL, "reading schema_state", err);
    if (result == NULL)
        return -1;
    if (PQntuples (result) != 1) {
        PQclear (result);
        return error_set (err, ERROR_UNAVAILABLE, "schema_state must have one row");
    }
    int version = atoi (PQgetvalue (result, 0, 0)), compatible_from = atoi (PQgetvalue (result, 0, 1));
    PQclear (result);
    return store_schema_fits (version, compatible_from, err);
}

int
store_schema_fits (int version, int compatible_from, struct error *err)
{
    int needed = store_schema_version ();
    if (version < needed)
        return error_set (err, ERROR_UNAVAILABLE,
                          "the database's schema is version %d, this program needs %d: run loyalty migrate", version,
                          needed);
    if (compatible_from > needed)
        return error_set (
            err, ERROR_UNAVAILABLE,
            "the database's schema (version %d) needs programs of schema version %d or newer, this one is %d: "
            "install the newer release",
            version, compatible_from, needed);
    return 0;
}
