/* settings.c - reading, checking and printing the settings of settings.h. */
#include "broker/settings.h"
#include "config/config_file.h"

#include <czmq.h>

static const struct number_setting {
    const char *name;
    size_t offset;
    int64_t standard, min, max;
    bool is_reloadable;
    const char *text;
} NUMBERS[] = {
#define X(name, standard, min, max, reloadable, text) \
    { #name, offsetof (struct settings, name), standard, min, max, reloadable, text },
    NUMBER_SETTINGS (X)
#undef X
};

static const struct text_setting {
    const char *name;
    size_t offset;
    const char *standard, *text;
} TEXTS[] = {
#define X(name, standard, text) { #name, offsetof (struct settings, name), standard, text },
    TEXT_SETTINGS (X)
#undef X
};

enum { NUMBER_COUNT = sizeof NUMBERS / sizeof NUMBERS[0], TEXT_COUNT = sizeof TEXTS / sizeof TEXTS[0] };

static int64_t *
number_of (struct settings *settings, const struct number_setting *number)
{
    return (int64_t *)(void *)((char *)settings + number->offset);
}

static char *
text_of (struct settings *settings, const struct text_setting *text)
{
    return (char *)settings + text->offset;
}

void
settings_default (struct settings *settings)
{
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        *number_of (settings, &NUMBERS[i]) = NUMBERS[i].standard;
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        snprintf (text_of (settings, &TEXTS[i]), SETTING_TEXT_MAX, "%s", TEXTS[i].standard);
}

static int
number_set (struct settings *settings, const struct number_setting *number, const char *value, struct error *err)
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

int
settings_set (struct settings *settings, const char *name, const char *value, struct error *err)
{
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        if (streq (NUMBERS[i].name, name))
            return number_set (settings, &NUMBERS[i], value, err);
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        if (!streq (TEXTS[i].name, name))
            continue;
        if (value[0] == '\0' || strlen (value) >= SETTING_TEXT_MAX)
            return error_set (err, ERROR_INVALID_REQUEST, "setting %s needs 1 to %d characters", name,
                              SETTING_TEXT_MAX - 1);
        strcpy (text_of (settings, &TEXTS[i]), value);
        return 0;
    }
    return error_set (err, ERROR_INVALID_REQUEST, "there is no setting \"%.64s\"; --help lists them", name);
}

static int
set_setting (void *context, const char *name, const char *value, struct error *err)
{
    return settings_set (context, name, value, err);
}

int
settings_load (struct settings *settings, const char *file, struct error *err)
{
    return config_file_read (file, set_setting, settings, err);
}

unsigned
settings_reload (struct settings *settings, const struct settings *from)
{
    struct settings wanted = *from;
    unsigned fixed = 0;
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        int64_t *now = number_of (settings, &NUMBERS[i]), then = *number_of (&wanted, &NUMBERS[i]);
        if (NUMBERS[i].is_reloadable)
            *now = then;
        else
            fixed += *now != then;
    }
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        fixed += !streq (text_of (settings, &TEXTS[i]), text_of (&wanted, &TEXTS[i]));
    return fixed;
}

void
settings_print (void)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        printf ("  %-21s %s (%s)\n", TEXTS[i].name, TEXTS[i].text, TEXTS[i].standard);
    for (unsigned i = 0; i < NUMBER_COUNT; i++)
        printf ("  %-21s %s (%lld; %lld to %lld)\n", NUMBERS[i].name, NUMBERS[i].text, (long long)NUMBERS[i].standard,
                (long long)NUMBERS[i].min, (long long)NUMBERS[i].max);
}
