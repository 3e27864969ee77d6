/* engine_settings.c - see engine_settings.h. */
#include "store/engine_settings.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_TIMEOUT_MS = 5000 };

static void
copy_text (char *to, size_t size, struct str text)
{
    snprintf (to, size, "%.*s", (int)text.size, text.data);
}

int
engine_settings_read (struct pg *pg, struct engine_settings *settings, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us () + READ_TIMEOUT_MS * INT64_C (1000);
    enum pg_failure failure;
    char number[16] = "";

    if (pg_ensure (pg, err) < 0)
        return -1;
    PGresult *result = pg_run (pg, STATEMENT_SETTINGS, NULL, deadline_us, &failure, err);
    if (result == NULL)
        return -1;
    *settings = (struct engine_settings){ 0 };
    for (int row = 0; row < PQntuples (result); row++) {
        struct str name = pg_text (result, row, 0), value = pg_text (result, row, 1);
        copy_text (number, sizeof number, value);
        if (str_equal (name, STR ("buckets")))
            settings->buckets = atoi (number);
        else if (str_equal (name, STR ("currency_digits")))
            settings->currency_digits = (unsigned)atoi (number);
        else if (str_equal (name, STR ("currency")))
            copy_text (settings->currency, sizeof settings->currency, value);
        else if (str_equal (name, STR ("time_zone")))
            copy_text (settings->time_zone, sizeof settings->time_zone, value);
    }
    PQclear (result);
    if (settings->buckets < 1 || settings->currency[0] == '\0' || settings->time_zone[0] == '\0')
        return error_set (err, ERROR_UNAVAILABLE, "the database has no settings: run `loyalty migrate`");
    return 0;
}
