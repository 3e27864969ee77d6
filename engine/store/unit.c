/* unit.c - see unit.h: what a unit of work reads. Its writes are in unit_write.c. */
#include "store/unit.h"

#include <stdlib.h>

int16_t
bucket_of_partner (int64_t partner_id, int buckets)
{
    return buckets == 1 ? 0 : (int16_t) (fnv1a64_int (partner_id) % (uint64_t) buckets);
}

int16_t
bucket_of_text (struct str text, int buckets)
{
    return buckets == 1 ? 0 : (int16_t) (fnv1a64 (text.data, text.size) % (uint64_t) buckets);
}

void
unit_begin (struct unit *unit, struct arena *arena, struct pg *pg, int buckets, bool locking, int64_t recorded_at,
            int64_t deadline_us)
{
    *unit = (struct unit){ .arena = arena,
                           .pg = pg,
                           .buckets = buckets,
                           .locking = locking,
                           .recorded_at = recorded_at,
                           .deadline_us = deadline_us,
                           .member_index = map_in (arena),
                           .card_index = map_in (arena),
                           .partner_cards = map_in (arena) };
}

/* Room for one more in an array of the arena; false when memory ran out. */
static bool
grow (struct arena *arena, void **array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t larger = *capacity ? *capacity * 2 : 16;
    void *copy = arena_array (arena, larger, size);
    if (copy == NULL)
        return false;
    if (count > 0)
        memcpy (copy, *array, count * size);
    *array = copy;
    *capacity = larger;
    return true;
}

#define GROW(unit, array, count, capacity) \
    grow ((unit)->arena, (void **) &(unit)->array, (unit)->count, &(unit)->capacity, sizeof *(unit)->array)

int
unit_want_member (struct unit *unit, int64_t partner_id, bool spends)
{
    uint32_t place = map_get (&unit->member_index, partner_id);
    if (place != MAP_ABSENT) {
        unit->members[place].spends |= spends;
        return 0;
    }
    if (!GROW (unit, members, member_count, member_capacity)
        || !map_set (&unit->member_index, partner_id, unit->member_count))
        return -1;
    unit->members[unit->member_count++] = (struct unit_member){
        .partner_id = partner_id,
        .bucket = bucket_of_partner (partner_id, unit->buckets),
        .spends = spends,
        .last_order = INT64_MIN,
    };
    return 0;
}

int
unit_want_card (struct unit *unit, int64_t card_id)
{
    for (uint32_t i = 0; i < unit->wanted_count; i++)
        if (unit->wanted_cards[i] == card_id)
            return 0;
    if (!GROW (unit, wanted_cards, wanted_count, wanted_capacity))
        return -1;
    unit->wanted_cards[unit->wanted_count++] = card_id;
    return 0;
}

struct unit_member *
unit_member (struct unit *unit, int64_t partner_id)
{
    uint32_t at = map_get (&unit->member_index, partner_id);
    return at == MAP_ABSENT || !unit->members[at].found ? NULL : &unit->members[at];
}

struct unit_card *
unit_card (struct unit *unit, int64_t card_id)
{
    uint32_t at = map_get (&unit->card_index, card_id);
    return at == MAP_ABSENT || unit->cards[at].dropped ? NULL : &unit->cards[at];
}

struct unit_card *
unit_card_of_partner (struct unit *unit, int64_t partner_id, const struct unit_card *after)
{
    uint32_t at = after == NULL ? map_get (&unit->partner_cards, partner_id) : after->next_of_partner;
    while (at != MAP_ABSENT && unit->cards[at].dropped)
        at = unit->cards[at].next_of_partner;
    return at == MAP_ABSENT ? NULL : &unit->cards[at];
}

