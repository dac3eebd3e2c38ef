/* The boot sequence of the memory manager. */
#include "mm/mm.h"

#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/frames/buddy.h"
#include "mm/paging/areas.h"
#include "mm/paging/paging.h"

/*
 * Each step stands on the ones before it:
 * what RAM there is, then a first allocator for the frame table, then the real allocator of
 * frames, then address space made of frames, then blocks made of both.
 */
void mm_init(void)
{
    firmware_map_init();
    early_init();
    mem_map_reserve();
    paging_reach_low_memory();
    mem_map_init();
    buddy_init();
    early_hand_over();
    paging_init();
    areas_init();
}
