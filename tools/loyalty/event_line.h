/* event_line.h - an event as one line that a person reads. */
#ifndef LOYALTY_EVENT_LINE_H
#define LOYALTY_EVENT_LINE_H

#include <jansson.h>
#include <stdio.h>

/* Number, time and topic, whom and what it is about, and its figures; no line feed. */
void event_line (const json_t *event, FILE *out);

#endif
