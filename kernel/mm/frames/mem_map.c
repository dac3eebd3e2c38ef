#include "lib/panic.h"
#include "mm/early/bootmem.h"
#include "mm/firmware_map.h"
#include "mm/frames/page.h"
#include "mm/layout.h"

struct page *mem_map;
pfn_t mem_map_frames;

static enum zone_id zone_of(pfn_t frame)
{
    if (frame < PHYS_TO_PFN(DMA_LIMIT))
        return ZONE_DMA;
    return frame < PHYS_TO_PFN(DIRECT_MAP_SIZE) ? ZONE_NORMAL : ZONE_HIGH;
}

/* At most 16 MiB: 2^20 frames of 16 bytes. Holes have descriptors too, reserved for ever. */
void mem_map_reserve(void)
{
    mem_map_frames = firmware_map_end();
    size_t pages = (mem_map_frames * sizeof(struct page) + PAGE_SIZE - 1) / PAGE_SIZE;
    mem_map = bootmem_alloc_contiguous(pages);
    if (!mem_map)
        refuse("no room for the frame table: %u free KiB in a row below 896 MiB are needed",
               (unsigned)(pages * (PAGE_SIZE / 1024)));
}

void mem_map_init(void)
{
    for (pfn_t frame = 0; frame < mem_map_frames; frame++)
        mem_map[frame] = (struct page){
            .count = 1, .flags = PAGE_RESERVED, .order = ORDER_NONE, .zone = zone_of(frame)};
}

void pages_mark(struct page *first, uint32_t frames, enum page_flag use)
{
    for (uint32_t i = 0; i < frames; i++)
        first[i].flags |= use;
}
