/* top_read.h - one look at an engine: what each of its brokers tells (admin.stats), and the feed's last tip. */
#ifndef LOYALTY_TOP_READ_H
#define LOYALTY_TOP_READ_H

#include "connect.h"

#include <jansson.h>

struct top_reader;

/* Reads from the engine of the options, and from these feeds (with commas; empty: none is known). NULL with `err`. */
struct top_reader *top_reader_new (const struct connect_options *options, const char *feeds, struct error *err);
void top_reader_destroy (struct top_reader **reader);

/* Looks, waiting for answers `patience_ms` at most, a new reference:
 *   at_ms    milliseconds by a clock that only this process knows
 *   brokers  [{endpoint, stats}], or {endpoint, error: {code, message}} of one that did not answer
 *   feed     {endpoints, heard_ms: how long ago the last tip came, tip}; without heard_ms and tip: none came so far */
json_t *top_look (struct top_reader *reader, int64_t patience_ms);

/* Lets pass at most so long, hearing the feed meanwhile. */
void top_reader_wait (struct top_reader *reader, int64_t wait_ms);
/* Whether it is known of the feed what can be known: a tip came, or there is no feed. */
bool top_reader_has_tip (const struct top_reader *reader);

#endif
