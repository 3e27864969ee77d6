/* error.c - the error table's look-ups, and the formatting of messages. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef error_set
#undef error_detail
#undef error_field

static const struct {
    const char *name;
    bool retryable;
} CODES[ERROR_CODE_COUNT] = { [ERROR_NONE] = { "ok", false },
#define X(id, name, retryable, text) [ERROR_##id] = { name, retryable },
                              ERROR_CODES (X)
#undef X
};

int
error_set (struct error *err, enum error_code code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->code = code;
        err->detail_count = 0;
        va_start (args, format);
        vsnprintf (err->message, sizeof err->message, format, args);
        va_end (args);
    }
    return -1;
}

static void
detail_add (struct error *err, const char *name, const char *format, va_list args)
{
    if (err == NULL || err->detail_count == ERROR_DETAILS_MAX)
        return;
    snprintf (err->details[err->detail_count].name, sizeof err->details[0].name, "%s", name);
    vsnprintf (err->details[err->detail_count].value, sizeof err->details[0].value, format, args);
    err->detail_count++;
}

int
error_detail (struct error *err, const char *name, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    detail_add (err, name, format, args);
    va_end (args);
    return -1;
}

int
error_field (struct error *err, enum error_code code, const char *path, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    error_set (err, code, "%s: %s", path[0] ? path : "request", text);
    return error_detail (err, "path", "%s", path);
}

const char *
error_code_name (enum error_code code)
{
    return (unsigned)code < ERROR_CODE_COUNT ? CODES[code].name : "internal";
}

enum error_code
error_code_by_name (const char *name)
{
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++)
        if (strcmp (CODES[code].name, name) == 0)
            return (enum error_code)code;
    return ERROR_NONE;
}

bool
error_code_retryable (enum error_code code)
{
    return (unsigned)code < ERROR_CODE_COUNT && CODES[code].retryable;
}
