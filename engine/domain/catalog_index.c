/* catalog_index.c - building and asking the index of a catalog's rules. */
#include "domain/catalog_index.h"

#include "base/hash.h"
#include "domain/filter.h"
#include "domain/sort.h"

/* One thing that makes a rule apply; a list of these, sorted, becomes a map. */
struct id_pair {
    int64_t id;
    uint32_t item;
};

struct tag_pair {
    struct str tag;
    uint32_t item;
};

struct store_pair {
    int64_t store_id;
    struct open_program open;
};

static int
compare_id_pairs (const void *a, const void *b)
{
    const struct id_pair *x = a, *y = b;
    return x->id != y->id ? compare_int64 (x->id, y->id) : compare_int64 (x->item, y->item);
}

static int
compare_tag_pairs (const void *a, const void *b)
{
    const struct tag_pair *x = a, *y = b;
    int order = str_compare (x->tag, y->tag);
    return order != 0 ? order : compare_int64 (x->item, y->item);
}

static int
compare_open (const void *a, const void *b)
{
    const struct open_program *x = a, *y = b;
    return x->least_minor != y->least_minor ? compare_int64 (x->least_minor, y->least_minor)
                                            : compare_int64 (x->program, y->program);
}

static int
compare_store_pairs (const void *a, const void *b)
{
    const struct store_pair *x = a, *y = b;
    return x->store_id != y->store_id ? compare_int64 (x->store_id, y->store_id) : compare_open (&x->open, &y->open);
}

static uint32_t
map_size (size_t count)
{
    uint32_t size = 4;
    while (size < 2 * count)
        size *= 2;
    return size;
}

/* Fibonacci hashing: the high bits of the product are the well mixed ones. */
static uint32_t
id_place (int64_t id, uint32_t mask)
{
    return (uint32_t)(((uint64_t)id * 0x9e3779b97f4a7c15u) >> 32) & mask;
}

static uint32_t
tag_place (struct str tag, uint32_t mask)
{
    return (uint32_t)fnv1a64 (tag.data, tag.size) & mask;
}

struct span
id_map_find (const struct id_map *map, int64_t id)
{
    for (uint32_t at = id_place (id, map->mask);; at = (at + 1) & map->mask) {
        const struct id_span *place = &map->places[at];
        if (place->span.count == 0 || place->id == id)
            return place->span;
    }
}

struct span
tag_map_find (const struct tag_map *map, struct str tag)
{
    for (uint32_t at = tag_place (tag, map->mask);; at = (at + 1) & map->mask) {
        const struct tag_span *place = &map->places[at];
        if (place->span.count == 0 || str_equal (place->tag, tag))
            return place->span;
    }
}

/* FNV-1a of a code as it is compared: without case (ASCII) and outer blanks. */
static uint32_t
code_place (struct str code, uint32_t mask)
{
    uint64_t hash = 0xcbf29ce484222325u;
    while (code.size > 0 && code.data[code.size - 1] == ' ')
        code.size--;
    uint32_t first = 0;
    while (first < code.size && code.data[first] == ' ')
        first++;
    for (uint32_t i = first; i < code.size; i++) {
        unsigned char byte = (unsigned char)code.data[i];
        hash = (hash ^ (byte >= 'A' && byte <= 'Z' ? byte + 32u : byte)) * 0x100000001b3u;
    }
    return (uint32_t)(hash ^ hash >> 32) & mask;
}

int64_t
code_map_find (const struct catalog_index *index, struct str code)
{
    for (uint32_t at = code_place (code, index->codes.mask);; at = (at + 1) & index->codes.mask) {
        uint32_t place = index->codes.places[at];
        if (place == 0 || code_compare (index->rules[place - 1].rule->code, code) == 0)
            return (int64_t)place - 1;
    }
}

struct store_programs
catalog_index_store (const struct catalog_index *index, int64_t store_id)
{
    uint32_t low = 0, high = index->store_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->stores[middle].store_id < store_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < index->store_count && index->stores[low].store_id == store_id)
        return index->stores[low];
    return (struct store_programs){ store_id, 0, NULL };
}

