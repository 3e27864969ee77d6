/* catalog_index.h - from what an order holds to the rules that may apply: products, categories, tags, stores.
 *
 * Made once per catalog version, so that evaluation visits only programs that have something to do with
 * the order. A rule that names products, a category or a tag is found by them ("posting lists"); a
 * program with a rule that names nothing is found by its store and the least money it asks for. */
#ifndef DOMAIN_CATALOG_INDEX_H
#define DOMAIN_CATALOG_INDEX_H

#include "domain/catalog.h"

/* A rule, numbered through the whole catalog. */
struct indexed_rule {
    const struct rule *rule;
    uint32_t program;        /* index of its program */
    bool names, excludes;    /* filter_names, filter_excludes */
};

struct span {
    uint32_t count;
    const uint32_t *items;
};

struct id_span {
    int64_t id;
    struct span span; /* count 0: an empty place */
};

struct tag_span {
    struct str tag;
    struct span span;
};

/* Open addressing; size is a power of two, at most half full. */
struct id_map {
    uint32_t mask;
    struct id_span *places;
};

struct tag_map {
    uint32_t mask;
    struct tag_span *places;
};

/* A program with a rule that fits everything (or without rules), which needs at least this much money. */
struct open_program {
    int64_t least_minor;
    uint32_t program;
};

struct store_programs {
    int64_t store_id;
    uint32_t count;
    const struct open_program *programs; /* by least_minor */
};

/* Rules by their codes, compared as code_compare does: open addressing, at most half full. */
struct code_map {
    uint32_t mask;
    uint32_t *places; /* number of the rule + 1; 0: empty */
};

struct catalog_index {
    uint32_t rule_count;
    const struct indexed_rule *rules;  /* by program, then position */
    const uint32_t *first_rule;        /* of each program; program_count + 1 entries */
    const bool *sound;                 /* of each program: program_check has nothing against it */
    struct id_map products, categories; /* to numbers of rules */
    struct tag_map tags;
    struct code_map codes;
    struct store_programs everywhere;  /* open programs of no store in particular */
    uint32_t store_count;
    const struct store_programs *stores; /* open programs of some stores, by store */
    struct span loyalty;               /* loyalty programs that keep a card, by id */
    struct span limited;               /* programs whose use is counted: limits, birthdays; by id */
    const bool *products_only;         /* of each program: has no cards, and its rules name nothing but products */
    bool has_referrals;                /* a program with referral codes is among them */
    struct id_list given_products;     /* what rewards of type product give, each once; ascending */
    struct span selling;               /* gift card and wallet programs, whose rules name what is sold; by id */
};

/* The index of a catalog whose programs are sorted and numbered; NULL when the arena is exhausted. */
const struct catalog_index *catalog_index_build (const struct catalog *catalog, struct arena *arena);

struct span id_map_find (const struct id_map *map, int64_t id);
struct span tag_map_find (const struct tag_map *map, struct str tag);
/* The number of the rule with this code, of a program that is not archived; -1: there is none. */
int64_t code_map_find (const struct catalog_index *index, struct str code);
/* Open programs of one store; count 0 when it has none of its own. */
struct store_programs catalog_index_store (const struct catalog_index *index, int64_t store_id);

#endif
