/* order_referral.c - orders with a referral code: the owner's card, which is not locked, and the points that go to it (rule 29). */
#include "domain/catalog_index.h"
#include "worker/order_run.h"

/* ---- before the locks */

/* The columns of CARD_COLUMNS. */
enum { CARD_ID, PROGRAM_ID, PARTNER_ID, CODE, STATE };

static int
take_card (struct executor *executor, struct order_request *data, const PGresult *result, int row)
{
    const struct program *program = catalog_program (executor->cache.catalog, pg_int (result, row, PROGRAM_ID));
    if (program == NULL || program->type != PROGRAM_REFERRAL)
        return 0;
    for (uint32_t i = 0; i < data->presented_count; i++) {
        struct presented_card *presented = &data->presented[i];
        if (presented->presence != PRESENCE_CODE || presented->card_id != pg_int (result, row, CARD_ID))
            continue;
        presented->is_referral = true;
        presented->program_id = program->id;
        presented->has_owner = !pg_is_null (result, row, PARTNER_ID);
        presented->owner_id = pg_int (result, row, PARTNER_ID);
        presented->blocked = pg_int (result, row, STATE) == 2;
        presented->code = arena_str (executor->requests, pg_text (result, row, CODE));
        if (presented->code.data == NULL)
            return -1;
    }
    return 0;
}

/* The cards of one bucket. */
static int
read_cards (struct executor *executor, struct request *request, int16_t bucket)
{
    struct order_request *data = request->data;
    struct unit *unit = &executor->unit;
    int64_t *ids = arena_array_of (unit->arena, data->presented_count, int64_t);
    struct pg_params params = { .arena = unit->arena };
    uint32_t count = 0;
    if (ids == NULL)
        return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
    for (uint32_t i = 0; i < data->presented_count; i++)
        if (data->presented[i].presence == PRESENCE_CODE && data->presented[i].card_id != 0 &&
            bucket_of_card (data->presented[i].card_id, unit->buckets) == bucket)
            ids[count++] = data->presented[i].card_id;
    pg_param_int2 (&params, bucket);
    pg_param_int8s (&params, ids, count);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CARDS_READ_BY_ID, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    int status = 0;
    for (int row = 0; row < PQntuples (result) && status == 0; row++)
        status = take_card (executor, data, result, row);
    PQclear (result);
    return status < 0 ? request_fail (request, ERROR_INTERNAL, "the worker is out of memory") : 0;
}

int
referral_look_up (struct executor *executor, struct request *request)
{
    struct order_request *data = request->data;
    int buckets = executor->unit.buckets;
    if (data->presented_count == 0 || executor->cache.catalog == NULL || !executor->cache.catalog->index->has_referrals)
        return 0;
    for (uint32_t i = 0; i < data->presented_count; i++) {
        const struct presented_card *presented = &data->presented[i];
        bool asked = presented->presence != PRESENCE_CODE || presented->card_id == 0;
        for (uint32_t j = 0; j < i && !asked; j++)
            asked =
                data->presented[j].presence == PRESENCE_CODE && data->presented[j].card_id != 0 &&
                bucket_of_card (data->presented[j].card_id, buckets) == bucket_of_card (presented->card_id, buckets);
        if (!asked && read_cards (executor, request, bucket_of_card (presented->card_id, buckets)) < 0)
            return -1;
    }
    return 0;
}

/* ---- what the owner gets */

/* Queues points for the owner, to be booked after those of `after`; `original_ref`: the order with the code. */
static int
add_credit (struct order_run *run, const struct referral_result *referral, int64_t original_ref, int64_t points,
            int64_t after)
{
    const struct program *program = catalog_program (run->catalog, referral->program_id);
    int64_t instant = run->record.order.instant, now = run->unit->recorded_at;
    struct unit_referral credit = { .bucket = bucket_of_card (referral->card_id, run->unit->buckets),
                                    .card_id = referral->card_id,
                                    .original_ref = original_ref,
                                    .order_ref = run->request->order_ref,
                                    .order_id = run->record.order.order_id,
                                    .points = points,
                                    .gained = instant,
                                    .usable_from = instant,
                                    .expires = INSTANT_NEVER,
                                    .recorded = now > after ? now : after + 1 };
    if (points > 0 && program != NULL) {
        credit.usable_from = instant + program->pending_days * US_PER_DAY;
        credit.expires = expiry_instant (&program->expiry, &run->catalog->zone, instant);
    }
    if (points < 0)
        credit.forgives = run_shortfall (run, referral->program_id) == SHORTFALL_FORGIVE;
    return unit_add_referral (run->unit, &credit) < 0 ? run_no_memory (run) : 0;
}

int
run_referral (struct order_run *run)
{
    const struct referral_result *referral = &run->record.evaluation.referral;
    if (referral->card_id == 0 || referral->points == 0 || !run->unit->locking)
        return 0;
    return add_credit (run, referral, run->request->order_ref, referral->points, 0);
}

int
run_return_referral (struct order_run *run, const struct order_record *original)
{
    const struct referral_result *referral = &original->evaluation.referral;
    if (referral->card_id == 0 || referral->points == 0 || !run->unit->locking)
        return 0;
    return add_credit (run, referral, original->order_ref, -referral->points, original->recorded);
}

int
run_give_referral_again (struct order_run *run, const struct record_original *original, int64_t returned)
{
    if (original->referral.card_id == 0 || !run->unit->locking)
        return 0;
    return add_credit (run, &original->referral, original->order_ref, original->referral.points, returned);
}
