/* config_file.h - reads a program's configuration file: plain lines of `name = value` (ZPL, https://rfc.zeromq.org/spec/4). */
#ifndef CONFIG_CONFIG_FILE_H
#define CONFIG_CONFIG_FILE_H

#include "base/error.h"

/* Takes one setting. -1 with `err` ends the reading. */
typedef int config_setter (void *context, const char *name, const char *value, struct error *err);

/* Hands every line of the file to `set`, in their order. -1 with `err` (invalid_request): the file cannot be read, is not of that form,
 * or a setting was refused; the ones before it were set. */
int config_file_read (const char *path, config_setter *set, void *context, struct error *err);

#endif