static struct unit_card *
card_append (struct unit *unit, int64_t card_id, bool has_partner, int64_t partner_id)
{
    if (!GROW (unit, cards, card_count, card_capacity) || !map_set (&unit->card_index, card_id, unit->card_count))
        return NULL;
    uint32_t at = unit->card_count++;
    struct unit_card *card = &unit->cards[at];
    *card = (struct unit_card){ .bucket = bucket_of_card (card_id, unit->buckets), .next_of_partner = MAP_ABSENT };
    card->card.card_id = card_id;
    card->card.has_partner = has_partner;
    card->card.partner_id = partner_id;
    if (has_partner) {
        /* Appended at the end of the member's list, so that its order is that of the ids. */
        uint32_t head = map_get (&unit->partner_cards, partner_id);
        if (head == MAP_ABSENT) {
            if (!map_set (&unit->partner_cards, partner_id, at))
                return NULL;
        } else {
            while (unit->cards[head].next_of_partner != MAP_ABSENT)
                head = unit->cards[head].next_of_partner;
            unit->cards[head].next_of_partner = at;
        }
    }
    return card;
}

struct unit_card *
unit_card_add (struct unit *unit, int64_t card_id, int64_t program_id, bool has_partner, int64_t partner_id,
               struct str code, bool single)
{
    struct unit_card *card = card_append (unit, card_id, has_partner, partner_id);
    if (card == NULL)
        return NULL;
    card->single = single;
    card->card.program_id = program_id;
    card->card.code = code;
    card->card.is_new = card->card.is_changed = card->card.complete = true;
    card->card.pending_until = INT64_MIN;
    return card;
}

int
unit_card_origin (struct unit *unit, struct unit_card *card, int64_t order_ref, struct str text)
{
    while (card->origin_count < card->card.journal_size) {
        if (!grow (unit->arena, (void **) &card->origins, card->origin_count, &card->origin_capacity,
                   sizeof *card->origins))
            return -1;
        card->origins[card->origin_count++] = (struct unit_origin){ order_ref, text };
    }
    return 0;
}

/* ---- savepoints */

void
unit_save (const struct unit *unit, struct unit_savepoint *savepoint)
{
    *savepoint = (struct unit_savepoint){ .card_count = unit->card_count,
                                          .order_count = unit->order_count,
                                          .refund_count = unit->refund_count,
                                          .event_count = unit->event_count,
                                          .cancel_count = unit->cancel_count };
}

int
unit_save_card (struct unit *unit, struct unit_savepoint *savepoint, int64_t card_id)
{
    uint32_t place = map_get (&unit->card_index, card_id);
    if (place == MAP_ABSENT || place >= savepoint->card_count)
        return 0;
    for (uint32_t i = 0; i < savepoint->saved_count; i++)
        if (savepoint->saved[i].place == place)
            return 0;
    const struct card *card = &unit->cards[place].card;
    struct lot *lots = arena_array_of (unit->arena, card->loaded_count + 1, struct lot);
    if (lots == NULL
        || !grow (unit->arena, (void **) &savepoint->saved, savepoint->saved_count, &savepoint->saved_capacity,
                  sizeof *savepoint->saved))
        return -1;
    /* The ledger appends to the journal, but changes lots in place. */
    if (card->loaded_count > 0)
        memcpy (lots, card->lots, card->loaded_count * sizeof *lots);
    struct saved_card *saved = &savepoint->saved[savepoint->saved_count++];
    *saved = (struct saved_card){ .place = place, .origin_count = unit->cards[place].origin_count, .card = *card };
    saved->card.lots = lots;
    saved->card.loaded_capacity = card->loaded_count;
    return 0;
}

int
unit_save_member (struct unit *unit, struct unit_savepoint *savepoint, int64_t partner_id)
{
    uint32_t place = map_get (&unit->member_index, partner_id);
    if (place == MAP_ABSENT)
        return 0;
    if (!grow (unit->arena, (void **) &savepoint->members, savepoint->member_count, &savepoint->member_capacity,
               sizeof *savepoint->members))
        return -1;
    savepoint->members[savepoint->member_count++] = (struct saved_member){ place, unit->members[place] };
    return 0;
}

