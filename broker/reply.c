/* reply.c - what clients are told: a worker's answer passed on unread, or a failure of the broker's own. */
#include "broker/state.h"

#include <stdarg.h>
#include <stdio.h>

static struct str
bytes_of (const struct buf *buf)
{
    return (struct str){ (const char *)buf->data, (uint32_t)buf->size };
}

static enum sent
send_reply (struct core *core, uint64_t peer, uint64_t id, struct str body, void *passed)
{
    buf_clear (&core->header);
    reply_header_encode (id, &core->header);
    enum sent sent = core->output.to_client (core->output.context, peer, bytes_of (&core->header), body, passed);
    if (sent != SENT)
        core->counters.replies_dropped++;
    return sent;
}

static enum sent
send_failure (struct core *core, uint64_t peer, uint64_t id, const struct error *failure, int64_t retry_ms)
{
    buf_clear (&core->body);
    reply_error_encode (failure, retry_ms, &core->body);
    core->errors[failure->code]++;
    return send_reply (core, peer, id, bytes_of (&core->body), NULL);
}

enum sent
reply_failure (struct core *core, uint64_t peer, uint64_t id, const struct error *failure, int64_t retry_ms)
{
    return send_failure (core, peer, id, failure, retry_ms);
}

void
reply_result (struct core *core, uint64_t peer, uint64_t id)
{
    send_reply (core, peer, id, bytes_of (&core->body), NULL);
}

/* The reply is under way: the request goes, and its client too when there is nobody any more. */
static void
finish (struct core *core, struct request *request, enum sent sent)
{
    stats_latency (core, core->now_us - request->arrived_us);
    if (sent == SENT_GONE)
        request->client->is_gone = true;
    request_free (core, request);
}

void
request_answer (struct core *core, struct request *request, struct str body, void *passed)
{
    finish (core, request, send_reply (core, request->client->peer, request->id, body, passed));
}

void
request_refuse (struct core *core, struct request *request, const struct error *failure, int64_t retry_ms)
{
    finish (core, request, send_failure (core, request->client->peer, request->id, failure, retry_ms));
}

void
request_fail (struct core *core, struct request *request, enum error_code code, int64_t retry_ms, const char *format,
              ...)
{
    char text[200];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    struct error failure;
    error_set (&failure, code, "%s", text);
    request_refuse (core, request, &failure, retry_ms);
}
