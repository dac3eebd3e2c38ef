#ifndef MM_FRAMES_FRAME_POOL_H
#define MM_FRAMES_FRAME_POOL_H

#include "mm/frames/frame_bitmap.h"
#include "mm/frames/frames.h"

/*
 * What the two allocators over a bitmap share: all but which run of free frames they choose.
 *
 * One bitmap tells which frames are taken. That cannot tell an allocated frame from one that is
 * never given out (no RAM, the image, boot information, records, frame 0): a second one does, so
 * that none of those can be freed. Sizes of allocations are not kept: any part of a run may be
 * freed by itself, and frames that some other caller holds as well.
 */
struct frame_pool {
    const char *name;
    struct frame_bitmap taken;
    struct frame_bitmap reserved; /* 1 = never handed over; 0 = managed */
};

/*
 * Both bitmaps lie in one run of frames from the early allocator, as long as RAM makes them: 4 GiB
 * take 256 KiB. As variables they would take that in every boot, whichever allocator is chosen,
 * and of a machine of 2 MiB an eighth.
 */
void frame_pool_reserve(struct frame_pool *pool);
void frame_pool_init(struct frame_pool *pool);
void frame_pool_receive(struct frame_pool *pool, pfn_t first, pfn_t count);

/* Take free frames; the address of the first. */
phys_t frame_pool_take(struct frame_pool *pool, pfn_t first, size_t count);
/*
 * Why frames cannot be freed, in words that go behind "frame 0x… freed", and the first frame of
 * which that is true; NULL when they can.
 */
const char *frame_pool_objection(const struct frame_pool *pool, pfn_t first, size_t count,
                                 pfn_t *culprit);
/* Panics on an address within a frame, and with the objection when there is one. */
void frame_pool_free(struct frame_pool *pool, phys_t address, size_t count);

void frame_pool_count(const struct frame_pool *pool, struct frame_counts *counts);

#endif
