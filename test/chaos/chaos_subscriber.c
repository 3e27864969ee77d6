/* chaos_subscriber.c - follows the feed and writes down what it sees, a line for each event; started again, it goes on from the
 * last whole line.
 *
 *     chaos-subscriber LOG BROKER,... FEED,...
 *
 * A line: number, topic, digest of the event's bytes, what it is about (order_id, else reason, else -), amount_total (or -), and of
 * each card CARD:CHANGE:BALANCE:DEBT, divided by commas (or -); all divided by tabs. */
#include "loyalty/events.h"
#include "loyalty/value.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENDPOINTS_MAX = 8, DIGEST_BYTES = 16, TEXT_SIZE = 80, TAIL_BYTES = 65536 };

struct endpoints {
    const char *at[ENDPOINTS_MAX];
    unsigned count;
};

static void
endpoints_split (char *text, struct endpoints *endpoints)
{
    for (char *one; (one = strsep (&text, ",")) != NULL && endpoints->count < ENDPOINTS_MAX;)
        endpoints->at[endpoints->count++] = one;
}

/* The number of the last whole line; what stands behind that is cut off. 0: none. */
static long long
last_number (FILE *log)
{
    static char tail[TAIL_BYTES];
    fseek (log, 0, SEEK_END);
    long size = ftell (log), from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
    fseek (log, from, SEEK_SET);
    long count = (long)fread (tail, 1, sizeof tail, log);
    while (count > 0 && tail[count - 1] != '\n')
        count--;
    if (ftruncate (fileno (log), from + count) != 0)
        return -1;
    fseek (log, 0, SEEK_END);
    if (count == 0)
        return 0;
    long line = count - 1;
    while (line > 0 && tail[line - 1] != '\n')
        line--;
    return strtoll (tail + line, NULL, 10);
}

/* The text of a value of the event; "-" where it has none. */
static const char *
text_at (const void *bytes, size_t size, const char *path, char text[TEXT_SIZE])
{
    struct loyalty_value value;
    if (!loyalty_find (bytes, size, path, &value) || !loyalty_value_text (&value, text, TEXT_SIZE))
        snprintf (text, TEXT_SIZE, "-");
    return text;
}

static void
write_card (FILE *log, const char *bytes, size_t size, const char *change, bool first)
{
    char card[TEXT_SIZE], moved[TEXT_SIZE], balance[TEXT_SIZE], debt[TEXT_SIZE];
    fprintf (log, "%s%s:%s:%s:%s", first ? "" : ",", text_at (bytes, size, "card_id", card),
             text_at (bytes, size, change, moved), text_at (bytes, size, "balance", balance),
             text_at (bytes, size, "debt", debt));
}

/* The cards that were made, or that it moved points on: those of `points` of an order, or the one that the event is about. */
static void
write_cards (FILE *log, const struct loyalty_event *event)
{
    struct loyalty_value points, card;
    const char *list = strcmp (event->topic, "card.created") == 0 ? "cards" : "points";
    if (!loyalty_find (event->body, event->body_size, list, &points)) {
        fputc ('-', log);
        return;
    }
    if (points.type != LOYALTY_LIST) {
        write_card (log, event->body, event->body_size, "points", true);
        return;
    }
    if (points.size == 0)
        fputc ('-', log);
    const char *change = strncmp (event->topic, "order.", 6) == 0 ? "change" : "points";
    for (bool first = true; loyalty_walk (&points, &card); first = false)
        write_card (log, card.start, (size_t)(card.limit - card.start), change, first);
}

static void
write_event (FILE *log, const struct loyalty_event *event)
{
    unsigned char digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1], about[TEXT_SIZE], amount[TEXT_SIZE];
    crypto_generichash (digest, sizeof digest, event->body, event->body_size, NULL, 0);
    sodium_bin2hex (hex, sizeof hex, digest, sizeof digest);
    text_at (event->body, event->body_size, "order_id", about);
    if (strcmp (about, "-") == 0)
        text_at (event->body, event->body_size, "reason", about);
    fprintf (log, "%lld\t%s\t%s\t%s\t%s\t", (long long)event->number, event->topic, hex, about,
             text_at (event->body, event->body_size, "amount_total", amount));
    write_cards (log, event);
    fputc ('\n', log);
}

static int
follow (struct loyalty_events *events, FILE *log)
{
    for (;;) {
        struct loyalty_event event;
        struct loyalty_error error;
        int status = loyalty_events_next (events, 0, &event, &error);
        if (status == 0) {
            fflush (log); /* Written out while nothing comes, and in blocks while much does. */
            status = loyalty_events_next (events, 200, &event, &error);
        }
        if (status == 1)
            write_event (log, &event);
        else if (status < 0) {
            fprintf (stderr, "chaos-subscriber: %s: %s\n", error.name, error.message);
            return 1;
        }
    }
}

int
main (int argc, char **argv)
{
    struct endpoints brokers = { 0 }, feeds = { 0 };
    struct loyalty_options client;
    struct loyalty_events_options options;
    struct loyalty_error error;
    if (argc != 4 || sodium_init () < 0) {
        fprintf (stderr, "usage: chaos-subscriber LOG BROKER,... FEED,...\n");
        return 2;
    }
    FILE *log = fopen (argv[1], "a+e");
    if (log == NULL)
        return 1;
    endpoints_split (argv[2], &brokers);
    endpoints_split (argv[3], &feeds);
    loyalty_options_init (&client);
    client.endpoints = brokers.at;
    client.endpoint_count = brokers.count;
    loyalty_events_options_init (&options);
    options.feeds = feeds.at;
    options.feed_count = feeds.count;
    options.after = last_number (log);
    struct loyalty_events *events = options.after >= 0 ? loyalty_events_new (&client, &options, &error) : NULL;
    int code = events != NULL ? follow (events, log) : 1;
    loyalty_events_destroy (&events);
    fclose (log);
    return code;
}
