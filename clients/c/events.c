/* events.c - loyalty/events.h: the feeds' socket and a client of its own, which move bytes in and out of `follow`. */
#include "loyalty/events.h"
#include "curve.h"
#include "failure.h"
#include "follow.h"
#include "loyalty/body.h"
#include "base/clock.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEEDS_MAX = 16,
    SILENCE_MS_MAX = 600000,
    MESSAGES_AT_ONCE = 1000,  /* so that deadlines are looked at */
    WAIT_READING_MS_MAX = 10, /* the feeds are looked at so often while an answer is waited for */
    WAIT_MS_MAX = 60000,
};

struct loyalty_events {
    struct follow follow;
    struct loyalty_client *client;
    void *context, *socket; /* socket NULL: there are no feeds */
    bool owns_context;
    uint64_t handle;            /* of the read under way; 0: none */
    struct loyalty_reply reply; /* whose page is being handed out */
    struct loyalty_body *body;
    struct loyalty_error trouble; /* what keeps events from being read; code LOYALTY_OK: nothing */
    int64_t oldest;
};

void
loyalty_events_options_init (struct loyalty_events_options *options)
{
    static const char *const FEEDS[] = { LOYALTY_FEED_DEFAULT };
    *options = (struct loyalty_events_options){
        .after = LOYALTY_EVENTS_NEW,
        .feeds = FEEDS,
        .feed_count = 1,
        .silence_ms = 2000,
    };
}

static int
check_options (const struct loyalty_events_options *options, struct loyalty_error *error)
{
    if (options->after < LOYALTY_EVENTS_NEW)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "after must be 0 or more, or LOYALTY_EVENTS_NEW");
    if (options->silence_ms < 1 || options->silence_ms > SILENCE_MS_MAX)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "silence_ms must be from 1 to %d", SILENCE_MS_MAX);
    if (options->topic_count > FOLLOW_TOPICS_MAX)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "topics: at most %d", FOLLOW_TOPICS_MAX);
    for (unsigned i = 0; i < options->topic_count; i++)
        if (options->topics[i] == NULL || options->topics[i][0] == '\0' ||
            strlen (options->topics[i]) > FOLLOW_TOPIC_BYTES_MAX)
            return failure_set (error, LOYALTY_INVALID_REQUEST, "topics: each has 1 to %d bytes",
                                FOLLOW_TOPIC_BYTES_MAX);
    return 0;
}

/* Connects to each of the endpoints in a text, with commas. */
static int
connect_feeds (void *socket, const char *text, unsigned *count, struct loyalty_error *error)
{
    char endpoint[SOCKET_ENDPOINT_MAX];
    struct error err;
    for (const char *at = text; at != NULL;) {
        size_t size = strcspn (at, ",");
        if (++*count > FEEDS_MAX)
            return failure_set (error, LOYALTY_INVALID_REQUEST, "feeds: at most %d", FEEDS_MAX);
        if (size < sizeof endpoint)
            snprintf (endpoint, sizeof endpoint, "%.*s", (int)size, at);
        if (size >= sizeof endpoint || strstr (endpoint, "://") == NULL)
            return failure_set (error, LOYALTY_INVALID_REQUEST,
                                "feeds: each must be like tcp://HOST:PORT or ipc://PATH");
        if (socket_connect (socket, endpoint, &err) != 0)
            return failure_set (error, LOYALTY_INVALID_REQUEST, "feeds: %s", err.message);
        at = at[size] == ',' ? at + size + 1 : NULL;
    }
    return 0;
}

/* One socket for all feeds: only one of them publishes at a time. Everything is subscribed to, as one who takes only
 * some topics could not see that numbers are missing. */
static int
open_feeds (struct loyalty_events *events, const struct loyalty_options *client,
            const struct loyalty_events_options *options, struct loyalty_error *error)
{
    struct certificate keys;
    struct error err = { 0 };
    if (options->feed_count == 0)
        return 0;
    if (curve_keys_copy (&keys, client, options->feed_key, error) != 0)
        return -1;
    events->socket = socket_open (events->context, SOCKET_SUBSCRIBER, 0, &err);
    bool is_set = events->socket != NULL && curve_keys_set (events->socket, &keys, &err) == 0 &&
                  zmq_setsockopt (events->socket, ZMQ_SUBSCRIBE, "", 0) == 0;
    certificate_wipe (&keys);
    if (!is_set)
        return failure_set (error, LOYALTY_INTERNAL, "cannot open the feeds' socket: %s",
                            err.code != ERROR_NONE ? err.message : zmq_strerror (errno));
    unsigned count = 0;
    for (unsigned i = 0; i < options->feed_count; i++)
        if (connect_feeds (events->socket, options->feeds[i] != NULL ? options->feeds[i] : "", &count, error) != 0)
            return -1;
    return 0;
}

