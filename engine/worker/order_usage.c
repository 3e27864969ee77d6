/* order_usage.c - uses of programs whose use is limited: the counters that an order needs, what they say, and counting. */
#include "domain/catalog_index.h"
#include "worker/order_run.h"
#include "worker/referral_methods.h"

/* The counter that each limit is compared with. */
static const enum usage_kind KINDS[LIMIT_COUNT] = {
    [LIMIT_TOTAL] = USAGE_TOTAL, [LIMIT_CUSTOMER] = USAGE_CUSTOMER, [LIMIT_STORE] = USAGE_STORE,
    [LIMIT_DAY] = USAGE_DAY,     [LIMIT_WEEK] = USAGE_WEEK,         [LIMIT_MONTH] = USAGE_MONTH,
    [LIMIT_YEAR] = USAGE_YEAR,   [LIMIT_BUDGET] = USAGE_TOTAL,
};

static bool
has_birthday_rule (const struct program *program)
{
    for (uint32_t i = 0; i < program->rule_count; i++)
        if (program->rules[i].has_birthday)
            return true;
    return false;
}

/* A bit for each counter that a use of the program goes to. */
static uint32_t
counters_of (const struct program *program)
{
    uint32_t counters = 0;
    for (int limit = 0; limit < LIMIT_COUNT; limit++)
        if (program->limits[limit] > 0)
            counters |= UINT32_C (1) << KINDS[limit];
    if (program->max_referral_usage > 0)
        counters |= UINT32_C (1) << USAGE_REFERRAL;
    return has_birthday_rule (program) ? counters | UINT32_C (1) << USAGE_BIRTHDAY : counters;
}

/* The year whose birthday is the nearest to a day; one of 29 February is on the 28th in other years. */
static int32_t
birthday_year (int32_t birthday, int32_t day)
{
    struct civil born, now;
    civil_from_day (birthday, &born);
    civil_from_day (day, &now);
    int32_t nearest = now.year;
    int32_t distance = INT32_MAX;
    for (int32_t year = now.year - 1; year <= now.year + 1; year++) {
        int last = days_in_month (year, born.month);
        int32_t away = day_from_civil (year, born.month, born.day < last ? born.day : last) - day;
        if (away < 0)
            away = -away;
        if (away < distance) {
            distance = away;
            nearest = year;
        }
    }
    return nearest;
}

/* The counter of an order's use, by the referral code of a card (0: none); false: it goes to none of this kind. */
static bool
key_of (const struct executor *executor, const struct order *order, int64_t program_id, int64_t referral_card,
        enum usage_kind kind, struct usage_key *key)
{
    int buckets = executor->engine->buckets;
    const struct zone *zone = &executor->cache.catalog->zone;
    /* An order of before a merge counts for the member that its own became. */
    int64_t member = order->has_partner ? unit_survivor (&executor->unit, order->partner_id) : USAGE_NOBODY;
    int32_t day = day_from_instant (zone, order->instant);
    struct civil civil;

    civil_from_instant (zone, order->instant, &civil);
    *key = (struct usage_key){ .bucket = bucket_of_partner (program_id, buckets),
                               .kind = (int16_t)kind,
                               .program_id = program_id,
                               .subject = member };
    if (order->has_partner && kind != USAGE_TOTAL && kind != USAGE_STORE)
        key->bucket = bucket_of_partner (member, buckets);
    switch (kind) {
    case USAGE_TOTAL:
        key->subject = USAGE_NOBODY;
        return true;
    case USAGE_STORE:
        key->subject = order->has_store ? order->store_id : USAGE_NOBODY;
        return true;
    case USAGE_CUSTOMER:
        return order->has_partner;
    case USAGE_DAY:
        key->period = day;
        return true;
    case USAGE_WEEK:
        key->period = day - civil.weekday;
        return true;
    case USAGE_MONTH:
        key->period = day_from_civil (civil.year, civil.month, 1);
        return true;
    case USAGE_YEAR:
        key->period = day_from_civil (civil.year, 1, 1);
        return true;
    case USAGE_BIRTHDAY:
        if (!order->has_partner || !order->member.has_birthday)
            return false;
        key->period = birthday_year (order->member.birthday, day);
        return true;
    case USAGE_REFERRAL:
        *key = referral_usage_key (buckets, program_id, referral_card);
        return referral_card != 0;
    }
    return false;
}

/* The card by whose referral code a program was used; 0: by none. */
static int64_t
referral_card_of (const struct evaluation *evaluation, const struct usage_result *usage)
{
    return evaluation->referral.program_id == usage->program_id ? evaluation->referral.card_id : 0;
}

