/* liveness.h - whether the broker at the other end of a socket lives, as a state machine without sockets and clock:
 * docs/protocol.md, "Retries", has the rules, test/vectors/liveness.json examples of them. */
#ifndef CLIENT_LIVENESS_H
#define CLIENT_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LIVENESS_STEP_MS_MAX = 100, /* of the time between two looks so much counts: a client that stood still has not listened */
    LIVENESS_DOUBLINGS_MAX = 6,
};

enum liveness_verdict {
    LIVENESS_FINE,
    LIVENESS_ASK,    /* send admin.ping */
    LIVENESS_SILENT, /* nothing came after that either: give the socket up */
};

struct liveness {
    int64_t looked_ms;
    unsigned quiet_ms; /* of waiting, since something came, or since the question was sent */
    bool is_waiting, is_asked;
};

/* Of a new socket. */
void liveness_begin (struct liveness *liveness, int64_t now_ms);
/* A message came. */
void liveness_heard (struct liveness *liveness, int64_t now_ms);

/* To be called after all that came was read. `is_waiting`: some request that was sent is not answered. `patience_ms`: how
 * long nothing may come; doubled for each of `rounds`, the rounds of brokers that were given up in vain. */
enum liveness_verdict liveness_look (struct liveness *liveness, int64_t now_ms, bool is_waiting, unsigned patience_ms,
                                     unsigned rounds);

#endif
