/* client.c - the life of a request: submitted, sent, perhaps sent again, answered or given up, told.
 *
 *     free -> ready -> sent -> done -> free            the usual way
 *             ready <- sent                            silence, or a lost connection
 *                      sent -> backoff -> ready        an answer that says: try again later
 *
 * A request keeps its id over all its attempts, so that a late answer to an early attempt counts too. */
#include "loyalty/client.h"
#include "connection.h"
#include "failure.h"
#include "slots.h"
#include "base/clock.h"
#include "wire/method.h"

#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT_MAX = 65536, RECEIVE_MAX = 4096 /* messages at a time, so that deadlines are looked at */ };

struct loyalty_client {
    struct connection connection;
    struct slots slots;
    unsigned timeout_ms, in_flight_max, silence_ms;
    unsigned in_flight;
    bool is_sent_away;   /* the broker told a request that another may serve it */
    unsigned told;       /* requests that got done in this poll */
    int64_t next_due_ms; /* no request has anything to do before */
    struct buf header;
    struct loyalty_stats stats;
};

void
loyalty_options_init (struct loyalty_options *options)
{
    *options = (struct loyalty_options){
        .timeout_ms = TTL_DEFAULT_MS,
        .in_flight_max = 1024,
        .silence_ms = 2000,
        .connect_ms = 500,
        .probe_ms = 250,
        .backoff_min_ms = 20,
        .backoff_max_ms = 1000,
    };
}

static int
check_options (const struct loyalty_options *options, struct loyalty_error *error)
{
    const struct {
        const char *name;
        unsigned value, max;
    } bounds[] = {
        { "timeout_ms", options->timeout_ms, TTL_MAX_MS },
        { "in_flight_max", options->in_flight_max, IN_FLIGHT_MAX },
        { "silence_ms", options->silence_ms, TTL_MAX_MS },
        { "connect_ms", options->connect_ms, TTL_MAX_MS },
        { "probe_ms", options->probe_ms, TTL_MAX_MS },
        { "backoff_min_ms", options->backoff_min_ms, TTL_MAX_MS },
        { "backoff_max_ms", options->backoff_max_ms, TTL_MAX_MS },
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (bounds[i].value < 1 || bounds[i].value > bounds[i].max)
            return failure_set (error, LOYALTY_INVALID_REQUEST, "%s must be from 1 to %u", bounds[i].name,
                                bounds[i].max);
    return 0;
}

struct loyalty_client *
loyalty_client_new (const struct loyalty_options *options, struct loyalty_error *error)
{
    if (check_options (options, error) != 0)
        return NULL;
    struct loyalty_client *client = calloc (1, sizeof *client);
    if (client == NULL) {
        failure_set (error, LOYALTY_INTERNAL, "out of memory");
        return NULL;
    }
    client->timeout_ms = options->timeout_ms;
    client->in_flight_max = options->in_flight_max;
    client->silence_ms = options->silence_ms;
    client->next_due_ms = INT64_MAX;
    /* One more than may be in flight: a callback may submit while its own request is still here. */
    if (slots_init (&client->slots, options->in_flight_max + 1) != 0)
        failure_set (error, LOYALTY_INTERNAL, "out of memory");
    else if (connection_init (&client->connection, options, error) == 0) {
        connection_update (&client->connection, clock_monotonic_ms (), false);
        return client;
    }
    loyalty_client_destroy (&client);
    return NULL;
}

void
loyalty_client_destroy (struct loyalty_client **client)
{
    if (*client == NULL)
        return;
    slots_free (&(*client)->slots);
    connection_free (&(*client)->connection);
    buf_free (&(*client)->header);
    free (*client);
    *client = NULL;
}

static void
wake_at (struct loyalty_client *client, int64_t due_ms)
{
    if (due_ms < client->next_due_ms)
        client->next_due_ms = due_ms;
}

/* Puts an attempt on the wire. False: there is no connection. The wait for its answer doubles with every one
 * that was not answered, so that an engine that is slow is not given ever more to do. */
static bool
send_attempt (struct loyalty_client *client, struct slot *slot, int64_t now_ms)
{
    /* Rounded down: the engine never believes that it has longer than the caller waits. */
    int64_t left_ms = slot->deadline_ms - now_ms - 1;
    const struct request_header header = {
        .version = PROTOCOL_VERSION,
        .id = slot->id,
        .method = str_of (slot->method),
        .key = str_of (slot->key),
        .ttl_ms = (uint32_t)(left_ms > 0 ? left_ms : 1),
        .affinity = slot->affinity,
        .traceparent = str_of (slot->traceparent),
    };
    buf_clear (&client->header);
    request_header_encode (&header, &client->header);
    struct str bytes = { (const char *)client->header.data, (uint32_t)client->header.size };
    if (client->header.failed || !connection_send (&client->connection, bytes, &slot->body))
        return false;
    client->stats.sent++;
    client->stats.resent += slot->attempts > 0;
    unsigned doublings = slot->silences < 16 ? slot->silences : 16;
    slot->attempts++;
    slot->error.code = LOYALTY_OK;
    slot->details = (struct str){ NULL, 0 };
    slot->due_ms = now_ms + ((int64_t)client->silence_ms << doublings);
    slots_move (&client->slots, slot, LIST_SENT);
    wake_at (client, slot->due_ms < slot->deadline_ms ? slot->due_ms : slot->deadline_ms);
    return true;
}

/* The key that goes into the header: the caller's; or a new one for methods that need one, and for those that
 * this version of the library does not know. */
static int
choose_key (struct slot *slot, const struct loyalty_request *request, struct loyalty_error *error)
{
    int method = method_by_name (str_of (slot->method));
    slot->key[0] = '\0';
    if (request->key != NULL)
        strcpy (slot->key, request->key);
    else if (method >= 0 && METHOD_TABLE[method].scope != SCOPE_OP)
        return 0;
    else if (loyalty_key_make (slot->key) != 0)
        return failure_set (error, LOYALTY_INTERNAL, "the system gave no random numbers for a key");
    return 0;
}

static int
check_request (const struct loyalty_request *request, struct loyalty_error *error)
{
    if (request->method == NULL || request->method[0] == '\0' || strlen (request->method) > METHOD_NAME_MAX)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "method: 1 to %d bytes", METHOD_NAME_MAX);
    if (request->key != NULL && (request->key[0] == '\0' || strlen (request->key) > WIRE_NAME_MAX))
        return failure_set (error, LOYALTY_INVALID_REQUEST, "key: 1 to %d bytes", WIRE_NAME_MAX);
    if (request->traceparent != NULL && strlen (request->traceparent) > TRACEPARENT_MAX)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "traceparent: at most %d bytes", TRACEPARENT_MAX);
    if (request->timeout_ms > TTL_MAX_MS)
        return failure_set (error, LOYALTY_INVALID_REQUEST, "timeout_ms: at most %d", TTL_MAX_MS);
    if (request->body != NULL && request->body_size > WIRE_BODY_MAX)
        return failure_set (error, LOYALTY_TOO_LARGE, "the body has %zu bytes, over %d", request->body_size,
                            WIRE_BODY_MAX);
    return 0;
}

