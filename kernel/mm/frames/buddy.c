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

/*
 * What follows is the path of every allocation and every free, and most are of one frame. So that
 * the compiler makes a short one for them, all of it is inline, and called with order 0 by itself.
 */
#define ALWAYS_INLINE inline __attribute__((always_inline))

static ALWAYS_INLINE void push_free_block(struct zone *zone, struct page *page, unsigned order)
{
    page->flags = PAGE_FREE;
    page->order = order;
    list_add_back(&page->list, &zone->free_lists[order]);
    zone->free_blocks[order]++;
}

static ALWAYS_INLINE void remove_free_block(struct zone *zone, struct page *page, unsigned order)
{
    list_remove(&page->list);
    zone->free_blocks[order]--;
    page->flags = 0;
    page->order = ORDER_NONE;
}

static ALWAYS_INLINE bool is_free_block(pfn_t frame, unsigned order)
{
    return frame < mem_map_frames && mem_map[frame].flags & PAGE_FREE &&
           mem_map[frame].order == order;
}

/* The block's frames have count 0, no flags and no order. Its buddies are in its zone: order.h. */
static ALWAYS_INLINE void merge_and_push(struct zone *zone, pfn_t frame, unsigned order)
{
    zone->free_frames += 1u << order;
    for (; order < MAX_ORDER && is_free_block(frame ^ 1u << order, order); order++) {
        remove_free_block(zone, &mem_map[frame ^ 1u << order], order);
        frame &= ~(1u << order);
    }
    push_free_block(zone, &mem_map[frame], order);
}

static ALWAYS_INLINE void make_allocated(struct page *page, unsigned order)
{
    for (uint32_t i = 0; i < 1u << order; i++)
        page[i].count = 1;
    page->order = order;
}

/* The lower half is kept, the upper halves become free blocks of their own. */
static ALWAYS_INLINE struct page *take_block(struct zone *zone, unsigned order)
{
    unsigned found = order;
    while (found <= MAX_ORDER && list_empty(&zone->free_lists[found]))
        found++;
    if (found > MAX_ORDER)
        return NULL;
    struct page *page = list_entry(zone->free_lists[found].next, struct page, list);
    remove_free_block(zone, page, found);
    while (found > order) {
        found--;
        push_free_block(zone, page + (1u << found), found);
    }
    make_allocated(page, order);
    zone->free_frames -= 1u << order;
    zone->allocations++;
    return page;
}

static ALWAYS_INLINE phys_t __alloc_pages_core(uint32_t flags, unsigned order)
{
    struct zone *highest = &zones[zone_highest(flags)];
    for (struct zone *zone = highest; order <= MAX_ORDER; zone--) {
        struct page *page = take_block(zone, order);
        if (page)
            return PFN_TO_PHYS(page_to_pfn(page));
        if (zone == zones)
            break;
    }
    highest->failures++;
    return 0;
}

static phys_t buddy_alloc(uint32_t flags, size_t pages)
{
    if (pages == 1)
        return __alloc_pages_core(flags, 0);
    return pages ? __alloc_pages_core(flags, pages_to_order(pages)) : 0;
}

/* Each way to be wrong has its own sentence. */
static _Noreturn void panic_not_allocated(const struct page *page, unsigned order)
{
    pfn_t frame = page_to_pfn(page);
    if (page->flags & PAGE_RESERVED)
        panic("buddy: frame 0x%x freed, which is reserved", frame);
    if (page->count == 0)
        panic("buddy: frame 0x%x freed twice", frame);
    if (page->order == ORDER_NONE)
        panic("buddy: frame 0x%x freed, which is inside a block", frame);
    if (page->order != order)
        panic("buddy: frame 0x%x freed with order %u, allocated with %u", frame, order,
              page->order);
    panic("buddy: frame 0x%x freed with %u users", frame, page->count);
}

/* A reserved frame has no order, nor has one inside a block. */
static ALWAYS_INLINE void __free_pages_core(pfn_t frame, unsigned order)
{
    struct page *page = &mem_map[frame];
    if (page->count != 1 || page->order != order)
        panic_not_allocated(page, order);
    for (uint32_t i = 0; i < 1u << order; i++) {
        page[i].count = 0;
        page[i].flags = 0;
    }
    page->order = ORDER_NONE;
    struct zone *zone = &zones[page->zone];
    zone->frees++;
    merge_and_push(zone, frame, order);
}

static void buddy_free(phys_t address, size_t pages)
{
    pfn_t frame = PHYS_TO_PFN(address);
    if (address % PAGE_SIZE)
        panic("buddy: 0x%08x freed, which is no frame's address", address);
    if (frame >= mem_map_frames)
        panic("buddy: frame 0x%x freed, which is beyond the frame table", frame);
    if (pages == 1)
        __free_pages_core(frame, 0);
    else if (pages > 1)
        __free_pages_core(frame, pages_to_order(pages));
    else
        panic("buddy: frame 0x%x freed as a block of no frames", frame);
}

/*
 * Blocks as large as the run allows at once: the ones, in the order on the lists, that merging
 * after every frame gives, but no block is put on a list only to be taken off again when its buddy
 * comes. With that, a frame would cost 145 instructions more.
 */
static void push_run(pfn_t frame, pfn_t end)
{
    while (frame < end) {
        unsigned order = largest_order(frame, end - frame);
        struct zone *zone = &zones[mem_map[frame].zone];
        zone->managed_frames += 1u << order;
        merge_and_push(zone, frame, order);
        frame += 1u << order;
    }
}

static void buddy_receive(pfn_t first, pfn_t count)
{
    ASSERT(first < mem_map_frames && count <= mem_map_frames - first);
    mem_map_release(first, count);
    push_run(first, first + count);
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
