/* unit_write.c - the writes of a unit of work: one set-based statement per table and bucket. */
#include "store/unit_private.h"

void
rows_begin (struct rows *rows, int count, const enum pg_type *types)
{
    rows->count = 0;
    rows->column_count = count;
    for (int i = 0; i < count; i++)
        pg_array_begin (&rows->columns[i], types[i]);
}

int
rows_send (struct unit *unit, enum statement statement, int bucket, bool time_second, bool time_last, struct rows *rows,
           unsigned *sent)
{
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, (int16_t)bucket);
    if (time_second)
        pg_param_time (&params, unit->recorded_at);
    for (int i = 0; i < rows->column_count; i++)
        pg_param_array (&params, &rows->columns[i]);
    if (time_last)
        pg_param_time (&params, unit->recorded_at);
    if (rows->count == 0)
        return 0;
    (*sent)++;
    return pg_send (unit->pg, statement, &params);
}

static int
send_members (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_INT8, PG_TIMESTAMPTZ };
    struct rows rows;
    rows_begin (&rows, 4, TYPES);
    for (uint32_t i = 0; i < unit->member_count; i++) {
        const struct unit_member *member = &unit->members[i];
        if (member->bucket != bucket || !member->changed)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], member->partner_id);
        pg_array_int (&rows.columns[1], member->order_count);
        pg_array_int (&rows.columns[2], member->spending_minor);
        pg_array_time (&rows.columns[3], member->last_order);
    }
    return rows_send (unit, STATEMENT_MEMBERS_UPDATE, bucket, false, false, &rows, sent);
}

/* No live lot of the card expires before this: what is still in the store comes after the horizon. */
static int64_t
first_expiry (const struct card *card)
{
    int64_t first = card->complete ? INSTANT_NEVER : card->horizon.expires;
    for (uint32_t i = 0; i < card->loaded_count; i++)
        if (card->lots[i].state == LOT_ACTIVE && card->lots[i].expires < first)
            first = card->lots[i].expires;
    return first;
}

static int
send_new_cards (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8,        PG_INT8,        PG_INT8,        PG_TEXT, PG_BOOL,
                                          PG_INT8,        PG_INT8,        PG_INT8,        PG_INT4, PG_INT4,
                                          PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 14, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *entry = &unit->cards[i];
        const struct card *card = &entry->card;
        if (entry->bucket != bucket || !card->is_new)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], card->card_id);
        pg_array_int (&rows.columns[1], card->program_id);
        if (card->has_partner)
            pg_array_int (&rows.columns[2], card->partner_id);
        else
            pg_array_null (&rows.columns[2]);
        pg_array_bytes (&rows.columns[3], card->code);
        pg_array_int (&rows.columns[4], entry->single);
        pg_array_int (&rows.columns[5], card->points);
        pg_array_int (&rows.columns[6], card->held);
        pg_array_int (&rows.columns[7], card->debt);
        pg_array_int (&rows.columns[8], card->lot_count);
        pg_array_int (&rows.columns[9], card->journal_count);
        pg_array_time (&rows.columns[10], card->pending_until);
        pg_array_time (&rows.columns[11], first_expiry (card));
        pg_array_time (&rows.columns[12], card->booked_until);
        if (entry->odoo_card_id != 0)
            pg_array_int (&rows.columns[13], entry->odoo_card_id);
        else
            pg_array_null (&rows.columns[13]);
    }
    return rows_send (unit, STATEMENT_CARDS_INSERT, bucket, false, true, &rows, sent);
}

static int
send_new_codes (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_TEXT, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 2, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct card *card = &unit->cards[i].card;
        if (!card->is_new || unit->cards[i].code_claimed || bucket_of_text (card->code, unit->buckets) != bucket)
            continue;
        rows.count++;
        pg_array_bytes (&rows.columns[0], card->code);
        pg_array_int (&rows.columns[1], card->card_id);
    }
    return rows_send (unit, STATEMENT_CODES_CLAIM, bucket, false, false, &rows, sent);
}

static int
send_changed_cards (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8,        PG_INT8,        PG_INT8,       PG_INT4,
                                          PG_INT4, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ };
    struct rows rows;
    rows_begin (&rows, 9, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct card *card = &unit->cards[i].card;
        if (unit->cards[i].bucket != bucket || card->is_new || !card->is_changed)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], card->card_id);
        pg_array_int (&rows.columns[1], card->points);
        pg_array_int (&rows.columns[2], card->held);
        pg_array_int (&rows.columns[3], card->debt);
        pg_array_int (&rows.columns[4], card->lot_count);
        pg_array_int (&rows.columns[5], card->journal_count);
        pg_array_time (&rows.columns[6], card->pending_until);
        pg_array_time (&rows.columns[7], first_expiry (card));
        pg_array_time (&rows.columns[8], card->booked_until);
    }
    return rows_send (unit, STATEMENT_CARDS_UPDATE, bucket, false, false, &rows, sent);
}

