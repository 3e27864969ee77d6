/* fsck_orders.c - see fsck_orders.h. Rows go to the server with COPY in its binary form. */
#include "fsck_orders.h"
#include "database.h"
#include "store/record.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FETCH_ROWS "500"
enum { ARENA_MAX = 256 * 1024 * 1024, PROGRESS_EVERY = 10000 };

/* Rows of one temporary table that wait to be copied. */
struct copy {
    const char *command;
    struct buf rows;
};

struct orders_reader {
    PGconn *db;
    struct arena *arena;
    struct copy orders, effects, uses, wholes, referrals, damage;
};

int
fsck_orders_prepare (PGconn *db, struct error *err)
{
    PGresult *result = database_query (
        db,
        "CREATE TEMPORARY TABLE fsck_orders (order_ref bigint, order_id text);"
        "CREATE TEMPORARY TABLE fsck_effects (order_ref bigint, card_id bigint, earned bigint, redeemed bigint,"
        " taken_back bigint, given_back bigint);"
        "CREATE TEMPORARY TABLE fsck_uses (order_ref bigint, program_id bigint, kind bigint, amount bigint);"
        "CREATE TEMPORARY TABLE fsck_wholes (order_ref bigint, original_ref bigint);"
        "CREATE TEMPORARY TABLE fsck_referrals (order_ref bigint, card_id bigint, points bigint);"
        "CREATE TEMPORARY TABLE fsck_damage (order_ref bigint, figure text, expected text, found text)",
        "making temporary tables", err);
    PQclear (result);
    return result != NULL ? 0 : -1;
}

/* --- COPY --- */

static void
row_begin (struct copy *copy, int16_t columns)
{
    uint16_t count = htobe16 ((uint16_t)columns);
    buf_append (&copy->rows, &count, sizeof count);
}

static void
row_int (struct copy *copy, int64_t value)
{
    uint32_t size = htobe32 (sizeof value);
    uint64_t bytes = htobe64 ((uint64_t)value);
    buf_append (&copy->rows, &size, sizeof size);
    buf_append (&copy->rows, &bytes, sizeof bytes);
}

static void
row_text (struct copy *copy, struct str text)
{
    uint32_t size = htobe32 (text.size);
    buf_append (&copy->rows, &size, sizeof size);
    buf_append (&copy->rows, text.data, text.size);
}

