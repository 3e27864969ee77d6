/* member_forget.c - member.forget: all that tells who a member was is taken out; sums stay, under a pseudonym
 * (docs/decisions/010-forgotten-members.md). */
#include "worker/member_forget.h"
#include "wire/msgpack.h"
#include "worker/event.h"
#include "worker/member_methods.h"
#include "render/render.h"

#include <sodium.h>

/* Orders that one call rewrites: more take further calls. */
enum { ORDERS_AT_ONCE = 1000, CODE_ROUNDS_MAX = 20 };
#define SCRATCH_BYTES ((size_t)256 * 1024 * 1024)

static int
no_memory (struct forgetting *forgetting)
{
    return request_fail (forgetting->request, ERROR_INTERNAL, "the worker is out of memory");
}

PGresult *
forget_run (struct forgetting *forgetting, enum statement statement, const struct pg_params *params)
{
    struct unit *unit = forgetting->unit;
    return pg_run (unit->pg, statement, params, unit->deadline_us, &unit->failure, &forgetting->request->error);
}

int
member_forget_want (struct executor *executor, struct request *request)
{
    return unit_want_member (&executor->unit, request->record->fields[F_MEMBER_FORGET_PARTNER_ID].integer, true);
}

/* ---- who */

/* Below 0, where no partner of Odoo's is, and in the same bucket; what was chosen before stays. */
static int
choose_pseudonym (struct forgetting *forgetting)
{
    struct pg_params params = { .arena = forgetting->unit->arena };
    uint64_t random;
    int64_t chosen;
    do {
        randombytes_buf (&random, sizeof random);
        chosen = (int64_t)(random | UINT64_C (1) << 63);
    } while (bucket_of_partner (chosen, forgetting->unit->buckets) != forgetting->member->bucket);
    pg_param_int2 (&params, forgetting->member->bucket);
    pg_param_int8 (&params, forgetting->member->partner_id);
    pg_param_int8 (&params, chosen);
    PGresult *result = forget_run (forgetting, STATEMENT_FORGET_PSEUDONYM, &params);
    if (result == NULL)
        return -1;
    forgetting->who.pseudonym = PQntuples (result) > 0 ? pg_int (result, 0, 0) : chosen;
    PQclear (result);
    return 0;
}

static int
name_partners (struct forgetting *forgetting)
{
    const struct unit_member *member = forgetting->member;
    int64_t *partners = arena_array_of (forgetting->unit->arena, (size_t)member->absorbed_count + 1, int64_t);
    if (partners == NULL)
        return no_memory (forgetting);
    for (uint32_t i = 0; i < member->absorbed_count; i++)
        partners[i] = member->absorbed[i];
    partners[member->absorbed_count] = member->partner_id;
    forgetting->who.partners = partners;
    forgetting->who.partner_count = member->absorbed_count + 1;
    return 0;
}

/* Coupons and gift cards are of use to whoever has their code, and belong to nobody from now on; the others are the member's
 * own, and of no use to anybody. */
static bool
stays_members (const struct forgetting *forgetting, const struct unit_card *card)
{
    const struct program *program = catalog_program (forgetting->executor->cache.catalog, card->card.program_id);
    return card->single || card->merged_into != 0 || (program != NULL && program->type == PROGRAM_REFERRAL);
}

static bool
is_members (const struct forgetting *forgetting, const struct unit_card *card)
{
    return card->card.has_partner && card->card.partner_id == forgetting->member->partner_id && !card->dropped;
}

static int
name_cards (struct forgetting *forgetting)
{
    struct unit *unit = forgetting->unit;
    int64_t *kept = arena_array_of (unit->arena, (size_t)unit->card_count + 1, int64_t);
    struct str *codes = arena_array_of (unit->arena, (size_t)unit->card_count + 1, struct str);
    forgetting->all_cards = arena_array_of (unit->arena, (size_t)unit->card_count + 1, int64_t);
    if (kept == NULL || codes == NULL || forgetting->all_cards == NULL)
        return no_memory (forgetting);
    for (uint32_t i = 0; i < unit->card_count; i++) {
        const struct unit_card *card = &unit->cards[i];
        if (!is_members (forgetting, card))
            continue;
        forgetting->all_cards[forgetting->all_count++] = card->card.card_id;
        if (!stays_members (forgetting, card))
            continue;
        kept[forgetting->who.card_count] = card->card.card_id;
        codes[forgetting->who.card_count++] = card->card.code;
    }
    forgetting->who.cards = kept;
    forgetting->who.codes = codes;
    return 0;
}

