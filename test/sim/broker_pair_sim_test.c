/* broker_pair_sim_test.c - seeded worlds of two brokers that share their workers, and clients that leave one for the other: brokers
 * that die, hang, are cut off from clients; workers that die. Each key is done once, and each client gets its ok.
 * LOYALTY_SIM_SEED=N runs one world again; LOYALTY_SIM_SEEDS=N sets how many are run. */
#include "broker/core.h"
#include "liveness.h"
#include "net/worker_session.h"
#include "wire/envelope.h"
#include "wire/method.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
    BROKERS = 2,
    WORKERS = 2,
    CLIENTS = 6,
    KEYS_MAX = 4096,
    MAIL_MAX = 16384,
    CREDIT = 8,
    BATCH = 4,
    SEEDS = 200,
    STEP_US = 2000,
    FAULTS_US = 12000000, /* so long things go wrong … */
    CALM_US = 8000000,    /* … and for so long no more: then everything has to come out right */
    CONNECT_US = 500000,
    SILENCE_US = 2000000,
    PROBE_MS = 250,
    TTL_MS = 60000, /* clients do not give up here: what they wait for has to come */
    NOTICE_US = 2 * PROBE_MS * 1000 + CONNECT_US + 300000,
};

/* A connection to a broker; peer 0: none. What was under way when it ended is lost. */
struct line {
    uint64_t peer;
    int64_t there_us, back_us; /* when the last message arrives: none overtakes another */
};

enum way { FROM_CLIENT, TO_CLIENT, FROM_WORKER, TO_WORKER };

struct mail {
    enum way way;
    unsigned broker, end; /* end: the client or worker */
    uint64_t peer;
    int64_t due_us;
    uint64_t key; /* 0: a ping, or none */
    bool is_reply, is_elsewhere;
    enum error_code code; /* to a client; ERROR_NONE: ok */
    struct worker_message control;
};

struct world;

struct broker {
    struct world *world;
    unsigned index;
    struct core *core; /* NULL: it is down */
    int64_t starts_us, stalls_until_us, cut_until_us, tick_us;
};

struct in_hand {
    unsigned broker;
    uint64_t session, dispatch, key;
};

struct worker {
    bool is_running;
    int64_t starts_us, batch_done_us;
    struct worker_session sessions[BROKERS];
    struct line lines[BROKERS];
    struct in_hand in_hand[BROKERS * CREDIT];
    unsigned in_hand_count, batch;
};

struct client {
    struct line lines[BROKERS];
    unsigned broker; /* in use, or tried */
    bool is_connected, is_sent;
    struct liveness liveness;
    uint64_t key; /* under way; 0: none */
    int64_t begun_us, sent_us, not_before_us, connect_by_us;
    unsigned failures, tries;
};

struct world {
    uint64_t seed, random, peers, keys;
    int64_t now_us, begun_us, worst_calm_us;
    struct broker brokers[BROKERS];
    struct worker workers[WORKERS];
    struct client clients[CLIENTS];
    struct mail *mail;
    unsigned mail_count;
    struct {
        bool is_stored;
        unsigned effects, sends, dispatches;
    } keys_done[KEYS_MAX];
    unsigned answered, replayed, left;
};

static uint64_t
draw (struct world *world, uint64_t bound)
{
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % bound;
}

static bool
is_calm (const struct world *world)
{
    return world->now_us - world->begun_us >= FAULTS_US;
}

/* Once in so many seconds, while things go wrong. */
static bool
happens (struct world *world, unsigned seconds)
{
    return !is_calm (world) && draw (world, (uint64_t)seconds * 1000000 / STEP_US) == 0;
}

static void
post (struct world *world, struct mail mail, int64_t *arrive_us)
{
    int64_t at_us = world->now_us + 1 + (int64_t)draw (world, 3000);
    *arrive_us = at_us > *arrive_us ? at_us : *arrive_us;
    mail.due_us = *arrive_us;
    cr_assert_lt (world->mail_count, MAIL_MAX);
    world->mail[world->mail_count++] = mail;
}

/* --- what cores ask for --- */