/* Copies the request into a slot. */
static int
fill_slot (struct slot *slot, const struct loyalty_request *request, struct loyalty_error *error)
{
    static const uint8_t EMPTY_MAP[] = { 0x80 };
    struct str body = { request->body, (uint32_t)request->body_size };
    if (request->body == NULL || request->body_size == 0)
        body = (struct str){ (const char *)EMPTY_MAP, sizeof EMPTY_MAP };
    strcpy (slot->method, request->method);
    strcpy (slot->traceparent, request->traceparent != NULL ? request->traceparent : "");
    if (choose_key (slot, request, error) != 0)
        return -1;
    slot->affinity = request->affinity != 0 ? request->affinity : loyalty_affinity (body.data, body.size);
    if (message_copy_bytes (&slot->body, body) != 0) {
        zmq_msg_init (&slot->body);
        return failure_set (error, LOYALTY_INTERNAL, "out of memory");
    }
    return 0;
}

uint64_t
loyalty_submit (struct loyalty_client *client, const struct loyalty_request *request, loyalty_done *done, void *context,
                struct loyalty_error *error)
{
    if (check_request (request, error) != 0)
        return 0;
    struct slot *slot = client->in_flight < client->in_flight_max ? slots_take (&client->slots) : NULL;
    if (slot == NULL) {
        failure_set (error, LOYALTY_BUSY, "%u requests are in flight already", client->in_flight);
        return 0;
    }
    if (fill_slot (slot, request, error) != 0) {
        slots_release (&client->slots, slot);
        return 0;
    }
    slot->done = done;
    slot->context = context;
    slot->submitted_us = clock_monotonic_us ();
    slot->deadline_ms =
        (slot->submitted_us + 999) / 1000 + (request->timeout_ms > 0 ? request->timeout_ms : client->timeout_ms);
    slots_move (&client->slots, slot, LIST_READY);
    wake_at (client, slot->deadline_ms);
    client->in_flight++;
    client->stats.submitted++;
    /* Behind those that wait already, if any do. */
    if (slots_first (&client->slots, LIST_READY) == slot)
        send_attempt (client, slot, slot->submitted_us / 1000);
    return slot->id;
}

