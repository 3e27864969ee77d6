/* record_forget.c - see record_forget.h. A decoded record is changed in place: all of it is the arena's. */
#include "store/record_forget.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum { ANY_LEAP_YEAR = 1904 };

static bool
is_person (const struct forgotten *who, int64_t partner_id)
{
    for (uint32_t i = 0; i < who->partner_count; i++)
        if (who->partners[i] == partner_id)
            return true;
    return false;
}

static int
replace_code (struct str *code, int64_t card_id, struct arena *arena)
{
    char *text = arena_printf (arena, "FORGOTTEN-%" PRId64, card_id);
    if (text != NULL)
        *code = str_of (text);
    return text != NULL ? 0 : -1;
}

/* Codes that were entered by hand are kept as they were entered. Another stands in the place of each, the same wherever it stood, so
 * that the order can still be explained. */
static int
hide_code (const struct forgotten *who, struct str *code, struct arena *arena)
{
    struct str entered = *code;
    while (entered.size > 0 && (entered.data[0] == ' ' || entered.data[0] == '\t'))
        entered = (struct str){ entered.data + 1, entered.size - 1 };
    while (entered.size > 0 && (entered.data[entered.size - 1] == ' ' || entered.data[entered.size - 1] == '\t'))
        entered.size--;
    for (uint32_t i = 0; i < who->card_count; i++)
        if (entered.size > 0 && entered.size == who->codes[i].size &&
            strncasecmp (entered.data, who->codes[i].data, entered.size) == 0)
            return replace_code (code, who->cards[i], arena);
    return 0;
}

/* A birthday that something was given for tells its day still: a return has to find the year that it was used in. */
static void
hide_birthday (struct order_record *record)
{
    struct member_state *member = &record->order.member;
    struct civil born;
    bool is_used = false;
    for (uint32_t i = 0; i < record->evaluation.usage_count; i++)
        is_used |= record->evaluation.usages[i].birthday;
    member->has_birthday = member->has_birthday && is_used;
    if (member->has_birthday) {
        civil_from_day (member->birthday, &born);
        member->birthday = day_from_civil (ANY_LEAP_YEAR, born.month, born.day);
    } else {
        member->birthday = 0;
    }
}

static int
hide_cards (struct order_record *record, const struct forgotten *who, struct arena *arena)
{
    struct order *order = &record->order;
    struct card_state *cards = arena_array_of (arena, (size_t)order->card_count + 1, struct card_state);
    struct claim *claims = arena_array_of (arena, (size_t)order->claim_count + 1, struct claim);
    struct card_effect *effects = arena_array_of (arena, (size_t)record->effect_count + 1, struct card_effect);
    if (cards == NULL || claims == NULL || effects == NULL)
        return -1;
    for (uint32_t i = 0; i < order->card_count; i++) {
        cards[i] = order->cards[i];
        if (cards[i].has_partner && is_person (who, cards[i].partner_id))
            cards[i].partner_id = who->pseudonym;
        if (hide_code (who, &cards[i].code, arena) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < order->claim_count; i++) {
        claims[i] = order->claims[i];
        if (hide_code (who, &claims[i].code, arena) < 0 || hide_code (who, &claims[i].card.code, arena) < 0)
            return -1;
        if (i < record->evaluation.claim_count && claims[i].code.data != order->claims[i].code.data)
            record->evaluation.claims[i].text[0] = '\0';
    }
    for (uint32_t i = 0; i < record->effect_count; i++) {
        effects[i] = record->effects[i];
        if (hide_code (who, &effects[i].code, arena) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < order->line_count; i++)
        if (hide_code (who, &order->lines[i].card.code, arena) < 0)
            return -1;
    order->cards = cards;
    order->claims = claims;
    record->effects = effects;
    return 0;
}

/* What is said of a claim may name its code, and of an unknown partner its number. */
static int
hide_texts (struct order_record *record, struct arena *arena)
{
    struct evaluation *evaluation = &record->evaluation;
    struct warning *warnings = arena_array_of (arena, (size_t)evaluation->warning_count + 1, struct warning);
    if (warnings == NULL)
        return -1;
    for (uint32_t i = 0; i < evaluation->claim_count; i++)
        evaluation->claims[i].text[0] = '\0';
    for (uint32_t i = 0; i < evaluation->warning_count; i++) {
        warnings[i] = evaluation->warnings[i];
        if (warnings[i].kind == WARNING_UNKNOWN_PARTNER)
            snprintf (warnings[i].text, sizeof warnings[i].text, "the partner was not known");
    }
    evaluation->warnings = warnings;
    return 0;
}

static int
hide_discounts (struct order_record *record, const struct forgotten *who, struct arena *arena)
{
    struct evaluation *evaluation = &record->evaluation;
    struct discount *discounts = arena_array_of (arena, (size_t)evaluation->discount_count + 1, struct discount);
    if (discounts == NULL)
        return -1;
    for (uint32_t i = 0; i < evaluation->discount_count; i++) {
        discounts[i] = evaluation->discounts[i];
        if (hide_code (who, &discounts[i].code, arena) < 0)
            return -1;
    }
    evaluation->discounts = discounts;
    return 0;
}

int
order_record_forget (struct order_record *record, const struct forgotten *who, struct arena *arena)
{
    struct order *order = &record->order;
    if (order->has_partner && is_person (who, order->partner_id)) {
        order->partner_id = who->pseudonym;
        order->member.partner_id = who->pseudonym;
        order->reference = STR ("");
        order->meta = STR ("");
        hide_birthday (record);
        if (hide_texts (record, arena) < 0)
            return -1;
    }
    return hide_cards (record, who, arena) < 0 ? -1 : hide_discounts (record, who, arena);
}
