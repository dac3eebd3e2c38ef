/* The buddy allocator: free blocks of 2^order frames, split on allocation and merged on free. */
#include "mm/frames/buddy.h"

#include "lib/panic.h"
#include "mm/layout.h"

struct zone zones[ZONE_COUNT];

static void buddy_init(void)
{
    mem_map_init();
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

struct page *__alloc_pages_core(uint32_t flags, unsigned order)
{
    enum zone_id highest = zone_highest(flags);
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

/*
 * Blocks as large as the run allows at once: the ones, in the order on the lists, that merging
 * after every frame gives, but no block is put on a list only to be taken off again when its buddy
 * comes. With that, a frame would cost 145 instructions more.
 */
static void push_run(pfn_t frame, pfn_t end)
{
    while (frame < end) {
        struct page *page = &mem_map[frame];
        unsigned order = largest_order(frame, end - frame);
        zones[page->zone].managed_frames += 1u << order;
        merge_and_push(page, order);
        frame += 1u << order;
    }
}

static void buddy_receive(pfn_t first, pfn_t count)
{
    ASSERT(first < mem_map_frames && count <= mem_map_frames - first);
    for (struct page *page = &mem_map[first]; page < &mem_map[first + count]; page++) {
        ASSERT(page->flags == PAGE_RESERVED && page->count == 1);
        page->count = 0;
        page->flags = 0;
    }
    push_run(first, first + count);
}

static phys_t buddy_alloc(uint32_t flags, size_t pages)
{
    struct page *page = pages ? __alloc_pages_core(flags, pages_to_order(pages)) : NULL;
    return page ? PFN_TO_PHYS(page_to_pfn(page)) : 0;
}

static void buddy_free(phys_t address, size_t pages)
{
    struct page *page = pfn_to_page(PHYS_TO_PFN(address));
    if (address % PAGE_SIZE)
        panic("buddy: 0x%08x freed, which is no frame's address", address);
    if (!page)
        panic("buddy: frame 0x%x freed, which is beyond the frame table", PHYS_TO_PFN(address));
    if (pages == 0)
        panic("buddy: frame 0x%x freed as a block of no frames", PHYS_TO_PFN(address));
    __free_pages_core(page, pages_to_order(pages));
}

static size_t buddy_granted(size_t pages)
{
    return pages ? (size_t)1 << pages_to_order(pages) : 0;
}

static void buddy_mark(phys_t address, size_t granted, enum page_flag use)
{
    struct page *first = pfn_to_page(PHYS_TO_PFN(address));
    for (size_t i = 0; i < granted; i++)
        first[i].flags |= use;
}

static void buddy_count(struct frame_counts *counts)
{
    *counts = (struct frame_counts){0};
    for (unsigned id = 0; id < ZONE_COUNT; id++) {
        counts->managed += zones[id].managed_frames;
        counts->free += zones[id].free_frames;
        for (unsigned order = 0; order <= MAX_ORDER; order++) {
            if (zones[id].free_blocks[order] && counts->largest < 1u << order)
                counts->largest = 1u << order;
        }
    }
}

const struct frame_allocator buddy_allocator = {
    .name = "buddy",
    .reserve = mem_map_reserve,
    .init = buddy_init,
    .receive = buddy_receive,
    .alloc = buddy_alloc,
    .free = buddy_free,
    .granted = buddy_granted,
    .mark = buddy_mark,
    .count = buddy_count,
};
