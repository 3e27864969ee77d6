/* zpl.c - see zpl.h. */
#include "net/zpl.h"

enum { INDENT = 4 };

static bool
is_space (char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The characters that ZPL gives to names. */
static bool
is_name (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr ("$-_@.&+/", c) != NULL);
}

static void
skip (struct str *text, uint32_t count)
{
    text->data += count;
    text->size -= count;
}

static void
skip_spaces (struct str *text)
{
    while (text->size > 0 && is_space (text->data[0]))
        skip (text, 1);
}

static bool
is_over (struct str text)
{
    return text.size == 0 || text.data[0] == '#';
}

/* Cuts the next line off; without its end. */
static struct str
take_line (struct zpl_reader *reader)
{
    const char *end = memchr (reader->left.data, '\n', reader->left.size);
    struct str line = { reader->left.data, end != NULL ? (uint32_t)(end - reader->left.data) : reader->left.size };
    skip (&reader->left, line.size + (end != NULL));
    reader->line++;
    return line;
}

static int
take_value (struct str line, struct zpl_item *item, struct error *err)
{
    skip_spaces (&line);
    if (!is_over (line) && (line.data[0] == '"' || line.data[0] == '\'')) {
        const char *end = memchr (line.data + 1, line.data[0], line.size - 1);
        if (end == NULL)
            return error_set (err, ERROR_INVALID_REQUEST, "line %u: a quote is not closed", item->line);
        item->value = (struct str){ line.data + 1, (uint32_t)(end - line.data) - 1 };
        skip (&line, item->value.size + 2);
        skip_spaces (&line);
        if (!is_over (line))
            return error_set (err, ERROR_INVALID_REQUEST, "line %u: text after the value", item->line);
        return 0;
    }
    item->value.data = line.data;
    while (!is_over (line))
        skip (&line, 1);
    item->value.size = (uint32_t)(line.data - item->value.data);
    while (item->value.size > 0 && is_space (item->value.data[item->value.size - 1]))
        item->value.size--;
    return 0;
}

/* The item of a line that is not empty. */
static int
take_item (struct str line, struct zpl_item *item, struct error *err)
{
    uint32_t indent = 0;
    while (indent < line.size && line.data[indent] == ' ')
        indent++;
    skip (&line, indent);
    if (indent != 0 && indent != INDENT)
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: indented by %u; it is none or four spaces", item->line,
                          indent);
    item->depth = indent / INDENT;
    item->name.data = line.data;
    while (line.size > 0 && is_name (line.data[0]))
        skip (&line, 1);
    item->name.size = (uint32_t)(line.data - item->name.data);
    item->value = (struct str){ "", 0 };
    skip_spaces (&line);
    if (item->name.size == 0)
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: it does not begin with a name", item->line);
    if (is_over (line))
        return 0;
    if (line.data[0] != '=')
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: after a name comes = and its value", item->line);
    skip (&line, 1);
    return take_value (line, item, err);
}

int
zpl_next (struct zpl_reader *reader, struct zpl_item *item, struct error *err)
{
    while (reader->left.size > 0) {
        struct str line = take_line (reader), rest = line;
        item->line = reader->line;
        if (line.size > ZPL_LINE_BYTES_MAX)
            return error_set (err, ERROR_INVALID_REQUEST, "line %u: longer than %d bytes", item->line,
                              ZPL_LINE_BYTES_MAX);
        if (line.size > 0 && memchr (line.data, '\0', line.size) != NULL)
            return error_set (err, ERROR_INVALID_REQUEST, "line %u: a byte of zero", item->line);
        skip_spaces (&rest);
        if (!is_over (rest))
            return take_item (line, item, err) == 0 ? 1 : -1;
    }
    return 0;
}
