/* fuzz_program.c - any bytes as the programs of a load: decoded, checked, made into a catalog, and orders priced with it.
 *
 * Whatever is not refused by path must build and price: parts add up to the whole, nothing becomes negative that was not, and
 * pricing the same order again comes to the same. */
#include "support/domain_cart.h"
#include "wire/method.h"
#include "worker/program_decode.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum { ARENA_BYTES = 16 << 20, PROGRAMS_MAX = 16 };

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

/* Takes the programs that are neither refused nor there already. */
static void
take_programs (struct cart *cart, const struct wire_list *list)
{
    for (uint32_t i = 0; i < list->count && cart->catalog.program_count < PROGRAMS_MAX; i++) {
        struct program *program = &cart->programs[cart->catalog.program_count];
        if (program_from_record (list->records[i], cart->arena, program, &cart->err) < 0 ||
            program_check (program, cart->catalog.currency_digits, &cart->err) < 0) {
            require (cart->err.message[0] != '\0');
            continue;
        }
        bool is_there = false;
        for (uint32_t j = 0; j < cart->catalog.program_count; j++)
            is_there |= cart->programs[j].id == program->id;
        cart->catalog.program_count += !is_there;
    }
}

/* The `place`-th filter of the programs; NULL past the last one. */
static const struct product_filter *
filter_at (const struct cart *cart, unsigned place)
{
    for (uint32_t i = 0; i < cart->catalog.program_count; i++) {
        const struct program *program = &cart->programs[i];
        if (place < program->rule_count)
            return &program->rules[place].filter;
        place -= program->rule_count;
        if (place < program->reward_count)
            return &program->rewards[place].filter;
        place -= program->reward_count;
    }
    return NULL;
}

/* Makes the line one of a product that the programs speak of, so that they find something to do. */
static void
meet_filter (struct order_line *line, const struct product_filter *filter)
{
    if (filter->products.count > 0)
        line->product_id = filter->products.ids[0];
    line->categories = (struct id_list){ filter->has_category, &filter->category_id };
    line->tags = &filter->tag;
    line->tag_count = filter->tag.size > 0;
}

/* A cart of a few products, with a member, taxes, points on a card of each program, and claims of all that can be claimed. */
static void
fill_cart (struct cart *cart, unsigned lines)
{
    static const char *const PRICES[] = { "12.50", "3", "0.99", "150", "7.77" };
    for (unsigned i = 0; i < lines; i++) {
        struct order_line *line = cart_line (cart, (int64_t)i + 1, i % 2 == 0 ? "6" : "3.5", PRICES[i % 5]);
        cart_tax (cart, line, 1 + i % 2, i % 2 == 0 ? "21" : "5.5", true);
        if (filter_at (cart, i) != NULL)
            meet_filter (line, filter_at (cart, i));
    }
    cart_member (cart, 42);
    cart->order.member.is_first_order = cart->order.member.has_birthday = true;
    cart->order.member.birthday = (int32_t)(cart->order.instant / US_PER_DAY);
    for (uint32_t i = 0; i < cart->catalog.program_count && cart->order.card_count < CART_CARDS_MAX; i++) {
        const struct program *program = &cart->programs[i];
        struct card_state *card = &cart->cards[cart->order.card_count++];
        *card = (struct card_state){ .card_id = 100 + i, .program_id = program->id, .usable = 1000 * POINT };
        if (program->has_membership) {
            cart->order.member.has_level = true;
            cart->order.member.membership_product_id = program->membership_product_id;
        }
        if (cart->order.claim_count < CART_CLAIMS_MAX)
            cart->claims[cart->order.claim_count++] = (struct claim){ .has_program = true, .program_id = program->id };
        for (uint32_t r = 0; r < program->rule_count && cart->order.claim_count < CART_CLAIMS_MAX; r++)
            if (program->rules[r].code.size > 0)
                cart->claims[cart->order.claim_count++] = (struct claim){ .code = program->rules[r].code };
    }
}

static void
price (struct cart *cart)
{
    static struct evaluation first;
    if (cart_run (cart) < 0) {
        require (cart->err.message[0] != '\0');
        return;
    }
    require (cart_unsound (cart) == NULL);
    first = cart->result;
    require (evaluate_order (&cart->catalog, &cart->order, false, cart->arena, &cart->result, &cart->err) == 0);
    require (first.total_minor == cart->result.total_minor && first.discount_count == cart->result.discount_count);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct cart *cart = cart_new ();
    cart->order.explain = (data[0] & 1) != 0;
    cart->order.skip_refused = true;
    cart->order.instant += (int64_t)(data[0] >> 1) * US_PER_DAY / 3;
    struct str body = { (const char *)data + 1, (uint32_t)size - 1 };
    const struct wire_record *record =
        wire_decode (&SCHEMA_LOAD_PUT, body, cart->catalog.currency_digits, cart->arena, &cart->err);
    if (record != NULL) {
        take_programs (cart, &record->fields[F_LOAD_PUT_PROGRAMS].list);
        fill_cart (cart, 1 + (data[0] & 7));
        price (cart);
    }
    cart_free (cart);
    return 0;
}
