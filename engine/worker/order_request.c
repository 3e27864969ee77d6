/* order_request.c - an order from its body, and what has to be looked up before the locks: codes of cards, and where
 * the originals of returned lines are stored. */
#include "worker/order_request.h"
#include "domain/catalog_index.h"
#include "wire/schemas.h"
#include "worker/hold_methods.h"

#include <stdio.h>

static int
no_memory (struct request *request)
{
    return request_fail (request, ERROR_BUSY, "there is no memory for the order just now");
}

/* ---- from the body */

static struct card_ref
card_ref_of (const struct wire_record *record)
{
    struct card_ref ref = { .card_id = record->fields[F_CARD_REF_CARD_ID].integer };
    if (record->fields[F_CARD_REF_CODE].present)
        ref.code = record->fields[F_CARD_REF_CODE].text;
    return ref;
}

static int
taxes_of (const struct wire_value *value, struct arena *arena, struct order_line *line)
{
    struct tax *taxes = arena_array_of (arena, value->list.count, struct tax);
    if (taxes == NULL)
        return -1;
    for (uint32_t i = 0; i < value->list.count; i++) {
        const struct wire_value *fields = value->list.records[i]->fields;
        taxes[i] = (struct tax){ .id = fields[F_TAX_ID].integer,
                                 .type = (enum tax_type)fields[F_TAX_AMOUNT_TYPE].integer,
                                 .amount_micro = fields[F_TAX_AMOUNT].integer,
                                 .included = fields[F_TAX_INCLUDED].boolean,
                                 .affects_base = fields[F_TAX_AFFECTS_BASE].boolean };
    }
    line->taxes = taxes;
    line->tax_count = value->list.count;
    return 0;
}

/* The card that a line sells, by its printed code, or tops up. */
static int
gift_of (struct executor *executor, struct request *request, uint32_t index, struct order_line *line)
{
    const struct wire_value *fields = request->record->fields[F_ORDER_LINES].list.records[index]->fields;
    bool has_code = fields[F_LINE_GIFT_CODE].present;
    char path[40];

    line->has_card = fields[F_LINE_CARD].record != NULL;
    if (!has_code && !line->has_card)
        return 0;
    snprintf (path, sizeof path, "lines[%u].%s", index, has_code ? "gift_code" : "card");
    if (line->qty_micro < 0)
        return error_field (&request->error, ERROR_INVALID_REQUEST, path, "a return sells no card; name its original");
    if (has_code && line->has_card)
        return error_field (&request->error, ERROR_INVALID_REQUEST, path,
                            "a line sells a card or tops one up, not both");
    if (line->has_card)
        line->card = card_ref_of (fields[F_LINE_CARD].record);
    if (!has_code)
        return 0;
    line->gift_code = code_fold (fields[F_LINE_GIFT_CODE].text, executor->requests);
    if (line->gift_code.data == NULL)
        return no_memory (request);
    return line->gift_code.size > 0 ? 0 : error_field (&request->error, ERROR_INVALID_REQUEST, path, "is blank");
}

static int
line_of (struct executor *executor, struct request *request, uint32_t index, struct order_line *line)
{
    const struct wire_value *order = request->record->fields;
    const struct wire_value *fields = order[F_ORDER_LINES].list.records[index]->fields;
    const struct wire_record *refund = fields[F_LINE_REFUND_OF].record;
    char path[40];

    snprintf (path, sizeof path, "lines[%u].qty", index);
    *line = (struct order_line){ .product_id = fields[F_LINE_PRODUCT_ID].integer,
                                 .qty_micro = fields[F_LINE_QTY].integer,
                                 .price_unit_micro = fields[F_LINE_PRICE_UNIT].integer,
                                 .discount_micro = fields[F_LINE_DISCOUNT].integer };
    if (line->qty_micro == 0)
        return error_field (&request->error, ERROR_INVALID_REQUEST, path, "must not be 0");
    if (request->method == METHOD_ORDER_REFUND && line->qty_micro > 0)
        return error_field (&request->error, ERROR_INVALID_REQUEST, path,
                            "order.refund takes returns only (a negative qty); send an exchange as order.process");
    line->line_id = fields[F_LINE_LINE_ID].text;
    if (!fields[F_LINE_LINE_ID].present) {
        char *text = arena_printf (executor->requests, "%u", index);
        if (text == NULL)
            return no_memory (request);
        line->line_id = str_of (text);
    }
    if (gift_of (executor, request, index, line) < 0)
        return -1;
    if (line->qty_micro < 0) {
        if (refund == NULL)
            refund = order[F_ORDER_REFUND_OF].record;
        if (refund != NULL) {
            line->refund_order_id = refund->fields[F_REFUND_REF_ORDER_ID].text;
            line->refund_line_id = refund->fields[F_REFUND_REF_LINE_ID].text;
        }
    } else if (refund != NULL) {
        snprintf (path, sizeof path, "lines[%u].refund_of", index);
        return error_field (&request->error, ERROR_INVALID_REQUEST, path,
                            "only a return (a negative qty) can name an original");
    }
    if (taxes_of (&fields[F_LINE_TAXES], executor->requests, line) < 0)
        return no_memory (request);
    return 0;
}

