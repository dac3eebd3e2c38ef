#ifndef MM_FRAMES_BUDDY_H
#define MM_FRAMES_BUDDY_H

#include "lib/panic.h"
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

/* Where a frame may come from; with none of the three: normal, then DMA. */
enum frame_flag {
    FRAME_DMA = 1 << 0,    /* DMA only */
    FRAME_NORMAL = 1 << 1, /* direct map: normal, then DMA */
    FRAME_HIGH = 1 << 2,   /* anywhere: high, then normal, then DMA */
    FRAME_ZERO = 1 << 3,   /* contents zeroed */
};

void buddy_init(void);

/* The first frame of a block of 2^order frames, or NULL. Its frames have count 1. */
struct page *__alloc_pages_core(uint32_t flags, unsigned order);
void __free_pages_core(struct page *page, unsigned order);
/* The order of the smallest block that holds so many frames; above MAX_ORDER when none does. */
unsigned pages_to_order(size_t pages);

/*
 * Physical addresses, 0 on failure (frame 0 is never handed out). Physical, not pointers, because
 * a high frame has no address in the kernel. A count is rounded up to a power of two.
 * Freeing what is not allocated, or with another size, panics and says which frame.
 */
phys_t get_free_page(uint32_t flags);
phys_t get_free_pages(uint32_t flags, size_t pages);
void free_page(phys_t address);
void free_pages(phys_t address, size_t pages);

/*
 * Frames that are being handed over. The early allocator gives them one by one and upwards; as long
 * as each follows the one before, they wait here, and blocks are made of them once the run's end is
 * known. That gives the blocks, and their order on the lists, that merging after every frame gives,
 * but no block is put on a list only to be taken off again when its buddy comes. With that, a frame
 * would cost 145 instructions more.
 */
struct frame_run {
    struct page *start, *end; /* the end is exclusive; {0} at first */
};

/* Make free blocks of the run's frames; it is empty then. The last step of a hand-over. */
void free_frame_run(struct frame_run *run);

/* Hand over one reserved frame, from the early allocator: it is managed from now on. */
static inline void __free_page(struct page *page, struct frame_run *run)
{
    ASSERT(page->flags == PAGE_RESERVED && page->count == 1);
    page->count = 0;
    page->flags = 0;
    if (page != run->end) {
        free_frame_run(run);
        run->start = page;
    }
    run->end = page + 1;
}

#endif
