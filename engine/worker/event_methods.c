/* event_methods.c - see event_methods.h. */
#include "worker/event_methods.h"
#include "base/log.h"
#include "render/event.h"
#include "render/render.h"
#include "wire/msgpack.h"

/* One call looks at so many numbers at most, however few of them have the topics that are asked for; reads so many changes at a time;
 * and ends once its events have so many bytes: with one more event the answer still fits a message. */
enum { NUMBERS_MAX = 20000, PAGE_CHANGES = 128, ANSWER_BYTES = 512 * 1024 };
_Static_assert(ANSWER_BYTES + EVENT_BYTES_MAX + 1024 < WIRE_BODY_MAX, "an answer must fit a message");
#define SCRATCH_BYTES ((size_t)256 * 1024 * 1024)

enum { NUMBER, CHANGE_TOPICS, RECORDED_AT, BUCKET, ORDER_REF, CARD_ID, PARTNER_ID, BODY, RECORD };

struct reading {
    struct executor *executor;
    struct request *request;
    struct arena *scratch; /* of one order's record */
    struct buf events;
    uint32_t topics, count, limit;
    int64_t oldest, last;
    int64_t after; /* all up to this number were looked at */
    bool is_full;
};

static PGresult *
run (struct reading *reading, enum statement statement, const struct pg_params *params)
{
    struct unit *unit = &reading->executor->unit;
    return pg_run (unit->pg, statement, params, unit->deadline_us, &unit->failure, &reading->request->error);
}

static uint32_t
topics_asked_for (const struct wire_value *field)
{
    uint32_t topics = 0;
    for (uint32_t i = 0; i < field->list.count; i++)
        topics |= UINT32_C (1) << field->list.integers[i]; /* by their place in NAMES_TOPIC */
    return topics != 0 ? topics : TOPICS_ALL;
}

/* What is kept. -1: what comes next is not kept any more. */
static int
read_state (struct reading *reading, const struct wire_value *after)
{
    PGresult *result = run (reading, STATEMENT_EVENTS_STATE, NULL);
    if (result == NULL)
        return -1;
    reading->oldest = pg_int (result, 0, 0);
    reading->last = pg_int (result, 0, 1);
    PQclear (result);
    reading->after = after->present ? after->integer : reading->last;
    /* Whoever has all that the replica has asks for what it has not yet. */
    if (reading->executor->kind == EXECUTOR_REPLICA && reading->after >= reading->last)
        return request_fail (reading->request, ERROR_UNAVAILABLE, "the replica has no newer event");
    if (reading->after >= reading->oldest - 1)
        return 0;
    request_fail (reading->request, ERROR_TOO_OLD, "event %lld is not kept any more: the oldest is %lld",
                  (long long)reading->after + 1, (long long)reading->oldest);
    return error_detail (&reading->request->error, "oldest", "%lld", (long long)reading->oldest);
}

static int64_t
int_or_0 (const PGresult *result, int row, int column)
{
    return pg_is_null (result, row, column) ? 0 : pg_int (result, row, column);
}

/* The change of a row; its order's record is decoded into the scratch. One that cannot be read keeps nobody from what comes after
 * it. */
static int
change_of (struct reading *reading, const PGresult *page, int row, struct event_change *change)
{
    struct order_record *record = NULL;
    struct error err;
    bool is_damaged = false;
    arena_reset (reading->scratch);
    if (!pg_is_null (page, row, RECORD)) {
        record = arena_new_of (reading->scratch, struct order_record);
        if (record == NULL)
            return request_fail (reading->request, ERROR_INTERNAL, "the worker is out of memory");
        is_damaged = order_record_decode (pg_text (page, row, RECORD), reading->scratch, record, &err) < 0;
    }
    if (is_damaged)
        log_error ("the order of event %lld: %s", (long long)pg_int (page, row, NUMBER), err.message);
    *change =
        (struct event_change){ .number = pg_int (page, row, NUMBER),
                               .topics = (uint32_t)pg_int (page, row, CHANGE_TOPICS),
                               .recorded_at = pg_time (page, row, RECORDED_AT),
                               .bucket = (int16_t)pg_int (page, row, BUCKET),
                               .order_ref = pg_int (page, row, ORDER_REF),
                               .card_id = int_or_0 (page, row, CARD_ID),
                               .partner_id = int_or_0 (page, row, PARTNER_ID),
                               .body = pg_is_null (page, row, BODY) ? (struct str){ 0 } : pg_text (page, row, BODY),
                               .record = is_damaged ? NULL : record,
                               .is_damaged = is_damaged };
    return 0;
}

