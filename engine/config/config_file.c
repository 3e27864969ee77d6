/* config_file.c - see config_file.h. */
#include "config/config_file.h"

#include <czmq.h>

enum { FILE_BYTES_MAX = 65536 };

/* Bounded, which zconfig_load is not; and that leaks a file that it cannot parse. */
static int
read_text (const char *path, char text[FILE_BYTES_MAX + 1], struct error *err)
{
    FILE *file = fopen (path, "re");
    size_t size = 0;
    bool is_read = false;
    if (file != NULL) {
        size = fread (text, 1, FILE_BYTES_MAX + 1, file);
        is_read = ferror (file) == 0;
    }
    int failure = errno;
    if (file != NULL)
        fclose (file);
    if (!is_read)
        return error_set (err, ERROR_INVALID_REQUEST, "cannot read the configuration file %.150s: %s", path,
                          strerror (failure));
    if (size > FILE_BYTES_MAX || memchr (text, '\0', size) != NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "%.150s is no configuration file: a text of at most %d bytes",
                          path, FILE_BYTES_MAX);
    text[size] = '\0';
    return 0;
}

int
config_file_read (const char *path, config_setter *set, void *context, struct error *err)
{
    char text[FILE_BYTES_MAX + 1];
    if (read_text (path, text, err) < 0)
        return -1;
    zconfig_t *root = zconfig_str_load (text);
    if (root == NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "%.150s: a line is not of the form `name = value`", path);
    int result = 0;
    for (zconfig_t *item = zconfig_child (root); item != NULL && result == 0; item = zconfig_next (item)) {
        const char *value = zconfig_value (item);
        if (zconfig_child (item) != NULL)
            result = error_set (err, ERROR_INVALID_REQUEST, "%.100s: \"%.64s\" has parts; settings are plain lines",
                                path, zconfig_name (item));
        else
            result = set (context, zconfig_name (item), value != NULL ? value : "", err);
    }
    zconfig_destroy (&root);
    return result;
}
