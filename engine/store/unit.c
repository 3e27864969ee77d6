/* unit.c - see unit.h: the tables of a unit of work. It reads in unit_read.c, unit_usage.c, unit_referrals.c, unit_merge.c and unit_orders.c,
 * and writes in unit_write.c. */
#include "store/unit_private.h"

int16_t
bucket_of_partner (int64_t partner_id, int buckets)
{
    return buckets == 1 ? 0 : (int16_t)(fnv1a64_int (partner_id) % (uint64_t)buckets);
}

int16_t
bucket_of_text (struct str text, int buckets)
{
    return buckets == 1 ? 0 : (int16_t)(fnv1a64 (text.data, text.size) % (uint64_t)buckets);
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

bool
unit_grow (struct arena *arena, void **array, uint32_t count, uint32_t *capacity, size_t size)
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
    unit_grow ((unit)->arena, (void **)&(unit)->array, (unit)->count, &(unit)->capacity, sizeof *(unit)->array)

int
unit_want_member (struct unit *unit, int64_t partner_id, bool spends)
{
    uint32_t place = map_get (&unit->member_index, partner_id);
    if (place != MAP_ABSENT) {
        unit->members[place].spends |= spends;
        unit->members[place].needed |= unit->needing;
        return 0;
    }
    if (!GROW (unit, members, member_count, member_capacity) ||
        !map_set (&unit->member_index, partner_id, unit->member_count))
        return -1;
    unit->members[unit->member_count++] = (struct unit_member){
        .partner_id = partner_id,
        .bucket = bucket_of_partner (partner_id, unit->buckets),
        .spends = spends,
        .needed = unit->needing,
        .last_order = INT64_MIN,
        .membership = { .from = INSTANT_NONE, .to = INSTANT_NEVER, .below_since = INSTANT_NONE },
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
unit_member_row (struct unit *unit, int64_t partner_id)
{
    uint32_t at = map_get (&unit->member_index, partner_id);
    return at == MAP_ABSENT || !unit->members[at].found ? NULL : &unit->members[at];
}

struct unit_member *
unit_member (struct unit *unit, int64_t partner_id)
{
    return unit_member_row (unit, unit_survivor (unit, partner_id));
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
    uint32_t at =
        after == NULL ? map_get (&unit->partner_cards, unit_survivor (unit, partner_id)) : after->next_of_partner;
    while (at != MAP_ABSENT && (unit->cards[at].dropped || unit->cards[at].merged_into != 0))
        at = unit->cards[at].next_of_partner;
    return at == MAP_ABSENT ? NULL : &unit->cards[at];
}

/* Appends at the end of the member's list, so that its order is that of the ids. */
bool
unit_card_link (struct unit *unit, uint32_t at, int64_t partner_id)
{
    uint32_t last = map_get (&unit->partner_cards, partner_id);
    if (last == MAP_ABSENT)
        return map_set (&unit->partner_cards, partner_id, at);
    while (unit->cards[last].next_of_partner != MAP_ABSENT)
        last = unit->cards[last].next_of_partner;
    unit->cards[last].next_of_partner = at;
    return true;
}

struct unit_card *
unit_card_append (struct unit *unit, int64_t card_id, bool has_partner, int64_t partner_id)
{
    if (!GROW (unit, cards, card_count, card_capacity) || !map_set (&unit->card_index, card_id, unit->card_count))
        return NULL;
    uint32_t at = unit->card_count++;
    struct unit_card *card = &unit->cards[at];
    *card = (struct unit_card){ .bucket = bucket_of_card (card_id, unit->buckets), .next_of_partner = MAP_ABSENT };
    card->card.card_id = card_id;
    card->card.has_partner = has_partner;
    card->card.partner_id = partner_id;
    return has_partner && !unit_card_link (unit, at, partner_id) ? NULL : card;
}

struct unit_card *
unit_card_add (struct unit *unit, int64_t card_id, int64_t program_id, bool has_partner, int64_t partner_id,
               struct str code, bool single)
{
    struct unit_card *card = unit_card_append (unit, card_id, has_partner, partner_id);
    if (card == NULL)
        return NULL;
    card->single = single;
    card->card.program_id = program_id;
    card->card.code = code;
    card->card.is_new = card->card.is_changed = card->card.complete = true;
    card->card.pending_until = card->card.booked_until = INT64_MIN;
    return card;
}

/* Where the card's member stood; a bearer stands nowhere. */
static int
level_at (struct unit *unit, const struct card *card, int64_t instant, struct unit_origin *origin)
{
    struct unit_member *member = card->has_partner ? unit_member (unit, card->partner_id) : NULL;
    struct membership then;
    struct error err;
    if (member == NULL || unit->catalog == NULL || unit->catalog->level_count == 0)
        return 0;
    if (unit_membership_at (unit, member, instant, &then, &err) < 0)
        return -1;
    origin->has_level = true;
    origin->level = membership_level_at (unit->catalog, &then, instant)->membership_product_id;
    return 0;
}

int
unit_card_origin (struct unit *unit, struct unit_card *card, int64_t order_ref, struct str text)
{
    while (card->origin_count < card->card.journal_size) {
        struct unit_origin origin = { .order_ref = order_ref, .text = text };
        if (level_at (unit, &card->card, card->card.journal[card->origin_count].time, &origin) < 0 ||
            !unit_grow (unit->arena, (void **)&card->origins, card->origin_count, &card->origin_capacity,
                        sizeof *card->origins))
            return -1;
        card->origins[card->origin_count++] = origin;
    }
    return 0;
}

void
unit_card_block (struct unit_card *card, bool blocked, struct str reason)
{
    card->card.blocked = blocked;
    card->state_changed = true;
    card->state_reason = reason;
}

/* ---- savepoints */

void
unit_save (const struct unit *unit, struct unit_savepoint *savepoint)
{
    *savepoint = (struct unit_savepoint){ .card_count = unit->card_count,
                                          .order_count = unit->order_count,
                                          .refund_count = unit->refund_count,
                                          .event_count = unit->event_count,
                                          .cancel_count = unit->cancel_count,
                                          .spent_count = unit->spent_count,
                                          .level_count = unit->level_count,
                                          .transfer_count = unit->transfer_count,
                                          .referral_count = unit->referral_count };
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
    if (lots == NULL || !unit_grow (unit->arena, (void **)&savepoint->saved, savepoint->saved_count,
                                    &savepoint->saved_capacity, sizeof *savepoint->saved))
        return -1;
    /* The ledger appends to the journal, but changes lots in place. */
    if (card->loaded_count > 0)
        memcpy (lots, card->lots, card->loaded_count * sizeof *lots);
    struct hold *holds = arena_array_of (unit->arena, card->hold_count + 1, struct hold);
    if (holds == NULL)
        return -1;
    if (card->hold_count > 0)
        memcpy (holds, card->holds, card->hold_count * sizeof *holds);
    struct saved_card *saved = &savepoint->saved[savepoint->saved_count++];
    *saved = (struct saved_card){ .place = place, .origin_count = unit->cards[place].origin_count, .card = *card };
    saved->card.lots = lots;
    saved->card.loaded_capacity = card->loaded_count;
    saved->card.holds = holds;
    saved->card.hold_capacity = card->hold_count;
    return 0;
}

int
unit_save_member (struct unit *unit, struct unit_savepoint *savepoint, int64_t partner_id)
{
    uint32_t place = map_get (&unit->member_index, unit_survivor (unit, partner_id));
    if (place == MAP_ABSENT)
        return 0;
    if (!unit_grow (unit->arena, (void **)&savepoint->members, savepoint->member_count, &savepoint->member_capacity,
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
    unit->spent_count = savepoint->spent_count;
    unit->level_count = savepoint->level_count;
    unit->transfer_count = savepoint->transfer_count;
    unit->referral_count = savepoint->referral_count;
    for (uint32_t i = 0; i < savepoint->saved_count; i++) {
        struct unit_card *entry = &unit->cards[savepoint->saved[i].place];
        /* Lots that were read on the way are read again when they are needed. */
        entry->card = savepoint->saved[i].card;
        entry->origin_count = savepoint->saved[i].origin_count;
    }
    for (uint32_t i = savepoint->usage_count; i-- > 0;)
        unit->usages[savepoint->usages[i].place] = savepoint->usages[i].usage;
    for (uint32_t i = savepoint->member_count; i-- > 0;)
        unit->members[savepoint->members[i].place] = savepoint->members[i].member;
    for (uint32_t i = savepoint->card_count; i < unit->card_count; i++) {
        unit->cards[i].dropped = true;
        unit->cards[i].card.is_new = unit->cards[i].card.is_changed = false;
        unit->cards[i].card.loaded_count = unit->cards[i].card.journal_size = unit->cards[i].card.hold_count = 0;
    }
}

int64_t
unit_untold_points (const struct unit *unit, const struct unit_savepoint *savepoint, const struct unit_card *card)
{
    uint32_t place = map_get (&unit->card_index, card->card.card_id);
    uint32_t row =
        place >= savepoint->card_count ? 0 : card->card.journal_size; /* else one that is not saved did not change */
    int64_t points = 0;
    for (uint32_t i = 0; i < savepoint->saved_count; i++)
        if (savepoint->saved[i].place == place)
            row = savepoint->saved[i].card.journal_size;
    for (; row < card->card.journal_size; row++)
        points += card->card.journal[row].amount;
    for (uint32_t i = savepoint->event_count; i < unit->event_count; i++)
        if (unit->events[i].card_id == card->card.card_id)
            points -= unit->events[i].points;
    return points;
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

int
unit_add_spent (struct unit *unit, const struct unit_spent *spent)
{
    return ADD (unit, spent, spent_count, spent_capacity, *spent);
}

int
unit_add_level (struct unit *unit, const struct unit_level *level)
{
    return ADD (unit, levels, level_count, level_capacity, *level);
}

int
unit_add_transfer (struct unit *unit, const struct unit_transfer *transfer)
{
    return ADD (unit, transfers, transfer_count, transfer_capacity, *transfer);
}

int
unit_add_referral (struct unit *unit, const struct unit_referral *referral)
{
    return ADD (unit, referrals, referral_count, referral_capacity, *referral);
}

int
unit_add_reply (struct unit *unit, const struct unit_reply *reply)
{
    return ADD (unit, replies, reply_count, reply_capacity, *reply);
}
