/* card_select.c - see card_select.h. */
#include "worker/card_select.h"

int
card_selector_of (struct request *request, struct card_fields at, struct card_selector *selector)
{
    const struct wire_value *fields = request->record->fields;
    *selector = (struct card_selector){ .has_id = fields[at.card_id].present,
                                        .has_code = fields[at.code].present,
                                        .has_partner = fields[at.partner_id].present,
                                        .has_program = fields[at.program_id].present,
                                        .card_id = fields[at.card_id].integer,
                                        .partner_id = fields[at.partner_id].integer,
                                        .program_id = fields[at.program_id].integer,
                                        .code = fields[at.code].text };
    if (selector->has_id + selector->has_code + selector->has_partner != 1)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "card_id",
                            "name the card in one way: by card_id, by code, or by partner_id (and program_id)");
    return 0;
}

int
card_selector_look_up (struct executor *executor, struct request *request, struct card_selector *selector)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array codes;
    if (!selector->has_code)
        return 0;
    struct str code = code_fold (selector->code, executor->requests);
    pg_array_begin (&codes, PG_TEXT);
    pg_array_bytes (&codes, code);
    pg_param_int2 (&params, bucket_of_text (code, unit->buckets));
    pg_param_array (&params, &codes);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CODES_READ, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    selector->card_id = PQntuples (result) > 0 ? pg_int (result, 0, 1) : 0;
    PQclear (result);
    return 0;
}

int
card_selector_want (struct executor *executor, const struct card_selector *selector)
{
    if (selector->has_partner)
        return unit_want_member (&executor->unit, selector->partner_id, true);
    return selector->card_id == 0 ? 0 : unit_want_card (&executor->unit, selector->card_id);
}

struct unit_card *
card_selected (struct executor *executor, struct request *request, const struct card_selector *selector)
{
    struct unit_card *card = NULL, *found = NULL;
    unsigned count = 0;
    if (!selector->has_partner) {
        found = selector->card_id == 0 ? NULL : unit_card_survivor (&executor->unit, selector->card_id);
        count = found != NULL && (!selector->has_program || found->card.program_id == selector->program_id);
    }
    while (selector->has_partner && (card = unit_card_of_partner (&executor->unit, selector->partner_id, card)) != NULL)
        if (!selector->has_program || card->card.program_id == selector->program_id) {
            found = card;
            count++;
        }
    if (count == 1)
        return found;
    if (count > 1)
        error_field (&request->error, ERROR_INVALID_REQUEST, "program_id",
                     "the member has %u such cards: name one by card_id", count);
    else if (selector->has_code)
        request_fail (request, ERROR_NOT_FOUND, "there is no card with code %.*s", (int)selector->code.size,
                      selector->code.data);
    else if (selector->has_id)
        request_fail (request, ERROR_NOT_FOUND, "there is no card %lld", (long long)selector->card_id);
    else
        request_fail (request, ERROR_NOT_FOUND, "member %lld has no such card", (long long)selector->partner_id);
    return NULL;
}
