/* settings.c - checking and printing the settings of settings.h. */
#include "feed/settings.h"
#include "config/config_file.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct number_setting {
    const char *name;
    size_t offset;
    int64_t standard, min, max;
    const char *text;
} NUMBERS[] = {
#define X(name, standard, min, max, text) { #name, offsetof (struct feed_settings, name), standard, min, max, text },
    FEED_NUMBERS (X)
#undef X
};

static const struct text_setting {
    const char *name;
    size_t offset;
    const char *standard, *text;
} TEXTS[] = {
#define X(name, standard, text) { #name, offsetof (struct feed_settings, name), standard, text },
    FEED_TEXTS (X)
#undef X
};

enum { NUMBER_COUNT = sizeof NUMBERS / sizeof NUMBERS[0], TEXT_COUNT = sizeof TEXTS / sizeof TEXTS[0] };

static int64_t *
number_of (struct feed_settings *settings, const struct number_setting *number)
{
    return (int64_t *)(void *)((char *)settings + number->offset);
}

static char *
text_of (struct feed_settings *settings, const struct text_setting *text)
{
    return (char *)settings + text->offset;
}

void
feed_settings_default (struct feed_settings *settings)
{
    *settings = (struct feed_settings){ 0 };
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        *number_of (settings, &NUMBERS[i]) = NUMBERS[i].standard;
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        snprintf (text_of (settings, &TEXTS[i]), FEED_TEXT_MAX, "%s", TEXTS[i].standard);
}

static int
number_set (struct feed_settings *settings, const struct number_setting *number, const char *value, struct error *err)
{
    char *end;
    errno = 0;
    long long parsed = strtoll (value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || parsed < number->min || parsed > number->max)
        return error_set (err, ERROR_INVALID_REQUEST, "setting %s: \"%.40s\" is not a number from %lld to %lld",
                          number->name, value, (long long)number->min, (long long)number->max);
    *number_of (settings, number) = parsed;
    return 0;
}

/* "move-every-ms" is move_every_ms. */
static bool
is_named (const char *setting, const char *name)
{
    for (; *setting != '\0' && (*setting == *name || (*setting == '_' && *name == '-')); setting++, name++)
        ;
    return *setting == '\0' && *name == '\0';
}

int
feed_settings_set (struct feed_settings *settings, const char *name, const char *value, struct error *err)
{
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        if (is_named (NUMBERS[i].name, name))
            return number_set (settings, &NUMBERS[i], value, err);
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        if (!is_named (TEXTS[i].name, name))
            continue;
        if (value[0] == '\0' || strlen (value) >= FEED_TEXT_MAX)
            return error_set (err, ERROR_INVALID_REQUEST, "setting %s needs 1 to %d characters", TEXTS[i].name,
                              FEED_TEXT_MAX - 1);
        strcpy (text_of (settings, &TEXTS[i]), value);
        return 0;
    }
    return error_set (err, ERROR_INVALID_REQUEST, "there is no setting \"%.64s\"; --help lists them", name);
}

static int
set_setting (void *context, const char *name, const char *value, struct error *err)
{
    return feed_settings_set (context, name, value, err);
}

int
feed_settings_load (struct feed_settings *settings, const char *file, struct error *err)
{
    return config_file_read (file, set_setting, settings, err);
}

static void
print_option (const char *name, const char *argument)
{
    char option[64] = "--";
    snprintf (option + 2, sizeof option - 2, "%s %s", name, argument);
    for (char *at = option; *at != ' ' && *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
    printf ("  %-26s ", option);
}

void
feed_settings_print (void)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        print_option (TEXTS[i].name, "TEXT");
        printf (TEXTS[i].standard[0] != '\0' ? "%s (%s)\n" : "%s\n", TEXTS[i].text, TEXTS[i].standard);
    }
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        print_option (NUMBERS[i].name, "N");
        printf ("%s (%lld; %lld to %lld)\n", NUMBERS[i].text, (long long)NUMBERS[i].standard, (long long)NUMBERS[i].min,
                (long long)NUMBERS[i].max);
    }
}
