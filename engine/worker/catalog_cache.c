/* catalog_cache.c - see catalog_cache.h. */
#include "worker/catalog_cache.h"
#include "base/log.h"
#include "worker/program_decode.h"

#include <stdlib.h>

int
catalog_cache_init (struct catalog_cache *cache, const struct engine_settings *settings)
{
    *cache = (struct catalog_cache){ .settings = settings };
    cache->product_arena = arena_new (CATALOG_BYTES_MAX);
    cache->product_index = map_in (cache->product_arena);
    return cache->product_arena == NULL ? -1 : 0;
}

void
catalog_cache_free (struct catalog_cache *cache)
{
    for (unsigned i = 0; i < OLD_CATALOGS_MAX; i++)
        arena_destroy (&cache->old[i].arena);
    arena_destroy (&cache->catalog_arena);
    arena_destroy (&cache->product_arena);
    free (cache->products);
    free (cache->missing);
    *cache = (struct catalog_cache){ 0 };
}

/* ---- products */

static void
products_forget (struct catalog_cache *cache)
{
    arena_reset (cache->product_arena);
    cache->product_index = map_in (cache->product_arena);
    cache->product_count = 0;
}

/* Room for one more element of an array on the heap. */
static bool
heap_grow (void **array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t larger = *capacity ? *capacity * 2 : 64;
    void *moved = realloc (*array, larger * size);
    if (moved == NULL)
        return false;
    *array = moved;
    *capacity = larger;
    return true;
}

int
catalog_cache_want (struct catalog_cache *cache, int64_t product_id)
{
    uint32_t at = map_get (&cache->product_index, product_id);
    if (at != MAP_ABSENT && cache->products[at].fresh)
        return 0;
    for (uint32_t i = 0; i < cache->missing_count; i++)
        if (cache->missing[i] == product_id)
            return 0;
    if (!heap_grow ((void **)&cache->missing, cache->missing_count, &cache->missing_capacity, sizeof *cache->missing))
        return -1;
    cache->missing[cache->missing_count++] = product_id;
    return 0;
}

int
catalog_cache_send_products (struct catalog_cache *cache, struct pg *pg, struct arena *arena)
{
    if (cache->missing_count == 0)
        return 0;
    struct pg_params params = { .arena = arena };
    pg_param_int8s (&params, cache->missing, cache->missing_count);
    return pg_send (pg, STATEMENT_PRODUCTS_READ, &params) < 0 ? -1 : 1;
}

static struct cached_product *
product_place (struct catalog_cache *cache, int64_t product_id)
{
    uint32_t at = map_get (&cache->product_index, product_id);
    if (at == MAP_ABSENT) {
        if (!heap_grow ((void **)&cache->products, cache->product_count, &cache->product_capacity,
                        sizeof *cache->products) ||
            !map_set (&cache->product_index, product_id, cache->product_count))
            return NULL;
        at = cache->product_count++;
    }
    cache->products[at] = (struct cached_product){ .product_id = product_id, .fresh = true };
    return &cache->products[at];
}

int
catalog_cache_receive_products (struct catalog_cache *cache, struct pg *pg, int64_t deadline_us,
                                enum pg_failure *failure, struct error *err)
{
    PGresult *result = pg_receive (pg, deadline_us, failure, err);
    if (result == NULL) {
        cache->missing_count = 0;
        return -1;
    }
    bool failed = false;
    /* What the database does not have is remembered as unknown. */
    for (uint32_t i = 0; i < cache->missing_count; i++)
        failed |= product_place (cache, cache->missing[i]) == NULL;
    for (int row = 0; row < PQntuples (result) && !failed; row++) {
        struct cached_product *product = product_place (cache, pg_int (result, row, 0));
        if (product == NULL) {
            failed = true;
            break;
        }
        product->known = true;
        product->has_category = !pg_is_null (result, row, 1);
        product->category_id = pg_int (result, row, 1);
        product->tag_count = (uint32_t)pg_text_array (result, row, 2, cache->product_arena, &product->tags);
        product->active = pg_bool (result, row, 3);
        failed |= product->tags == NULL;
    }
    cache->missing_count = 0;
    PQclear (result);
    if (!failed)
        return 0;
    products_forget (cache);
    return error_set (err, ERROR_INTERNAL, "out of memory for products");
}

bool
catalog_cache_is_inactive (const struct catalog_cache *cache, int64_t product_id)
{
    uint32_t at = map_get (&cache->product_index, product_id);
    return at != MAP_ABSENT && cache->products[at].known && !cache->products[at].active;
}