static void
reply_of_slot (const struct slot *slot, struct loyalty_reply *reply)
{
    *reply = (struct loyalty_reply){
        .handle = slot->id,
        .context = slot->context,
        .ok = slot->ok,
        .result = slot->result.data,
        .result_size = slot->result.size,
        .details = slot->details.data,
        .details_size = slot->details.size,
        .key = slot->key,
        .attempts = slot->attempts,
        .elapsed_us = clock_monotonic_us () - slot->submitted_us,
    };
    if (!slot->ok)
        reply->error = slot->error;
}

/* Tells those that are done: by callback, or by queueing them for loyalty_next. */
static void
tell_done (struct loyalty_client *client)
{
    struct slot *slot;
    while ((slot = slots_first (&client->slots, LIST_DONE)) != NULL) {
        client->told++;
        *(slot->ok ? &client->stats.succeeded : &client->stats.failed) += 1;
        if (slot->done == NULL) {
            slots_move (&client->slots, slot, LIST_QUEUED);
            continue;
        }
        struct loyalty_reply reply;
        slots_move (&client->slots, slot, LIST_TELLING);
        client->in_flight--;
        reply_of_slot (slot, &reply);
        slot->done (&reply);
        slots_release (&client->slots, slot);
    }
}

/* The attempt failed in a way that passes: later again, unless the deadline comes first. */
static void
try_later (struct loyalty_client *client, struct slot *slot, int64_t now_ms)
{
    int64_t wait_ms = connection_backoff_ms (&client->connection, slot->attempts - 1);
    int64_t asked_ms = slot->error.retry_after_ms < TTL_MAX_MS ? slot->error.retry_after_ms : TTL_MAX_MS;
    /* Jitter on top of what the engine asks for, so that all who were refused do not come back at once. */
    bool goes_elsewhere = slot->error.elsewhere && client->connection.settings.endpoint_count > 1;
    if (asked_ms > 0 && !goes_elsewhere)
        wait_ms = asked_ms + (int64_t)connection_random (&client->connection, (uint64_t)asked_ms / 2 + 1);
    slot->due_ms = now_ms + wait_ms;
    if (slot->due_ms >= slot->deadline_ms) {
        slots_move (&client->slots, slot, LIST_DONE);
        return;
    }
    slots_move (&client->slots, slot, LIST_BACKOFF);
    wake_at (client, slot->due_ms);
}

/* A reply body for a request: ends it, or sends it back to wait. */
static void
take_reply (struct loyalty_client *client, struct slot *slot, zmq_msg_t *body, int64_t now_ms)
{
    zmq_msg_move (&slot->reply, body);
    slot->ok = failure_read_reply (message_bytes (&slot->reply), &slot->result, &slot->details, &slot->error);
    client->is_sent_away |= !slot->ok && slot->error.elsewhere;
    if (slot->ok || !slot->error.elsewhere)
        connection_served (&client->connection);
    if (slot->ok) {
        slots_move (&client->slots, slot, LIST_DONE);
        return;
    }
    enum loyalty_code code = slot->error.code;
    slot->outcome_unknown |= code == LOYALTY_UNAVAILABLE || code == LOYALTY_WORKER_LOST || slot->error.outcome_unknown;
    slot->error.outcome_unknown = slot->outcome_unknown;
    if (code == LOYALTY_BUSY || code == LOYALTY_UNAVAILABLE || code == LOYALTY_WORKER_LOST)
        try_later (client, slot, now_ms);
    else
        slots_move (&client->slots, slot, LIST_DONE);
}

static void
receive_all (struct loyalty_client *client, int64_t now_ms)
{
    struct frames frames;
    for (unsigned i = 0; i < RECEIVE_MAX && connection_receive (&client->connection, &frames); i++) {
        uint64_t id = 0;
        struct slot *slot = NULL;
        if (frames.count != 2 || reply_header_decode (frame_bytes (&frames, 0), &id, NULL) != 0) {
            client->stats.garbage++;
        } else if (id != CONNECTION_PING_ID) {
            slot = slots_by_id (&client->slots, id);
            /* An answer to an early attempt also counts while the request waits to be sent again. */
            if (slot == NULL || slot->attempts == 0 || slot->list > LIST_BACKOFF)
                client->stats.late++;
            else
                take_reply (client, slot, &frames.at[1], now_ms);
        }
        frames_close (&frames);
        tell_done (client);
    }
}