void
unit_restore (struct unit *unit, const struct unit_savepoint *savepoint)
{
    unit->order_count = savepoint->order_count;
    unit->refund_count = savepoint->refund_count;
    unit->event_count = savepoint->event_count;
    unit->cancel_count = savepoint->cancel_count;
    for (uint32_t i = 0; i < savepoint->saved_count; i++) {
        struct unit_card *entry = &unit->cards[savepoint->saved[i].place];
        /* Lots that were read on the way are read again when they are needed. */
        entry->card = savepoint->saved[i].card;
        entry->origin_count = savepoint->saved[i].origin_count;
    }
    for (uint32_t i = savepoint->member_count; i-- > 0;)
        unit->members[savepoint->members[i].place] = savepoint->members[i].member;
    for (uint32_t i = savepoint->card_count; i < unit->card_count; i++) {
        unit->cards[i].dropped = true;
        unit->cards[i].card.is_new = unit->cards[i].card.is_changed = false;
        unit->cards[i].card.loaded_count = unit->cards[i].card.journal_size = 0;
    }
}

/* ---- sending */

static struct pg_params
params_in (struct unit *unit)
{
    return (struct pg_params){ .arena = unit->arena };
}

static uint32_t
members_in (const struct unit *unit, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        if (unit->members[i].bucket == bucket && !(unit->only_missing && unit->members[i].found))
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
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
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
    (void) err;
    if (set->member_count == 0)
        return 0;
    struct pg_params params = params_in (unit);
    pg_param_int2 (&params, (int16_t) bucket);
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
    (void) bucket;
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
    struct pg_params params = params_in (unit);
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t) bucket);
    pg_param_int8s (&params, ids, count);
    return pg_send (unit->pg, statement, &params);
}

static int
send_cards (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void) err;
    return send_ids (unit, unit->locking ? STATEMENT_CARDS_LOCK : STATEMENT_CARDS_READ, bucket, set->members,
                     set->member_count) < 0
                   || send_ids (unit, unit->locking ? STATEMENT_CARDS_LOCK_BY_ID : STATEMENT_CARDS_READ_BY_ID, bucket,
                                set->cards, set->card_count)
                          < 0
               ? -1
               : 0;
}

int
unit_send_cards (struct unit *unit)
{
    return each_bucket (unit, NULL, send_cards);
}

/* Takes the cards of one result. */
static int
receive_card_rows (struct unit *unit, struct error *err)
{
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result); row++) {
        int64_t card_id = pg_int (result, row, 0);
        if (unit_card (unit, card_id) != NULL)
            continue;
        struct unit_card *entry =
            card_append (unit, card_id, !pg_is_null (result, row, 2), pg_int (result, row, 2));
        struct str code = arena_str (unit->arena, pg_text (result, row, 3));
        if (entry == NULL || code.data == NULL) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
        struct card *card = &entry->card;
        entry->found = true;
        card->program_id = pg_int (result, row, 1);
        card->code = code;
        card->blocked = pg_int (result, row, 4) == 2;
        card->points = pg_int (result, row, 5);
        card->held = pg_int (result, row, 6);
        card->debt = pg_int (result, row, 7);
        card->lot_count = (int32_t) pg_int (result, row, 8);
        card->journal_count = (int32_t) pg_int (result, row, 9);
        card->pending_until = pg_time (result, row, 10);
        /* Every live lot comes after this in the order of consumption. */
        card->horizon = (struct lot){ .expires = pg_time (result, row, 11), .gained = INT64_MIN };
        card->complete = card->points == 0;
    }
    PQclear (result);
    return 0;
}

static int
receive_cards (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void) bucket;
    if (set->member_count > 0 && receive_card_rows (unit, err) < 0)
        return -1;
    return set->card_count > 0 ? receive_card_rows (unit, err) : 0;
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
    struct pg_params params = params_in (unit);
    if (count == 0)
        return 0;
    pg_param_int2 (&params, (int16_t) bucket);
    pg_param_int8s (&params, ids, count);
    pg_param_int4 (&params, LOTS_PAGE);
    return pg_send (unit->pg, statement, &params);
}

static int
send_lots (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void) err;
    uint32_t spenders = spenders_in (unit, bucket, set->members);
    return send_lots_of (unit, STATEMENT_LOTS_OF_MEMBERS, bucket, set->members, spenders) < 0
                   || send_lots_of (unit, STATEMENT_LOTS_OF_CARDS, bucket, set->cards, set->card_count) < 0
               ? -1
               : 0;
}

int
unit_send_lots (struct unit *unit)
{
    return each_bucket (unit, NULL, send_lots);
}

