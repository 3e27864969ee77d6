/* take_part.c - which programs take part in an order: when, where, for whom, and within which limits (rules 1, 8, 27, 30, 31). */
#include "domain/filter.h"
#include "domain/work.h"

/* The day whose hours are running: past midnight, hours that began the evening before still belong to that day. */
static bool
hours_include (const struct program *program, int minute, bool *of_yesterday)
{
    int from = program->hours_from_minute, to = program->hours_to_minute;
    *of_yesterday = false;
    if (from < to)
        return minute >= from && minute < to;
    *of_yesterday = minute < to;
    return minute >= from || minute < to;
}

static bool
is_listed_draft (const struct order *order, int64_t program_id)
{
    for (uint32_t i = 0; i < order->draft_count; i++)
        if (order->draft_program_ids[i] == program_id)
            return true;
    return false;
}

enum reason
take_part_facts (const struct work *work, const struct program *program)
{
    const struct order *order = work->order;
    if (program->state != PROGRAM_ACTIVE && !(program->state == PROGRAM_DRAFT && is_listed_draft (order, program->id)))
        return REASON_NOT_ACTIVE;
    bool of_yesterday = false;
    bool in_hours = !program->has_hours || hours_include (program, work->minute, &of_yesterday);
    int32_t day = work->day - of_yesterday;
    int weekday = of_yesterday ? (work->weekday + 6) % 7 : work->weekday;
    if (program->has_date_from && day < program->date_from)
        return REASON_BEFORE_DATE_FROM;
    if (program->has_date_to && day > program->date_to)
        return REASON_AFTER_DATE_TO;
    if (program->weekdays != 0 && (program->weekdays & 1u << weekday) == 0)
        return REASON_WRONG_WEEKDAY;
    if (!in_hours)
        return REASON_WRONG_HOURS;
    if (program->stores.count > 0 && !(order->has_store && id_list_has (&program->stores, order->store_id)))
        return REASON_WRONG_STORE;
    if (program->channels != 0 && (program->channels & 1u << order->channel) == 0)
        return REASON_WRONG_CHANNEL;
    if (program->pricelists.count > 0 &&
        !(order->has_pricelist && id_list_has (&program->pricelists, order->pricelist_id)))
        return REASON_WRONG_PRICELIST;
    return REASON_NONE;
}

/* The member, or a level that the order's member has to hold. */
static enum reason
needs_level (const struct order *order, bool fits)
{
    if (!order->has_partner)
        return REASON_NO_MEMBER;
    return order->member.has_level && fits ? REASON_NONE : REASON_WRONG_MEMBERSHIP;
}

static const struct usage_state *
usage_of (const struct work *work, int64_t program_id)
{
    uint32_t low = 0, high = work->order->usage_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (work->order->usages[middle].program_id < program_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < work->order->usage_count && work->order->usages[low].program_id == program_id
               ? &work->order->usages[low]
               : NULL;
}

const char *
limit_reached (const struct work *work, const struct program *program, int64_t *needed, int64_t *had)
{
    const struct usage_state *usage = usage_of (work, program->id);
    for (unsigned limit = 0; usage != NULL && limit < LIMIT_COUNT; limit++)
        if (program->limits[limit] != 0 && usage->used[limit] >= program->limits[limit]) {
            *needed = program->limits[limit];
            *had = usage->used[limit];
            return LIMIT_NAMES[limit];
        }
    return NULL;
}

bool
limit_over_budget (const struct work *work, const struct program *program, int64_t given_minor, int64_t *needed,
                   int64_t *had)
{
    const struct usage_state *usage = usage_of (work, program->id);
    *needed = program->limits[LIMIT_BUDGET];
    *had = (usage != NULL ? usage->used[LIMIT_BUDGET] : 0) + given_minor;
    return *needed != 0 && *had > *needed;
}

int64_t
limit_budget_left (const struct work *work, const struct program *program)
{
    if (program->limits[LIMIT_BUDGET] == 0 || work->order->forgiving)
        return INT64_MAX;
    const struct usage_state *usage = usage_of (work, program->id);
    int64_t left = program->limits[LIMIT_BUDGET] - (usage != NULL ? usage->used[LIMIT_BUDGET] : 0);
    for (uint32_t d = 0; d < work->applied_count; d++)
        if (work->entries[work->applied[d].entry].program == program)
            left -= work->applied[d].discount.amount_minor;
    return left > 0 ? left : 0;
}

enum reason
match_takes_part (const struct work *work, const struct program *program)
{
    enum reason reason = take_part_facts (work, program);
    if (reason != REASON_NONE)
        return reason;
    if (program->has_membership)
        reason = needs_level (work->order, program->membership_product_id == work->order->member.membership_product_id);
    if (reason != REASON_NONE)
        return reason;
    int64_t needed, had;
    return !work->order->forgiving && limit_reached (work, program, &needed, &had) != NULL ? REASON_LIMIT_REACHED
                                                                                           : REASON_NONE;
}

void
take_part_level (struct work *work)
{
    const struct member_state *member = &work->order->member;
    work->multiplier_micro = MICRO;
    if (!work->order->has_partner || !member->has_level)
        return;
    for (uint32_t l = 0; l < work->catalog->level_count; l++)
        if (work->catalog->levels[l].membership_product_id == member->membership_product_id)
            work->multiplier_micro = work->catalog->levels[l].earn_multiplier_micro;
    for (uint32_t i = 0; i < work->index->loyalty.count && work->primary == NULL; i++) {
        const struct program *program = &work->catalog->programs[work->index->loyalty.items[i]];
        if (program->is_primary_loyalty && program->has_membership && match_takes_part (work, program) == REASON_NONE)
            work->primary = program;
    }
}

int32_t
birthday_nearest (int32_t birthday, int32_t day)
{
    struct civil born, now;
    civil_from_day (birthday, &born);
    civil_from_day (day, &now);
    int32_t nearest = 0, least = INT32_MAX;
    for (int32_t year = now.year - 1; year <= now.year + 1; year++) {
        int days = days_in_month (year, born.month);
        int32_t at = day_from_civil (year, born.month, born.day < days ? born.day : days);
        int32_t distance = at > day ? at - day : day - at;
        if (distance <= least) {
            nearest = at;
            least = distance;
        }
    }
    return nearest;
}

static enum reason
near_birthday (const struct work *work, const struct program *program, const struct rule *rule)
{
    const struct member_state *member = &work->order->member;
    if (!work->order->has_partner)
        return REASON_NO_MEMBER;
    if (!member->has_birthday)
        return REASON_NOT_BIRTHDAY;
    int32_t birthday = birthday_nearest (member->birthday, work->engine_day);
    if (work->engine_day < birthday - rule->birthday_days_before ||
        work->engine_day > birthday + rule->birthday_days_after)
        return REASON_NOT_BIRTHDAY;
    const struct usage_state *usage = usage_of (work, program->id);
    return usage != NULL && usage->birthday_used && !work->order->forgiving ? REASON_LIMIT_REACHED : REASON_NONE;
}

enum reason
take_part_member (const struct work *work, const struct program *program, const struct rule *rule)
{
    const struct order *order = work->order;
    enum reason reason = REASON_NONE;
    if (rule->membership_product_ids.count > 0)
        reason = needs_level (order, id_list_has (&rule->membership_product_ids, order->member.membership_product_id));
    if (reason == REASON_NONE && rule->first_order && !(order->has_partner && order->member.is_first_order))
        reason = order->has_partner ? REASON_NOT_FIRST_ORDER : REASON_NO_MEMBER;
    return reason == REASON_NONE && rule->has_birthday ? near_birthday (work, program, rule) : reason;
}