static int
open_client (struct loyalty_events *events, const struct loyalty_options *client, struct loyalty_error *error)
{
    struct loyalty_options options = *client;
    struct error err;
    events->owns_context = client->zmq_context == NULL;
    events->context = events->owns_context ? socket_context_new (1, &err) : client->zmq_context;
    if (events->context == NULL)
        return failure_set (error, LOYALTY_INTERNAL, "%s", err.message);
    options.zmq_context = events->context;
    options.in_flight_max = 1;
    events->client = loyalty_client_new (&options, error);
    return events->client != NULL ? 0 : -1;
}

struct loyalty_events *
loyalty_events_new (const struct loyalty_options *client, const struct loyalty_events_options *options,
                    struct loyalty_error *error)
{
    if (check_options (options, error) != 0)
        return NULL;
    struct loyalty_events *events = calloc (1, sizeof *events);
    if (events == NULL ||
        follow_init (&events->follow, options->after, options->silence_ms, clock_monotonic_ms ()) != 0 ||
        (events->body = loyalty_body_new ()) == NULL) {
        failure_set (error, LOYALTY_INTERNAL, "out of memory");
    } else {
        events->follow.topic_count = options->topic_count;
        for (unsigned i = 0; i < options->topic_count; i++)
            strcpy (events->follow.topics[i], options->topics[i]);
        if (open_client (events, client, error) == 0 && open_feeds (events, client, options, error) == 0)
            return events;
    }
    loyalty_events_destroy (&events);
    return NULL;
}

void
loyalty_events_destroy (struct loyalty_events **events)
{
    if (*events == NULL)
        return;
    follow_free (&(*events)->follow);
    loyalty_reply_free (&(*events)->reply);
    loyalty_body_destroy (&(*events)->body);
    loyalty_client_destroy (&(*events)->client);
    socket_close (&(*events)->socket);
    if ((*events)->owns_context && (*events)->context != NULL)
        zmq_ctx_term ((*events)->context);
    free (*events);
    *events = NULL;
}

static void
take_messages (struct loyalty_events *events, int64_t now_ms)
{
    struct frames frames;
    for (unsigned i = 0; i < MESSAGES_AT_ONCE && events->socket != NULL; i++) {
        if (frames_receive (events->socket, &frames) != 1)
            return;
        follow_message (&events->follow, frame_bytes (&frames, 0), frame_bytes (&frames, 1), now_ms);
        frames_close (&frames);
    }
}

/* Asks the engine, if it is time. -1: `error` filled. */
static int
begin_read (struct loyalty_events *events, int64_t now_ms, struct loyalty_error *error)
{
    const struct follow *follow = &events->follow;
    size_t size;
    if (events->handle != 0 || !follow_wants_read (follow, now_ms))
        return 0;
    loyalty_body_clear (events->body);
    if (follow->position >= 0)
        loyalty_body_int (events->body, "after", follow->position);
    loyalty_body_int (events->body, "limit", follow_read_limit (follow));
    if (follow->topic_count > 0) {
        loyalty_body_list (events->body, "topics");
        for (unsigned i = 0; i < follow->topic_count; i++)
            loyalty_body_string (events->body, NULL, follow->topics[i]);
        loyalty_body_end (events->body);
    }
    struct loyalty_request request = { .method = "events.read", .body = loyalty_body_bytes (events->body, &size) };
    if (request.body == NULL)
        return failure_set (error, LOYALTY_INTERNAL, "out of memory");
    request.body_size = size;
    events->follow.stats.reads++;
    events->follow.stats.gaps += follow_has_gap (follow);
    events->handle = loyalty_submit (events->client, &request, NULL, NULL, error);
    return events->handle != 0 ? 0 : -1;
}