/* The events of a change that are asked for and lie behind what was looked at. */
static int
take_change (struct reading *reading, const struct event_change *change)
{
    uint32_t topics = change->topics;
    for (int64_t number = change->number; topics != 0 && !reading->is_full; number++) {
        enum topic topic = event_first (topics);
        topics &= topics - 1;
        if (number <= reading->after)
            continue;
        reading->after = number;
        if ((reading->topics & TOPIC_BIT (topic)) == 0)
            continue;
        if (event_render (change, topic, number, reading->executor->engine->currency_digits, &reading->events,
                          &reading->request->error) < 0)
            return -1;
        reading->count++;
        reading->is_full = reading->count == reading->limit || reading->events.size >= ANSWER_BYTES;
    }
    return 0;
}

/* The next changes up to number `end`; *more: perhaps there are others before it. */
static int
read_page (struct reading *reading, int64_t end, bool *more)
{
    struct pg_params params = { .arena = reading->executor->transaction };
    struct event_change change = { 0 };
    uint32_t left = reading->limit - reading->count;
    uint32_t size = left < PAGE_CHANGES ? left : PAGE_CHANGES;
    int status = 0;
    pg_param_int8 (&params, reading->after);
    pg_param_int8 (&params, end);
    pg_param_int4 (&params, (int32_t)reading->topics);
    pg_param_int4 (&params, (int32_t)size);
    PGresult *page = run (reading, STATEMENT_EVENTS_PAGE, &params);
    if (page == NULL)
        return -1;
    for (int row = 0; status == 0 && !reading->is_full && row < PQntuples (page); row++) {
        status = change_of (reading, page, row, &change);
        if (status == 0)
            status = take_change (reading, &change);
    }
    *more = PQntuples (page) == (int)size;
    PQclear (page);
    return status;
}

static int
read_events (struct reading *reading)
{
    int64_t end = reading->last - reading->after > NUMBERS_MAX ? reading->after + NUMBERS_MAX : reading->last;
    bool more = reading->after < end;
    while (more && !reading->is_full)
        if (read_page (reading, end, &more) < 0)
            return -1;
    if (!reading->is_full && reading->after < end)
        reading->after = end; /* what lies before it has other topics */
    return 0;
}

static int
answer (struct reading *reading)
{
    struct buf *out = &reading->request->reply;
    render_ok (out, 4);
    wire_write_cstr (out, "events");
    wire_write_array (out, reading->count);
    wire_write_raw (out, (struct str){ (const char *)reading->events.data, (uint32_t)reading->events.size });
    render_int (out, "after", reading->after);
    render_int (out, "last", reading->last);
    render_int (out, "oldest", reading->oldest);
    return out->failed ? request_fail (reading->request, ERROR_INTERNAL, "the worker is out of memory") : 0;
}

int
events_read_execute (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct reading reading = { .executor = executor,
                               .request = request,
                               .topics = topics_asked_for (&fields[F_EVENTS_READ_TOPICS]),
                               .limit = (uint32_t)fields[F_EVENTS_READ_LIMIT].integer };
    if (read_state (&reading, &fields[F_EVENTS_READ_AFTER]) < 0)
        return -1;
    reading.scratch = arena_new (SCRATCH_BYTES);
    int status = reading.scratch == NULL ? request_fail (request, ERROR_INTERNAL, "the worker is out of memory")
                                         : read_events (&reading);
    if (status == 0)
        status = answer (&reading);
    buf_free (&reading.events);
    arena_destroy (&reading.scratch);
    return status;
}
