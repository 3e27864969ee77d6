/* migrate.c - `loyalty migrate`: brings a database to this program's schema. */
#include "commands.h"
#include "database.h"
#include "options.h"
#include "output.h"
#include "store/migrate.h"

#include <stdio.h>

static const struct command_help HELP = {
    "migrate --database URL [OPTION]...",
    "Brings a database to this program's schema: applies what is missing of its numbered migrations, each in one\n"
    "transaction. Safe to repeat, and to start twice at once. The settings below are fixed with the first\n"
    "migrate of a database; later, one that is given must be the same.",
};

int
command_migrate (int argc, char **argv)
{
    const char *database = NULL, *data = NULL, *folder = NULL;
    struct migrate_files further = { 0 };
    struct migrate_settings settings = { 0 };
    bool json = false;
    const struct option_spec specs[] = {
        { "database", OPTION_TEXT, &database, "URL", "the database (default: LOYALTY_DATABASE, or that of --data)", 0,
          0 },
        { "data", OPTION_TEXT, &data, "DIR", "the data folder of a running `loyalty up`", 0, 0 },
        { "buckets", OPTION_TEXT, &settings.buckets, "N", "buckets that members are spread over, 1 to 1024 (default 1)",
          0, 0 },
        { "currency", OPTION_TEXT, &settings.currency, "CODE", "the one currency (default EUR)", 0, 0 },
        { "digits", OPTION_TEXT, &settings.currency_digits, "N", "its decimals, 0 to 4 (default 2)", 0, 0 },
        { "time-zone", OPTION_TEXT, &settings.time_zone, "NAME", "the main time zone (default UTC)", 0, 0 },
        { "migrations", OPTION_TEXT, &folder, "DIR",
          "apply these too, of a newer release than this program: files NNNN_name.sql", 0, 0 },
        { "json", OPTION_FLAG, &json, NULL, "print the result as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "migrate takes no argument (%s)", argv[1]);

    char url[DATABASE_MAX];
    struct error err;
    struct migrate_report report;
    if (locate_database (database, data, url, &err) < 0)
        return output_error (&err, json);
    if (folder != NULL && migrate_files_read (folder, &further, &err) < 0)
        return output_error (&err, json);
    PGconn *db = database_open (url, &err);
    int status = db != NULL ? store_migrate (db, &settings, &further, &report, &err) : -1;
    PQfinish (db);
    migrate_files_free (&further);
    if (status < 0)
        return output_error (&err, json);
    if (json)
        output_json (json_pack ("{s:i, s:i, s:i}", "version_before", report.version_before, "version",
                                report.version_after, "applied", report.applied),
                     false);
    else if (report.applied > 0)
        printf ("schema version %d (was %d): %d applied\n", report.version_after, report.version_before,
                report.applied);
    else
        printf ("schema version %d: up to date\n", report.version_after);
    return EXIT_DONE;
}
