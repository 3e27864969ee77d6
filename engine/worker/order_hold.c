/* order_hold.c - an order that captures a hold (SEMANTICS 7, 22): its points count as usable, what the order spends of that card
 * comes from the held lots first, and what it does not spend is let go. */
#include "worker/event.h"
#include "worker/hold_methods.h"
#include "worker/order_run.h"

/* A sale that was made already is not undone by a hold that is gone: its points come from what is free, else are owed. */
static int
refuse (struct order_run *run)
{
    enum error_code code = run->request->error.code;
    bool is_gone = code == ERROR_NOT_FOUND || code == ERROR_HOLD_EXPIRED || code == ERROR_CONFLICT ||
                   code == ERROR_INVALID_REQUEST;
    return is_gone ? run_forgive (run, "hold_id") : -1;
}

int
run_open_hold (struct order_run *run)
{
    struct str hold_id = run->record.order.hold_id;
    if (hold_id.size == 0)
        return 0;
    struct unit_card *card;
    if (hold_open (run->executor, run->request, run->data->hold_card_id, hold_id, &card) == NULL)
        return run->request->status == REQUEST_DEFERRED ? -1 : refuse (run);
    if (!run_may_use (run, &card->card)) {
        error_field (&run->request->error, ERROR_INVALID_REQUEST, "hold_id", "holds points of another member's card");
        return refuse (run);
    }
    run->hold_card_id = card->card.card_id;
    return 0;
}

static struct hold *
hold_of (const struct order_run *run, const struct card *card)
{
    return run->hold_card_id == card->card_id ? ledger_hold_find (card, run->record.order.hold_id) : NULL;
}

int64_t
run_held_points (const struct order_run *run, const struct card *card)
{
    const struct hold *hold = hold_of (run, card);
    return hold != NULL ? hold->points : 0;
}

int
run_capture_hold (struct order_run *run, struct unit_card *card, int64_t points, int64_t *captured)
{
    struct hold *hold = hold_of (run, &card->card);
    *captured = 0;
    if (hold == NULL)
        return 0;
    *captured = points < hold->points ? points : hold->points;
    return ledger_hold_capture (&card->card, hold, JOURNAL_REDEEM, *captured, run->record.order.instant, run->arena,
                                NULL, &run->request->error);
}

int
run_let_go_hold (struct order_run *run)
{
    if (run->hold_card_id == 0)
        return 0;
    struct lot_source source = unit_lot_source (run->unit);
    const struct order *order = &run->record.order;
    struct unit_card *card = run_card_to_change (run, run->hold_card_id);
    if (card == NULL)
        return -1;
    uint32_t row = card->card.journal_size;
    struct hold *hold = hold_of (run, &card->card);
    if (hold != NULL)
        ledger_hold_release (&card->card, hold);
    if (ledger_expire (&card->card, order->instant, &source, run->arena, NULL, &run->request->error) < 0)
        return -1;
    return unit_card_origin (run->unit, card, run->request->order_ref, order->order_id) < 0
               ? run_no_memory (run)
               : event_card_moved (run->unit, card, row, run->request->order_ref, order->order_id,
                                   &run->request->error);
}
