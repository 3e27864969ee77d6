/* envelope.h - the header frame of requests and the frames of replies (docs/protocol.md, "Frames").
 *
 * Client to broker, after ZeroMQ's routing frames:  header | body
 * Broker to client:                                 header | body
 * A request's header is a MessagePack map {v, id, method, key?, ttl_ms?, affinity?, traceparent?}; a reply's
 * is {v, id}. A reply's body is {ok: true, result: {…}} or {ok: false, error: {code, message, details, retryable}}. */
#ifndef WIRE_ENVELOPE_H
#define WIRE_ENVELOPE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROTOCOL_VERSION = 1, TTL_DEFAULT_MS = 5000, TTL_MAX_MS = 600000, TRACEPARENT_MAX = 55 };

struct request_header {
    unsigned version;
    uint64_t id;            /* chosen by the client, echoed */
    struct str method;      /* borrowed from the frame */
    struct str key;         /* empty when absent */
    uint32_t ttl_ms;        /* 1 .. TTL_MAX_MS; TTL_DEFAULT_MS when absent */
    uint64_t affinity;      /* a hint, 0 when absent */
    struct str traceparent; /* empty when absent */
};

/* Decodes a header frame; unknown fields are skipped (a newer client may send some). -1: `err` says
 * what is wrong; header->id is still filled when it could be read (0 else). */
int request_header_decode (struct str frame, struct request_header *header, struct error *err);
/* Appends the frame's bytes; empty strings and zeros are left out, but for the id; version 0 stands
 * for PROTOCOL_VERSION. */
void request_header_encode (const struct request_header *header, struct buf *out);

int reply_header_decode (struct str frame, uint64_t *id, struct error *err);
void reply_header_encode (uint64_t id, struct buf *out);

/* Appends a reply body for a failure. `retry_after_ms` > 0 goes into details as an integer. Text that is not
 * UTF-8 (a message cut within a character) is made so. */
void reply_error_encode (const struct error *err, int64_t retry_after_ms, struct buf *out);

/* Reads a reply body: *ok, and `result` (the bytes of its MessagePack map) or `failure` with
 * `retry_after_ms` (0 when it says none). -1: not a reply. Details of a failure other than strings are left
 * out; a code that this version does not know becomes ERROR_INTERNAL. */
int reply_body_decode (struct str frame, bool *ok, struct str *result, struct error *failure,
                       int64_t *retry_after_ms, struct error *err);

#endif
