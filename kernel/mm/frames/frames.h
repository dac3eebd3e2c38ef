#ifndef MM_FRAMES_FRAMES_H
#define MM_FRAMES_FRAMES_H

#include "lib/types.h"
#include "mm/frames/zone.h"

/* What the kernel knows of a frame. An enum, so that debuggers and decoders see the names. */
enum page_flag {
    PAGE_RESERVED = 1 << 0, /* never the allocator's: not RAM, image, boot information, metadata */
    PAGE_FREE = 1 << 1,     /* first frame of a free block, on the free list of its order */
    PAGE_TABLE = 1 << 2,    /* a page directory or table */
    PAGE_HEAP = 1 << 3,     /* behind a heap's block */
    PAGE_METADATA = 1 << 4, /* the memory manager's own records */
    PAGE_HELD = 1 << 5,     /* given to a caller of the frame interface */
    PAGE_SLAB = 1 << 6,     /* a slab of objects */
    PAGE_USER = 1 << 7,     /* behind a page of user space */
};

struct frame_counts {
    uint32_t managed; /* ever handed over to it */
    uint32_t free;
    uint32_t largest; /* frames of the largest request that would succeed now */
};

/* An allocator of frames. All have one interface to the rest of the kernel, further down. */
struct frame_allocator {
    const char *name; /* frames=NAME on the command line */
    /* Take room for its records out of the early allocator, before anything smaller cuts that up;
     * nothing above BOOT_MAP_SIZE can be reached yet. */
    void (*reserve)(void);
    /* Fill them, once low memory is reachable: every frame is reserved. */
    void (*init)(void);
    /* A run of frames that were reserved is handed over, and free from now on. */
    void (*receive)(pfn_t first, pfn_t count);
    /* The address of contiguous frames, 0 on failure. FRAME_ZERO is seen to by its caller. */
    phys_t (*alloc)(uint32_t flags, size_t pages);
    /* What is not allocated so panics, with a sentence of its own for each way to be wrong. */
    void (*free)(phys_t address, size_t pages);
    /* How many frames a request for so many takes; NULL: no more than that. */
    size_t (*granted)(size_t pages);
    /* Note what allocated frames are used for; NULL: it keeps no such note, see held.h. */
    void (*mark)(phys_t address, size_t granted, enum page_flag use);
    void (*count)(struct frame_counts *counts);
};

/* The one in charge, chosen by frames_choose for good. */
extern const struct frame_allocator *frame_allocator;

/* Choose by frames=NAME or the preset; the buddy allocator without either. */
void frames_choose(void);
/* Take its records out of the early allocator; fill them once they can be reached. */
void frames_reserve(void);
void frames_init(void);

/*
 * Contiguous frames: physical addresses, 0 on failure (frame 0 is never handed out). Physical, not
 * pointers, because a high frame has no address in the kernel. Freeing what is not allocated, or
 * with another number of pages, panics and says which frame.
 */
phys_t get_free_page(uint32_t flags);
phys_t get_free_pages(uint32_t flags, size_t pages);
void free_page(phys_t address);
void free_pages(phys_t address, size_t pages);
/* Frames that get_free_pages(flags, pages) takes: allocators may round up. */
size_t frames_granted(size_t pages);
/* Note what frames are used for, of a block that get_free_pages gave for so many pages. */
void frames_mark(phys_t address, size_t pages, enum page_flag use);

/*
 * Frames that are being handed over, upwards: as long as each piece follows the one before, they
 * wait here, and are handed over as one run once its end is known.
 */
struct frame_run {
    pfn_t start, end; /* the end is exclusive; {0} at first */
};

/* Hand over what waits; the run is empty then. The last step of a hand-over. */
void frame_run_end(struct frame_run *run);

/* Add frames that have been reserved until now. */
static inline void frame_run_add(struct frame_run *run, pfn_t first, pfn_t count)
{
    if (first != run->end) {
        frame_run_end(run);
        run->start = first;
    }
    run->end = first + count;
}

#endif
