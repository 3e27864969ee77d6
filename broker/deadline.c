/* deadline.c - the wheel of timers: setting one and finding those that are due costs the same however many there are.
 *
 * Slots are visited in turn; a timer further away than one turn of the wheel lies in its slot and stays there until
 * its round comes. */
#include "broker/state.h"

void
timer_set (struct core *core, struct request *request, int64_t due_us)
{
    int64_t turn = due_us >> WHEEL_SLOT_SHIFT;
    if (turn < core->wheel_turn)
        turn = core->wheel_turn;
    request->due_us = due_us;
    list_remove (&request->timer);
    list_push_back (&core->wheel[turn % WHEEL_SLOTS], &request->timer);
}

void
request_expire (struct core *core, struct request *request)
{
    if (request->state == REQUEST_IN_WORK) {
        struct worker *worker = request->worker;
        worker->is_suspect = true;
        worker->overdue++;
        core->counters.overdue++;
        request_detach (core, request);
        request_fail (
            core, request, ERROR_WORKER_LOST, 0,
            "worker %s did not answer before the deadline; the outcome is unknown until the request is resent",
            worker->name);
        return;
    }
    bool was_dispatched = request->dispatches > 0;
    request_detach (core, request);
    if (was_dispatched)
        request_fail (core, request, ERROR_WORKER_LOST, 0,
                      "the worker that had the request died, and the deadline passed before another was free");
    else
        request_fail (core, request, ERROR_EXPIRED_DEADLINE, 0, "the deadline passed before a worker was free");
}

void
timers_fire (struct core *core)
{
    int64_t last = core->now_us >> WHEEL_SLOT_SHIFT;
    int64_t turn = last - core->wheel_turn < WHEEL_SLOTS ? core->wheel_turn : last - WHEEL_SLOTS + 1;
    /* What fires can free others of the same slot, so each is taken from the front of a list of its own. */
    for (; turn <= last; turn++) {
        struct list *slot = &core->wheel[turn % WHEEL_SLOTS], timers;
        core->wheel_turn = turn;
        list_move_all (slot, &timers);
        while (!list_empty (&timers)) {
            struct request *request = list_first (&timers, struct request, timer);
            list_remove (&request->timer);
            if (request->due_us > core->now_us)
                list_push_back (slot, &request->timer);
            else
                request_expire (core, request);
        }
    }
}