/* All that was sent through a socket that is gone has to be sent again. That is no silence about any one of them. */
static void
resend_all (struct loyalty_client *client)
{
    struct slot *slot;
    while ((slot = slots_first (&client->slots, LIST_SENT)) != NULL) {
        slot->outcome_unknown = true;
        slots_move (&client->slots, slot, LIST_READY);
    }
}

/* What a request that has run out of time is answered with. */
static void
expire (struct loyalty_client *client, struct slot *slot)
{
    const char *endpoint = loyalty_client_endpoint (client), *why = connection_trouble (&client->connection);
    const char *then = why[0] != '\0' ? "; " : "";
    bool is_refused = connection_is_refused (&client->connection);
    slot->outcome_unknown |= slot->list == LIST_SENT;
    if (slot->attempts == 0)
        failure_set (&slot->error, is_refused ? LOYALTY_UNAUTHENTICATED : LOYALTY_UNAVAILABLE,
                     "no broker was reached in time (last tried: %s%s%s)", endpoint, then, why);
    else if (slot->error.code == LOYALTY_OK)
        failure_set (&slot->error, LOYALTY_UNAVAILABLE, "no answer in time (sent %u times, at last to %s%s%s)",
                     slot->attempts, endpoint, then, why);
    slot->error.outcome_unknown = slot->outcome_unknown;
    slots_move (&client->slots, slot, LIST_DONE);
}

/* Looks at one list for what is due, and notes when the next is. */
static void
look_at_list (struct loyalty_client *client, enum list_name list, int64_t now_ms)
{
    for (struct slot *slot = slots_first (&client->slots, list), *next; slot != NULL; slot = next) {
        next = slots_next (&client->slots, slot);
        if (now_ms >= slot->deadline_ms) {
            expire (client, slot);
        } else if (list != LIST_READY && now_ms >= slot->due_ms) {
            if (list == LIST_SENT) {
                slot->outcome_unknown = true;
                slot->silences++;
            }
            slots_move (&client->slots, slot, LIST_READY);
        } else {
            wake_at (client, slot->deadline_ms);
            if (list != LIST_READY)
                wake_at (client, slot->due_ms);
        }
    }
}

static void
look_at_deadlines (struct loyalty_client *client, int64_t now_ms)
{
    client->next_due_ms = INT64_MAX;
    look_at_list (client, LIST_SENT, now_ms);
    look_at_list (client, LIST_BACKOFF, now_ms);
    look_at_list (client, LIST_READY, now_ms); /* those that became ready just now too */
}

/* Nobody lets this client in: what was never sent is answered at once, since waiting does not help. */
static void
refuse_unsent (struct loyalty_client *client)
{
    for (struct slot *slot = slots_first (&client->slots, LIST_READY), *next; slot != NULL; slot = next) {
        next = slots_next (&client->slots, slot);
        if (slot->attempts == 0)
            expire (client, slot);
    }
}

static void
look_at_connection (struct loyalty_client *client, int64_t now_ms)
{
    struct connection *connection = &client->connection;
    bool is_waiting = client->slots.lists[LIST_SENT].count > 0;
    enum connection_event event = connection_update (connection, now_ms, is_waiting);
    bool is_lost = event == CONNECTION_LOST;
    if (event == CONNECTION_REFUSED)
        refuse_unsent (client);
    if (client->is_sent_away && !is_lost && connection->settings.endpoint_count > 1) {
        connection_give_up (connection, now_ms);
        is_lost = true;
    }
    client->is_sent_away = false;
    if (is_lost)
        resend_all (client);
}

/* One round: connection, deadlines, sending, receiving, telling. */
static void
work (struct loyalty_client *client, int64_t now_ms)
{
    receive_all (client, now_ms);
    look_at_connection (client, now_ms);
    if (now_ms >= client->next_due_ms)
        look_at_deadlines (client, now_ms);
    struct slot *slot;
    while (client->connection.state == CONNECTION_UP && (slot = slots_first (&client->slots, LIST_READY)) != NULL)
        if (!send_attempt (client, slot, now_ms))
            break;
    tell_done (client);
}

