/* referral_methods.c - referral.create: a member's code of a referral program, once and for all (rule 29). */
#include "worker/referral_methods.h"
#include "worker/card_methods.h"
#include "render/render.h"
#include "worker/event.h"

static int64_t
partner_of (const struct request *request)
{
    return request->record->fields[F_REFERRAL_CREATE_PARTNER_ID].integer;
}

static int64_t
program_of (const struct request *request)
{
    return request->record->fields[F_REFERRAL_CREATE_PROGRAM_ID].integer;
}

struct usage_key
referral_usage_key (int buckets, int64_t program_id, int64_t card_id)
{
    return (struct usage_key){ .bucket = bucket_of_card (card_id, buckets),
                               .kind = USAGE_REFERRAL,
                               .program_id = program_id,
                               .subject = card_id };
}

int
referral_create_prepare (struct executor *executor, struct request *request)
{
    request->member_bucket = bucket_of_partner (partner_of (request), executor->engine->buckets);
    return 0;
}

/* Nobody is made a member by asking for a code: the partner has to be known. */
int
referral_create_look_up (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, request->member_bucket);
    pg_param_int8 (&params, partner_of (request));
    PGresult *result =
        pg_run (unit->pg, STATEMENT_PARTNER_KNOWN, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    bool is_known = pg_bool (result, 0, 0);
    PQclear (result);
    return is_known ? 0
                    : error_field (&request->error, ERROR_NOT_FOUND, "partner_id", "there is no partner %lld",
                                   (long long)partner_of (request));
}

int
referral_create_want (struct executor *executor, struct request *request)
{
    return unit_want_member (&executor->unit, partner_of (request), false);
}

static struct unit_card *
card_of (struct executor *executor, const struct request *request)
{
    struct unit_card *card = NULL;
    while ((card = unit_card_of_partner (&executor->unit, partner_of (request), card)) != NULL)
        if (card->card.program_id == program_of (request))
            return card;
    return NULL;
}

int
referral_create_count (struct executor *executor, struct request *request)
{
    const struct unit_card *card = card_of (executor, request);
    if (card == NULL)
        return 0;
    struct usage_key key = referral_usage_key (executor->engine->buckets, program_of (request), card->card.card_id);
    return unit_want_usage (&executor->unit, &key, false) < 0
               ? request_fail (request, ERROR_INTERNAL, "the worker is out of memory")
               : 0;
}

static struct unit_card *
make_card (struct executor *executor, struct request *request)
{
    struct unit *unit = &executor->unit;
    struct str code = executor_new_code (executor);
    int64_t card_id = executor_card_id (executor, true, partner_of (request), &request->error);
    if (card_id == 0)
        return NULL;
    struct unit_card *card = code.data == NULL ? NULL
                                               : unit_card_add (unit, card_id, program_of (request), true,
                                                                partner_of (request), code, false);
    if (card == NULL) {
        request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
        return NULL;
    }
    return event_card_created (unit, card, &request->error) < 0 ? NULL : card;
}

static int
answer (struct executor *executor, struct request *request, struct unit_card *card, const struct program *program,
        bool is_created)
{
    struct usage_key key = referral_usage_key (executor->engine->buckets, program->id, card->card.card_id);
    const struct unit_usage *usage = unit_usage (&executor->unit, &key);
    struct buf *out = &request->reply;
    render_ok (out, CARD_FIELDS + 4);
    render_bool (out, "replayed", false);
    render_bool (out, "created", is_created);
    render_int (out, "uses", usage != NULL ? usage->used : 0);
    render_int (out, "max_referral_usage", program->max_referral_usage);
    return card_render (executor, request, card, executor->unit.recorded_at);
}

int
referral_create_execute (struct executor *executor, struct request *request)
{
    const struct program *program = catalog_program (executor->cache.catalog, program_of (request));
    struct unit_savepoint savepoint;
    if (program == NULL)
        return error_field (&request->error, ERROR_NOT_FOUND, "program_id", "there is no active program %lld",
                            (long long)program_of (request));
    if (program->type != PROGRAM_REFERRAL)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "program_id", "program %lld is no referral program",
                            (long long)program->id);
    unit_save (&executor->unit, &savepoint);
    struct unit_card *card = card_of (executor, request);
    bool is_created = card == NULL;
    if (is_created)
        card = make_card (executor, request);
    int status = card == NULL ? -1 : card_check_open (request, card);
    if (status == 0)
        status = answer (executor, request, card, program, is_created);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}
