/* member_merge.c - member.merge: two members become one (SEMANTICS 23). The one that stays gets the other's points, cards, orders,
 * spending, uses and level; whoever names the other later means it. */
#include "wire/msgpack.h"
#include "worker/member_methods.h"
#include "worker/membership.h"
#include "render/render.h"
#include "worker/event.h"

enum { ABSORBED_MAX = 100 }; /* as members.absorbed */

struct merge {
    struct executor *executor;
    struct request *request;
    struct unit *unit;
    struct unit_savepoint savepoint;
    struct unit_member *from, *into;
    struct member_change change; /* of points: instant and origin */
    uint32_t given, emptied;     /* cards that are the other's now; that gave way to one of it */
    int64_t points;              /* what these had */
};

static int
no_memory (struct merge *merge)
{
    return request_fail (merge->request, ERROR_INTERNAL, "the worker is out of memory");
}

int
member_merge_want (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    return unit_want_member (&executor->unit, fields[F_MEMBER_MERGE_PARTNER_ID].integer, true) < 0 ||
                   unit_want_member (&executor->unit, fields[F_MEMBER_MERGE_INTO].integer, true) < 0
               ? -1
               : 0;
}

/* ---- who */

static int
refuse_merged (struct merge *merge)
{
    long long partner_id = merge->from->partner_id, into = merge->from->merged_into;
    request_fail (merge->request, ERROR_CONFLICT, "member %lld was merged into %lld before", partner_id, into);
    error_detail (&merge->request->error, "reason", "merged");
    return error_detail (&merge->request->error, "partner_id", "%lld", into);
}

static int
find_members (struct merge *merge)
{
    const struct wire_value *fields = merge->request->record->fields;
    int64_t from_id = fields[F_MEMBER_MERGE_PARTNER_ID].integer, into_id = fields[F_MEMBER_MERGE_INTO].integer;
    struct error *err = &merge->request->error;
    merge->from = unit_member_row (merge->unit, from_id);
    merge->into = unit_member (merge->unit, into_id);
    if (from_id == into_id)
        return error_field (err, ERROR_INVALID_REQUEST, "into_partner_id", "is the member that goes");
    if (merge->from == NULL || merge->from->is_made)
        return error_field (err, ERROR_NOT_FOUND, "partner_id", "there is no member %lld", (long long)from_id);
    if (merge->into == NULL)
        return error_field (err, ERROR_NOT_FOUND, "into_partner_id", "there is no member %lld", (long long)into_id);
    if (merge->from->is_merged)
        return refuse_merged (merge);
    if (merge->from == merge->into)
        return error_field (err, ERROR_INVALID_REQUEST, "into_partner_id", "was merged into member %lld before",
                            (long long)from_id);
    if (merge->from->absorbed_count + merge->into->absorbed_count >= ABSORBED_MAX) {
        request_fail (merge->request, ERROR_LIMIT_REACHED, "of more than %d members no one is made", ABSORBED_MAX);
        return error_detail (err, "limit", "merged");
    }
    return 0;
}

int
member_lock_absorbed (struct executor *executor, struct request *request, const struct unit_member *member, bool *again)
{
    *again = false;
    for (uint32_t i = 0; i < member->absorbed_count; i++) {
        if (unit_member_row (&executor->unit, member->absorbed[i]) != NULL)
            continue;
        *again = true;
        if (executor_want (executor, &executor->members, member->absorbed[i]) < 0)
            return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    }
    return 0;
}

/* ---- cards */

static struct unit_card *
card_of_program (struct merge *merge, int64_t partner_id, int64_t program_id)
{
    struct unit_card *card = NULL;
    while ((card = unit_card_of_partner (merge->unit, partner_id, card)) != NULL)
        if (card->single && card->card.program_id == program_id)
            return card;
    return NULL;
}

/* What a blocked card has is not to be used: so neither by another card, nor does it take from one. */
static int
refuse_blocked (struct merge *merge, const struct unit_card *card)
{
    request_fail (merge->request, ERROR_CARD_BLOCKED,
                  "card %lld is blocked, and both members have one of its program: unblock it first",
                  (long long)card->card.card_id);
    return error_detail (&merge->request->error, "card_id", "%lld", (long long)card->card.card_id);
}

/* A member has one card of such a program: the points go to the other's. */
static int
empty_card (struct merge *merge, int64_t card_id, int64_t to_id)
{
    struct unit_card *card = unit_card (merge->unit, card_id), *to = unit_card (merge->unit, to_id);
    if (card->card.blocked || to->card.blocked)
        return refuse_blocked (merge, card->card.blocked ? card : to);
    merge->points += card->card.points;
    merge->emptied++;
    return membership_empty (merge->executor, &merge->savepoint, card_id, to_id, &merge->change,
                             &merge->request->error);
}

/* Every card of the one that goes: given to the other, or emptied into one of it. Those that gave way to one of them before follow
 * it. */
