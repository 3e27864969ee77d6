/* unit_read.c - what a unit of work locks and reads: members, cards and lots, bucket by bucket; more lots on demand. */
#include "store/unit_private.h"

#include <stdlib.h>

/* ---- sending */

static bool
is_to_be_made (const struct unit_member *member)
{
    return !member->found && member->needed;
}

static uint32_t
members_in (const struct unit *unit, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        if (unit->members[i].bucket == bucket && (!unit->only_missing || is_to_be_made (&unit->members[i])))
            ids[count++] = unit->members[i].partner_id;
    return count;
}

static uint32_t
wanted_in (const struct unit *unit, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->wanted_count && !unit->only_missing; i++)
        if (bucket_of_card (unit->wanted_cards[i], unit->buckets) == bucket)
            ids[count++] = unit->wanted_cards[i];
    return count;
}

static int
compare_int64 (const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Calls `step` for each bucket that has members or wanted cards, ascending. */
struct bucket_set {
    int64_t *members, *cards;
    uint32_t member_count, card_count;
};

static int
each_bucket (struct unit *unit, struct error *err,
             int (*step) (struct unit *, int bucket, const struct bucket_set *, struct error *))
{
    struct bucket_set set;
    set.members = arena_array_of (unit->arena, unit->member_count + 1, int64_t);
    set.cards = arena_array_of (unit->arena, unit->wanted_count + 1, int64_t);
    if (set.members == NULL || set.cards == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    for (int bucket = 0; bucket < unit->buckets; bucket++) {
        set.member_count = members_in (unit, bucket, set.members);
        set.card_count = wanted_in (unit, bucket, set.cards);
        /* Locks are taken in the order of the list. */
        qsort (set.members, set.member_count, sizeof *set.members, compare_int64);
        qsort (set.cards, set.card_count, sizeof *set.cards, compare_int64);
        if ((set.member_count > 0 || set.card_count > 0) && step (unit, bucket, &set, err) < 0)
            return -1;
    }
    return 0;
}

static int
send_members (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)err;
    if (set->member_count == 0)
        return 0;
    struct pg_params params = unit_params (unit);
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, set->members, set->member_count);
    return pg_send (unit->pg, unit->locking ? STATEMENT_MEMBERS_LOCK : STATEMENT_MEMBERS_READ, &params);
}

int
unit_send_members (struct unit *unit)
{
    return each_bucket (unit, NULL, send_members);
}

static int
receive_members (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)bucket;
    if (set->member_count == 0)
        return 0;
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result); row++) {
        uint32_t at = map_get (&unit->member_index, pg_int (result, row, 0));
        if (at == MAP_ABSENT)
            continue;
        struct unit_member *member = &unit->members[at];
        member->found = true;
        member->order_count = pg_int (result, row, 1);
        member->spending_minor = pg_int (result, row, 2);
        member->last_order = pg_time (result, row, 3);
        unit_membership_read (member, result, row, 4);
        if (unit_merge_read (unit, member, result, row, 9) < 0) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
    }
    PQclear (result);
    return 0;
}

int
unit_receive_members (struct unit *unit, struct error *err)
{
    return each_bucket (unit, err, receive_members);
}

/* Queues a statement over a list of ids of a bucket. */
static int
send_ids (struct unit *unit, enum statement statement, int bucket, const int64_t *ids, uint32_t count)
{
    struct pg_params params = unit_params (unit);
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, ids, count);
    return pg_send (unit->pg, statement, &params);
}

static int
send_cards (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)err;
    return send_ids (unit, unit->locking ? STATEMENT_CARDS_LOCK : STATEMENT_CARDS_READ, bucket, set->members,
                     set->member_count) < 0 ||
                   send_ids (unit, unit->locking ? STATEMENT_CARDS_LOCK_BY_ID : STATEMENT_CARDS_READ_BY_ID, bucket,
                             set->cards, set->card_count) < 0
               ? -1
               : 0;
}

int
unit_send_cards (struct unit *unit)
{
    return each_bucket (unit, NULL, send_cards);
}

