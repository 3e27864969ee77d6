/* list_price.c - see list_price.h. */
#include "domain/list_price.h"
#include "domain/tax.h"

int
list_price (const struct order_line *line, unsigned digits, struct arena *arena, int64_t *total_minor,
            struct error *err)
{
    struct order_line listed = *line;
    listed.discount_micro = 0;
    listed.is_covered_return = false;
    struct order order = { .line_count = 1, .lines = &listed };
    struct work work = { .order = &order, .arena = arena, .err = err, .digits = digits, .fine = 1 };
    if (tax_prepare (&work) < 0)
        return -1;
    *total_minor = work.lines[0].total;
    return 0;
}
