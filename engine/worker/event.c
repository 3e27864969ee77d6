/* event.c - see event.h. */
#include "worker/event.h"
#include "render/render.h"
#include "wire/msgpack.h"

/* Ids of what changed that one event lists of a kind: whoever needs all reads the catalog. */
enum { CATALOG_IDS_MAX = 100 };

static int
no_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "the worker is out of memory");
}

/* Adds the row with the body, and frees the body. */
static int
add (struct unit *unit, struct unit_event *event, struct buf *body, struct error *err)
{
    event->body = arena_str (unit->arena, (struct str){ (const char *)body->data, (uint32_t)body->size });
    bool failed = body->failed || event->body.data == NULL || unit_add_event (unit, event) < 0;
    buf_free (body);
    return failed ? no_memory (err) : 0;
}

static struct unit_event
of_card (const struct unit_card *card, enum topic topic, int64_t points)
{
    return (struct unit_event){ .bucket = card->bucket,
                                .topics = TOPIC_BIT (topic),
                                .card_id = card->card.card_id,
                                .partner_id = card->card.has_partner ? card->card.partner_id : 0,
                                .points = points };
}

static void
text_or_nil (struct buf *out, const char *name, bool has, struct str value)
{
    if (has)
        render_text (out, name, value);
    else
        render_nil (out, name);
}

static void
id_or_nil (struct buf *out, const char *name, int64_t id)
{
    if (id != 0)
        render_int (out, name, id);
    else
        render_nil (out, name);
}

/* ---- cards */

static int64_t
first_expiry (const struct card *card)
{
    int64_t expires = INSTANT_NEVER;
    for (uint32_t i = 0; i < card->loaded_count; i++)
        if (card->lots[i].expires < expires)
            expires = card->lots[i].expires;
    return expires;
}

int
event_card_created (struct unit *unit, struct unit_card *card, struct error *err)
{
    struct unit_event event = of_card (card, TOPIC_CARD_CREATED, card->card.points);
    struct buf body = { 0 };
    if (!unit->locking)
        return 0;
    wire_write_map (&body, 1);
    wire_write_cstr (&body, "cards");
    wire_write_array (&body, 1);
    wire_write_map (&body, 5);
    render_int (&body, "card_id", card->card.card_id);
    render_int (&body, "program_id", card->card.program_id);
    text_or_nil (&body, "code", card->card.code.size > 0, card->card.code);
    render_points (&body, "points", card->card.points);
    render_time (&body, "expires", first_expiry (&card->card));
    return add (unit, &event, &body, err);
}

/* What became of a card: `points` were added. */
static int
add_moved (struct unit *unit, struct unit_card *card, enum topic topic, const struct journal_row *row, int64_t points,
           int64_t order_ref, struct str origin, struct error *err)
{
    struct unit_event event = of_card (card, topic, points);
    struct lot_source source = unit_lot_source (unit);
    struct buf body = { 0 };
    int64_t balance;
    if (ledger_balance (&card->card, unit->recorded_at, &source, unit->arena, &balance, err) < 0)
        return -1;
    wire_write_map (&body, 7);
    render_int (&body, "program_id", card->card.program_id);
    render_text (&body, "kind", str_of (JOURNAL_NAMES[row->kind]));
    render_points (&body, "points", points);
    render_points (&body, "balance", balance);
    render_points (&body, "debt", card->card.debt);
    text_or_nil (&body, "order_id", order_ref != 0, origin);
    text_or_nil (&body, "reason", order_ref == 0, origin);
    return add (unit, &event, &body, err);
}

static bool
is_expiry (const struct journal_row *row)
{
    return row->kind == JOURNAL_EXPIRE || row->kind == JOURNAL_UNEXPIRE;
}

int
event_card_moved (struct unit *unit, struct unit_card *card, uint32_t row, int64_t order_ref, struct str origin,
                  struct error *err)
{
    static const enum topic TOPICS[] = { TOPIC_CARD_ADJUSTED, TOPIC_POINTS_EXPIRED };
    for (unsigned expired = 0; unit->locking && expired < 2; expired++) {
        const struct journal_row *first = NULL;
        int64_t points = 0;
        for (uint32_t i = row; i < card->card.journal_size; i++) {
            const struct journal_row *at = &card->card.journal[i];
            if (is_expiry (at) != (expired != 0))
                continue;
            first = first != NULL ? first : at;
            points += at->amount;
        }
        if (first != NULL && add_moved (unit, card, TOPICS[expired], first, points, order_ref, origin, err) < 0)
            return -1;
    }
    return 0;
}

int
event_card_state (struct unit *unit, const struct unit_card *card, bool blocked, struct str reason, struct error *err)
{
    struct unit_event event = of_card (card, blocked ? TOPIC_CARD_BLOCKED : TOPIC_CARD_UNBLOCKED, 0);
    struct buf body = { 0 };
    if (!unit->locking)
        return 0;
    wire_write_map (&body, 2);
    render_int (&body, "program_id", card->card.program_id);
    text_or_nil (&body, "reason", reason.size > 0, reason);
    return add (unit, &event, &body, err);
}