int
unit_receive_card_rows (struct unit *unit, struct error *err)
{
    enum {
        CARD_ID,
        PROGRAM_ID,
        PARTNER_ID,
        CODE,
        STATE,
        POINTS,
        HELD,
        DEBT,
        LOT_COUNT,
        JOURNAL_COUNT,
        PENDING_UNTIL,
        FIRST_EXPIRY,
        BOOKED_UNTIL,
        MERGED_INTO,
        SINGLE,
        OWED
    }; /* CARD_COLUMNS */
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result); row++) {
        int64_t card_id = pg_int (result, row, CARD_ID);
        if (unit_card (unit, card_id) != NULL)
            continue;
        struct unit_card *entry =
            unit_card_append (unit, card_id, !pg_is_null (result, row, PARTNER_ID), pg_int (result, row, PARTNER_ID));
        struct str code = arena_str (unit->arena, pg_text (result, row, CODE));
        if (entry == NULL || code.data == NULL) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
        struct card *card = &entry->card;
        entry->found = true;
        card->program_id = pg_int (result, row, PROGRAM_ID);
        card->code = code;
        card->blocked = pg_int (result, row, STATE) == 2;
        card->points = pg_int (result, row, POINTS);
        card->held = pg_int (result, row, HELD);
        card->debt = pg_int (result, row, DEBT);
        card->lot_count = (int32_t)pg_int (result, row, LOT_COUNT);
        card->journal_count = (int32_t)pg_int (result, row, JOURNAL_COUNT);
        card->pending_until = pg_time (result, row, PENDING_UNTIL);
        card->booked_until = pg_time (result, row, BOOKED_UNTIL);
        /* Every live lot comes after this in the order of consumption. */
        card->horizon = (struct lot){ .expires = pg_time (result, row, FIRST_EXPIRY), .gained = INT64_MIN };
        card->complete = card->points == 0;
        entry->single = pg_bool (result, row, SINGLE);
        entry->merged_into = pg_is_null (result, row, MERGED_INTO) ? 0 : pg_int (result, row, MERGED_INTO);
        entry->owed = !pg_is_null (result, row, OWED);
    }
    PQclear (result);
    return 0;
}

static int
receive_cards (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)bucket;
    if (set->member_count > 0 && unit_receive_card_rows (unit, err) < 0)
        return -1;
    return set->card_count > 0 ? unit_receive_card_rows (unit, err) : 0;
}

int
unit_receive_cards (struct unit *unit, struct error *err)
{
    return each_bucket (unit, err, receive_cards);
}

/* The members of a bucket that spend. */
static uint32_t
spenders_in (const struct unit *unit, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        if (unit->members[i].bucket == bucket && unit->members[i].spends)
            ids[count++] = unit->members[i].partner_id;
    return count;
}

static int
send_lots_of (struct unit *unit, enum statement statement, int bucket, const int64_t *ids, uint32_t count)
{
    struct pg_params params = unit_params (unit);
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, ids, count);
    pg_param_int4 (&params, LOTS_PAGE);
    return pg_send (unit->pg, statement, &params);
}

static int
send_lots (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)err;
    uint32_t spenders = spenders_in (unit, bucket, set->members);
    return send_lots_of (unit, STATEMENT_LOTS_OF_MEMBERS, bucket, set->members, spenders) < 0 ||
                   send_lots_of (unit, STATEMENT_LOTS_OF_CARDS, bucket, set->cards, set->card_count) < 0
               ? -1
               : 0;
}

int
unit_send_lots (struct unit *unit)
{
    return each_bucket (unit, NULL, send_lots);
}

static void
lot_of_row (const PGresult *result, int row, struct lot *lot)
{
    *lot = (struct lot){
        .lot_no = (int32_t)pg_int (result, row, 1),
        .state = (enum lot_state)pg_int (result, row, 2),
        .gained = pg_time (result, row, 3),
        .usable_from = pg_time (result, row, 4),
        .expires = pg_time (result, row, 5),
        .initial = pg_int (result, row, 6),
        .remaining = pg_int (result, row, 7),
        .origin_ref = pg_int (result, row, 8),
    };
}

/* Adds a row's lot to its card. */
static int
lot_from_row (struct unit *unit, struct card *card, const PGresult *result, int row, struct lot *lot)
{
    lot_of_row (result, row, lot);
    return ledger_add_stored_lot (card, lot, unit->arena);
}

/* A lot's rows come in FEFO order per card. One that is asked for both as a member's and by its id comes twice: the second time
 * changes nothing but the horizon, which it leads through the same places. */
static int
receive_lot_rows (struct unit *unit, struct error *err)
{
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (uint32_t i = 0; i < unit->card_count; i++)
        unit->cards[i].lots_read = 0;
    for (int row = 0; row < PQntuples (result); row++) {
        struct unit_card *entry = unit_card (unit, pg_int (result, row, 0));
        struct lot lot;
        if (entry == NULL)
            continue;
        if (lot_from_row (unit, &entry->card, result, row, &lot) < 0) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
        entry->lots_read++;
        entry->card.horizon = lot; /* rows come in FEFO order per card */
    }
    PQclear (result);
    return 0;
}