/* Two lines with one id could not be told apart by a refund. */
static int
check_line_ids (struct executor *executor, struct request *request, const struct order *order)
{
    struct map seen = map_in (executor->requests);
    for (uint32_t i = 0; i < order->line_count; i++) {
        struct str id = order->lines[i].line_id;
        int64_t hash = (int64_t)fnv1a64 (id.data, id.size);
        uint32_t at = map_get (&seen, hash);
        if (at != MAP_ABSENT && str_equal (order->lines[at].line_id, id)) {
            char path[40];
            snprintf (path, sizeof path, "lines[%u].line_id", i);
            return error_field (&request->error, ERROR_INVALID_REQUEST, path, "\"%.*s\" is the id of lines[%u] already",
                                (int)id.size, id.data, at);
        }
        if (!map_set (&seen, hash, i))
            return no_memory (request);
    }
    return 0;
}

static void
claim_of (const struct wire_value *fields, struct claim *claim)
{
    *claim = (struct claim){ .has_program = fields[F_CLAIM_PROGRAM_ID].present,
                             .has_reward = fields[F_CLAIM_REWARD_ID].present,
                             .has_product = fields[F_CLAIM_PRODUCT_ID].present,
                             .has_card = fields[F_CLAIM_CARD].record != NULL,
                             .program_id = fields[F_CLAIM_PROGRAM_ID].integer,
                             .reward_id = fields[F_CLAIM_REWARD_ID].integer,
                             .product_id = fields[F_CLAIM_PRODUCT_ID].integer,
                             .qty_micro = fields[F_CLAIM_QTY].integer,
                             .points = fields[F_CLAIM_POINTS].integer };
    if (fields[F_CLAIM_CODE].present)
        claim->code = fields[F_CLAIM_CODE].text;
    if (claim->has_card)
        claim->card = card_ref_of (fields[F_CLAIM_CARD].record);
}

static void
present (struct order_request *data, enum presence presence, uint32_t index, struct card_ref ref)
{
    data->presented[data->presented_count++] =
        (struct presented_card){ .presence = presence, .index = index, .ref = ref, .card_id = ref.card_id };
}

/* Every card that the request names, and the printed codes that it activates. */
static int
collect_cards (struct executor *executor, struct request *request, struct order_request *data)
{
    const struct wire_value *fields = request->record->fields;
    const struct order *order = &data->order;
    uint32_t shown = fields[F_ORDER_CARDS].list.count, printed = 0, capacity = shown + order->claim_count * 2;
    for (uint32_t i = 0; i < order->line_count; i++) {
        capacity += order->lines[i].has_card;
        printed += order->lines[i].gift_code.size > 0;
    }
    data->presented = arena_array_of (executor->requests, capacity + 1, struct presented_card);
    data->printed = arena_array_of (executor->requests, printed + 1, struct printed_code);
    if (data->presented == NULL || data->printed == NULL)
        return no_memory (request);
    for (uint32_t i = 0; i < shown; i++)
        present (data, PRESENCE_SHOWN, i, card_ref_of (fields[F_ORDER_CARDS].list.records[i]));
    for (uint32_t i = 0; i < order->claim_count; i++) {
        if (order->claims[i].has_card)
            present (data, PRESENCE_CLAIMED, i, order->claims[i].card);
        if (order->claims[i].code.size > 0)
            present (data, PRESENCE_CODE, i, (struct card_ref){ .code = order->claims[i].code });
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        if (order->lines[i].has_card)
            present (data, PRESENCE_TOPPED_UP, i, order->lines[i].card);
        if (order->lines[i].gift_code.size > 0)
            data->printed[data->printed_count++] = (struct printed_code){ i, order->lines[i].gift_code, 0 };
    }
    for (uint32_t i = 0; i < data->presented_count; i++) {
        struct card_ref *ref = &data->presented[i].ref;
        if (ref->card_id == 0 && ref->code.size > 0)
            ref->code = code_fold (ref->code, executor->requests);
        if (ref->card_id == 0 && ref->code.size > 0 && ref->code.data == NULL)
            return no_memory (request);
    }
    return 0;
}

