#ifndef MM_FRAMES_PAIR_LIST_H
#define MM_FRAMES_PAIR_LIST_H

#include "mm/frames/pair.h"

/*
 * The pair-bitmap buddy's free lists: nodes in the free blocks, linked by physical addresses. Below
 * the direct map's end a node is reached by a pointer, beyond it through the window.
 */

/* Make the frames at `block` a free block, the first on its list. */
void pair_push(buddy_t *buddy, phys_t block, unsigned order);
/* Take a free block off its list, wherever on it. A node that was overwritten panics. */
void pair_remove(buddy_t *buddy, phys_t block, unsigned order);
/*
 * Copy the node of the free block that begins at this managed frame. False when none begins there,
 * or when the node is not properly linked.
 */
bool pair_node(const buddy_t *buddy, phys_t block, struct buddy_node *node);

#endif
