/* follow.c - see follow.h.
 *
 * Events come by two ways: the feeds' messages, fast but perhaps lost, doubled or out of order, and pages that the
 * engine is asked for. Both are put behind one number, the position: an event is handed out when it is the next after
 * it, or when a page says that nothing of the topics asked for lies between. */
#include "follow.h"
#include "failure.h"

#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 50,
    RETRY_MS_MAX = 2000,
    /* A leader commits before it publishes, so that for a moment a tip may end before what was read. Not for so long. */
    TIPS_BELOW_MAX = 3,
    TIPS_STALE_MAX = 5,
};

int
follow_init (struct follow *follow, int64_t after, unsigned silence_ms, int64_t now_ms)
{
    *follow = (struct follow){ .silence_ms = silence_ms, .heard_ms = now_ms, .read_ms = now_ms };
    follow->arrived = calloc (FOLLOW_ARRIVED_MAX, sizeof *follow->arrived);
    if (follow->arrived == NULL)
        return -1;
    follow_resume (follow, after);
    return 0;
}

static struct arrival *
arrival_at (struct follow *follow, unsigned place)
{
    return &follow->arrived[(follow->first + place) % FOLLOW_ARRIVED_MAX];
}

/* Takes the first of those that arrived; its body is the caller's. */
static struct arrival
arrival_take (struct follow *follow)
{
    struct arrival arrival = *arrival_at (follow, 0);
    follow->first = (follow->first + 1) % FOLLOW_ARRIVED_MAX;
    follow->count--;
    follow->arrived_bytes -= arrival.size;
    return arrival;
}

static void
arrival_drop (struct follow *follow)
{
    free (arrival_take (follow).body);
}

void
follow_free (struct follow *follow)
{
    while (follow->count > 0)
        arrival_drop (follow);
    free (follow->current);
    free (follow->arrived);
}

void
follow_resume (struct follow *follow, int64_t after)
{
    while (follow->count > 0)
        arrival_drop (follow);
    follow->page = (struct loyalty_value){ 0 };
    follow->position = after;
    follow->newest = 0;
    follow->is_unsure = true;
    follow->failures = follow->tips_below = follow->tips_stale = 0;
    follow->read_ms = 0;
}

static bool
find_int (struct str body, const char *name, int64_t *number)
{
    struct loyalty_value value;
    if (!loyalty_find (body.data, body.size, name, &value) || value.type != LOYALTY_INT)
        return false;
    *number = value.integer;
    return true;
}

static bool
wants_topic (const struct follow *follow, struct str topic)
{
    for (unsigned i = 0; i < follow->topic_count; i++)
        if (strlen (follow->topics[i]) == topic.size && memcmp (follow->topics[i], topic.data, topic.size) == 0)
            return true;
    return follow->topic_count == 0;
}

/* The newest number that a leader has published. One of an older epoch was asleep, and knows nothing; if it goes on
 * and on, then it leads an engine that was restored. */
static bool
take_tip (struct follow *follow, struct str body)
{
    int64_t number, epoch;
    if (!find_int (body, "number", &number) || !find_int (body, "epoch", &epoch) || number < 0)
        return false;
    if (epoch < follow->epoch && ++follow->tips_stale < TIPS_STALE_MAX)
        return true;
    if (epoch != follow->epoch)
        follow->tips_below = 0;
    follow->tips_stale = 0;
    follow->epoch = epoch;
    follow->tip = number;
    if (number > follow->newest)
        follow->newest = number;
    if (number == follow->position)
        follow->is_unsure = false;
    follow->tips_below = number < follow->position ? follow->tips_below + 1 : 0;
    return true;
}

/* Puts an event among those that arrived, in its place; usually behind all. Beyond the bound those that come first are
 * dropped: they are read, and by then the others follow without a gap. */
static void
keep (struct follow *follow, const struct arrival *arrival)
{
    while (follow->count == FOLLOW_ARRIVED_MAX ||
           (follow->count > 0 && follow->arrived_bytes + arrival->size > FOLLOW_ARRIVED_BYTES_MAX)) {
        arrival_drop (follow);
        follow->stats.dropped++;
    }
    unsigned place = follow->count;
    for (; place > 0 && arrival_at (follow, place - 1)->number > arrival->number; place--)
        *arrival_at (follow, place) = *arrival_at (follow, place - 1);
    *arrival_at (follow, place) = *arrival;
    follow->count++;
    follow->arrived_bytes += arrival->size;
}

static bool
has_arrived (struct follow *follow, int64_t number)
{
    for (unsigned place = follow->count; place > 0; place--) {
        int64_t there = arrival_at (follow, place - 1)->number;
        if (there <= number)
            return there == number;
    }
    return false;
}

static bool
take_event (struct follow *follow, struct str topic, struct str body)
{
    struct arrival arrival = { 0 };
    if (topic.size == 0 || topic.size > FOLLOW_TOPIC_BYTES_MAX || !find_int (body, "number", &arrival.number) ||
        arrival.number < 1)
        return false;
    if (arrival.number > follow->newest)
        follow->newest = arrival.number;
    if (arrival.number <= follow->position || has_arrived (follow, arrival.number)) {
        follow->stats.repeated++;
        return true;
    }
    if (wants_topic (follow, topic)) {
        arrival.body = malloc (body.size);
        if (arrival.body == NULL) { /* as if it had not come: it is read later */
            follow->stats.dropped++;
            return true;
        }
        memcpy (arrival.body, body.data, body.size);
        arrival.size = body.size;
    }
    keep (follow, &arrival);
    return true;
}

