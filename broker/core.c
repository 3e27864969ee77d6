/* core.c - the broker's state machine as a whole: made, ticked, drained, stopped. */
#include "broker/state.h"

#include <stdarg.h>
#include <stdio.h>

enum { ERROR_BODY_BYTES = 2048, REPLY_HEADER_BYTES = 64, WAIT_MS_BUSY = 10, WAIT_MS_IDLE = 100 };

struct core *
core_new (const struct settings *settings, const struct core_output *output, int64_t now_us)
{
    struct core *core = output->allocate (output->context, sizeof *core);
    if (core == NULL)
        return NULL;
    core->settings = *settings;
    core->output = *output;
    core->started_us = core->now_us = core->ticked_us = now_us;
    core->no_worker_us = core->latency_us = core->second_us = now_us;
    core->wheel_turn = now_us >> WHEEL_SLOT_SHIFT;
    list_init (&core->free_requests);
    for (unsigned i = 0; i < CLIENT_STATE_COUNT; i++)
        list_init (&core->clients[i]);
    for (unsigned i = 0; i < ACCOUNT_STATE_COUNT; i++)
        list_init (&core->accounts[i]);
    list_init (&core->limited);
    core->share = UINT32_MAX;
    core->active_second = now_us / ACTIVE_US;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init (&core->wheel[i]);
    rate_reset (core);
    /* From here on a failure can be told to a client even when no memory is left. */
    if (buf_reserve (&core->body, ERROR_BODY_BYTES) == NULL ||
        buf_reserve (&core->header, REPLY_HEADER_BYTES) == NULL ||
        buf_reserve (&core->control, WORKER_CONTROL_BYTES_MAX) == NULL)
        core_destroy (&core);
    return core;
}

void
core_destroy (struct core **core)
{
    if (*core == NULL)
        return;
    struct core_output output = (*core)->output;
    clients_free (*core);
    workers_free (*core);
    buf_free (&(*core)->header);
    buf_free (&(*core)->body);
    buf_free (&(*core)->control);
    output.free (output.context, *core);
    *core = NULL;
}

void
core_advance (struct core *core, int64_t now_us)
{
    if (now_us > core->now_us)
        core->now_us = now_us;
}

void
core_event (struct core *core, enum log_level level, const char *format, ...)
{
    char text[400];
    va_list args;
    if (core->output.event == NULL)
        return;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    core->output.event (core->output.context, level, text);
}

void
core_tick (struct core *core, int64_t now_us)
{
    core_advance (core, now_us);
    workers_tick (core);
    timers_fire (core);
    clients_forget_idle (core);
    accounts_tick (core);
    if (core->no_worker_us != INT64_MAX &&
        core->now_us - core->no_worker_us >= us_of_ms (core->settings.unavailable_after_ms))
        dispatch_give_up (core, ERROR_UNAVAILABLE, "no_worker", "no worker is connected");
    rate_tick (core);
    stats_tick (core);
    dispatch_all (core);
    if (core->is_draining && core->now_us >= core->drain_by_us)
        core_stop (core, now_us);
    core->ticked_us = core->now_us;
}

int
core_wait_ms (const struct core *core)
{
    int64_t wait_ms = core->queued + core->in_flight > 0 ? WAIT_MS_BUSY : WAIT_MS_IDLE;
    return (int)(core->settings.heartbeat_ms < wait_ms ? core->settings.heartbeat_ms : wait_ms);
}

void
core_drain (struct core *core, int64_t now_us)
{
    core_advance (core, now_us);
    if (core->is_draining)
        return;
    core->is_draining = true;
    core->drain_by_us = core->now_us + us_of_ms (core->settings.drain_ms_max);
    core_event (core, LOG_INFO, "draining: %u requests wait, %u are in work", core->queued, core->in_flight);
}

bool
core_is_drained (const struct core *core)
{
    return core->is_draining && core->queued == 0 && core->in_flight == 0;
}

void
core_stop (struct core *core, int64_t now_us)
{
    core_drain (core, now_us);
    core_advance (core, now_us);
    dispatch_give_up (core, ERROR_BUSY, "draining", "the broker stops");
    workers_leave (core);
}

void
core_configure (struct core *core, const struct settings *settings)
{
    core->settings = *settings;
}

struct core_gauges
core_gauges (const struct core *core)
{
    return (struct core_gauges){
        .clients = core->client_count,
        .queued = core->queued,
        .in_flight = core->in_flight,
        .workers = core->worker_count,
        .bytes = core->bytes,
        .draining = core->is_draining,
    };
}
