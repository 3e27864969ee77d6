/* filter.h - which lines a rule, a reward or a set item is about. */
#ifndef DOMAIN_FILTER_H
#define DOMAIN_FILTER_H

#include "domain/order.h"

static inline bool
id_list_has (const struct id_list *list, int64_t id)
{
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count && list->ids[low] == id;
}

/* It names products, a category or a tag: what names nothing fits everything. */
static inline bool
filter_names (const struct product_filter *filter)
{
    return filter->products.count > 0 || filter->has_category || filter->tag.size > 0;
}

static inline bool
filter_excludes (const struct product_filter *filter)
{
    return filter->exclude_products.count > 0 || filter->has_exclude_category || filter->exclude_tag.size > 0;
}

/* The line's product is one that the filter excludes. */
bool filter_excludes_line (const struct product_filter *filter, const struct order_line *line);
/* By id, category subtree or tag (or because it names nothing), and not by exclusion (SEMANTICS 2). */
bool filter_fits (const struct product_filter *filter, const struct order_line *line);

#endif
