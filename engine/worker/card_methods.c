/* card_methods.c - see card_methods.h. */
#include "worker/card_methods.h"
#include "wire/msgpack.h"
#include "render/render.h"
#include "worker/event.h"

#include <stdio.h>
#include <stdlib.h>

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

int64_t
card_time (const struct executor *executor, struct wire_time time)
{
    if (time.has_offset)
        return time.us;
    int64_t day = time.us / US_PER_DAY - (time.us % US_PER_DAY < 0);
    return instant_from_local (&executor->cache.catalog->zone, (int32_t)day, time.us - day * US_PER_DAY);
}

struct card_request *
card_request_new (struct executor *executor, struct request *request)
{
    struct card_request *data = arena_new_of (executor->requests, struct card_request);
    request->data = data;
    if (data == NULL)
        no_memory (request);
    return data;
}

int
card_look_up (struct executor *executor, struct request *request)
{
    struct card_request *data = request->data;
    return card_selector_look_up (executor, request, &data->selector);
}

int
card_want (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    return card_selector_want (executor, &data->selector);
}

/* ---- answers */

int
card_render (struct executor *executor, struct request *request, struct unit_card *entry, int64_t instant)
{
    struct buf *out = &request->reply;
    struct card *card = &entry->card;
    struct lot_source source = unit_lot_source (&executor->unit);
    int64_t balance;
    if (ledger_balance (card, instant, &source, executor->transaction, &balance, &request->error) < 0)
        return -1;
    render_int (out, "card_id", card->card_id);
    render_int (out, "program_id", card->program_id);
    if (card->has_partner)
        request_tells_of (request, card->partner_id);
    if (card->has_partner)
        render_int (out, "partner_id", card->partner_id);
    else
        render_nil (out, "partner_id");
    render_text (out, "code", card->code);
    render_text (out, "state", card->blocked ? STR ("blocked") : STR ("active"));
    render_points (out, "balance", balance);
    render_points (out, "held", card->held);
    render_points (out, "usable", balance > card->held ? balance - card->held : 0);
    render_points (out, "debt", card->debt);
    render_points (out, "stored", card->points);
    return 0;
}

/* The lots that live at an instant, as far as they are loaded: the first to expire. */
static void
render_lots (struct buf *out, const struct card *card, int64_t instant)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < card->loaded_count; i++)
        count += card->lots[i].state == LOT_ACTIVE && card->lots[i].expires > instant;
    wire_write_cstr (out, "lots");
    wire_write_array (out, count);
    for (uint32_t i = 0; i < card->loaded_count; i++) {
        const struct lot *lot = &card->lots[i];
        if (lot->state != LOT_ACTIVE || lot->expires <= instant)
            continue;
        wire_write_map (out, 5);
        render_int (out, "lot", lot->lot_no);
        render_points (out, "remaining", lot->remaining);
        render_time (out, "gained", lot->gained);
        render_time (out, "usable_from", lot->usable_from);
        render_time (out, "expires", lot->expires);
    }
}

int
card_check_open (struct request *request, const struct unit_card *card)
{
    if (!card->card.blocked)
        return 0;
    request_fail (request, ERROR_CARD_BLOCKED, "card %lld is blocked", (long long)card->card.card_id);
    return error_detail (&request->error, "card_id", "%lld", (long long)card->card.card_id);
}

/* ---- card.create */

int
card_create_prepare (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct card_request *data = card_request_new (executor, request);
    if (data == NULL)
        return -1;
    data->selector.has_partner = fields[F_CARD_CREATE_PARTNER_ID].present;
    data->selector.partner_id = fields[F_CARD_CREATE_PARTNER_ID].integer;
    if (fields[F_CARD_CREATE_CODE].present) {
        data->code = code_fold (fields[F_CARD_CREATE_CODE].text, executor->requests);
        if (data->code.data == NULL)
            return no_memory (request);
        if (data->code.size == 0)
            return error_field (&request->error, ERROR_INVALID_REQUEST, "code", "is blank");
    }
    return 0;
}

int
card_create_want (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    return data->selector.has_partner ? unit_want_member (&executor->unit, data->selector.partner_id, false) : 0;
}

/* Takes a code that the caller chose; the last thing that may fail. */
static int
claim_code (struct executor *executor, struct request *request, struct str code, int64_t card_id)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array codes, cards;
    pg_array_begin (&codes, PG_TEXT);
    pg_array_begin (&cards, PG_INT8);
    pg_array_bytes (&codes, code);
    pg_array_int (&cards, card_id);
    pg_param_int2 (&params, bucket_of_text (code, unit->buckets));
    pg_param_array (&params, &codes);
    pg_param_array (&params, &cards);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CODES_CLAIM, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    bool claimed = PQntuples (result) == 1;
    PQclear (result);
    if (!claimed)
        return error_field (&request->error, ERROR_CONFLICT, "code", "%.*s is the code of another card", (int)code.size,
                            code.data);
    return 0;
}

