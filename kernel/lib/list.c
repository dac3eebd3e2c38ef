#include "lib/list.h"

#include "lib/panic.h"

void list_init(struct list_head *head)
{
    head->next = head;
    head->previous = head;
}

bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

static void link_between(struct list_head *node, struct list_head *previous, struct list_head *next)
{
    ASSERT(node->next == NULL && node->previous == NULL);
    ASSERT(previous->next == next && next->previous == previous);
    node->next = next;
    node->previous = previous;
    previous->next = node;
    next->previous = node;
}

void list_add_front(struct list_head *node, struct list_head *head)
{
    link_between(node, head, head->next);
}

void list_add_back(struct list_head *node, struct list_head *head)
{
    link_between(node, head->previous, head);
}

void list_insert_before(struct list_head *node, struct list_head *next)
{
    link_between(node, next->previous, next);
}

void list_remove(struct list_head *node)
{
    ASSERT(node->next != NULL && node->previous != NULL);
    ASSERT(node->next->previous == node && node->previous->next == node);
    node->next->previous = node->previous;
    node->previous->next = node->next;
    node->next = NULL;
    node->previous = NULL;
}
