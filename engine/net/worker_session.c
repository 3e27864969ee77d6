/* worker_session.c - hello, welcome, heartbeats and the end of a session, as its worker sees them. */
#include "net/worker_session.h"

enum { WAIT_MS_MAX = 1000 };

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c). */
static uint64_t
random_next (uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void
worker_session_init (struct worker_session *session, unsigned credit, uint64_t seed)
{
    *session = (struct worker_session){
        .credit = credit < WORKER_CREDIT_MAX ? credit : WORKER_CREDIT_MAX,
        .random = seed,
        .hello_wait_ms = WORKER_HELLO_MS,
        .heartbeat_ms = WORKER_BEAT_MS,
        .silence_ms = WORKER_SILENCE_MS,
    };
}

/* A hello that stays unanswered is said again with the same session: the broker takes the second for the first.
 * Waits double up to a bound, half of each at random. */
static void
hello_schedule (struct worker_session *session, int64_t now_ms)
{
    unsigned half = session->hello_wait_ms / 2;
    session->hello_ms = now_ms + half + (int64_t)(random_next (&session->random) % (half + 1));
    session->hello_wait_ms *= 2;
    if (session->hello_wait_ms > WORKER_HELLO_MS_MAX)
        session->hello_wait_ms = WORKER_HELLO_MS_MAX;
}

void
worker_session_lost (struct worker_session *session, int64_t now_ms)
{
    if (session->state == WORKER_SESSION_OPEN)
        session->lost++;
    session->state = WORKER_SESSION_WAITING;
    session->session = 0;
    hello_schedule (session, now_ms);
}

void
worker_session_unsent (struct worker_session *session, int64_t now_ms)
{
    worker_session_lost (session, now_ms);
    session->hello_wait_ms = WORKER_HELLO_MS;
    session->hello_ms = now_ms + WORKER_UNSENT_MS;
}

static void
session_begin (struct worker_session *session)
{
    do
        session->session = random_next (&session->random);
    while (session->session == 0);
    int64_t granted = (int64_t)session->credit - session->outstanding;
    session->granted = granted > 0 ? (uint64_t)granted : 0;
    session->state = WORKER_SESSION_HELLO;
    session->version = WORKER_PROTOCOL_VERSION;
    session->drain_told = false;
    session->grant_told = true;
}

static void
fill (const struct worker_session *session, enum worker_message_kind kind, struct worker_message *message)
{
    *message = (struct worker_message){
        .kind = kind, .version = session->version, .session = session->session, .granted = session->granted
    };
}

bool
worker_session_next (struct worker_session *session, int64_t now_ms, struct worker_message *message)
{
    if (session->state == WORKER_SESSION_OPEN && now_ms - session->heard_ms > session->silence_ms)
        worker_session_lost (session, now_ms);
    if (session->state != WORKER_SESSION_OPEN) {
        if (now_ms < session->hello_ms || session->draining)
            return false;
        if (session->state == WORKER_SESSION_WAITING)
            session_begin (session);
        hello_schedule (session, now_ms);
        fill (session, MESSAGE_HELLO, message);
        return true;
    }
    if (session->draining && !session->drain_told) {
        session->drain_told = true;
        fill (session, MESSAGE_DRAIN, message);
        return true;
    }
    if (now_ms - session->beat_ms >= session->heartbeat_ms) {
        session->beat_ms = now_ms;
        session->grant_told = true;
        fill (session, MESSAGE_WORKER_BEAT, message);
        return true;
    }
    if (!session->grant_told) {
        session->grant_told = true;
        fill (session, MESSAGE_GRANT, message);
        return true;
    }
    return false;
}

static void
welcome (struct worker_session *session, int64_t now_ms, const struct worker_message *message)
{
    if (session->state != WORKER_SESSION_HELLO)
        return;
    session->state = WORKER_SESSION_OPEN;
    session->version = message->version;
    session->hello_wait_ms = WORKER_HELLO_MS;
    session->beat_ms = now_ms;
    /* The broker's word, but within reason: a silence of 0 would end every session at once. */
    session->heartbeat_ms = message->heartbeat_ms >= 10 ? message->heartbeat_ms : 10;
    session->silence_ms = message->timeout_ms >= 100 ? message->timeout_ms : 100;
}

bool
worker_session_receive (struct worker_session *session, int64_t now_ms, const struct worker_message *message)
{
    if (session->state == WORKER_SESSION_WAITING)
        return false;
    /* Session 0: a message of ours could not be read, whichever it was. */
    if (message->session != session->session && !(message->kind == MESSAGE_RESET && message->session == 0))
        return false;
    session->heard_ms = now_ms;
    switch (message->kind) {
    case MESSAGE_WELCOME:
        welcome (session, now_ms, message);
        return false;
    case MESSAGE_DISPATCH:
        /* Before the welcome only if messages overtook each other; the broker has begun the session. */
        session->outstanding++;
        return true;
    case MESSAGE_STOP:
        session->is_stopped = true;
        return false;
    case MESSAGE_RESET:
        worker_session_lost (session, now_ms);
        return false;
    default:
        return false;
    }
}

void
worker_session_grant (struct worker_session *session, unsigned count)
{
    session->outstanding -= count;
    if (session->state == WORKER_SESSION_WAITING)
        return;
    session->granted += count;
    session->grant_told = false;
}

void
worker_session_drain (struct worker_session *session)
{
    session->draining = true;
}

int
worker_session_wait_ms (const struct worker_session *session, int64_t now_ms)
{
    bool is_open = session->state == WORKER_SESSION_OPEN;
    int64_t wait_ms = (is_open ? session->beat_ms + session->heartbeat_ms : session->hello_ms) - now_ms;
    if (is_open && (!session->grant_told || session->draining != session->drain_told))
        return 0;
    if (!is_open && session->draining)
        return WAIT_MS_MAX;
    return wait_ms <= 0 ? 0 : wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait_ms;
}
