/* Frames from a bitmap by next fit. */
#include "mm/frames/pmm.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mm/layout.h"

struct pmm pmm_frames = {.pool.name = "pmm"};

static void pmm_reserve(void)
{
    frame_pool_reserve(&pmm_frames.pool);
}

void pmm_init(void)
{
    frame_pool_init(&pmm_frames.pool);
    pmm_frames.cursor = 0;
}

static void pmm_receive(pfn_t first, pfn_t count)
{
    frame_pool_receive(&pmm_frames.pool, first, count);
}

/* The next `count` free frames in a row below `limit`, or 0. */
static pfn_t find_next(pfn_t limit, size_t count)
{
    const struct frame_bitmap *taken = &pmm_frames.pool.taken;
    pfn_t cursor = pmm_frames.cursor < limit ? pmm_frames.cursor : limit;
    pfn_t first = frame_bitmap_find(taken, cursor, limit, count);
    if (first || count == 0)
        return first;
    pfn_t reach = count <= limit - cursor ? cursor + count - 1 : limit;
    return frame_bitmap_find(taken, 0, reach, count);
}

static phys_t pmm_alloc_frames(uint32_t flags, size_t pages)
{
    pfn_t first = find_next(zone_end(zone_highest(flags)), pages);
    if (!first)
        return 0;
    pmm_frames.cursor = first + pages;
    return frame_pool_take(&pmm_frames.pool, first, pages);
}

static void pmm_free_frames(phys_t address, size_t pages)
{
    frame_pool_free(&pmm_frames.pool, address, pages);
}

static void pmm_count(struct frame_counts *counts)
{
    frame_pool_count(&pmm_frames.pool, counts);
}

void *pmm_alloc(size_t page_count)
{
    phys_t address = pmm_alloc_frames(FRAME_NORMAL, page_count);
    return address ? PHYS_TO_VIRT(address) : NULL;
}

void *pmm_allocz(size_t page_count)
{
    void *pages = pmm_alloc(page_count);
    return pages ? memset(pages, 0, page_count * PAGE_SIZE) : NULL;
}

void pmm_free(void *pointer, size_t page_count)
{
    uintptr_t virtual = (uintptr_t)pointer;
    if (virtual - KERNEL_BASE >= DIRECT_MAP_SIZE || virtual % PAGE_SIZE)
        panic("pmm: 0x%08x freed, which is no page of the direct map", (unsigned)virtual);
    pmm_free_frames(VIRT_TO_PHYS(pointer), page_count);
}

const struct frame_allocator pmm_allocator = {
    .name = "pmm",
    .reserve = pmm_reserve,
    .init = pmm_init,
    .receive = pmm_receive,
    .alloc = pmm_alloc_frames,
    .free = pmm_free_frames,
    .count = pmm_count,
};
