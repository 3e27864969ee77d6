/* guard.c - see guard.h. */
#include "net/guard.h"
#include "base/log.h"
#include "net/certificate.h"
#include "net/handshake.h"
#include "net/socket.h"
#include "wire/role.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WATCHES_MAX = 4,
    REQUESTS_PER_TURN = 256, /* handshakes answered before the loop looks at its other sockets again */
    LOG_EVERY_US = 1000000,
};

/* In zmq.h this constant is hidden behind its draft API, but the option itself has been there since 4.3. */
enum { OPTION_ZAP_ENFORCE_DOMAIN = 93 };

/* What is logged of one kind: a line a second at most. */
struct complaint {
    bool was_logged;
    int64_t logged_us;
    uint64_t unlogged; /* those since that no line was written about */
};

struct guard {
    void *zmq_context, *zap; /* zap NULL: no keys */
    char keys_file[PATH_MAX];
    struct certificate server;
    struct key_list list;
    struct handshake_watch watches[WATCHES_MAX];
    unsigned watch_count;
    struct guard_counters counters;
    struct complaint refused, broken;
};

static const struct listed_key EVERYBODY = { .roles = ROLES_ANY | ROLE_WORKER };

/* --- beginning and end --- */

static int
load_server_key (struct guard *guard, struct error *err)
{
    char file[PATH_MAX];
    const char *slash = strrchr (guard->keys_file, '/');
    int folder = slash != NULL ? (int)(slash - guard->keys_file) + 1 : 0;
    if (snprintf (file, sizeof file, "%.*s" SERVER_KEY_FILE, folder, guard->keys_file) >= (int)sizeof file)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
    return certificate_load (&guard->server, file, err);
}

static int
open_zap (struct guard *guard, struct error *err)
{
    const int no_linger = 0;
    guard->zap = zmq_socket (guard->zmq_context, ZMQ_REP);
    if (guard->zap == NULL || zmq_setsockopt (guard->zap, ZMQ_LINGER, &no_linger, sizeof no_linger) != 0 ||
        zmq_bind (guard->zap, "inproc://zeromq.zap.01") != 0)
        return error_set (err, ERROR_INTERNAL, "cannot authenticate clients: %s", zmq_strerror (errno));
    return 0;
}

struct guard *
guard_new (void *zmq_context, const char *keys_file, struct error *err)
{
    struct guard *guard = calloc (1, sizeof *guard);
    if (guard == NULL) {
        error_set (err, ERROR_INTERNAL, "no memory for the guard");
        return NULL;
    }
    guard->zmq_context = zmq_context;
    if (keys_file == NULL)
        return guard;
    if (snprintf (guard->keys_file, sizeof guard->keys_file, "%s", keys_file) >= PATH_MAX)
        error_set (err, ERROR_INVALID_REQUEST, "the path of the keys is too long");
    else if (key_list_load (&guard->list, guard->keys_file, err) == 0 && load_server_key (guard, err) == 0 &&
             open_zap (guard, err) == 0)
        return guard;
    guard_destroy (&guard);
    return NULL;
}

void
guard_destroy (struct guard **guard)
{
    if (*guard == NULL)
        return;
    for (unsigned i = 0; i < (*guard)->watch_count; i++)
        handshake_watch_close (&(*guard)->watches[i]);
    if ((*guard)->zap != NULL)
        zmq_close ((*guard)->zap);
    key_list_free (&(*guard)->list);
    certificate_wipe (&(*guard)->server);
    free (*guard);
    *guard = NULL;
}

int
guard_protect (struct guard *guard, void *socket, enum door door, struct error *err)
{
    const int on = 1;
    const char *domain = DOOR_RULES[door].domain;
    if (guard->watch_count == WATCHES_MAX)
        return error_set (err, ERROR_INTERNAL, "a guard has %d doors at most", WATCHES_MAX);
    if (handshake_watch_open (&guard->watches[guard->watch_count], guard->zmq_context, socket, err) != 0)
        return -1;
    guard->watch_count++;
    if (guard->zap == NULL)
        return 0;
    if (zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &on, sizeof on) != 0 ||
        zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, guard->server.secret_key, KEY_TEXT_SIZE) != 0 ||
        zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, domain, strlen (domain)) != 0 ||
        /* Nobody comes in where nobody judges. */
        zmq_setsockopt (socket, OPTION_ZAP_ENFORCE_DOMAIN, &on, sizeof on) != 0)
        return error_set (err, ERROR_INTERNAL, "cannot set the keys of a socket: %s", zmq_strerror (errno));
    return 0;
}

/* --- handshakes --- */

void *
guard_socket (struct guard *guard)
{
    return guard->zap;
}

static void
complain (struct complaint *complaint, int64_t now_us, const char *reason)
{
    if (complaint->was_logged && now_us - complaint->logged_us < LOG_EVERY_US) {
        complaint->unlogged++;
        return;
    }
    if (complaint->unlogged > 0)
        log_warning ("a connection was refused: %s (and %llu others that were not logged)", reason,
                     (unsigned long long)complaint->unlogged);
    else
        log_warning ("a connection was refused: %s", reason);
    *complaint = (struct complaint){ .was_logged = true, .logged_us = now_us };
}

