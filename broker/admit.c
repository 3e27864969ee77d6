/* admit.c - a client's message, from its bytes to its place in the queue: what is wrong with it, who may ask for it,
 * and whether it can be served in time. */
#include "broker/state.h"

#include <string.h>

/* Its form. -1: `failure` says what is wrong; header->id is filled when it could be read. */
static int
check_form (const struct client_message *message, struct request_header *header, struct error *failure)
{
    if (message->header.size > WIRE_HEADER_MAX)
        return error_field (failure, ERROR_TOO_LARGE, "header", "%u bytes; at most %d", message->header.size,
                            WIRE_HEADER_MAX);
    if (message->frame_count == 0)
        return error_set (failure, ERROR_INVALID_REQUEST, "a request is two frames, a header and a body; none came");
    if (request_header_decode (message->header, header, failure) != 0)
        return -1;
    if (message->frame_count != 2)
        return error_set (failure, ERROR_INVALID_REQUEST, "a request is two frames, a header and a body; %u came",
                          message->frame_count);
    if (message->body_size > WIRE_BODY_MAX)
        return error_field (failure, ERROR_TOO_LARGE, "body", "%u bytes; at most %d", message->body_size,
                            WIRE_BODY_MAX);
    return 0;
}

/* Its method, and whether the client may use it; NULL with `failure`. */
static const struct method *
check_method (const struct client_message *message, const struct request_header *header, struct error *failure)
{
    if (message->is_unknown) {
        error_set (failure, ERROR_UNAUTHENTICATED, "your key is not listed, or was revoked");
        return NULL;
    }
    int id = method_by_name (header->method);
    if (id < 0) {
        error_field (failure, ERROR_INVALID_REQUEST, "method", "there is no method \"%.*s\"",
                     (int)(header->method.size < 64 ? header->method.size : 64), header->method.data);
        return NULL;
    }
    const struct method *method = &METHOD_TABLE[id];
    if ((message->roles & method->roles) == 0) {
        error_set (failure, ERROR_FORBIDDEN, "your roles do not allow %s", method->name);
        return NULL;
    }
    return method;
}

/* Whether there is room for it beside those of all others. -1: busy. */
static int
check_room (const struct core *core, const struct client_message *message, struct error *failure)
{
    const struct settings *settings = &core->settings;
    uint64_t bytes_max = (uint64_t)settings->request_mib_max << 20;
    if ((int64_t)core->queued + core->in_flight >= settings->requests_max)
        return error_set (failure, ERROR_BUSY, "%u requests are waiting or in work, which is the bound",
                          core->queued + core->in_flight);
    if (core->bytes + message->header.size + message->body_size > bytes_max)
        return error_set (failure, ERROR_BUSY, "the requests waiting or in work take the %lld MiB they may",
                          (long long)settings->request_mib_max);
    return 0;
}

/* What another broker may well do at once: clients go there by `reason`. Returns -1. */
static int
refuse_here (struct error *failure, enum error_code code, const char *reason, const char *text)
{
    error_set (failure, code, "%s", text);
    return error_detail (failure, "reason", "%s", reason);
}

/* Whether it can be served before its deadline. -1: unavailable or busy. */
static int
check_time (const struct core *core, const struct account *account, const struct request_header *header,
            struct error *failure)
{
    if (core->no_worker_us != INT64_MAX) {
        if (core->now_us - core->no_worker_us >= us_of_ms (core->settings.unavailable_after_ms))
            return refuse_here (failure, ERROR_UNAVAILABLE, "no_worker", "no worker is connected");
        return 0;
    }
    int64_t wait_ms = rate_wait_ms (core, account->queued);
    if (wait_ms > header->ttl_ms)
        return error_set (failure, ERROR_BUSY, "the queue would take %lld ms, and the deadline is in %u ms",
                          (long long)wait_ms, header->ttl_ms);
    return 0;
}

/* Everything that can be refused is refused here, before anything is changed. *retry_ms: when to try again. */
static int
check_admission (struct core *core, struct account *account, const struct client_message *message,
                 const struct request_header *header, struct error *failure, int64_t *retry_ms)
{
    /* What it sends counts, whatever comes of it. */
    if (account_check (core, account, message, failure, retry_ms) != 0)
        return -1;
    *retry_ms = rate_retry_ms (core, account->queued);
    if (check_time (core, account, header, failure) != 0)
        return -1;
    return check_room (core, message, failure);
}

/* -1: no memory; nothing is changed then, and the frames are still the caller's. */
static int
enqueue (struct core *core, struct client *client, const struct client_message *message,
         const struct request_header *header, struct error *failure)
{
    struct request *request = message->frames != NULL ? request_new (core, client, message) : NULL;
    if (request == NULL)
        return error_set (failure, ERROR_BUSY, "no memory for another request");
    request->id = header->id;
    request->affinity = header->affinity;
    request->arrived_us = core->now_us;
    request->deadline_us = core->now_us + us_of_ms (header->ttl_ms);
    client->received++;
    request_wait (core, request, false);
    return 0;
}

/* A well-formed and allowed request. True: the message's frames are kept. */
static bool
admit_request (struct core *core, const struct client_message *message, const struct request_header *header)
{
    struct error failure;
    struct client *client = NULL;
    int64_t retry_ms = rate_retry_ms (core, 0);
    if (core->is_draining)
        refuse_here (&failure, ERROR_BUSY, "draining", "the broker is about to stop");
    else if ((client = client_of (core, message->peer, message->user)) == NULL)
        error_set (&failure, ERROR_BUSY, "as many clients are connected as may be");
    if (client != NULL) {
        account_active (core, client->account);
        if (check_admission (core, client->account, message, header, &failure, &retry_ms) == 0 &&
            enqueue (core, client, message, header, &failure) == 0)
            return true;
    }
    enum sent sent = reply_failure (core, message->peer, header->id, &failure, retry_ms);
    if (client != NULL && sent == SENT_GONE) {
        client->is_gone = true;
        client_settle (core, client, false);
    }
    return false;
}

/* True: the message's frames are kept. */
static bool
admit (struct core *core, const struct client_message *message)
{
    struct request_header header = { 0 };
    struct error failure;
    const struct method *method = NULL;

    if (check_form (message, &header, &failure) == 0)
        method = check_method (message, &header, &failure);
    if (method == NULL) {
        reply_failure (core, message->peer, header.id, &failure, 0);
        return false;
    }
    if (method->target == TARGET_BROKER) {
        own_answer (core, message, &header, method);
        return false;
    }
    return admit_request (core, message, &header);
}

void
core_client_message (struct core *core, int64_t now_us, const struct client_message *message)
{
    core_advance (core, now_us);
    core->counters.received++;
    if (admit (core, message))
        dispatch_all (core);
    else if (message->frames != NULL)
        core->output.release (core->output.context, message->frames);
}