static enum sent
to_client (void *context, uint64_t peer, struct str header, struct str body, void *passed)
{
    struct broker *broker = context;
    struct world *world = broker->world;
    struct mail mail = { .way = TO_CLIENT, .broker = broker->index, .peer = peer };
    struct error failure = { 0 }, err;
    struct str result;
    bool ok = true;
    int64_t retry_ms;
    cr_assert_eq (reply_header_decode (header, &mail.key, &err), 0);
    if (passed == NULL)
        cr_assert_eq (reply_body_decode (body, &ok, &result, &failure, &retry_ms, &err), 0);
    if (!ok) {
        mail.code = failure.code;
        mail.is_elsewhere = failure.detail_count > 0 && strcmp (failure.details[0].name, "reason") == 0;
        bool says_nothing_done = failure.code != ERROR_WORKER_LOST;
        cr_assert_not (says_nothing_done && world->keys_done[mail.key].sends == 1 &&
                           world->keys_done[mail.key].dispatches > 0,
                       "seed %llu: %s, although a worker has had it", (unsigned long long)world->seed,
                       error_code_name (failure.code));
    }
    for (mail.end = 0; mail.end < CLIENTS; mail.end++)
        if (world->clients[mail.end].lines[broker->index].peer == peer) {
            post (world, mail, &world->clients[mail.end].lines[broker->index].back_us);
            return SENT;
        }
    return SENT_GONE;
}

static enum sent
to_worker (void *context, uint64_t peer, struct str control, void *frames)
{
    struct broker *broker = context;
    struct world *world = broker->world;
    struct mail mail = {
        .way = TO_WORKER, .broker = broker->index, .peer = peer, .key = frames != NULL ? *(uint64_t *)frames : 0
    };
    cr_assert_eq (worker_message_decode (control, frames != NULL ? 2 : 0, false, &mail.control, NULL), 0);
    mail.control.text = (struct str){ "", 0 };
    for (mail.end = 0; mail.end < WORKERS; mail.end++)
        if (world->workers[mail.end].lines[broker->index].peer == peer) {
            if (frames != NULL)
                world->keys_done[mail.key].dispatches++;
            post (world, mail, &world->workers[mail.end].lines[broker->index].back_us);
            return SENT;
        }
    return SENT_GONE;
}

static void
release (void *context, void *frames)
{
    (void)context;
    free (frames);
}

static void *
allocate (void *context, size_t size)
{
    (void)context;
    return calloc (1, size);
}

/* --- brokers --- */

static void
broker_start (struct broker *broker)
{
    struct settings settings;
    const struct core_output output = { broker, to_client, to_worker, release, NULL, allocate, release };
    settings_default (&settings);
    broker->core = core_new (&settings, &output, broker->world->now_us);
    broker->stalls_until_us = broker->tick_us = 0;
}

/* All of its connections end with it. */
static void
broker_kill (struct broker *broker)
{
    struct world *world = broker->world;
    core_destroy (&broker->core);
    broker->starts_us = world->now_us + (int64_t)draw (world, 3000000);
    for (unsigned i = 0; i < CLIENTS; i++)
        world->clients[i].lines[broker->index].peer = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        world->workers[i].lines[broker->index].peer = 0;
}

static void
broker_step (struct broker *broker)
{
    struct world *world = broker->world;
    if (broker->core == NULL) {
        if (world->now_us >= broker->starts_us || is_calm (world))
            broker_start (broker);
        return;
    }
    if (happens (world, 6))
        broker_kill (broker);
    else if (happens (world, 6))
        broker->stalls_until_us = world->now_us + (int64_t)draw (world, 4000000);
    else if (happens (world, 6))
        broker->cut_until_us = world->now_us + (int64_t)draw (world, 3000000);
    if (broker->core == NULL || world->now_us < broker->stalls_until_us || world->now_us < broker->tick_us)
        return;
    core_tick (broker->core, world->now_us);
    broker->tick_us = world->now_us + core_wait_ms (broker->core) * INT64_C (1000);
}

static bool
is_cut (const struct world *world, unsigned broker)
{
    return world->now_us < world->brokers[broker].cut_until_us;
}

/* --- workers --- */

static void
worker_say (struct world *world, unsigned index, unsigned broker, struct worker_message message, uint64_t key)
{
    struct line *line = &world->workers[index].lines[broker];
    post (world,
          (struct mail){ .way = FROM_WORKER,
                         .broker = broker,
                         .end = index,
                         .peer = line->peer,
                         .key = key,
                         .is_reply = message.kind == MESSAGE_REPLY,
                         .control = message },
          &line->there_us);
}

/* The transaction is committed: what another has done is found by its key. */
static void
worker_commit (struct world *world, const struct worker *worker)
{
    for (unsigned i = 0; i < worker->batch; i++) {
        uint64_t key = worker->in_hand[i].key;
        world->keys_done[key].effects += !world->keys_done[key].is_stored;
        world->replayed += world->keys_done[key].is_stored;
        world->keys_done[key].is_stored = true;
    }
}

