/* unit_merge.c - a unit of work's members that became others, and the cards that followed them: who is meant by a name, where the
 * cards lie, and what is written. */
#include "store/unit_private.h"

#include <stdlib.h>

int64_t
unit_survivor (const struct unit *unit, int64_t partner_id)
{
    uint32_t at = map_get (&unit->member_index, partner_id);
    return at == MAP_ABSENT || !unit->members[at].is_merged ? partner_id : unit->members[at].merged_into;
}

struct unit_card *
unit_card_survivor (struct unit *unit, int64_t card_id)
{
    struct unit_card *card = unit_card (unit, card_id);
    return card == NULL || card->merged_into == 0 ? card : unit_card (unit, card->merged_into);
}

/* ---- reading */

int
unit_merge_read (struct unit *unit, struct unit_member *member, const PGresult *result, int row, int column)
{
    enum { MERGED_INTO, ABSORBED };
    member->is_merged = !pg_is_null (result, row, column + MERGED_INTO);
    member->merged_into = pg_int (result, row, column + MERGED_INTO);
    member->absorbed_count = 0;
    if (pg_is_null (result, row, column + ABSORBED))
        return 0;
    int count = pg_int_array (result, row, column + ABSORBED, unit->arena, &member->absorbed);
    member->absorbed_count = count > 0 ? (uint32_t)count : 0;
    return count > 0 ? 0 : -1;
}

static int
compare_int64 (const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The members that may have cards in a bucket that is not theirs. */
static uint32_t
strangers_in (const struct unit *unit, int bucket, int64_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->member_count; i++) {
        const struct unit_member *member = &unit->members[i];
        bool is_there = false;
        for (uint32_t j = 0; j < member->absorbed_count && !is_there && member->bucket != bucket; j++)
            is_there = bucket_of_partner (member->absorbed[j], unit->buckets) == bucket;
        if (is_there)
            ids[count++] = member->partner_id;
    }
    qsort (ids, count, sizeof *ids, compare_int64);
    return count;
}

static int
send_strangers (struct unit *unit, int64_t *ids, unsigned *sent)
{
    for (int bucket = 0; bucket < unit->buckets; bucket++) {
        struct pg_params params = unit_params (unit);
        uint32_t count = strangers_in (unit, bucket, ids);
        if (count == 0)
            continue;
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_int8s (&params, ids, count);
        if (pg_send (unit->pg, unit->locking ? STATEMENT_CARDS_LOCK : STATEMENT_CARDS_READ, &params) < 0)
            return -1;
        ++*sent;
    }
    return *sent > 0 ? pg_sync (unit->pg) : 0;
}

int
unit_read_absorbed (struct unit *unit, struct error *err)
{
    bool any = false;
    unsigned sent = 0;
    for (uint32_t i = 0; i < unit->member_count; i++)
        any |= unit->members[i].absorbed_count > 0;
    if (!any || unit->buckets == 1)
        return 0;
    int64_t *ids = arena_array_of (unit->arena, unit->member_count, int64_t);
    if (ids == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    if (send_strangers (unit, ids, &sent) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return error_set (err, ERROR_UNAVAILABLE, "the database connection broke");
    }
    for (unsigned i = 0; i < sent; i++)
        if (unit_receive_card_rows (unit, err) < 0)
            return -1;
    return sent > 0 ? pg_finish (unit->pg, unit->deadline_us, &unit->failure, err) : 0;
}

int
unit_missing_survivors (struct unit *unit, int64_t **members, uint32_t *member_count, int64_t **cards,
                        uint32_t *card_count)
{
    *members = *cards = NULL;
    *member_count = *card_count = 0;
    for (uint32_t i = 0; i < unit->member_count; i++) {
        const struct unit_member *member = &unit->members[i];
        if (!member->is_merged || unit_member_row (unit, member->merged_into) != NULL)
            continue;
        if (*members == NULL && (*members = arena_array_of (unit->arena, unit->member_count, int64_t)) == NULL)
            return -1;
        (*members)[(*member_count)++] = member->merged_into;
    }
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *card = &unit->cards[i];
        if (card->merged_into == 0 || unit_card (unit, card->merged_into) != NULL)
            continue;
        if (*cards == NULL && (*cards = arena_array_of (unit->arena, unit->card_count, int64_t)) == NULL)
            return -1;
        (*cards)[(*card_count)++] = card->merged_into;
    }
    return 0;
}

/* ---- changing */

/* The lists of all members' cards anew: a map forgets no key. */
static int
link_again (struct unit *unit)
{
    unit->partner_cards = map_in (unit->arena);
    for (uint32_t i = 0; i < unit->card_count; i++)
        unit->cards[i].next_of_partner = MAP_ABSENT;
    for (uint32_t i = 0; i < unit->card_count; i++)
        if (unit->cards[i].card.has_partner && !unit_card_link (unit, i, unit->cards[i].card.partner_id))
            return -1;
    return 0;
}

int
unit_card_give (struct unit *unit, struct unit_card *card, int64_t partner_id, int64_t gone_into)
{
    card->card.has_partner = true;
    card->card.partner_id = partner_id;
    card->merged_into = gone_into;
    card->single = card->single && gone_into == 0;
    card->owner_changed = true;
    return link_again (unit);
}

/* ---- writing */

int
unit_send_merges (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_TEXT };
    struct rows rows;
    rows_begin (&rows, 3, TYPES);
    for (uint32_t i = 0; i < unit->member_count; i++) {
        const struct unit_member *member = &unit->members[i];
        if (member->bucket != bucket || !member->merge_changed)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], member->partner_id);
        if (member->is_merged)
            pg_array_int (&rows.columns[1], member->merged_into);
        else
            pg_array_null (&rows.columns[1]);
        if (member->absorbed_count > 0)
            pg_array_bytes (&rows.columns[2], pg_array_text (unit->arena, member->absorbed, member->absorbed_count));
        else
            pg_array_null (&rows.columns[2]);
    }
    return rows_send (unit, STATEMENT_MEMBERS_MERGE, bucket, false, false, &rows, sent);
}

int
unit_send_owners (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_BOOL, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 4, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *entry = &unit->cards[i];
        if (entry->bucket != bucket || !entry->owner_changed || entry->dropped)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], entry->card.card_id);
        if (entry->card.has_partner)
            pg_array_int (&rows.columns[1], entry->card.partner_id);
        else
            pg_array_null (&rows.columns[1]);
        pg_array_int (&rows.columns[2], entry->single);
        if (entry->merged_into != 0)
            pg_array_int (&rows.columns[3], entry->merged_into);
        else
            pg_array_null (&rows.columns[3]);
    }
    return rows_send (unit, STATEMENT_CARDS_OWNER, bucket, false, false, &rows, sent);
}

int
unit_send_replies (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_TEXT };
    struct rows rows;
    rows_begin (&rows, 2, TYPES);
    for (uint32_t i = 0; i < unit->reply_count; i++) {
        const struct unit_reply *reply = &unit->replies[i];
        if (bucket_of_partner (reply->partner_id, unit->buckets) != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], reply->partner_id);
        pg_array_bytes (&rows.columns[1], reply->key);
    }
    return rows_send (unit, STATEMENT_MEMBER_REPLIES_INSERT, bucket, false, false, &rows, sent);
}