/* An id in Odoo is one card's: said here, as the database's own refusal would be a fault. */
static int
check_odoo_id (struct executor *executor, struct request *request, const struct unit_card *card)
{
    struct unit *unit = &executor->unit;
    bool taken = false;
    if (card->odoo_card_id == 0)
        return 0;
    for (uint32_t i = 0; i < unit->card_count && !taken; i++) {
        const struct unit_card *other = &unit->cards[i];
        taken = other != card && other->card.is_new && other->bucket == card->bucket &&
                other->odoo_card_id == card->odoo_card_id;
    }
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, card->bucket);
    pg_param_int8 (&params, card->odoo_card_id);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CARD_OF_ODOO, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    taken |= PQntuples (result) > 0;
    PQclear (result);
    if (taken)
        return error_field (&request->error, ERROR_CONFLICT, "odoo_card_id", "%lld is the id of another card",
                            (long long)card->odoo_card_id);
    return 0;
}

static int
add_points (struct executor *executor, struct request *request, struct unit_card *card, const struct program *program,
            int64_t points, const struct wire_value *expires, struct str reason)
{
    struct unit *unit = &executor->unit;
    const struct zone *zone = &executor->cache.catalog->zone;
    int64_t now = unit->recorded_at;
    int64_t until = expires->present  ? card_time (executor, expires->time)
                    : program != NULL ? expiry_instant (&program->expiry, zone, now)
                                      : INSTANT_NEVER;
    if (until <= now)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "expires", "lies in the past");
    if (ledger_gain (&card->card, JOURNAL_ADJUST, points, now, now, until, 0, unit->arena, NULL, &request->error) < 0)
        return -1;
    return unit_card_origin (unit, card, 0, reason) < 0 ? no_memory (request) : 0;
}

static int
create (struct executor *executor, struct request *request, const struct program *program)
{
    const struct wire_value *fields = request->record->fields;
    const struct card_request *data = request->data;
    struct unit *unit = &executor->unit;
    bool has_partner = data->selector.has_partner;
    int64_t partner_id = unit_survivor (unit, data->selector.partner_id);
    int64_t card_id = executor_card_id (executor, has_partner, partner_id, &request->error);
    struct str code = data->code.size > 0 ? arena_str (unit->arena, data->code) : executor_new_code (executor);
    if (card_id == 0)
        return -1;
    if (code.data == NULL)
        return no_memory (request);
    struct unit_card *card =
        unit_card_add (unit, card_id, program->id, has_partner, partner_id, code, program_is_single (program));
    if (card == NULL)
        return no_memory (request);
    card->odoo_card_id = fields[F_CARD_CREATE_ODOO_ID].integer;
    if (check_odoo_id (executor, request, card) < 0)
        return -1;
    if (fields[F_CARD_CREATE_POINTS].integer > 0 &&
        add_points (executor, request, card, program, fields[F_CARD_CREATE_POINTS].integer,
                    &fields[F_CARD_CREATE_EXPIRES], STR ("card.create")) < 0)
        return -1;
    if (data->code.size > 0 && claim_code (executor, request, code, card_id) < 0)
        return -1;
    card->code_claimed = data->code.size > 0;
    if (event_card_created (unit, card, &request->error) < 0)
        return -1;
    render_ok (&request->reply, CARD_FIELDS + 1);
    render_bool (&request->reply, "replayed", false);
    return card_render (executor, request, card, unit->recorded_at);
}

int
card_create_execute (struct executor *executor, struct request *request)
{
    int64_t program_id = request->record->fields[F_CARD_CREATE_PROGRAM_ID].integer;
    const struct card_request *data = request->data;
    const struct program *program = catalog_program (executor->cache.catalog, program_id);
    struct unit_savepoint savepoint;
    struct unit_card *card = NULL;

    if (program == NULL)
        return error_field (&request->error, ERROR_NOT_FOUND, "program_id", "there is no active program %lld",
                            (long long)program_id);
    while (data->selector.has_partner && program_is_single (program) &&
           (card = unit_card_of_partner (&executor->unit, data->selector.partner_id, card)) != NULL)
        if (card->card.program_id == program_id)
            return error_field (&request->error, ERROR_CONFLICT, "partner_id",
                                "the member has card %lld of this program already", (long long)card->card.card_id);
    unit_save (&executor->unit, &savepoint);
    int status = create (executor, request, program);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}

