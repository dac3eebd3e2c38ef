/* Operations on the frame allocator and the heap. */
#include "mm/frames/frames.h"
#include "mm/heap/heap.h"
#include "tape/action.h"

#define FRAME_FLAGS (TAPE_DMA | TAPE_NORMAL | TAPE_HIGH | TAPE_ZERO)
_Static_assert(TAPE_DMA == (int)FRAME_DMA && TAPE_NORMAL == (int)FRAME_NORMAL &&
                   TAPE_HIGH == (int)FRAME_HIGH && TAPE_ZERO == (int)FRAME_ZERO,
               "the flags of a tape are those of the frame interface");

TAPE_ACTION(TAPE_FRAMES_ALLOC, frames_alloc, TAPE_GIVES, TAPE_PHYSICAL)
{
    uint32_t flags = operation->flags & FRAME_FLAGS;

    return operation->size == 1 ? get_free_page(flags) : get_free_pages(flags, operation->size);
}

TAPE_ACTION(TAPE_FRAMES_FREE, frames_free, TAPE_TAKES, TAPE_PHYSICAL)
{
    if (operation->size == 1)
        free_page(value);
    else
        free_pages(value, operation->size);
    return 0;
}

TAPE_ACTION(TAPE_HEAP_ALLOC, heap_alloc, TAPE_GIVES, TAPE_VIRTUAL)
{
    return (uint32_t)(uintptr_t)heap_alloc(operation->size);
}

TAPE_ACTION(TAPE_HEAP_FREE, heap_free, TAPE_TAKES, TAPE_VIRTUAL)
{
    heap_free((void *)(uintptr_t)value);
    return 0;
}