static void
worker_batch_end (struct world *world, unsigned index)
{
    struct worker *worker = &world->workers[index];
    worker_commit (world, worker);
    for (unsigned i = 0; i < worker->batch; i++) {
        struct in_hand *done = &worker->in_hand[i];
        struct worker_message reply = { .kind = MESSAGE_REPLY, .session = done->session, .dispatch = done->dispatch };
        if (worker->sessions[done->broker].session == done->session && worker->lines[done->broker].peer != 0)
            worker_say (world, index, done->broker, reply, done->key);
        worker_session_grant (&worker->sessions[done->broker], 1);
    }
    worker->in_hand_count -= worker->batch;
    memmove (worker->in_hand, worker->in_hand + worker->batch, worker->in_hand_count * sizeof worker->in_hand[0]);
    worker->batch = 0;
}

static void
worker_start (struct world *world, unsigned index)
{
    struct worker *worker = &world->workers[index];
    *worker = (struct worker){ .is_running = true };
    for (unsigned i = 0; i < BROKERS; i++)
        worker_session_init (&worker->sessions[i], CREDIT, draw (world, UINT64_MAX));
}

static void
worker_step (struct world *world, unsigned index)
{
    struct worker *worker = &world->workers[index];
    if (!worker->is_running) {
        if (world->now_us >= worker->starts_us || is_calm (world))
            worker_start (world, index);
        return;
    }
    if (happens (world, 6)) {
        if (draw (world, 2) == 0)
            worker_commit (world, worker); /* it had, and died before it could say so */
        *worker = (struct worker){ .starts_us = world->now_us + (int64_t)draw (world, 2000000) };
        return;
    }
    if (worker->batch > 0 && world->now_us >= worker->batch_done_us)
        worker_batch_end (world, index);
    if (worker->batch == 0 && worker->in_hand_count > 0) {
        worker->batch = worker->in_hand_count < BATCH ? worker->in_hand_count : BATCH;
        worker->batch_done_us = world->now_us + 1000 + (int64_t)draw (world, 20000);
    }
    for (unsigned i = 0; i < BROKERS; i++) {
        struct worker_message message;
        if (worker->lines[i].peer == 0 && world->brokers[i].core != NULL)
            worker->lines[i] = (struct line){ .peer = ++world->peers };
        while (worker_session_next (&worker->sessions[i], world->now_us / 1000, &message)) {
            if (worker->lines[i].peer == 0) {
                worker_session_unsent (&worker->sessions[i], world->now_us / 1000);
                break;
            }
            worker_say (world, index, i, message, 0);
        }
    }
}

/* --- clients: docs/protocol.md, "Retries" --- */

static void
client_leave (struct world *world, struct client *client)
{
    client->lines[client->broker].peer = 0;
    client->is_connected = client->is_sent = false;
    client->failures++;
    client->broker = (client->broker + 1) % BROKERS;
    client->connect_by_us = 0;
    world->left++;
    if (client->failures % BROKERS == 0)
        client->not_before_us = world->now_us + 20000 + (int64_t)draw (world, 200000);
}

static void
client_send (struct world *world, unsigned index, uint64_t key)
{
    struct client *client = &world->clients[index];
    struct line *line = &client->lines[client->broker];
    world->keys_done[key].sends += key != 0;
    post (world,
          (struct mail){ .way = FROM_CLIENT, .broker = client->broker, .end = index, .peer = line->peer, .key = key },
          &line->there_us);
}

/* True: there is a connection. A broker that hangs or is cut off shakes no hands. */
static bool
client_connect (struct world *world, struct client *client)
{
    const struct broker *broker = &world->brokers[client->broker];
    if (client->connect_by_us == 0)
        client->connect_by_us = world->now_us + CONNECT_US;
    if (broker->core != NULL && world->now_us >= broker->stalls_until_us && !is_cut (world, client->broker)) {
        client->lines[client->broker] = (struct line){ .peer = ++world->peers };
        liveness_begin (&client->liveness, world->now_us / 1000);
        client->is_connected = true;
    } else if (world->now_us >= client->connect_by_us) {
        client_leave (world, client);
    }
    return client->is_connected;
}

