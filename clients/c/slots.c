/* slots.c - see slots.h. */
#include "slots.h"

#include <stdlib.h>

static void
append (struct slots *slots, struct slot *slot, enum list_name list)
{
    uint32_t index = (uint32_t)(slot - slots->all), last = slots->lists[list].last;
    slot->list = list;
    slot->next = NOBODY;
    slot->previous = last;
    if (last == NOBODY)
        slots->lists[list].first = index;
    else
        slots->all[last].next = index;
    slots->lists[list].last = index;
    slots->lists[list].count++;
}

static void
take_out (struct slots *slots, struct slot *slot)
{
    enum list_name list = slot->list;
    if (slot->previous == NOBODY)
        slots->lists[list].first = slot->next;
    else
        slots->all[slot->previous].next = slot->next;
    if (slot->next == NOBODY)
        slots->lists[list].last = slot->previous;
    else
        slots->all[slot->next].previous = slot->previous;
    slots->lists[list].count--;
}

int
slots_init (struct slots *slots, uint32_t count)
{
    slots->all = calloc (count, sizeof *slots->all);
    if (slots->all == NULL)
        return -1;
    slots->count = count;
    for (int list = 0; list < LIST_COUNT; list++)
        slots->lists[list].first = slots->lists[list].last = NOBODY;
    for (uint32_t i = 0; i < count; i++)
        append (slots, &slots->all[i], LIST_FREE);
    return 0;
}

void
slots_free (struct slots *slots)
{
    for (uint32_t i = 0; i < slots->count; i++)
        if (slots->all[i].id != 0)
            slots_release (slots, &slots->all[i]);
    free (slots->all);
}

struct slot *
slots_first (struct slots *slots, enum list_name list)
{
    uint32_t first = slots->lists[list].first;
    return first == NOBODY ? NULL : &slots->all[first];
}

struct slot *
slots_next (struct slots *slots, const struct slot *slot)
{
    return slot->next == NOBODY ? NULL : &slots->all[slot->next];
}

void
slots_move (struct slots *slots, struct slot *slot, enum list_name list)
{
    take_out (slots, slot);
    append (slots, slot, list);
}

struct slot *
slots_take (struct slots *slots)
{
    struct slot *slot = slots_first (slots, LIST_FREE);
    if (slot == NULL)
        return NULL;
    slots_move (slots, slot, LIST_TELLING);
    slot->id = ++slots->sequence * slots->count + (uint64_t)(slot - slots->all);
    slot->attempts = slot->silences = 0;
    slot->ok = slot->outcome_unknown = false;
    slot->result = slot->details = (struct str){ NULL, 0 };
    slot->error.code = LOYALTY_OK;
    zmq_msg_init (&slot->body);
    zmq_msg_init (&slot->reply);
    return slot;
}

void
slots_release (struct slots *slots, struct slot *slot)
{
    zmq_msg_close (&slot->body);
    zmq_msg_close (&slot->reply);
    slot->id = 0;
    slots_move (slots, slot, LIST_FREE);
}

struct slot *
slots_by_id (struct slots *slots, uint64_t id)
{
    struct slot *slot = &slots->all[id % slots->count];
    return id != 0 && slot->id == id ? slot : NULL;
}
