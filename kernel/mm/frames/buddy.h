#ifndef MM_FRAMES_BUDDY_H
#define MM_FRAMES_BUDDY_H

#include "mm/frames/order.h"
#include "mm/frames/page.h"

struct zone {
    struct list_head free_lists[MAX_ORDER + 1];
    uint32_t free_blocks[MAX_ORDER + 1]; /* population of each list */
    uint32_t free_frames;
    uint32_t managed_frames; /* ever handed to this zone */
    uint32_t allocations, frees, failures;
};

extern struct zone zones[ZONE_COUNT];

/* A number of pages is rounded up to a power of two. */
extern const struct frame_allocator buddy_allocator;

#endif
