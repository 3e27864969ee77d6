/* broker_settings_test.c - the settings' table: defaults, bounds, the file, what may change while running. */
#include "broker/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
load (struct settings *settings, const char *text, struct error *err)
{
    char path[] = "/tmp/broker-settings-XXXXXX";
    int fd = mkstemp (path);
    cr_assert_geq (fd, 0);
    cr_assert_eq (write (fd, text, strlen (text)), (ssize_t)strlen (text));
    close (fd);
    int result = settings_load (settings, path, err);
    unlink (path);
    return result;
}

Test (broker_settings, every_default_is_within_its_bounds)
{
    struct settings settings;
    struct error err;
    char value[32];
    settings_default (&settings);
#define X(name, standard, min, max, reloadable, text) \
    snprintf (value, sizeof value, "%lld", (long long)settings.name); \
    cr_expect_eq (settings_set (&settings, #name, value, &err), 0, "%s", err.message); \
    snprintf (value, sizeof value, "%lld", (long long)(min)-1); \
    cr_expect_eq (settings_set (&settings, #name, value, &err), -1, #name " below"); \
    snprintf (value, sizeof value, "%lld", (long long)(max) + 1); \
    cr_expect_eq (settings_set (&settings, #name, value, &err), -1, #name " above"); \
    cr_expect_eq (settings.name, standard, #name " changed");
    NUMBER_SETTINGS (X)
#undef X
}

Test (broker_settings, what_is_no_number_is_refused)
{
    struct settings settings;
    struct error err;
    settings_default (&settings);
    static const char *const WRONG[] = { "", "x", "10x", "1.5", "99999999999999999999" };
    for (unsigned i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        cr_expect_eq (settings_set (&settings, "clients_max", WRONG[i], &err), -1, "\"%s\"", WRONG[i]);
        cr_expect_eq (err.code, ERROR_INVALID_REQUEST);
    }
    cr_expect_eq (settings_set (&settings, "no_such_thing", "1", &err), -1);
    cr_expect_not_null (strstr (err.message, "no_such_thing"));
    cr_expect_eq (settings_set (&settings, "listen", "", &err), -1);
    char too_long[SETTING_TEXT_MAX + 1];
    memset (too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    cr_expect_eq (settings_set (&settings, "listen", too_long, &err), -1);
}

Test (broker_settings, a_file_sets_what_it_names)
{
    struct settings settings;
    struct error err;
    settings_default (&settings);
    cr_assert_eq (load (&settings, "# for tests\nlisten = \"tcp://127.0.0.1:*\"\nclients_max = 12\n", &err), 0, "%s",
                  err.message);
    cr_expect_str_eq (settings.listen, "tcp://127.0.0.1:*");
    cr_expect_eq (settings.clients_max, 12);
    cr_expect_eq (settings.requests_max, 20000);
}

Test (broker_settings, a_file_with_a_mistake_is_refused)
{
    struct settings settings;
    struct error err;
    settings_default (&settings);
    cr_expect_eq (load (&settings, "clients_max = many\n", &err), -1);
    cr_expect_eq (load (&settings, "cleints_max = 5\n", &err), -1);
    cr_expect_not_null (strstr (err.message, "cleints_max"), "%s", err.message);
    cr_expect_eq (load (&settings, "broker\n    clients_max = 5\n", &err), -1);
    cr_expect_eq (settings_load (&settings, "/nonexistent/file", &err), -1);
}

Test (broker_settings, only_what_may_changes_while_running)
{
    struct settings settings, wanted;
    settings_default (&settings);
    settings_default (&wanted);
    wanted.clients_max = 5;
    cr_expect_eq (settings_reload (&settings, &wanted), 0);
    cr_expect_eq (settings.clients_max, 5);
    wanted.io_threads = 4;
    strcpy (wanted.listen, "ipc:///tmp/elsewhere");
    cr_expect_eq (settings_reload (&settings, &wanted), 2, "two that need a restart");
    cr_expect_eq (settings.io_threads, 1);
    cr_expect_str_eq (settings.listen, "tcp://127.0.0.1:5755");
}
