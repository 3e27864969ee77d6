/* draft_catalog.c - see draft_catalog.h. */
#include "worker/draft_catalog.h"
#include "worker/program_decode.h"

static const struct program *
program_by_id (const struct program *programs, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (programs[i].id == id)
            return &programs[i];
    return NULL;
}

/* Reads the drafts into `programs`, which has room for one of each id. */
static int
read_drafts (struct executor *executor, const int64_t *program_ids, uint32_t count, struct program *programs,
             uint32_t *read, struct error *err)
{
    struct arena *arena = executor->transaction;
    struct unit *unit = &executor->unit;
    struct pg_params params = { .arena = arena };
    pg_param_int8s (&params, program_ids, count);
    PGresult *result = pg_run (unit->pg, STATEMENT_DRAFTS_READ, &params, unit->deadline_us, &unit->failure, err);
    if (result == NULL)
        return -1;
    int status = 0;
    *read = 0;
    for (int row = 0; row < PQntuples (result) && status == 0; row++) {
        struct str bytes = arena_str (arena, pg_text (result, row, 0));
        struct wire_record *record =
            bytes.data == NULL ? NULL
                               : wire_decode (&SCHEMA_PROGRAM, bytes, executor->engine->currency_digits, arena, err);
        if (record == NULL || program_from_record (record, arena, &programs[(*read)++], err) < 0)
            status = error_set (err, ERROR_INTERNAL, "a stored draft cannot be read by this version");
    }
    PQclear (result);
    return status;
}

const struct catalog *
draft_catalog (struct executor *executor, const int64_t *program_ids, uint32_t count, struct error *err)
{
    struct arena *arena = executor->transaction;
    const struct catalog *base = executor->cache.catalog;
    struct program *programs = arena_array_of (arena, (size_t)count + base->program_count, struct program);
    struct catalog *catalog = arena_new_of (arena, struct catalog);
    uint32_t drafts;
    if (programs == NULL || catalog == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory for a catalog with drafts");
        return NULL;
    }
    if (read_drafts (executor, program_ids, count, programs, &drafts, err) < 0)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (program_by_id (programs, drafts, program_ids[i]) == NULL) {
            error_field (err, ERROR_NOT_FOUND, "draft_program_ids", "program %lld has no draft",
                         (long long)program_ids[i]);
            return NULL;
        }
    *catalog = *base;
    catalog->programs = programs;
    catalog->program_count = drafts;
    for (uint32_t i = 0; i < base->program_count; i++)
        if (program_by_id (programs, drafts, base->programs[i].id) == NULL)
            programs[catalog->program_count++] = base->programs[i];
    return catalog_build (catalog, arena, err) < 0 ? NULL : catalog;
}
