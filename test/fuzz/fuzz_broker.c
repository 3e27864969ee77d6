/* fuzz_broker.c - any bytes as what clients and workers send to the broker's core, and when.
 *
 * The input is a script of steps: a byte that says what happens, a byte that says at which connection, and for raw
 * messages a length and as many bytes. Well-formed steps lie among the raw ones, so that nonsense also meets sessions
 * that are open and requests that are in work. Whatever comes, the bounds hold, what the core sends can be read, and
 * at the end every frame and all memory has been given back. */
#include "broker/core.h"
#include "net/worker_protocol.h"
#include "wire/envelope.h"
#include "wire/method.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum { PEERS = 8, STEPS_MAX = 2000, LAST_MAX = 16 };

struct world {
    struct core *core;
    struct settings settings;
    int64_t now_us;
    long memory_count;
    unsigned held_count, allocations;
    unsigned gone_peer; /* sends there fail; 0: none */
    uint64_t granted[PEERS];
    struct {
        uint64_t peer, session, dispatch;
    } last[LAST_MAX]; /* dispatches, the newest over the oldest */
    unsigned last_count;
    uint64_t id;
};

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

static enum sent
to_client (void *context, uint64_t peer, struct str header, struct str body, void *passed)
{
    const struct world *world = context;
    uint64_t id;
    bool ok;
    struct str result;
    struct error failure, err;
    int64_t retry_ms;
    require (reply_header_decode (header, &id, &err) == 0);
    if (passed == NULL)
        require (reply_body_decode (body, &ok, &result, &failure, &retry_ms, &err) == 0);
    return peer == world->gone_peer ? SENT_GONE : SENT;
}

static enum sent
to_worker (void *context, uint64_t peer, struct str control, void *frames)
{
    struct world *world = context;
    struct worker_message message;
    require (worker_message_decode (control, frames != NULL ? 2 : 0, false, &message, NULL) == 0);
    if (peer == world->gone_peer)
        return SENT_GONE;
    if (message.kind == MESSAGE_DISPATCH) {
        unsigned at = world->last_count++ % LAST_MAX;
        world->last[at].peer = peer;
        world->last[at].session = message.session;
        world->last[at].dispatch = message.dispatch;
    }
    return SENT;
}

static void
release (void *context, void *frames)
{
    struct world *world = context;
    world->held_count--;
    free (frames);
}

static void *
allocate (void *context, size_t size)
{
    struct world *world = context;
    if (++world->allocations % 13 == 0)
        return NULL;
    world->memory_count++;
    return calloc (1, size);
}

static void
release_memory (void *context, void *memory)
{
    struct world *world = context;
    world->memory_count -= memory != NULL;
    free (memory);
}

static void
client_message (struct world *world, uint64_t peer, struct str header, unsigned frame_count, uint32_t body_size)
{
    struct client_message message = { .peer = peer,
                                      .roles = peer % 2 ? ROLES_ANY : ROLE_TILL,
                                      .user = STR ("somebody"),
                                      .frame_count = frame_count,
                                      .header = header,
                                      .body_size = body_size };
    if (frame_count == 2 && body_size % 5 != 4) {
        message.frames = malloc (1);
        world->held_count++;
    }
    core_client_message (world->core, world->now_us, &message);
}

static void
worker_message (struct world *world, uint64_t peer, struct str control, struct str payload, unsigned frame_count)
{
    const struct broker_worker_message message = {
        .peer = peer,
        .frame_count = frame_count,
        .control = control,
        .payload = payload,
        .passed = frame_count > 1 ? world : NULL,
    };
    core_worker_message (world->core, world->now_us, &message);
}

static void
good_request (struct world *world, uint64_t peer, uint32_t ttl_ms)
{
    struct buf bytes = { 0 };
    const struct request_header header = {
        .version = PROTOCOL_VERSION,
        .id = ++world->id,
        .method = str_of (METHOD_TABLE[world->id % METHOD_COUNT].name),
        .ttl_ms = ttl_ms + 1,
        .affinity = ttl_ms % 4,
    };
    request_header_encode (&header, &bytes);
    client_message (world, peer, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, 2, ttl_ms * 10);
    buf_free (&bytes);
}

