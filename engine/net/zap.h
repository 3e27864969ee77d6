/* zap.h - who may connect: the verdict on one request of ZeroMQ's authentication protocol (https://rfc.zeromq.org/spec/27).
 * Pure: frames in, verdict out. */
#ifndef NET_ZAP_H
#define NET_ZAP_H

#include "net/key_list.h"

/* X (identifier, ZAP domain, roles of which a key needs one, name for people) */
#define ZAP_DOORS(X)                                                  \
    X (CLIENTS, "loyalty.clients", ROLES_ANY, "the clients' port")    \
    X (WORKERS, "loyalty.workers", ROLE_WORKER, "the workers' port")  \
    X (FEED, "loyalty.feed", ROLES_FEED, "the feed")

enum door {
#define X(id, domain, roles, name) DOOR_##id,
    ZAP_DOORS (X)
#undef X
        DOOR_COUNT
};

struct door_rule {
    const char *domain;
    unsigned roles;
    const char *name;
};
extern const struct door_rule DOOR_RULES[DOOR_COUNT];

enum { ZAP_FRAMES = 7, ZAP_REASON_MAX = 160 };

/* What is answered. `code` is 200 (come in), 400 (no) or 500 (that was no request). */
struct zap_verdict {
    unsigned code;
    const char *text;             /* of the code, as it goes to the peer: it tells nothing */
    char key[KEY_TEXT_SIZE];      /* the peer's public key in Z85, which becomes the User-Id; empty where none was read */
    char reason[ZAP_REASON_MAX];  /* for the log: who, where from, why not; without bytes that are none of a line */
};

/* Judges a request of `count` frames, the delimiter not among them. */
void zap_judge (const struct key_list *list, const struct str frames[], unsigned count, struct zap_verdict *verdict);

#endif
