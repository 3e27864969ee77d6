/* json_input.h - reads JSON that people write, with every number as it stands there. */
#ifndef LOYALTY_JSON_INPUT_H
#define LOYALTY_JSON_INPUT_H

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>

/* An object; NULL with `invalid_request` (`source` and line named). A number with decimals that a double would change
 * (more than 15 digits) becomes a string of the same digits, which the engine reads exactly. */
json_t *json_input_text (const char *text, size_t size, const char *source, struct error *err);

/* The same from a file that is read to its end (at most 1 GiB). */
json_t *json_input_file (FILE *file, const char *source, struct error *err);

#endif
