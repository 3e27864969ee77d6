/* migrate_files.c - migrations that lie in a folder, of a release that is newer than this program. */
#include "store/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 1000, FILE_BYTES_MAX = 16 * 1024 * 1024 };

/* NNNN_name.sql */
static int
is_migration (const struct dirent *entry)
{
    size_t length = strlen (entry->d_name);
    return strspn (entry->d_name, "0123456789") == 4 && entry->d_name[4] == '_' && length > 9 &&
           strcmp (entry->d_name + length - 4, ".sql") == 0;
}

static char *
text_read (const char *path, size_t *size)
{
    char *text = malloc (FILE_BYTES_MAX + 1);
    FILE *file = fopen (path, "re");
    *size = file != NULL && text != NULL ? fread (text, 1, FILE_BYTES_MAX, file) : 0;
    bool is_whole = file != NULL && text != NULL && !ferror (file) && feof (file) && *size > 0;
    if (file != NULL)
        fclose (file);
    if (!is_whole) {
        free (text);
        return NULL;
    }
    text[*size] = '\0';
    char *shorter = realloc (text, *size + 1);
    return shorter != NULL ? shorter : text;
}

static int
file_add (struct migrate_files *files, const char *folder, const char *name, struct error *err)
{
    char path[PATH_MAX];
    size_t size;
    snprintf (path, sizeof path, "%s/%s", folder, name);
    char *text = text_read (path, &size), *copy = strdup (name);
    if (text == NULL || copy == NULL) {
        free (text);
        free (copy);
        return error_set (err, ERROR_INVALID_REQUEST, "the migration %.200s cannot be read, or is empty", path);
    }
    files->files[files->count++] = (struct embedded_file){ copy, text, size };
    return 0;
}

int
migrate_files_read (const char *folder, struct migrate_files *files, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir (folder, &entries, is_migration, alphasort), status = 0;
    *files = (struct migrate_files){ 0 };
    if (count < 0)
        return error_set (err, ERROR_INVALID_REQUEST, "the folder %.200s cannot be read: %s", folder, strerror (errno));
    if (count > FILES_MAX || (files->files = calloc ((size_t)count + 1, sizeof *files->files)) == NULL)
        status = error_set (err, ERROR_INVALID_REQUEST, "the folder %.200s has too many migrations", folder);
    for (int i = 0; i < count; i++) {
        if (status == 0 && atoi (entries[i]->d_name) > store_schema_version ())
            status = file_add (files, folder, entries[i]->d_name, err);
        free (entries[i]);
    }
    free (entries);
    if (status < 0)
        migrate_files_free (files);
    return status;
}

void
migrate_files_free (struct migrate_files *files)
{
    for (unsigned i = 0; files->files != NULL && i < files->count; i++) {
        free ((char *)(uintptr_t)files->files[i].name);
        free ((char *)(uintptr_t)files->files[i].data);
    }
    free (files->files);
    *files = (struct migrate_files){ 0 };
}
