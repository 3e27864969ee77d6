/* text.h - short texts for people, built without printf (the domain uses nothing of libc but memory and strings). */
#ifndef DOMAIN_TEXT_H
#define DOMAIN_TEXT_H

#include "base/decimal.h"

/* A buffer that is being filled: always NUL-terminated, cut off where it is full. */
struct text {
    char *data;
    size_t size, capacity;
};

static inline struct text
text_open (char *data, size_t capacity)
{
    data[0] = '\0';
    return (struct text){ data, 0, capacity };
}

static inline void
text_add_bytes (struct text *text, const char *bytes, size_t size)
{
    size_t room = text->capacity - text->size - 1;
    size = size < room ? size : room;
    if (size > 0)
        memcpy (text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static inline void
text_add (struct text *text, const char *words)
{
    text_add_bytes (text, words, strlen (words));
}

/* value * 10^-digits, with at least `digits_min` decimals. */
static inline void
text_add_decimal (struct text *text, int64_t value, unsigned digits, unsigned digits_min)
{
    char number[DECIMAL_TEXT_MAX];
    text_add_bytes (text, number, decimal_format (value, digits, digits_min, number));
}

static inline void
text_add_int (struct text *text, int64_t value)
{
    text_add_decimal (text, value, 0, 0);
}

#endif
