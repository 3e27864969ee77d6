/* own.c - what the broker answers by itself: a sign of life, its figures, and being told to drain. Of all bodies these are
 * the only ones that it reads. */
#include "broker/state.h"
#include "wire/msgpack.h"

#include <string.h>

enum { BODY_MEMORY_BYTES = 16384 };

_Static_assert((int)WORKER_NAME_BYTES_MAX >= (int)WIRE_NAME_MAX, "a name in a request fits");

/* The worker that a body of admin.drain names into `name`, empty when it names none. -1: `failure` says what is wrong. */
static int
read_drain (struct str body, char name[WORKER_NAME_BYTES_MAX + 1], struct error *failure)
{
    struct arena *arena = arena_new (BODY_MEMORY_BYTES);
    const struct wire_record *record =
        arena != NULL ? wire_decode (&SCHEMA_ADMIN_DRAIN, body, 0, arena, failure) : NULL;
    if (arena == NULL)
        error_set (failure, ERROR_BUSY, "no memory to read the request");
    struct str worker = { "", 0 };
    if (record != NULL && record->fields[F_ADMIN_DRAIN_WORKER].present)
        worker = record->fields[F_ADMIN_DRAIN_WORKER].text; /* of WIRE_NAME_MAX bytes at most, by its schema */
    memcpy (name, worker.data, worker.size);
    name[worker.size] = '\0';
    int status = record != NULL ? 0 : -1;
    arena_destroy (&arena);
    return status;
}

static int
drain (struct core *core, const struct client_message *message, struct error *failure)
{
    char name[WORKER_NAME_BYTES_MAX + 1];
    if (read_drain (message->body, name, failure) != 0)
        return -1;
    unsigned count = name[0] != '\0' ? workers_stop (core, name) : 0;
    if (name[0] != '\0' && count == 0)
        return error_set (failure, ERROR_NOT_FOUND, "no worker with the name \"%s\" is connected", name);
    if (name[0] == '\0')
        core_drain (core, core->now_us);
    buf_clear (&core->body);
    wire_write_map (&core->body, 2);
    wire_write_cstr (&core->body, "ok");
    wire_write_bool (&core->body, true);
    wire_write_cstr (&core->body, "result");
    wire_write_map (&core->body, 2);
    wire_write_cstr (&core->body, "draining");
    wire_write_bool (&core->body, true);
    wire_write_cstr (&core->body, "workers");
    wire_write_uint (&core->body, count);
    return 0;
}

void
own_answer (struct core *core, const struct client_message *message, const struct request_header *header,
            const struct method *method)
{
    struct error failure;
    int status = 0;
    if (method == &METHOD_TABLE[METHOD_ADMIN_PING])
        ping_encode (core);
    else if (method == &METHOD_TABLE[METHOD_ADMIN_DRAIN])
        status = drain (core, message, &failure);
    else
        stats_encode (core);
    if (status == 0 && core->body.failed)
        status = error_set (&failure, ERROR_BUSY, "no memory for the answer");
    if (status == 0)
        reply_result (core, message->peer, header->id);
    else
        reply_failure (core, message->peer, header->id, &failure, RETRY_MS_UNKNOWN);
}
