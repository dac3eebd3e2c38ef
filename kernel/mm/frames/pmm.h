#ifndef MM_FRAMES_PMM_H
#define MM_FRAMES_PMM_H

#include "mm/frames/frame_pool.h"

/*
 * A page frame allocator over a bitmap, by next fit: the search goes on behind the last allocation
 * up to the limit, and once more from the bottom. So small holes are not looked at again and again,
 * and allocations spread over all of memory.
 *
 * The second search goes as far as a run can reach that begins below the cursor: no frame is out of
 * reach, wherever the cursor stands. Freeing does not move it.
 */
struct pmm {
    struct frame_pool pool;
    pfn_t cursor; /* behind the last allocation; at most the number of frames */
};

extern struct pmm pmm_frames;

extern const struct frame_allocator pmm_allocator; /* frames=pmm */

/* Every frame is taken, and the cursor at the bottom; frames come by hand-over. */
void pmm_init(void);
/*
 * Pages in a row of the direct map; NULL when there are none, or when `page_count` is 0. The second
 * form zeroes them; otherwise they hold whatever they held. Who holds them is for the caller to
 * note (frames_mark) and to forget (held_clear).
 */
void *pmm_alloc(size_t page_count);
void *pmm_allocz(size_t page_count);
/* Any part of what was allocated. What is not panics: see frame_pool_free. */
void pmm_free(void *pointer, size_t page_count);

#endif