/* Sends the rows gathered so far. */
static int
copy_flush (PGconn *db, struct copy *copy, struct error *err)
{
    static const char HEADER[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* signature, flags, extension */
    static const char TRAILER[2] = "\377\377";
    if (copy->rows.failed)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    if (copy->rows.size == 0)
        return 0;
    PGresult *result = PQexec (db, copy->command);
    bool sent = PQresultStatus (result) == PGRES_COPY_IN && PQputCopyData (db, HEADER, sizeof HEADER) == 1 &&
                PQputCopyData (db, (const char *)copy->rows.data, (int)copy->rows.size) == 1 &&
                PQputCopyData (db, TRAILER, sizeof TRAILER) == 1 && PQputCopyEnd (db, NULL) == 1;
    PQclear (result);
    for (result = PQgetResult (db); result != NULL; result = PQgetResult (db)) {
        sent = sent && PQresultStatus (result) == PGRES_COMMAND_OK;
        PQclear (result);
    }
    buf_clear (&copy->rows);
    return sent ? 0 : error_set (err, ERROR_UNAVAILABLE, "copying rows: %.150s", PQerrorMessage (db));
}

/* --- Orders --- */

static void
damage_add (struct orders_reader *reader, int64_t order_ref, const char *figure, const char *expected,
            const char *found)
{
    row_begin (&reader->damage, 4);
    row_int (&reader->damage, order_ref);
    row_text (&reader->damage, str_of (figure));
    row_text (&reader->damage, str_of (expected));
    row_text (&reader->damage, str_of (found));
}

static void
damage_unless_equal (struct orders_reader *reader, int64_t order_ref, const char *figure, int64_t expected,
                     int64_t found)
{
    char expected_text[24], found_text[24];
    if (expected == found)
        return;
    snprintf (expected_text, sizeof expected_text, "%" PRId64, expected);
    snprintf (found_text, sizeof found_text, "%" PRId64, found);
    damage_add (reader, order_ref, figure, expected_text, found_text);
}

/* The counters that its uses of limited programs went to, and the orders of which it left nothing. */
static void
uses_add (struct orders_reader *reader, const struct order_record *record)
{
    const struct evaluation *evaluation = &record->evaluation;
    for (uint32_t i = 0; i < evaluation->usage_count && record->kind != RECORD_CANCEL; i++)
        for (int64_t kind = 0; kind < 32; kind++) {
            if ((evaluation->usages[i].counters >> kind & 1) == 0)
                continue;
            row_begin (&reader->uses, 4);
            row_int (&reader->uses, record->order_ref);
            row_int (&reader->uses, evaluation->usages[i].program_id);
            row_int (&reader->uses, kind);
            row_int (&reader->uses, evaluation->usages[i].given_minor);
        }
    for (uint32_t i = 0; i < record->refund.original_count; i++) {
        if (!record->refund.originals[i].is_whole)
            continue;
        row_begin (&reader->wholes, 2);
        row_int (&reader->wholes, record->order_ref);
        row_int (&reader->wholes, record->refund.originals[i].order_ref);
    }
}

/* What it gave the owner of a referral code. */
static void
referral_add (struct orders_reader *reader, const struct order_record *record)
{
    const struct referral_result *referral = &record->evaluation.referral;
    if (referral->points == 0 || record->kind == RECORD_CANCEL)
        return;
    row_begin (&reader->referrals, 3);
    row_int (&reader->referrals, record->order_ref);
    row_int (&reader->referrals, referral->card_id);
    row_int (&reader->referrals, referral->points);
}

/* One row of `orders`: what its record says, and whether it is this row's. */
static void
order_add (struct orders_reader *reader, int64_t order_ref, int64_t kind, struct str bytes)
{
    struct order_record record;
    struct error reason;
    arena_reset (reader->arena);
    if (order_record_decode (bytes, reader->arena, &record, &reason) < 0) {
        damage_add (reader, order_ref, "record", "an order's record", reason.message);
        return;
    }
    damage_unless_equal (reader, order_ref, "order of the record", order_ref, record.order_ref);
    damage_unless_equal (reader, order_ref, "kind of the record", kind, record.kind);
    row_begin (&reader->orders, 2);
    row_int (&reader->orders, order_ref);
    row_text (&reader->orders, record.order.order_id);
    uses_add (reader, &record);
    referral_add (reader, &record);
    for (uint32_t i = 0; i < record.effect_count; i++) {
        const struct card_effect *effect = &record.effects[i];
        row_begin (&reader->effects, 6);
        row_int (&reader->effects, order_ref);
        row_int (&reader->effects, effect->card_id);
        row_int (&reader->effects, effect->earned);
        row_int (&reader->effects, effect->redeemed);
        row_int (&reader->effects, effect->taken_back);
        row_int (&reader->effects, effect->given_back);
    }
}

/* The next rows of the cursor; *rows 0 at its end. */
static int
orders_fetch (struct orders_reader *reader, int *rows, struct error *err)
{
    PGresult *result = PQexecParams (reader->db, "FETCH " FETCH_ROWS " FROM fsck_cursor", 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus (result) != PGRES_TUPLES_OK) {
        PQclear (result);
        return error_set (err, ERROR_UNAVAILABLE, "reading orders: %.150s", PQerrorMessage (reader->db));
    }
    *rows = PQntuples (result);
    for (int row = 0; row < *rows; row++) {
        int64_t order_ref, kind;
        memcpy (&order_ref, PQgetvalue (result, row, 0), sizeof order_ref);
        memcpy (&kind, PQgetvalue (result, row, 1), sizeof kind);
        struct str bytes = { PQgetvalue (result, row, 2), (uint32_t)PQgetlength (result, row, 2) };
        order_add (reader, (int64_t)be64toh ((uint64_t)order_ref), (int64_t)be64toh ((uint64_t)kind), bytes);
    }
    PQclear (result);
    if (copy_flush (reader->db, &reader->orders, err) < 0 || copy_flush (reader->db, &reader->effects, err) < 0 ||
        copy_flush (reader->db, &reader->uses, err) < 0 || copy_flush (reader->db, &reader->wholes, err) < 0 ||
        copy_flush (reader->db, &reader->referrals, err) < 0)
        return -1;
    return copy_flush (reader->db, &reader->damage, err);
}

int
fsck_orders_read (PGconn *db, void (*progress) (int64_t count), int64_t *count, struct error *err)
{
    struct orders_reader reader = {
        .db = db,
        .arena = arena_new (ARENA_MAX),
        .orders = { .command = "COPY fsck_orders FROM STDIN (FORMAT binary)" },
        .effects = { .command = "COPY fsck_effects FROM STDIN (FORMAT binary)" },
        .uses = { .command = "COPY fsck_uses FROM STDIN (FORMAT binary)" },
        .wholes = { .command = "COPY fsck_wholes FROM STDIN (FORMAT binary)" },
        .referrals = { .command = "COPY fsck_referrals FROM STDIN (FORMAT binary)" },
        .damage = { .command = "COPY fsck_damage FROM STDIN (FORMAT binary)" },
    };
    if (reader.arena == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    int rows = 1, status = -1;
    *count = 0;
    PGresult *result = database_query (db,
                                       "DECLARE fsck_cursor NO SCROLL CURSOR FOR"
                                       " SELECT order_ref, kind::bigint, record FROM orders",
                                       "reading orders", err);
    if (result != NULL)
        status = 0;
    PQclear (result);
    while (status == 0 && rows > 0) {
        status = orders_fetch (&reader, &rows, err);
        *count += rows;
        if (progress != NULL && *count % PROGRESS_EVERY < rows)
            progress (*count);
    }
    buf_free (&reader.orders.rows);
    buf_free (&reader.effects.rows);
    buf_free (&reader.uses.rows);
    buf_free (&reader.wholes.rows);
    buf_free (&reader.referrals.rows);
    buf_free (&reader.damage.rows);
    arena_destroy (&reader.arena);
    return status;
}
