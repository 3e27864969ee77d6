/* fuzz_settings.c - any bytes as the broker's configuration file: each setting keeps its bounds, and what is wrong is said. */
#include "broker/settings.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

static void
check_bounds (const struct settings *settings)
{
#define X(name, standard, min, max, reloadable, text) require (settings->name >= (min) && settings->name <= (max));
    NUMBER_SETTINGS (X)
#undef X
#define X(name, ...) require (memchr (settings->name, '\0', sizeof settings->name) != NULL);
    TEXT_SETTINGS (X)
#undef X
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    struct settings settings, running;
    struct error failure = { 0 };
    char path[64];
    int file = memfd_create ("settings", 0);
    require (file >= 0 && write (file, data, size) == (ssize_t)size);
    snprintf (path, sizeof path, "/proc/self/fd/%d", file);
    settings_default (&settings);
    settings_default (&running);
    if (settings_load (&settings, path, &failure) == 0)
        settings_reload (&running, &settings);
    else
        require (failure.message[0] != '\0');
    check_bounds (&settings);
    check_bounds (&running);
    close (file);
    return 0;
}