static int
move_cards (struct merge *merge)
{
    struct unit *unit = merge->unit;
    for (uint32_t i = 0; i < unit->card_count; i++) {
        struct unit_card *card = &unit->cards[i];
        if (!card->card.has_partner || card->card.partner_id != merge->from->partner_id || card->merged_into != 0)
            continue;
        int64_t card_id = card->card.card_id;
        struct unit_card *to =
            card->single ? card_of_program (merge, merge->into->partner_id, card->card.program_id) : NULL;
        int64_t to_id = to != NULL ? to->card.card_id : 0;
        if (to_id != 0 && empty_card (merge, card_id, to_id) < 0)
            return -1;
        merge->given += to_id == 0;
        for (uint32_t j = 0; j < unit->card_count; j++) {
            struct unit_card *old = &unit->cards[j];
            if (old->merged_into == card_id &&
                unit_card_give (unit, old, merge->into->partner_id, to_id != 0 ? to_id : card_id) < 0)
                return no_memory (merge);
        }
        if (unit_card_give (unit, &unit->cards[i], merge->into->partner_id, to_id) < 0)
            return no_memory (merge);
    }
    return 0;
}

/* ---- figures */

/* Spending by day is kept of both from now on, if it was of one. */
static int
move_days (struct merge *merge)
{
    struct unit *unit = merge->unit;
    struct unit_member *from = merge->from, *into = merge->into;
    struct pg_params params = { .arena = unit->arena };
    if (!from->has_undated && !into->has_undated)
        return 0;
    into->undated_minor = (from->has_undated ? from->undated_minor : from->spending_minor) +
                          (into->has_undated ? into->undated_minor : into->spending_minor);
    into->has_undated = true;
    from->has_undated = false;
    from->undated_minor = 0;
    pg_param_int2 (&params, from->bucket);
    pg_param_int8 (&params, from->partner_id);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_SPENDING_TAKE, &params, unit->deadline_us, &unit->failure, &merge->request->error);
    int status = result == NULL ? -1 : 0;
    for (int row = 0; result != NULL && status == 0 && row < PQntuples (result); row++) {
        struct unit_spent spent = { into->bucket,
                                    into->partner_id,
                                    { (int32_t)pg_int (result, row, 0), pg_int (result, row, 1) } };
        if (unit_add_spent (unit, &spent) < 0)
            status = no_memory (merge);
    }
    PQclear (result);
    return status;
}

static int
move_counts (struct merge *merge)
{
    struct unit_member *from = merge->from, *into = merge->into;
    if (move_days (merge) < 0)
        return -1;
    if (__builtin_add_overflow (into->spending_minor, from->spending_minor, &into->spending_minor))
        return request_fail (merge->request, ERROR_INVALID_REQUEST, "the members' spending does not fit 64 bits");
    into->order_count += from->order_count;
    if (from->last_order > into->last_order)
        into->last_order = from->last_order;
    from->order_count = 0;
    from->spending_minor = 0;
    from->changed = into->changed = true;
    return 0;
}

/* Adds what was counted of the one that goes: a limit that both together are over is reached. */
static int
add_usages (struct merge *merge, const PGresult *taken)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT2, PG_INT4, PG_INT8, PG_INT8 };
    enum { COLUMNS = 5 };
    struct unit *unit = merge->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        pg_array_begin (&columns[i], TYPES[i]);
    for (int row = 0; row < PQntuples (taken); row++)
        for (int i = 0; i < COLUMNS; i++)
            pg_array_int (&columns[i], pg_int (taken, row, i));
    pg_param_int2 (&params, merge->into->bucket);
    pg_param_int8 (&params, merge->into->partner_id);
    for (int i = 0; i < COLUMNS; i++)
        pg_param_array (&params, &columns[i]);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_USAGES_ADD, &params, unit->deadline_us, &unit->failure, &merge->request->error);
    PQclear (result);
    return result == NULL ? -1 : 0;
}

static int
move_usages (struct merge *merge)
{
    struct unit *unit = merge->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, merge->from->bucket);
    pg_param_int8 (&params, merge->from->partner_id);
    PGresult *taken =
        pg_run (unit->pg, STATEMENT_USAGES_TAKE, &params, unit->deadline_us, &unit->failure, &merge->request->error);
    if (taken == NULL)
        return -1;
    int status = PQntuples (taken) > 0 ? add_usages (merge, taken) : 0;
    PQclear (taken);
    return status;
}

/* ---- the level */

/* The level that both together stand on: the higher one, as long as its member had it; of one level, the longer of the two. */
static struct membership
joined (const struct level *from, const struct level *into, const struct membership *of_from,
        const struct membership *of_into)
{
    struct membership membership = from > into || (from == into && !of_into->has_level) ? *of_from : *of_into;
    membership.below_since = INSTANT_NONE;
    if (from != into || !of_from->has_level || !of_into->has_level)
        return membership;
    membership.from = of_from->from < of_into->from ? of_from->from : of_into->from;
    membership.to = of_from->to > of_into->to ? of_from->to : of_into->to;
    return membership;
}

/* What the two held together is what late orders find. */
static int
note_level (struct merge *merge, const struct membership *both)
{
    struct unit_level level = { .bucket = merge->into->bucket,
                                .partner_id = merge->into->partner_id,
                                .membership_product_id = both->membership_product_id,
                                .since = both->from,
                                .until = both->to,
                                .order_ref = merge->change.order_ref,
                                .origin = merge->change.origin };
    if (!both->has_level || unit_add_level (merge->unit, &level) == 0)
        return 0;
    return error_set (&merge->request->error, ERROR_INTERNAL, "the worker is out of memory");
}