/* ---- cards */

/* Nobody will capture what is held. */
static int
let_go (struct forgetting *forgetting)
{
    struct unit *unit = forgetting->unit;
    struct lot_source source = unit_lot_source (unit);
    for (uint32_t i = 0; i < forgetting->all_count; i++) {
        struct unit_card *card = unit_card (unit, forgetting->all_cards[i]);
        uint32_t row = card->card.journal_size;
        for (uint32_t j = 0; j < card->card.hold_count; j++)
            if (card->card.holds[j].state == HOLD_OPEN)
                ledger_hold_release (&card->card, &card->card.holds[j]);
        if (card->card.hold_count > 0 &&
            ledger_expire (&card->card, unit->recorded_at, &source, unit->arena, NULL, &forgetting->request->error) < 0)
            return -1;
        if (unit_card_origin (unit, card, 0, STR ("member.forget")) < 0)
            return no_memory (forgetting);
        if (event_card_moved (unit, card, row, 0, STR ("member.forget"), &forgetting->request->error) < 0)
            return -1;
    }
    return 0;
}

static int
release_code (struct forgetting *forgetting, struct str code)
{
    struct pg_params params = { .arena = forgetting->unit->arena };
    struct pg_array codes;
    pg_array_begin (&codes, PG_TEXT);
    pg_array_bytes (&codes, code_fold (code, forgetting->unit->arena));
    pg_param_int2 (&params, bucket_of_text (code_fold (code, forgetting->unit->arena), forgetting->unit->buckets));
    pg_param_array (&params, &codes);
    PGresult *result = forget_run (forgetting, STATEMENT_CODES_DELETE, &params);
    PQclear (result);
    return result != NULL ? 0 : -1;
}

static int
claim_new_code (struct forgetting *forgetting, int64_t card_id, struct str *code)
{
    for (int round = 0; round < CODE_ROUNDS_MAX; round++) {
        struct pg_params params = { .arena = forgetting->unit->arena };
        struct pg_array codes, cards;
        *code = executor_new_code (forgetting->executor);
        if (code->data == NULL)
            return no_memory (forgetting);
        pg_array_begin (&codes, PG_TEXT);
        pg_array_begin (&cards, PG_INT8);
        pg_array_bytes (&codes, *code);
        pg_array_int (&cards, card_id);
        pg_param_int2 (&params, bucket_of_text (*code, forgetting->unit->buckets));
        pg_param_array (&params, &codes);
        pg_param_array (&params, &cards);
        PGresult *result = forget_run (forgetting, STATEMENT_CODES_CLAIM, &params);
        if (result == NULL)
            return -1;
        bool claimed = PQntuples (result) == 1;
        PQclear (result);
        if (claimed)
            return 0;
    }
    return request_fail (forgetting->request, ERROR_INTERNAL, "no code could be had for a card");
}

/* Codes that the person knew are nobody's any more; *codes: by place in who.cards. */
static int
change_codes (struct forgetting *forgetting, struct str **codes)
{
    const struct forgotten *who = &forgetting->who;
    *codes = arena_array_of (forgetting->unit->arena, (size_t)who->card_count + 1, struct str);
    if (*codes == NULL)
        return no_memory (forgetting);
    for (uint32_t i = 0; i < who->card_count; i++)
        if (release_code (forgetting, who->codes[i]) < 0 ||
            claim_new_code (forgetting, who->cards[i], &(*codes)[i]) < 0)
            return -1;
    return 0;
}

