/* order_membership.c - an order and its member's level: the one it is evaluated with, the money it adds to the spending of
 * its day and takes off those of its returns, and the level that is reached, from the next order on. */
#include "worker/membership.h"
#include "worker/order_run.h"

enum { MOVES_MAX = 16 }; /* how often a lot is followed */

int
run_membership_state (struct order_run *run)
{
    struct order *order = &run->record.order;
    static const struct membership NONE = { .from = INSTANT_NONE, .to = INSTANT_NEVER, .below_since = INSTANT_NONE };
    struct unit_member *member = order->has_partner ? unit_member (run->unit, order->partner_id) : NULL;
    struct membership then = NONE;
    if (member != NULL && unit_membership_at (run->unit, member, order->instant, &then, &run->request->error) < 0)
        return -1;
    const struct level *level = order->has_partner ? membership_level_at (run->catalog, &then, order->instant) : NULL;
    order->member.has_level = level != NULL;
    order->member.membership_product_id = level != NULL ? level->membership_product_id : 0;
    return 0;
}

/* ---- money by day */

static int
spend (struct order_run *run, const struct unit_member *member, struct spent_day *list, int32_t day, int64_t minor)
{
    struct record_membership *record = &run->record.membership;
    struct unit_spent spent = { member->bucket, member->partner_id, { day, minor } };
    if (minor == 0)
        return 0;
    list[record->spent_count++] = spent.spent;
    record->spent = list;
    return unit_add_spent (run->unit, &spent) < 0 ? run_no_memory (run) : 0;
}

/* The order's money on its day, and that of its returns off the days of what they return. What was bought before days
 * were kept is taken off what was spent then. */
static int
spend_by_day (struct order_run *run, struct unit_member *member)
{
    int64_t total = run->record.evaluation.total_minor, own = total;
    struct spent_day *list = arena_array_of (run->arena, (size_t)run->original_count + 1, struct spent_day);
    if (list == NULL)
        return run_no_memory (run);
    if (!member->has_undated) {
        member->has_undated = true;
        member->undated_minor = member->spending_minor - total;
        member->membership_changed = true;
    }
    for (uint32_t i = 0; i < run->original_count; i++) {
        const struct order_record *record = run->original_records[i];
        int64_t returned = 0;
        for (uint32_t part = 0; part < run->plan.part_count; part++)
            if (run->plan.parts[part].original == i)
                returned += run->plan.parts[part].net_minor;
        bool is_own = run->originals[i].has_partner && run->originals[i].partner_id == member->partner_id;
        if (!is_own)
            continue;
        own += returned;
        if (!record->membership.is_kept) {
            member->undated_minor -= returned;
            member->membership_changed = true;
        } else if (spend (run, member, list,
                          day_from_instant (&run->executor->cache.catalog->zone, record->order.instant),
                          -returned) < 0) {
            return -1;
        }
    }
    return spend (run, member, list, day_from_instant (&run->executor->cache.catalog->zone, run->record.order.instant),
                  own);
}

/* ---- the level */

static void
keep_outlook (struct order_run *run, const struct level *after, const struct member_spending *spending, int64_t instant)
{
    struct record_membership *record = &run->record.membership;
    struct membership_outlook outlook = membership_outlook (run->executor->cache.catalog, after, spending, instant);
    record->is_kept = true;
    record->after = after->membership_product_id;
    record->spending_minor = outlook.spending_minor;
    record->has_next = outlook.next != NULL;
    record->next_level = outlook.next != NULL ? outlook.next->membership_product_id : 0;
    record->missing_minor = outlook.missing_minor;
}

static int
move (struct order_run *run, struct unit_member *member, const struct member_change *change, bool changes)
{
    struct error *err = &run->request->error;
    int64_t program_id = 0;
    int status = changes ? membership_change (run->executor, &run->savepoint, member, change, &program_id, err)
                         : membership_move_points (run->executor, &run->savepoint, member, change, &program_id, err);
    if (status < 0 || program_id == 0)
        return status;
    run->record.membership.program_id = program_id;
    struct unit_card *card = NULL;
    while ((card = unit_card_of_partner (run->unit, member->partner_id, card)) != NULL)
        if (card->card.program_id == program_id && run_effect (run, card) == NULL)
            return run_no_memory (run);
    return 0;
}

