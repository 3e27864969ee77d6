/* membership.c - see membership.h. */
#include "worker/membership.h"
#include "worker/event.h"

const struct level *
membership_booked (const struct catalog *catalog, const struct membership *membership)
{
    const struct level *level =
        membership->has_level ? membership_level (catalog, membership->membership_product_id) : NULL;
    return level != NULL || catalog->level_count == 0 ? level : &catalog->levels[0];
}

static int
no_memory (struct error *err)
{
    return error_set (err, ERROR_INTERNAL, "the worker is out of memory");
}

static struct unit_card *
card_of_program (struct unit *unit, int64_t partner_id, int64_t program_id)
{
    struct unit_card *card = NULL;
    while ((card = unit_card_of_partner (unit, partner_id, card)) != NULL)
        if (card->card.program_id == program_id)
            return card;
    return NULL;
}

/* The member's card of a program, made when there is none. A quote makes nothing: its new cards have numbers below 0. Of an order
 * (`order_ref`) the order itself tells that. */
static int64_t
card_to_fill (struct executor *executor, int64_t partner_id, int64_t program_id, int64_t order_ref, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct unit_card *card = card_of_program (unit, partner_id, program_id);
    if (card != NULL)
        return card->card.card_id;
    int64_t card_id = -(int64_t)unit->card_count - 1;
    struct str code = STR ("");
    if (unit->locking) {
        card_id = executor_card_id (executor, true, partner_id, err);
        code = executor_new_code (executor);
        if (card_id == 0)
            return 0;
    }
    card = code.data == NULL ? NULL : unit_card_add (unit, card_id, program_id, true, partner_id, code, true);
    if (card == NULL)
        no_memory (err);
    if (card == NULL || (order_ref == 0 && event_card_created (unit, card, err) < 0))
        return 0;
    return card_id;
}

/* What one card has goes to another; told with what else happened to the first from journal row `from_row` on. */
static int
transfer (struct executor *executor, struct unit_savepoint *savepoint, int64_t from_id, uint32_t from_row,
          int64_t to_id, const struct member_change *change, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct lot_source source = unit_lot_source (unit);
    const struct lot_move *moves;
    uint32_t count;
    if (unit_save_card (unit, savepoint, from_id) < 0 || unit_save_card (unit, savepoint, to_id) < 0)
        return no_memory (err);
    struct unit_card *from = unit_card (unit, from_id), *to = unit_card (unit, to_id);
    uint32_t to_row = to->card.journal_size;
    if (ledger_transfer (&from->card, &to->card, change->instant, &source, unit->arena, &moves, &count, err) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        struct unit_transfer row = { from->bucket, from_id, to_id, moves[i] };
        if (unit_add_transfer (unit, &row) < 0)
            return no_memory (err);
    }
    if (unit_card_origin (unit, from, change->order_ref, change->origin) < 0 ||
        unit_card_origin (unit, to, change->order_ref, change->origin) < 0)
        return no_memory (err);
    return event_card_moved (unit, from, from_row, change->order_ref, change->origin, err) < 0 ||
                   event_card_moved (unit, to, to_row, change->order_ref, change->origin, err) < 0
               ? -1
               : 0;
}

int
membership_empty (struct executor *executor, struct unit_savepoint *savepoint, int64_t from_id, int64_t to_id,
                  const struct member_change *change, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct lot_source source = unit_lot_source (unit);
    struct unit_card *from = unit_card (unit, from_id);
    uint32_t row = from->card.journal_size;
    if (unit_save_card (unit, savepoint, from_id) < 0)
        return no_memory (err);
    if (ledger_expire (&from->card, change->instant, &source, unit->arena, NULL, err) < 0)
        return -1;
    return transfer (executor, savepoint, from_id, row, to_id, change, err);
}

static int
reset (struct executor *executor, struct unit_savepoint *savepoint, struct unit_card *card,
       const struct member_change *change, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct lot_source source = unit_lot_source (unit);
    uint32_t row = card->card.journal_size;
    int64_t lost;
    if (unit_save_card (unit, savepoint, card->card.card_id) < 0)
        return no_memory (err);
    if (ledger_reset (&card->card, change->instant, &source, unit->arena, &lost, err) < 0)
        return -1;
    return unit_card_origin (unit, card, change->order_ref, change->origin) < 0
               ? no_memory (err)
               : event_card_moved (unit, card, row, change->order_ref, change->origin, err);
}

