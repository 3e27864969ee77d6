/* net_guard_test.c - who comes in: the verdict on frames, and real sockets behind a guard. */
#include "net/guard.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/handshake.h"
#include "net/socket.h"
#include "wire/role.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- verdicts --- */

/* A list of one till, one worker and one monitor, whose keys are 32 bytes of 1, 2 and 3. */
static void
key_text (uint8_t byte, char text[KEY_TEXT_SIZE])
{
    uint8_t bytes[32];
    memset (bytes, byte, sizeof bytes);
    zmq_z85_encode (text, bytes, sizeof bytes);
}

static struct key_list
some_keys (void)
{
    static const unsigned ROLES[] = { ROLE_TILL, ROLE_WORKER, ROLE_MONITOR };
    struct key_list list = { 0 }, read;
    struct buf text = { 0 };
    struct error err = { 0 };
    for (unsigned i = 0; i < 3; i++) {
        struct listed_key key = { .roles = ROLES[i] };
        snprintf (key.name, sizeof key.name, "key-%u", i + 1);
        key_text ((uint8_t)(i + 1), key.public_key);
        key_list_add (&list, &key, &err);
    }
    key_list_write (&list, &text);
    cr_assert_eq (key_list_read (&read, (struct str){ (const char *)text.data, (uint32_t)text.size }, &err), 0);
    buf_free (&text);
    key_list_free (&list);
    return read;
}

static struct zap_verdict
judge (const struct key_list *list, const char *domain, uint8_t key)
{
    char bytes[32];
    struct zap_verdict verdict;
    memset (bytes, key, sizeof bytes);
    const struct str frames[] = { STR ("1.0"), STR ("1"),     str_of (domain),        STR ("10.0.0.7"),
                                  STR (""),    STR ("CURVE"), { bytes, sizeof bytes } };
    zap_judge (list, frames, ZAP_FRAMES, &verdict);
    return verdict;
}

Test (zap, a_key_opens_the_doors_of_its_roles)
{
    static const struct {
        const char *domain;
        unsigned opens; /* bits of keys 1 to 3 */
    } CASES[] = {
        { "loyalty.clients", 1 | 4 }, { "loyalty.workers", 2 }, { "loyalty.feed", 4 }, { "loyalty.other", 0 }, { "", 0 }
    };
    struct key_list list = some_keys ();
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (uint8_t key = 1; key <= 4; key++) {
            bool opens = (CASES[i].opens >> (key - 1) & 1) != 0;
            struct zap_verdict verdict = judge (&list, CASES[i].domain, key);
            char text[KEY_TEXT_SIZE];
            key_text (key, text);
            cr_assert_eq (verdict.code, opens ? 200 : 400, "key %u at %s", key, CASES[i].domain);
            cr_assert_str_eq (verdict.key, text);
            cr_assert_str_eq (verdict.text, opens ? "OK" : "No access", "the peer is told no more");
        }
    key_list_free (&list);
}

Test (zap, the_log_says_who_and_why)
{
    struct key_list list = some_keys ();
    struct zap_verdict verdict = judge (&list, "loyalty.clients", 9);
    cr_assert_not_null (strstr (verdict.reason, "10.0.0.7"));
    cr_assert_not_null (strstr (verdict.reason, "is not listed"));
    verdict = judge (&list, "loyalty.workers", 1);
    cr_assert_not_null (strstr (verdict.reason, "key-1"));
    cr_assert_not_null (strstr (verdict.reason, "the workers' port"));
    key_list_free (&list);
}