/* The higher level of the two, or what both reached together; points of other levels go to its card. */
static int
move_level (struct merge *merge, const struct level **level)
{
    const struct catalog *catalog = merge->executor->cache.catalog;
    struct unit_member *from = merge->from, *into = merge->into;
    int64_t now = merge->change.instant, program_id;
    const struct level *from_level = membership_level_at (catalog, &from->membership, now);
    const struct level *into_level = membership_level_at (catalog, &into->membership, now);
    struct membership both = joined (from_level, into_level, &from->membership, &into->membership);
    struct member_spending spending;
    struct error *err = &merge->request->error;
    if (unit_member_spending (merge->unit, into, membership_first_day (catalog, now), &spending, err) < 0)
        return -1;
    from->membership = (struct membership){ .from = INSTANT_NONE, .to = INSTANT_NEVER, .below_since = INSTANT_NONE };
    into->membership = both;
    from->membership_changed = into->membership_changed = true;
    *level = from_level;
    if (catalog->level_count == 0)
        return 0;
    if (note_level (merge, &both) < 0)
        return -1;
    const struct level *held = from_level > into_level ? from_level : into_level;
    *level = membership_upgrade (catalog, held, &spending, now);
    merge->change.catalog = catalog;
    merge->change.before = into_level;
    merge->change.after = *level;
    merge->change.from = *level == held && both.has_level ? both.from : now;
    merge->change.to = *level == held && both.has_level ? both.to : INSTANT_NEVER;
    return *level != into_level
               ? membership_change (merge->executor, &merge->savepoint, into, &merge->change, &program_id, err)
               : membership_move_points (merge->executor, &merge->savepoint, into, &merge->change, &program_id, err);
}

/* ---- together */

static int
join_members (struct merge *merge)
{
    struct unit_member *from = merge->from, *into = merge->into;
    uint32_t count = into->absorbed_count;
    int64_t *absorbed = arena_array_of (merge->unit->arena, (size_t)count + from->absorbed_count + 1, int64_t);
    if (absorbed == NULL)
        return no_memory (merge);
    if (event_member_merged (merge->unit, from, into, &merge->request->error) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++)
        absorbed[i] = into->absorbed[i];
    for (uint32_t i = 0; i < from->absorbed_count; i++) {
        struct unit_member *older = unit_member_row (merge->unit, from->absorbed[i]);
        older->merged_into = into->partner_id;
        older->merge_changed = true;
        absorbed[count++] = older->partner_id;
    }
    absorbed[count++] = from->partner_id;
    into->absorbed = absorbed;
    into->absorbed_count = count;
    from->absorbed_count = 0;
    from->is_merged = true;
    from->merged_into = into->partner_id;
    from->merge_changed = into->merge_changed = true;
    return 0;
}

static int
answer (struct merge *merge, const struct level *level)
{
    unsigned digits = merge->executor->cache.catalog->currency_digits;
    struct buf *out = &merge->request->reply;
    render_ok (out, 9);
    render_bool (out, "replayed", false);
    request_tells_of (merge->request, merge->into->partner_id);
    request_tells_of (merge->request, merge->from->partner_id);
    render_int (out, "partner_id", merge->into->partner_id);
    render_int (out, "merged", merge->from->partner_id);
    render_int (out, "cards_moved", merge->given);
    render_int (out, "cards_emptied", merge->emptied);
    render_points (out, "points_moved", merge->points);
    render_int (out, "orders", merge->into->order_count);
    wire_write_cstr (out, "lifetime_spending");
    wire_write_decimal (out, merge->into->spending_minor, digits, digits);
    if (level != NULL)
        render_int (out, "level", level->membership_product_id);
    else
        render_nil (out, "level");
    return 0;
}

int
member_merge_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *reason = &request->record->fields[F_MEMBER_MERGE_REASON];
    struct merge merge = { .executor = executor, .request = request, .unit = &executor->unit };
    const struct level *level;
    bool again;
    merge.change =
        (struct member_change){ .instant = executor->unit.recorded_at,
                                .points = CHANGE_TRANSFER,
                                .origin = arena_str (executor->transaction,
                                                     reason->present ? reason->text : STR ("member.merge")) };
    if (merge.change.origin.data == NULL)
        return no_memory (&merge);
    /* Those that became the one that goes become the other with it. */
    if (find_members (&merge) < 0 || member_lock_absorbed (executor, request, merge.from, &again) < 0)
        return -1;
    if (again) {
        request->status = REQUEST_DEFERRED;
        return 0;
    }
    /* Its own transaction, which a failure takes back whole. */
    unit_save (merge.unit, &merge.savepoint);
    if (move_cards (&merge) < 0 || move_counts (&merge) < 0 || move_usages (&merge) < 0 ||
        move_level (&merge, &level) < 0 || join_members (&merge) < 0)
        return -1;
    return answer (&merge, level);
}
