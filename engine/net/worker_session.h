/* worker_session.h - the worker's side of one session with one broker, as a state machine without sockets and
 * clock, so that the simulator can drive it: when to say hello, what credit is granted, when a session is over.
 *
 * Credit is a total that only grows: the session's first grant and every later one added up. The broker may
 * have sent as many dispatches as were granted and no more. A total can be lost, doubled or late without harm. */
#ifndef NET_WORKER_SESSION_H
#define NET_WORKER_SESSION_H

#include "net/worker_protocol.h"

enum {
    WORKER_HELLO_MS = 200,
    WORKER_HELLO_MS_MAX = 4000,
    WORKER_UNSENT_MS = 100,
    WORKER_SILENCE_MS = 2500,
    WORKER_BEAT_MS = 500,
};

enum worker_session_state {
    WORKER_SESSION_WAITING, /* no session; the next hello is due at hello_ms */
    WORKER_SESSION_HELLO,   /* hello was said, no answer yet; said again at hello_ms */
    WORKER_SESSION_OPEN,
};

struct worker_session {
    enum worker_session_state state;
    uint64_t session; /* 0 while waiting */
    uint32_t version; /* of the worker protocol in this session: the broker's choice */
    uint64_t granted; /* in this session */
    uint64_t random;  /* state of the generator of session numbers */
    /* Requests that were taken in and whose credit was not granted again, over all sessions: a new session
     * begins with so much less, so that a worker never has more in hand than its credit. */
    int64_t outstanding;
    unsigned credit;
    bool draining;
    bool is_stopped; /* the broker passed on that this worker is to end */
    bool drain_told, grant_told; /* the broker of this session knows */
    int64_t hello_ms;       /* when to say hello (again) */
    unsigned hello_wait_ms; /* doubled with each hello that stays unanswered */
    int64_t heard_ms, beat_ms;
    unsigned heartbeat_ms, silence_ms;
    unsigned lost; /* sessions that ended without our wish */
};

/* `seed`: unpredictable outside of tests. */
void worker_session_init (struct worker_session *session, unsigned credit, uint64_t seed);

/* What is to be sent now. True: *message is filled but for `text` of a hello (the caller's name); send it, and
 * call again. When sending fails, say so with worker_session_unsent. */
bool worker_session_next (struct worker_session *session, int64_t now_ms, struct worker_message *message);

/* A message of the broker has arrived. True: it is a dispatch of this session, for the worker to do. */
bool worker_session_receive (struct worker_session *session, int64_t now_ms, const struct worker_message *message);

/* The session is over: the next hello is due after a wait. */
void worker_session_lost (struct worker_session *session, int64_t now_ms);

/* A message could not be sent: the connection is gone or not made yet. Ends an open session; a hello is tried
 * again soon, since failing to send costs the broker nothing. */
void worker_session_unsent (struct worker_session *session, int64_t now_ms);

void worker_session_grant (struct worker_session *session, unsigned count);
/* No more requests, please. A worker that drains says no hello. */
void worker_session_drain (struct worker_session *session);

/* Milliseconds until worker_session_next may have something to send, if nothing else happens. */
int worker_session_wait_ms (const struct worker_session *session, int64_t now_ms);

#endif