static void
client_step (struct world *world, unsigned index)
{
    struct client *client = &world->clients[index];
    bool may_begin = world->now_us - world->begun_us < FAULTS_US + CALM_US / 2 && world->keys + 1 < KEYS_MAX;
    if (client->key == 0 && may_begin && draw (world, 20) == 0) {
        client->key = ++world->keys;
        client->begun_us = world->now_us;
        client->tries = 0;
    }
    if (client->is_connected && client->lines[client->broker].peer == 0)
        client_leave (world, client);
    if (client->is_connected) {
        switch (liveness_look (&client->liveness, world->now_us / 1000, client->is_sent, PROBE_MS,
                               client->failures / BROKERS)) {
        case LIVENESS_FINE:
            break;
        case LIVENESS_ASK:
            client_send (world, index, 0);
            break;
        case LIVENESS_SILENT:
            client_leave (world, client);
            break;
        }
    }
    if (client->is_sent && world->now_us - client->sent_us >= SILENCE_US << client->tries)
        client->is_sent = false;
    if (client->key == 0 || client->is_sent || world->now_us < client->not_before_us)
        return;
    if (client->is_connected || client_connect (world, client)) {
        client_send (world, index, client->key);
        client->is_sent = true;
        client->sent_us = world->now_us;
    }
}

static void
client_hears (struct world *world, const struct mail *mail)
{
    struct client *client = &world->clients[mail->end];
    liveness_heard (&client->liveness, world->now_us / 1000);
    if (mail->key == 0 || mail->key != client->key)
        return;
    if (mail->code == ERROR_NONE) {
        cr_assert (world->keys_done[mail->key].is_stored, "seed %llu: ok, and it is not stored",
                   (unsigned long long)world->seed);
        if (is_calm (world) && client->begun_us - world->begun_us > FAULTS_US + CALM_US / 4 &&
            world->now_us - client->begun_us > world->worst_calm_us)
            world->worst_calm_us = world->now_us - client->begun_us;
        client->key = 0;
        client->is_sent = false;
        client->failures = 0;
        world->answered++;
        return;
    }
    client->is_sent = false;
    client->not_before_us = world->now_us + (int64_t)(20000u << (client->tries < 6 ? client->tries : 6));
    client->tries += client->tries < 6;
    if (mail->is_elsewhere)
        client_leave (world, client);
}

/* --- messages --- */

static void
broker_hears_client (struct broker *broker, const struct mail *mail)
{
    struct buf bytes = { 0 };
    const struct request_header header = { .version = PROTOCOL_VERSION,
                                           .id = mail->key,
                                           .method = mail->key != 0 ? STR ("order.process") : STR ("admin.ping"),
                                           .ttl_ms = TTL_MS };
    uint64_t *frames = malloc (sizeof *frames);
    *frames = mail->key;
    request_header_encode (&header, &bytes);
    const struct client_message message = { .peer = mail->peer,
                                            .user = { "", 0 },
                                            .roles = ROLES_ANY,
                                            .frame_count = 2,
                                            .header = { (const char *)bytes.data, (uint32_t)bytes.size },
                                            .body_size = 100,
                                            .frames = frames };
    core_client_message (broker->core, broker->world->now_us, &message);
    buf_free (&bytes);
}

static void
broker_hears_worker (struct broker *broker, const struct mail *mail)
{
    struct buf bytes = { 0 };
    uint64_t answer = mail->key;
    worker_message_encode (&mail->control, &bytes);
    const struct broker_worker_message message = { .peer = mail->peer,
                                                   .key = { "", 0 },
                                                   .frame_count = 1 + mail->is_reply,
                                                   .control = { (const char *)bytes.data, (uint32_t)bytes.size },
                                                   .passed = mail->is_reply ? &answer : NULL };
    core_worker_message (broker->core, broker->world->now_us, &message);
    buf_free (&bytes);
}

static void
worker_hears (struct world *world, const struct mail *mail)
{
    struct worker *worker = &world->workers[mail->end];
    struct worker_session *session = &worker->sessions[mail->broker];
    if (!worker->is_running || !worker_session_receive (session, world->now_us / 1000, &mail->control))
        return;
    unsigned of_broker = 1;
    for (unsigned i = 0; i < worker->in_hand_count; i++)
        of_broker += worker->in_hand[i].broker == mail->broker;
    cr_assert_leq (of_broker, CREDIT, "seed %llu: over the credit", (unsigned long long)world->seed);
    worker->in_hand[worker->in_hand_count++] =
        (struct in_hand){ mail->broker, mail->control.session, mail->control.dispatch, mail->key };
}

/* What waits in the sockets of who hangs, or on a line that is cut, comes later, in its order. */
static bool
is_held_up (const struct world *world, const struct mail *mail)
{
    bool is_of_client = mail->way == FROM_CLIENT || mail->way == TO_CLIENT;
    bool is_for_broker = mail->way == FROM_CLIENT || mail->way == FROM_WORKER;
    return mail->due_us > world->now_us || (is_of_client && is_cut (world, mail->broker)) ||
           (is_for_broker && world->now_us < world->brokers[mail->broker].stalls_until_us);
}

