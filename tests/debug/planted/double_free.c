/* A frame is given back that is still behind a block of the heap. */
#include "mm/frames/frames.h"
#include "mm/heap/kmalloc.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"
#include "plants.h"

void plant_double_free(void)
{
    phys_t frame = 0;
    uint32_t flags;

    paging_translate((uintptr_t)kmalloc(100) & -PAGE_SIZE, &frame, &flags);
    free_page(frame); /* CULPRIT */
}
