/* fsck.c - `loyalty fsck`: proves the ledger. Each check is a file of sql/checks, and selects what is off. */
#include "base/arena.h"
#include "commands.h"
#include "database.h"
#include "fsck_orders.h"
#include "options.h"
#include "output.h"
#include "store/embedded.h"
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command_help HELP = {
    "fsck [--data DIR | --database URL] [OPTION]...",
    "Proves the ledger: every card's points are what remains of its lots and the sum of its journal, every lot lost\n"
    "what was taken from it, every order's record says what the journal booked. It reads one snapshot, changes "
    "nothing,\n"
    "and may run while the engine works. Says which card, order and figure are off; exit code 1 if anything is.",
};

extern const struct embedded_file CHECKS[];

enum { FINDINGS_MAX = 100, TITLE_MAX = 200 };

/* What a check found, with the order's own id beside the engine's number of it. One more than is listed is asked
 * for, to know whether there are more. */
#define FINDINGS_SQL \
    "SELECT f.card_id, f.order_ref, k.key, f.figure, f.expected, f.found FROM (SELECT * FROM (%s) AS c LIMIT 101) AS " \
    "f " \
    "LEFT JOIN request_keys k ON k.order_ref = f.order_ref AND k.scope IN (1, 2) AND f.order_ref > 0 " \
    "ORDER BY f.card_id, f.order_ref, f.figure"
enum column { COLUMN_CARD, COLUMN_ORDER_REF, COLUMN_ORDER, COLUMN_FIGURE, COLUMN_EXPECTED, COLUMN_FOUND };

struct fsck {
    PGconn *db;
    bool json;
    int findings; /* listed */
    int64_t cards, orders;
    json_t *checks;
};

/* The first line of a check's file is its sentence. */
static void
check_title (const struct embedded_file *check, char title[TITLE_MAX])
{
    const char *text = check->data + strspn (check->data, "- ");
    snprintf (title, TITLE_MAX, "%.*s", (int)strcspn (text, "\n"), text);
}

static json_t *
field_json (const PGresult *result, int row, enum column column, bool is_number)
{
    if (PQgetisnull (result, row, column))
        return json_null ();
    const char *text = PQgetvalue (result, row, column);
    return is_number ? json_integer (atoll (text)) : json_string (text);
}

static void
finding_print (const PGresult *result, int row)
{
    printf ("  ");
    if (!PQgetisnull (result, row, COLUMN_CARD))
        printf ("card %s, ", PQgetvalue (result, row, COLUMN_CARD));
    if (!PQgetisnull (result, row, COLUMN_ORDER))
        printf ("order %s, ", PQgetvalue (result, row, COLUMN_ORDER));
    else if (!PQgetisnull (result, row, COLUMN_ORDER_REF) &&
             strcmp (PQgetvalue (result, row, COLUMN_ORDER_REF), "0") != 0)
        printf ("order number %s, ", PQgetvalue (result, row, COLUMN_ORDER_REF));
    printf ("%s: expected %s, found %s\n", PQgetvalue (result, row, COLUMN_FIGURE),
            PQgetvalue (result, row, COLUMN_EXPECTED), PQgetvalue (result, row, COLUMN_FOUND));
}

static json_t *
finding_json (const PGresult *result, int row)
{
    return json_pack ("{s:o, s:o, s:o, s:o, s:o}", "card", field_json (result, row, COLUMN_CARD, true), "order",
                      field_json (result, row, COLUMN_ORDER, false), "figure",
                      field_json (result, row, COLUMN_FIGURE, false), "expected",
                      field_json (result, row, COLUMN_EXPECTED, false), "found",
                      field_json (result, row, COLUMN_FOUND, false));
}

static void
findings_report (struct fsck *fsck, const char *name, const char *title, const PGresult *result)
{
    int rows = PQntuples (result), listed = rows > FINDINGS_MAX ? FINDINGS_MAX : rows;
    json_t *findings = json_array ();
    if (rows > 0 && !fsck->json)
        printf ("WRONG: %s\n", title);
    for (int row = 0; row < listed; row++) {
        json_array_append_new (findings, finding_json (result, row));
        if (!fsck->json)
            finding_print (result, row);
    }
    if (rows > listed && !fsck->json)
        printf ("  and more\n");
    fsck->findings += listed;
    json_array_append_new (fsck->checks, json_pack ("{s:s, s:s, s:o, s:b}", "name", name, "title", title, "findings",
                                                    findings, "more", rows > listed));
}

