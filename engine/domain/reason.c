/* reason.c - what a reason says to a person, with its figures. */
#include "domain/work.h"

const char *const REASON_NAMES[REASON_COUNT] = {
#define X(id, name) [REASON_##id] = name,
    REASONS (X)
#undef X
};

static const char *const REASON_SENTENCES[REASON_COUNT] = {
    [REASON_UNKNOWN_CODE] = "no program or card has this code",
    [REASON_UNKNOWN_PROGRAM] = "there is no such program",
    [REASON_UNKNOWN_REWARD] = "the program has no such reward",
    [REASON_AMBIGUOUS_REWARD] = "the program has several rewards: name one",
    [REASON_NOT_ACTIVE] = "the program is not active",
    [REASON_BEFORE_DATE_FROM] = "the program has not begun yet",
    [REASON_AFTER_DATE_TO] = "the program is over",
    [REASON_WRONG_WEEKDAY] = "not on this day of the week",
    [REASON_WRONG_HOURS] = "not at this time of day",
    [REASON_WRONG_STORE] = "not in this store",
    [REASON_WRONG_CHANNEL] = "not in this channel",
    [REASON_WRONG_PRICELIST] = "not with this pricelist",
    [REASON_WRONG_MEMBERSHIP] = "not for this membership",
    [REASON_NO_MEMBER] = "it needs a member, and the order has none",
    [REASON_NO_MATCHING_PRODUCT] = "none of its products is bought",
    [REASON_NOTHING_TO_DISCOUNT] = "nothing is left to take it off",
    [REASON_BETTER_DISCOUNT] = "another one saves as much or more",
    [REASON_EXCLUDED_BY_OTHER] = "another one does not go with others",
    [REASON_NOT_CLAIMED] = "it has to be chosen",
    [REASON_CARD_BLOCKED] = "the card is blocked",
    [REASON_CODE_USED] = "the code was used",
    [REASON_EXPIRED] = "it has expired",
    [REASON_NOT_BY_CODE] = "loyalty and wallet cards are their member's, and not entered by code",
    [REASON_CODE_NEEDED] = "it waits for its code, or for another one",
    [REASON_OWN_CODE] = "a referral code is for others than its owner",
    [REASON_ONE_REFERRAL] = "one referral code an order",
    [REASON_NOT_FIRST_ORDER] = "only on a customer's first order",
    [REASON_NOT_BIRTHDAY] = "only around the birthday",
    [REASON_PRODUCT_NOT_OFFERED] = "the chosen product is not one of the reward's",
    [REASON_NOT_USABLE_YET] = "its points are for later orders",
    [REASON_UNKNOWN_CARD] = "no such card of this program, this member's or nobody's",
};

const char *
reason_limit (const struct work *work, const struct program *program)
{
    int64_t needed, had;
    const char *name = limit_reached (work, program, &needed, &had);
    if (name != NULL)
        return name;
    if (program->type == PROGRAM_REFERRAL)
        return "max_referral_usage";
    for (uint32_t r = 0; r < program->rule_count; r++)
        if (program->rules[r].has_birthday)
            return "birthday";
    return LIMIT_NAMES[LIMIT_BUDGET];
}

/* "max_usage 100, used 100"; "birthday, used". */
static void
limit_text (const struct work *work, const struct program *program, int64_t needed, int64_t had, struct text *text)
{
    const char *name = reason_limit (work, program);
    unsigned digits = strcmp (name, LIMIT_NAMES[LIMIT_BUDGET]) == 0 ? work->digits : 0;
    limit_reached (work, program, &needed, &had);
    text_add (text, name);
    if (needed > 0) {
        text_add (text, " ");
        text_add_decimal (text, needed, digits, digits);
    }
    text_add (text, ", used");
    if (needed > 0) {
        text_add (text, " ");
        text_add_decimal (text, had, digits, digits);
    }
}

void
reason_text (const struct work *work, const struct program *program, enum reason reason, int64_t needed, int64_t had,
             char *out, size_t size)
{
    struct text text = text_open (out, size);
    if (REASON_SENTENCES[reason] != NULL) {
        text_add (&text, REASON_SENTENCES[reason]);
        return;
    }
    if (reason == REASON_LIMIT_REACHED) {
        limit_text (work, program, needed, had, &text);
        return;
    }
    unsigned digits = reason == REASON_MINIMUM_QTY      ? MICRO_DIGITS
                      : reason == REASON_MINIMUM_AMOUNT ? work->digits
                                                        : POINTS_DIGITS;
    unsigned digits_min = reason == REASON_MINIMUM_QTY ? 0 : digits;
    text_add (&text, reason == REASON_NOT_ENOUGH_POINTS ? "required_points" : REASON_NAMES[reason]);
    text_add (&text, " ");
    text_add_decimal (&text, needed, digits, digits_min);
    text_add (&text, ", has ");
    text_add_decimal (&text, had, digits, digits_min);
}