static int
send_card_states (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT2, PG_TEXT };
    struct rows rows;
    rows_begin (&rows, 3, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *entry = &unit->cards[i];
        if (entry->bucket != bucket || !entry->state_changed || entry->dropped)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], entry->card.card_id);
        pg_array_int (&rows.columns[1], entry->card.blocked ? 2 : 1);
        pg_array_bytes (&rows.columns[2], entry->state_reason);
    }
    return rows_send (unit, STATEMENT_CARDS_STATE, bucket, false, false, &rows, sent);
}

static int
send_lots (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type NEW_TYPES[] = { PG_INT8,        PG_INT4, PG_INT2, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ,
                                              PG_TIMESTAMPTZ, PG_INT8, PG_INT8, PG_INT8 };
    static const enum pg_type CHANGED_TYPES[] = { PG_INT8, PG_INT4, PG_INT2, PG_INT8, PG_TIMESTAMPTZ };
    struct rows fresh, changed;
    rows_begin (&fresh, 9, NEW_TYPES);
    rows_begin (&changed, 5, CHANGED_TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct card *card = &unit->cards[i].card;
        if (unit->cards[i].bucket != bucket)
            continue;
        for (uint32_t j = 0; j < card->loaded_count; j++) {
            const struct lot *lot = &card->lots[j];
            if (lot->is_new) {
                fresh.count++;
                pg_array_int (&fresh.columns[0], card->card_id);
                pg_array_int (&fresh.columns[1], lot->lot_no);
                pg_array_int (&fresh.columns[2], lot->state);
                pg_array_time (&fresh.columns[3], lot->gained);
                pg_array_time (&fresh.columns[4], lot->usable_from);
                pg_array_time (&fresh.columns[5], lot->expires);
                pg_array_int (&fresh.columns[6], lot->initial);
                pg_array_int (&fresh.columns[7], lot->remaining);
                pg_array_int (&fresh.columns[8], lot->origin_ref);
            } else if (lot->is_changed) {
                changed.count++;
                pg_array_int (&changed.columns[0], card->card_id);
                pg_array_int (&changed.columns[1], lot->lot_no);
                pg_array_int (&changed.columns[2], lot->state);
                pg_array_int (&changed.columns[3], lot->remaining);
                pg_array_time (&changed.columns[4], lot->expires);
            }
        }
    }
    /* Both are built before either is sent: rows_send frees their columns. */
    int inserted = rows_send (unit, STATEMENT_LOTS_INSERT, bucket, false, false, &fresh, sent);
    int updated = rows_send (unit, STATEMENT_LOTS_UPDATE, bucket, false, false, &changed, sent);
    return inserted < 0 || updated < 0 ? -1 : 0;
}

static void
add_moved_to (struct pg_array *column, const struct hold *hold)
{
    if (hold->state == HOLD_MOVED)
        pg_array_int (column, hold->moved_to);
    else
        pg_array_null (column);
}

static void
add_fresh_hold (struct rows *rows, int64_t card_id, const struct hold *hold)
{
    for (uint32_t use = 0; use < hold->use_count; use++) {
        rows->count++;
        pg_array_int (&rows->columns[0], card_id);
        pg_array_bytes (&rows->columns[1], hold->hold_id);
        pg_array_int (&rows->columns[2], hold->uses[use].lot_no);
        pg_array_int (&rows->columns[3], hold->uses[use].points);
        pg_array_time (&rows->columns[4], hold->until);
        pg_array_int (&rows->columns[5], hold->state);
        add_moved_to (&rows->columns[6], hold);
    }
}

static void
add_closed_hold (struct rows *rows, int64_t card_id, const struct hold *hold)
{
    rows->count++;
    pg_array_int (&rows->columns[0], card_id);
    pg_array_bytes (&rows->columns[1], hold->hold_id);
    pg_array_int (&rows->columns[2], hold->state);
    add_moved_to (&rows->columns[3], hold);
}