/* Finds the category's place in the catalog, or count. */
static uint32_t
category_place (const struct catalog *catalog, int64_t category_id)
{
    uint32_t low = 0, high = catalog->category_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->categories[middle].id < category_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < catalog->category_count && catalog->categories[low].id == category_id ? low : catalog->category_count;
}

static const struct id_list *
lines_of (const struct catalog_cache *cache, const struct catalog *catalog)
{
    for (unsigned i = 0; i < OLD_CATALOGS_MAX; i++)
        if (cache->old[i].arena != NULL && cache->old[i].catalog == catalog)
            return cache->old[i].category_lines;
    return cache->category_lines;
}

void
catalog_cache_resolve (const struct catalog_cache *cache, const struct catalog *catalog, struct order_line *line)
{
    uint32_t at = map_get (&cache->product_index, line->product_id);
    if (at == MAP_ABSENT || !cache->products[at].known)
        return;
    const struct cached_product *product = &cache->products[at];
    line->product_known = true;
    line->product_active = product->active;
    line->tag_count = product->tag_count;
    line->tags = product->tags;
    if (product->has_category) {
        uint32_t place = category_place (catalog, product->category_id);
        if (place < catalog->category_count)
            line->categories = lines_of (cache, catalog)[place];
    }
}

/* ---- loading a catalog */

int
zone_load (struct pg *pg, struct str name, struct arena *arena, struct zone *zone, int64_t deadline_us,
           enum pg_failure *failure, struct error *err)
{
    struct pg_params params = { .arena = arena };
    pg_param_text (&params, name);
    PGresult *result = pg_run (pg, STATEMENT_TIME_ZONE, &params, deadline_us, failure, err);
    if (result == NULL)
        return -1;
    if (PQntuples (result) != 1) {
        PQclear (result);
        return error_set (err, ERROR_NOT_FOUND, "time zone %.*s is not in the database", (int)name.size, name.data);
    }
    const int64_t *offsets;
    zone->name = arena_str (arena, pg_text (result, 0, 0));
    zone->count = (unsigned)pg_int_array (result, 0, 1, arena, &zone->utc_us);
    unsigned count = (unsigned)pg_int_array (result, 0, 2, arena, &offsets);
    int32_t *offset_s = arena_array_of (arena, count + 1, int32_t);
    PQclear (result);
    if (zone->utc_us == NULL || offsets == NULL || offset_s == NULL || count != zone->count)
        return error_set (err, ERROR_INTERNAL, "time zone %.*s cannot be loaded", (int)name.size, name.data);
    for (unsigned i = 0; i < count; i++)
        offset_s[i] = (int32_t)offsets[i];
    zone->offset_s = offset_s;
    return 0;
}

/* What a load is about, passed from step to step. */
struct load {
    struct pg *pg;
    const struct engine_settings *settings;
    const struct catalog_change *change;
    struct arena *arena;
    struct catalog *catalog;
    int64_t deadline_us;
    enum pg_failure *failure;
    struct error *err;
};

static PGresult *
load_rows (struct load *load, enum statement statement)
{
    struct pg_params params = { .arena = load->arena };
    pg_param_int8 (&params, load->catalog->version);
    return pg_run (load->pg, statement, &params, load->deadline_us, load->failure, load->err);
}

static int
out_of_memory (struct load *load)
{
    return error_set (load->err, ERROR_INTERNAL, "out of memory for the catalog");
}

static bool
changed_program (const struct catalog_change *change, int64_t id)
{
    for (uint32_t i = 0; change != NULL && i < change->program_count; i++)
        if (change->programs[i].id == id)
            return true;
    return false;
}

