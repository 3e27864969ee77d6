/* liveness.c - see liveness.h. */
#include "liveness.h"

void
liveness_begin (struct liveness *liveness, int64_t now_ms)
{
    *liveness = (struct liveness){ .looked_ms = now_ms };
}

void
liveness_heard (struct liveness *liveness, int64_t now_ms)
{
    liveness->looked_ms = now_ms;
    liveness->quiet_ms = 0;
    liveness->is_asked = false;
}

enum liveness_verdict
liveness_look (struct liveness *liveness, int64_t now_ms, bool is_waiting, unsigned patience_ms, unsigned rounds)
{
    int64_t step_ms = now_ms - liveness->looked_ms;
    bool was_waiting = liveness->is_waiting;
    liveness->looked_ms = now_ms;
    liveness->is_waiting = is_waiting;
    if (!is_waiting || !was_waiting)
        return LIVENESS_FINE;
    liveness->quiet_ms += (unsigned)(step_ms < LIVENESS_STEP_MS_MAX ? step_ms : LIVENESS_STEP_MS_MAX);
    unsigned doublings = rounds < LIVENESS_DOUBLINGS_MAX ? rounds : LIVENESS_DOUBLINGS_MAX;
    if (liveness->quiet_ms < patience_ms << doublings)
        return LIVENESS_FINE;
    liveness->quiet_ms = 0;
    if (liveness->is_asked)
        return LIVENESS_SILENT;
    liveness->is_asked = true;
    return LIVENESS_ASK;
}
