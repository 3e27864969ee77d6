/* worker_protocol.h - the control frame of the worker protocol (docs/protocol-workers.md), shared by both sides.
 *
 * A message between broker and worker is a control frame and the payload frames of its kind. The control
 * frame is a MessagePack array [version, kind, session, …]; what follows is listed in WORKER_MESSAGES, in
 * the order of enum worker_field. More elements than a reader knows are skipped.
 *
 * Each side speaks a range of versions. A worker says its own in hello (the newest as the message's version, the oldest
 * as its last field), the broker takes the newest that both speak, and the session's messages have that one. What hello and
 * reset begin with is the same in all versions, so that those who do not understand each other can say so. */
#ifndef NET_WORKER_PROTOCOL_H
#define NET_WORKER_PROTOCOL_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WORKER_PROTOCOL_VERSION = 1,         /* the newest that is spoken here */
    WORKER_PROTOCOL_COMPATIBLE_FROM = 1, /* the oldest */
    WORKER_CONTROL_BYTES_MAX = 256,
    WORKER_NAME_BYTES_MAX = 64,  /* of a worker, of a user */
    WORKER_STATS_BYTES_MAX = 4096,
    WORKER_STATS_DEPTH_MAX = 4,
    WORKER_CREDIT_MAX = 4096,    /* requests that one worker may have in hand */
};

enum worker_field {
    FIELD_GRANTED = 1,       /* total credit granted since the session began, the first grant included */
    FIELD_DISPATCH = 2,      /* the broker's number of a dispatch */
    FIELD_TTL_MS = 4,        /* what is left of the request's time */
    FIELD_ROLES = 8,         /* of the client: bits of enum role */
    FIELD_HEARTBEAT_MS = 16, /* send something at least this often */
    FIELD_TIMEOUT_MS = 32,   /* silence after which the other side counts as dead */
    FIELD_REASON = 64,       /* enum reset_reason */
    FIELD_TEXT = 128,        /* the worker's name, or the client's user: UTF-8 */
    FIELD_COMPATIBLE = 256,  /* the oldest version that the worker speaks; without it, that of the message */
};

/* X (identifier, kind on the wire, name, sent by a worker, fields, payload frames at least, at most, meaning) */
#define WORKER_MESSAGES(X)                                                                                                  \
    X (HELLO, 1, "hello", true, FIELD_GRANTED | FIELD_TEXT | FIELD_COMPATIBLE, 0, 0,                                        \
       "begin a session that the worker named")                                                                             \
    X (REPLY, 2, "reply", true, FIELD_DISPATCH, 1, 1, "the answer to a dispatch; payload: the reply's body")                \
    X (GRANT, 3, "grant", true, FIELD_GRANTED, 0, 0, "credit, as the session's total")                                      \
    X (WORKER_BEAT, 4, "worker_heartbeat", true, FIELD_GRANTED, 0, 1, "alive; payload: a map of statistics, or nothing")    \
    X (DRAIN, 5, "drain", true, 0, 0, 0, "give this worker no more")                                                        \
    X (GOODBYE, 6, "goodbye", true, 0, 0, 0, "the session ends; give what is unanswered to others")                         \
    X (WELCOME, 17, "welcome", false, FIELD_HEARTBEAT_MS | FIELD_TIMEOUT_MS, 0, 0, "the session has begun")                 \
    X (DISPATCH, 18, "dispatch", false, FIELD_DISPATCH | FIELD_TTL_MS | FIELD_ROLES | FIELD_TEXT, 2, 2,                     \
       "a request; payload: its header and its body")                                                                       \
    X (BROKER_BEAT, 19, "broker_heartbeat", false, 0, 0, 0, "alive")                                                        \
    X (RESET, 20, "reset", false, FIELD_REASON, 0, 0, "the broker has no such session, or ends it")                         \
    X (STOP, 21, "stop", false, 0, 0, 0, "drain, at all brokers, and end: somebody asked for it")

enum worker_message_kind {
#define X(id, kind, name, from_worker, fields, frames_min, frames_max, text) MESSAGE_##id = kind,
    WORKER_MESSAGES (X)
#undef X
};

/* X (identifier, number on the wire, meaning) */
#define RESET_REASONS(X)                                                                              \
    X (UNKNOWN_SESSION, 1, "the broker has no such session: it timed out, or the broker restarted")   \
    X (CONNECTION_CHANGED, 2, "the session came in over another connection: messages may be lost")    \
    X (FULL, 3, "the broker has as many workers as it may have")                                      \
    X (STOPPING, 4, "the broker is about to stop")                                                    \
    X (VERSION, 5, "broker and worker have no version of the worker protocol in common")              \
    X (MALFORMED, 6, "the broker could not read what the worker sent")                                \
    X (REFUSED, 7, "the worker's key is not listed, or has no role for the workers' port")

enum reset_reason {
#define X(id, number, text) RESET_##id = number,
    RESET_REASONS (X)
#undef X
};

/* "the broker is about to stop"; "unknown reason" for a number of no meaning. */
const char *reset_reason_text (unsigned reason);

struct worker_message {
    enum worker_message_kind kind;
    uint32_t version; /* to be sent: 0 is WORKER_PROTOCOL_VERSION */
    uint64_t session; /* never 0, except in a RESET to a message that could not be read */
    /* Only the kind's fields are sent; the others read as 0 or empty. */
    uint64_t granted, dispatch;
    uint32_t ttl_ms, roles, heartbeat_ms, timeout_ms, reason, compatible_from;
    struct str text; /* borrowed from the frame */
};

/* Appends the control frame's bytes. */
void worker_message_encode (const struct worker_message *message, struct buf *out);

/* Decodes a control frame that came with `payload_frames` frames behind it. `from_worker`: which side sent it;
 * kinds of the other side are refused. -1: `err` says what is wrong (invalid_request); when the version is none
 * of ours, the error has the detail "version": hello and reset are read in any. */
int worker_message_decode (struct str frame, unsigned payload_frames, bool from_worker, struct worker_message *message,
                           struct error *err);

/* The newest version that is spoken here and by who sent this hello; 0: there is none. */
unsigned worker_version_common (const struct worker_message *hello);

/* The name of a kind, for logs and docs. */
const char *worker_message_name (unsigned kind);

/* Whether the bytes are one MessagePack map within the bounds of a heartbeat's statistics. */
bool worker_stats_valid (struct str stats);

#endif