/* How long nothing but a message can happen, at most until `until_ms`. */
static int64_t
quiet_ms (const struct loyalty_client *client, int64_t now_ms, int64_t until_ms)
{
    int64_t due_ms = client->next_due_ms < until_ms ? client->next_due_ms : until_ms;
    if (client->connection.state != CONNECTION_UP && client->connection.due_ms < due_ms)
        due_ms = client->connection.due_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static bool
nothing_under_way (const struct loyalty_client *client)
{
    return client->in_flight == client->slots.lists[LIST_QUEUED].count;
}

unsigned
loyalty_poll (struct loyalty_client *client, int timeout_ms)
{
    int64_t now_ms = clock_monotonic_ms ();
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : now_ms + timeout_ms;
    client->told = 0;
    for (;;) {
        work (client, now_ms);
        if (client->told > 0 || now_ms >= until_ms || (timeout_ms < 0 && nothing_under_way (client)))
            return client->told;
        connection_wait (&client->connection, quiet_ms (client, now_ms, until_ms));
        now_ms = clock_monotonic_ms ();
    }
}

/* A copy of an answer that outlives its slot: key, result and details in one block. */
static void
copy_reply (const struct loyalty_reply *from, struct loyalty_reply *to)
{
    size_t key_size = strlen (from->key) + 1;
    *to = *from;
    to->memory = malloc (key_size + from->result_size + from->details_size);
    if (to->memory == NULL) {
        *to = (struct loyalty_reply){ .handle = from->handle, .context = from->context, .key = "" };
        failure_set (&to->error, LOYALTY_INTERNAL, "out of memory for the answer");
        to->error.outcome_unknown = true;
        return;
    }
    char *key = to->memory, *result = key + key_size, *details = result + from->result_size;
    to->key = memcpy (key, from->key, key_size);
    if (from->result != NULL)
        to->result = memcpy (result, from->result, from->result_size);
    if (from->details != NULL)
        to->details = memcpy (details, from->details, from->details_size);
}

int
loyalty_next (struct loyalty_client *client, int timeout_ms, struct loyalty_reply *reply)
{
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms () + timeout_ms;
    struct slot *slot;
    for (;;) {
        slot = slots_first (&client->slots, LIST_QUEUED);
        if (slot != NULL)
            break;
        int64_t left_ms = until_ms - clock_monotonic_ms ();
        if (timeout_ms < 0 && client->in_flight == 0)
            return 0;
        loyalty_poll (client, timeout_ms < 0 ? -1 : (int)(left_ms > 0 ? left_ms : 0));
        if (left_ms <= 0 && slots_first (&client->slots, LIST_QUEUED) == NULL)
            return 0;
    }
    struct loyalty_reply borrowed;
    reply_of_slot (slot, &borrowed);
    copy_reply (&borrowed, reply);
    client->in_flight--;
    slots_release (&client->slots, slot);
    return 1;
}

struct call {
    bool finished;
    struct loyalty_reply *reply;
};

static void
end_call (const struct loyalty_reply *reply)
{
    struct call *call = reply->context;
    call->finished = true;
    copy_reply (reply, call->reply);
    call->reply->context = NULL;
}

int
loyalty_call (struct loyalty_client *client, const struct loyalty_request *request, struct loyalty_reply *reply)
{
    struct call call = { .reply = reply };
    *reply = (struct loyalty_reply){ .key = "" };
    if (loyalty_submit (client, request, end_call, &call, &reply->error) == 0)
        return -1;
    while (!call.finished)
        loyalty_poll (client, -1);
    return reply->ok ? 0 : -1;
}

void
loyalty_reply_free (struct loyalty_reply *reply)
{
    free (reply->memory);
    *reply = (struct loyalty_reply){ .key = "" };
}

int
loyalty_forget (struct loyalty_client *client, uint64_t handle)
{
    struct slot *slot = slots_by_id (&client->slots, handle);
    if (slot == NULL || slot->list == LIST_TELLING)
        return -1;
    client->in_flight--;
    slots_release (&client->slots, slot);
    return 0;
}

unsigned
loyalty_in_flight (const struct loyalty_client *client)
{
    return client->in_flight;
}

void
loyalty_client_stats (const struct loyalty_client *client, struct loyalty_stats *stats)
{
    *stats = client->stats;
    stats->connects = client->connection.opened;
    stats->connected = client->connection.connected;
    stats->probes = client->connection.probes;
}

const char *
loyalty_client_endpoint (const struct loyalty_client *client)
{
    return client->connection.settings.endpoints[client->connection.endpoint];
}
