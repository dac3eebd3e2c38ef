/* The frame table: taken from the early allocator, all frames reserved at first. */
#include "lib/panic.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/frames/page.h"
#include "mm/layout.h"

struct page *mem_map;
pfn_t mem_map_frames;

/* At most 16 MiB: 2^20 frames of 16 bytes. Holes have descriptors too, reserved for ever. */
void mem_map_reserve(void)
{
    mem_map_frames = firmware_map_end();
    size_t pages = PAGES_FOR(mem_map_frames * sizeof(struct page));
    mem_map = early_alloc_contiguous(pages);
    if (!mem_map)
        refuse("no room for the frame table: %u free KiB in a row below 896 MiB are needed",
               (unsigned)(pages * (PAGE_SIZE / 1024)));
}

static void reserve_frames(pfn_t start, pfn_t end, enum zone_id zone)
{
    for (pfn_t frame = start; frame < end; frame++)
        mem_map[frame] =
            (struct page){.count = 1, .flags = PAGE_RESERVED, .order = ORDER_NONE, .zone = zone};
}

void mem_map_init(void)
{
    pfn_t start = 0;
    for (enum zone_id zone = ZONE_DMA; zone < ZONE_COUNT; zone++) {
        pfn_t end = zone_end(zone) < mem_map_frames ? zone_end(zone) : mem_map_frames;
        reserve_frames(start, end, zone);
        start = end;
    }
}

void mem_map_release(pfn_t first, pfn_t count)
{
    for (struct page *page = &mem_map[first]; page < &mem_map[first + count]; page++) {
        ASSERT(page->flags == PAGE_RESERVED && page->count == 1);
        page->count = 0;
        page->flags = 0;
    }
}
