/* embedded.h - files of the source tree that are built into a program, so that an installed one needs no source tree.
 *
 * engine/store/embed.cmake makes such a table of a folder, sorted by name. */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* "0001_ledger.sql"; NULL after the last file */
    const char *data; /* NUL-terminated; the NUL is not counted */
    size_t size;
};

#endif