/* The lists of the order: lines, claims, cards. */
static int
lists_of (struct executor *executor, struct request *request, struct order_request *data)
{
    const struct wire_value *fields = request->record->fields;
    struct arena *arena = executor->requests;
    struct order *order = &data->order;
    struct claim *claims = arena_array_of (arena, fields[F_ORDER_CLAIMS].list.count, struct claim);

    order->line_count = fields[F_ORDER_LINES].list.count;
    order->lines = arena_array_of (arena, order->line_count, struct order_line);
    if (claims == NULL || order->lines == NULL)
        return no_memory (request);
    for (uint32_t i = 0; i < order->line_count; i++)
        if (line_of (executor, request, i, &order->lines[i]) < 0)
            return -1;
    order->claims = data->claims = claims;
    order->claim_count = fields[F_ORDER_CLAIMS].list.count;
    for (uint32_t i = 0; i < order->claim_count; i++)
        claim_of (fields[F_ORDER_CLAIMS].list.records[i]->fields, &claims[i]);
    order->draft_count = fields[F_ORDER_DRAFT_PROGRAM_IDS].list.count;
    order->draft_program_ids = fields[F_ORDER_DRAFT_PROGRAM_IDS].list.integers;
    return collect_cards (executor, request, data) < 0 ? -1 : check_line_ids (executor, request, order);
}

/* Each original once. */
static int
originals_of (struct executor *executor, struct request *request, struct order_request *data)
{
    const struct order *order = &data->order;
    data->originals = arena_array_of (executor->requests, ORIGINALS_MAX, struct original_place);
    if (data->originals == NULL)
        return no_memory (request);
    for (uint32_t i = 0; i < order->line_count; i++) {
        struct str id = order->lines[i].refund_order_id;
        bool known = id.size == 0;
        for (uint32_t j = 0; j < data->original_count && !known; j++)
            known = str_equal (data->originals[j].order_id, id);
        if (known)
            continue;
        if (str_equal (id, order->order_id))
            return error_field (&request->error, ERROR_INVALID_REQUEST, "refund_of",
                                "an order cannot return its own lines");
        if (data->original_count == ORIGINALS_MAX)
            return error_field (&request->error, ERROR_TOO_LARGE, "refund_of", "more than %d originals", ORIGINALS_MAX);
        data->originals[data->original_count++] = (struct original_place){ .order_id = id };
    }
    return 0;
}

/* Fields that have no place in this method, or another currency, are refused rather than ignored. */
static int
check_fields (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct str currency = fields[F_ORDER_CURRENCY].text;
    bool quote = request->method == METHOD_ORDER_QUOTE;

    if (fields[F_ORDER_CURRENCY].present && !str_equal (currency, str_of (executor->engine->currency)))
        return error_field (&request->error, ERROR_INVALID_REQUEST, "currency", "is %.*s; this engine's is %s",
                            (int)currency.size, currency.data, executor->engine->currency);
    if (fields[F_ORDER_HOLD_ID].present && request->method == METHOD_ORDER_REFUND)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "hold_id", "a refund spends no points");
    if (fields[F_ORDER_AT].present && !quote)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "at",
                            "only order.quote can be asked as of another instant; use `date`");
    if (fields[F_ORDER_DRAFT_PROGRAM_IDS].list.count > 0 && !quote)
        return error_field (&request->error, ERROR_INVALID_REQUEST, "draft_program_ids",
                            "only order.quote can try drafts");
    if (fields[F_ORDER_IMPORT].boolean && (request->roles & ROLES_OFFICE) == 0)
        return request_fail (request, ERROR_FORBIDDEN, "only the roles odoo and admin may import orders");
    return 0;
}