/* Whether a card's points belong to another level; a blocked card keeps its own. */
static bool
is_left (const struct card *card, const struct program *target, const struct catalog *catalog)
{
    return (card->points > 0 || card->debt > 0) && !card->blocked &&
           (target == NULL || card->program_id != target->id) && membership_owns_program (catalog, card->program_id);
}

/* The ids of the member's cards whose points belong to another level; a blocked card keeps its own. */
static int64_t *
cards_left (struct executor *executor, int64_t partner_id, const struct program *target, const struct catalog *catalog,
            uint32_t *count)
{
    struct unit *unit = &executor->unit;
    struct unit_card *card = NULL;
    int64_t *ids = arena_array_of (unit->arena, (size_t)unit->card_count + 1, int64_t);
    *count = 0;
    while (ids != NULL && (card = unit_card_of_partner (unit, partner_id, card)) != NULL)
        if (is_left (&card->card, target, catalog))
            ids[(*count)++] = card->card.card_id;
    return ids;
}

bool
membership_points_to_move (struct executor *executor, int64_t partner_id, const struct member_change *change)
{
    const struct program *target = membership_program (change->catalog, change->after->membership_product_id);
    struct unit_card *card = NULL;
    while (target != NULL && (card = unit_card_of_partner (&executor->unit, partner_id, card)) != NULL)
        if (is_left (&card->card, target, change->catalog) && card->card.points + card->card.debt > card->card.held)
            return true;
    return false;
}

int
membership_move_points (struct executor *executor, struct unit_savepoint *savepoint, const struct unit_member *member,
                        const struct member_change *change, int64_t *program_id, struct error *err)
{
    const struct program *target = membership_program (change->catalog, change->after->membership_product_id);
    int64_t partner_id = member->partner_id;
    uint32_t count;
    *program_id = 0;
    int64_t *ids = cards_left (executor, partner_id, target, change->catalog, &count);
    if (ids == NULL)
        return no_memory (err);
    for (uint32_t i = 0; i < count; i++) {
        if (change->points == CHANGE_RESET &&
            reset (executor, savepoint, unit_card (&executor->unit, ids[i]), change, err) < 0)
            return -1;
        if (target == NULL)
            continue; /* nowhere to go: the points stay where they are */
        int64_t to_id = card_to_fill (executor, partner_id, target->id, change->order_ref, err);
        if (to_id == 0)
            return -1;
        uint32_t row = unit_card (&executor->unit, ids[i])->card.journal_size;
        if (transfer (executor, savepoint, ids[i], row, to_id, change, err) < 0)
            return -1;
        *program_id = target->id;
    }
    return 0;
}

int
membership_change (struct executor *executor, struct unit_savepoint *savepoint, struct unit_member *member,
                   const struct member_change *change, int64_t *program_id, struct error *err)
{
    struct unit *unit = &executor->unit;
    if (unit_save_member (unit, savepoint, member->partner_id) < 0)
        return no_memory (err);
    struct membership *membership = &member->membership;
    *membership = (struct membership){ .has_level = true,
                                       .membership_product_id = change->after->membership_product_id,
                                       .from = change->from,
                                       .to = change->to,
                                       .below_since = INSTANT_NONE };
    member->membership_changed = true;
    struct unit_level level = { .bucket = member->bucket,
                                .partner_id = member->partner_id,
                                .membership_product_id = change->after->membership_product_id,
                                .since = change->from,
                                .until = change->to,
                                .order_ref = change->order_ref,
                                .origin = change->origin };
    if (unit_add_level (unit, &level) < 0)
        return no_memory (err);
    if (membership_move_points (executor, savepoint, member, change, program_id, err) < 0)
        return -1;
    struct event_level told = { .had_level = change->before != NULL,
                                .before = change->before != NULL ? change->before->membership_product_id : 0,
                                .after = change->after->membership_product_id,
                                .from = change->from,
                                .to = change->to,
                                .program_id = *program_id,
                                .order_ref = change->order_ref,
                                .origin = change->origin };
    return event_membership_changed (unit, member, &told, err);
}
