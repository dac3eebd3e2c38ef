#ifndef LIB_LIST_H
#define LIB_LIST_H

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

#define LIST_INITIALISER(name)          {&(name), &(name)}
#define list_entry(node, type, member)  container_of(node, type, member)
#define list_for_each(node, head)                                                                  \
    for (struct list_head *node = (head)->next; node != (head); node = node->next)

void list_init(struct list_head *head);
bool list_empty(const struct list_head *head);
void list_add_front(struct list_head *node, struct list_head *head);
void list_add_back(struct list_head *node, struct list_head *head);
void list_insert_before(struct list_head *node, struct list_head *next);
void list_remove(struct list_head *node);

#endif
