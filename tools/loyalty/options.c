/* options.c - see options.h. */
#include "options.h"
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP_OPTION[] = "help";

static void
help_print (const struct command_help *help, const struct option_spec *specs)
{
    printf ("usage: loyalty %s\n\n%s\n", help->synopsis, help->text);
    if (specs->name != NULL)
        printf ("\noptions:\n");
    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        char left[64];
        snprintf (left, sizeof left, "--%s%s%s", spec->name, spec->value_name != NULL ? " " : "",
                  spec->value_name != NULL ? spec->value_name : "");
        printf ("  %-24s %s\n", left, spec->help);
    }
}

int
options_wrong (const struct command_help *help, const char *format, ...)
{
    va_list args;
    fprintf (stderr, "loyalty: ");
    va_start (args, format);
    vfprintf (stderr, format, args);
    va_end (args);
    fprintf (stderr, "\nusage: loyalty %s\n", help->synopsis);
    return EXIT_USAGE;
}

static const struct option_spec *
spec_find (const struct option_spec *specs, const char *name, size_t length)
{
    for (; specs->name != NULL; specs++)
        if (strlen (specs->name) == length && memcmp (specs->name, name, length) == 0)
            return specs;
    return NULL;
}

/* Stores a value; false when it is not a number within the bounds. */
static bool
value_store (const struct option_spec *spec, const char *value)
{
    if (spec->kind == OPTION_TEXT) {
        *(const char **)spec->target = value;
        return true;
    }
    char *end;
    errno = 0;
    long number = strtol (value, &end, 10);
    if (errno != 0 || end == value || *end != 0 || number < spec->min || number > spec->max)
        return false;
    *(long *)spec->target = number;
    return true;
}

/* One option at argv[*i], which may take the next argument as its value. EXIT_DONE: understood. */
static int
option_take (const struct command_help *help, const struct option_spec *specs, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *value = strchr (name, '=');
    size_t length = value != NULL ? (size_t)(value - name) : strlen (name);
    const struct option_spec *spec = spec_find (specs, name, length);
    if (spec == NULL)
        return options_wrong (help, "there is no option --%.*s", (int)length, name);
    if (spec->kind == OPTION_FLAG) {
        if (value != NULL)
            return options_wrong (help, "--%s takes no value", spec->name);
        *(bool *)spec->target = true;
        return EXIT_DONE;
    }
    if (value != NULL)
        value++;
    else if (*i + 1 < argc)
        value = argv[++*i];
    else
        return options_wrong (help, "--%s needs a value (%s)", spec->name, spec->value_name);
    if (!value_store (spec, value))
        return options_wrong (help, "--%s takes a whole number from %ld to %ld, not \"%s\"", spec->name, spec->min,
                              spec->max, value);
    return EXIT_DONE;
}

bool
options_parse (const struct command_help *help, const struct option_spec *specs, int argc, char **argv, int *left,
               int *code)
{
    bool options_end = false;
    *left = 0;
    for (int i = 1; i < argc; i++) {
        if (options_end || strncmp (argv[i], "--", 2) != 0) {
            argv[++*left] = argv[i];
        } else if (argv[i][2] == 0) {
            options_end = true;
        } else if (strcmp (argv[i] + 2, HELP_OPTION) == 0) {
            help_print (help, specs);
            *code = EXIT_DONE;
            return false;
        } else {
            *code = option_take (help, specs, argc, argv, &i);
            if (*code != EXIT_DONE)
                return false;
        }
    }
    return true;
}