Test (zap, what_is_no_request_is_refused)
{
    struct key_list list = some_keys ();
    char key[32];
    memset (key, 1, sizeof key);
    const struct str good[ZAP_FRAMES + 1] = { STR ("1.0"),          STR ("1"),   STR ("loyalty.clients"),
                                              STR ("a\nb\x7f\xc3"), STR (""),    STR ("CURVE"),
                                              { key, 32 },          STR ("more") };
    struct zap_verdict verdict;
    zap_judge (&list, good, ZAP_FRAMES, &verdict);
    cr_assert_eq (verdict.code, 200);
    for (unsigned count = 0; count <= ZAP_FRAMES + 1; count++) {
        zap_judge (&list, good, count, &verdict);
        cr_assert_eq (verdict.code, count == ZAP_FRAMES ? 200 : 500, "%u frames", count);
    }
    static const struct {
        unsigned frame;
        struct str value;
    } CASES[] = {
        { 0, { "1.1", 3 } }, { 5, { "NULL", 4 } }, { 5, { "PLAIN", 5 } }, { 6, { "short", 5 } }, { 6, { "", 0 } }
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct str frames[ZAP_FRAMES];
        memcpy (frames, good, sizeof frames);
        frames[CASES[i].frame] = CASES[i].value;
        zap_judge (&list, frames, ZAP_FRAMES, &verdict);
        cr_assert_neq (verdict.code, 200, "case %u", i);
        cr_assert_null (strchr (verdict.reason, '\n'), "a line of the log stays one line");
    }
    key_list_free (&list);
}

/* --- sockets --- */

struct world {
    void *context, *port;
    struct guard *guard;
    struct certificate server, client;
    char folder[64], list[96], secret[96], bound[SOCKET_ENDPOINT_MAX];
};

static void
write_list (const struct world *world, const char *roles)
{
    FILE *out = fopen (world->list, "w");
    cr_assert_not_null (out);
    if (roles != NULL)
        fprintf (out, "one\n    public-key = \"%s\"\n    roles = \"%s\"\n", world->client.public_key, roles);
    fclose (out);
}

static struct world
world_new (const char *roles)
{
    struct world world = { .folder = "/tmp/loyalty-guard-XXXXXX" };
    struct error err = { 0 };
    log_open ("test", LOG_ERROR);
    cr_assert_not_null (mkdtemp (world.folder));
    snprintf (world.list, sizeof world.list, "%s/keys.conf", world.folder);
    snprintf (world.secret, sizeof world.secret, "%s/" SERVER_KEY_FILE, world.folder);
    cr_assert_eq (certificate_make (&world.server, "server", NULL, &err), 0);
    cr_assert_eq (certificate_make (&world.client, "one", world.server.public_key, &err), 0);
    cr_assert_eq (certificate_save (&world.server, world.secret, &err), 0);
    write_list (&world, roles);
    world.context = socket_context_new (1, &err);
    world.guard = guard_new (world.context, world.list, &err);
    cr_assert_not_null (world.guard, "%s", err.message);
    world.port = socket_open (world.context, SOCKET_CLIENT_PORT, 0, &err);
    cr_assert_eq (guard_protect (world.guard, world.port, DOOR_CLIENTS, &err), 0, "%s", err.message);
    cr_assert_eq (socket_bind (world.port, "tcp://127.0.0.1:*", false, world.bound, &err), 0);
    return world;
}

static void
world_end (struct world *world)
{
    socket_close (&world->port);
    guard_destroy (&world->guard);
    zmq_ctx_term (world->context);
    unlink (world->list);
    unlink (world->secret);
    rmdir (world->folder);
}

struct peer {
    void *socket;
    struct handshake_watch watch;
};

static struct peer
peer_new (struct world *world, const struct certificate *keys)
{
    struct peer peer = { 0 };
    struct error err = { 0 };
    peer.socket = socket_open (world->context, SOCKET_CLIENT, 0, &err);
    cr_assert_eq (handshake_watch_open (&peer.watch, world->context, peer.socket, &err), 0, "%s", err.message);
    if (keys != NULL)
        cr_assert_eq (socket_set_keys (peer.socket, keys, &err), 0, "%s", err.message);
    cr_assert_eq (socket_connect (peer.socket, world->bound, &err), 0);
    return peer;
}

static void
peer_end (struct peer *peer)
{
    socket_close (&peer->socket);
    handshake_watch_close (&peer->watch);
}