/* A card that was asked for is whole in memory when fewer lots came than were asked for. */
static void
mark_complete (struct unit *unit, int bucket, const struct bucket_set *set, bool by_id)
{
    for (uint32_t i = 0; i < unit->card_count; i++) {
        struct unit_card *entry = &unit->cards[i];
        bool asked = false;
        if (entry->bucket != bucket)
            continue;
        if (by_id) {
            for (uint32_t j = 0; j < set->card_count && !asked; j++)
                asked = set->cards[j] == entry->card.card_id;
        } else if (entry->card.has_partner) {
            uint32_t owner = map_get (&unit->member_index, entry->card.partner_id);
            asked = owner != MAP_ABSENT && unit->members[owner].spends;
        }
        if (asked && entry->lots_read < LOTS_PAGE)
            entry->card.complete = true;
    }
}

static int
receive_lots (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    if (spenders_in (unit, bucket, set->members) > 0) {
        if (receive_lot_rows (unit, err) < 0)
            return -1;
        mark_complete (unit, bucket, set, false);
    }
    if (set->card_count > 0) {
        if (receive_lot_rows (unit, err) < 0)
            return -1;
        mark_complete (unit, bucket, set, true);
    }
    return 0;
}

int
unit_receive_lots (struct unit *unit, struct error *err)
{
    return each_bucket (unit, err, receive_lots);
}

/* ---- holds */

enum { HOLD_ID = 9, HOLD_UNTIL, HOLD_POINTS };

static int
take_holds (struct unit *unit, const PGresult *result)
{
    for (int row = 0; row < PQntuples (result); row++) {
        struct unit_card *entry = unit_card (unit, pg_int (result, row, 0));
        struct str hold_id = arena_str (unit->arena, pg_text (result, row, HOLD_ID));
        struct lot lot;
        lot_of_row (result, row, &lot);
        if (entry != NULL &&
            (hold_id.data == NULL || ledger_add_stored_hold (&entry->card, hold_id, pg_time (result, row, HOLD_UNTIL),
                                                             &lot, pg_int (result, row, HOLD_POINTS), unit->arena) < 0))
            return -1;
    }
    return 0;
}

int
unit_read_holds (struct unit *unit, struct error *err)
{
    int64_t *ids = NULL;
    for (int bucket = 0; bucket < unit->buckets; bucket++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < unit->card_count; i++) {
            if (unit->cards[i].bucket != bucket || unit->cards[i].card.held == 0)
                continue;
            if (ids == NULL && (ids = arena_array_of (unit->arena, unit->card_count, int64_t)) == NULL)
                return error_set (err, ERROR_INTERNAL, "out of memory");
            ids[count++] = unit->cards[i].card.card_id;
        }
        if (count == 0)
            continue;
        struct pg_params params = unit_params (unit);
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_int8s (&params, ids, count);
        PGresult *result = pg_run (unit->pg, STATEMENT_HOLDS_READ, &params, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        int status = take_holds (unit, result);
        PQclear (result);
        if (status < 0)
            return error_set (err, ERROR_INTERNAL, "out of memory");
    }
    for (uint32_t i = 0; ids != NULL && i < unit->card_count; i++)
        if (unit->cards[i].card.held > 0)
            ledger_holds_expire (&unit->cards[i].card, unit->recorded_at);
    return 0;
}

/* ---- more lots, on demand */