static int
write_cards_of (struct forgetting *forgetting, int16_t bucket, const struct str *codes)
{
    const struct forgotten *who = &forgetting->who;
    struct pg_params params = { .arena = forgetting->unit->arena }, reasons = params;
    struct pg_array ids, partners, texts, states, all;
    pg_array_begin (&ids, PG_INT8);
    pg_array_begin (&partners, PG_INT8);
    pg_array_begin (&texts, PG_TEXT);
    pg_array_begin (&states, PG_INT2);
    pg_array_begin (&all, PG_INT8);
    for (uint32_t i = 0, kept = 0; i < forgetting->all_count; i++) {
        const struct unit_card *card = unit_card (forgetting->unit, forgetting->all_cards[i]);
        bool stays = kept < who->card_count && who->cards[kept] == card->card.card_id;
        struct str code = stays ? codes[kept] : card->card.code;
        kept += stays;
        if (card->bucket != bucket)
            continue;
        pg_array_int (&ids, card->card.card_id);
        pg_array_int (&all, card->card.card_id);
        if (stays)
            pg_array_int (&partners, who->pseudonym);
        else
            pg_array_null (&partners);
        pg_array_bytes (&texts, code);
        pg_array_int (&states, stays || card->card.blocked ? 2 : 1);
    }
    uint32_t count = ids.count;
    pg_param_int2 (&params, bucket);
    pg_param_array (&params, &ids);
    pg_param_array (&params, &partners);
    pg_param_array (&params, &texts);
    pg_param_array (&params, &states);
    pg_param_int2 (&reasons, bucket);
    pg_param_array (&reasons, &all);
    PGresult *cards = count == 0 ? NULL : forget_run (forgetting, STATEMENT_FORGET_CARDS, &params);
    PGresult *history = cards == NULL ? NULL : forget_run (forgetting, STATEMENT_FORGET_REASONS, &reasons);
    PQclear (cards);
    PQclear (history);
    return count == 0 || history != NULL ? 0 : -1;
}

/* Coupons of batches may be cards that members have one of. */
static int
write_coupons (struct forgetting *forgetting, const struct str *codes)
{
    const struct forgotten *who = &forgetting->who;
    for (int bucket = 0; who->card_count > 0 && bucket < forgetting->unit->buckets; bucket++) {
        struct pg_params params = { .arena = forgetting->unit->arena };
        struct pg_array texts;
        pg_array_begin (&texts, PG_TEXT);
        for (uint32_t i = 0; i < who->card_count; i++)
            pg_array_bytes (&texts, codes[i]);
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_int8s (&params, who->cards, who->card_count);
        pg_param_array (&params, &texts);
        PGresult *result = forget_run (forgetting, STATEMENT_FORGET_COUPONS, &params);
        PQclear (result);
        if (result == NULL)
            return -1;
    }
    return 0;
}

static int
forget_cards (struct forgetting *forgetting)
{
    struct str *codes;
    if (let_go (forgetting) < 0 || change_codes (forgetting, &codes) < 0 || write_coupons (forgetting, codes) < 0)
        return -1;
    for (int bucket = 0; bucket < forgetting->unit->buckets; bucket++)
        if (write_cards_of (forgetting, (int16_t)bucket, codes) < 0)
            return -1;
    return 0;
}

/* ---- kept replies */

/* An answer that is sent again tells that it cannot be told any more. */
static struct str
empty_reply (struct arena *arena)
{
    struct buf out = { 0 };
    render_ok (&out, 2);
    render_bool (&out, "replayed", false);
    render_bool (&out, "forgotten", true);
    struct str reply = arena_str (arena, (struct str){ (const char *)out.data, (uint32_t)out.size });
    buf_free (&out);
    return reply;
}

static int
empty_replies (struct forgetting *forgetting, const PGresult *keys)
{
    struct unit *unit = forgetting->unit;
    struct str reply = empty_reply (unit->arena);
    for (int bucket = 0; reply.data != NULL && bucket < unit->buckets; bucket++) {
        struct pg_params params = { .arena = unit->arena };
        struct pg_array scopes, names, replies;
        pg_array_begin (&scopes, PG_INT2);
        pg_array_begin (&names, PG_TEXT);
        pg_array_begin (&replies, PG_BYTEA);
        for (int row = 0; row < PQntuples (keys); row++)
            if (bucket_of_text (pg_text (keys, row, 0), unit->buckets) == bucket) {
                pg_array_int (&scopes, SCOPE_OP);
                pg_array_bytes (&names, pg_text (keys, row, 0));
                pg_array_bytes (&replies, reply);
            }
        uint32_t count = scopes.count;
        pg_param_int2 (&params, (int16_t)bucket);
        pg_param_array (&params, &scopes);
        pg_param_array (&params, &names);
        pg_param_array (&params, &replies);
        PGresult *result = count == 0 ? NULL : forget_run (forgetting, STATEMENT_KEYS_REPLY, &params);
        PQclear (result);
        if (count > 0 && result == NULL)
            return -1;
    }
    return reply.data == NULL ? no_memory (forgetting) : 0;
}

