/* order_cards.c - cards that an order makes: a member's first one, coupons for the next order, gift cards that it sells. */
#include "worker/order_run.h"

#include <stdio.h>

enum { CARDS_PER_ORDER_MAX = 1000 };

struct unit_card *
run_new_card (struct order_run *run, int64_t program_id, bool for_partner, struct str code)
{
    const struct program *program = catalog_program (run->catalog, program_id);
    int64_t partner_id = run->record.order.partner_id;
    /* A quote makes nothing: its new cards have numbers below 0, and no code but a printed one. */
    int64_t card_id = -(int64_t)run->unit->card_count - 1;
    if (run->unit->locking) {
        card_id = executor_card_id (run->executor, for_partner, partner_id, &run->request->error);
        if (card_id == 0)
            return NULL;
        if (code.size == 0 && (code = executor_new_code (run->executor)).data == NULL) {
            run_no_memory (run);
            return NULL;
        }
    }
    struct unit_card *card =
        unit_card_add (run->unit, card_id, program_id, for_partner, for_partner ? partner_id : 0,
                       code.data == NULL ? STR ("") : code, program != NULL && program_is_single (program));
    if (card == NULL)
        run_no_memory (run);
    return card;
}

static int
make_card (struct order_run *run, struct card_result *made)
{
    struct unit_card *card = run_new_card (run, made->program_id, made->for_partner, made->code);
    if (card == NULL || run_earn (run, card, made->points) < 0)
        return -1;
    made->code = card->card.code;
    return 0;
}

static int64_t
card_of_code (const struct order_run *run, struct str code)
{
    for (uint32_t i = 0; i < run->record.effect_count; i++)
        if (run->effects[i].is_created && str_equal (run->effects[i].code, code))
            return run->effects[i].card_id;
    return 0;
}

/* A printed code is there to be activated: a line that sells no card has no use for it. */
static int
check_activated (struct order_run *run)
{
    for (uint32_t i = 0; i < run->data->printed_count; i++) {
        char path[40];
        snprintf (path, sizeof path, "lines[%u].gift_code", run->data->printed[i].line);
        if (card_of_code (run, run->data->printed[i].code) == 0)
            return error_field (&run->request->error, ERROR_INVALID_REQUEST, path,
                                "no program sells cards by this line");
    }
    return 0;
}

int
run_made_cards (struct order_run *run)
{
    struct evaluation *evaluation = &run->record.evaluation;
    if (evaluation->card_count == 0)
        return check_activated (run);
    if (evaluation->card_count > CARDS_PER_ORDER_MAX)
        return error_field (&run->request->error, ERROR_TOO_LARGE, "lines", "the order makes %u cards, over %d",
                            evaluation->card_count, CARDS_PER_ORDER_MAX);
    /* The record tells each card's code, from which a refund knows the card of a line. */
    struct card_result *cards = arena_array_of (run->arena, evaluation->card_count, struct card_result);
    if (cards == NULL)
        return run_no_memory (run);
    memcpy (cards, evaluation->cards, evaluation->card_count * sizeof *cards);
    evaluation->cards = cards;
    for (uint32_t i = 0; i < evaluation->card_count; i++)
        if (make_card (run, &cards[i]) < 0)
            return -1;
    return check_activated (run);
}

/* ---- printed codes */

static int
code_taken (struct order_run *run, const struct printed_code *printed)
{
    char path[40];
    snprintf (path, sizeof path, "lines[%u].gift_code", printed->line);
    return error_field (&run->request->error, ERROR_CONFLICT, path, "%.*s is the code of another card",
                        (int)printed->code.size, printed->code.data);
}

int
run_check_printed (struct order_run *run)
{
    for (uint32_t i = 0; i < run->data->printed_count; i++) {
        const struct printed_code *printed = &run->data->printed[i];
        if (printed->card_id != 0)
            return code_taken (run, printed);
        for (uint32_t j = 0; j < i; j++)
            if (str_equal (run->data->printed[j].code, printed->code))
                return code_taken (run, printed);
    }
    return 0;
}

/* Takes one code; *taken false when it is another card's. */
static int
take_code (struct order_run *run, struct str code, int64_t card_id, bool *taken)
{
    struct unit *unit = run->unit;
    struct pg_params params = { .arena = run->arena };
    struct pg_array codes, cards;
    pg_array_begin (&codes, PG_TEXT);
    pg_array_begin (&cards, PG_INT8);
    pg_array_bytes (&codes, code);
    pg_array_int (&cards, card_id);
    pg_param_int2 (&params, bucket_of_text (code, unit->buckets));
    pg_param_array (&params, &codes);
    pg_param_array (&params, &cards);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CODES_CLAIM, &params, unit->deadline_us, &unit->failure, &run->request->error);
    if (result == NULL)
        return -1;
    *taken = PQntuples (result) == 1;
    PQclear (result);
    return 0;
}

/* Gives back the first `count` codes of an order that failed at a later one. */
static int
release_codes (struct order_run *run, uint32_t count)
{
    struct unit *unit = run->unit;
    for (uint32_t i = 0; i < count; i++) {
        struct str code = run->data->printed[i].code;
        struct pg_params params = { .arena = run->arena };
        struct pg_array codes;
        struct error err;
        pg_array_begin (&codes, PG_TEXT);
        pg_array_bytes (&codes, code);
        pg_param_int2 (&params, bucket_of_text (code, unit->buckets));
        pg_param_array (&params, &codes);
        PGresult *result = pg_run (unit->pg, STATEMENT_CODES_DELETE, &params, unit->deadline_us, &unit->failure, &err);
        if (result == NULL) {
            run->request->error = err;
            return -1;
        }
        PQclear (result);
    }
    return 0;
}

int
run_claim_printed (struct order_run *run)
{
    for (uint32_t i = 0; i < run->data->printed_count; i++) {
        const struct printed_code *printed = &run->data->printed[i];
        bool taken = false;
        if (take_code (run, printed->code, card_of_code (run, printed->code), &taken) < 0)
            return -1;
        if (taken)
            continue;
        if (release_codes (run, i) == 0)
            code_taken (run, printed);
        return -1;
    }
    return 0;
}

/* ---- what ran out */

int
run_expired_points (struct order_run *run, struct unit_card *card, int64_t *expired)
{
    struct unit *unit = run->unit;
    struct pg_params params = { .arena = run->arena };
    if (card->card.is_new) {
        *expired = 0;
        return 0;
    }
    pg_param_int2 (&params, card->bucket);
    pg_param_int8 (&params, card->card.card_id);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_LOTS_EXPIRED, &params, unit->deadline_us, &unit->failure, &run->request->error);
    if (result == NULL)
        return -1;
    *expired = pg_int (result, 0, 0);
    PQclear (result);
    for (uint32_t i = 0; i < card->card.loaded_count; i++)
        if (card->card.lots[i].state == LOT_ACTIVE && card->card.lots[i].expires <= run->record.order.instant)
            *expired += card->card.lots[i].remaining;
    return 0;
}