/* Sorted pairs into a map. */
static bool
id_map_build (struct id_map *map, struct id_pair *pairs, size_t count, struct arena *arena)
{
    sort_items (pairs, count, sizeof *pairs, compare_id_pairs);
    uint32_t size = map_size (count);
    map->mask = size - 1;
    map->places = arena_array_of (arena, size, struct id_span);
    uint32_t *items = arena_array_of (arena, count, uint32_t);
    if (map->places == NULL || items == NULL)
        return false;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && pairs[end].id == pairs[first].id; end++)
            items[end] = pairs[end].item;
        uint32_t at = id_place (pairs[first].id, map->mask);
        while (map->places[at].span.count > 0)
            at = (at + 1) & map->mask;
        map->places[at] = (struct id_span){ pairs[first].id, { (uint32_t)(end - first), items + first } };
    }
    return true;
}

static bool
tag_map_build (struct tag_map *map, struct tag_pair *pairs, size_t count, struct arena *arena)
{
    sort_items (pairs, count, sizeof *pairs, compare_tag_pairs);
    uint32_t size = map_size (count);
    map->mask = size - 1;
    map->places = arena_array_of (arena, size, struct tag_span);
    uint32_t *items = arena_array_of (arena, count, uint32_t);
    if (map->places == NULL || items == NULL)
        return false;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && str_equal (pairs[end].tag, pairs[first].tag); end++)
            items[end] = pairs[end].item;
        uint32_t at = tag_place (pairs[first].tag, map->mask);
        while (map->places[at].span.count > 0)
            at = (at + 1) & map->mask;
        map->places[at] = (struct tag_span){ pairs[first].tag, { (uint32_t)(end - first), items + first } };
    }
    return true;
}

/* Numbers every rule; archived programs keep their numbers, but nothing leads to them. */
static bool
number_rules (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    size_t count = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++)
        count += catalog->programs[p].rule_count;
    struct indexed_rule *rules = arena_array_of (arena, count, struct indexed_rule);
    uint32_t *first_rule = arena_array_of (arena, (size_t)catalog->program_count + 1, uint32_t);
    bool *sound = arena_array_of (arena, catalog->program_count, bool);
    if (rules == NULL || first_rule == NULL || sound == NULL || count > UINT32_MAX)
        return false;
    uint32_t next = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        first_rule[p] = next;
        sound[p] = program_check (program, catalog->currency_digits, NULL) == 0;
        for (uint32_t r = 0; r < program->rule_count; r++, next++) {
            const struct product_filter *filter = &program->rules[r].filter;
            rules[next] =
                (struct indexed_rule){ &program->rules[r], p, filter_names (filter), filter_excludes (filter) };
        }
    }
    first_rule[catalog->program_count] = next;
    index->rule_count = next;
    index->rules = rules;
    index->first_rule = first_rule;
    index->sound = sound;
    return true;
}

/* The posting lists: every rule under each product, category and tag that it names. */
static bool
index_rules (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    size_t product_count = 0, category_count = 0, tag_count = 0;
    for (uint32_t i = 0; i < index->rule_count; i++) {
        product_count += index->rules[i].rule->filter.products.count;
        category_count += index->rules[i].rule->filter.has_category;
        tag_count += index->rules[i].rule->filter.tag.size > 0;
    }
    struct id_pair *products = arena_array_of (arena, product_count, struct id_pair);
    struct id_pair *categories = arena_array_of (arena, category_count, struct id_pair);
    struct tag_pair *tags = arena_array_of (arena, tag_count, struct tag_pair);
    if (products == NULL || categories == NULL || tags == NULL)
        return false;
    product_count = category_count = tag_count = 0;
    for (uint32_t i = 0; i < index->rule_count; i++) {
        const struct product_filter *filter = &index->rules[i].rule->filter;
        if (catalog->programs[index->rules[i].program].state == PROGRAM_ARCHIVED)
            continue;
        for (uint32_t k = 0; k < filter->products.count; k++)
            products[product_count++] = (struct id_pair){ filter->products.ids[k], i };
        if (filter->has_category)
            categories[category_count++] = (struct id_pair){ filter->category_id, i };
        if (filter->tag.size > 0)
            tags[tag_count++] = (struct tag_pair){ filter->tag, i };
    }
    return id_map_build (&index->products, products, product_count, arena) &&
           id_map_build (&index->categories, categories, category_count, arena) &&
           tag_map_build (&index->tags, tags, tag_count, arena);
}