static int
send_holds (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type NEW_TYPES[] = { PG_INT8, PG_TEXT, PG_INT4, PG_INT8, PG_TIMESTAMPTZ, PG_INT2, PG_INT8 };
    static const enum pg_type CLOSED_TYPES[] = { PG_INT8, PG_TEXT, PG_INT2, PG_INT8 };
    struct rows fresh, closed;
    rows_begin (&fresh, 7, NEW_TYPES);
    rows_begin (&closed, 4, CLOSED_TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct card *card = &unit->cards[i].card;
        for (uint32_t j = 0; unit->cards[i].bucket == bucket && j < card->hold_count; j++) {
            const struct hold *hold = &card->holds[j];
            if (hold->is_new)
                add_fresh_hold (&fresh, card->card_id, hold);
            else if (hold->is_changed)
                add_closed_hold (&closed, card->card_id, hold);
        }
    }
    /* What came back to a card is open there again after what left it was closed. */
    int updated = rows_send (unit, STATEMENT_HOLDS_CLOSE, bucket, false, false, &closed, sent);
    int inserted = rows_send (unit, STATEMENT_HOLDS_INSERT, bucket, false, true, &fresh, sent);
    return inserted < 0 || updated < 0 ? -1 : 0;
}

/* Adds an array literal of one of the figures of a journal row's lots. Without memory the column fails, and with it the statement. */
static void
add_lot_figures (struct unit *unit, struct pg_array *column, const int64_t *figures, uint32_t count)
{
    struct str text = figures == NULL ? (struct str){ NULL, 0 } : pg_array_text (unit->arena, figures, count);
    column->bytes.failed |= text.data == NULL;
    pg_array_bytes (column, text);
}

static void
add_lot_uses (struct unit *unit, const struct journal_row *row, struct pg_array *numbers, struct pg_array *points)
{
    int64_t *figures = arena_array_of (unit->arena, (size_t)row->use_count * 2 + 1, int64_t);
    for (uint32_t i = 0; figures != NULL && i < row->use_count; i++) {
        figures[i] = row->uses[i].lot_no;
        figures[row->use_count + i] = row->uses[i].points;
    }
    add_lot_figures (unit, numbers, figures, row->use_count);
    add_lot_figures (unit, points, figures == NULL ? NULL : figures + row->use_count, row->use_count);
}

static int
send_history (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8,        PG_INT4, PG_INT2, PG_INT8, PG_INT8, PG_INT8,
                                          PG_TIMESTAMPTZ, PG_INT8, PG_TEXT, PG_INT8, PG_TEXT, PG_TEXT };
    struct rows rows;
    rows_begin (&rows, 12, TYPES);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *entry = &unit->cards[i];
        if (entry->bucket != bucket)
            continue;
        for (uint32_t j = 0; j < entry->card.journal_size; j++) {
            const struct journal_row *row = &entry->card.journal[j];
            struct unit_origin none = { .text = STR ("") };
            const struct unit_origin *origin = j < entry->origin_count ? &entry->origins[j] : &none;
            rows.count++;
            pg_array_int (&rows.columns[0], entry->card.card_id);
            pg_array_int (&rows.columns[1], row->seq);
            pg_array_int (&rows.columns[2], row->kind);
            pg_array_int (&rows.columns[3], row->amount);
            pg_array_int (&rows.columns[4], row->balance);
            pg_array_int (&rows.columns[5], row->debt);
            pg_array_time (&rows.columns[6], row->time);
            pg_array_int (&rows.columns[7], origin->order_ref);
            pg_array_bytes (&rows.columns[8], origin->text);
            if (origin->has_level)
                pg_array_int (&rows.columns[9], origin->level);
            else
                pg_array_null (&rows.columns[9]);
            add_lot_uses (unit, row, &rows.columns[10], &rows.columns[11]);
        }
    }
    return rows_send (unit, STATEMENT_HISTORY_INSERT, bucket, true, false, &rows, sent);
}

static int
send_usages (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT2, PG_INT8, PG_INT4, PG_INT8, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 6, TYPES);
    for (uint32_t i = 0; i < unit->usage_count; i++) {
        const struct unit_usage *usage = &unit->usages[i];
        if (usage->key.bucket != bucket || !usage->changed)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], usage->key.program_id);
        pg_array_int (&rows.columns[1], usage->key.kind);
        pg_array_int (&rows.columns[2], usage->key.subject);
        pg_array_int (&rows.columns[3], usage->key.period);
        pg_array_int (&rows.columns[4], usage->used);
        pg_array_int (&rows.columns[5], usage->amount_minor);
    }
    return rows_send (unit, STATEMENT_USAGES_UPDATE, bucket, false, false, &rows, sent);
}