/* ---- card.adjust */

int
card_adjust_prepare (struct executor *executor, struct request *request)
{
    static const struct card_fields FIELDS = { F_CARD_ADJUST_CARD_ID, F_CARD_ADJUST_CODE, F_CARD_ADJUST_PARTNER_ID,
                                               F_CARD_ADJUST_PROGRAM_ID };
    struct card_request *data = card_request_new (executor, request);
    if (data == NULL)
        return -1;
    if (request->record->fields[F_CARD_ADJUST_POINTS].integer == 0)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "points", "must not be 0");
    return card_selector_of (request, FIELDS, &data->selector);
}

static int
adjust (struct executor *executor, struct request *request, struct unit_card *card)
{
    const struct wire_value *fields = request->record->fields;
    struct unit *unit = &executor->unit;
    int64_t points = fields[F_CARD_ADJUST_POINTS].integer;
    struct str reason = fields[F_CARD_ADJUST_REASON].text;
    struct lot_source source = unit_lot_source (unit);
    uint32_t row = card->card.journal_size;

    if (points > 0) {
        if (add_points (executor, request, card, catalog_program (executor->cache.catalog, card->card.program_id),
                        points, &fields[F_CARD_ADJUST_EXPIRES], reason) < 0)
            return -1;
    } else if (ledger_spend (&card->card, JOURNAL_ADJUST, -points, unit->recorded_at, &source, unit->arena, NULL,
                             &request->error) < 0) {
        return -1;
    }
    if (unit_card_origin (unit, card, 0, reason) < 0)
        return no_memory (request);
    if (event_card_moved (unit, card, row, 0, reason, &request->error) < 0)
        return -1;
    render_ok (&request->reply, CARD_FIELDS + 1);
    render_bool (&request->reply, "replayed", false);
    return card_render (executor, request, card, unit->recorded_at);
}

int
card_adjust_execute (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    struct unit_savepoint savepoint;
    struct unit_card *card = card_selected (executor, request, &data->selector);
    if (card == NULL)
        return -1;
    if (card_check_open (request, card) < 0)
        return -1;
    unit_save (&executor->unit, &savepoint);
    if (unit_save_card (&executor->unit, &savepoint, card->card.card_id) < 0)
        return no_memory (request);
    int status = adjust (executor, request, card);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}

/* ---- reads */

int
card_get_prepare (struct executor *executor, struct request *request)
{
    static const struct card_fields FIELDS = { F_CARD_GET_CARD_ID, F_CARD_GET_CODE, F_CARD_GET_PARTNER_ID,
                                               F_CARD_GET_PROGRAM_ID };
    struct card_request *data = card_request_new (executor, request);
    return data == NULL ? -1 : card_selector_of (request, FIELDS, &data->selector);
}

static int
instant_asked (struct executor *executor, struct request *request, int64_t *instant)
{
    const struct wire_value *at = &request->record->fields[F_CARD_GET_AT];
    *instant = executor->unit.recorded_at;
    if (!at->present)
        return 0;
    int64_t asked = card_time (executor, at->time);
    if (asked < *instant - US_PER_MINUTE)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "at",
                            "lies in the past; card.history tells what the balance was");
    *instant = asked;
    return 0;
}

static int
get_all_of_member (struct executor *executor, struct request *request, int64_t partner_id, int64_t instant)
{
    struct unit_card *card = NULL;
    uint32_t count = 0;
    while ((card = unit_card_of_partner (&executor->unit, partner_id, card)) != NULL)
        count++;
    render_ok (&request->reply, 2);
    render_int (&request->reply, "partner_id", partner_id);
    wire_write_cstr (&request->reply, "cards");
    wire_write_array (&request->reply, count);
    while ((card = unit_card_of_partner (&executor->unit, partner_id, card)) != NULL) {
        wire_write_map (&request->reply, CARD_FIELDS);
        if (card_render (executor, request, card, instant) < 0)
            return -1;
    }
    return 0;
}

/* Why it is blocked. */
static int
render_reason (struct executor *executor, struct request *request, const struct unit_card *card)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, card->bucket);
    pg_param_int8 (&params, card->card.card_id);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CARD_REASON, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    render_text (&request->reply, "blocked_reason", PQntuples (result) > 0 ? pg_text (result, 0, 0) : STR (""));
    PQclear (result);
    return 0;
}

