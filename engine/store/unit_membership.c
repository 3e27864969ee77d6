/* unit_membership.c - a unit of work's memberships: levels, what members spent by day, lots that were moved. */
#include "store/unit_private.h"

static int64_t
time_or (const PGresult *result, int row, int column, int64_t otherwise)
{
    return pg_is_null (result, row, column) ? otherwise : pg_time (result, row, column);
}

void
unit_membership_read (struct unit_member *member, const PGresult *result, int row, int column)
{
    enum { LEVEL, FROM, TO, BELOW_SINCE, UNDATED };
    member->membership =
        (struct membership){ .has_level = !pg_is_null (result, row, column + LEVEL),
                             .membership_product_id = pg_int (result, row, column + LEVEL),
                             .from = time_or (result, row, column + FROM, INSTANT_NONE),
                             .to = time_or (result, row, column + TO, INSTANT_NEVER),
                             .below_since = time_or (result, row, column + BELOW_SINCE, INSTANT_NONE) };
    member->has_undated = !pg_is_null (result, row, column + UNDATED);
    member->undated_minor = pg_int (result, row, column + UNDATED);
}

/* ---- reading on demand */

static int
read_days (struct unit *unit, struct unit_member *member, int32_t first_day, struct error *err)
{
    struct pg_params params = unit_params (unit);
    pg_param_int2 (&params, member->bucket);
    pg_param_int8 (&params, member->partner_id);
    pg_param_int4 (&params, first_day);
    PGresult *result = pg_run (unit->pg, STATEMENT_SPENDING_SINCE, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    uint32_t count = (uint32_t)PQntuples (result);
    struct spent_day *days = arena_array_of (unit->arena, (size_t)count + 1, struct spent_day);
    for (uint32_t i = 0; days != NULL && i < count; i++)
        days[i] = (struct spent_day){ (int32_t)pg_int (result, (int)i, 0), pg_int (result, (int)i, 1) };
    PQclear (result);
    if (days == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory for a member's spending");
    member->days_read = true;
    member->days_from = first_day;
    member->day_count = count;
    member->days = days;
    return 0;
}

static int
take_days (struct unit *unit, const PGresult *result, int32_t first_day)
{
    int rows = PQntuples (result);
    struct spent_day *days = arena_array_of (unit->arena, (size_t)rows + 1, struct spent_day);
    for (int row = 0; days != NULL && row < rows; row++) {
        uint32_t at = map_get (&unit->member_index, pg_int (result, row, 0));
        struct unit_member *member = at == MAP_ABSENT ? NULL : &unit->members[at];
        days[row] = (struct spent_day){ (int32_t)pg_int (result, row, 1), pg_int (result, row, 2) };
        if (member == NULL)
            continue;
        if (!member->days_read || member->days_from != first_day) {
            member->days_read = true;
            member->days_from = first_day;
            member->days = &days[row];
            member->day_count = 0;
        }
        member->day_count++; /* rows of a member come one after another */
    }
    return days == NULL ? -1 : 0;
}

int
unit_read_spending (struct unit *unit, int32_t first_day, struct error *err)
{
    int64_t *ids = arena_array_of (unit->arena, (size_t)unit->member_count + 1, int64_t);
    if (ids == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory for spending");
    for (int bucket = 0; first_day != INT32_MAX && bucket < unit->buckets; bucket++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < unit->member_count; i++) {
            struct unit_member *member = &unit->members[i];
            if (member->bucket != bucket || !member->found || !member->has_undated ||
                (member->days_read && member->days_from <= first_day))
                continue;
            ids[count++] = member->partner_id;
        }
        if (count == 0)
            continue;
        struct pg_params params = unit_params (unit);
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_int8s (&params, ids, count);
        pg_param_int4 (&params, first_day);
        PGresult *result =
            pg_run (unit->pg, STATEMENT_SPENDING_OF_MEMBERS, &params, unit->deadline_us, &unit->failure, err);
        if (result == NULL)
            return -1;
        int status = take_days (unit, result, first_day);
        PQclear (result);
        if (status < 0)
            return error_set (err, ERROR_INTERNAL, "out of memory for spending");
        for (uint32_t i = 0; i < count; i++) {
            struct unit_member *member = unit_member (unit, ids[i]);
            if (member == NULL || (member->days_read && member->days_from == first_day))
                continue;
            member->days_read = true; /* it spent nothing since */
            member->days_from = first_day;
            member->day_count = 0;
        }
    }
    return 0;
}

int
unit_member_spending (struct unit *unit, struct unit_member *member, int32_t first_day,
                      struct member_spending *spending, struct error *err)
{
    *spending = (struct member_spending){ .lifetime_minor = member->spending_minor };
    if (first_day == INT32_MAX)
        return 0;
    if (!member->days_read || member->days_from > first_day) {
        member->day_count = 0;
        if (member->has_undated && read_days (unit, member, first_day, err) < 0)
            return -1;
    }
    struct spent_day *days =
        arena_array_of (unit->arena, (size_t)member->day_count + unit->spent_count + 1, struct spent_day);
    if (days == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory for a member's spending");
    for (uint32_t i = 0; i < member->day_count; i++)
        days[spending->day_count++] = member->days[i];
    for (uint32_t i = 0; i < unit->spent_count; i++)
        if (unit->spent[i].partner_id == member->partner_id)
            days[spending->day_count++] = unit->spent[i].spent;
    spending->days = days;
    return 0;
}

/* Of the levels that this unit gives: the last one that was held then. */
static const struct unit_level *
level_given (const struct unit *unit, int64_t partner_id, int64_t instant)
{
    for (uint32_t i = unit->level_count; i > 0; i--)
        if (unit->levels[i - 1].partner_id == partner_id && unit->levels[i - 1].since <= instant)
            return &unit->levels[i - 1];
    return NULL;
}

static int
read_then (struct unit *unit, struct unit_member *member, int64_t instant, struct error *err)
{
    struct pg_params params = unit_params (unit);
    pg_param_int2 (&params, member->bucket);
    pg_param_int8 (&params, member->partner_id);
    pg_param_time (&params, instant);
    PGresult *result = pg_run (unit->pg, STATEMENT_MEMBERSHIP_AT, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    member->then_read = true;
    member->then_instant = instant;
    member->then = (struct membership){ .from = INSTANT_NONE, .to = INSTANT_NEVER, .below_since = INSTANT_NONE };
    if (PQntuples (result) > 0) {
        member->then.has_level = true;
        member->then.membership_product_id = pg_int (result, 0, 0);
        member->then.from = pg_time (result, 0, 1);
        member->then.to = pg_time (result, 0, 2);
    }
    PQclear (result);
    return 0;
}

int
unit_membership_at (struct unit *unit, struct unit_member *member, int64_t instant, struct membership *then,
                    struct error *err)
{
    *then = member->membership;
    if (!then->has_level || instant >= then->from)
        return 0;
    const struct unit_level *given = level_given (unit, member->partner_id, instant);
    if (given != NULL) {
        *then = (struct membership){ .has_level = true,
                                     .membership_product_id = given->membership_product_id,
                                     .from = given->since,
                                     .to = given->until,
                                     .below_since = INSTANT_NONE };
        return 0;
    }
    if (!(member->then_read && member->then_instant == instant) && read_then (unit, member, instant, err) < 0)
        return -1;
    *then = member->then;
    return 0;
}

int
unit_lot_moved (struct unit *unit, int64_t card_id, int32_t lot_no, int64_t *to_card_id, struct lot_use **lots,
                uint32_t *count, struct error *err)
{
    struct pg_params params = unit_params (unit);
    *count = 0;
    pg_param_int2 (&params, bucket_of_card (card_id, unit->buckets));
    pg_param_int8 (&params, card_id);
    pg_param_int4 (&params, lot_no);
    PGresult *result = pg_run (unit->pg, STATEMENT_LOT_TRANSFERS_READ, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    uint32_t stored = (uint32_t)PQntuples (result);
    *lots = arena_array_of (unit->arena, (size_t)stored + unit->transfer_count + 1, struct lot_use);
    for (uint32_t i = 0; *lots != NULL && i < stored; i++) {
        *to_card_id = pg_int (result, (int)i, 0);
        (*lots)[(*count)++] = (struct lot_use){ (int32_t)pg_int (result, (int)i, 1), 0 };
    }
    PQclear (result);
    for (uint32_t i = 0; *lots != NULL && i < unit->transfer_count; i++)
        if (unit->transfers[i].from_card == card_id && unit->transfers[i].move.from_lot == lot_no) {
            *to_card_id = unit->transfers[i].to_card;
            (*lots)[(*count)++] = (struct lot_use){ unit->transfers[i].move.to_lot, 0 };
        }
    return *lots != NULL ? 0 : error_set (err, ERROR_INTERNAL, "out of memory for lots that were moved");
}

/* ---- writing */

static void
add_int (struct pg_array *column, bool is_there, int64_t value)
{
    if (is_there)
        pg_array_int (column, value);
    else
        pg_array_null (column);
}

static void
add_time (struct pg_array *column, bool is_there, int64_t instant)
{
    if (is_there)
        pg_array_time (column, instant);
    else
        pg_array_null (column);
}

int
unit_send_memberships (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 6, TYPES);
    for (uint32_t i = 0; i < unit->member_count; i++) {
        const struct unit_member *member = &unit->members[i];
        const struct membership *membership = &member->membership;
        if (member->bucket != bucket || !member->membership_changed)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], member->partner_id);
        add_int (&rows.columns[1], membership->has_level, membership->membership_product_id);
        add_time (&rows.columns[2], membership->has_level, membership->from);
        add_time (&rows.columns[3], membership->has_level, membership->to);
        add_time (&rows.columns[4], membership->below_since != INSTANT_NONE, membership->below_since);
        add_int (&rows.columns[5], member->has_undated, member->undated_minor);
    }
    return rows_send (unit, STATEMENT_MEMBERSHIPS_UPDATE, bucket, false, false, &rows, sent);
}

int
unit_send_levels (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8, PG_TEXT };
    struct rows rows;
    rows_begin (&rows, 6, TYPES);
    for (uint32_t i = 0; i < unit->level_count; i++) {
        const struct unit_level *level = &unit->levels[i];
        if (level->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], level->partner_id);
        pg_array_int (&rows.columns[1], level->membership_product_id);
        pg_array_time (&rows.columns[2], level->since);
        pg_array_time (&rows.columns[3], level->until);
        pg_array_int (&rows.columns[4], level->order_ref);
        pg_array_bytes (&rows.columns[5], level->origin);
    }
    return rows_send (unit, STATEMENT_MEMBERSHIP_HISTORY_INSERT, bucket, false, true, &rows, sent);
}