/* Adds a row's lot to its card. */
static int
lot_from_row (struct unit *unit, struct card *card, const PGresult *result, int row, struct lot *lot)
{
    *lot = (struct lot){
        .lot_no = (int32_t) pg_int (result, row, 1),
        .state = (enum lot_state) pg_int (result, row, 2),
        .gained = pg_time (result, row, 3),
        .usable_from = pg_time (result, row, 4),
        .expires = pg_time (result, row, 5),
        .initial = pg_int (result, row, 6),
        .remaining = pg_int (result, row, 7),
        .origin_ref = pg_int (result, row, 8),
    };
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

/* ---- members that are met for the first time */

static int
send_members_insert (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void) err;
    struct pg_params params = params_in (unit);
    pg_param_int2 (&params, (int16_t) bucket);
    pg_param_int8s (&params, set->members, set->member_count);
    return pg_send (unit->pg, STATEMENT_MEMBERS_INSERT, &params);
}

static int
receive_members_insert (struct unit *unit, int bucket, const struct bucket_set *set, struct error *err)
{
    (void) bucket;
    (void) set;
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
    if (each_bucket (unit, err, send_members_insert) < 0 || unit_send_members (unit) < 0 || unit_send_cards (unit) < 0
        || pg_sync (unit->pg) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
    }
    return each_bucket (unit, err, receive_members_insert) < 0 ? -1 : 0;
}

int
unit_add_missing_members (struct unit *unit, struct error *err)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        missing += !unit->members[i].found;
    if (missing == 0)
        return 0;
    unit->only_missing = true;
    int status = add_missing (unit, err);
    /* Cards are received for the same buckets as were sent for: before the members are marked as found. */
    struct arena *arena = unit->arena;
    bool *buckets = arena_array_of (arena, (size_t) unit->buckets, bool);
    for (uint32_t i = 0; buckets != NULL && i < unit->member_count; i++)
        if (!unit->members[i].found)
            buckets[unit->members[i].bucket] = true;
    if (status == 0 && buckets == NULL)
        status = error_set (err, ERROR_INTERNAL, "out of memory");
    if (status == 0)
        status = unit_receive_members (unit, err);
    for (int bucket = 0; status == 0 && bucket < unit->buckets; bucket++)
        if (buckets[bucket])
            status = receive_card_rows (unit, err);
    unit->only_missing = false;
    if (status == 0)
        status = pg_finish (unit->pg, unit->deadline_us, &unit->failure, err);
    return status;
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
    struct pg_params params = params_in (unit);
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
    struct pg_params params = params_in (unit);
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
    struct pg_params params = params_in (unit);
    struct lot last;
    int count;

    pg_param_int2 (&params, bucket_of_card (card->card_id, unit->buckets));
    pg_param_int8 (&params, card->card_id);
    pg_param_time (&params, instant);
    return read_lots (unit, card, STATEMENT_LOTS_PENDING, &params, &count, &last, err);
}

struct lot_source
unit_lot_source (struct unit *unit)
{
    return (struct lot_source){ .more = lots_more, .context = unit, .find = lot_find, .pending = lots_pending };
}

struct lot_finder
unit_lot_finder (struct unit *unit)
{
    return (struct lot_finder){ .find = lot_find, .context = unit };
}

/* ---- stored orders */

/* Sorts places by bucket, then reference: the order in which they are locked. */
static int
compare_places (const void *a, const void *b)
{
    const struct order_place *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return (x->order_ref > y->order_ref) - (x->order_ref < y->order_ref);
}

static int
receive_orders (struct unit *unit, int16_t bucket, struct stored_order *orders, uint32_t *count, uint32_t capacity,
                struct error *err)
{
    PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result) && *count < capacity; row++) {
        struct stored_order *order = &orders[(*count)++];
        *order = (struct stored_order){
            .bucket = bucket,
            .order_ref = pg_int (result, row, 0),
            .recorded_at = pg_time (result, row, 1),
            .kind = (int16_t) pg_int (result, row, 2),
            .cancelled = pg_int (result, row, 3) == 2,
            .has_partner = !pg_is_null (result, row, 4),
            .partner_id = pg_int (result, row, 4),
            .record = arena_str (unit->arena, pg_text (result, row, 5)),
        };
        if (order->record.data == NULL) {
            PQclear (result);
            return error_set (err, ERROR_INTERNAL, "out of memory");
        }
    }
    PQclear (result);
    return 0;
}