int
referral_count (struct executor *executor, struct request *request)
{
    const struct order_request *data = request->data;
    for (uint32_t i = 0; i < data->presented_count; i++) {
        const struct presented_card *presented = &data->presented[i];
        const struct unit_card *card = presented->card_id == 0 ? NULL : unit_card (&executor->unit, presented->card_id);
        int64_t program_id = presented->is_referral ? presented->program_id : card != NULL ? card->card.program_id : 0;
        const struct program *program = catalog_program (executor->cache.catalog, program_id);
        struct usage_key key = referral_usage_key (executor->engine->buckets, program_id, presented->card_id);
        if (presented->presence == PRESENCE_CODE && program != NULL && program->max_referral_usage > 0 &&
            unit_want_usage (&executor->unit, &key, true) < 0)
            return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    }
    return 0;
}

int64_t
run_referral_uses (struct order_run *run, int64_t program_id, int64_t card_id)
{
    struct usage_key key = referral_usage_key (run->executor->engine->buckets, program_id, card_id);
    const struct unit_usage *usage = unit_usage (run->unit, &key);
    return usage != NULL && usage->found ? usage->used : 0;
}

/* ---- naming the counters */

static int
want_counters (struct executor *executor, const struct order *order, int64_t program_id, int64_t referral_card,
               uint32_t counters, bool to_count)
{
    struct usage_key key;
    for (int kind = USAGE_TOTAL; kind <= USAGE_REFERRAL; kind++)
        if ((counters >> kind & 1) != 0 &&
            key_of (executor, order, program_id, referral_card, (enum usage_kind)kind, &key) &&
            unit_want_usage (&executor->unit, &key, to_count) < 0)
            return -1;
    return 0;
}

/* Birthdays are read when the first order of the batch may need one, for all of its members. */
static int
read_birthdays (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    if (unit->birthdays_read)
        return 0;
    unit->birthdays_read = true;
    return unit_read_birthdays (unit, &request->error);
}

static void
set_birthday (struct unit *unit, struct order *order)
{
    const struct unit_member *member = order->has_partner ? unit_member (unit, order->partner_id) : NULL;
    order->member.has_birthday = member != NULL && member->has_birthday;
    order->member.birthday = member != NULL ? member->birthday : 0;
}

static int
count_limited (struct executor *executor, struct request *request, struct order *order)
{
    struct order_request *data = request->data;
    const struct catalog *catalog = executor->cache.catalog;
    if (evaluate_limited (catalog, order, executor->transaction, &data->limited_ids, &data->limited_count,
                          &request->error) < 0)
        return -1;
    for (uint32_t i = 0; i < data->limited_count; i++) {
        const struct program *program = catalog_program (catalog, data->limited_ids[i]);
        if (has_birthday_rule (program) && read_birthdays (executor, request) < 0)
            return -1;
        set_birthday (&executor->unit, order);
        if (want_counters (executor, order, program->id, 0, counters_of (program), true) < 0)
            return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    }
    return 0;
}

int
order_count (struct executor *executor, struct request *request)
{
    struct order_request *data = request->data;
    const struct catalog *catalog = executor->cache.catalog;
    data->limited_count = 0;
    for (uint32_t i = 0; i < data->original_count; i++) {
        const struct order_record *record = data->originals[i].record;
        for (uint32_t j = 0; record != NULL && j < record->evaluation.usage_count; j++) {
            const struct usage_result *usage = &record->evaluation.usages[j];
            if (want_counters (executor, &record->order, usage->program_id,
                               referral_card_of (&record->evaluation, usage), usage->counters, false) < 0)
                return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
        }
    }
    if (data->kind == RECORD_CANCEL)
        return 0;
    if (data->order.draft_count > 0 && read_birthdays (executor, request) < 0)
        return -1;
    if (catalog->index->limited.count == 0)
        return 0;
    struct order order = data->order;
    order.instant = order_instant (catalog, &executor->unit, data);
    return count_limited (executor, request, &order) < 0 ? -1 : referral_count (executor, request);
}

/* ---- what they say */

