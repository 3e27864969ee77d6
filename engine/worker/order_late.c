/* order_late.c - when an order was, and what follows for one that comes late or was paid for already (SEMANTICS 35): the catalog
 * of its date, nothing refused, and each difference told. */
#include "worker/order_run.h"

#include <stdio.h>

static int
check_date (struct order_run *run)
{
    const struct order *order = &run->record.order;
    int64_t now = run->unit->recorded_at;
    if (order->instant > now + LATE_AFTER_US)
        return error_field (&run->request->error, ERROR_INVALID_REQUEST, "date", "lies in the future");
    if (!order->is_import && order->instant < now - LATE_AT_MOST_US)
        return error_field (&run->request->error, ERROR_INVALID_REQUEST, "date",
                            "is more than 7 days ago; history is sent with \"import\": true");
    return 0;
}

static bool
is_late (const struct order_run *run)
{
    const struct order *order = &run->record.order;
    const struct unit_member *member = order->has_partner ? unit_member (run->unit, order->partner_id) : NULL;
    return order->instant < run->unit->recorded_at - LATE_AFTER_US ||
           (member != NULL && order->instant < member->last_order);
}

int
run_set_time (struct order_run *run)
{
    struct order *order = &run->record.order;
    struct catalog_cache *cache = &run->executor->cache;
    order->instant = order_instant (run->catalog, run->unit, run->data);
    if (!run->data->has_at && run->data->has_date && check_date (run) < 0)
        return -1;
    run->record.is_late = !run->data->has_at && run->data->has_date && !order->is_import && is_late (run);
    order->forgiving = run->record.is_late || order->paid || order->has_charged_total;
    if (!run->record.is_late || order->draft_count > 0)
        return 0;
    return catalog_cache_at (cache, run->unit->pg, order->instant, run->arena, &run->catalog, run->unit->deadline_us,
                             &run->unit->failure, &run->request->error);
}

/* ---- differences */

static int
add_warning (struct order_run *run, const struct warning *warning)
{
    struct evaluation *evaluation = &run->record.evaluation;
    struct warning *list = arena_array_of (run->arena, evaluation->warning_count + 1, struct warning);
    if (list == NULL)
        return run_no_memory (run);
    if (evaluation->warning_count > 0)
        memcpy (list, evaluation->warnings, evaluation->warning_count * sizeof *list);
    list[evaluation->warning_count++] = *warning;
    evaluation->warnings = list;
    return 0;
}

/* The total that the till expected; what was charged is compared by the evaluation. */
static int
warn_of_expected (struct order_run *run)
{
    const struct order *order = &run->record.order;
    char expected[DECIMAL_TEXT_MAX], total[DECIMAL_TEXT_MAX];
    struct warning warning = { .kind = WARNING_DIFFERENCE };
    if (!order->has_expected_total || order->has_charged_total ||
        order->expected_total_minor == run->record.evaluation.total_minor)
        return 0;
    decimal_format (order->expected_total_minor, run->catalog->currency_digits, run->catalog->currency_digits,
                    expected);
    decimal_format (run->record.evaluation.total_minor, run->catalog->currency_digits, run->catalog->currency_digits,
                    total);
    snprintf (warning.text, sizeof warning.text, "amount_total: expected %s, evaluated %s", expected, total);
    return add_warning (run, &warning);
}

static int
warn_of_debt (struct order_run *run, const struct card_effect *effect)
{
    char cost[DECIMAL_TEXT_MAX], had[DECIMAL_TEXT_MAX];
    struct warning warning = { .kind = WARNING_DIFFERENCE };
    decimal_format (effect->redeemed + effect->owed, POINTS_DIGITS, POINTS_DIGITS, cost);
    decimal_format (effect->redeemed, POINTS_DIGITS, POINTS_DIGITS, had);
    snprintf (warning.text, sizeof warning.text, "points of card %lld: cost %s, were there %s",
              (long long)effect->card_id, cost, had);
    return add_warning (run, &warning);
}

/* What a return should have taken back, and was not there. */
static int
warn_of_missing (struct order_run *run, const struct card_effect *effect)
{
    char wanted[DECIMAL_TEXT_MAX], had[DECIMAL_TEXT_MAX];
    struct warning warning = { .kind = WARNING_DIFFERENCE };
    decimal_format (effect->taken_back + effect->missing, POINTS_DIGITS, POINTS_DIGITS, wanted);
    decimal_format (effect->taken_back, POINTS_DIGITS, POINTS_DIGITS, had);
    snprintf (warning.text, sizeof warning.text, "points of card %lld: to be taken back %s, were there %s",
              (long long)effect->card_id, wanted, had);
    return add_warning (run, &warning);
}

static int
warn_of_points (struct order_run *run)
{
    for (uint32_t i = 0; i < run->record.effect_count; i++) {
        const struct card_effect *effect = &run->effects[i];
        if ((effect->owed > 0 && warn_of_debt (run, effect) < 0) ||
            (effect->missing > 0 && warn_of_missing (run, effect) < 0))
            return -1;
    }
    return 0;
}

int
run_forgive (struct order_run *run, const char *figure)
{
    struct error *err = &run->request->error;
    if (!run->record.order.forgiving)
        return -1;
    struct warning *notes = arena_array_of (run->arena, run->note_count + 1, struct warning);
    if (notes == NULL)
        return run_no_memory (run);
    if (run->note_count > 0)
        memcpy (notes, run->notes, run->note_count * sizeof *notes);
    struct warning *note = &notes[run->note_count++];
    *note = (struct warning){ .kind = WARNING_DIFFERENCE };
    snprintf (note->text, sizeof note->text, "%s: %.100s", figure, err->message);
    run->notes = notes;
    *err = (struct error){ 0 };
    return 0;
}

int
run_note_differences (struct order_run *run)
{
    if (!run->record.order.forgiving)
        return 0;
    for (uint32_t i = 0; i < run->note_count; i++)
        if (add_warning (run, &run->notes[i]) < 0)
            return -1;
    return warn_of_expected (run) < 0 || warn_of_points (run) < 0 ? -1 : 0;
}
