/* feed_settings_test.c - the feed's settings, and how much it moves at a time. */
#include "feed/sequencer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test (feed_settings, every_default_is_within_its_bounds)
{
    static struct feed_settings settings;
    struct error err;
    char value[32];
    feed_settings_default (&settings);
#define X(name, standard, min, max, text) \
    snprintf (value, sizeof value, "%lld", (long long)settings.name); \
    cr_expect_eq (feed_settings_set (&settings, #name, value, &err), 0, "%s", err.message); \
    snprintf (value, sizeof value, "%lld", (long long)(min)-1); \
    cr_expect_eq (feed_settings_set (&settings, #name, value, &err), -1, #name " below"); \
    snprintf (value, sizeof value, "%lld", (long long)(max) + 1); \
    cr_expect_eq (feed_settings_set (&settings, #name, value, &err), -1, #name " above"); \
    cr_expect_eq (settings.name, standard, #name " changed");
    FEED_NUMBERS (X)
#undef X
}

Test (feed_settings, options_are_named_with_dashes_or_underscores)
{
    static struct feed_settings settings;
    struct error err;
    feed_settings_default (&settings);
    cr_expect_eq (feed_settings_set (&settings, "move-every-ms", "25", &err), 0);
    cr_expect_eq (settings.move_every_ms, 25);
    cr_expect_eq (feed_settings_set (&settings, "move_every_ms", "26", &err), 0);
    cr_expect_eq (settings.move_every_ms, 26);
    cr_expect_eq (feed_settings_set (&settings, "listen", "ipc:///run/feed", &err), 0);
    cr_expect_str_eq (settings.listen, "ipc:///run/feed");
}

Test (feed_settings, what_is_none_is_refused)
{
    static struct feed_settings settings;
    struct error err;
    feed_settings_default (&settings);
    cr_expect_eq (feed_settings_set (&settings, "move-every", "25", &err), -1);
    cr_expect_eq (err.code, ERROR_INVALID_REQUEST);
    cr_expect_eq (feed_settings_set (&settings, "move-every-ms-", "25", &err), -1);
    cr_expect_eq (feed_settings_set (&settings, "listen", "", &err), -1);
    cr_expect_eq (feed_settings_set (&settings, "lease-ms", "1000x", &err), -1);
    cr_expect_eq (feed_settings_set (&settings, "lease-ms", "", &err), -1);
    cr_expect_eq (settings.lease_ms, 1000);
}

Test (feed_settings, a_file_sets_what_it_names)
{
    static struct feed_settings settings;
    struct error err;
    char path[] = "/tmp/feed-settings-XXXXXX";
    static const char TEXT[] = "# a comment\nmove_every_ms = 25\nlisten = \"ipc:///run/feed\"\n";
    int fd = mkstemp (path);
    cr_assert_geq (fd, 0);
    cr_assert_eq (write (fd, TEXT, sizeof TEXT - 1), (ssize_t)sizeof TEXT - 1);
    feed_settings_default (&settings);
    cr_expect_eq (feed_settings_load (&settings, path, &err), 0, "%s", err.message);
    cr_expect_eq (settings.move_every_ms, 25);
    cr_expect_str_eq (settings.listen, "ipc:///run/feed");
    cr_expect_eq (settings.lease_ms, 1000);
    cr_assert_eq (write (fd, "lease_ms = 1\n", 13), 13);
    cr_expect_eq (feed_settings_load (&settings, path, &err), -1);
    cr_expect (strstr (err.message, "lease_ms") != NULL, "%s", err.message);
    close (fd);
    unlink (path);
    cr_expect_eq (feed_settings_load (&settings, path, &err), -1);
}

/* What was not full took all there was: the next takes whatever there is. */
Test (feed_moves, a_move_that_was_not_full_ends_the_catching_up)
{
    cr_expect_eq (sequencer_next_at_most (2000, 1999, 5, 2000), 0);
    cr_expect_eq (sequencer_next_at_most (2000, 0, 500, 2000), 0);
    cr_expect_eq (sequencer_next_at_most (0, 5000, 500, 2000), 0);
}

Test (feed_moves, a_full_one_goes_on_as_it_was)
{
    cr_expect_eq (sequencer_next_at_most (2000, 2000, 30, 2000), 2000);
    cr_expect_eq (sequencer_next_at_most (2000, 6000, 200, 2000), 2000);
}

/* A slow one read past much that waits: twice as much the next time, within a bound, and back once it is quick. */
Test (feed_moves, the_more_waits_the_more_is_taken)
{
    int64_t at_most = 2000;
    for (int i = 0; i < 20; i++) {
        int64_t next = sequencer_next_at_most (at_most, at_most, 1000, 2000);
        cr_expect (next == at_most * 2 || (next == at_most && at_most >= 131072), "%lld after %lld", (long long)next,
                   (long long)at_most);
        at_most = next;
    }
    cr_expect_lt (at_most, 300000);
    cr_expect_eq (sequencer_next_at_most (at_most, at_most, 100, 2000), at_most / 2);
    cr_expect_eq (sequencer_next_at_most (2000, 2000, 100, 2000), 2000);
}