static int
load_programs (struct load *load)
{
    PGresult *result = load_rows (load, STATEMENT_CATALOG_PROGRAMS);
    if (result == NULL)
        return -1;
    uint32_t extra = load->change != NULL ? load->change->program_count : 0, count = 0;
    struct program *programs = arena_array_of (load->arena, (size_t)PQntuples (result) + extra + 1, struct program);
    /* A decoded body is many times as large as the program: it is gone when that is made. */
    struct arena *scratch = arena_new (CATALOG_BYTES_MAX);
    int status = programs == NULL || scratch == NULL ? out_of_memory (load) : 0;
    for (int row = 0; row < PQntuples (result) && status == 0; row++) {
        arena_reset (scratch);
        struct wire_record *record = wire_decode (&SCHEMA_PROGRAM, pg_text (result, row, 0),
                                                  load->settings->currency_digits, scratch, load->err);
        if (record == NULL || program_from_record (record, load->arena, &programs[count], load->err) < 0) {
            /* It was checked when it was stored: another version of the engine wrote it. */
            log_error ("a stored program cannot be read: %s", load->err->message);
            status = error_set (load->err, ERROR_INTERNAL, "a stored program cannot be read by this version");
        } else if (!changed_program (load->change, programs[count].id)) {
            count++;
        }
    }
    arena_destroy (&scratch);
    PQclear (result);
    for (uint32_t i = 0; i < extra && status == 0; i++)
        if (load->change->programs[i].state == PROGRAM_ACTIVE)
            programs[count++] = load->change->programs[i];
    load->catalog->programs = programs;
    load->catalog->program_count = count;
    return status;
}

static int
load_stores (struct load *load)
{
    PGresult *result = load_rows (load, STATEMENT_CATALOG_STORES);
    if (result == NULL)
        return -1;
    int rows = PQntuples (result), status = 0;
    struct store *stores = arena_array_of (load->arena, (size_t)rows + 1, struct store);
    if (stores == NULL)
        status = out_of_memory (load);
    for (int row = 0; row < rows && status == 0; row++) {
        struct str zone_name = pg_text (result, row, 1);
        stores[row].id = pg_int (result, row, 0);
        /* Stores share the tables of their zones: most chains have one. */
        if (str_equal (zone_name, load->catalog->zone.name)) {
            stores[row].zone = load->catalog->zone;
            continue;
        }
        if (row > 0 && str_equal (zone_name, stores[row - 1].zone.name)) {
            stores[row].zone = stores[row - 1].zone;
            continue;
        }
        const int64_t *offsets;
        struct zone *zone = &stores[row].zone;
        zone->name = arena_str (load->arena, zone_name);
        zone->count = (unsigned)pg_int_array (result, row, 2, load->arena, &zone->utc_us);
        pg_int_array (result, row, 3, load->arena, &offsets);
        int32_t *offset_s = arena_array_of (load->arena, zone->count + 1, int32_t);
        if (zone->utc_us == NULL || offsets == NULL || offset_s == NULL) {
            status = out_of_memory (load);
            break;
        }
        for (unsigned i = 0; i < zone->count; i++)
            offset_s[i] = (int32_t)offsets[i];
        zone->offset_s = offset_s;
    }
    PQclear (result);
    load->catalog->stores = stores;
    load->catalog->store_count = (uint32_t)rows;
    return status;
}

static int
load_categories (struct load *load)
{
    PGresult *result = load_rows (load, STATEMENT_CATALOG_CATEGORIES);
    if (result == NULL)
        return -1;
    const struct catalog_change *change = load->change;
    uint32_t extra = change != NULL ? change->category_count : 0, count = 0;
    struct category *categories = arena_array_of (load->arena, (size_t)PQntuples (result) + extra + 1, struct category);
    int status = categories == NULL ? out_of_memory (load) : 0;
    for (int row = 0; row < PQntuples (result) && status == 0; row++) {
        struct category category = { pg_int (result, row, 0), !pg_is_null (result, row, 1), pg_int (result, row, 1) };
        bool replaced = false;
        for (uint32_t i = 0; i < extra; i++)
            replaced |= change->categories[i].id == category.id;
        if (!replaced)
            categories[count++] = category;
    }
    PQclear (result);
    for (uint32_t i = 0; i < extra && status == 0; i++)
        categories[count++] = change->categories[i];
    load->catalog->categories = categories;
    load->catalog->category_count = count;
    return status;
}

static int
load_levels (struct load *load)
{
    PGresult *result = load_rows (load, STATEMENT_CATALOG_LEVELS);
    if (result == NULL)
        return -1;
    const struct catalog_change *change = load->change;
    uint32_t extra = change != NULL ? change->level_count : 0, count = 0;
    struct level *levels = arena_array_of (load->arena, (size_t)PQntuples (result) + extra + 1, struct level);
    int status = levels == NULL ? out_of_memory (load) : 0;
    for (int row = 0; row < PQntuples (result) && status == 0; row++) {
        struct level level = { pg_int (result, row, 0),
                               pg_int (result, row, 1),
                               pg_int (result, row, 2),
                               pg_int (result, row, 3),
                               pg_bool (result, row, 4),
                               pg_bool (result, row, 5),
                               (enum level_window)pg_int (result, row, 6),
                               (int)pg_int (result, row, 7),
                               (int)pg_int (result, row, 8),
                               (enum level_change)pg_int (result, row, 9) };
        bool replaced = false;
        for (uint32_t i = 0; i < extra; i++)
            replaced |= change->levels[i].membership_product_id == level.membership_product_id;
        if (!replaced)
            levels[count++] = level;
    }
    PQclear (result);
    for (uint32_t i = 0; i < extra && status == 0; i++)
        levels[count++] = change->levels[i];
    load->catalog->levels = levels;
    load->catalog->level_count = count;
    return status;
}

