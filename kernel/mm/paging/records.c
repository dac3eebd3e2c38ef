/* Small records cut out of frames. */
#include "mm/paging/records.h"

#include "mm/frames/frames.h"
#include "mm/layout.h"

static bool more_records(struct record_pool *pool)
{
    phys_t address = get_free_page(FRAME_NORMAL | FRAME_ZERO);
    if (!address)
        return false;
    frames_mark(address, 1, PAGE_METADATA);
    struct record_frame *frame = PHYS_TO_VIRT(address);
    frame->next = pool->frames;
    pool->frames = frame;
    uint32_t count = (PAGE_SIZE - sizeof(*frame)) / pool->size;
    for (uint32_t i = 0; i < count; i++)
        list_add_back((struct list_head *)((char *)(frame + 1) + i * pool->size), &pool->spare);
    return true;
}

void *record_take(struct record_pool *pool)
{
    if (list_empty(&pool->spare) && !more_records(pool))
        return NULL;
    struct list_head *record = pool->spare.next;
    list_remove(record);
    return record;
}

void record_return(struct record_pool *pool, void *record)
{
    list_add_front(record, &pool->spare);
}