/* Whether a failure is one that the caller can do nothing about but wait. */
static bool
passes (enum loyalty_code code)
{
    return code == LOYALTY_UNAVAILABLE || code == LOYALTY_BUSY || code == LOYALTY_WORKER_LOST ||
           code == LOYALTY_EXPIRED_DEADLINE;
}

static void
note_oldest (struct loyalty_events *events)
{
    struct loyalty_value value;
    char text[32];
    /* A number, or its digits: details of errors are texts. */
    if (loyalty_find (events->reply.details, events->reply.details_size, "oldest", &value) &&
        loyalty_value_text (&value, text, sizeof text))
        events->oldest = strtoll (text, NULL, 10);
}

/* What became of the read. -1: it failed in a way that does not pass; `error` filled. */
static int
end_read (struct loyalty_events *events, int64_t now_ms, struct loyalty_error *error)
{
    events->handle = 0;
    events->trouble.code = LOYALTY_OK;
    if (events->reply.ok)
        return follow_page (&events->follow, events->reply.result, events->reply.result_size, now_ms, error);
    if (passes (events->reply.error.code)) {
        events->trouble = events->reply.error;
        follow_read_failed (&events->follow, now_ms);
        return 0;
    }
    if (events->reply.error.code == LOYALTY_TOO_OLD)
        note_oldest (events);
    *error = events->reply.error;
    return -1;
}

/* Waits for an answer, else for a message, at most so long. -1: `error` filled. */
static int
wait_for_more (struct loyalty_events *events, int64_t now_ms, int64_t until_ms, struct loyalty_error *error)
{
    int64_t wait_ms = until_ms - now_ms;
    if (events->handle != 0) {
        wait_ms = wait_ms < WAIT_READING_MS_MAX ? wait_ms : WAIT_READING_MS_MAX;
        loyalty_reply_free (&events->reply);
        if (loyalty_next (events->client, wait_ms > 0 ? (int)wait_ms : 0, &events->reply) == 0)
            return 0;
        return end_read (events, clock_monotonic_ms (), error);
    }
    int64_t due_ms = follow_read_due_ms (&events->follow) - now_ms;
    wait_ms = wait_ms < due_ms ? wait_ms : due_ms;
    wait_ms = wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
    if (wait_ms <= 0)
        return 0;
    if (events->socket == NULL) {
        poll (NULL, 0, (int)wait_ms);
        return 0;
    }
    zmq_pollitem_t item = { .socket = events->socket, .events = ZMQ_POLLIN };
    zmq_poll (&item, 1, (long)wait_ms);
    return 0;
}

int
loyalty_events_next (struct loyalty_events *events, int timeout_ms, struct loyalty_event *event,
                     struct loyalty_error *error)
{
    int64_t now_ms = clock_monotonic_ms ();
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : now_ms + timeout_ms;
    *error = (struct loyalty_error){ .code = LOYALTY_OK };
    for (bool is_over = false; !is_over; is_over = now_ms >= until_ms) {
        take_messages (events, now_ms);
        if (follow_next (&events->follow, event))
            return 1;
        if (follow_is_ahead (&events->follow))
            return failure_set (error, LOYALTY_CONFLICT,
                                "the feed ends at %lld, before %lld: it is another engine, or one that was restored",
                                (long long)events->follow.tip, (long long)events->follow.position);
        if (begin_read (events, now_ms, error) != 0 || wait_for_more (events, now_ms, until_ms, error) != 0)
            return -1;
        now_ms = clock_monotonic_ms ();
    }
    *error = events->trouble;
    return 0;
}

int64_t
loyalty_events_position (const struct loyalty_events *events)
{
    return events->follow.position;
}

int64_t
loyalty_events_newest (const struct loyalty_events *events)
{
    return events->follow.newest;
}

int64_t
loyalty_events_oldest (const struct loyalty_events *events)
{
    return events->oldest;
}

void
loyalty_events_resume (struct loyalty_events *events, int64_t after)
{
    if (events->handle != 0)
        loyalty_forget (events->client, events->handle);
    events->handle = 0;
    events->trouble.code = LOYALTY_OK;
    loyalty_reply_free (&events->reply);
    follow_resume (&events->follow, after);
}

void
loyalty_events_stats (const struct loyalty_events *events, struct loyalty_events_stats *stats)
{
    *stats = events->follow.stats;
}
