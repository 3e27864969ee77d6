/* catalog.c - putting a catalog in order, finding things in it, and when points expire. */
#include "domain/catalog.h"

#include "domain/catalog_index.h"
#include "domain/sort.h"

const char *const LIMIT_NAMES[LIMIT_COUNT] = {
#define X(id, name) [LIMIT_##id] = name,
    LIMITS (X)
#undef X
};

enum { CURRENCY_DIGITS_MAX = 6 };

_Static_assert(sizeof (struct program) <= SORT_ITEM_MAX, "a program must fit the sort's spare place");

static int
compare_ids (const void *a, const void *b)
{
    return compare_int64 (*(const int64_t *)a, *(const int64_t *)b);
}

static int
compare_programs (const void *a, const void *b)
{
    return compare_int64 (((const struct program *)a)->id, ((const struct program *)b)->id);
}

static int
compare_stores (const void *a, const void *b)
{
    return compare_int64 (((const struct store *)a)->id, ((const struct store *)b)->id);
}

static int
compare_categories (const void *a, const void *b)
{
    return compare_int64 (((const struct category *)a)->id, ((const struct category *)b)->id);
}

static int
compare_levels (const void *a, const void *b)
{
    const struct level *x = a, *y = b;
    return x->sequence != y->sequence ? compare_int64 (x->sequence, y->sequence)
                                      : compare_int64 (x->membership_product_id, y->membership_product_id);
}

static void
sort_ids (const struct id_list *list)
{
    sort_items ((int64_t *)list->ids, list->count, sizeof (int64_t), compare_ids);
}

static void
sort_filter (const struct product_filter *filter)
{
    sort_ids (&filter->products);
    sort_ids (&filter->exclude_products);
}

static void
sort_program_lists (const struct program *program)
{
    sort_ids (&program->stores);
    sort_ids (&program->pricelists);
    for (uint32_t r = 0; r < program->rule_count; r++) {
        sort_filter (&program->rules[r].filter);
        sort_ids (&program->rules[r].membership_product_ids);
    }
    for (uint32_t r = 0; r < program->reward_count; r++) {
        sort_filter (&program->rewards[r].filter);
        sort_ids (&program->rewards[r].reward_products);
        for (uint32_t s = 0; s < program->rewards[r].set_item_count; s++)
            sort_filter (&program->rewards[r].set_items[s].filter);
    }
}

static int
check_unique (const struct catalog *catalog, struct error *err)
{
    for (uint32_t i = 1; i < catalog->program_count; i++)
        if (catalog->programs[i - 1].id == catalog->programs[i].id)
            return error_set (err, ERROR_INVALID_REQUEST, "two programs have the id %lld",
                              (long long)catalog->programs[i].id);
    for (uint32_t i = 1; i < catalog->store_count; i++)
        if (catalog->stores[i - 1].id == catalog->stores[i].id)
            return error_set (err, ERROR_INVALID_REQUEST, "two stores have the id %lld",
                              (long long)catalog->stores[i].id);
    for (uint32_t i = 1; i < catalog->category_count; i++)
        if (catalog->categories[i - 1].id == catalog->categories[i].id)
            return error_set (err, ERROR_INVALID_REQUEST, "two categories have the id %lld",
                              (long long)catalog->categories[i].id);
    for (uint32_t i = 0; i < catalog->level_count; i++)
        for (uint32_t j = i + 1; j < catalog->level_count; j++)
            if (catalog->levels[i].membership_product_id == catalog->levels[j].membership_product_id)
                return error_set (err, ERROR_INVALID_REQUEST, "two levels have the membership product %lld",
                                  (long long)catalog->levels[i].membership_product_id);
    return 0;
}

static const struct category *
category_find (const struct catalog *catalog, int64_t id)
{
    uint32_t low = 0, high = catalog->category_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->categories[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < catalog->category_count && catalog->categories[low].id == id ? &catalog->categories[low] : NULL;
}

/* Every walk to the root marks its categories with its own number: meeting one's own mark is a cycle,
 * meeting an earlier one means that the rest of the way is known to end. So each is walked once. */
static int
check_tree (const struct catalog *catalog, struct arena *arena, struct error *err)
{
    uint32_t *walked = arena_array_of (arena, catalog->category_count, uint32_t);
    if (walked == NULL)
        return error_set (err, ERROR_INTERNAL, "no memory for a catalog of %u categories", catalog->category_count);
    for (uint32_t i = 0; i < catalog->category_count; i++) {
        const struct category *category = &catalog->categories[i];
        while (category != NULL && walked[category - catalog->categories] == 0) {
            walked[category - catalog->categories] = i + 1;
            category = category->has_parent ? category_find (catalog, category->parent_id) : NULL;
        }
        if (category != NULL && walked[category - catalog->categories] == i + 1) {
            error_set (err, ERROR_INVALID_REQUEST, "category %lld is below itself", (long long)category->id);
            return error_detail (err, "category_id", "%lld", (long long)category->id);
        }
    }
    return 0;
}

/* A code as it is compared: without case (ASCII) and outer blanks. */
static struct str
code_trim (struct str code)
{
    while (code.size > 0 && code.data[0] == ' ')
        code = (struct str){ code.data + 1, code.size - 1 };
    while (code.size > 0 && code.data[code.size - 1] == ' ')
        code.size--;
    return code;
}

int
code_compare (struct str a, struct str b)
{
    a = code_trim (a);
    b = code_trim (b);
    for (uint32_t i = 0; i < a.size && i < b.size; i++) {
        unsigned char x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];
        x = x >= 'A' && x <= 'Z' ? (unsigned char)(x + 32) : x;
        y = y >= 'A' && y <= 'Z' ? (unsigned char)(y + 32) : y;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

struct owned_code {
    struct str code;
    int64_t program_id;
};

static int
compare_codes (const void *a, const void *b)
{
    return code_compare (((const struct owned_code *)a)->code, ((const struct owned_code *)b)->code);
}

static int
check_codes (const struct catalog *catalog, struct arena *arena, struct error *err)
{
    size_t count = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++)
        count += catalog->programs[p].rule_count;
    struct owned_code *codes = arena_array_of (arena, count, struct owned_code);
    if (codes == NULL)
        return error_set (err, ERROR_INTERNAL, "no memory for a catalog of %u programs", catalog->program_count);
    count = 0;
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        const struct program *program = &catalog->programs[p];
        for (uint32_t r = 0; r < program->rule_count && program->state != PROGRAM_ARCHIVED; r++)
            if (program->rules[r].code.size > 0)
                codes[count++] = (struct owned_code){ program->rules[r].code, program->id };
    }
    sort_items (codes, count, sizeof *codes, compare_codes);
    for (size_t i = 1; i < count; i++)
        if (code_compare (codes[i - 1].code, codes[i].code) == 0 && codes[i - 1].program_id != codes[i].program_id) {
            error_set (err, ERROR_INVALID_REQUEST, "the programs %lld and %lld have the same code \"%.*s\"",
                       (long long)codes[i - 1].program_id, (long long)codes[i].program_id, (int)codes[i].code.size,
                       codes[i].code.data);
            return error_detail (err, "code", "%.*s", (int)codes[i].code.size, codes[i].code.data);
        }
    return 0;
}