int
order_prepare (struct executor *executor, struct request *request)
{
    const struct wire_value *fields = request->record->fields;
    struct order_request *data = arena_new_of (executor->requests, struct order_request);
    if (data == NULL)
        return no_memory (request);
    data->kind = request->method == METHOD_ORDER_REFUND ? RECORD_REFUND : RECORD_PROCESS;
    data->has_date = fields[F_ORDER_DATE].present;
    data->date = fields[F_ORDER_DATE].time;
    data->has_at = fields[F_ORDER_AT].present;
    data->at = fields[F_ORDER_AT].time;
    data->has_shortfall = fields[F_ORDER_SHORTFALL].present;
    data->shortfall = (enum shortfall)fields[F_ORDER_SHORTFALL].integer;
    data->order = (struct order){
        .order_id = fields[F_ORDER_ORDER_ID].text,
        .channel = (enum channel)fields[F_ORDER_CHANNEL].integer,
        .has_store = fields[F_ORDER_STORE_ID].present,
        .store_id = fields[F_ORDER_STORE_ID].integer,
        .has_partner = fields[F_ORDER_PARTNER_ID].present,
        .partner_id = fields[F_ORDER_PARTNER_ID].integer,
        .has_pricelist = fields[F_ORDER_PRICELIST_ID].present,
        .pricelist_id = fields[F_ORDER_PRICELIST_ID].integer,
        .tax_rounding = (enum tax_rounding)fields[F_ORDER_TAX_ROUNDING].integer,
        .auto_claim = fields[F_ORDER_AUTO_CLAIM].boolean,
        .skip_refused = fields[F_ORDER_ON_REFUSED].integer == 1,
        .is_import = fields[F_ORDER_IMPORT].boolean,
        .paid = fields[F_ORDER_PAID].boolean,
        .has_charged_total = fields[F_ORDER_CHARGED_TOTAL].present,
        .charged_total_minor = fields[F_ORDER_CHARGED_TOTAL].integer,
        .has_expected_total = fields[F_ORDER_EXPECTED_TOTAL].present,
        .expected_total_minor = fields[F_ORDER_EXPECTED_TOTAL].integer,
        .reference = fields[F_ORDER_REFERENCE].text,
        .meta = fields[F_ORDER_META].text,
        .has_cashier = fields[F_ORDER_CASHIER_ID].present,
        .cashier_id = fields[F_ORDER_CASHIER_ID].integer,
        .has_session = fields[F_ORDER_SESSION_ID].present,
        .session_id = fields[F_ORDER_SESSION_ID].integer,
        .explain = fields[F_ORDER_EXPLAIN].boolean,
    };
    if (fields[F_ORDER_HOLD_ID].present)
        data->order.hold_id = fields[F_ORDER_HOLD_ID].text;
    request->data = data;
    request->member_bucket = data->order.has_partner
                                 ? bucket_of_partner (data->order.partner_id, executor->engine->buckets)
                                 : bucket_of_text (data->order.order_id, executor->engine->buckets);
    if (check_fields (executor, request) < 0 || lists_of (executor, request, data) < 0)
        return -1;
    return originals_of (executor, request, data);
}

int
cancel_prepare (struct executor *executor, struct request *request)
{
    struct order_request *data = arena_new_of (executor->requests, struct order_request);
    struct original_place *original = arena_array_of (executor->requests, ORIGINALS_MAX + 1, struct original_place);
    if (data == NULL || original == NULL)
        return no_memory (request);
    data->kind = RECORD_CANCEL;
    data->original_count = 1;
    data->originals = original;
    original->order_id = request->record->fields[F_ORDER_CANCEL_ORDER_ID].text;
    request->data = data;
    return 0;
}

/* ---- looking up */

int
order_find (struct executor *executor, struct str order_id, bool *found, struct order_place *place, struct error *err)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array scopes, keys;
    pg_array_begin (&scopes, PG_INT2);
    pg_array_begin (&keys, PG_TEXT);
    pg_array_int (&scopes, SCOPE_ORDER);
    pg_array_bytes (&keys, order_id);
    pg_param_int2 (&params, bucket_of_text (order_id, unit->buckets));
    pg_param_array (&params, &scopes);
    pg_param_array (&params, &keys);
    PGresult *result = pg_run (unit->pg, STATEMENT_KEYS_READ, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    *found = PQntuples (result) > 0;
    if (*found)
        *place = (struct order_place){ (int16_t)pg_int (result, 0, 4), pg_int (result, 0, 5), pg_time (result, 0, 6) };
    PQclear (result);
    return 0;
}

int
order_read (struct executor *executor, struct order_place place, bool lock, struct arena *arena, bool *found,
            struct stored_order *stored, struct order_record *record, struct error *err)
{
    struct stored_order *orders;
    uint32_t count;
    if (unit_read_orders (&executor->unit, &place, 1, lock, &orders, &count, err) < 0)
        return -1;
    *found = count > 0;
    if (!*found)
        return 0;
    *stored = orders[0];
    return order_record_decode (orders[0].record, arena, record, err);
}

