/* membership_methods.c - see membership_methods.h. */
#include "worker/membership_methods.h"
#include "wire/msgpack.h"
#include "worker/membership.h"
#include "render/render.h"

_Static_assert((int)F_MEMBERSHIP_GET_PARTNER_ID == (int)F_MEMBERSHIP_CHANGE_PARTNER_ID,
               "membership_want reads the partner of both");

int
membership_prepare (struct executor *executor, struct request *request)
{
    int64_t partner_id = request->record->fields[F_MEMBERSHIP_GET_PARTNER_ID].integer;
    request->member_bucket = bucket_of_partner (partner_id, executor->engine->buckets);
    return 0;
}

int
membership_want (struct executor *executor, struct request *request)
{
    return unit_want_member (&executor->unit, request->record->fields[F_MEMBERSHIP_GET_PARTNER_ID].integer, false);
}

static struct unit_member *
member_of (struct executor *executor, struct request *request)
{
    int64_t partner_id = request->record->fields[F_MEMBERSHIP_GET_PARTNER_ID].integer;
    struct unit_member *member = unit_member (&executor->unit, partner_id);
    if (member == NULL)
        error_field (&request->error, ERROR_NOT_FOUND, "partner_id", "there is no member %lld", (long long)partner_id);
    return member;
}

/* ---- answers */

enum { MEMBERSHIP_FIELDS = 9 };

static void
render_time_or_nil (struct buf *out, const char *name, bool is_there, int64_t instant)
{
    if (is_there)
        render_time (out, name, instant);
    else
        render_nil (out, name);
}

static void
render_money (struct executor *executor, struct buf *out, const char *name, int64_t minor)
{
    unsigned digits = executor->cache.catalog->currency_digits;
    wire_write_cstr (out, name);
    wire_write_decimal (out, minor, digits, digits);
}

/* MEMBERSHIP_FIELDS fields of the caller's map: the member as it is now. */
static int
render_membership (struct executor *executor, struct request *request, struct unit_member *member)
{
    const struct catalog *catalog = executor->cache.catalog;
    const struct membership *membership = &member->membership;
    int64_t now = executor->unit.recorded_at;
    struct buf *out = &request->reply;
    struct member_spending spending;
    struct membership_outlook outlook = { .spending_minor = member->spending_minor };
    const struct level *level = membership_level_at (catalog, membership, now);
    if (unit_member_spending (&executor->unit, member, membership_first_day (catalog, now), &spending,
                              &request->error) < 0)
        return -1;
    if (level != NULL)
        outlook = membership_outlook (catalog, level, &spending, now);
    bool holds = level != NULL && membership->has_level &&
                 membership->membership_product_id == level->membership_product_id && now < membership->to;
    request_tells_of (request, member->partner_id);
    render_int (out, "partner_id", member->partner_id);
    if (level != NULL)
        render_int (out, "level", level->membership_product_id);
    else
        render_nil (out, "level");
    render_time_or_nil (out, "from", holds, membership->from);
    render_time_or_nil (out, "to", holds && membership->to != INSTANT_NEVER, membership->to);
    render_time_or_nil (out, "below_since", membership->below_since != INSTANT_NONE, membership->below_since);
    render_money (executor, out, "lifetime_spending", member->spending_minor);
    render_money (executor, out, "spending", outlook.spending_minor);
    if (outlook.next != NULL) {
        render_int (out, "next_level", outlook.next->membership_product_id);
        render_money (executor, out, "missing", outlook.missing_minor);
    } else {
        render_nil (out, "next_level");
        render_nil (out, "missing");
    }
    return 0;
}

static void
render_before (struct buf *out, const struct level *before)
{
    if (before != NULL)
        render_int (out, "before", before->membership_product_id);
    else
        render_nil (out, "before");
}

int
membership_get_execute (struct executor *executor, struct request *request)
{
    struct unit_member *member = member_of (executor, request);
    if (member == NULL)
        return -1;
    render_ok (&request->reply, MEMBERSHIP_FIELDS);
    return render_membership (executor, request, member);
}

/* ---- by hand */

static int64_t
time_or (struct executor *executor, const struct wire_value *value, int64_t otherwise)
{
    if (!value->present || value->time.has_offset)
        return value->present ? value->time.us : otherwise;
    int64_t day = value->time.us / US_PER_DAY - (value->time.us % US_PER_DAY < 0);
    return instant_from_local (&executor->cache.catalog->zone, (int32_t)day, value->time.us - day * US_PER_DAY);
}

static int
check_change (const struct member_change *change, int64_t level_id, struct error *err)
{
    if (change->after == NULL)
        return error_field (err, ERROR_INVALID_MEMBERSHIP, "membership_product_id", "there is no level %lld",
                            (long long)level_id);
    if (change->from > change->instant)
        return error_field (err, ERROR_INVALID_MEMBERSHIP, "from", "lies in the future");
    if (change->to <= change->instant)
        return error_field (err, ERROR_INVALID_MEMBERSHIP, "to", "lies in the past");
    return 0;
}

