/* filter.c - matching a line's product by id, category subtree and tag. */
#include "domain/filter.h"

/* A line has few categories, so a look at each is as good as a search, and needs no order. */
static bool
line_in_category (const struct order_line *line, int64_t category_id)
{
    for (uint32_t i = 0; i < line->categories.count; i++)
        if (line->categories.ids[i] == category_id)
            return true;
    return false;
}

static bool
line_has_tag (const struct order_line *line, struct str tag)
{
    for (uint32_t i = 0; i < line->tag_count; i++)
        if (str_equal (line->tags[i], tag))
            return true;
    return false;
}

bool
filter_excludes_line (const struct product_filter *filter, const struct order_line *line)
{
    return id_list_has (&filter->exclude_products, line->product_id) ||
           (filter->has_exclude_category && line_in_category (line, filter->exclude_category_id)) ||
           (filter->exclude_tag.size > 0 && line_has_tag (line, filter->exclude_tag));
}

bool
filter_fits (const struct product_filter *filter, const struct order_line *line)
{
    bool named = !filter_names (filter) || id_list_has (&filter->products, line->product_id) ||
                 (filter->has_category && line_in_category (line, filter->category_id)) ||
                 (filter->tag.size > 0 && line_has_tag (line, filter->tag));
    return named && !filter_excludes_line (filter, line);
}
