/* queue.c - clients, the queue of each, and the slabs that requests live in. Whose clients they are: account.c. */
#include "broker/state.h"

#include <string.h>

static struct client **
bucket_of (struct core *core, uint64_t peer)
{
    return &core->buckets[(peer * 0x9e3779b97f4a7c15u) >> 50];
}

_Static_assert(CLIENT_BUCKETS == 1 << (64 - 50), "bucket_of takes the top bits");

struct client *
client_find (struct core *core, uint64_t peer)
{
    struct client *client = *bucket_of (core, peer);
    while (client != NULL && client->peer != peer)
        client = client->chain;
    return client;
}

static void
client_forget (struct core *core, struct client *client)
{
    struct client **place = bucket_of (core, client->peer);
    while (*place != client)
        place = &(*place)->chain;
    *place = client->chain;
    list_remove (&client->link);
    core->busy_count -= client->state == CLIENT_BUSY;
    core->client_count--;
    account_leave (core, client);
    core->output.free (core->output.context, client);
}

static struct client *
client_new (struct core *core, uint64_t peer)
{
    if (core->client_count >= core->settings.clients_max) {
        if (list_empty (&core->clients[CLIENT_IDLE]))
            return NULL;
        client_forget (core, list_first (&core->clients[CLIENT_IDLE], struct client, link));
    }
    struct client *client = core->output.allocate (core->output.context, sizeof *client);
    if (client == NULL)
        return NULL;
    struct client **bucket = bucket_of (core, peer);
    client->peer = peer;
    client->chain = *bucket;
    *bucket = client;
    client->state = CLIENT_IDLE;
    client->idle_us = core->now_us;
    list_init (&client->queue);
    list_push_back (&core->clients[CLIENT_IDLE], &client->link);
    core->client_count++;
    account_init (&client->own);
    client->own.peer = peer;
    account_join (core, &client->own, client);
    return client;
}

struct client *
client_of (struct core *core, uint64_t peer, struct str user)
{
    struct client *client = client_find (core, peer);
    if (client == NULL)
        client = client_new (core, peer);
    if (client == NULL)
        return NULL;
    const struct account *known = client->account;
    if (str_equal (user, (struct str){ known->user, known->user_size }))
        return client;
    /* A key has one name; but the file of keys can give it another while the connection stands. */
    struct account *account = user.size > 0 ? account_of_user (core, user) : &client->own;
    if (account == NULL)
        return NULL;
    account_leave (core, client);
    account_join (core, account, client);
    return client;
}

static void request_drop (struct core *core, struct request *request);

/* Work for a connection that is gone helps nobody: whoever was there resends over a new one. What a worker
 * has already is left to it. */
static void
client_abandon (struct core *core, struct client *client)
{
    while (!list_empty (&client->queue)) {
        struct request *request = list_first (&client->queue, struct request, link);
        request_detach (core, request);
        request_drop (core, request);
        core->counters.abandoned++;
    }
}

void
client_settle (struct core *core, struct client *client, bool first)
{
    if (client->is_gone) {
        client_abandon (core, client);
        if (client->held == 0) {
            client_forget (core, client);
            return;
        }
    }
    enum client_state state = client->queued > 0 ? CLIENT_BUSY : client->held > 0 ? CLIENT_WAITING : CLIENT_IDLE;
    if (state != client->state) {
        struct list *clients = state == CLIENT_BUSY ? &client->account->busy : &core->clients[state];
        core->busy_count += (state == CLIENT_BUSY) - (client->state == CLIENT_BUSY);
        client->state = state;
        client->idle_us = core->now_us;
        list_remove (&client->link);
        if (first)
            list_push_front (clients, &client->link);
        else
            list_push_back (clients, &client->link);
    }
    account_settle (core, client->account, first);
}

struct client *
client_next (struct core *core)
{
    if (list_empty (&core->accounts[ACCOUNT_TURN]))
        return NULL;
    const struct account *account = list_first (&core->accounts[ACCOUNT_TURN], struct account, link);
    return list_first (&account->busy, struct client, link);
}

void
clients_forget_idle (struct core *core)
{
    struct list *idle = &core->clients[CLIENT_IDLE];
    while (!list_empty (idle)) {
        struct client *client = list_first (idle, struct client, link);
        if (core->now_us - client->idle_us < us_of_ms (core->settings.client_idle_ms) ||
            client->own.full_ns > core->now_us * 1000)
            return;
        client_forget (core, client);
    }
}

