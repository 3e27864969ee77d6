/* hold_methods.c - see hold_methods.h. */
#include "worker/hold_methods.h"
#include "wire/msgpack.h"
#include "worker/card_methods.h"
#include "render/render.h"
#include "worker/event.h"

#include <stdio.h>

enum { HOLD_MOVES_MAX = 16 }; /* how often a hold is followed */

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_INTERNAL, "the worker is out of memory");
}

/* ---- points.hold */

int
points_hold_prepare (struct executor *executor, struct request *request)
{
    static const struct card_fields FIELDS = { F_POINTS_HOLD_CARD_ID, F_POINTS_HOLD_CODE, F_POINTS_HOLD_PARTNER_ID,
                                               F_POINTS_HOLD_PROGRAM_ID };
    struct card_request *data = card_request_new (executor, request);
    return data == NULL ? -1 : card_selector_of (request, FIELDS, &data->selector);
}

/* The card's number and a part that nobody guesses. */
static struct str
new_hold_id (struct executor *executor, int64_t card_id)
{
    struct str random = executor_new_code (executor);
    char text[48];
    if (random.data == NULL)
        return random;
    snprintf (text, sizeof text, "%lld-%.*s", (long long)card_id, (int)random.size, random.data);
    return arena_str (executor->transaction, str_of (text));
}

static int
check_count (struct request *request, const struct card *card)
{
    unsigned open = 0;
    for (uint32_t i = 0; i < card->hold_count; i++)
        open += card->holds[i].state == HOLD_OPEN;
    if (open < HOLDS_PER_CARD_MAX)
        return 0;
    request_fail (request, ERROR_LIMIT_REACHED, "card %lld has %u open holds", (long long)card->card_id, open);
    return error_detail (&request->error, "limit", "holds");
}

int
points_hold_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    const struct card_request *data = request->data;
    struct unit *unit = &executor->unit;
    struct buf *out = &request->reply;
    struct lot_source source = unit_lot_source (unit);
    int64_t points = fields[F_POINTS_HOLD_POINTS].integer;
    int64_t until = unit->recorded_at + fields[F_POINTS_HOLD_TTL_S].integer * US_PER_SECOND;
    struct unit_card *card = card_selected (executor, request, &data->selector);
    if (card == NULL || card_check_open (request, card) < 0 || check_count (request, &card->card) < 0)
        return -1;
    struct str hold_id = new_hold_id (executor, card->card.card_id);
    if (hold_id.data == NULL)
        return no_memory (request);
    if (ledger_hold (&card->card, hold_id, points, unit->recorded_at, until, &source, unit->arena, &request->error) < 0)
        return -1;
    render_ok (out, CARD_FIELDS + 4);
    render_bool (out, "replayed", false);
    render_text (out, "hold_id", hold_id);
    render_points (out, "points", points);
    render_time (out, "until", until);
    return card_render (executor, request, card, unit->recorded_at);
}

/* ---- an open hold */

static int64_t
hold_card_id (struct str hold_id)
{
    uint32_t size = 0;
    int64_t card_id;
    while (size < hold_id.size && hold_id.data[size] >= '0' && hold_id.data[size] <= '9')
        size++;
    if (size == 0 || size == hold_id.size || hold_id.data[size] != '-' ||
        !decimal_parse ((struct str){ hold_id.data, size }, 0, &card_id))
        return 0;
    return card_id;
}

/* Reads the state of a hold that is not open in memory: 0 where there is none. */
static int
read_state (struct executor *executor, struct request *request, int64_t card_id, struct str hold_id, int64_t *state,
            int64_t *moved_to)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    pg_param_int2 (&params, bucket_of_card (card_id, unit->buckets));
    pg_param_int8 (&params, card_id);
    pg_param_text (&params, hold_id);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_HOLD_STATE, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    bool is_there = PQntuples (result) > 0;
    *state = is_there ? pg_int (result, 0, 0) : 0;
    *moved_to = is_there && *state == HOLD_MOVED ? pg_int (result, 0, 1) : 0;
    PQclear (result);
    return 0;
}

int
hold_card_look_up (struct executor *executor, struct request *request, struct str hold_id, int64_t *card_id)
{
    *card_id = hold_card_id (hold_id);
    for (unsigned moves = 0; *card_id != 0 && moves < HOLD_MOVES_MAX; moves++) {
        int64_t state, moved_to;
        if (read_state (executor, request, *card_id, hold_id, &state, &moved_to) < 0)
            return -1;
        if (state != HOLD_MOVED)
            break;
        *card_id = moved_to;
    }
    return 0;
}

int
hold_prepare (struct executor *executor, struct request *request)
{
    _Static_assert((int)F_POINTS_CAPTURE_HOLD_ID == (int)F_POINTS_RELEASE_HOLD_ID, "hold_id is the first of both");
    struct card_request *data = card_request_new (executor, request);
    if (data == NULL)
        return -1;
    data->selector.has_id = true;
    return 0;
}

int
hold_look_up (struct executor *executor, struct request *request)
{
    struct card_request *data = request->data;
    return hold_card_look_up (executor, request, request->record->fields[F_POINTS_CAPTURE_HOLD_ID].text,
                              &data->selector.card_id);
}

