/* order_execute.c - an order under the locks: its time, its originals, its price, its points, its record. */
#include "worker/order_run.h"
#include "store/refund_state.h"
#include "wire/msgpack.h"
#include "domain/catalog_index.h"
#include "worker/draft_catalog.h"
#include "render/event.h"
#include "render/render.h"

#include <stdio.h>

/* ---- when */

static int64_t
instant_of (const struct catalog *catalog, const struct order *order, struct wire_time time)
{
    if (time.has_offset)
        return time.us;
    int64_t day = time.us / US_PER_DAY - (time.us % US_PER_DAY < 0);
    return instant_from_local (catalog_zone (catalog, order->has_store, order->store_id), (int32_t)day,
                               time.us - day * US_PER_DAY);
}

int64_t
order_instant (const struct catalog *catalog, struct unit *unit, const struct order_request *data)
{
    const struct order *order = &data->order;
    int64_t now = unit->recorded_at;
    if (data->has_at)
        return instant_of (catalog, order, data->at);
    if (data->has_date)
        return instant_of (catalog, order, data->date);
    /* A clock that was set back a little must not make points of a moment ago look as if they were still to come. */
    const struct unit_member *member = order->has_partner ? unit_member (unit, order->partner_id) : NULL;
    bool ahead = member != NULL && member->last_order > now && member->last_order <= now + LATE_AFTER_US;
    return ahead && !order->is_import ? member->last_order : now;
}

/* ---- originals */

int
run_read_refunds (struct order_run *run, struct order_place original, const struct order_record *const **refunds,
                  uint32_t *count)
{
    struct order_place *places;
    uint32_t *owners, place_count;
    if (unit_read_refunds (run->unit, &original, 1, &places, &owners, &place_count, &run->request->error) < 0)
        return -1;
    const struct order_record **list = arena_array_of (run->arena, place_count + 1, const struct order_record *);
    if (list == NULL)
        return run_no_memory (run);
    *count = 0;
    for (uint32_t i = 0; i < place_count; i++) {
        struct order_record *record = arena_new_of (run->arena, struct order_record);
        struct stored_order stored;
        bool found = false;
        if (record == NULL)
            return run_no_memory (run);
        if (order_read (run->executor, places[i], false, run->arena, &found, &stored, record, &run->request->error) < 0)
            return -1;
        if (found && !stored.cancelled)
            list[(*count)++] = record;
    }
    *refunds = list;
    return 0;
}

static int
read_original (struct order_run *run, const struct original_place *place)
{
    struct order_record *record = arena_new_of (run->arena, struct order_record);
    struct original *original = &run->originals[run->original_count];
    const struct order_record *const *refunds = NULL;
    uint32_t refund_count = 0;
    struct stored_order stored;
    bool found = false;

    if (record == NULL)
        return run_no_memory (run);
    if (order_read (run->executor, place->place, run->unit->locking, run->arena, &found, &stored, record,
                    &run->request->error) < 0)
        return -1;
    if (!found)
        return request_fail (run->request, ERROR_TOO_OLD, "order %.*s is past its retention", (int)place->order_id.size,
                             place->order_id.data);
    if (run->unit->locking && (record->order.has_partner != place->has_partner ||
                               (place->has_partner && record->order.partner_id != place->partner_id))) {
        run->request->status = REQUEST_DEFERRED; /* its member was forgotten between the look-up and the locks */
        return -1;
    }
    if (run_read_refunds (run, place->place, &refunds, &refund_count) < 0 ||
        refund_original_from_records (record, refunds, refund_count, run->executor->engine->currency_digits, run->arena,
                                      original, &run->request->error) < 0)
        return -1;
    original->cancelled = stored.cancelled;
    original->partner_id = unit_survivor (run->unit, original->partner_id);
    run->original_records[run->original_count] = record;
    run->original_places[run->original_count++] = place->place;
    return 0;
}

static int
read_originals (struct order_run *run)
{
    run->originals = arena_array_of (run->arena, run->data->original_count + 1, struct original);
    run->original_places = arena_array_of (run->arena, run->data->original_count + 1, struct order_place);
    run->original_records = arena_array_of (run->arena, run->data->original_count + 1, const struct order_record *);
    if (run->originals == NULL || run->original_places == NULL || run->original_records == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < run->data->original_count; i++)
        if (run->data->originals[i].found && run->data->originals[i].place.order_ref != 0 &&
            read_original (run, &run->data->originals[i]) < 0)
            return -1;
    return 0;
}

/* ---- state */

