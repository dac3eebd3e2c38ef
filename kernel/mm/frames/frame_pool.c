/* Frames that are kept in a bitmap, whichever of them is chosen next. */
#include "mm/frames/frame_pool.h"

#include "lib/panic.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/layout.h"

void frame_pool_reserve(struct frame_pool *pool)
{
    pfn_t frames = firmware_map_end();
    size_t pages = PAGES_FOR(2 * frame_bitmap_words(frames) * sizeof(uint32_t));
    pool->taken.words = early_alloc_contiguous(pages);
    if (!pool->taken.words)
        refuse("no room for the bitmaps of frames: %u free KiB in a row below 896 MiB are needed",
               (unsigned)(pages * (PAGE_SIZE / 1024)));
    pool->taken.frames = frames;
}

void frame_pool_init(struct frame_pool *pool)
{
    pfn_t frames = pool->taken.frames;
    frame_bitmap_init(&pool->taken, pool->taken.words, frames);
    frame_bitmap_init(&pool->reserved, pool->taken.words + frame_bitmap_words(frames), frames);
}

void frame_pool_receive(struct frame_pool *pool, pfn_t first, pfn_t count)
{
    frame_bitmap_release(&pool->reserved, first, count);
    frame_bitmap_release(&pool->taken, first, count);
}

phys_t frame_pool_take(struct frame_pool *pool, pfn_t first, size_t count)
{
    frame_bitmap_take(&pool->taken, first, count);
    return PFN_TO_PHYS(first);
}

const char *frame_pool_objection(const struct frame_pool *pool, pfn_t first, size_t count,
                                 pfn_t *culprit)
{
    pfn_t frames = pool->taken.frames;
    *culprit = first;
    if (count == 0)
        return " as a run of no frames";
    if (first >= frames)
        return ", which is beyond the end of memory";
    pfn_t end = count <= frames - first ? first + count : frames;
    *culprit = frame_bitmap_next_taken(&pool->reserved, first, end);
    if (*culprit < end)
        return ", which is reserved";
    *culprit = frame_bitmap_next_free(&pool->taken, first, end);
    if (*culprit < end)
        return " twice";
    return count > end - first ? ", which is beyond the end of memory" : NULL;
}

void frame_pool_free(struct frame_pool *pool, phys_t address, size_t count)
{
    pfn_t first = PHYS_TO_PFN(address), culprit;
    if (address % PAGE_SIZE)
        panic("%s: 0x%08x freed, which is no frame's address", pool->name, address);
    const char *objection = frame_pool_objection(pool, first, count, &culprit);
    if (objection)
        panic("%s: frame 0x%x freed%s", pool->name, culprit, objection);
    frame_bitmap_release(&pool->taken, first, count);
}

void frame_pool_count(const struct frame_pool *pool, struct frame_counts *counts)
{
    counts->managed = pool->reserved.free;
    counts->free = pool->taken.free;
    counts->largest = frame_bitmap_longest(&pool->taken);
}
