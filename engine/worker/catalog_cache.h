/* catalog_cache.h - the catalog version in force, as this process holds it, and the products it has looked up.
 *
 * Each thread that evaluates has one. The catalog is loaded whole when its version moved; products are
 * kept until the reference version says that they changed. */
#ifndef WORKER_CATALOG_CACHE_H
#define WORKER_CATALOG_CACHE_H

#include "base/map.h"
#include "domain/order.h"
#include "worker/settings.h"

enum { PRODUCTS_CACHED_MAX = 200000, PRODUCTS_CHANGED_MAX = 5000, CATALOG_BYTES_MAX = 512 * 1024 * 1024 };

struct cached_product {
    int64_t product_id;
    bool fresh, known, active, has_category;
    int64_t category_id;
    uint32_t tag_count;
    const struct str *tags;
};

/* Versions that were in force once, for late orders and explanations. */
enum { OLD_CATALOGS_MAX = 4 };

struct old_catalog {
    struct arena *arena;             /* holds `catalog`; NULL: the place is free */
    struct catalog *catalog;
    struct id_list *category_lines;
    uint64_t last_use;               /* the smallest is the first to go */
};

struct catalog_cache {
    const struct engine_settings *settings;
    struct arena *catalog_arena;     /* holds `catalog` */
    struct catalog *catalog;         /* NULL: none was loaded yet */
    struct id_list *category_lines;  /* per category of the catalog: it and all above it */
    int64_t in_force_since;          /* when this version came */
    struct old_catalog old[OLD_CATALOGS_MAX];
    uint64_t uses;                   /* of `old` */
    int64_t reference_version;
    struct arena *product_arena;
    struct map product_index;
    uint32_t product_count, product_capacity;
    struct cached_product *products;
    uint32_t missing_count, missing_capacity;
    int64_t *missing;                /* to be read; on the heap */
};

int catalog_cache_init (struct catalog_cache *cache, const struct engine_settings *settings);
void catalog_cache_free (struct catalog_cache *cache);

/* Notes a product that will be needed; those that are not cached are collected for the next read. */
int catalog_cache_want (struct catalog_cache *cache, int64_t product_id);
/* Whether it is known that the product is not active. */
bool catalog_cache_is_inactive (const struct catalog_cache *cache, int64_t product_id);
/* Queues the read of what is missing (nothing when none is): 1 queued, 0 not needed, -1. */
int catalog_cache_send_products (struct catalog_cache *cache, struct pg *pg, struct arena *arena);
int catalog_cache_receive_products (struct catalog_cache *cache, struct pg *pg, int64_t deadline_us, enum pg_failure *failure,
                                    struct error *err);

/* Brings the cache to the versions that were read in a transaction: loads the catalog when it moved, marks changed products
 * as stale (want them again, then read). In the transaction that read them. */
int catalog_cache_refresh (struct catalog_cache *cache, struct pg *pg, int64_t version, int64_t reference_version,
                           struct arena *arena, int64_t deadline_us, enum pg_failure *failure, struct error *err);

/* The catalog of a version, the current or an old one, which stays valid until OLD_CATALOGS_MAX others were asked for. -1:
 * not_found, when there was none of that number (a record of another database), or as the database failed. */
int catalog_cache_version (struct catalog_cache *cache, struct pg *pg, int64_t version, struct arena *arena,
                           const struct catalog **catalog, int64_t deadline_us, enum pg_failure *failure,
                           struct error *err);
/* The catalog that was in force at an instant. */
int catalog_cache_at (struct catalog_cache *cache, struct pg *pg, int64_t instant, struct arena *arena,
                      const struct catalog **catalog, int64_t deadline_us, enum pg_failure *failure,
                      struct error *err);

/* Loads the catalog of a version into an arena of its own: for validation of a change, with `extra` programs standing
 * in for those of the same id (or added), `removed` left out. */
struct catalog_change {
    uint32_t program_count;
    const struct program *programs; /* replace or add; those not active are left out */
    uint32_t category_count;
    const struct category *categories;
    uint32_t level_count;
    const struct level *levels;
};
int catalog_load (struct pg *pg, const struct engine_settings *settings, int64_t version, const struct catalog_change *change,
                  struct arena *arena, struct catalog **catalog, int64_t deadline_us, enum pg_failure *failure,
                  struct error *err);

/* Fills what was looked up for a line: known, active, categories, tags. Products are as they are now; the tree of categories is
 * that of `catalog`, which came from this cache. */
void catalog_cache_resolve (const struct catalog_cache *cache, const struct catalog *catalog, struct order_line *line);

/* A named zone's table into the arena; not_found when the database has none of that name. */
int zone_load (struct pg *pg, struct str name, struct arena *arena, struct zone *zone, int64_t deadline_us, enum pg_failure *failure,
               struct error *err);

#endif
