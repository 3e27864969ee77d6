/* unit_referrals.c - points for the owners of referral codes (referral_credits): written with the friend's order, booked by whoever
 * has the owner's card locked next. */
#include "store/unit_private.h"

/* On one card at once; the rest comes with its next lock. A job books them long before there are so many. */
enum { BOOKED_AT_ONCE = 10000 };

enum { CARD_ID, ORIGINAL_REF, ORDER_REF, ORDER_ID, POINTS, FORGIVES, GAINED, USABLE_FROM, EXPIRES, LOT_NO };

static int
no_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "out of memory for points of referral codes");
}

/* The lot that the original's credit became: in this transaction, or before it. 0: none. */
static int32_t
lot_of (const struct unit *unit, const struct unit_referral *referral, int32_t lot_no_before)
{
    for (uint32_t i = unit->booking_count; i-- > 0;) {
        const struct unit_booking *booking = &unit->bookings[i];
        if (booking->card_id == referral->card_id && booking->original_ref == referral->original_ref &&
            booking->lot_no != 0)
            return booking->lot_no;
    }
    return lot_no_before;
}

/* Takes points back; what the owner has spent of them is debt, or forgiven. */
static int
take_back (struct unit *unit, struct card *card, const struct unit_referral *referral, int32_t lot_no,
           struct unit_booking *booking, struct error *err)
{
    struct lot_source source = unit_lot_source (unit);
    enum shortfall shortfall = referral->forgives ? SHORTFALL_FORGIVE : SHORTFALL_DEBT;
    int64_t missing = 0;
    if (ledger_take_back (card, -referral->points, &lot_no, lot_no != 0, shortfall, referral->gained, &source,
                          unit->arena, &missing, err) < 0)
        return -1;
    booking->booked = referral->points + missing;
    return 0;
}

static int
give (struct unit *unit, struct card *card, const struct unit_referral *referral, struct unit_booking *booking,
      struct error *err)
{
    booking->booked = referral->points;
    return ledger_gain (card, JOURNAL_EARN, referral->points, referral->gained, referral->usable_from,
                        referral->expires, referral->original_ref, unit->arena, &booking->lot_no, err);
}

/* Books one. Points that the card cannot hold any more wait on, so that they keep nobody from the card. */
static int
book (struct unit *unit, struct unit_card *entry, const struct unit_referral *referral, int32_t lot_no_before,
      struct error *err)
{
    uint32_t rows = entry->card.journal_size;
    int64_t points = entry->card.points;
    struct lot_source source = unit_lot_source (unit);
    struct unit_booking booking = { .bucket = entry->bucket,
                                    .card_id = referral->card_id,
                                    .original_ref = referral->original_ref,
                                    .order_ref = referral->order_ref,
                                    .order_id = referral->order_id };
    int status = referral->points > 0
                     ? give (unit, &entry->card, referral, &booking, err)
                     : take_back (unit, &entry->card, referral, lot_of (unit, referral, lot_no_before), &booking, err);
    if (status < 0)
        return err->code == ERROR_INVALID_REQUEST ? 0 : -1;
    if (unit->locking &&
        ledger_balance (&entry->card, unit->recorded_at, &source, unit->arena, &booking.balance, err) < 0)
        return -1;
    booking.change = entry->card.points - points;
    booking.debt = entry->card.debt;
    if (entry->card.journal_size > rows)
        booking.seq = entry->card.journal[rows].seq;
    if (unit_card_origin (unit, entry, referral->order_ref, referral->order_id) < 0 ||
        !unit_grow (unit->arena, (void **)&unit->bookings, unit->booking_count, &unit->booking_capacity,
                    sizeof *unit->bookings))
        return no_memory (err);
    unit->bookings[unit->booking_count++] = booking;
    return 0;
}

