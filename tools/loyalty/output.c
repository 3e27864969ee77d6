/* output.c - see output.h. */
#include "output.h"
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
output_json (json_t *value, bool pretty)
{
    if (json_dumpf (value, stdout, (pretty ? JSON_INDENT (2) : JSON_COMPACT) | JSON_REAL_PRECISION (12)) < 0)
        fprintf (stderr, "loyalty: the result cannot be written as JSON\n");
    putchar ('\n');
    fflush (stdout);
    json_decref (value);
}

static int
failure_print (const char *code, const char *message, bool retryable, const json_t *details, bool json, bool pretty)
{
    if (json) {
        json_t *error = json_pack ("{s:s, s:s, s:b}", "code", code, "message", message, "retryable", retryable);
        if (details != NULL)
            json_object_set (error, "details", (json_t *)(uintptr_t)details);
        output_json (json_pack ("{s:o}", "error", error), pretty);
        return EXIT_FAILED;
    }
    fflush (stdout);
    fprintf (stderr, "loyalty: %s: %s\n", code, message);
    if (details != NULL) {
        char *text = json_dumps (details, JSON_COMPACT);
        if (text != NULL && json_object_size (details) > 0)
            fprintf (stderr, "         %s\n", text);
        free (text);
    }
    return EXIT_FAILED;
}

int
output_failure (const struct loyalty_error *failure, const json_t *details, bool json, bool pretty)
{
    return failure_print (failure->name, failure->message, failure->retryable, details, json, pretty);
}

int
output_error (const struct error *err, bool json)
{
    json_t *details = json_object ();
    for (unsigned i = 0; i < err->detail_count; i++)
        json_object_set_new (details, err->details[i].name, json_string (err->details[i].value));
    int code = failure_print (error_code_name (err->code), err->message, error_code_retryable (err->code),
                              json_object_size (details) > 0 ? details : NULL, json, false);
    json_decref (details);
    return code;
}

bool
output_progress (void)
{
    return isatty (STDERR_FILENO) == 1;
}
