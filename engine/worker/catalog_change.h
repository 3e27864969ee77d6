/* catalog_change.h - a set of new programs, stores, categories, levels, products and partners: collected, checked as a
 * whole against what is there, and written in one transaction. */
#ifndef WORKER_CATALOG_CHANGE_H
#define WORKER_CATALOG_CHANGE_H

#include "worker/executor.h"

/* Where a schema keeps its lists; -1: it has none of the kind. */
struct change_fields {
    int stores, partners, products, categories, levels, programs;
};

/* A list of records with the path that an error names them by. */
struct change_list {
    uint32_t count, capacity;
    struct change_item {
        const struct wire_record *record;
        const char *path;      /* "products[3]" or "part 2: products[3]" */
        struct str definition; /* programs: the bytes of the record */
    } *items;
};

struct change {
    struct executor *executor;
    struct request *request;
    struct arena *arena;
    struct change_list stores, partners, products, categories, levels, programs;
    struct program *checked; /* the programs in the domain's form, by index */
    uint32_t applied;
};

void change_begin (struct change *change, struct executor *executor, struct request *request, struct arena *arena);
/* Adds all lists of a decoded body; `body` are its bytes, `part` 0 or the part's number for paths. -1: memory. */
int change_collect (struct change *change, const struct wire_record *record, struct change_fields fields, struct str body, int64_t part);
/* Adds one program. */
int change_add_program (struct change *change, const struct wire_record *record, struct str definition, const char *path);
/* Judges what needs nothing but itself: things given twice, programs that contradict themselves. */
int change_check (struct change *change);
/* Locks the catalog, judges the change against what is there, writes it. *version: the catalog's version after it. */
int change_apply (struct change *change, int64_t *version);

#endif
