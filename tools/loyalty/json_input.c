/* json_input.c - see json_input.h. */
#include "json_input.h"
#include "base/arena.h"

#include <errno.h>
#include <string.h>

enum { EXACT_DIGITS = 15, FILE_MAX = 1 << 30, BLOCK = 1 << 16 };

/* The end of a string literal that starts at `at`, the closing quote included. */
static size_t
string_end (const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < size ? at + 1 : size;
}

/* The end of a number literal; *exact is false when it has decimals or an exponent and more digits than a
 * double keeps. Leading zeros are counted: too many strings do no harm. */
static size_t
number_end (const char *text, size_t size, size_t at, bool *exact)
{
    bool is_real = false;
    unsigned digits = 0;
    for (; at < size && strchr ("0123456789+-.eE", text[at]) != NULL && text[at] != 0; at++) {
        is_real = is_real || text[at] == '.' || text[at] == 'e' || text[at] == 'E';
        digits += text[at] >= '0' && text[at] <= '9';
    }
    *exact = !is_real || digits <= EXACT_DIGITS;
    return at;
}

/* The text with quotes around the numbers that a double would change. */
static void
numbers_protect (const char *text, size_t size, struct buf *out)
{
    size_t at = 0, end;
    while (at < size) {
        bool exact = true;
        if (text[at] == '"')
            end = string_end (text, size, at);
        else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9'))
            end = number_end (text, size, at, &exact);
        else
            end = at + 1;
        if (!exact)
            buf_byte (out, '"');
        buf_append (out, text + at, end - at);
        if (!exact)
            buf_byte (out, '"');
        at = end;
    }
}

json_t *
json_input_text (const char *text, size_t size, const char *source, struct error *err)
{
    struct buf exact = { 0 };
    json_error_t reading;
    json_t *value = NULL;
    numbers_protect (text, size, &exact);
    if (exact.failed)
        error_set (err, ERROR_INTERNAL, "out of memory");
    else if ((value = json_loadb ((const char *)exact.data, exact.size, JSON_REJECT_DUPLICATES, &reading)) == NULL)
        error_set (err, ERROR_INVALID_REQUEST, "%.80s, line %d: %s", source, reading.line, reading.text);
    else if (!json_is_object (value)) {
        error_set (err, ERROR_INVALID_REQUEST, "%.80s is not a JSON object", source);
        json_decref (value);
        value = NULL;
    }
    buf_free (&exact);
    return value;
}

json_t *
json_input_file (FILE *file, const char *source, struct error *err)
{
    struct buf text = { 0 };
    size_t count = 1;
    while (count > 0 && text.size < FILE_MAX && buf_reserve (&text, BLOCK) != NULL) {
        count = fread (text.data + text.size, 1, BLOCK, file);
        text.size += count;
    }
    json_t *value = NULL;
    if (ferror (file))
        error_set (err, ERROR_INVALID_REQUEST, "%.120s cannot be read: %s", source, strerror (errno));
    else if (count > 0)
        error_set (err, text.failed ? ERROR_INTERNAL : ERROR_TOO_LARGE, "%.120s is too large", source);
    else
        value = json_input_text ((const char *)text.data, text.size, source, err);
    buf_free (&text);
    return value;
}
