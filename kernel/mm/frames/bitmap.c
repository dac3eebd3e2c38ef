/* Blocks from a bitmap by first fit. */
#include "mm/frames/bitmap.h"

#include "mm/layout.h"

struct frame_pool bitmap_frames = {.name = "bitmap"};

static void bitmap_reserve(void)
{
    frame_pool_reserve(&bitmap_frames);
}

static void bitmap_init(void)
{
    frame_pool_init(&bitmap_frames);
}

static void bitmap_receive(pfn_t first, pfn_t count)
{
    frame_pool_receive(&bitmap_frames, first, count);
}

static phys_t bitmap_alloc(uint32_t flags, size_t pages)
{
    pfn_t limit = zone_end(zone_highest(flags));
    pfn_t first = frame_bitmap_find(&bitmap_frames.taken, 0, limit, pages);
    return first ? frame_pool_take(&bitmap_frames, first, pages) : 0;
}

static void bitmap_count(struct frame_counts *counts)
{
    frame_pool_count(&bitmap_frames, counts);
}

phys_t bitmap_alloc_block(void)
{
    return bitmap_alloc_blocks(1);
}

phys_t bitmap_alloc_blocks(size_t count)
{
    return bitmap_alloc(FRAME_NORMAL, count);
}

void bitmap_free_block(phys_t block)
{
    bitmap_free_blocks(block, 1);
}

void bitmap_free_blocks(phys_t block, size_t count)
{
    frame_pool_free(&bitmap_frames, block, count);
}

bool bitmap_set_block(phys_t block)
{
    return bitmap_set_blocks(block, 1);
}

bool bitmap_set_blocks(phys_t block, size_t count)
{
    pfn_t first = PHYS_TO_PFN(block);
    bool free = block % PAGE_SIZE == 0 && first > 0 &&
                frame_bitmap_find(&bitmap_frames.taken, first, first + count, count) == first;
    if (free)
        frame_pool_take(&bitmap_frames, first, count);
    return free;
}

bool bitmap_unset_block(phys_t block)
{
    return bitmap_unset_blocks(block, 1);
}

bool bitmap_unset_blocks(phys_t block, size_t count)
{
    pfn_t culprit;
    bool taken = block % PAGE_SIZE == 0 &&
                 !frame_pool_objection(&bitmap_frames, PHYS_TO_PFN(block), count, &culprit);
    if (taken)
        bitmap_free_blocks(block, count);
    return taken;
}

const struct frame_allocator bitmap_allocator = {
    .name = "bitmap",
    .reserve = bitmap_reserve,
    .init = bitmap_init,
    .receive = bitmap_receive,
    .alloc = bitmap_alloc,
    .free = bitmap_free_blocks,
    .count = bitmap_count,
};