int
run_membership (struct order_run *run, struct unit_member *member)
{
    const struct catalog *catalog = run->executor->cache.catalog; /* in force now, whatever the order's date */
    const struct order *order = &run->record.order;
    struct unit_member unknown = { .partner_id = order->partner_id,
                                   .bucket = bucket_of_partner (order->partner_id, run->unit->buckets),
                                   .spending_minor = run->record.evaluation.total_minor,
                                   .membership = {
                                       .from = INSTANT_NONE, .to = INSTANT_NEVER, .below_since = INSTANT_NONE } };
    struct member_spending spending;
    if (catalog->level_count == 0)
        return 0;
    if (member == NULL)
        member = &unknown;
    /* A late order's change counts from now on: what was done since its date was done with the level of then. */
    int64_t instant = run->record.is_late ? run->unit->recorded_at : order->instant;
    if (member->membership.has_level && instant < member->membership.from)
        instant = member->membership.from; /* imported out of turn: nothing newer is undone */
    if (spend_by_day (run, member) < 0 ||
        unit_member_spending (run->unit, member, membership_first_day (catalog, instant), &spending,
                              &run->request->error) < 0)
        return -1;
    const struct level *held = membership_level_at (catalog, &member->membership, instant);
    const struct level *after = membership_upgrade (catalog, held, &spending, instant);
    bool is_over = member->membership.has_level && member->membership.to <= instant;
    struct membership then;
    if (unit_membership_at (run->unit, member, order->instant, &then, &run->request->error) < 0)
        return -1;
    run->record.membership.before = membership_level_at (catalog, &then, order->instant)->membership_product_id;
    keep_outlook (run, after, &spending, instant);
    if (member->membership.below_since != INSTANT_NONE &&
        membership_spending (catalog, held, &spending, instant) >= held->threshold_minor) {
        member->membership.below_since = INSTANT_NONE;
        member->membership_changed = true;
    }
    struct member_change change = { .catalog = catalog,
                                    .before = is_over && after == held
                                                  ? membership_booked (catalog, &member->membership)
                                                  : held,
                                    .after = after,
                                    .from = is_over && after == held ? member->membership.to : instant,
                                    .to = INSTANT_NEVER,
                                    .instant = order->instant,
                                    .points = after->on_change,
                                    .order_ref = run->request->order_ref,
                                    .origin = order->order_id };
    bool changes = after != held || (is_over && after != membership_booked (catalog, &member->membership));
    if (!changes)
        change.points = CHANGE_TRANSFER; /* given back to a card of a level that was left */
    return move (run, member, &change, changes);
}

int
run_membership_cancel (struct order_run *run, const struct order_record *original, struct unit_member *member)
{
    const struct catalog *catalog = run->executor->cache.catalog; /* in force now, whatever the order's date */
    const struct record_membership *undone = &original->membership;
    struct member_spending spending;
    int64_t instant = run->record.order.instant, undated = original->evaluation.total_minor;
    if (catalog->level_count == 0)
        return 0;
    struct spent_day *list = arena_array_of (run->arena, (size_t)undone->spent_count + 1, struct spent_day);
    if (list == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < undone->spent_count; i++) {
        undated -= undone->spent[i].minor;
        if (spend (run, member, list, undone->spent[i].day, -undone->spent[i].minor) < 0)
            return -1;
    }
    if (member->has_undated && undated != 0) {
        member->undated_minor -= undated;
        member->membership_changed = true;
    }
    if (unit_member_spending (run->unit, member, membership_first_day (catalog, instant), &spending,
                              &run->request->error) < 0)
        return -1;
    const struct level *level = membership_level_at (catalog, &member->membership, instant);
    run->record.membership.before = level->membership_product_id;
    keep_outlook (run, level, &spending, instant);
    struct member_change change = { .catalog = catalog,
                                    .before = level,
                                    .after = level,
                                    .instant = instant,
                                    .points = CHANGE_TRANSFER,
                                    .order_ref = run->request->order_ref,
                                    .origin = run->record.order.order_id };
    return move (run, member, &change, false);
}

/* ---- lots that moved */

/* With its member's level, or with its member. */
static bool
may_have_moved (const struct order_run *run, const struct unit_card *card)
{
    const struct catalog *catalog = run->executor->cache.catalog;
    return card->merged_into != 0 ||
           (catalog->level_count > 0 && membership_owns_program (catalog, card->card.program_id));
}

int
run_follow_lots (struct order_run *run, int64_t *card_id, const int32_t **lots, uint32_t *count)
{
    for (unsigned moves = 0; moves<MOVES_MAX && * count> 0; moves++) {
        const struct unit_card *card = unit_card (run->unit, *card_id);
        int64_t to_card = 0;
        int32_t *found = NULL;
        uint32_t found_count = 0;
        if (card == NULL || !may_have_moved (run, card))
            break;
        for (uint32_t i = 0; i < *count; i++) {
            struct lot_use *moved;
            uint32_t moved_count;
            if (unit_lot_moved (run->unit, *card_id, (*lots)[i], &to_card, &moved, &moved_count, &run->request->error) <
                0)
                return -1;
            int32_t *longer = arena_array_of (run->arena, (size_t)found_count + moved_count + 1, int32_t);
            if (longer == NULL)
                return run_no_memory (run);
            if (found_count > 0)
                memcpy (longer, found, found_count * sizeof *longer);
            for (uint32_t j = 0; j < moved_count; j++)
                longer[found_count++] = moved[j].lot_no;
            found = longer;
        }
        if (found_count == 0)
            break;
        *card_id = to_card;
        *lots = found;
        *count = found_count;
    }
    /* What of the lots was used up before stayed behind: the card that has the rest stands for it. */
    const struct unit_card *card = unit_card_survivor (run->unit, *card_id);
    if (card != NULL && card->card.card_id != *card_id) {
        *card_id = card->card.card_id;
        *count = 0;
    }
    return 0;
}

int
run_empty_merged (struct order_run *run)
{
    const struct order *order = &run->record.order;
    struct member_change change = { .instant = order->instant,
                                    .order_ref = run->request->order_ref,
                                    .origin = order->order_id };
    for (uint32_t i = 0; i < run->record.effect_count; i++) {
        struct unit_card *card = unit_card (run->unit, run->effects[i].card_id);
        if (card == NULL || card->merged_into == 0)
            continue;
        int64_t to_id = card->merged_into;
        if (membership_empty (run->executor, &run->savepoint, card->card.card_id, to_id, &change,
                              &run->request->error) < 0)
            return -1;
        if (run_effect (run, unit_card (run->unit, to_id)) == NULL)
            return run_no_memory (run);
    }
    return 0;
}
