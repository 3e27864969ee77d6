/* order_cancel.c - order.cancel: an order undone as if it had never been, also one that took something back of others (SEMANTICS
 * 36). */
#include "wire/msgpack.h"
#include "worker/order_run.h"
#include "render/render.h"

enum { CANCEL_BYTES_MORE = 32 * 1024 }; /* its answer is a little larger than the order's */

/* Nothing was there: the key that was claimed for the order stays, as its tombstone. */
static int
cancel_unknown (struct request *request)
{
    request->order_ref = 0;
    render_ok (&request->reply, 4);
    render_text (&request->reply, "order_id", request->keys[0].key);
    render_bool (&request->reply, "replayed", false);
    render_bool (&request->reply, "cancelled", true);
    render_bool (&request->reply, "was_processed", false);
    return 0;
}

/* Reads the order under its lock; conflict where it is cancelled, or others returned some of it. */
static int
read_cancelled (struct order_run *run, const struct original_place *place, struct order_record *original)
{
    const struct order_record *const *refunds;
    struct request *request = run->request;
    struct stored_order stored;
    uint32_t refund_count = 0;
    bool found = false;
    int size = (int)place->order_id.size;

    if (order_read (run->executor, place->place, true, run->arena, &found, &stored, original, &request->error) < 0)
        return -1;
    if (!found)
        return request_fail (request, ERROR_TOO_OLD, "order %.*s is past its retention", size, place->order_id.data);
    if (original->kind == RECORD_CANCEL || stored.cancelled) {
        request_fail (request, ERROR_CONFLICT, "order %.*s is cancelled already", size, place->order_id.data);
        return error_detail (&request->error, "reason", "cancelled");
    }
    if (run_read_refunds (run, place->place, &refunds, &refund_count) < 0)
        return -1;
    if (refund_count == 0)
        return 0;
    struct str refund_id = refunds[0]->order.order_id;
    request_fail (request, ERROR_CONFLICT, "order %.*s has returns; cancel these first: %.*s", size,
                  place->order_id.data, (int)refund_id.size, refund_id.data);
    return error_detail (&request->error, "reason", "returned");
}

/* ---- what it took back of others */

static bool
made_whole (const struct order_record *refund, struct str order_id)
{
    for (uint32_t i = 0; i < refund->refund.original_count; i++)
        if (refund->refund.originals[i].is_whole && str_equal (refund->refund.originals[i].order_id, order_id))
            return true;
    return false;
}

/* A later return that gave back what the original had used, since nothing was left of it, stands on this one. The original is
 * locked, so that none comes meanwhile. */
static int
check_last (struct order_run *run, const struct original_place *place, int64_t cancelled_ref)
{
    const struct order_record *const *refunds;
    struct stored_order *locked;
    uint32_t count = 0;
    if (unit_read_orders (run->unit, &place->place, 1, true, &locked, &count, &run->request->error) < 0 ||
        run_read_refunds (run, place->place, &refunds, &count) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        struct str id = refunds[i]->order.order_id;
        if (refunds[i]->order_ref == cancelled_ref || !made_whole (refunds[i], place->order_id))
            continue;
        request_fail (run->request, ERROR_CONFLICT, "order %.*s was returned wholly since; cancel first: %.*s",
                      (int)place->order_id.size, place->order_id.data, (int)id.size, id.data);
        return error_detail (&run->request->error, "reason", "returned");
    }
    return 0;
}

static const struct original_place *
place_of (const struct order_run *run, struct str order_id)
{
    for (uint32_t i = 1; i < run->data->original_count; i++)
        if (str_equal (run->data->originals[i].order_id, order_id))
            return &run->data->originals[i];
    return NULL;
}

