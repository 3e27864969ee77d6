/* options.h - the options of a command as one table, from which parsing and --help are made. */
#ifndef LOYALTY_OPTIONS_H
#define LOYALTY_OPTIONS_H

#include <stdbool.h>

enum option_kind {
    OPTION_FLAG,   /* target: bool */
    OPTION_TEXT,   /* target: const char *; borrowed from argv */
    OPTION_NUMBER, /* target: long, within min .. max */
};

struct option_spec {
    const char *name; /* without the dashes */
    enum option_kind kind;
    void *target;           /* holds the default before parsing */
    const char *value_name; /* "DIR"; NULL for a flag */
    const char *help;
    long min, max;
};

struct command_help {
    const char *synopsis; /* "call METHOD [JSON or -]" */
    const char *text;     /* what it does; several lines */
};

/* Parses `--name value`, `--name=value` and flags, in any place; `--` ends them. What is left is moved
 * to the front: argv[1] .. argv[*left]. --help prints and returns false with *code EXIT_DONE; a mistake is explained and returns
 * false with EXIT_USAGE. `specs` ends with a NULL name. */
bool options_parse (const struct command_help *help, const struct option_spec *specs, int argc, char **argv, int *left,
                    int *code);

/* For arguments that the table cannot check: explains on standard error; returns EXIT_USAGE. */
int options_wrong (const struct command_help *help, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#endif