/* Who names a card that gave way to another means that one. */
static void
resolve_cards (struct order_run *run)
{
    struct order_request *data = run->data;
    for (uint32_t i = 0; i < data->presented_count; i++) {
        struct presented_card *presented = &data->presented[i];
        const struct unit_card *card =
            presented->card_id == 0 ? NULL : unit_card_survivor (run->unit, presented->card_id);
        if (card == NULL || card->card.card_id == presented->card_id)
            continue;
        presented->card_id = card->card.card_id;
        if (presented->presence == PRESENCE_CLAIMED)
            data->claims[presented->index].card.card_id = card->card.card_id;
        else if (presented->presence == PRESENCE_TOPPED_UP)
            data->order.lines[presented->index].card.card_id = card->card.card_id;
    }
}

/* Lines of this attempt's own. */
static int
copy_lines (struct order_run *run)
{
    struct order_line *lines = arena_array_of (run->arena, run->data->order.line_count + 1, struct order_line);
    if (lines == NULL)
        return run_no_memory (run);
    memcpy (lines, run->data->order.lines, run->data->order.line_count * sizeof *lines);
    for (uint32_t i = 0; i < run->data->order.line_count; i++)
        catalog_cache_resolve (&run->executor->cache, run->catalog, &lines[i]);
    run->record.order.lines = lines;
    return 0;
}

/* What rewards would give, but cannot, as it is not active (SEMANTICS 1). */
static int
list_inactive (struct order_run *run)
{
    const struct id_list *given = &run->catalog->index->given_products;
    if (run->record.order.channel != CHANNEL_SALE || given->count == 0)
        return 0;
    int64_t *ids = arena_array_of (run->arena, given->count, int64_t);
    if (ids == NULL)
        return run_no_memory (run);
    uint32_t count = 0;
    for (uint32_t i = 0; i < given->count; i++)
        if (catalog_cache_is_inactive (&run->executor->cache, given->ids[i]))
            ids[count++] = given->ids[i];
    run->record.order.inactive_products = (struct id_list){ count, ids };
    return 0;
}

static int
add_card (struct order_run *run, struct card_state *cards, uint32_t *count, struct unit_card *card, bool presented)
{
    struct lot_source source = unit_lot_source (run->unit);
    int64_t balance;
    for (uint32_t i = 0; i < *count; i++)
        if (cards[i].card_id == card->card.card_id) {
            cards[i].presented |= presented;
            return 0;
        }
    if (ledger_balance (&card->card, run->record.order.instant, &source, run->arena, &balance, &run->request->error) <
        0)
        return -1;
    int64_t usable = balance - card->card.held + run_held_points (run, &card->card), expired = 0;
    if (presented && usable <= 0 && run_expired_points (run, card, &expired) < 0)
        return -1;
    cards[(*count)++] = (struct card_state){ .card_id = card->card.card_id,
                                             .program_id = card->card.program_id,
                                             .has_partner = card->card.has_partner,
                                             .partner_id = card->card.partner_id,
                                             .code = card->card.code,
                                             .blocked = card->card.blocked,
                                             .presented = presented,
                                             .usable = usable > 0 ? usable : 0,
                                             .expired = expired,
                                             .debt = card->card.debt };
    return 0;
}

bool
run_may_use (const struct order_run *run, const struct card *card)
{
    const struct order *order = &run->record.order;
    return !card->has_partner || (order->has_partner && card->partner_id == order->partner_id);
}

/* Whether the order may have to do with a card that it names: one that it may use, or the code of a referral, which is
 * somebody else's. */
static bool
is_for_order (const struct order_run *run, const struct presented_card *presented, const struct card *card)
{
    const struct program *program = catalog_program (run->catalog, card->program_id);
    if (run_may_use (run, card))
        return true;
    return presented->presence == PRESENCE_CODE && program != NULL && program->type == PROGRAM_REFERRAL;
}

/* Somebody else's card by its referral code, as it was before the locks: nothing of it is spent. */
static void
add_referral (struct order_run *run, struct card_state *cards, uint32_t *count, const struct presented_card *presented)
{
    for (uint32_t i = 0; i < *count; i++)
        if (cards[i].card_id == presented->card_id)
            return;
    cards[(*count)++] =
        (struct card_state){ .card_id = presented->card_id,
                             .program_id = presented->program_id,
                             .has_partner = presented->has_owner,
                             .partner_id = presented->owner_id,
                             .code = presented->code,
                             .blocked = presented->blocked,
                             .presented = true,
                             .referral_uses = run_referral_uses (run, presented->program_id, presented->card_id) };
}