int
event_referrals_booked (struct unit *unit, uint32_t first, struct error *err)
{
    for (uint32_t i = first; unit->locking && i < unit->booking_count; i++) {
        const struct unit_booking *booking = &unit->bookings[i];
        const struct unit_card *card = unit_card (unit, booking->card_id);
        struct unit_event event = of_card (card, TOPIC_REFERRAL_BOOKED, booking->change);
        struct buf body = { 0 };
        wire_write_map (&body, 5);
        render_int (&body, "program_id", card->card.program_id);
        render_points (&body, "points", booking->change);
        render_points (&body, "balance", booking->balance);
        render_points (&body, "debt", booking->debt);
        render_text (&body, "order_id", booking->order_id);
        if (add (unit, &event, &body, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- members */

int
event_membership_changed (struct unit *unit, const struct unit_member *member, const struct event_level *level,
                          struct error *err)
{
    struct unit_event event = { .bucket = member->bucket,
                                .topics = TOPIC_BIT (TOPIC_MEMBERSHIP_CHANGED),
                                .partner_id = member->partner_id };
    struct buf body = { 0 };
    if (!unit->locking)
        return 0;
    wire_write_map (&body, 7);
    if (level->had_level)
        render_int (&body, "before", level->before);
    else
        render_nil (&body, "before");
    render_int (&body, "after", level->after);
    render_time (&body, "from", level->from);
    render_time (&body, "to", level->to);
    id_or_nil (&body, "program_id", level->program_id);
    text_or_nil (&body, "order_id", level->order_ref != 0, level->origin);
    text_or_nil (&body, "reason", level->order_ref == 0, level->origin);
    return add (unit, &event, &body, err);
}

int
event_member_merged (struct unit *unit, const struct unit_member *from, const struct unit_member *into,
                     struct error *err)
{
    struct unit_event event = { .bucket = into->bucket,
                                .topics = TOPIC_BIT (TOPIC_MEMBER_MERGED),
                                .partner_id = into->partner_id };
    struct buf body = { 0 };
    uint32_t count = 0;
    if (!unit->locking)
        return 0;
    for (uint32_t i = 0; i < unit->card_count; i++)
        count += unit->cards[i].owner_changed;
    wire_write_map (&body, 2);
    render_int (&body, "merged_partner_id", from->partner_id);
    wire_write_cstr (&body, "cards");
    wire_write_array (&body, count);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *card = &unit->cards[i];
        if (!card->owner_changed)
            continue;
        wire_write_map (&body, 3);
        render_int (&body, "card_id", card->card.card_id);
        render_int (&body, "program_id", card->card.program_id);
        id_or_nil (&body, "into_card_id", card->merged_into);
    }
    return add (unit, &event, &body, err);
}

int
event_member_forgotten (struct unit *unit, int16_t bucket, int64_t pseudonym, struct error *err)
{
    struct unit_event event = { .bucket = bucket,
                                .topics = TOPIC_BIT (TOPIC_MEMBER_FORGOTTEN),
                                .partner_id = pseudonym };
    struct buf body = { 0 };
    wire_write_map (&body, 0);
    return add (unit, &event, &body, err);
}

int
event_forget (struct unit *unit, const int64_t *partners, uint32_t count, int64_t pseudonym, struct error *err)
{
    for (uint32_t i = 0; i < unit->event_count; i++) {
        struct unit_event *event = &unit->events[i];
        struct buf body = { 0 };
        bool names = false;
        for (uint32_t j = 0; j < count; j++)
            names |= event->partner_id == partners[j];
        if (!names)
            continue;
        int status = event_body_forget (event->body, &body, err);
        event->partner_id = pseudonym;
        event->body = arena_str (unit->arena, (struct str){ (const char *)body.data, (uint32_t)body.size });
        buf_free (&body);
        if (status < 0 || event->body.data == NULL)
            return no_memory (err);
    }
    return 0;
}

int
event_member_alert (struct unit *unit, const struct unit_member *member, struct str kind, struct str text,
                    struct error *err)
{
    struct unit_event event = { .bucket = member->bucket,
                                .topics = TOPIC_BIT (TOPIC_ALERT),
                                .partner_id = member->partner_id };
    struct buf body = { 0 };
    wire_write_map (&body, 2);
    render_text (&body, "kind", kind);
    wire_write_cstr (&body, "texts");
    wire_write_array (&body, 1);
    wire_write_str (&body, text);
    return add (unit, &event, &body, err);
}

/* ---- the catalog */

int
event_catalog_changed (struct unit *unit, int64_t version, const struct event_ids changed[CHANGED_KINDS],
                       struct error *err)
{
    static const char *const NAMES[] = { "programs", "stores", "categories", "levels" };
    struct unit_event event = { .topics = TOPIC_BIT (TOPIC_CATALOG_CHANGED) };
    struct buf body = { 0 };
    uint32_t kinds = 0;
    for (unsigned kind = 0; kind < CHANGED_KINDS; kind++)
        kinds += changed[kind].count > 0;
    wire_write_map (&body, 2);
    render_int (&body, "catalog_version", version);
    wire_write_cstr (&body, "changed");
    wire_write_map (&body, kinds);
    for (unsigned kind = 0; kind < CHANGED_KINDS; kind++) {
        uint32_t listed = changed[kind].count < CATALOG_IDS_MAX ? changed[kind].count : CATALOG_IDS_MAX;
        if (changed[kind].count == 0)
            continue;
        wire_write_cstr (&body, NAMES[kind]);
        wire_write_map (&body, 2);
        render_int (&body, "count", changed[kind].count);
        wire_write_cstr (&body, "ids");
        wire_write_array (&body, listed);
        for (uint32_t i = 0; i < listed; i++)
            wire_write_int (&body, changed[kind].ids[i]);
    }
    return add (unit, &event, &body, err);
}
