#ifndef MM_FRAMES_BUDDY_H
#define MM_FRAMES_BUDDY_H

#include "mm/frames/page.h"

/* An enum, so that it stands in the debug information. */
enum { MAX_ORDER = 10 };

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

/* The first frame of a block of 2^order frames, or NULL. Its frames have count 1. */
struct page *__alloc_pages_core(uint32_t flags, unsigned order);
void __free_pages_core(struct page *page, unsigned order);
/* The order of the smallest block that holds so many frames; above MAX_ORDER when none does. */
unsigned pages_to_order(size_t pages);

#endif