/* One more slab's requests become free. */
static bool
slab_add (struct core *core)
{
    if (core->slab_count == SLABS_MAX)
        return false;
    struct request *slab = core->output.allocate (core->output.context, SLAB_REQUESTS * sizeof *slab);
    if (slab == NULL)
        return false;
    for (uint32_t i = 0; i < SLAB_REQUESTS; i++) {
        slab[i].slot = core->slab_count * SLAB_REQUESTS + i;
        list_init (&slab[i].timer);
        list_push_back (&core->free_requests, &slab[i].link);
    }
    core->slabs[core->slab_count++] = slab;
    return true;
}

/* Counts a request that comes or goes. */
static void
count (struct core *core, const struct request *request, int direction)
{
    struct client *client = request->client;
    int64_t bytes = direction * (int64_t)request->bytes;
    client->held += (uint32_t)direction;
    client->account->held += (uint32_t)direction;
    client->bytes += (uint64_t)bytes;
    client->account->bytes += (uint64_t)bytes;
    core->bytes += (uint64_t)bytes;
}

struct request *
request_new (struct core *core, struct client *client, const struct client_message *message)
{
    if (list_empty (&core->free_requests) && !slab_add (core))
        return NULL;
    struct request *request = list_first (&core->free_requests, struct request, link);
    list_remove (&request->link);
    request->client = client;
    request->worker = NULL;
    request->frames = message->frames;
    request->bytes = message->header.size + message->body_size;
    request->roles = message->roles;
    request->dispatches = 0;
    request->dispatch = 0;
    request->user_size = (uint8_t)(message->user.size <= WORKER_NAME_BYTES_MAX ? message->user.size : 0);
    if (request->user_size > 0)
        memcpy (request->user, message->user.data, request->user_size);
    count (core, request, 1);
    return request;
}

static void
request_drop (struct core *core, struct request *request)
{
    core->output.release (core->output.context, request->frames);
    count (core, request, -1);
    /* The last to be freed is the first to be used again: its memory is still in the cache. */
    list_push_front (&core->free_requests, &request->link);
}

void
request_free (struct core *core, struct request *request)
{
    struct client *client = request->client;
    request_drop (core, request);
    client_settle (core, client, false);
}

void
request_wait (struct core *core, struct request *request, bool first)
{
    struct client *client = request->client;
    request->state = REQUEST_WAITING;
    if (first)
        list_push_front (&client->queue, &request->link);
    else
        list_push_back (&client->queue, &request->link);
    client->queued++;
    client->account->queued++;
    core->queued++;
    timer_set (core, request, request->deadline_us);
    client_settle (core, client, first);
}

void
request_work (struct core *core, struct request *request, struct worker *worker)
{
    request->state = REQUEST_IN_WORK;
    request->worker = worker;
    list_push_back (&worker->requests, &request->link);
    worker->in_flight++;
    core->in_flight++;
    timer_set (core, request, request->deadline_us + us_of_ms (core->settings.grace_ms));
    /* Its turn is taken: whoever else waits comes before its next request. */
    struct client *client = request->client;
    struct account *account = client->account;
    if (client->queued > 0) {
        list_remove (&client->link);
        list_push_back (&account->busy, &client->link);
    }
    if (account->queued > 0) {
        list_remove (&account->link);
        list_push_back (&core->accounts[account->state], &account->link);
    }
    client_settle (core, client, false);
}

void
request_detach (struct core *core, struct request *request)
{
    list_remove (&request->link);
    list_remove (&request->timer);
    if (request->state == REQUEST_WAITING) {
        request->client->queued--;
        request->client->account->queued--;
        core->queued--;
    } else if (request->state == REQUEST_IN_WORK) {
        request->worker->in_flight--;
        request->worker = NULL;
        core->in_flight--;
    }
    request->state = REQUEST_FREE;
}

struct request *
request_by_dispatch (struct core *core, uint64_t dispatch)
{
    uint32_t slot = (uint32_t)(dispatch & ((1u << SLOT_BITS) - 1));
    if (slot / SLAB_REQUESTS >= core->slab_count)
        return NULL;
    struct request *request = &core->slabs[slot / SLAB_REQUESTS][slot % SLAB_REQUESTS];
    return request->state == REQUEST_IN_WORK && request->dispatch == dispatch ? request : NULL;
}

void
clients_free (struct core *core)
{
    for (uint32_t i = 0; i < core->slab_count; i++) {
        for (uint32_t j = 0; j < SLAB_REQUESTS; j++)
            if (core->slabs[i][j].state != REQUEST_FREE)
                core->output.release (core->output.context, core->slabs[i][j].frames);
        core->output.free (core->output.context, core->slabs[i]);
    }
    for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
        while (core->buckets[i] != NULL)
            client_forget (core, core->buckets[i]);
    accounts_free (core);
}