/* Whether products cannot lead to the program, and the least money with which one of its rules can hold. */
static bool
program_is_open (const struct program *program, int64_t *least_minor)
{
    bool open = program->rule_count == 0;
    *least_minor = 0;
    for (uint32_t r = 0; r < program->rule_count; r++) {
        const struct rule *rule = &program->rules[r];
        if (filter_names (&rule->filter))
            continue;
        if (!open || rule->minimum_amount_minor < *least_minor)
            *least_minor = rule->minimum_amount_minor;
        open = true;
    }
    return open;
}

static bool
index_open_programs (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    size_t everywhere_count = 0, pair_count = 0;
    int64_t least_minor;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        if (program->state == PROGRAM_ARCHIVED || !program_is_open (program, &least_minor))
            continue;
        everywhere_count += program->stores.count == 0;
        pair_count += program->stores.count;
    }
    struct open_program *everywhere = arena_array_of (arena, everywhere_count, struct open_program);
    struct open_program *open = arena_array_of (arena, pair_count, struct open_program);
    struct store_pair *pairs = arena_array_of (arena, pair_count, struct store_pair);
    struct store_programs *stores = arena_array_of (arena, pair_count, struct store_programs);
    if (everywhere == NULL || open == NULL || pairs == NULL || stores == NULL)
        return false;
    everywhere_count = pair_count = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        if (program->state == PROGRAM_ARCHIVED || !program_is_open (program, &least_minor))
            continue;
        struct open_program entry = { least_minor, p };
        if (program->stores.count == 0)
            everywhere[everywhere_count++] = entry;
        for (uint32_t s = 0; s < program->stores.count; s++)
            pairs[pair_count++] = (struct store_pair){ program->stores.ids[s], entry };
    }
    sort_items (everywhere, everywhere_count, sizeof *everywhere, compare_open);
    sort_items (pairs, pair_count, sizeof *pairs, compare_store_pairs);
    index->everywhere = (struct store_programs){ 0, (uint32_t)everywhere_count, everywhere };
    for (size_t first = 0, end; first < pair_count; first = end) {
        for (end = first; end < pair_count && pairs[end].store_id == pairs[first].store_id; end++)
            open[end] = pairs[end].open;
        stores[index->store_count++] =
            (struct store_programs){ pairs[first].store_id, (uint32_t)(end - first), open + first };
    }
    index->stores = stores;
    return true;
}

static bool
index_loyalty (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    uint32_t *items = arena_array_of (arena, catalog->program_count, uint32_t);
    if (items == NULL)
        return false;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        if (program->type == PROGRAM_LOYALTY && program->applies_on == APPLIES_BOTH &&
            program->state != PROGRAM_ARCHIVED)
            items[index->loyalty.count++] = p;
    }
    index->loyalty.items = items;
    return true;
}

/* Rewards of such a program are paid for by the order's own points, which only named products give. */
static bool
needs_a_product (const struct program *program)
{
    bool keeps_cards = program->type != PROGRAM_PROMOTION && program->type != PROGRAM_BUY_X_GET_Y &&
                       program->type != PROGRAM_PROMO_CODE;
    if (keeps_cards || program->applies_on != APPLIES_CURRENT || program->rule_count == 0)
        return false;
    for (uint32_t r = 0; r < program->rule_count; r++) {
        const struct product_filter *filter = &program->rules[r].filter;
        if (!filter_names (filter) || filter->has_category || filter->tag.size > 0)
            return false;
    }
    return true;
}

