/* output.h - how commands print: results and errors, as JSON or for people. */
#ifndef LOYALTY_OUTPUT_H
#define LOYALTY_OUTPUT_H

#include "base/error.h"
#include "loyalty/client.h"

#include <jansson.h>
#include <stdbool.h>

/* One JSON value on standard output: on one line, or indented when `pretty`. Takes the reference. */
void output_json (json_t *value, bool pretty);

/* A failure of the engine, for people on standard error or, with `json`, as {"error": {code, message, details, retryable}}
 * on standard output (indented when `pretty`). `details` may be NULL (borrowed). Returns EXIT_FAILED. */
int output_failure (const struct loyalty_error *failure, const json_t *details, bool json, bool pretty);

/* The same for a failure found here. */
int output_error (const struct error *err, bool json);

/* Whether progress may be shown: standard error is a terminal. */
bool output_progress (void);

#endif
