/* Clearing a range of a bitmap goes one bit too far: that frame is somebody else's. */
#include "lib/panic.h"
#include "mm/frames/bitmap.h"
#include "mm/layout.h"
#include "plants.h"

static void clear(uint32_t *words, pfn_t first, size_t count)
{
    for (pfn_t frame = first; frame <= first + count; frame++)
        words[frame / 32] &= ~(1u << frame % 32); /* CULPRIT */
}

void plant_bitmap_off_by_one(void)
{
    phys_t two = get_free_pages(0, 2);
    ASSERT(two);
    frames_mark(two, 2, PAGE_HELD);
    clear(bitmap_frames.taken.words, PHYS_TO_PFN(two), 1);
}