int
catalog_load (struct pg *pg, const struct engine_settings *settings, int64_t version,
              const struct catalog_change *change, struct arena *arena, struct catalog **catalog, int64_t deadline_us,
              enum pg_failure *failure, struct error *err)
{
    struct load load = { .pg = pg,
                         .settings = settings,
                         .change = change,
                         .arena = arena,
                         .catalog = arena_new_of (arena, struct catalog),
                         .deadline_us = deadline_us,
                         .failure = failure,
                         .err = err };
    if (load.catalog == NULL)
        return out_of_memory (&load);
    load.catalog->version = version;
    load.catalog->currency_digits = settings->currency_digits;
    *failure = PG_NONE;
    if (zone_load (pg, str_of (settings->time_zone), arena, &load.catalog->zone, deadline_us, failure, err) < 0 ||
        load_stores (&load) < 0 || load_categories (&load) < 0 || load_levels (&load) < 0 || load_programs (&load) < 0)
        return -1;
    if (catalog_build (load.catalog, arena, err) < 0)
        return -1;
    *catalog = load.catalog;
    return 0;
}

/* For each category, it and all above it, ascending. */
static struct id_list *
category_lines (const struct catalog *catalog, struct arena *arena)
{
    struct id_list *lines = arena_array_of (arena, catalog->category_count + 1, struct id_list);
    for (uint32_t i = 0; lines != NULL && i < catalog->category_count; i++) {
        uint32_t depth = 0;
        for (uint32_t at = i; at < catalog->category_count;) {
            depth++;
            const struct category *category = &catalog->categories[at];
            at = category->has_parent ? category_place (catalog, category->parent_id) : catalog->category_count;
        }
        int64_t *ids = arena_array_of (arena, depth, int64_t);
        if (ids == NULL)
            return NULL;
        uint32_t count = 0;
        for (uint32_t at = i; at < catalog->category_count;) {
            const struct category *category = &catalog->categories[at];
            uint32_t place = count++;
            for (; place > 0 && ids[place - 1] > category->id; place--)
                ids[place] = ids[place - 1];
            ids[place] = category->id;
            at = category->has_parent ? category_place (catalog, category->parent_id) : catalog->category_count;
        }
        lines[i] = (struct id_list){ count, ids };
    }
    return lines;
}

static int
version_since (struct pg *pg, int64_t version, struct arena *arena, int64_t deadline_us, enum pg_failure *failure,
               int64_t *since, struct error *err)
{
    struct pg_params params = { .arena = arena };
    pg_param_int8 (&params, version);
    PGresult *result = pg_run (pg, STATEMENT_CATALOG_SINCE, &params, deadline_us, failure, err);
    if (result == NULL)
        return -1;
    *since = PQntuples (result) == 1 ? pg_time (result, 0, 0) : INT64_MIN;
    PQclear (result);
    return 0;
}