static int
check_run (struct fsck *fsck, const struct embedded_file *check, struct error *err)
{
    char title[TITLE_MAX], name[64], doing[100];
    struct buf sql = { 0 };
    check_title (check, title);
    snprintf (name, sizeof name, "%.*s", (int)strcspn (check->name, "."), check->name);
    snprintf (doing, sizeof doing, "check %s", name);
    if (output_progress ())
        fprintf (stderr, "\r\033[K%s", title);
    buf_printf (&sql, FINDINGS_SQL, check->data);
    buf_byte (&sql, 0);
    PGresult *result = sql.failed ? NULL : database_query (fsck->db, (const char *)sql.data, doing, err);
    if (sql.failed)
        error_set (err, ERROR_INTERNAL, "out of memory");
    buf_free (&sql);
    if (output_progress ())
        fprintf (stderr, "\r\033[K");
    if (result == NULL)
        return -1;
    findings_report (fsck, name, title, result);
    PQclear (result);
    return 0;
}

static void
orders_progress (int64_t count)
{
    fprintf (stderr, "\r\033[Kreading the orders' records: %lld", (long long)count);
}

static int
count_cards (struct fsck *fsck, struct error *err)
{
    PGresult *result = database_query (fsck->db, "SELECT count(*) FROM loyalty_cards", "counting cards", err);
    if (result == NULL)
        return -1;
    fsck->cards = atoll (PQgetvalue (result, 0, 0));
    PQclear (result);
    return 0;
}

/* Begins the one snapshot that all is read in. The outbox is locked first: its slots are truncated, which takes rows from a
 * snapshot that was there before. */
static int
snapshot_begin (struct fsck *fsck, struct error *err)
{
    static const char *const STEPS[] = { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                                         "LOCK TABLE outbox IN ACCESS SHARE MODE" };
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        PGresult *begun = database_query (fsck->db, STEPS[i], "starting", err);
        PQclear (begun);
        if (begun == NULL)
            return -1;
    }
    return 0;
}

/* Nothing is written but temporary rows. */
static int
fsck_run (struct fsck *fsck, struct error *err)
{
    if (store_schema_check (fsck->db, err) < 0 || fsck_orders_prepare (fsck->db, err) < 0)
        return -1;
    if (snapshot_begin (fsck, err) < 0 || count_cards (fsck, err) < 0 ||
        fsck_orders_read (fsck->db, output_progress () ? orders_progress : NULL, &fsck->orders, err) < 0)
        return -1;
    for (const struct embedded_file *check = CHECKS; check->name != NULL; check++)
        if (check_run (fsck, check, err) < 0)
            return -1;
    PQclear (PQexec (fsck->db, "ROLLBACK"));
    return 0;
}

int
command_fsck (int argc, char **argv)
{
    const char *database = NULL, *data = NULL;
    struct fsck fsck = { 0 };
    const struct option_spec specs[] = {
        { "database", OPTION_TEXT, &database, "URL", "the database (default: LOYALTY_DATABASE, or that of --data)", 0,
          0 },
        { "data", OPTION_TEXT, &data, "DIR", "the data folder of a running `loyalty up`", 0, 0 },
        { "json", OPTION_FLAG, &fsck.json, NULL, "print the findings as JSON", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    char url[DATABASE_MAX];
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "fsck takes no argument (%s)", argv[1]);
    if (locate_fsck_database (database, data, url, &err) < 0 || (fsck.db = database_open (url, &err)) == NULL)
        return output_error (&err, fsck.json);
    fsck.checks = json_array ();
    int status = fsck_run (&fsck, &err);
    PQfinish (fsck.db);
    if (status < 0) {
        json_decref (fsck.checks);
        return output_error (&err, fsck.json);
    }
    if (fsck.json)
        output_json (json_pack ("{s:b, s:I, s:I, s:O}", "ok", fsck.findings == 0, "cards", (json_int_t)fsck.cards,
                                "orders", (json_int_t)fsck.orders, "checks", fsck.checks),
                     false);
    else
        printf ("%s: %lld cards, %lld orders, %zu checks, %d findings\n", fsck.findings == 0 ? "ok" : "NOT OK",
                (long long)fsck.cards, (long long)fsck.orders, json_array_size (fsck.checks), fsck.findings);
    json_decref (fsck.checks);
    return fsck.findings == 0 ? EXIT_DONE : EXIT_FAILED;
}