static void
set_referral_uses (struct order_run *run, struct card_state *cards, uint32_t count, const struct card *card)
{
    for (uint32_t i = 0; i < count; i++)
        if (cards[i].card_id == card->card_id)
            cards[i].referral_uses = run_referral_uses (run, card->program_id, card->card_id);
}

/* A card that is shown or topped up has to be there (a sale that was made already did without the one shown); one that a claim
 * names is judged with the claim. */
static int
refuse_presented (struct order_run *run, const struct presented_card *presented, bool is_there)
{
    bool topped_up = presented->presence == PRESENCE_TOPPED_UP;
    char path[40];
    if (!topped_up && presented->presence != PRESENCE_SHOWN)
        return 0;
    snprintf (path, sizeof path, topped_up ? "lines[%u].card" : "cards[%u]", presented->index);
    error_field (&run->request->error, ERROR_NOT_FOUND, path,
                 is_there ? "is another member's card" : "there is no such card");
    return topped_up ? -1 : run_forgive (run, path);
}

static int
add_presented (struct order_run *run, struct card_state *cards, uint32_t *count)
{
    for (uint32_t i = 0; i < run->data->presented_count; i++) {
        const struct presented_card *presented = &run->data->presented[i];
        struct unit_card *card = presented->card_id == 0 ? NULL : unit_card (run->unit, presented->card_id);
        if (presented->is_referral && (card == NULL || !run_may_use (run, &card->card))) {
            add_referral (run, cards, count, presented);
            continue;
        }
        bool fits = card != NULL && is_for_order (run, presented, &card->card);
        if (fits ? add_card (run, cards, count, card, presented->presence != PRESENCE_TOPPED_UP) < 0
                 : refuse_presented (run, presented, card != NULL) < 0)
            return -1;
        if (fits && presented->presence == PRESENCE_CODE)
            set_referral_uses (run, cards, *count, &card->card);
    }
    return 0;
}

static int
set_state (struct order_run *run)
{
    struct order *order = &run->record.order;
    uint32_t count = 0, capacity = run->data->presented_count + 2;
    struct unit_card *card = NULL;
    while (order->has_partner && (card = unit_card_of_partner (run->unit, order->partner_id, card)) != NULL)
        capacity++;
    struct card_state *cards = arena_array_of (run->arena, capacity, struct card_state);
    if (cards == NULL)
        return run_no_memory (run);
    for (card = NULL; order->has_partner && (card = unit_card_of_partner (run->unit, order->partner_id, card)) != NULL;)
        if (add_card (run, cards, &count, card, false) < 0)
            return -1;
    if (add_presented (run, cards, &count) < 0)
        return -1;
    if (run->hold_card_id != 0 && add_card (run, cards, &count, unit_card (run->unit, run->hold_card_id), true) < 0)
        return -1;
    order->cards = cards;
    order->card_count = count;
    const struct unit_member *member = order->has_partner ? unit_member (run->unit, order->partner_id) : NULL;
    order->member = (struct member_state){ .known = order->has_partner,
                                           .partner_id = order->partner_id,
                                           .is_first_order = member == NULL || member->order_count == 0 };
    return run_membership_state (run) < 0 ? -1 : run_usage_states (run);
}

/* Whether nothing of an original is left to be returned after this order. */
static bool
is_made_whole (const struct order_run *run, uint32_t index)
{
    const struct original *original = &run->originals[index];
    bool taken = false;
    for (uint32_t i = 0; i < original->line_count; i++) {
        int64_t left = original->lines[i].qty_micro - original->lines[i].refunded_qty_micro;
        for (uint32_t j = 0; j < run->plan.part_count; j++) {
            const struct refund_part *part = &run->plan.parts[j];
            if (part->original != index || part->original_line != i)
                continue;
            left -= part->qty_micro;
            taken = true;
        }
        if (left > 0)
            return false;
    }
    return taken;
}

/* What an order that is wholly returned had used is there to be used again. */
static int
return_wholes (struct order_run *run)
{
    struct record_refund *refund = &run->record.refund;
    for (uint32_t i = 0; i < refund->original_count; i++) {
        struct record_original *original = (struct record_original *)&refund->originals[i]; /* made by set_plan */
        original->is_whole = is_made_whole (run, i);
        if (original->is_whole && (run_return_usages (run, run->original_records[i]) < 0 ||
                                   run_return_referral (run, run->original_records[i]) < 0))
            return -1;
        if (original->is_whole)
            original->referral = run->original_records[i]->evaluation.referral;
    }
    return 0;
}