/* A version with an arena of its own. */
static int
load_whole (const struct engine_settings *settings, struct pg *pg, int64_t version, struct old_catalog *loaded,
            int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    struct arena *arena = arena_new (CATALOG_BYTES_MAX);
    *loaded = (struct old_catalog){ .arena = arena };
    *err = (struct error){ 0 };
    if (arena == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory for the catalog");
    if (catalog_load (pg, settings, version, NULL, arena, &loaded->catalog, deadline_us, failure, err) < 0 ||
        (loaded->category_lines = category_lines (loaded->catalog, arena)) == NULL) {
        arena_destroy (&loaded->arena);
        return *failure == PG_NONE
                   ? error_set (err, ERROR_INTERNAL, "the catalog cannot be loaded: %.180s", err->message)
                   : -1;
    }
    log_info ("catalog version %lld: %u programs", (long long)version, loaded->catalog->program_count);
    return 0;
}

static int
reload (struct catalog_cache *cache, struct pg *pg, int64_t version, int64_t deadline_us, enum pg_failure *failure,
        struct error *err)
{
    struct old_catalog loaded;
    int64_t since;
    if (load_whole (cache->settings, pg, version, &loaded, deadline_us, failure, err) < 0)
        return -1;
    if (version_since (pg, version, loaded.arena, deadline_us, failure, &since, err) < 0) {
        arena_destroy (&loaded.arena);
        return -1;
    }
    arena_destroy (&cache->catalog_arena);
    cache->catalog_arena = loaded.arena;
    cache->catalog = loaded.catalog;
    cache->category_lines = loaded.category_lines;
    cache->in_force_since = since;
    return 0;
}

int
catalog_cache_version (struct catalog_cache *cache, struct pg *pg, int64_t version, struct arena *arena,
                       const struct catalog **catalog, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    struct old_catalog *place = &cache->old[0], loaded;
    int64_t since;
    if (version == cache->catalog->version) {
        *catalog = cache->catalog;
        return 0;
    }
    for (unsigned i = 0; i < OLD_CATALOGS_MAX; i++) {
        struct old_catalog *old = &cache->old[i];
        if (old->arena != NULL && old->catalog->version == version) {
            old->last_use = ++cache->uses;
            *catalog = old->catalog;
            return 0;
        }
        if (old->last_use < place->last_use)
            place = old;
    }
    *failure = PG_NONE;
    if (version_since (pg, version, arena, deadline_us, failure, &since, err) < 0)
        return -1;
    if (since == INT64_MIN && version != 1) /* the first is in force since ever */
        return error_set (err, ERROR_NOT_FOUND, "there is no catalog version %lld", (long long)version);
    if (load_whole (cache->settings, pg, version, &loaded, deadline_us, failure, err) < 0)
        return -1;
    arena_destroy (&place->arena);
    *place = loaded;
    place->last_use = ++cache->uses;
    *catalog = place->catalog;
    return 0;
}

int
catalog_cache_at (struct catalog_cache *cache, struct pg *pg, int64_t instant, struct arena *arena,
                  const struct catalog **catalog, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    if (instant >= cache->in_force_since) {
        *catalog = cache->catalog;
        return 0;
    }
    struct pg_params params = { .arena = arena };
    pg_param_time (&params, instant);
    PGresult *result = pg_run (pg, STATEMENT_CATALOG_AT, &params, deadline_us, failure, err);
    if (result == NULL)
        return -1;
    int64_t version = PQntuples (result) == 1 ? pg_int (result, 0, 0) : cache->catalog->version;
    PQclear (result);
    return catalog_cache_version (cache, pg, version, arena, catalog, deadline_us, failure, err);
}

static int
mark_changed (struct catalog_cache *cache, struct pg *pg, struct arena *arena, int64_t deadline_us,
              enum pg_failure *failure, struct error *err)
{
    struct pg_params params = { .arena = arena };
    pg_param_int8 (&params, cache->reference_version);
    pg_param_int4 (&params, PRODUCTS_CHANGED_MAX);
    PGresult *result = pg_run (pg, STATEMENT_PRODUCTS_CHANGED, &params, deadline_us, failure, err);
    if (result == NULL)
        return -1;
    if (PQntuples (result) == PRODUCTS_CHANGED_MAX)
        products_forget (cache);
    for (int row = 0; row < PQntuples (result); row++) {
        uint32_t at = map_get (&cache->product_index, pg_int (result, row, 0));
        if (at != MAP_ABSENT)
            cache->products[at].fresh = false;
    }
    PQclear (result);
    return 0;
}

int
catalog_cache_refresh (struct catalog_cache *cache, struct pg *pg, int64_t version, int64_t reference_version,
                       struct arena *arena, int64_t deadline_us, enum pg_failure *failure, struct error *err)
{
    *failure = PG_NONE;
    if ((cache->catalog == NULL || cache->catalog->version != version) &&
        reload (cache, pg, version, deadline_us, failure, err) < 0)
        return -1;
    if (cache->product_count > PRODUCTS_CACHED_MAX)
        products_forget (cache);
    if (cache->reference_version != reference_version) {
        if (cache->product_count > 0 && mark_changed (cache, pg, arena, deadline_us, failure, err) < 0)
            return -1;
        cache->reference_version = reference_version;
    }
    return 0;
}
