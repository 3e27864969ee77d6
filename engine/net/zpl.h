/* zpl.h - reads the small files that keys are kept in: ZPL (https://rfc.zeromq.org/spec/4) of at most two levels,
 * a line at a time, so that every mistake can be named by its line. Pure: text in, items out. */
#ifndef NET_ZPL_H
#define NET_ZPL_H

#include "base/arena.h"
#include "base/error.h"

enum { ZPL_LINE_BYTES_MAX = 512 };

/* One line that says something. */
struct zpl_item {
    unsigned line;  /* counted from 1 */
    unsigned depth; /* 0, or 1 where it is indented by four spaces */
    struct str name;
    struct str value; /* without its quotes; empty when there is none */
};

struct zpl_reader {
    struct str left;
    unsigned line;
};

static inline struct zpl_reader
zpl_begin (struct str text)
{
    return (struct zpl_reader){ .left = text };
}

/* 1: *item is the next one, borrowed from the text; 0: the end; -1: the line is none that ZPL knows. */
int zpl_next (struct zpl_reader *reader, struct zpl_item *item, struct error *err);

#endif
