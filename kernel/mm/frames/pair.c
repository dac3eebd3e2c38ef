/* The pair-bitmap buddy: splitting on allocation, merging on free, and what may be freed. */
#include "mm/frames/pair.h"

#include "lib/panic.h"
#include "mm/frames/pair_list.h"
#include "mm/frames/pair_map.h"
#include "mm/layout.h"

buddy_t buddies[ZONE_COUNT];

static inline phys_t align_down(phys_t address, unsigned order)
{
    return address & -(PAGE_SIZE << order);
}

static void merge_and_push(buddy_t *buddy, phys_t block, unsigned order)
{
    while (order < buddy->max_order && pair_bit(buddy, block, order)) {
        pair_remove(buddy, block ^ PAGE_SIZE << order, order);
        order++;
        block = align_down(block, order);
    }
    pair_push(buddy, block, order);
}

/* The lower half is kept, the upper halves become free blocks of their own. 0 without any. */
static phys_t take_block(buddy_t *buddy, unsigned order)
{
    unsigned found = order;
    while (found <= buddy->max_order && !buddy->free_lists[found])
        found++;
    if (found > buddy->max_order)
        return 0;
    phys_t block = buddy->free_lists[found];
    pair_remove(buddy, block, found);
    while (found > order) {
        found--;
        pair_push(buddy, block + (PAGE_SIZE << found), found);
    }
    buddy->allocations++;
    return block;
}

static phys_t pair_alloc(uint32_t flags, size_t pages)
{
    unsigned order = pages_to_order(pages);
    enum zone_id highest = zone_highest(flags);
    for (int id = highest; id >= ZONE_DMA && pages; id--) {
        phys_t block = take_block(&buddies[id], order);
        if (block)
            return block;
    }
    buddies[highest].failures++;
    return 0;
}

static void check_no_free_block(const buddy_t *buddy, phys_t address, unsigned order)
{
    struct buddy_node node;
    phys_t block = align_down(address, order);
    pfn_t frame = PHYS_TO_PFN(address), first = PHYS_TO_PFN(block);
    if (!pair_manages(first) || !pair_node(buddy, block, &node) || node.order != order)
        return;
    if (block == address)
        panic("pair: frame 0x%x freed twice", frame);
    panic("pair: frame 0x%x freed, which is inside the free block of order %u at frame 0x%x", frame,
          order, first);
}

/*
 * A frame that is free, by itself or within a larger block, must not come back once more. The bits
 * rule most orders out: 0 means that neither this block nor its buddy is free. Where there is a 1
 * and the block is not free, its buddy is, and so nothing larger that holds both.
 */
static void check_not_free(const buddy_t *buddy, phys_t address)
{
    unsigned order = 0;
    while (order < buddy->max_order && !pair_bit(buddy, address, order))
        order++;
    check_no_free_block(buddy, address, order);
}

/* Assumes nothing about the caller: each way to be wrong that shows has its own sentence. */
static void check_frame(phys_t address, size_t pages)
{
    pfn_t frame = PHYS_TO_PFN(address);
    if (address % PAGE_SIZE)
        panic("pair: 0x%08x freed, which is no frame's address", address);
    if (pages == 0)
        panic("pair: frame 0x%x freed as a block of no frames", frame);
    if (!pair_manages(frame))
        panic("pair: frame 0x%x freed, which was never managed", frame);
    check_not_free(buddy_of(address), address);
}

/* What can be wrong with the frames behind the first one, too. */
static void check_block(phys_t address, size_t pages, unsigned order)
{
    pfn_t frame = PHYS_TO_PFN(address);
    if (order > MAX_ORDER)
        panic("pair: frame 0x%x freed as a block of %u frames, which is larger than any", frame,
              (unsigned)pages);
    if (address != align_down(address, order))
        panic("pair: frame 0x%x freed with order %u, but no such block begins there", frame, order);
    pfn_t end = pair_managed_end(frame, 1u << order);
    if (end < frame + (1u << order))
        panic("pair: frame 0x%x freed with order %u, but frame 0x%x was never managed", frame,
              order, end);
    if (pair_any_within(buddy_of(address), address, order))
        panic("pair: frame 0x%x freed with order %u, but a part of that is free", frame, order);
}

static void pair_free(phys_t address, size_t pages)
{
    unsigned order = pages_to_order(pages);
    check_frame(address, pages);
    if (order > 0)
        check_block(address, pages, order);
    buddy_t *buddy = buddy_of(address);
    buddy->frees++;
    merge_and_push(buddy, address, order);
}

/* No block is in two zones: the borders between them are multiples of the largest. */
static void pair_receive(pfn_t first, pfn_t count)
{
    pair_manage(first, count);
    while (count > 0) {
        unsigned order = largest_order(first, count);
        buddy_t *buddy = buddy_of(PFN_TO_PHYS(first));
        buddy->managed_frames += 1u << order;
        merge_and_push(buddy, PFN_TO_PHYS(first), order);
        first += 1u << order;
        count -= 1u << order;
    }
}

static uint32_t largest_free_run(const buddy_t *buddy)
{
    for (unsigned order = buddy->max_order + 1; order-- > 0;) {
        if (buddy->free_lists[order])
            return 1u << order;
    }
    return 0;
}

static void pair_count(struct frame_counts *counts)
{
    *counts = (struct frame_counts){0};
    for (enum zone_id id = ZONE_DMA; id < ZONE_COUNT; id++) {
        uint32_t largest = largest_free_run(&buddies[id]);
        counts->managed += buddies[id].managed_frames;
        counts->free += buddies[id].free_frames;
        if (largest > counts->largest)
            counts->largest = largest;
    }
}

static size_t pair_granted(size_t pages)
{
    return pages ? (size_t)1 << pages_to_order(pages) : 0;
}

const struct frame_allocator pair_allocator = {
    .name = "pair",
    .reserve = pair_map_reserve,
    .init = pair_map_clear,
    .receive = pair_receive,
    .alloc = pair_alloc,
    .free = pair_free,
    .granted = pair_granted,
    .count = pair_count,
};
