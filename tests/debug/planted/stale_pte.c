/* A frame is given back, but a page of user space still leads to it. */
#include "mm/frames/frames.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"
#include "plants.h"

void plant_stale_pte(void)
{
    phys_t frame = get_free_page(FRAME_NORMAL);

    frames_mark(frame, 1, PAGE_HELD);
    paging_map(USER_START + 0x400000, frame, PTE_WRITABLE | PTE_USER); /* CULPRIT */
    free_page(frame);
}