int
unit_read_orders (struct unit *unit, const struct order_place *places, uint32_t count, bool lock,
                  struct stored_order **orders, uint32_t *order_count, struct error *err)
{
    struct order_place *sorted = arena_array_of (unit->arena, count + 1, struct order_place);
    *orders = arena_array_of (unit->arena, count + 1, struct stored_order);
    *order_count = 0;
    if (count == 0)
        return 0;
    if (sorted == NULL || *orders == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    memcpy (sorted, places, count * sizeof *sorted);
    qsort (sorted, count, sizeof *sorted, compare_places);
    for (uint32_t from = 0, to; from < count; from = to) {
        struct pg_array refs, times;
        struct pg_params params = params_in (unit);
        pg_array_begin (&refs, PG_INT8);
        pg_array_begin (&times, PG_TIMESTAMPTZ);
        for (to = from; to < count && sorted[to].bucket == sorted[from].bucket; to++) {
            if (to > from && sorted[to].order_ref == sorted[to - 1].order_ref)
                continue;
            pg_array_int (&refs, sorted[to].order_ref);
            pg_array_time (&times, sorted[to].recorded_at);
        }
        pg_param_int2 (&params, sorted[from].bucket);
        pg_param_array (&params, &refs);
        pg_param_array (&params, &times);
        if (pg_send (unit->pg, lock ? STATEMENT_ORDERS_LOCK : STATEMENT_ORDERS_READ, &params) < 0
            || pg_sync (unit->pg) < 0) {
            unit->failure = PG_UNAVAILABLE;
            return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
        }
        if (receive_orders (unit, sorted[from].bucket, *orders, order_count, count, err) < 0)
            return -1;
        if (pg_finish (unit->pg, unit->deadline_us, &unit->failure, err) < 0)
            return -1;
    }
    return 0;
}

int
unit_read_refunds (struct unit *unit, const struct order_place *originals, uint32_t count, struct order_place **refunds,
                   uint32_t **owners, uint32_t *refund_count, struct error *err)
{
    uint32_t capacity = 0;
    *refunds = NULL;
    *owners = NULL;
    *refund_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pg_params params = params_in (unit);
        pg_param_int2 (&params, originals[i].bucket);
        pg_param_int8s (&params, &originals[i].order_ref, 1);
        PGresult *result =
            pg_run (unit->pg, STATEMENT_REFUNDS_READ, &params, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        for (int row = 0; row < PQntuples (result); row++) {
            uint32_t same = capacity;
            if (!grow (unit->arena, (void **) refunds, *refund_count, &capacity, sizeof **refunds)
                || !grow (unit->arena, (void **) owners, *refund_count, &same, sizeof **owners)) {
                PQclear (result);
                return error_set (err, ERROR_INTERNAL, "out of memory");
            }
            (*owners)[*refund_count] = i;
            (*refunds)[(*refund_count)++] = (struct order_place){
                .order_ref = pg_int (result, row, 1),
                .bucket = (int16_t) pg_int (result, row, 2),
                .recorded_at = pg_time (result, row, 3),
            };
        }
        PQclear (result);
    }
    return 0;
}

/* ---- what will be written */

#define ADD(unit, array, count, capacity, value) \
    (GROW (unit, array, count, capacity) ? ((unit)->array[(unit)->count++] = (value), 0) : -1)

int
unit_add_order (struct unit *unit, const struct unit_order *order)
{
    return ADD (unit, orders, order_count, order_capacity, *order);
}

int
unit_add_refund (struct unit *unit, const struct unit_refund *refund)
{
    return ADD (unit, refunds, refund_count, refund_capacity, *refund);
}

int
unit_add_event (struct unit *unit, const struct unit_event *event)
{
    return ADD (unit, events, event_count, event_capacity, *event);
}

int
unit_cancel_order (struct unit *unit, struct order_place place)
{
    return ADD (unit, cancels, cancel_count, cancel_capacity, place);
}