static void
good_message (struct world *world, uint64_t peer, struct worker_message message)
{
    struct buf bytes = { 0 };
    bool is_reply = message.kind == MESSAGE_REPLY;
    worker_message_encode (&message, &bytes);
    worker_message (world, peer, (struct str){ (const char *)bytes.data, (uint32_t)bytes.size }, STR ("answer"),
                    is_reply ? 2 : 1);
    buf_free (&bytes);
}

/* Takes as many bytes as the next one says, or as are left. */
static struct str
take (const uint8_t **at, const uint8_t *end)
{
    if (*at == end)
        return (struct str){ "", 0 };
    size_t size = *(*at)++;
    if (size > (size_t)(end - *at))
        size = (size_t)(end - *at);
    struct str bytes = { (const char *)*at, (uint32_t)size };
    *at += size;
    return bytes;
}

static void
step (struct world *world, uint8_t what, uint8_t where, const uint8_t **at, const uint8_t *end)
{
    unsigned peer = 1 + where % (PEERS - 1);
    uint64_t session = 1 + where / PEERS;
    struct str first, second;
    switch (what % 12) {
    case 0:
        first = take (at, end);
        client_message (world, peer, first, where % 4, where * 10000u);
        break;
    case 1:
        first = take (at, end);
        second = take (at, end);
        worker_message (world, peer, first, second, where % 4);
        break;
    case 2:
        world->now_us += where * INT64_C (20000);
        core_tick (world->core, world->now_us);
        break;
    case 3:
    case 4:
        good_request (world, peer, where * 20u);
        break;
    case 5:
        good_message (world, peer,
                      (struct worker_message){ .kind = MESSAGE_HELLO, .session = session, .granted = where % 5 });
        break;
    case 6:
        world->granted[peer] += where % 8;
        good_message (
            world, peer,
            (struct worker_message){ .kind = MESSAGE_GRANT, .session = session, .granted = world->granted[peer] });
        break;
    case 7:
        if (world->last_count > 0) {
            unsigned which = where % (world->last_count < LAST_MAX ? world->last_count : LAST_MAX);
            good_message (world, world->last[which].peer,
                          (struct worker_message){ .kind = MESSAGE_REPLY,
                                                   .session = world->last[which].session,
                                                   .dispatch = world->last[which].dispatch });
        }
        break;
    case 8:
        good_message (world, peer, (struct worker_message){ .kind = MESSAGE_GOODBYE, .session = session });
        break;
    case 9:
        good_message (world, peer, (struct worker_message){ .kind = MESSAGE_DRAIN, .session = session });
        break;
    case 10:
        world->gone_peer = where % PEERS;
        break;
    default:
        if (where == 255)
            core_drain (world->core, world->now_us);
        break;
    }
}

static void
check (const struct world *world)
{
    struct core_gauges gauges = core_gauges (world->core);
    require (gauges.queued + gauges.in_flight <= world->settings.requests_max);
    require (gauges.queued + gauges.in_flight == world->held_count);
    require (gauges.bytes <= (uint64_t)world->settings.request_mib_max << 20);
    require (gauges.clients <= world->settings.clients_max && gauges.workers <= world->settings.workers_max);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    struct world world = { .now_us = 1000000 };
    const struct core_output output = { &world, to_client, to_worker, release, NULL, allocate, release_memory };
    const uint8_t *at = data, *end = data + size;
    settings_default (&world.settings);
    world.settings.clients_max = 5;
    world.settings.client_requests_max = 20;
    world.settings.requests_max = 50;
    world.settings.request_mib_max = 4;
    world.settings.workers_max = 4;
    world.core = core_new (&world.settings, &output, world.now_us);
    require (world.core != NULL);
    for (unsigned steps = 0; end - at >= 2 && steps < STEPS_MAX; steps++) {
        uint8_t what = *at++, where = *at++;
        step (&world, what, where, &at, end);
        check (&world);
    }
    if (size % 2)
        core_stop (world.core, world.now_us);
    core_destroy (&world.core);
    require (world.held_count == 0 && world.memory_count == 0);
    return 0;
}
