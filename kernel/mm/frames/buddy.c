/* The buddy allocator: free blocks of 2^order frames, split on allocation and merged on free. */
#include "mm/frames/buddy.h"

#include "lib/panic.h"
#include "mm/layout.h"

struct zone zones[ZONE_COUNT];

void buddy_init(void)
{
    for (unsigned id = 0; id < ZONE_COUNT; id++) {
        zones[id] = (struct zone){0};
        for (unsigned order = 0; order <= MAX_ORDER; order++)
            list_init(&zones[id].free_lists[order]);
    }
}

static void push_free_block(struct page *page, unsigned order)
{
    struct zone *zone = &zones[page->zone];
    page->flags = PAGE_FREE;
    page->order = order;
    list_add_back(&page->list, &zone->free_lists[order]);
    zone->free_blocks[order]++;
    zone->free_frames += 1u << order;
}

static void remove_free_block(struct page *page)
{
    struct zone *zone = &zones[page->zone];
    list_remove(&page->list);
    zone->free_blocks[page->order]--;
    zone->free_frames -= 1u << page->order;
    page->flags = 0;
    page->order = ORDER_NONE;
}

/* The other half of the block of twice the size, when it is free as a whole; else NULL. */
static struct page *free_buddy(const struct page *page, unsigned order)
{
    struct page *buddy = pfn_to_page(page_to_pfn(page) ^ 1u << order);
    bool joins =
        buddy && buddy->zone == page->zone && buddy->flags & PAGE_FREE && buddy->order == order;
    return joins ? buddy : NULL;
}

/* The block's frames have count 0, no flags and no order. */
static void merge_and_push(struct page *page, unsigned order)
{
    struct page *buddy;
    while (order < MAX_ORDER && (buddy = free_buddy(page, order))) {
        remove_free_block(buddy);
        if (buddy < page)
            page = buddy;
        order++;
    }
    push_free_block(page, order);
}

static void make_allocated(struct page *page, unsigned order)
{
    for (uint32_t i = 0; i < 1u << order; i++)
        page[i].count = 1;
    page->order = order;
}

/* The lower half is kept, the upper halves become free blocks of their own. */
static struct page *take_block(struct zone *zone, unsigned order)
{
    unsigned found = order;
    while (found <= MAX_ORDER && list_empty(&zone->free_lists[found]))
        found++;
    if (found > MAX_ORDER)
        return NULL;
    struct page *page = list_entry(zone->free_lists[found].next, struct page, list);
    remove_free_block(page);
    while (found > order) {
        found--;
        push_free_block(page + (1u << found), found);
    }
    make_allocated(page, order);
    zone->allocations++;
    return page;
}

/* The zone to try first; lower ones follow. The narrowest wish counts. */
static enum zone_id highest_zone(uint32_t flags)
{
    if (flags & FRAME_DMA)
        return ZONE_DMA;
    return flags & FRAME_HIGH && !(flags & FRAME_NORMAL) ? ZONE_HIGH : ZONE_NORMAL;
}

struct page *__alloc_pages_core(uint32_t flags, unsigned order)
{
    enum zone_id highest = highest_zone(flags);
    if (order <= MAX_ORDER) {
        for (int id = highest; id >= ZONE_DMA; id--) {
            struct page *page = take_block(&zones[id], order);
            if (page)
                return page;
        }
    }
    zones[highest].failures++;
    return NULL;
}

/* Assumes nothing about the caller: each way to be wrong has its own sentence. */
static void check_allocated(const struct page *page, unsigned order)
{
    pfn_t frame = page_to_pfn(page);
    if (page < mem_map || frame >= mem_map_frames || &mem_map[frame] != page)
        panic("buddy: free of 0x%08x, which is in no frame's descriptor",
              (unsigned)(uintptr_t)page);
    if (page->flags & PAGE_RESERVED)
        panic("buddy: frame 0x%x freed, which is reserved", frame);
    if (page->count == 0)
        panic("buddy: frame 0x%x freed twice", frame);
    if (page->order == ORDER_NONE)
        panic("buddy: frame 0x%x freed, which is inside a block", frame);
    if (page->order != order)
        panic("buddy: frame 0x%x freed with order %u, allocated with %u", frame, order,
              page->order);
    if (page->count != 1)
        panic("buddy: frame 0x%x freed with %u users", frame, page->count);
}

void __free_pages_core(struct page *page, unsigned order)
{
    check_allocated(page, order);
    for (uint32_t i = 0; i < 1u << order; i++) {
        page[i].count = 0;
        page[i].flags = 0;
    }
    page->order = ORDER_NONE;
    zones[page->zone].frees++;
    merge_and_push(page, order);
}

/* The order of the largest block that can begin at `frame` and has at most `frames` frames. */
static unsigned largest_order(pfn_t frame, uint32_t frames)
{
    unsigned order = 0;
    while (order < MAX_ORDER && !(frame & 1u << order) && 2u << order <= frames)
        order++;
    return order;
}

/* No block is in two zones: both borders between them are multiples of the largest. */
_Static_assert(DMA_LIMIT % (PAGE_SIZE << MAX_ORDER) == 0, "a block may cross the end of DMA");
_Static_assert(DIRECT_MAP_SIZE % (PAGE_SIZE << MAX_ORDER) == 0,
               "a block may cross the end of the direct map");

void free_frame_run(struct frame_run *run)
{
    ASSERT(run->end <= mem_map + mem_map_frames);
    while (run->start < run->end) {
        struct page *page = run->start;
        unsigned order = largest_order(page_to_pfn(page), run->end - page);
        zones[page->zone].managed_frames += 1u << order;
        merge_and_push(page, order);
        run->start += 1u << order;
    }
}
