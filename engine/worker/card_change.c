/* card_change.c - card.block, card.unblock and card.transfer. */
#include "wire/msgpack.h"
#include "worker/card_methods.h"
#include "worker/event.h"
#include "render/render.h"

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

/* ---- card.block, card.unblock */

int
card_state_prepare (struct executor *executor, struct request *request)
{
    static const struct card_fields FIELDS = { F_CARD_STATE_CARD_ID, F_CARD_STATE_CODE, F_CARD_STATE_PARTNER_ID,
                                               F_CARD_STATE_PROGRAM_ID };
    struct card_request *data = card_request_new (executor, request);
    return data == NULL ? -1 : card_selector_of (request, FIELDS, &data->selector);
}

/* A card that is in that state already stays as it is, with the reason that was given first. */
static int
set_blocked (struct executor *executor, struct request *request, bool blocked)
{
    const struct card_request *data = request->data;
    struct unit *unit = &executor->unit;
    struct unit_card *card = card_selected (executor, request, &data->selector);
    if (card == NULL)
        return -1;
    render_ok (&request->reply, CARD_FIELDS + 1);
    render_bool (&request->reply, "replayed", false);
    bool changes = card->card.blocked != blocked;
    if (changes) {
        struct str reason = arena_str (unit->arena, request->record->fields[F_CARD_STATE_REASON].text);
        if (reason.data == NULL)
            return no_memory (request);
        if (event_card_state (unit, card, blocked, reason, &request->error) < 0)
            return -1;
        unit_card_block (card, blocked, reason);
    }
    return card_render (executor, request, card, unit->recorded_at);
}

int
card_block_execute (struct executor *executor, struct request *request)
{
    return set_blocked (executor, request, true);
}

int
card_unblock_execute (struct executor *executor, struct request *request)
{
    return set_blocked (executor, request, false);
}

/* ---- card.transfer */

/* One of the two cards, and whose it was before the transaction. */
struct transfer_end {
    struct card_selector selector;
    bool has_partner;
    int64_t partner_id;
};

struct transfer_request {
    struct transfer_end from, to;
};

static int
end_of (struct request *request, int field, const char *name, struct transfer_end *end)
{
    const struct wire_value *fields = request->record->fields[field].record->fields;
    end->selector = (struct card_selector){ .has_id = fields[F_CARD_REF_CARD_ID].present,
                                            .has_code = fields[F_CARD_REF_CODE].present,
                                            .card_id = fields[F_CARD_REF_CARD_ID].integer,
                                            .code = fields[F_CARD_REF_CODE].text };
    if (end->selector.has_id + end->selector.has_code != 1)
        return error_field (&request->error, ERROR_INVALID_REQUEST, name,
                            "name the card in one way: by card_id or by code");
    return 0;
}

int
card_transfer_prepare (struct executor *executor, struct request *request)
{
    struct transfer_request *data = arena_new_of (executor->requests, struct transfer_request);
    request->data = data;
    if (data == NULL)
        return no_memory (request);
    return end_of (request, F_CARD_TRANSFER_FROM, "from", &data->from) < 0 ||
                   end_of (request, F_CARD_TRANSFER_TO, "to", &data->to) < 0
               ? -1
               : 0;
}

/* Finds the card's member, so that both members are locked before any of their cards. */
static int
look_up_end (struct executor *executor, struct request *request, struct transfer_end *end)
{
    struct unit *unit = &executor->unit;
    if (card_selector_look_up (executor, request, &end->selector) < 0)
        return -1;
    end->has_partner = false;
    if (end->selector.card_id == 0)
        return 0;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, bucket_of_card (end->selector.card_id, unit->buckets));
    pg_param_int8s (&params, &end->selector.card_id, 1);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CARDS_READ_BY_ID, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    if (PQntuples (result) > 0 && !pg_is_null (result, 0, 2)) {
        end->has_partner = true;
        end->partner_id = pg_int (result, 0, 2);
    }
    PQclear (result);
    return 0;
}

int
card_transfer_look_up (struct executor *executor, struct request *request)
{
    struct transfer_request *data = request->data;
    return look_up_end (executor, request, &data->from) < 0 || look_up_end (executor, request, &data->to) < 0 ? -1 : 0;
}