/* Programs whose use is counted. */
static bool
index_limited (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    uint32_t *items = arena_array_of (arena, catalog->program_count, uint32_t);
    bool *products_only = arena_array_of (arena, catalog->program_count, bool);
    if (items == NULL || products_only == NULL)
        return false;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        bool counted = program->max_referral_usage != 0;
        index->has_referrals |= program->type == PROGRAM_REFERRAL;
        products_only[p] = needs_a_product (program);
        for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
            counted |= program->limits[limit] != 0;
        for (uint32_t r = 0; r < program->rule_count; r++)
            counted |= program->rules[r].has_birthday;
        if (counted)
            items[index->limited.count++] = p;
    }
    index->limited.items = items;
    index->products_only = products_only;
    return true;
}

static bool
index_codes (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    size_t count = 0;
    for (uint32_t i = 0; i < index->rule_count; i++)
        count += index->rules[i].rule->code.size > 0;
    uint32_t size = map_size (count);
    index->codes.mask = size - 1;
    index->codes.places = arena_array_of (arena, size, uint32_t);
    if (index->codes.places == NULL)
        return false;
    for (uint32_t i = 0; i < index->rule_count; i++) {
        struct str code = index->rules[i].rule->code;
        if (code.size == 0 || catalog->programs[index->rules[i].program].state == PROGRAM_ARCHIVED)
            continue;
        uint32_t at = code_place (code, index->codes.mask);
        while (index->codes.places[at] != 0)
            at = (at + 1) & index->codes.mask;
        index->codes.places[at] = i + 1;
    }
    return true;
}

static bool
index_selling (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    uint32_t *items = arena_array_of (arena, catalog->program_count, uint32_t);
    if (items == NULL)
        return false;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        if ((program->type == PROGRAM_GIFT_CARD || program->type == PROGRAM_EWALLET) &&
            program->state != PROGRAM_ARCHIVED)
            items[index->selling.count++] = p;
    }
    index->selling.items = items;
    return true;
}

static int
compare_ids (const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static const struct id_list *
given_by (const struct reward *reward)
{
    static const struct id_list NONE;
    return reward->type == REWARD_PRODUCT ? &reward->reward_products : &NONE;
}

static bool
index_given (struct catalog_index *index, const struct catalog *catalog, struct arena *arena)
{
    size_t count = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++)
        for (uint32_t r = 0; r < catalog->programs[p].reward_count; r++)
            count += given_by (&catalog->programs[p].rewards[r])->count;
    int64_t *ids = arena_array_of (arena, count, int64_t);
    if (ids == NULL)
        return false;
    uint32_t filled = 0, kept = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++)
        for (uint32_t r = 0; r < catalog->programs[p].reward_count; r++) {
            const struct id_list *given = given_by (&catalog->programs[p].rewards[r]);
            for (uint32_t i = 0; i < given->count; i++)
                ids[filled++] = given->ids[i];
        }
    sort_items (ids, filled, sizeof *ids, compare_ids);
    for (uint32_t i = 0; i < filled; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            ids[kept++] = ids[i];
    index->given_products = (struct id_list){ kept, ids };
    return true;
}

const struct catalog_index *
catalog_index_build (const struct catalog *catalog, struct arena *arena)
{
    struct catalog_index *index = arena_new_of (arena, struct catalog_index);
    if (index == NULL || !number_rules (index, catalog, arena) || !index_rules (index, catalog, arena) ||
        !index_open_programs (index, catalog, arena) || !index_loyalty (index, catalog, arena) ||
        !index_limited (index, catalog, arena) || !index_codes (index, catalog, arena) ||
        !index_selling (index, catalog, arena) || !index_given (index, catalog, arena))
        return NULL;
    return index;
}