/* Money that a card had paid goes back to it: what is left is for the customer's hands. Like a payment it carries no tax. */
static void
give_payments_back (struct order_run *run)
{
    for (uint32_t i = 0; i < run->plan.points_count; i++) {
        run->record.evaluation.untaxed_minor += run->plan.points[i].paid_back_minor;
        run->record.evaluation.total_minor += run->plan.points[i].paid_back_minor;
    }
}

/* ---- writing */

static int
store_refunds (struct order_run *run)
{
    for (uint32_t i = 0; i < run->original_count; i++) {
        bool used = false;
        for (uint32_t j = 0; j < run->plan.part_count && !used; j++)
            used = run->plan.parts[j].original == i;
        struct unit_refund refund = { .bucket = run->original_places[i].bucket,
                                      .original_ref = run->original_places[i].order_ref,
                                      .refund_ref = run->request->order_ref,
                                      .refund_bucket = run->request->member_bucket };
        if (used && unit_add_refund (run->unit, &refund) < 0)
            return run_no_memory (run);
    }
    return 0;
}

/* Counts the order for its member; a return that names none counts for the original's. */
static int
store_member (struct order_run *run)
{
    const struct order *order = &run->record.order;
    bool has_partner = order->has_partner;
    int64_t partner_id = order->partner_id;
    for (uint32_t i = 0; i < run->original_count && !has_partner; i++) {
        has_partner = run->originals[i].has_partner && order_takes_of (&run->record, i);
        partner_id = run->originals[i].partner_id;
    }
    struct unit_member *member = has_partner ? unit_member (run->unit, partner_id) : NULL;
    if (member == NULL)
        return has_partner ? run_membership (run, NULL) : 0;
    if (unit_save_member (run->unit, &run->savepoint, partner_id) < 0)
        return run_no_memory (run);
    member->changed = true;
    member->order_count += run->record.kind == RECORD_PROCESS;
    if (__builtin_add_overflow (member->spending_minor, run->record.evaluation.total_minor, &member->spending_minor))
        return request_fail (run->request, ERROR_INVALID_REQUEST, "the member's spending does not fit 64 bits");
    if (order->has_partner && order->instant > member->last_order)
        member->last_order = order->instant;
    return run_membership (run, member);
}

int
run_store_origins (struct order_run *run)
{
    for (uint32_t i = 0; i < run->record.effect_count; i++) {
        struct unit_card *card = unit_card (run->unit, run->effects[i].card_id);
        if (card != NULL && unit_card_origin (run->unit, card, run->request->order_ref, run->record.order.order_id) < 0)
            return run_no_memory (run);
    }
    return 0;
}

int
run_store_record (struct order_run *run)
{
    struct buf bytes = { 0 };
    struct unit_order order = { .bucket = run->request->member_bucket,
                                .order_ref = run->request->order_ref,
                                .kind = (int16_t)run->record.kind,
                                .has_partner = run->record.order.has_partner,
                                .partner_id = run->record.order.partner_id };
    struct unit_event event = { .bucket = order.bucket,
                                .topics = event_order_topics (&run->record),
                                .order_ref = order.order_ref };
    int status = order_record_encode (&run->record, &bytes, &run->request->error);
    if (status == 0) {
        order.record = arena_str (run->arena, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size });
        if (order.record.data == NULL || unit_add_order (run->unit, &order) < 0 ||
            unit_add_event (run->unit, &event) < 0)
            status = run_no_memory (run);
    }
    buf_free (&bytes);
    return status;
}

/* ---- the order of steps */

static int
run_steps (struct order_run *run)
{
    struct order_record *record = &run->record;
    const struct order *order = &run->data->order;
    if (order->draft_count > 0)
        run->catalog =
            draft_catalog (run->executor, order->draft_program_ids, order->draft_count, &run->request->error);
    if (run->catalog == NULL)
        return -1;
    record->evaluator_version = EVALUATOR_VERSION;
    record->recorded = run->unit->recorded_at;
    record->order_ref = run->request->order_ref;
    record->order = *order;
    record->order.partner_id = unit_survivor (run->unit, order->partner_id);
    resolve_cards (run);
    if (run_set_time (run) < 0 || copy_lines (run) < 0 || list_inactive (run) < 0 || run_open_hold (run) < 0)
        return -1;
    record->catalog_version = run->catalog->version;
    if (run->data->original_count > 0 && (read_originals (run) < 0 ||
                                          refund_plan_make (&record->order, run->originals, run->original_count,
                                                            run->arena, &run->plan, &run->request->error) < 0 ||
                                          order_record_set_plan (record, &run->plan, run->originals, run->arena) < 0 ||
                                          return_wholes (run) < 0 || run_refund_points (run) < 0))
        return -1;
    bool strict = run->unit->locking && !order->skip_refused && !record->order.forgiving;
    if (set_state (run) < 0 || evaluate_order (run->catalog, &record->order, strict, run->arena, &record->evaluation,
                                               &run->request->error) < 0)
        return -1;
    give_payments_back (run);
    if (run_count_usages (run) < 0 || run_referral (run) < 0 || run_check_printed (run) < 0 ||
        run_evaluated_points (run) < 0 || run_let_go_hold (run) < 0 || run_made_cards (run) < 0 ||
        run_store_origins (run) < 0 || store_member (run) < 0 || run_balances (run) < 0 ||
        run_note_differences (run) < 0)
        return -1;
    if (record->order.has_expected_total && !record->order.forgiving &&
        record->order.expected_total_minor != record->evaluation.total_minor) {
        render_price_changed (record, run->catalog->currency_digits, &run->request->reply);
        run->request->error_rendered = true;
        return error_set (&run->request->error, ERROR_PRICE_CHANGED, "the price has changed");
    }
    render_order (record, run->catalog->currency_digits, false, &run->request->reply);
    if (!run->unit->locking)
        return 0;
    return store_refunds (run) < 0 ? -1 : run_store_record (run);
}

