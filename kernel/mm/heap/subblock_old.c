/* A heap of sub-blocks in blocks of one chunk each, for allocations that fit into one. */
#include "mm/heap/subblock_old.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"

struct subblock_old subblock_old;

static struct subblock_map map_of(struct subblock_old_block *block)
{
    return (struct subblock_map){block->map, SUBBLOCKS_A_CHUNK, SUBBLOCK_OLD_METADATA,
                                 &block->longest};
}

/* A new block at the front of the list, or NULL. */
static struct subblock_old_block *add_block(void)
{
    phys_t frame = get_free_page(FRAME_NORMAL);
    if (!frame)
        return NULL;
    frames_mark(frame, 1, PAGE_HEAP);
    struct subblock_old_block *block = PHYS_TO_VIRT(frame);
    struct subblock_map map = map_of(block);
    subblock_map_init(&map);
    block->free = SUBBLOCK_OLD_MOST;
    block->next = subblock_old.blocks;
    subblock_old.blocks = block;
    subblock_old.statistics.chunks++;
    return block;
}

static void drop_block(struct subblock_old_block **link)
{
    struct subblock_old_block *block = *link;
    *link = block->next;
    subblock_old.statistics.chunks--;
    free_page(VIRT_TO_PHYS(block));
}

static void *alloc_in(struct subblock_old_block *block, uint32_t wanted)
{
    if (block->longest < wanted)
        return NULL;
    struct subblock_map map = map_of(block);
    uint32_t first = subblock_map_alloc(&map, wanted);
    if (!first)
        return NULL;
    block->free -= wanted;
    if (block == subblock_old.spare)
        subblock_old.spare = NULL;
    subblock_old.statistics.live++;
    subblock_old.statistics.used += wanted;
    return (char *)block + first * SUBBLOCK_SIZE;
}

static void *alloc_anywhere(uint32_t wanted)
{
    struct subblock_old_block *block = subblock_old.blocks;
    for (; block; block = block->next) {
        void *found = alloc_in(block, wanted);
        if (found)
            return found;
    }
    block = wanted <= SUBBLOCK_OLD_MOST ? add_block() : NULL;
    return block ? alloc_in(block, wanted) : NULL;
}

static void *old_alloc(size_t size)
{
    if (size == 0)
        return NULL;
    void *found = alloc_anywhere(subblocks_for(size));
    if (!found)
        subblock_old.statistics.failures++;
    return found;
}

/* The pointer that leads to the block around an address; to NULL without one. */
static struct subblock_old_block **find_link(const void *address)
{
    struct subblock_old_block **link = &subblock_old.blocks;
    uintptr_t start = (uintptr_t)address & ~(uintptr_t)(PAGE_SIZE - 1);
    while (*link && (uintptr_t)*link != start)
        link = &(*link)->next;
    return link;
}

static const char *check_in(struct subblock_old_block *block, const void *address)
{
    if (!block)
        return "it lies in no block of the heap";
    struct subblock_map map = map_of(block);
    return subblock_map_check(&map, (uintptr_t)address % PAGE_SIZE);
}

static const char *old_check(const void *address)
{
    return address ? check_in(*find_link(address), address) : NULL;
}

static void settle_empty(struct subblock_old_block **link)
{
    if (subblock_old.spare)
        drop_block(link);
    else
        subblock_old.spare = *link;
}

static void old_free(void *address)
{
    if (!address)
        return;
    struct subblock_old_block **link = find_link(address), *block = *link;
    const char *wrong = check_in(block, address);
    if (wrong)
        panic("subblock-old: 0x%08x freed: %s", (unsigned)(uintptr_t)address, wrong);
    struct subblock_map map = map_of(block);
    uint32_t freed = subblock_map_free(&map, (uintptr_t)address % PAGE_SIZE / SUBBLOCK_SIZE);
    block->free += freed;
    subblock_old.statistics.live--;
    subblock_old.statistics.used -= freed;
    if (block->free == SUBBLOCK_OLD_MOST)
        settle_empty(link);
}

static void old_count(struct heap_counts *counts)
{
    subblock_counts(&subblock_old.statistics, counts);
}

const struct heap subblock_old_heap = {.name = "subblock-old",
                                       .alloc = old_alloc,
                                       .free = old_free,
                                       .check = old_check,
                                       .count = old_count};
