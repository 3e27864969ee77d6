/* main.c - loyalty-feed: gives every committed event its number and publishes it. */
#include "base/log.h"
#include "feed/feed.h"
#include "store/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static void
print_help (void)
{
    printf ("loyalty-feed: gives every committed event its number and publishes it\n\n"
            "usage: loyalty-feed [options]\n");
    feed_settings_print ();
    printf (
        "  --config FILE              settings, one `name = value` a line; what the command line says is stronger\n"
        "  --insecure                 bind where other machines reach it, although there are no keys\n"
        "  --help, --version\n\n"
        "One feed leads, the others stand by. Prints `ready ENDPOINT` when it is bound. SIGTERM lets another lead.\n");
}

static int
usage (const char *text)
{
    fprintf (stderr, "loyalty-feed: %s\n", text);
    return EXIT_USAGE;
}

/* The file that --config names; the last of them counts. NULL: none. */
static const char *
config_of (int argc, char **argv)
{
    const char *file = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp (argv[i], "--config=", strlen ("--config=")) == 0)
            file = argv[i] + strlen ("--config=");
        else if (strcmp (argv[i], "--config") == 0 && i + 1 < argc)
            file = argv[++i];
    }
    return file;
}

/* Sets what `--name value` or `--name=value` says at argv[*at], and goes on to the last argument that was used. */
static int
read_option (struct feed_settings *settings, char **argv, int *at, struct error *err)
{
    char name[64];
    const char *option = argv[*at], *equals = strchr (option, '=');
    size_t size = equals == NULL ? strlen (option) : (size_t)(equals - option);
    if (strncmp (option, "--", 2) != 0 || size - 2 >= sizeof name)
        return error_set (err, ERROR_INVALID_REQUEST, "\"%.60s\" is no option; see --help", option);
    snprintf (name, sizeof name, "%.*s", (int)size - 2, option + 2);
    if (strcmp (name, "insecure") == 0 && equals == NULL) {
        settings->insecure = true;
        return 0;
    }
    const char *value = equals != NULL ? equals + 1 : argv[*at + 1];
    if (value == NULL)
        return error_set (err, ERROR_INVALID_REQUEST, "--%s needs a value", name);
    if (strcmp (name, "database") == 0 && pg_url_shows_password (value))
        return error_set (err, ERROR_INVALID_REQUEST, PG_PASSWORD_HINT);
    *at += equals == NULL;
    if (strcmp (name, "config") == 0)
        return 0; /* it was read before */
    if (strcmp (name, "database") == 0 && pg_url_shows_password (value))
        return error_set (err, ERROR_INVALID_REQUEST, "%s", PG_PASSWORD_HINT);
    return feed_settings_set (settings, name, value, err);
}

int
main (int argc, char **argv)
{
    static struct feed_settings settings;
    struct error err;
    feed_settings_default (&settings);
    const char *database = getenv ("LOYALTY_DATABASE");
    if (database != NULL && feed_settings_set (&settings, "database", database, &err) < 0)
        return usage (err.message);
    const char *config = config_of (argc, argv);
    if (config != NULL && feed_settings_load (&settings, config, &err) < 0)
        return usage (err.message);
    for (int i = 1; i < argc && argv[i] != NULL; i++) {
        if (strcmp (argv[i], "--help") == 0) {
            print_help ();
            return EXIT_SUCCESS;
        }
        if (strcmp (argv[i], "--version") == 0) {
            puts ("loyalty-feed " LOYALTY_VERSION);
            return EXIT_SUCCESS;
        }
        if (read_option (&settings, argv, &i, &err) < 0)
            return usage (err.message);
    }
    if (settings.database[0] == '\0')
        return usage ("needs --database; see --help");
    if (log_level_by_name (settings.log) < 0)
        return usage ("--log is error, warning, info or debug");

    log_open ("loyalty-feed", (enum log_level)log_level_by_name (settings.log));
    struct feed *feed = feed_new (&settings, &err);
    if (feed == NULL) {
        fprintf (stderr, "loyalty-feed: %s\n", err.message);
        return EXIT_FAILURE;
    }
    printf ("ready %s\n", feed_endpoint (feed));
    fflush (stdout);
    int result = feed_run (feed, &err);
    if (result != 0)
        log_error ("%s", err.message);
    feed_destroy (&feed);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
