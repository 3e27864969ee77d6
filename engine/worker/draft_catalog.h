/* draft_catalog.h - the catalog as it would be with some drafts in it, for a quote that names them. */
#ifndef WORKER_DRAFT_CATALOG_H
#define WORKER_DRAFT_CATALOG_H

#include "worker/executor.h"

/* The catalog in force with these drafts in it, each in place of the program of its id, where there is one; in the
 * transaction's arena. NULL: not_found (path draft_program_ids) for a program without a draft; invalid_request where
 * they cannot stand together; a failure of the database. */
const struct catalog *draft_catalog (struct executor *executor, const int64_t *program_ids, uint32_t count,
                                     struct error *err);

#endif