bool
order_takes_of (const struct order_record *record, uint32_t original)
{
    for (uint32_t i = 0; i < record->refund.part_count; i++)
        if (record->refund.parts[i].original == original)
            return true;
    return false;
}

static int
look_up_original (struct executor *executor, struct request *request, struct original_place *original)
{
    struct stored_order stored;
    struct order_record *record = arena_new_of (executor->requests, struct order_record);
    bool read = false;

    if (record == NULL)
        return no_memory (request);
    if (order_find (executor, original->order_id, &original->found, &original->place, &request->error) < 0)
        return -1;
    if (!original->found || original->place.order_ref == 0)
        return 0;
    if (order_read (executor, original->place, false, executor->requests, &read, &stored, record, &request->error) < 0)
        return -1;
    if (!read)
        return request_fail (request, ERROR_TOO_OLD, "order %.*s is past its retention: only its key is left",
                             (int)original->order_id.size, original->order_id.data);
    int64_t *cards = arena_array_of (executor->requests, record->effect_count, int64_t);
    if (cards == NULL)
        return no_memory (request);
    for (uint32_t i = 0; i < record->effect_count; i++)
        cards[original->card_count++] = record->effects[i].card_id;
    original->cards = cards;
    original->record = record;
    original->has_partner = record->order.has_partner;
    original->partner_id = record->order.partner_id;
    return 0;
}

/* The orders that a cancelled one took something back of. A return without a member of its own was counted for that of the first. */
static int
look_up_returned (struct executor *executor, struct request *request, struct order_request *data)
{
    struct original_place *cancelled = &data->originals[0];
    const struct order_record *record = cancelled->record;
    for (uint32_t i = 0; record != NULL && i < record->refund.original_count && i < ORIGINALS_MAX; i++) {
        struct original_place *original = &data->originals[data->original_count];
        if (!order_takes_of (record, i))
            continue;
        *original = (struct original_place){ .order_id = record->refund.originals[i].order_id };
        if (look_up_original (executor, request, original) < 0)
            return -1;
        data->original_count++;
        if (cancelled->has_partner)
            continue;
        cancelled->has_partner = original->has_partner;
        cancelled->partner_id = original->partner_id;
    }
    return 0;
}

/* One code to be looked up, and where its card's id goes. */
struct code_wanted {
    struct str code;
    int64_t *card_id;
};

/* The codes of one bucket of the directory; one that there is not stays 0. */
static int
read_codes (struct executor *executor, struct request *request, const struct code_wanted *wanted, uint32_t count,
            int16_t bucket)
{
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = unit->arena };
    struct pg_array codes;
    pg_array_begin (&codes, PG_TEXT);
    for (uint32_t i = 0; i < count; i++)
        if (bucket_of_text (wanted[i].code, unit->buckets) == bucket)
            pg_array_bytes (&codes, wanted[i].code);
    pg_param_int2 (&params, bucket);
    pg_param_array (&params, &codes);
    PGresult *result =
        pg_run (unit->pg, STATEMENT_CODES_READ, &params, unit->deadline_us, &unit->failure, &request->error);
    if (result == NULL)
        return -1;
    for (int row = 0; row < PQntuples (result); row++)
        for (uint32_t i = 0; i < count; i++)
            if (str_equal (wanted[i].code, pg_text (result, row, 0)))
                *wanted[i].card_id = pg_int (result, row, 1);
    PQclear (result);
    return 0;
}

/* All codes that the request names, into ids: one statement for each bucket of the directory that they lie in. */
static int
look_up_codes (struct executor *executor, struct request *request, struct order_request *data)
{
    uint32_t count = 0;
    struct code_wanted *wanted =
        arena_array_of (executor->requests, data->presented_count + data->printed_count + 1, struct code_wanted);
    if (wanted == NULL)
        return no_memory (request);
    for (uint32_t i = 0; i < data->presented_count; i++) {
        struct presented_card *card = &data->presented[i];
        card->card_id = card->ref.card_id;
        card->is_referral = false;
        if (card->card_id == 0 && card->ref.code.size > 0)
            wanted[count++] = (struct code_wanted){ card->ref.code, &card->card_id };
    }
    for (uint32_t i = 0; i < data->printed_count; i++) {
        data->printed[i].card_id = 0;
        wanted[count++] = (struct code_wanted){ data->printed[i].code, &data->printed[i].card_id };
    }
    for (uint32_t i = 0; i < count; i++) {
        int16_t bucket = bucket_of_text (wanted[i].code, executor->unit.buckets);
        bool asked = false;
        for (uint32_t j = 0; j < i && !asked; j++)
            asked = bucket_of_text (wanted[j].code, executor->unit.buckets) == bucket;
        if (!asked && read_codes (executor, request, wanted, count, bucket) < 0)
            return -1;
    }
    /* A card of a claim or a line is known to the evaluation by its id; one that there is not is refused there. */
    for (uint32_t i = 0; i < data->presented_count; i++) {
        const struct presented_card *card = &data->presented[i];
        if (card->presence == PRESENCE_CLAIMED)
            data->claims[card->index].card.card_id = card->card_id;
        else if (card->presence == PRESENCE_TOPPED_UP)
            data->order.lines[card->index].card.card_id = card->card_id;
    }
    return 0;
}

