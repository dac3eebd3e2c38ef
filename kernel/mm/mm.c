/* The boot sequence of the memory manager. */
#include "mm/mm.h"

#include "lib/print.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/frames/frames.h"
#include "mm/heap/heap.h"
#include "mm/heap/slab.h"
#include "mm/paging/areas.h"
#include "mm/paging/paging.h"
#include "mm/paging/space.h"

static void choose_parts(void)
{
    early_choose();
    frames_choose();
    heap_choose();
    kprintf("mm: early=%s frames=%s heap=%s\n", early_allocator->name, frame_allocator->name,
            heap->name);
}

/*
 * Each step stands on the ones before it:
 * what RAM there is, then a first allocator for the frame table, then the real allocator of
 * frames, then address space made of frames, then blocks made of both.
 */
void mm_init(void)
{
    choose_parts();
    firmware_map_init();
    early_init();
    frames_reserve();
    paging_reach_low_memory();
    frames_init();
    early_hand_over();
    paging_init();
    spaces_init();
    areas_init();
    slab_init();
    heap_init();
}
