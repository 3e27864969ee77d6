/* failure.c - see failure.h. */
#include "failure.h"
#include "loyalty/value.h"
#include "wire/envelope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
failure_set (struct loyalty_error *error, enum loyalty_code code, const char *format, ...)
{
    if (error == NULL)
        return -1;
    memset (error, 0, sizeof *error);
    error->code = code;
    error->retryable = error_code_retryable ((enum error_code)code);
    snprintf (error->name, sizeof error->name, "%s", loyalty_code_name (code));
    va_list args;
    va_start (args, format);
    vsnprintf (error->message, sizeof error->message, format, args);
    va_end (args);
    return -1;
}

/* What wire leaves out: the name of a code newer than this library, what the engine says of trying again, and
 * the details as they came. */
static void
read_rest (struct str body, struct str *details, struct loyalty_error *error)
{
    struct loyalty_value value;
    if (loyalty_find (body.data, body.size, "error.code", &value))
        loyalty_value_text (&value, error->name, sizeof error->name);
    if (loyalty_find (body.data, body.size, "error.retryable", &value) && value.type == LOYALTY_BOOL)
        error->retryable = value.boolean;
    if (loyalty_find (body.data, body.size, "error.details", &value) && value.type == LOYALTY_MAP && value.size > 0)
        *details = (struct str){ value.start, (uint32_t)(loyalty_skip (&value) - value.start) };
}

/* The reasons by which a broker sends its clients to another. */
static bool
is_elsewhere (const struct error *failure)
{
    for (unsigned i = 0; i < failure->detail_count; i++)
        if (strcmp (failure->details[i].name, "reason") == 0)
            return strcmp (failure->details[i].value, "draining") == 0 ||
                   strcmp (failure->details[i].value, "no_worker") == 0;
    return false;
}

bool
failure_read_reply (struct str body, struct str *result, struct str *details, struct loyalty_error *error)
{
    bool ok = false;
    struct error failure, fault;
    int64_t retry_after_ms = 0;
    *details = (struct str){ NULL, 0 };
    if (reply_body_decode (body, &ok, result, &failure, &retry_after_ms, &fault) != 0) {
        failure_set (error, LOYALTY_INTERNAL, "the answer is not a reply: %s", fault.message);
        error->outcome_unknown = true;
        return false;
    }
    if (ok)
        return true;
    *result = (struct str){ NULL, 0 };
    enum loyalty_code code = failure.code == ERROR_NONE ? LOYALTY_INTERNAL : (enum loyalty_code)failure.code;
    failure_set (error, code, "%s", failure.message);
    error->retry_after_ms = retry_after_ms;
    error->elsewhere = is_elsewhere (&failure);
    read_rest (body, details, error);
    return false;
}