static bool
send_text (void *socket, struct str text, int flags)
{
    return zmq_send (socket, text.data, text.size, ZMQ_DONTWAIT | flags) >= 0;
}

static void
send_verdict (void *zap, struct str sequence, const struct zap_verdict *verdict)
{
    char code[4];
    snprintf (code, sizeof code, "%u", verdict->code % 1000);
    const struct str frames[] = {
        STR ("1.0"), sequence, str_of (code), str_of (verdict->text), str_of (verdict->code == 200 ? verdict->key : ""),
        { "", 0 }
    };
    enum { COUNT = sizeof frames / sizeof frames[0] };
    for (unsigned i = 0; i < COUNT; i++)
        if (!send_text (zap, frames[i], i + 1 < COUNT ? ZMQ_SNDMORE : 0))
            return;
}

/* A request's frames: one more than it may have are kept, to see that there are too many. Returns how many. */
static unsigned
receive_request (void *zap, zmq_msg_t messages[ZAP_FRAMES + 1])
{
    unsigned count = 0;
    for (bool more = true; more;) {
        zmq_msg_t surplus, *message = count <= ZAP_FRAMES ? &messages[count] : &surplus;
        zmq_msg_init (message);
        if (zmq_msg_recv (message, zap, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (message);
            return count;
        }
        more = zmq_msg_more (message);
        if (message != &surplus)
            count++;
        else
            zmq_msg_close (message);
    }
    return count;
}

/* Answers one request. False: none is there. */
static bool
serve_one (struct guard *guard, int64_t now_us)
{
    zmq_msg_t messages[ZAP_FRAMES + 1];
    struct str frames[ZAP_FRAMES + 1];
    struct zap_verdict verdict;
    unsigned count = receive_request (guard->zap, messages);
    if (count == 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        frames[i] = message_bytes (&messages[i]);
    zap_judge (&guard->list, frames, count, &verdict);
    send_verdict (guard->zap, count > 1 ? frames[1] : (struct str){ "", 0 }, &verdict);
    if (verdict.code == 200) {
        guard->counters.admitted++;
    } else {
        guard->counters.refused++;
        complain (&guard->refused, now_us, verdict.reason);
    }
    for (unsigned i = 0; i < count; i++)
        zmq_msg_close (&messages[i]);
    return true;
}

/* Those that were refused by a verdict have been counted. */
static void
count_broken (struct guard *guard, int64_t now_us)
{
    for (unsigned i = 0; i < guard->watch_count; i++) {
        enum handshake handshake;
        while ((handshake = handshake_watch_next (&guard->watches[i])) != HANDSHAKE_NONE) {
            if (handshake != HANDSHAKE_MISMATCH && handshake != HANDSHAKE_BROKEN)
                continue;
            guard->counters.broken++;
            complain (&guard->broken, now_us,
                      handshake != HANDSHAKE_MISMATCH ? "its handshake broke off, or is for another server key"
                      : guard->zap != NULL            ? "it has no CURVE key"
                                                      : "it has CURVE keys, and here are none");
        }
    }
}

void
guard_serve (struct guard *guard, int64_t now_us)
{
    if (guard->zap != NULL)
        for (unsigned i = 0; i < REQUESTS_PER_TURN && serve_one (guard, now_us); i++)
            ;
    count_broken (guard, now_us);
}

/* --- the list --- */

struct str
guard_key_of (zmq_msg_t *message)
{
    const char *key = zmq_msg_gets (message, "User-Id");
    return str_of (key != NULL ? key : "");
}

const struct listed_key *
guard_find (const struct guard *guard, struct str key)
{
    return guard->zap != NULL ? key_list_find (&guard->list, key) : &EVERYBODY;
}

const struct listed_key *
guard_identify (const struct guard *guard, zmq_msg_t *message)
{
    return guard->zap != NULL ? guard_find (guard, guard_key_of (message)) : &EVERYBODY;
}

/* Whether some key may do less by `now` than it might by `before`. */
static bool
takes_away (const struct key_list *before, const struct key_list *now)
{
    for (unsigned i = 0; i < before->count; i++) {
        const struct listed_key *old = &before->keys[i];
        const char *const texts[] = { old->public_key, old->old_key };
        for (unsigned k = 0; k < 2; k++) {
            const struct listed_key *new = key_list_find (now, str_of (texts[k]));
            if (texts[k][0] != '\0' && (new == NULL || (old->roles & ~new->roles) != 0))
                return true;
        }
    }
    return false;
}

int
guard_reload (struct guard *guard, bool *revoked, struct error *err)
{
    struct key_list list;
    if (revoked != NULL)
        *revoked = false;
    if (guard->zap == NULL)
        return 0;
    if (key_list_load (&list, guard->keys_file, err) != 0)
        return -1;
    if (revoked != NULL)
        *revoked = takes_away (&guard->list, &list);
    key_list_free (&guard->list);
    guard->list = list;
    log_info ("the list of keys was read again: %u keys", list.count);
    return 0;
}

struct guard_counters
guard_counters (const struct guard *guard)
{
    return guard->counters;
}

unsigned
guard_key_count (const struct guard *guard)
{
    return guard->list.count;
}
