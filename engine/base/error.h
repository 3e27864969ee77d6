/* error.h - errors as values: one closed table of codes, and the text a person reads.
 *
 * A function that can fail returns -1 (or NULL) and fills the `struct error` its caller
 * passed. The codes are those of the protocol (docs/protocol.md, "Errors"); clients in every
 * language take them from this table, by way of `loyalty-schema`. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* X (identifier, name on the wire, retryable: may the same request succeed when it is sent
 * again unchanged, what it means) */
#define ERROR_CODES(X)                                                                           \
    X (INVALID_REQUEST, "invalid_request", false, "the request is malformed; details.path names the field") \
    X (UNAUTHENTICATED, "unauthenticated", false, "the peer has no key that the engine knows")   \
    X (FORBIDDEN, "forbidden", false, "the peer's roles do not allow this method")               \
    X (NOT_FOUND, "not_found", false, "what the request names does not exist")                   \
    X (CONFLICT, "conflict", false, "the key was used with another body, or the order is cancelled") \
    X (INSUFFICIENT_POINTS, "insufficient_points", false, "the card has too few points")         \
    X (CLAIM_REFUSED, "claim_refused", false, "a claim cannot be granted; details.reason says why") \
    X (PRICE_CHANGED, "price_changed", false, "expected_total differs; details carry the new total") \
    X (LIMIT_REACHED, "limit_reached", false, "a usage limit is reached; details.limit names it") \
    X (REFUND_EXCEEDS, "refund_exceeds", false, "more is returned than was bought")              \
    X (CODE_USED, "code_used", false, "the one-time code was used before")                       \
    X (CARD_BLOCKED, "card_blocked", false, "the card is blocked")                               \
    X (HOLD_EXPIRED, "hold_expired", false, "the hold ran out before it was captured")           \
    X (INVALID_MEMBERSHIP, "invalid_membership", false, "the membership does not allow this")    \
    X (EXPIRED_DEADLINE, "expired_deadline", true, "the deadline passed before the work began; nothing was done") \
    X (BUSY, "busy", true, "a bound was reached; try again after details.retry_after_ms")        \
    X (WORKER_LOST, "worker_lost", true, "the workers that had the request died; the outcome is unknown until it is resent") \
    X (UNAVAILABLE, "unavailable", true, "the database or every worker is out of reach")         \
    X (TOO_LARGE, "too_large", false, "the request is over a size limit; details.path names it") \
    X (TOO_OLD, "too_old", false, "what was asked for is past its retention")                    \
    X (INTERNAL, "internal", false, "a fault of the engine; it has raised an alert")

enum error_code {
    ERROR_NONE = 0,
#define X(id, name, retryable, text) ERROR_##id,
    ERROR_CODES (X)
#undef X
        ERROR_CODE_COUNT
};

enum { ERROR_DETAILS_MAX = 4 };

/* A failure, by value: copy it freely. `message` is one sentence that says what was wrong,
 * where, and what to do; `details` are machine-readable. */
struct error {
    enum error_code code;
    unsigned detail_count;
    char message[256];
    struct {
        char name[24];
        char value[96];
    } details[ERROR_DETAILS_MAX];
};

/* Sets code and message, drops old details. Always returns -1, so that a caller can write
 * `return error_set (err, ERROR_NOT_FOUND, "card %lld does not exist", id);`. `err` may be NULL. */
int error_set (struct error *err, enum error_code code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Adds a detail; beyond ERROR_DETAILS_MAX it is dropped. Always returns -1. */
int error_detail (struct error *err, const char *name, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* `invalid_request` (or another code) about the field at `path`, which becomes details.path. */
int error_field (struct error *err, enum error_code code, const char *path, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* That all three return -1 is something clang's analyzer, which sees one file at a time, has to be told. */
#ifdef __clang_analyzer__
#define error_set(...) ((void) error_set (__VA_ARGS__), -1)
#define error_detail(...) ((void) error_detail (__VA_ARGS__), -1)
#define error_field(...) ((void) error_field (__VA_ARGS__), -1)
#endif

/* The name on the wire ("not_found"); "ok" for ERROR_NONE. */
const char *error_code_name (enum error_code code);
/* The code of a name; ERROR_NONE when there is none. */
enum error_code error_code_by_name (const char *name);
bool error_code_retryable (enum error_code code);

#endif