static int
read_lots (struct unit *unit, struct card *card, enum statement statement, const struct pg_params *params, int *count,
           struct lot *last, struct error *err)
{
    PGresult *result = pg_run (unit->pg, statement, params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    *count = PQntuples (result);
    for (int row = 0; row < *count; row++)
        if (lot_from_row (unit, card, result, row, last) < 0) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
    PQclear (result);
    return 0;
}

static int
lots_more (void *context, struct card *card, struct error *err)
{
    struct unit *unit = context;
    struct pg_params params = unit_params (unit);
    struct lot last = card->horizon;
    int count;

    pg_param_int2 (&params, bucket_of_card (card->card_id, unit->buckets));
    pg_param_int8 (&params, card->card_id);
    pg_param_time (&params, card->horizon.expires);
    pg_param_time (&params, card->horizon.gained);
    pg_param_int4 (&params, card->horizon.lot_no);
    pg_param_int4 (&params, LOTS_PAGE_MORE);
    if (read_lots (unit, card, STATEMENT_LOTS_MORE, &params, &count, &last, err) < 0)
        return -1;
    card->horizon = last;
    card->complete = count < LOTS_PAGE_MORE;
    return 0;
}

static int
lot_find (void *context, struct card *card, int32_t lot_no, struct error *err)
{
    struct unit *unit = context;
    struct pg_params params = unit_params (unit);
    struct lot last;
    int count;

    pg_param_int2 (&params, bucket_of_card (card->card_id, unit->buckets));
    pg_param_int8 (&params, card->card_id);
    pg_param_int4 (&params, lot_no);
    return read_lots (unit, card, STATEMENT_LOT_BY_NO, &params, &count, &last, err);
}

static int
lots_pending (void *context, struct card *card, int64_t instant, struct error *err)
{
    struct unit *unit = context;
    struct pg_params params = unit_params (unit);
    struct lot last;
    int count;

    pg_param_int2 (&params, bucket_of_card (card->card_id, unit->buckets));
    pg_param_int8 (&params, card->card_id);
    pg_param_time (&params, instant);
    return read_lots (unit, card, STATEMENT_LOTS_PENDING, &params, &count, &last, err);
}

static int
lots_booked (void *context, struct card *card, int64_t instant, struct error *err)
{
    struct unit *unit = context;
    struct pg_params params = unit_params (unit);
    struct lot last;
    int count;

    if (card->is_new)
        return 0;
    pg_param_int2 (&params, bucket_of_card (card->card_id, unit->buckets));
    pg_param_int8 (&params, card->card_id);
    pg_param_time (&params, instant);
    return read_lots (unit, card, STATEMENT_LOTS_BOOKED, &params, &count, &last, err);
}

struct lot_source
unit_lot_source (struct unit *unit)
{
    return (struct lot_source){
        .more = lots_more, .context = unit, .find = lot_find, .pending = lots_pending, .booked = lots_booked
    };
}

struct lot_finder
unit_lot_finder (struct unit *unit)
{
    return (struct lot_finder){ .find = lot_find, .context = unit };
}

/* ---- members that are met for the first time */

static int
send_members_insert (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)err;
    struct pg_params params = unit_params (unit);
    pg_param_int2 (&params, (int16_t)bucket);
    pg_param_int8s (&params, set->members, set->member_count);
    return pg_send (unit->pg, STATEMENT_MEMBERS_INSERT, &params);
}

static int
receive_members_insert (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void)bucket;
    (void)set;
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    PQclear (result);
    return 0;
}

/* A member's row that is made here may be somebody else's at the same time: the insert waits for that one's end, and what
 * is read afterwards is what it left. Inserts are sorted, and are waited for by nobody who waits for an earlier lock, so the
 * order of locks holds. The marks of who was found are set by the second lock, so the sets are the same until it is received. */
static int
add_missing (struct unit *unit, struct error *err)
{
    if (each_bucket (unit, err, send_members_insert) < 0 || unit_send_members (unit) < 0 ||
        unit_send_cards (unit) < 0 || pg_sync (unit->pg) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
    }
    return each_bucket (unit, err, receive_members_insert) < 0 ? -1 : 0;
}

bool
unit_misses_members (const struct unit *unit)
{
    for (uint32_t i = 0; i < unit->member_count; i++)
        if (!unit->members[i].found)
            return true;
    return false;
}

int
unit_add_missing_members (struct unit *unit, struct error *err)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        missing += is_to_be_made (&unit->members[i]);
    if (missing == 0)
        return 0;
    unit->only_missing = true;
    int status = add_missing (unit, err);
    /* Cards are received for the same buckets as were sent for: before the members are marked as found. */
    struct arena *arena = unit->arena;
    bool *buckets = arena_array_of (arena, (size_t)unit->buckets, bool);
    for (uint32_t i = 0; buckets != NULL && i < unit->member_count; i++)
        if (is_to_be_made (&unit->members[i])) {
            buckets[unit->members[i].bucket] = true;
            unit->members[i].is_made = true;
        }
    if (status == 0 && buckets == NULL)
        status = error_set (err, ERROR_INTERNAL, "out of memory");
    if (status == 0)
        status = unit_receive_members (unit, err);
    for (int bucket = 0; status == 0 && bucket < unit->buckets; bucket++)
        if (buckets[bucket])
            status = unit_receive_card_rows (unit, err);
    unit->only_missing = false;
    if (status == 0)
        status = pg_finish (unit->pg, unit->deadline_us, &unit->failure, err);
    return status;
}

int
unit_read_birthdays (struct unit *unit, struct error *err)
{
    struct pg_params params = unit_params (unit);
    int64_t *ids = arena_array_of (unit->arena, unit->member_count + 1, int64_t);
    if (unit->member_count == 0)
        return 0;
    if (ids == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    for (uint32_t i = 0; i < unit->member_count; i++)
        ids[i] = unit->members[i].partner_id;
    pg_param_int8s (&params, ids, unit->member_count);
    PGresult *result = pg_run (unit->pg, STATEMENT_BIRTHDAYS_READ, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result); row++) {
        uint32_t at = map_get (&unit->member_index, pg_int (result, row, 0));
        if (at == MAP_ABSENT)
            continue;
        unit->members[at].has_birthday = true;
        unit->members[at].birthday = (int32_t)pg_int (result, row, 1);
    }
    PQclear (result);
    return 0;
}
