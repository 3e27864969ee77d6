/* topic.c - see topic.h. */
#include "base/topic.h"

#include <stddef.h>
#include <string.h>

static const char *const NAMES[TOPIC_LAST + 1] = {
#define X(id, number, name, meaning) [number] = name,
    TOPICS (X)
#undef X
};

const char *
topic_name (unsigned topic)
{
    return topic <= TOPIC_LAST ? NAMES[topic] : NULL;
}

unsigned
topic_by_name (const char *name, unsigned size)
{
    for (unsigned topic = 1; topic <= TOPIC_LAST; topic++)
        if (strlen (NAMES[topic]) == size && memcmp (NAMES[topic], name, size) == 0)
            return topic;
    return 0;
}