void
follow_message (struct follow *follow, struct str topic, struct str body, int64_t now_ms)
{
    bool is_tip = topic.size == 3 && memcmp (topic.data, "tip", 3) == 0;
    follow->stats.received++;
    if (is_tip ? take_tip (follow, body) : take_event (follow, topic, body))
        follow->heard_ms = now_ms;
    else
        follow->stats.garbage++;
}

/* Fills in an event from its map. False: it is none. */
static bool
event_of (struct follow *follow, const char *body, size_t size, struct loyalty_event *event)
{
    struct loyalty_value topic;
    *event = (struct loyalty_event){ .topic = follow->topic, .body = body, .body_size = size };
    return size <= UINT32_MAX && find_int ((struct str){ body, (uint32_t)size }, "number", &event->number) &&
           loyalty_find (body, size, "topic", &topic) &&
           loyalty_value_text (&topic, follow->topic, sizeof follow->topic);
}

/* The next event of the page; at its end the position moves to where it reached. */
static bool
next_of_page (struct follow *follow, struct loyalty_event *event)
{
    struct loyalty_value item;
    while (follow->page.type == LOYALTY_LIST && loyalty_walk (&follow->page, &item)) {
        const char *end = loyalty_skip (&item);
        if (event_of (follow, item.start, (size_t)(end - item.start), event) && event->number > follow->position) {
            follow->position = event->number;
            return true;
        }
    }
    if (follow->page.type == LOYALTY_LIST && follow->page_after > follow->position)
        follow->position = follow->page_after;
    follow->page = (struct loyalty_value){ 0 };
    return false;
}

/* The next event of those that arrived, if it follows without a gap. */
static bool
next_arrived (struct follow *follow, struct loyalty_event *event)
{
    while (follow->position >= 0 && follow->count > 0 && arrival_at (follow, 0)->number <= follow->position + 1) {
        struct arrival arrival = arrival_take (follow);
        bool is_next = arrival.number == follow->position + 1;
        if (is_next)
            follow->position = arrival.number;
        if (is_next && arrival.body != NULL && event_of (follow, arrival.body, arrival.size, event)) {
            follow->current = arrival.body;
            return true;
        }
        free (arrival.body);
    }
    return false;
}

bool
follow_next (struct follow *follow, struct loyalty_event *event)
{
    free (follow->current);
    follow->current = NULL;
    if (!next_of_page (follow, event) && !next_arrived (follow, event))
        return false;
    follow->failures = 0;
    follow->stats.delivered++;
    return true;
}

bool
follow_has_gap (const struct follow *follow)
{
    return follow->position >= 0 && follow->newest > follow->position;
}

int64_t
follow_read_limit (const struct follow *follow)
{
    int64_t end = follow->count > 0 ? follow->arrived[follow->first].number - 1 : follow->newest;
    bool is_known = follow_has_gap (follow) && end > follow->position && end - follow->position < FOLLOW_PAGE_EVENTS;
    return is_known ? end - follow->position : FOLLOW_PAGE_EVENTS;
}

int64_t
follow_read_due_ms (const struct follow *follow)
{
    bool is_missing = follow->position < 0 || follow->is_unsure || follow_has_gap (follow);
    int64_t due_ms = is_missing ? 0 : follow->heard_ms + follow->silence_ms;
    return due_ms > follow->read_ms ? due_ms : follow->read_ms;
}

bool
follow_wants_read (const struct follow *follow, int64_t now_ms)
{
    return now_ms >= follow_read_due_ms (follow);
}

/* Not at once again: twice as long after every time that was of no use. */
void
follow_read_failed (struct follow *follow, int64_t now_ms)
{
    int64_t wait_ms = (int64_t)RETRY_MS << (follow->failures < 10 ? follow->failures : 10);
    follow->failures++;
    follow->read_ms = now_ms + (wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX);
}

int
follow_page (struct follow *follow, const void *result, size_t size, int64_t now_ms, struct loyalty_error *error)
{
    struct loyalty_value events;
    struct str bytes = { result, (uint32_t)size };
    int64_t after, last;
    if (!loyalty_find (result, size, "events", &events) || events.type != LOYALTY_LIST ||
        loyalty_skip (&events) == NULL || !find_int (bytes, "after", &after) || !find_int (bytes, "last", &last) ||
        after < 0) {
        follow_read_failed (follow, now_ms);
        return failure_set (error, LOYALTY_INTERNAL, "the answer to events.read has no events, after and last");
    }
    bool is_of_use = after > follow->position;
    follow->page = events;
    follow->page_after = after;
    if (last > follow->newest)
        follow->newest = last;
    follow->is_unsure = false;
    follow->heard_ms = now_ms;
    /* Nothing of what is missing: whoever answered does not have it yet. */
    if (is_of_use)
        follow->failures = 0;
    else if (follow_has_gap (follow))
        follow_read_failed (follow, now_ms);
    return 0;
}

bool
follow_is_ahead (const struct follow *follow)
{
    return follow->tips_below >= TIPS_BELOW_MAX;
}