static int
want_end (struct executor *executor, const struct transfer_end *end)
{
    if (end->has_partner && unit_want_member (&executor->unit, end->partner_id, false) < 0)
        return -1;
    return card_selector_want (executor, &end->selector);
}

int
card_transfer_want (struct executor *executor, struct request *request)
{
    const struct transfer_request *data = request->data;
    return want_end (executor, &data->from) < 0 || want_end (executor, &data->to) < 0 ? -1 : 0;
}

/* What may be moved: all that is usable, where the request does not say how much. */
static int
points_to_move (struct executor *executor, struct request *request, struct unit_card *from, int64_t *points)
{
    const struct wire_value *asked = &request->record->fields[F_CARD_TRANSFER_POINTS];
    struct lot_source source = unit_lot_source (&executor->unit);
    int64_t balance;
    *points = asked->integer;
    if (asked->present)
        return 0;
    if (ledger_balance (&from->card, executor->unit.recorded_at, &source, executor->transaction, &balance,
                        &request->error) < 0)
        return -1;
    *points = balance - from->card.held;
    if (*points > 0)
        return 0;
    request_fail (request, ERROR_INSUFFICIENT_POINTS, "card %lld has no points to move", (long long)from->card.card_id);
    error_detail (&request->error, "required", "0.01");
    return error_detail (&request->error, "available", "0.00");
}

static int
check_ends (struct request *request, const struct unit_card *from, const struct unit_card *to)
{
    if (from == to)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "to", "is the card that gives");
    if (from->card.program_id != to->card.program_id)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "to",
                            "is a card of program %lld; the points are those of program %lld",
                            (long long)to->card.program_id, (long long)from->card.program_id);
    return card_check_open (request, from) < 0 || card_check_open (request, to) < 0 ? -1 : 0;
}

static int
transfer (struct executor *executor, struct request *request, struct unit_card *from, struct unit_card *to)
{
    struct unit *unit = &executor->unit;
    struct buf *out = &request->reply;
    struct str reason = arena_str (unit->arena, request->record->fields[F_CARD_TRANSFER_REASON].text);
    struct lot_source source = unit_lot_source (unit);
    uint32_t from_row = from->card.journal_size, to_row = to->card.journal_size;
    int64_t points;
    if (points_to_move (executor, request, from, &points) < 0 ||
        ledger_move (&from->card, &to->card, points, unit->recorded_at, &source, unit->arena, &request->error) < 0)
        return -1;
    if (reason.data == NULL || unit_card_origin (unit, from, 0, reason) < 0 ||
        unit_card_origin (unit, to, 0, reason) < 0)
        return no_memory (request);
    if (event_card_moved (unit, from, from_row, 0, reason, &request->error) < 0 ||
        event_card_moved (unit, to, to_row, 0, reason, &request->error) < 0)
        return -1;
    render_ok (out, 4);
    render_bool (out, "replayed", false);
    render_points (out, "points", points);
    wire_write_cstr (out, "from");
    wire_write_map (out, CARD_FIELDS);
    if (card_render (executor, request, from, unit->recorded_at) < 0)
        return -1;
    wire_write_cstr (out, "to");
    wire_write_map (out, CARD_FIELDS);
    return card_render (executor, request, to, unit->recorded_at);
}

int
card_transfer_execute (struct executor *executor, struct request *request)
{
    const struct transfer_request *data = request->data;
    struct unit *unit = &executor->unit;
    struct unit_savepoint savepoint;
    struct unit_card *from = card_selected (executor, request, &data->from.selector);
    struct unit_card *to = from == NULL ? NULL : card_selected (executor, request, &data->to.selector);
    if (to == NULL || check_ends (request, from, to) < 0)
        return -1;
    unit_save (unit, &savepoint);
    if (unit_save_card (unit, &savepoint, from->card.card_id) < 0 ||
        unit_save_card (unit, &savepoint, to->card.card_id) < 0)
        return no_memory (request);
    int status = transfer (executor, request, from, to);
    if (status < 0)
        unit_restore (unit, &savepoint);
    return status;
}