int
card_get_execute (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    int64_t instant;
    if (instant_asked (executor, request, &instant) < 0)
        return -1;
    if (data->selector.has_partner && !data->selector.has_program) {
        if (unit_member (&executor->unit, data->selector.partner_id) == NULL)
            return request_fail (request, ERROR_NOT_FOUND, "there is no member %lld",
                                 (long long)data->selector.partner_id);
        return get_all_of_member (executor, request, unit_survivor (&executor->unit, data->selector.partner_id),
                                  instant);
    }
    struct unit_card *card = card_selected (executor, request, &data->selector);
    if (card == NULL)
        return -1;
    render_ok (&request->reply, CARD_FIELDS + 1 + card->card.blocked);
    if (card_render (executor, request, card, instant) < 0 ||
        (card->card.blocked && render_reason (executor, request, card) < 0))
        return -1;
    render_lots (&request->reply, &card->card, instant);
    return 0;
}

int
card_balance_execute (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    struct unit_card *card;
    int64_t instant, balance;
    struct lot_source source = unit_lot_source (&executor->unit);
    if (instant_asked (executor, request, &instant) < 0 ||
        (card = card_selected (executor, request, &data->selector)) == NULL ||
        ledger_balance (&card->card, instant, &source, executor->transaction, &balance, &request->error) < 0)
        return -1;
    struct buf *out = &request->reply;
    render_ok (out, 7);
    render_int (out, "card_id", card->card.card_id);
    render_int (out, "program_id", card->card.program_id);
    render_points (out, "balance", balance);
    render_points (out, "held", card->card.held);
    render_points (out, "usable", balance > card->card.held ? balance - card->card.held : 0);
    render_points (out, "debt", card->card.debt);
    render_time (out, "at", instant);
    return 0;
}

static void
render_history_row (struct buf *out, const PGresult *result, int row)
{
    enum { SEQ, KIND, AMOUNT, BALANCE, DEBT, TIME, ORIGIN, ORDER_REF, STATUS };
    wire_write_map (out, 8);
    render_int (out, "seq", pg_int (result, row, SEQ));
    render_text (out, "kind", str_of (JOURNAL_NAMES[pg_int (result, row, KIND)]));
    render_points (out, "points", pg_int (result, row, AMOUNT));
    render_points (out, "balance", pg_int (result, row, BALANCE));
    render_points (out, "debt", pg_int (result, row, DEBT));
    render_time (out, "time", pg_time (result, row, TIME));
    render_text (out, pg_int (result, row, ORDER_REF) > 0 ? "order_id" : "reason", pg_text (result, row, ORIGIN));
    if (pg_is_null (result, row, STATUS))
        render_nil (out, "level");
    else
        render_int (out, "level", pg_int (result, row, STATUS));
}

/* The cursor is the sequence number of the last row of the page before. */
static int
cursor_of (struct request *request, int32_t *before)
{
    const struct wire_value *cursor = &request->record->fields[F_CARD_GET_CURSOR];
    int64_t value;
    *before = INT32_MAX;
    if (!cursor->present)
        return 0;
    if (!decimal_parse (cursor->text, 0, &value) || value < 1 || value > INT32_MAX)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "cursor", "is not a `next_cursor` of this method");
    *before = (int32_t)value;
    return 0;
}

int
card_history_execute (struct executor *executor, struct request *request)
{
    const struct card_request *data = request->data;
    struct unit *unit = &executor->unit;
    /* A card that gave way to another has a journal of its own, by its id. */
    struct unit_card *card = data->selector.has_id ? unit_card (unit, data->selector.card_id) : NULL;
    if (card == NULL)
        card = card_selected (executor, request, &data->selector);
    int limit = (int)request->record->fields[F_CARD_GET_LIMIT].integer;
    int32_t before;
    if (card == NULL || cursor_of (request, &before) < 0)
        return -1;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, card->bucket);
    pg_param_int8 (&params, card->card.card_id);
    pg_param_int4 (&params, before);
    pg_param_int4 (&params, limit + 1); /* one more than is shown tells whether there is another page */
    PGresult *result =
        pg_run (unit->pg, STATEMENT_HISTORY_PAGE, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    int found = PQntuples (result), rows = found < limit ? found : limit;
    struct buf *out = &request->reply;
    render_ok (out, 3);
    render_int (out, "card_id", card->card.card_id);
    wire_write_cstr (out, "history");
    wire_write_array (out, (uint32_t)rows);
    for (int row = 0; row < rows; row++)
        render_history_row (out, result, row);
    if (found > rows) {
        char text[24];
        snprintf (text, sizeof text, "%lld", (long long)pg_int (result, rows - 1, 0));
        render_text (out, "next_cursor", str_of (text));
    } else {
        render_nil (out, "next_cursor");
    }
    PQclear (result);
    return 0;
}