static int
send_orders (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT2, PG_INT8, PG_BYTEA };
    struct rows rows;
    rows_begin (&rows, 4, TYPES);
    for (uint32_t i = 0; i < unit->order_count; i++) {
        const struct unit_order *order = &unit->orders[i];
        if (order->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], order->order_ref);
        pg_array_int (&rows.columns[1], order->kind);
        if (order->has_partner)
            pg_array_int (&rows.columns[2], order->partner_id);
        else
            pg_array_null (&rows.columns[2]);
        pg_array_bytes (&rows.columns[3], order->record);
    }
    return rows_send (unit, STATEMENT_ORDERS_INSERT, bucket, true, false, &rows, sent);
}

static int
send_cancels (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_TIMESTAMPTZ };
    struct rows rows;
    rows_begin (&rows, 2, TYPES);
    for (uint32_t i = 0; i < unit->cancel_count; i++) {
        if (unit->cancels[i].bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], unit->cancels[i].order_ref);
        pg_array_time (&rows.columns[1], unit->cancels[i].recorded_at);
    }
    return rows_send (unit, STATEMENT_ORDERS_CANCEL, bucket, false, false, &rows, sent);
}

static int
send_refunds (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_INT2 };
    struct rows rows;
    rows_begin (&rows, 3, TYPES);
    for (uint32_t i = 0; i < unit->refund_count; i++) {
        const struct unit_refund *refund = &unit->refunds[i];
        if (refund->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], refund->original_ref);
        pg_array_int (&rows.columns[1], refund->refund_ref);
        pg_array_int (&rows.columns[2], refund->refund_bucket);
    }
    return rows_send (unit, STATEMENT_REFUNDS_INSERT, bucket, false, true, &rows, sent);
}

static void
add_event (struct rows *rows, const struct unit_event *event)
{
    rows->count++;
    pg_array_int (&rows->columns[0], event->topics);
    pg_array_int (&rows->columns[1], event->order_ref);
    if (event->card_id != 0)
        pg_array_int (&rows->columns[2], event->card_id);
    else
        pg_array_null (&rows->columns[2]);
    if (event->partner_id != 0)
        pg_array_int (&rows->columns[3], event->partner_id);
    else
        pg_array_null (&rows->columns[3]);
    if (event->body.size > 0)
        pg_array_bytes (&rows->columns[4], event->body);
    else
        pg_array_null (&rows->columns[4]);
}

/* A statement has as many positions as OUTBOX_INSERT makes of one number. */
static int
send_events (struct unit *unit, int bucket, unsigned *sent)
{
    enum { ROWS_MAX = 1024 };
    static const enum pg_type TYPES[] = { PG_INT4, PG_INT8, PG_INT8, PG_INT8, PG_BYTEA };
    for (uint32_t i = 0; i < unit->event_count;) {
        struct rows rows;
        rows_begin (&rows, 5, TYPES);
        for (; i < unit->event_count && rows.count < ROWS_MAX; i++)
            if (unit->events[i].bucket == bucket)
                add_event (&rows, &unit->events[i]);
        struct pg_params params = { .arena = unit->arena };
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_time (&params, unit->recorded_at);
        pg_param_int2 (&params, unit->outbox_slot);
        for (int column = 0; column < rows.column_count; column++)
            pg_param_array (&params, &rows.columns[column]);
        if (rows.count == 0)
            continue;
        (*sent)++;
        if (pg_send (unit->pg, STATEMENT_OUTBOX_INSERT, &params) < 0)
            return -1;
    }
    return 0;
}

int
unit_send_writes (struct unit *unit, unsigned *count)
{
    static int (*const STEPS[]) (struct unit *, int, unsigned *) = {
        send_new_codes,    send_members,        unit_send_merges,   unit_send_memberships, unit_send_spent,
        unit_send_levels,  send_new_cards,      send_changed_cards, send_card_states,      unit_send_owners,
        send_lots,         unit_send_transfers, send_holds,         send_history,          send_usages,
        send_orders,       send_cancels,        send_refunds,       unit_send_referrals,   send_events,
        unit_send_replies,
    };
    *count = 0;
    for (size_t step = 0; step < sizeof STEPS / sizeof STEPS[0]; step++)
        for (int bucket = 0; bucket < unit->buckets; bucket++)
            if (STEPS[step](unit, bucket, count) < 0)
                return -1;
    return 0;
}

int
unit_receive_writes (struct unit *unit, unsigned count, struct error *err)
{
    for (unsigned i = 0; i < count; i++) {
        PGresult *result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        PQclear (result);
    }
    return 0;
}