int
run_check_answer (struct request *request, size_t bytes_max, int status)
{
    size_t size = request->reply.size;
    if (size <= bytes_max)
        return status;
    buf_clear (&request->reply);
    if (status < 0)
        return status;
    return error_field (&request->error, ERROR_TOO_LARGE, "lines", "the answer would have %zu bytes, over %zu", size,
                        bytes_max);
}

int
order_execute (struct executor *executor, struct request *request)
{
    struct order_run run = { .executor = executor,
                             .request = request,
                             .data = request->data,
                             .unit = &executor->unit,
                             .arena = executor->transaction,
                             .catalog = executor->cache.catalog };
    run.record.kind = run.data->kind;
    unit_save (run.unit, &run.savepoint);
    int status = run_check_answer (request, WIRE_BODY_MAX, run_steps (&run));
    if (status == 0 && run.unit->locking)
        status = run_claim_printed (&run);
    if (status < 0 || !run.unit->locking)
        unit_restore (run.unit, &run.savepoint);
    return status;
}

/* ---- reading, replaying */

static int
answer_record (struct executor *executor, struct request *request, struct order_place place, bool replayed)
{
    struct stored_order stored;
    struct order_record record;
    bool found = false;
    if (order_read (executor, place, false, executor->transaction, &found, &stored, &record, &request->error) < 0)
        return -1;
    if (!found)
        return request_fail (request, ERROR_TOO_OLD, "the order is past its retention: only its key is left");
    if (replayed && stored.cancelled) {
        request_fail (request, ERROR_CONFLICT,
                      "order %.*s was processed and cancelled; an order that changed is sent under another id",
                      (int)record.order.order_id.size, record.order.order_id.data);
        return error_detail (&request->error, "reason", "cancelled");
    }
    render_order (&record, executor->engine->currency_digits, replayed, &request->reply);
    return 0;
}

int
order_replay (struct executor *executor, struct request *request)
{
    return answer_record (executor, request, request->keys[0].stored->place, true);
}

/* A stored answer, with `replayed` set: it is a map {ok, result: {…}} whose field is found and turned. */
int
stored_replay (struct executor *executor, struct request *request)
{
    const struct str reply = request->keys[0].stored->reply;
    struct str result, replayed;
    (void)executor;
    if (!wire_map_find (reply, "result", &result) || !wire_map_find (result, "replayed", &replayed) ||
        replayed.size != 1)
        return request_fail (request, ERROR_INTERNAL, "the stored answer cannot be read");
    buf_append (&request->reply, reply.data, reply.size);
    if (!request->reply.failed)
        request->reply.data[replayed.data - reply.data] = 0xc3; /* true */
    return 0;
}

int
cancel_replay (struct executor *executor, struct request *request)
{
    if (request->keys[0].stored->place.order_ref == 0)
        return stored_replay (executor, request);
    return answer_record (executor, request, request->keys[0].stored->place, true);
}

int
order_get_execute (struct executor *executor, struct request *request)
{
    struct str order_id = request->record->fields[F_ORDER_GET_ORDER_ID].text;
    struct order_place place;
    bool found = false;
    if (order_find (executor, order_id, &found, &place, &request->error) < 0)
        return -1;
    if (!found || place.order_ref == 0)
        return request_fail (request, ERROR_NOT_FOUND, "there is no order %.*s%s", (int)order_id.size, order_id.data,
                             found ? ": it was cancelled before it came" : "");
    return answer_record (executor, request, place, false);
}