static void
deliver (struct world *world)
{
    unsigned kept = 0, count = world->mail_count;
    struct mail *due = malloc ((count + 1) * sizeof *due);
    unsigned due_count = 0;
    for (unsigned i = 0; i < count; i++)
        if (is_held_up (world, &world->mail[i]))
            world->mail[kept++] = world->mail[i];
        else
            due[due_count++] = world->mail[i];
    world->mail_count = kept;
    for (unsigned i = 0; i < due_count; i++) {
        const struct mail *mail = &due[i];
        bool is_of_client = mail->way == FROM_CLIENT || mail->way == TO_CLIENT;
        const struct line *lines = is_of_client ? world->clients[mail->end].lines : world->workers[mail->end].lines;
        struct broker *broker = &world->brokers[mail->broker];
        /* What a client sent before it left still arrives. */
        bool is_lost = mail->way == FROM_CLIENT ? mail->peer == 0 : lines[mail->broker].peer != mail->peer;
        if (is_lost || broker->core == NULL)
            continue;
        if (mail->way == FROM_CLIENT)
            broker_hears_client (broker, mail);
        else if (mail->way == FROM_WORKER)
            broker_hears_worker (broker, mail);
        else if (mail->way == TO_CLIENT)
            client_hears (world, mail);
        else
            worker_hears (world, mail);
    }
    free (due);
}

/* --- a world --- */

static void
world_run (struct world *world)
{
    world->begun_us = world->now_us = 1000000;
    for (unsigned i = 0; i < BROKERS; i++)
        world->brokers[i] = (struct broker){ .world = world, .index = i };
    for (unsigned i = 0; i < CLIENTS; i++)
        world->clients[i].broker = (unsigned)draw (world, BROKERS);
    for (; world->now_us < world->begun_us + FAULTS_US + CALM_US; world->now_us += STEP_US) {
        for (unsigned i = 0; i < BROKERS; i++) {
            if (is_calm (world) && world->now_us - world->begun_us < FAULTS_US + STEP_US)
                world->brokers[i].stalls_until_us = world->brokers[i].cut_until_us = 0;
            broker_step (&world->brokers[i]);
        }
        for (unsigned i = 0; i < WORKERS; i++)
            worker_step (world, i);
        for (unsigned i = 0; i < CLIENTS; i++)
            client_step (world, i);
        deliver (world);
    }
    for (unsigned i = 0; i < BROKERS; i++)
        core_destroy (&world->brokers[i].core);
}

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
    const char *text = getenv (variable);
    return text != NULL ? strtoull (text, NULL, 10) : otherwise;
}

Test (broker_pair_sim, each_key_is_done_once_and_each_client_gets_its_answer)
{
    uint64_t only = number_from ("LOYALTY_SIM_SEED", 0);
    uint64_t first = only != 0 ? only : 1, count = only != 0 ? 1 : number_from ("LOYALTY_SIM_SEEDS", 10 * SEEDS) / 10;
    unsigned long long keys = 0, replayed = 0, left = 0;
    struct world *world = malloc (sizeof *world);
    struct mail *mail = malloc (MAIL_MAX * sizeof *mail);
    for (uint64_t seed = first; seed < first + count; seed++) {
        *world = (struct world){ .seed = seed, .random = seed * 0x2545f4914f6cdd1du, .mail = mail };
        world_run (world);
        for (uint64_t key = 1; key <= world->keys; key++)
            cr_assert_eq (world->keys_done[key].effects, 1, "seed %llu: key %llu was done %u times",
                          (unsigned long long)seed, (unsigned long long)key, world->keys_done[key].effects);
        cr_assert_eq (world->answered, world->keys, "seed %llu: %u of %llu were answered", (unsigned long long)seed,
                      world->answered, (unsigned long long)world->keys);
        cr_assert_lt (world->worst_calm_us, NOTICE_US, "seed %llu: %lld us in calm times", (unsigned long long)seed,
                      (long long)world->worst_calm_us);
        keys += world->keys;
        replayed += world->replayed;
        left += world->left;
    }
    cr_log_info ("%llu worlds: %llu requests, %llu of them met their key, brokers were left %llu times",
                 (unsigned long long)count, keys, replayed, left);
    /* A world in which nothing goes wrong proves nothing. */
    cr_expect_gt (replayed, count, "%llu", replayed);
    cr_expect_gt (left, 10 * count, "%llu", left);
    free (mail);
    free (world);
}