/* The originals of its returns are as before them: what one that was wholly returned had used counts again. */
static int
restore_originals (struct order_run *run, const struct order_record *cancelled)
{
    for (uint32_t i = 0; i < cancelled->refund.original_count; i++) {
        const struct record_original *taken = &cancelled->refund.originals[i];
        const struct original_place *place = place_of (run, taken->order_id);
        if (!order_takes_of (cancelled, i))
            continue;
        if (place == NULL || place->record == NULL)
            return request_fail (run->request, ERROR_TOO_OLD, "order %.*s is past its retention",
                                 (int)taken->order_id.size, taken->order_id.data);
        if (check_last (run, place, cancelled->order_ref) < 0)
            return -1;
        if (taken->is_whole &&
            (run_use_again (run, place->record) < 0 || run_give_referral_again (run, taken, cancelled->recorded) < 0))
            return -1;
    }
    return 0;
}

/* The record tells what owners of referral codes are given again. */
static int
keep_referrals (struct order_run *run, const struct order_record *cancelled)
{
    struct record_original *kept =
        arena_array_of (run->arena, (size_t)cancelled->refund.original_count + 1, struct record_original);
    uint32_t count = 0;
    if (kept == NULL)
        return run_no_memory (run);
    for (uint32_t i = 0; i < cancelled->refund.original_count; i++)
        if (cancelled->refund.originals[i].referral.points != 0) {
            kept[count] = cancelled->refund.originals[i];
            kept[count++].is_whole = false;
        }
    run->record.refund.originals = kept;
    run->record.refund.original_count = count;
    return 0;
}

/* ---- the order itself */

static int
cancel_member (struct order_run *run, const struct order_record *original, const struct original_place *place)
{
    struct unit_member *member = place->has_partner ? unit_member (run->unit, place->partner_id) : NULL;
    if (member == NULL)
        return 0;
    if (unit_save_member (run->unit, &run->savepoint, place->partner_id) < 0)
        return run_no_memory (run);
    member->changed = true;
    if (original->kind == RECORD_PROCESS && member->order_count > 0)
        member->order_count--;
    member->spending_minor -= original->evaluation.total_minor;
    return run_membership_cancel (run, original, member);
}

static int
cancel_known (struct order_run *run, const struct original_place *place)
{
    struct order_record original;
    if (read_cancelled (run, place, &original) < 0)
        return -1;
    run->record = original;
    run->record.kind = RECORD_CANCEL;
    run->record.order_ref = run->request->order_ref;
    run->record.recorded = run->unit->recorded_at;
    run->record.order.instant = run->unit->recorded_at;
    run->record.effect_count = 0;
    run->record.effects = NULL;
    run->record.refund = (struct record_refund){ 0 };
    run->record.membership = (struct record_membership){ 0 };
    if (run_return_usages (run, &original) < 0 || run_return_referral (run, &original) < 0 ||
        restore_originals (run, &original) < 0 || keep_referrals (run, &original) < 0 ||
        run_undo (run, &original) < 0 || cancel_member (run, &original, place) < 0 || run_balances (run) < 0)
        return -1;
    render_order (&run->record, run->executor->engine->currency_digits, false, &run->request->reply);
    if (unit_cancel_order (run->unit, place->place) < 0)
        return run_no_memory (run);
    return run_store_origins (run) < 0 ? -1 : run_store_record (run);
}

int
cancel_execute (struct executor *executor, struct request *request)
{
    struct order_run run = { .executor = executor,
                             .request = request,
                             .data = request->data,
                             .unit = &executor->unit,
                             .arena = executor->transaction,
                             .catalog = executor->cache.catalog };
    const struct original_place *place = &run.data->originals[0];

    if (request->keys[1].claimed)
        return cancel_unknown (request);
    if (!place->found) {
        request->status = REQUEST_DEFERRED; /* it came between the look-up and the locks */
        return 0;
    }
    if (place->place.order_ref == 0)
        return request_fail (request, ERROR_CONFLICT, "order %.*s is cancelled already", (int)place->order_id.size,
                             place->order_id.data);
    unit_save (run.unit, &run.savepoint);
    int status = run_check_answer (request, WIRE_BODY_MAX + CANCEL_BYTES_MORE, cancel_known (&run, place));
    if (status < 0)
        unit_restore (run.unit, &run.savepoint);
    return status;
}
