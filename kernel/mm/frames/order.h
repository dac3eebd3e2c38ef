#ifndef MM_FRAMES_ORDER_H
#define MM_FRAMES_ORDER_H

#include "mm/layout.h"

/*
 * What the buddy allocators have in common: a block of order n has 2^n frames and begins at a
 * multiple of its size. Its buddy is the other half of the block of order n + 1.
 */

/* An enum, so that it stands in the debug information. */
enum { MAX_ORDER = 10 };

/* No block is in two zones: both borders between them are multiples of the largest. */
_Static_assert(DMA_LIMIT % (PAGE_SIZE << MAX_ORDER) == 0, "a block may cross the end of DMA");
_Static_assert(DIRECT_MAP_SIZE % (PAGE_SIZE << MAX_ORDER) == 0,
               "a block may cross the end of the direct map");

/* The order of the smallest block that holds so many frames; above MAX_ORDER when none does. */
static inline unsigned pages_to_order(size_t pages)
{
    unsigned order = 0;
    while (order <= MAX_ORDER && (size_t)1 << order < pages)
        order++;
    return order;
}

/* The order of the largest block that can begin at `frame` and has at most `frames` frames. */
static inline unsigned largest_order(pfn_t frame, uint32_t frames)
{
    unsigned order = 0;
    while (order < MAX_ORDER && !(frame & 1u << order) && 2u << order <= frames)
        order++;
    return order;
}

#endif
