/* tax.h - lines' money and taxes, for the files of the evaluation. */
#ifndef DOMAIN_TAX_H
#define DOMAIN_TAX_H

#include "domain/work.h"

static inline int128
tax_clamp (int128 value, int128 low, int128 high)
{
    return value < low ? low : value > high ? high : value;
}

/* product / divisor in fine units, without leaving 128 bits: the product fits, times `fine` it might not. */
static inline int128
tax_scaled (int128 product, int128 divisor, int64_t fine)
{
    if (fine == 1)
        return div_round (product, divisor);
    return product / divisor * fine + div_round (product % divisor * fine, divisor);
}

/* Lines' money and taxes into `work`; -1 with err. */
int tax_prepare (struct work *work);
/* Takes the taxes out of a group's lines that belong to `part` of their money; `shares` is what each member
 * loses, `left` is not yet lowered. Adds what is taken to `taken`. `whole`: the part is all that is left of the group. */
void tax_take (struct work *work, const struct tax_group *group, const uint32_t *members, uint32_t member_count,
               const int64_t *shares, int64_t part, bool whole, int128 *taken);
/* Rounds fine taxes (one per place) once for the order, into `cents`: split over the lines by the largest remainder, but
 * no line's taxes become more than it is worth. `moving`: NULL before discounts; after them, which of
 * the order's taxes discounts lowered: the others keep what `cents` holds. -1 with err. */
int tax_round_for_order (struct work *work, const int128 *fine, const bool *moving, int64_t *cents);
/* Taxes after discounts in minor units: those of the lines into `cents` (one per place), and each discount's
 * own into its `taxes`. -1 when the arena is exhausted. */
int tax_settle (struct work *work, int64_t *cents);

#endif