static int
book_rows (struct unit *unit, const PGresult *result, struct error *err)
{
    for (int row = 0; row < PQntuples (result); row++) {
        struct unit_referral referral = { .card_id = pg_int (result, row, CARD_ID),
                                          .original_ref = pg_int (result, row, ORIGINAL_REF),
                                          .order_ref = pg_int (result, row, ORDER_REF),
                                          .order_id = arena_str (unit->arena, pg_text (result, row, ORDER_ID)),
                                          .points = pg_int (result, row, POINTS),
                                          .forgives = pg_bool (result, row, FORGIVES),
                                          .gained = pg_time (result, row, GAINED),
                                          .usable_from = pg_time (result, row, USABLE_FROM),
                                          .expires = pg_time (result, row, EXPIRES) };
        int32_t lot_no = pg_is_null (result, row, LOT_NO) ? 0 : (int32_t)pg_int (result, row, LOT_NO);
        struct unit_card *entry = unit_card (unit, referral.card_id);
        if (referral.order_id.data == NULL)
            return no_memory (err);
        if (entry != NULL && book (unit, entry, &referral, lot_no, err) < 0)
            return -1;
    }
    return 0;
}

int
unit_book_referrals (struct unit *unit, struct error *err)
{
    int64_t *ids = NULL;
    for (int bucket = 0; bucket < unit->buckets; bucket++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < unit->card_count; i++) {
            if (unit->cards[i].bucket != bucket || !unit->cards[i].owed)
                continue;
            if (ids == NULL && (ids = arena_array_of (unit->arena, unit->card_count, int64_t)) == NULL)
                return no_memory (err);
            ids[count++] = unit->cards[i].card.card_id;
        }
        if (count == 0)
            continue;
        struct pg_params params = unit_params (unit);
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_int8s (&params, ids, count);
        pg_param_int4 (&params, BOOKED_AT_ONCE);
        PGresult *result =
            pg_run (unit->pg, STATEMENT_REFERRALS_PENDING, &params, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        int status = book_rows (unit, result, err);
        PQclear (result);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* ---- writing */

static int
send_new (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8,        PG_INT8,        PG_TEXT,        PG_INT8,
                                          PG_BOOL, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ };
    struct rows rows;
    rows_begin (&rows, 10, TYPES);
    for (uint32_t i = 0; i < unit->referral_count; i++) {
        const struct unit_referral *referral = &unit->referrals[i];
        if (referral->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], referral->card_id);
        pg_array_int (&rows.columns[1], referral->original_ref);
        pg_array_int (&rows.columns[2], referral->order_ref);
        pg_array_bytes (&rows.columns[3], referral->order_id);
        pg_array_int (&rows.columns[4], referral->points);
        pg_array_int (&rows.columns[5], referral->forgives);
        pg_array_time (&rows.columns[6], referral->gained);
        pg_array_time (&rows.columns[7], referral->usable_from);
        pg_array_time (&rows.columns[8], referral->expires);
        pg_array_time (&rows.columns[9], referral->recorded);
    }
    return rows_send (unit, STATEMENT_REFERRALS_INSERT, bucket, false, false, &rows, sent);
}

static int
send_booked (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_INT4, PG_INT4 };
    struct rows rows;
    rows_begin (&rows, 6, TYPES);
    for (uint32_t i = 0; i < unit->booking_count; i++) {
        const struct unit_booking *booking = &unit->bookings[i];
        if (booking->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], booking->card_id);
        pg_array_int (&rows.columns[1], booking->original_ref);
        pg_array_int (&rows.columns[2], booking->order_ref);
        pg_array_int (&rows.columns[3], booking->booked);
        if (booking->seq != 0)
            pg_array_int (&rows.columns[4], booking->seq);
        else
            pg_array_null (&rows.columns[4]);
        if (booking->lot_no != 0)
            pg_array_int (&rows.columns[5], booking->lot_no);
        else
            pg_array_null (&rows.columns[5]);
    }
    return rows_send (unit, STATEMENT_REFERRALS_BOOKED, bucket, false, false, &rows, sent);
}

int
unit_send_referrals (struct unit *unit, int bucket, unsigned *sent)
{
    return send_new (unit, bucket, sent) < 0 || send_booked (unit, bucket, sent) < 0 ? -1 : 0;
}