static int
change_by_hand (struct executor *executor, struct request *request, struct unit_savepoint *savepoint,
                struct unit_member *member)
{
    const struct wire_value *fields = request->record->fields;
    const struct wire_value *points = &fields[F_MEMBERSHIP_CHANGE_POINTS];
    const struct catalog *catalog = executor->cache.catalog;
    int64_t now = executor->unit.recorded_at, level_id = fields[F_MEMBERSHIP_CHANGE_LEVEL].integer, program_id;
    const struct level *held = membership_level_at (catalog, &member->membership, now);
    struct member_change change = { .catalog = catalog,
                                    .before = held,
                                    .after = membership_level (catalog, level_id),
                                    .from = time_or (executor, &fields[F_MEMBERSHIP_CHANGE_FROM], now),
                                    .to = time_or (executor, &fields[F_MEMBERSHIP_CHANGE_TO], INSTANT_NEVER),
                                    .instant = now,
                                    .origin = fields[F_MEMBERSHIP_CHANGE_REASON].text };
    if (check_change (&change, level_id, &request->error) < 0)
        return -1;
    change.points = points->present ? (enum level_change)points->integer : change.after->on_change;
    if (membership_change (executor, savepoint, member, &change, &program_id, &request->error) < 0)
        return -1;
    render_ok (&request->reply, MEMBERSHIP_FIELDS + 2);
    render_bool (&request->reply, "replayed", false);
    render_before (&request->reply, held);
    return render_membership (executor, request, member);
}

int
membership_change_execute (struct executor *executor, struct request *request)
{
    struct unit_savepoint savepoint;
    struct unit_member *member = member_of (executor, request);
    if (member == NULL)
        return -1;
    unit_save (&executor->unit, &savepoint);
    int status = change_by_hand (executor, request, &savepoint, member);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}

/* ---- by spending */

/* What an evaluation finds; the catalog has levels. */
static int
find_level (struct executor *executor, struct unit_member *member, struct member_change *change, bool *changes,
            int64_t *below_since, struct error *err)
{
    const struct catalog *catalog = executor->cache.catalog;
    int64_t now = executor->unit.recorded_at;
    struct member_spending spending;
    if (unit_member_spending (&executor->unit, member, membership_first_day (catalog, now), &spending, err) < 0)
        return -1;
    const struct level *held = membership_level_at (catalog, &member->membership, now);
    const struct level *booked = membership_booked (catalog, &member->membership);
    const struct level *after = membership_evaluate (catalog, &member->membership, &spending, now, below_since);
    bool is_over = member->membership.has_level && member->membership.to <= now;
    *change = (struct member_change){ .catalog = catalog,
                                      .before = is_over && after == held ? booked : held,
                                      .after = after,
                                      .from = is_over && after == held ? member->membership.to : now,
                                      .to = INSTANT_NEVER,
                                      .instant = now,
                                      .points = after->on_change,
                                      .origin = STR ("membership.evaluate") };
    *changes = after != held || (is_over && after != booked);
    return 0;
}

static int
evaluate (struct executor *executor, struct unit_savepoint *savepoint, struct unit_member *member, bool *changed,
          struct error *err)
{
    struct member_change change;
    int64_t below_since, program_id;
    *changed = false;
    if (executor->cache.catalog->level_count == 0)
        return 0;
    if (find_level (executor, member, &change, changed, &below_since, err) < 0)
        return -1;
    if (*changed)
        return membership_change (executor, savepoint, member, &change, &program_id, err);
    if (unit_save_member (&executor->unit, savepoint, member->partner_id) < 0)
        return error_set (err, ERROR_INTERNAL, "the worker is out of memory");
    member->membership_changed |= member->membership.below_since != below_since;
    member->membership.below_since = below_since;
    change.points = CHANGE_TRANSFER;
    return membership_move_points (executor, savepoint, member, &change, &program_id, err);
}

int
membership_needs_evaluation (struct executor *executor, struct unit_member *member, bool *needs, struct error *err)
{
    struct member_change change;
    int64_t below_since;
    if (find_level (executor, member, &change, needs, &below_since, err) < 0)
        return -1;
    *needs |= below_since != member->membership.below_since ||
              membership_points_to_move (executor, member->partner_id, &change);
    return 0;
}

int
membership_evaluate_member (struct executor *executor, struct unit_member *member, bool *changed, struct error *err)
{
    struct unit_savepoint savepoint;
    unit_save (&executor->unit, &savepoint);
    int status = evaluate (executor, &savepoint, member, changed, err);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}

int
membership_evaluate_execute (struct executor *executor, struct request *request)
{
    struct unit_member *member = member_of (executor, request);
    if (member == NULL)
        return -1;
    const struct level *held =
        membership_level_at (executor->cache.catalog, &member->membership, executor->unit.recorded_at);
    bool changed;
    if (membership_evaluate_member (executor, member, &changed, &request->error) < 0)
        return -1;
    render_ok (&request->reply, MEMBERSHIP_FIELDS + 3);
    render_bool (&request->reply, "replayed", false);
    render_bool (&request->reply, "changed", changed);
    render_before (&request->reply, held);
    return render_membership (executor, request, member);
}