static int
forget_replies (struct forgetting *forgetting, int64_t partner_id)
{
    struct pg_params params = { .arena = forgetting->unit->arena };
    pg_param_int2 (&params, bucket_of_partner (partner_id, forgetting->unit->buckets));
    pg_param_int8 (&params, partner_id);
    PGresult *keys = forget_run (forgetting, STATEMENT_FORGET_REPLIES, &params);
    if (keys == NULL)
        return -1;
    int status = empty_replies (forgetting, keys);
    PQclear (keys);
    return status;
}

/* ---- what was told */

/* Writes bodies anew without what is personal in them; the rows are locked. */
static int
rewrite_bodies (struct forgetting *forgetting, int16_t bucket, const PGresult *rows, enum statement statement)
{
    struct unit *unit = forgetting->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array places, bodies;
    struct buf body = { 0 };
    int status = 0;
    pg_array_begin (&places, PG_INT8);
    pg_array_begin (&bodies, PG_BYTEA);
    for (int row = 0; status == 0 && row < PQntuples (rows); row++) {
        struct str before = pg_is_null (rows, row, 1) ? (struct str){ 0 } : pg_text (rows, row, 1);
        if (before.size == 0)
            continue;
        buf_clear (&body);
        status = event_body_forget (before, &body, &forgetting->request->error);
        struct str kept = arena_str (unit->arena, (struct str){ (const char *)body.data, (uint32_t)body.size });
        pg_array_int (&places, pg_int (rows, row, 0));
        pg_array_bytes (&bodies, kept);
        if (status == 0 && kept.data == NULL)
            status = no_memory (forgetting);
    }
    buf_free (&body);
    uint32_t count = places.count;
    pg_param_int2 (&params, bucket);
    pg_param_array (&params, &places);
    pg_param_array (&params, &bodies);
    if (status < 0 || count == 0)
        return status;
    PGresult *result = forget_run (forgetting, statement, &params);
    PQclear (result);
    return result == NULL ? -1 : 0;
}

static int
forget_told (struct forgetting *forgetting, int16_t bucket, enum statement rename, enum statement rewrite)
{
    struct pg_params params = { .arena = forgetting->unit->arena };
    pg_param_int2 (&params, bucket);
    pg_param_int8s (&params, forgetting->who.partners, forgetting->who.partner_count);
    pg_param_int8 (&params, forgetting->who.pseudonym);
    PGresult *rows = forget_run (forgetting, rename, &params);
    if (rows == NULL)
        return -1;
    int status = rewrite_bodies (forgetting, bucket, rows, rewrite);
    PQclear (rows);
    return status;
}

/* What was told before, in the buckets where the cards of those lie that became one member, and what is told now. */
static int
forget_events (struct forgetting *forgetting)
{
    const struct forgotten *who = &forgetting->who;
    int buckets = forgetting->unit->buckets;
    for (uint32_t i = 0; i < who->partner_count; i++) {
        int16_t bucket = bucket_of_partner (who->partners[i], buckets);
        bool is_done = false;
        for (uint32_t j = 0; j < i; j++)
            is_done |= bucket_of_partner (who->partners[j], buckets) == bucket;
        if (!is_done &&
            (forget_told (forgetting, bucket, STATEMENT_FORGET_CHANGES, STATEMENT_FORGET_CHANGE_BODIES) < 0 ||
             forget_told (forgetting, bucket, STATEMENT_FORGET_EVENTS, STATEMENT_FORGET_EVENT_BODIES) < 0))
            return -1;
    }
    return event_forget (forgetting->unit, who->partners, who->partner_count, who->pseudonym,
                         &forgetting->request->error);
}

/* ---- the member */

