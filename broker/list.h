/* list.h - intrusive doubly linked lists: an object is in the list of its state, and leaving one costs nothing. */
#ifndef BROKER_LIST_H
#define BROKER_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head, or a member's place in it. A member that is in no list points to itself. */
struct list {
    struct list *prev, *next;
};

static inline void
list_init (struct list *list)
{
    list->prev = list->next = list;
}

static inline bool
list_empty (const struct list *list)
{
    return list->next == list;
}

static inline void
list_insert (struct list *after, struct list *member)
{
    member->prev = after;
    member->next = after->next;
    after->next->prev = member;
    after->next = member;
}

static inline void
list_push_front (struct list *list, struct list *member)
{
    list_insert (list, member);
}

static inline void
list_push_back (struct list *list, struct list *member)
{
    list_insert (list->prev, member);
}

static inline void
list_remove (struct list *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    list_init (member);
}

/* Moves all members to the (empty) list `to`. */
static inline void
list_move_all (struct list *from, struct list *to)
{
    list_init (to);
    if (list_empty (from))
        return;
    *to = *from;
    to->prev->next = to->next->prev = to;
    list_init (from);
}

/* The object whose member `field` is at `place`. */
#define list_object(place, type, field) ((type *)(void *)((char *)(place)-offsetof (type, field)))
#define list_first(list, type, field) list_object ((list)->next, type, field)
#define list_last(list, type, field) list_object ((list)->prev, type, field)

#endif