/* Serves until the peer's handshake has ended. */
static enum handshake
outcome (struct world *world, struct peer *peer)
{
    for (int64_t end_ms = clock_monotonic_ms () + 20000; clock_monotonic_ms () < end_ms;) {
        guard_serve (world->guard, clock_monotonic_us ());
        int events; /* asking for them lets the port's socket do what libzmq wants of it, as its owner's loop would */
        size_t size = sizeof events;
        zmq_getsockopt (world->port, ZMQ_EVENTS, &events, &size);
        enum handshake handshake = handshake_watch_next (&peer->watch);
        if (handshake != HANDSHAKE_NONE)
            return handshake;
        usleep (1000);
    }
    cr_assert_fail ("the handshake did not end");
    return HANDSHAKE_NONE;
}

/* Takes the next message; its first frame behind the routing id is kept. */
static void
receive (struct world *world, struct frames *frames)
{
    int got = 0;
    for (int64_t end_ms = clock_monotonic_ms () + 20000; got == 0 && clock_monotonic_ms () < end_ms;) {
        guard_serve (world->guard, clock_monotonic_us ());
        got = frames_receive (world->port, frames);
        usleep (1000);
    }
    cr_assert_eq (got, 1, "no message came");
}

/* What the peer's next message is taken for. */
static const struct listed_key *
identify (struct world *world, struct peer *peer)
{
    struct frames frames;
    zmq_send (peer->socket, "hello", 5, 0);
    receive (world, &frames);
    const struct listed_key *key = guard_identify (world->guard, &frames.at[frames.count - 1]);
    frames_close (&frames);
    return key;
}

Test (guard, a_listed_key_comes_in_and_is_known_by_its_messages)
{
    struct world world = world_new ("till");
    struct peer peer = peer_new (&world, &world.client);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_DONE);
    const struct listed_key *key = identify (&world, &peer);
    cr_assert_not_null (key);
    cr_assert_str_eq (key->name, "one");
    cr_assert_eq (key->roles, ROLE_TILL);
    cr_assert_eq (guard_counters (world.guard).admitted, 1);
    cr_assert_eq (guard_counters (world.guard).refused, 0);
    peer_end (&peer);
    world_end (&world);
}

Test (guard, a_key_that_is_not_listed_stays_outside)
{
    struct world world = world_new ("till");
    struct certificate stranger;
    struct error err;
    certificate_make (&stranger, "stranger", world.server.public_key, &err);
    struct peer peer = peer_new (&world, &stranger);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_REFUSED);
    cr_assert_eq (guard_counters (world.guard).refused, 1);
    peer_end (&peer);
    world_end (&world);
}

Test (guard, a_key_without_a_role_for_the_port_stays_outside)
{
    struct world world = world_new ("worker");
    struct peer peer = peer_new (&world, &world.client);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_REFUSED);
    peer_end (&peer);
    world_end (&world);
}

Test (guard, who_has_no_key_stays_outside)
{
    struct world world = world_new ("till");
    struct peer peer = peer_new (&world, NULL);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_MISMATCH);
    for (int i = 0; i < 5000 && guard_counters (world.guard).broken == 0; i++, usleep (1000))
        guard_serve (world.guard, clock_monotonic_us ());
    cr_assert_geq (guard_counters (world.guard).broken, 1);
    cr_assert_eq (guard_counters (world.guard).admitted, 0);
    peer_end (&peer);
    world_end (&world);
}

Test (guard, a_wrong_server_key_leads_nowhere)
{
    struct world world = world_new ("till");
    struct certificate astray = world.client;
    memcpy (astray.server_key, world.client.public_key, sizeof astray.server_key);
    struct peer peer = peer_new (&world, &astray);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_BROKEN);
    cr_assert_eq (guard_counters (world.guard).admitted, 0);
    peer_end (&peer);
    world_end (&world);
}