static int
state_of (struct order_run *run, const struct program *program, struct usage_state *state)
{
    const struct order *order = &run->record.order;
    struct usage_key key;
    *state = (struct usage_state){ .program_id = program->id };
    for (int kind = USAGE_TOTAL; kind <= USAGE_REFERRAL; kind++) {
        if ((counters_of (program) >> kind & 1) == 0 ||
            !key_of (run->executor, order, program->id, 0, (enum usage_kind)kind, &key))
            continue;
        const struct unit_usage *usage = unit_usage (run->unit, &key);
        /* What a program counted by an old catalog and does not any more counts nothing. */
        if (usage == NULL && run->unit->locking && run->catalog == run->executor->cache.catalog) {
            /* An earlier order of the batch moved the member's clock into another period. */
            run->request->status = REQUEST_DEFERRED;
            return -1;
        }
        if (usage == NULL || !usage->found)
            continue;
        for (int limit = 0; limit < LIMIT_COUNT; limit++)
            if ((int)KINDS[limit] == kind)
                state->used[limit] = limit == LIMIT_BUDGET ? usage->amount_minor : usage->used;
        if (kind == USAGE_BIRTHDAY)
            state->birthday_used = usage->used > 0;
    }
    return 0;
}

int
run_usage_states (struct order_run *run)
{
    struct order *order = &run->record.order;
    set_birthday (run->unit, order);
    if (run->data->limited_count == 0)
        return 0;
    struct usage_state *states = arena_array_of (run->arena, run->data->limited_count, struct usage_state);
    if (states == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < run->data->limited_count; i++) {
        const struct program *program = catalog_program (run->catalog, run->data->limited_ids[i]);
        if (program != NULL && state_of (run, program, &states[order->usage_count++]) < 0)
            return -1;
    }
    order->usages = states;
    return 0;
}

/* ---- counting */

static int
add_uses (struct order_run *run, const struct order *order, const struct usage_result *usage, int64_t referral_card,
          uint32_t counters, int sign, uint32_t *counted)
{
    struct usage_key key;
    *counted = 0;
    for (int kind = USAGE_TOTAL; kind <= USAGE_REFERRAL; kind++) {
        bool done = false;
        if ((counters >> kind & 1) == 0 || (kind == USAGE_BIRTHDAY && !usage->birthday) ||
            !key_of (run->executor, order, usage->program_id, referral_card, (enum usage_kind)kind, &key))
            continue;
        if (unit_count_usage (run->unit, &run->savepoint, &key, sign, sign * usage->given_minor, &done) < 0)
            return run_no_memory (run);
        if (done)
            *counted |= UINT32_C (1) << kind;
    }
    return 0;
}

/* evaluate_limited names all that an order may use: what it did not name must not be used uncounted. */
static int
check_named (struct order_run *run, const struct program *program)
{
    const struct order_request *data = run->data;
    if (counters_of (program) == 0 || run->catalog != run->executor->cache.catalog)
        return 0;
    for (uint32_t i = 0; i < data->limited_count; i++)
        if (data->limited_ids[i] == program->id)
            return 0;
    return request_fail (run->request, ERROR_INTERNAL, "program %lld is limited, and its counters are not locked",
                         (long long)program->id);
}

int
run_count_usages (struct order_run *run)
{
    struct evaluation *evaluation = &run->record.evaluation;
    if (evaluation->usage_count == 0 || !run->unit->locking)
        return 0;
    struct usage_result *usages = arena_array_of (run->arena, evaluation->usage_count, struct usage_result);
    if (usages == NULL)
        return run_no_memory (run);
    memcpy (usages, evaluation->usages, evaluation->usage_count * sizeof *usages);
    evaluation->usages = usages;
    for (uint32_t i = 0; i < evaluation->usage_count; i++) {
        const struct program *program = catalog_program (run->catalog, usages[i].program_id);
        if (program == NULL)
            continue;
        if (check_named (run, program) < 0 ||
            add_uses (run, &run->record.order, &usages[i], referral_card_of (evaluation, &usages[i]),
                      counters_of (program), 1, &usages[i].counters) < 0)
            return -1;
    }
    return 0;
}

static int
move_usages (struct order_run *run, const struct order_record *original, int sign)
{
    uint32_t counted;
    for (uint32_t i = 0; i < original->evaluation.usage_count; i++) {
        const struct usage_result *usage = &original->evaluation.usages[i];
        if (add_uses (run, &original->order, usage, referral_card_of (&original->evaluation, usage), usage->counters,
                      sign, &counted) < 0)
            return -1;
    }
    return 0;
}

int
run_return_usages (struct order_run *run, const struct order_record *original)
{
    return move_usages (run, original, -1);
}

int
run_use_again (struct order_run *run, const struct order_record *original)
{
    return move_usages (run, original, 1);
}