/* Statements over one partner, each with the same parameters: its bucket, it, and the pseudonym where there is one to take. */
static int
run_all (struct forgetting *forgetting, const enum statement *statements, unsigned count, int64_t partner_id,
         bool renames)
{
    for (unsigned i = 0; i < count; i++) {
        struct pg_params params = { .arena = forgetting->unit->arena };
        pg_param_int2 (&params, bucket_of_partner (partner_id, forgetting->unit->buckets));
        pg_param_int8 (&params, partner_id);
        if (renames)
            pg_param_int8 (&params, forgetting->who.pseudonym);
        PGresult *result = forget_run (forgetting, statements[i], &params);
        PQclear (result);
        if (result == NULL)
            return -1;
    }
    return 0;
}

static int
forget_partner (struct forgetting *forgetting, int64_t partner_id)
{
    static const enum statement RENAMES[] = { STATEMENT_FORGET_LEVELS, STATEMENT_FORGET_SPENDING,
                                              STATEMENT_FORGET_USAGES, STATEMENT_FORGET_MEMBER };
    static const enum statement ENDS[] = { STATEMENT_FORGET_ABSORBED_LEVELS, STATEMENT_FORGET_ABSORBED };
    struct pg_params params = { .arena = forgetting->unit->arena };
    bool stays = partner_id == forgetting->member->partner_id;
    if ((stays && run_all (forgetting, RENAMES, sizeof RENAMES / sizeof RENAMES[0], partner_id, true) < 0) ||
        (!stays && run_all (forgetting, ENDS, sizeof ENDS / sizeof ENDS[0], partner_id, false) < 0))
        return -1;
    pg_param_int8 (&params, partner_id);
    PGresult *result = forget_run (forgetting, STATEMENT_FORGET_PARTNER, &params);
    PQclear (result);
    return result == NULL ? -1 : forget_replies (forgetting, partner_id);
}

static int
forget_person (struct forgetting *forgetting)
{
    if (forget_cards (forgetting) < 0)
        return -1;
    for (uint32_t i = 0; i < forgetting->who.partner_count; i++)
        if (forget_partner (forgetting, forgetting->who.partners[i]) < 0)
            return -1;
    if (forget_events (forgetting) < 0)
        return -1;
    return event_member_forgotten (forgetting->unit, forgetting->member->bucket, forgetting->who.pseudonym,
                                   &forgetting->request->error);
}

/* ---- together */

static int
answer (struct forgetting *forgetting, bool done)
{
    struct buf *out = &forgetting->request->reply;
    render_ok (out, 5);
    render_bool (out, "replayed", false);
    render_bool (out, "done", done);
    render_int (out, "orders", forgetting->orders);
    render_int (out, "cards_blocked", done ? forgetting->who.card_count : 0);
    render_int (out, "cards_unlinked", done ? forgetting->all_count - forgetting->who.card_count : 0);
    return 0;
}

static int
forget (struct forgetting *forgetting)
{
    bool done = false;
    if (choose_pseudonym (forgetting) < 0 || name_partners (forgetting) < 0 || name_cards (forgetting) < 0 ||
        forget_orders (forgetting, &done) < 0 || (done && forget_person (forgetting) < 0))
        return -1;
    return answer (forgetting, done);
}

int
member_forget_execute (struct executor *executor, struct request *request)
{
    int64_t partner_id = request->record->fields[F_MEMBER_FORGET_PARTNER_ID].integer;
    struct forgetting forgetting = {
        .executor = executor, .request = request, .unit = &executor->unit, .budget = ORDERS_AT_ONCE
    };
    bool again;
    forgetting.member = unit_member (forgetting.unit, partner_id);
    if (forgetting.member == NULL || forgetting.member->is_made)
        return error_field (&request->error, ERROR_NOT_FOUND, "partner_id", "there is no member %lld",
                            (long long)partner_id);
    if (member_lock_absorbed (executor, request, forgetting.member, &again) < 0)
        return -1;
    if (again) {
        request->status = REQUEST_DEFERRED;
        return 0;
    }
    forgetting.scratch = arena_new (SCRATCH_BYTES);
    if (forgetting.scratch == NULL)
        return no_memory (&forgetting);
    /* Its own transaction, which a failure takes back whole. */
    int status = forget (&forgetting);
    arena_destroy (&forgetting.scratch);
    return status;
}