/* A refund of an order that is processed in the same batch, or another refund of the same one, has to see it done. */
bool
order_waits_for (const struct request *request, const struct request *earlier)
{
    const struct order_request *data = request->data;
    enum method_scope scope = METHOD_TABLE[earlier->method].scope;
    if (scope != SCOPE_ORDER && scope != SCOPE_CANCEL)
        return false;
    const struct order_request *other = earlier->data;
    for (uint32_t i = 0; i < data->original_count; i++) {
        if (str_equal (data->originals[i].order_id, earlier->keys[0].key))
            return true;
        for (uint32_t j = 0; j < other->original_count; j++)
            if (str_equal (data->originals[i].order_id, other->originals[j].order_id))
                return true;
    }
    return false;
}

int
order_look_up (struct executor *executor, struct request *request)
{
    struct order_request *data = request->data;
    if (data->kind == RECORD_CANCEL)
        data->original_count = 1; /* but for what an earlier round looked up */
    for (uint32_t i = 0; i < data->original_count; i++) {
        data->originals[i] = (struct original_place){ .order_id = data->originals[i].order_id };
        if (look_up_original (executor, request, &data->originals[i]) < 0)
            return -1;
    }
    if (data->kind == RECORD_CANCEL) {
        data->found_key = data->originals[0].found;
        if (look_up_returned (executor, request, data) < 0)
            return -1;
        request->member_bucket = data->found_key ? data->originals[0].place.bucket : request->keys[0].bucket;
    }
    if (data->order.hold_id.size > 0 &&
        hold_card_look_up (executor, request, data->order.hold_id, &data->hold_card_id) < 0)
        return -1;
    return look_up_codes (executor, request, data) < 0 ? -1 : referral_look_up (executor, request);
}

/* On the server what a reward gives need not be in the cart. Which products these are is known once the catalog is: what is wanted
 * is asked again then. */
static int
want_given_products (struct executor *executor, const struct order *order)
{
    const struct catalog *catalog = executor->cache.catalog;
    if (order->channel != CHANNEL_SALE || catalog == NULL)
        return 0;
    for (uint32_t i = 0; i < catalog->index->given_products.count; i++)
        if (catalog_cache_want (&executor->cache, catalog->index->given_products.ids[i]) < 0)
            return -1;
    return 0;
}

int
order_want (struct executor *executor, struct request *request)
{
    struct order_request *data = request->data;
    struct unit *unit = &executor->unit;
    bool spends = data->order.claim_count > 0 || data->original_count > 0;

    if (data->order.has_partner && unit_want_member (unit, data->order.partner_id, spends) < 0)
        return -1;
    for (uint32_t i = 0; i < data->presented_count; i++)
        if (data->presented[i].card_id != 0 && !data->presented[i].is_referral &&
            unit_want_card (unit, data->presented[i].card_id) < 0)
            return -1;
    if (data->hold_card_id != 0 && unit_want_card (unit, data->hold_card_id) < 0)
        return -1;
    for (uint32_t i = 0; i < data->original_count; i++) {
        const struct original_place *original = &data->originals[i];
        if (original->has_partner && unit_want_member (unit, original->partner_id, true) < 0)
            return -1;
        for (uint32_t j = 0; j < original->card_count; j++)
            if (unit_want_card (unit, original->cards[j]) < 0)
                return -1;
    }
    for (uint32_t i = 0; i < data->order.line_count; i++)
        if (catalog_cache_want (&executor->cache, data->order.lines[i].product_id) < 0)
            return -1;
    return want_given_products (executor, &data->order);
}
