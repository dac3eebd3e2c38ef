#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/panic.h"
#include "lib/types.h"

/*
 * A circular doubly linked list. The head is a node without an element; an empty list's head
 * points to itself. A node that is on no list has both pointers NULL (list_remove sees to it),
 * so that a node removed twice or linked twice is caught by an assertion.
 */
struct list_head {
    struct list_head *next;
    struct list_head *previous;
};

#define LIST_INITIALISER(name)         {&(name), &(name)}
#define list_entry(node, type, member) container_of(node, type, member)
#define list_for_each(node, head)                                                                  \
    for (struct list_head *node = (head)->next; node != (head); node = node->next)

static inline void list_init(struct list_head *head)
{
    head->next = head;
    head->previous = head;
}

static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

static inline void list_link(struct list_head *node, struct list_head *previous,
                             struct list_head *next)
{
    ASSERT(node->next == NULL && node->previous == NULL);
    ASSERT(previous->next == next && next->previous == previous);
    node->next = next;
    node->previous = previous;
    previous->next = node;
    next->previous = node;
}

static inline void list_add_front(struct list_head *node, struct list_head *head)
{
    list_link(node, head, head->next);
}

static inline void list_add_back(struct list_head *node, struct list_head *head)
{
    list_link(node, head->previous, head);
}

static inline void list_insert_before(struct list_head *node, struct list_head *next)
{
    list_link(node, next->previous, next);
}

static inline void list_remove(struct list_head *node)
{
    ASSERT(node->next != NULL && node->previous != NULL);
    ASSERT(node->next->previous == node && node->previous->next == node);
    node->next->previous = node->previous;
    node->previous->next = node->next;
    node->next = NULL;
    node->previous = NULL;
}

#endif
