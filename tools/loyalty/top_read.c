/* top_read.c - see top_read.h. */
#include "top_read.h"
#include "base/clock.h"
#include "loyalty/json.h"
#include "net/certificate.h"
#include "net/socket.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { FEEDS_MAX = 16 };

struct top_reader {
    void *context, *feed; /* feed NULL: no feed is known */
    unsigned broker_count;
    struct {
        char *endpoint;
        struct loyalty_client *client;
        uint64_t handle; /* of the question under way; 0: none */
    } brokers[BROKERS_MAX];
    json_t *feed_endpoints, *tip; /* tip NULL: none came so far */
    int64_t heard_ms;
};

/* Asks one broker, and no other in its place: a client of its own. */
static int
broker_open (struct top_reader *reader, const struct loyalty_options *settings, const char *endpoint, struct error *err)
{
    const char *endpoints[] = { endpoint };
    struct loyalty_options options = *settings;
    struct loyalty_error failure;
    unsigned place = reader->broker_count;
    if (place == BROKERS_MAX)
        return error_set (err, ERROR_INVALID_REQUEST, "more than %d brokers", BROKERS_MAX);
    options.endpoints = endpoints;
    options.endpoint_count = 1;
    options.in_flight_max = 4;
    options.zmq_context = reader->context;
    reader->brokers[place].endpoint = strdup (endpoint);
    reader->brokers[place].client = loyalty_client_new (&options, &failure);
    reader->broker_count++;
    if (reader->brokers[place].endpoint == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory");
    if (reader->brokers[place].client == NULL)
        return error_set (err, error_code_by_name (failure.name), "%s", failure.message);
    return 0;
}

static int
brokers_open (struct top_reader *reader, struct loyalty_options *settings, char *endpoints, struct error *err)
{
    char *rest = NULL;
    for (char *one = strtok_r (endpoints, ",", &rest); one != NULL; one = strtok_r (NULL, ",", &rest))
        if (broker_open (reader, settings, one, err) < 0)
            return -1;
    return 0;
}

static int
set_keys (void *socket, const char *key_file, struct error *err)
{
    struct certificate keys;
    if (key_file == NULL)
        return 0;
    int status = certificate_load (&keys, key_file, err);
    if (status == 0)
        status = socket_set_keys (socket, &keys, err);
    certificate_wipe (&keys);
    return status;
}

/* Hears tips only: what happens is for others to follow. */
static int
feed_open (struct top_reader *reader, const struct loyalty_options *settings, const char *feeds, struct error *err)
{
    char *rest = NULL, *text = strdup (feeds);
    int status = text != NULL ? 0 : error_set (err, ERROR_INTERNAL, "out of memory");
    if (status == 0 && text[0] != '\0') {
        reader->feed = socket_open (reader->context, SOCKET_SUBSCRIBER, 0, err);
        status = reader->feed != NULL ? set_keys (reader->feed, settings->key_file, err) : -1;
        if (status == 0 && zmq_setsockopt (reader->feed, ZMQ_SUBSCRIBE, "tip", 3) != 0)
            status = error_set (err, ERROR_INTERNAL, "cannot subscribe to the feeds");
    }
    for (char *one = status == 0 ? strtok_r (text, ",", &rest) : NULL; one != NULL && status == 0;
         one = strtok_r (NULL, ",", &rest)) {
        json_array_append_new (reader->feed_endpoints, json_string (one));
        status = json_array_size (reader->feed_endpoints) > FEEDS_MAX
                     ? error_set (err, ERROR_INVALID_REQUEST, "more than %d feeds", FEEDS_MAX)
                     : socket_connect (reader->feed, one, err);
    }
    free (text);
    return status;
}

struct top_reader *
top_reader_new (const struct connect_options *options, const char *feeds, struct error *err)
{
    struct top_reader *reader = calloc (1, sizeof *reader);
    if (reader == NULL) {
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    struct connect_endpoints endpoints;
    struct loyalty_options settings;
    reader->feed_endpoints = json_array ();
    reader->context = socket_context_new (1, err);
    if (reader->context != NULL && connect_settings (options, &endpoints, &settings, err) == 0 &&
        brokers_open (reader, &settings, endpoints.text, err) == 0 && feed_open (reader, &settings, feeds, err) == 0)
        return reader;
    top_reader_destroy (&reader);
    return NULL;
}

void
top_reader_destroy (struct top_reader **reader)
{
    if (*reader == NULL)
        return;
    for (unsigned i = 0; i < (*reader)->broker_count; i++) {
        loyalty_client_destroy (&(*reader)->brokers[i].client);
        free ((*reader)->brokers[i].endpoint);
    }
    socket_close (&(*reader)->feed);
    if ((*reader)->context != NULL)
        zmq_ctx_term ((*reader)->context);
    json_decref ((*reader)->feed_endpoints);
    json_decref ((*reader)->tip);
    free (*reader);
    *reader = NULL;
}

/* Takes the tips that came. A leader of an older epoch was asleep: its tip is none. */
static void
take_tips (struct top_reader *reader)
{
    struct frames frames;
    while (reader->feed != NULL && frames_receive (reader->feed, &frames) == 1) {
        struct loyalty_error failure;
        struct str body = frame_bytes (&frames, 1);
        json_t *tip = loyalty_json_decode (body.data, body.size, &failure);
        if (json_is_object (tip) && json_integer_value (json_object_get (tip, "epoch")) >=
                                        json_integer_value (json_object_get (reader->tip, "epoch"))) {
            json_decref (reader->tip);
            reader->tip = json_incref (tip);
            reader->heard_ms = clock_monotonic_ms ();
        }
        json_decref (tip);
        frames_close (&frames);
    }
}

bool
top_reader_has_tip (const struct top_reader *reader)
{
    return reader->feed == NULL || reader->tip != NULL;
}

void
top_reader_wait (struct top_reader *reader, int64_t wait_ms)
{
    if (reader->feed == NULL) {
        poll (NULL, 0, (int)wait_ms);
        return;
    }
    zmq_pollitem_t item = { .socket = reader->feed, .events = ZMQ_POLLIN };
    zmq_poll (&item, 1, (long)wait_ms);
    take_tips (reader);
}

static json_t *
broker_error (const struct loyalty_error *failure)
{
    return json_pack ("{s:{s:s, s:s}}", "error", "code", failure->name, "message", failure->message);
}

/* What a broker answered within the time that is left. */
static json_t *
broker_answer (struct top_reader *reader, unsigned place, int64_t until_ms)
{
    struct loyalty_reply reply;
    struct loyalty_error failure;
    int64_t left_ms = until_ms - clock_monotonic_ms ();
    json_t *broker = NULL, *stats = NULL;
    if (loyalty_next (reader->brokers[place].client, left_ms > 0 ? (int)left_ms : 0, &reply) == 0) {
        loyalty_forget (reader->brokers[place].client, reader->brokers[place].handle);
        return json_pack ("{s:{s:s, s:s}}", "error", "code", "unavailable", "message", "no answer in time");
    }
    failure = reply.error;
    if (reply.ok)
        stats = loyalty_json_decode (reply.result, reply.result_size, &failure);
    broker = stats != NULL ? json_pack ("{s:o}", "stats", stats) : broker_error (&failure);
    loyalty_reply_free (&reply);
    return broker;
}

/* Asks all at once, so that one that is away costs its time only once. */
static json_t *
brokers_look (struct top_reader *reader, int64_t patience_ms)
{
    int64_t until_ms = clock_monotonic_ms () + patience_ms;
    json_t *brokers = json_array ();
    struct loyalty_request request = { .method = "admin.stats", .timeout_ms = (unsigned)patience_ms };
    struct loyalty_error failure;
    for (unsigned i = 0; i < reader->broker_count; i++)
        reader->brokers[i].handle = loyalty_submit (reader->brokers[i].client, &request, NULL, NULL, &failure);
    for (unsigned i = 0; i < reader->broker_count; i++) {
        json_t *broker = reader->brokers[i].handle != 0 ? broker_answer (reader, i, until_ms) : broker_error (&failure);
        json_object_set_new (broker, "endpoint", json_string (reader->brokers[i].endpoint));
        json_array_append_new (brokers, broker);
    }
    return brokers;
}

json_t *
top_look (struct top_reader *reader, int64_t patience_ms)
{
    json_t *brokers = brokers_look (reader, patience_ms), *feed = json_object ();
    take_tips (reader);
    json_object_set (feed, "endpoints", reader->feed_endpoints);
    if (reader->tip != NULL) {
        json_object_set (feed, "tip", reader->tip);
        json_object_set_new (feed, "heard_ms", json_integer (clock_monotonic_ms () - reader->heard_ms));
    }
    return json_pack ("{s:I, s:o, s:o}", "at_ms", (json_int_t)clock_monotonic_ms (), "brokers", brokers, "feed", feed);
}