static int
check_primary (const struct catalog *catalog, struct error *err)
{
    for (uint32_t i = 0; i < catalog->program_count; i++) {
        const struct program *first = &catalog->programs[i];
        if (!first->is_primary_loyalty || !first->has_membership || first->state != PROGRAM_ACTIVE)
            continue;
        for (uint32_t j = i + 1; j < catalog->program_count; j++) {
            const struct program *second = &catalog->programs[j];
            if (second->is_primary_loyalty && second->has_membership && second->state == PROGRAM_ACTIVE &&
                second->membership_product_id == first->membership_product_id) {
                error_set (err, ERROR_INVALID_REQUEST,
                           "the programs %lld and %lld are both primary for the membership %lld", (long long)first->id,
                           (long long)second->id, (long long)first->membership_product_id);
                return error_detail (err, "membership_product_id", "%lld", (long long)first->membership_product_id);
            }
        }
    }
    return 0;
}

int
catalog_build (struct catalog *catalog, struct arena *arena, struct error *err)
{
    if (catalog->currency_digits > CURRENCY_DIGITS_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "a currency has at most %d digits", CURRENCY_DIGITS_MAX);
    struct program *programs = (struct program *)catalog->programs;
    sort_items (programs, catalog->program_count, sizeof *programs, compare_programs);
    sort_items ((struct store *)catalog->stores, catalog->store_count, sizeof (struct store), compare_stores);
    sort_items ((struct category *)catalog->categories, catalog->category_count, sizeof (struct category),
                compare_categories);
    sort_items ((struct level *)catalog->levels, catalog->level_count, sizeof (struct level), compare_levels);
    for (uint32_t p = 0; p < catalog->program_count; p++) {
        programs[p].index = p;
        sort_program_lists (&programs[p]);
    }
    if (check_unique (catalog, err) < 0 || check_tree (catalog, arena, err) < 0 ||
        check_codes (catalog, arena, err) < 0 || check_primary (catalog, err) < 0)
        return -1;
    catalog->index = catalog_index_build (catalog, arena);
    if (catalog->index == NULL)
        return error_set (err, ERROR_INTERNAL, "no memory for a catalog of %u programs", catalog->program_count);
    return 0;
}

const struct program *
catalog_program (const struct catalog *catalog, int64_t id)
{
    uint32_t low = 0, high = catalog->program_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->programs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < catalog->program_count && catalog->programs[low].id == id ? &catalog->programs[low] : NULL;
}

const struct zone *
catalog_zone (const struct catalog *catalog, bool has_store, int64_t store_id)
{
    uint32_t low = 0, high = has_store ? catalog->store_count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->stores[middle].id == store_id)
            return &catalog->stores[middle].zone;
        if (catalog->stores[middle].id < store_id)
            low = middle + 1;
        else
            high = middle;
    }
    return &catalog->zone;
}

int64_t
expiry_instant (const struct expiry *expiry, const struct zone *zone, int64_t gained)
{
    struct civil civil;
    civil_from_instant (zone, gained, &civil);
    int32_t day = day_from_civil (civil.year, civil.month, civil.day);
    switch (expiry->policy) {
    case EXPIRY_DAYS:
        return instant_from_local (zone, day + expiry->count,
                                   (civil.hour * 60 + civil.minute) * US_PER_MINUTE + civil.second * US_PER_SECOND +
                                       civil.microsecond);
    case EXPIRY_MONTHS:
        return instant_add_months (zone, gained, expiry->count);
    case EXPIRY_YEARS:
        return instant_add_months (zone, gained, 12 * expiry->count);
    case EXPIRY_END_OF_MONTH:
        return instant_from_local (zone, day - civil.day + 1 + days_in_month (civil.year, civil.month), 0);
    case EXPIRY_END_OF_YEAR:
        return instant_from_local (zone, day_from_civil (civil.year + 1, 1, 1), 0);
    case EXPIRY_DATE:
        return instant_from_local (zone, expiry->date + 1, 0);
    case EXPIRY_NEVER:
        break;
    }
    return INSTANT_NEVER;
}