int
unit_send_spent (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT4, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 3, TYPES);
    for (uint32_t i = 0; i < unit->spent_count; i++) {
        if (unit->spent[i].bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], unit->spent[i].partner_id);
        pg_array_int (&rows.columns[1], unit->spent[i].spent.day);
        pg_array_int (&rows.columns[2], unit->spent[i].spent.minor);
    }
    return rows_send (unit, STATEMENT_SPENDING_ADD, bucket, false, false, &rows, sent);
}

int
unit_send_transfers (struct unit *unit, int bucket, unsigned *sent)
{
    static const enum pg_type TYPES[] = { PG_INT8, PG_INT4, PG_INT8, PG_INT4, PG_INT8 };
    struct rows rows;
    rows_begin (&rows, 5, TYPES);
    for (uint32_t i = 0; i < unit->transfer_count; i++) {
        const struct unit_transfer *transfer = &unit->transfers[i];
        if (transfer->bucket != bucket)
            continue;
        rows.count++;
        pg_array_int (&rows.columns[0], transfer->from_card);
        pg_array_int (&rows.columns[1], transfer->move.from_lot);
        pg_array_int (&rows.columns[2], transfer->to_card);
        pg_array_int (&rows.columns[3], transfer->move.to_lot);
        pg_array_int (&rows.columns[4], transfer->move.points);
    }
    return rows_send (unit, STATEMENT_LOT_TRANSFERS_INSERT, bucket, false, true, &rows, sent);
}