Test (guard, revoked_is_refused_at_once_on_open_connections)
{
    struct world world = world_new ("till");
    struct error err = { 0 };
    bool revoked = true;
    struct peer peer = peer_new (&world, &world.client);
    cr_assert_not_null (identify (&world, &peer));
    write_list (&world, "till, odoo");
    cr_assert_eq (guard_reload (world.guard, &revoked, &err), 0, "%s", err.message);
    cr_assert_not (revoked, "more may be done than before");
    cr_assert_eq (identify (&world, &peer)->roles, ROLE_TILL | ROLE_ODOO);
    write_list (&world, "odoo");
    cr_assert_eq (guard_reload (world.guard, &revoked, &err), 0);
    cr_assert (revoked);
    write_list (&world, NULL);
    cr_assert_eq (guard_reload (world.guard, &revoked, &err), 0);
    cr_assert (revoked);
    cr_assert_null (identify (&world, &peer));
    peer_end (&peer);
    world_end (&world);
}

Test (guard, a_list_with_a_mistake_leaves_the_old_one_in_force)
{
    struct world world = world_new ("till");
    struct error err = { 0 };
    write_list (&world, "tilly");
    cr_assert_eq (guard_reload (world.guard, NULL, &err), -1);
    cr_assert_not_null (strstr (err.message, "keys.conf: line 3"), "%s", err.message);
    struct peer peer = peer_new (&world, &world.client);
    cr_assert_not_null (identify (&world, &peer));
    unlink (world.list);
    cr_assert_eq (guard_reload (world.guard, NULL, &err), -1);
    cr_assert_not_null (identify (&world, &peer));
    peer_end (&peer);
    world_end (&world);
}

Test (guard, a_port_that_is_bound_again_ends_connections_and_takes_new_ones)
{
    struct world world = world_new ("till");
    struct error err = { 0 };
    struct peer peer = peer_new (&world, &world.client);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_DONE);
    cr_assert_not_null (identify (&world, &peer));
    write_list (&world, NULL);
    cr_assert_eq (guard_reload (world.guard, NULL, &err), 0);
    cr_assert_eq (socket_rebind (world.port, world.bound, &err), 0, "%s", err.message);
    cr_assert_eq (outcome (&world, &peer), HANDSHAKE_REFUSED, "it came back by itself, and is revoked");
    write_list (&world, "till");
    cr_assert_eq (guard_reload (world.guard, NULL, &err), 0);
    struct peer other = peer_new (&world, &world.client);
    cr_assert_eq (outcome (&world, &other), HANDSHAKE_DONE);
    peer_end (&peer);
    peer_end (&other);
    world_end (&world);
}

Test (guard, a_port_with_keys_may_be_bound_where_others_reach_it)
{
    struct world world = world_new ("till");
    char bound[SOCKET_ENDPOINT_MAX];
    struct error err = { 0 };
    cr_assert_eq (socket_bind (world.port, "tcp://0.0.0.0:*", false, bound, &err), 0, "%s", err.message);
    world_end (&world);
}

Test (guard, without_a_list_whoever_comes_may_do_everything)
{
    struct error err = { 0 };
    zmq_msg_t message;
    struct guard *guard = guard_new (NULL, NULL, &err);
    cr_assert_not_null (guard);
    cr_assert_null (guard_socket (guard));
    zmq_msg_init (&message);
    const struct listed_key *key = guard_identify (guard, &message);
    cr_assert_str_eq (key->name, "");
    cr_assert_eq (key->roles, ROLES_ANY | ROLE_WORKER);
    cr_assert_eq (guard_reload (guard, NULL, &err), 0);
    guard_destroy (&guard);
}

Test (guard, the_servers_secret_has_to_be_there_and_secret)
{
    struct world world = world_new ("till");
    struct error err = { 0 };
    void *context = socket_context_new (1, &err);
    chmod (world.secret, 0644);
    cr_assert_null (guard_new (context, world.list, &err));
    cr_assert_eq (err.code, ERROR_FORBIDDEN);
    unlink (world.secret);
    cr_assert_null (guard_new (context, world.list, &err));
    cr_assert_eq (err.code, ERROR_NOT_FOUND);
    zmq_ctx_term (context);
    world_end (&world);
}