/* Why there is no open hold of that id. */
static void
refuse_closed (struct request *request, int64_t state, struct str hold_id)
{
    if (state == 0) {
        error_field (&request->error, ERROR_NOT_FOUND, "hold_id", "there is no hold %.*s", (int)hold_id.size,
                     hold_id.data);
    } else if (state == HOLD_EXPIRED) {
        request_fail (request, ERROR_HOLD_EXPIRED, "hold %.*s ran out; its points are free again", (int)hold_id.size,
                      hold_id.data);
    } else {
        const char *what = state == HOLD_CAPTURED ? "captured" : "released";
        request_fail (request, ERROR_CONFLICT, "hold %.*s was %s before", (int)hold_id.size, hold_id.data, what);
        error_detail (&request->error, "reason", "%s", what);
    }
}

/* What became of the hold since it was read; 0: nothing. */
static int64_t
closed_just_now (const struct card *card, struct str hold_id, int64_t *moved_to)
{
    int64_t state = 0;
    for (uint32_t i = 0; i < card->hold_count; i++)
        if (str_equal (card->holds[i].hold_id, hold_id)) {
            state = card->holds[i].state;
            *moved_to = card->holds[i].moved_to;
        }
    return state;
}

struct hold *
hold_open (struct executor *executor, struct request *request, int64_t card_id, struct str hold_id,
           struct unit_card **card)
{
    int64_t state = 0;
    for (unsigned moves = 0; card_id != 0 && moves < HOLD_MOVES_MAX; moves++) {
        int64_t moved_to = 0;
        *card = unit_card (&executor->unit, card_id);
        struct hold *hold = *card == NULL ? NULL : ledger_hold_find (&(*card)->card, hold_id);
        if (hold != NULL)
            return hold;
        state = *card == NULL ? 0 : closed_just_now (&(*card)->card, hold_id, &moved_to);
        if (state == 0 && read_state (executor, request, card_id, hold_id, &state, &moved_to) < 0)
            return NULL;
        if (state != HOLD_MOVED)
            break;
        card_id = moved_to;
        if (unit_card (&executor->unit, card_id) != NULL)
            continue;
        /* It moved between the look-up and the locks. */
        if (executor->unit.locking)
            request->status = REQUEST_DEFERRED;
        else
            request_fail (request, ERROR_BUSY, "hold %.*s is moving to another card", (int)hold_id.size, hold_id.data);
        return NULL;
    }
    refuse_closed (request, state, hold_id);
    return NULL;
}

static struct hold *
hold_named (struct executor *executor, struct request *request, struct unit_card **card)
{
    const struct card_request *data = request->data;
    return hold_open (executor, request, data->selector.card_id, request->record->fields[F_POINTS_CAPTURE_HOLD_ID].text,
                      card);
}

/* What was let go is booked where it is past its expiry, and told with the journal rows from `row` on; the answer is the card. */
static int
finish (struct executor *executor, struct request *request, struct unit_card *card, uint32_t row, struct str reason,
        int64_t captured, int64_t released)
{
    struct unit *unit = &executor->unit;
    struct lot_source source = unit_lot_source (unit);
    reason = arena_str (unit->arena, reason);
    if (ledger_expire (&card->card, unit->recorded_at, &source, unit->arena, NULL, &request->error) < 0)
        return -1;
    if (reason.data == NULL || unit_card_origin (unit, card, 0, reason) < 0)
        return no_memory (request);
    if (event_card_moved (unit, card, row, 0, reason, &request->error) < 0)
        return -1;
    render_ok (&request->reply, CARD_FIELDS + 3);
    render_bool (&request->reply, "replayed", false);
    render_points (&request->reply, "captured", captured);
    render_points (&request->reply, "released", released);
    return card_render (executor, request, card, unit->recorded_at);
}

static int
capture (struct executor *executor, struct request *request, struct unit_card *card, struct hold *hold)
{
    const struct wire_value *fields = request->record->fields;
    int64_t held = hold->points;
    uint32_t row = card->card.journal_size;
    int64_t points = fields[F_POINTS_CAPTURE_POINTS].present ? fields[F_POINTS_CAPTURE_POINTS].integer : held;
    struct str reason =
        fields[F_POINTS_CAPTURE_REASON].present ? fields[F_POINTS_CAPTURE_REASON].text : STR ("points.capture");
    if (ledger_hold_capture (&card->card, hold, JOURNAL_REDEEM, points, executor->unit.recorded_at,
                             executor->transaction, NULL, &request->error) < 0)
        return -1;
    return finish (executor, request, card, row, reason, points, held - points);
}

int
points_capture_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *asked = &request->record->fields[F_POINTS_CAPTURE_POINTS];
    struct unit_savepoint savepoint;
    struct unit_card *card;
    struct hold *hold = hold_named (executor, request, &card);
    if (hold == NULL || card_check_open (request, card) < 0)
        return -1;
    if (asked->present && asked->integer > hold->points)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "points", "is more than the hold has");
    unit_save (&executor->unit, &savepoint);
    if (unit_save_card (&executor->unit, &savepoint, card->card.card_id) < 0)
        return no_memory (request);
    int status = capture (executor, request, card, hold);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}

int
points_release_execute (struct executor *executor, struct request *request)
{
    struct unit_savepoint savepoint;
    struct unit_card *card;
    struct hold *hold = hold_named (executor, request, &card);
    if (hold == NULL)
        return -1;
    unit_save (&executor->unit, &savepoint);
    if (unit_save_card (&executor->unit, &savepoint, card->card.card_id) < 0)
        return no_memory (request);
    int64_t points = hold->points;
    ledger_hold_release (&card->card, hold);
    int status = finish (executor, request, card, card->card.journal_size, STR ("points.release"), 0, points);
    if (status < 0)
        unit_restore (&executor->unit, &savepoint);
    return status;
}
