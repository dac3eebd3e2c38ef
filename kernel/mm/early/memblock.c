/* The bump allocator: each free region has a cursor that only ever goes up. */
#include "mm/early/memblock.h"

#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/early/boot_ranges.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"

#define ROUND_UP(address, align)   (((address) + (align) - 1) & ~((uint64_t)(align) - 1))
#define ROUND_DOWN(address, align) ((address) & ~((uint64_t)(align) - 1))

static struct memblock instance;
struct memblock *memblock;

static struct memblock *alive(void)
{
    if (!memblock)
        panic("memblock: called before memblock_init or after its hand-over");
    return memblock;
}

static void insert_region(uint32_t index, uint64_t start, uint64_t cursor, uint64_t end)
{
    struct memblock_region *place = &instance.regions[index];
    ASSERT(instance.count < MEMBLOCK_MAX);
    memmove(place + 1, place, (instance.count - index) * sizeof(*place));
    *place = (struct memblock_region){start, cursor, end};
    instance.count++;
}

static void remove_region(uint32_t index)
{
    struct memblock_region *place = &instance.regions[index];
    instance.count--;
    memmove(place, place + 1, (instance.count - index) * sizeof(*place));
}

static void add_usable(void)
{
    for (uint32_t i = 0; i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        uint64_t start = (uint64_t)region->start * PAGE_SIZE;
        if (region->type == MEMORY_USABLE)
            insert_region(instance.count, start, start, (uint64_t)region->end * PAGE_SIZE);
    }
}

/* Replace region `index`, nothing of which has been given out, by what start..end leaves of it. */
static void cut_region(uint32_t index, uint64_t start, uint64_t end)
{
    struct memblock_region whole = instance.regions[index];
    remove_region(index);
    if (end < whole.end)
        insert_region(index, end, end, whole.end);
    if (whole.start < start)
        insert_region(index, whole.start, whole.start, start);
}

/* Reservations overlap each other and reach beyond RAM. Downwards: a cut moves what is above. */
static void reserve_range(pfn_t first, pfn_t behind)
{
    uint64_t start = (uint64_t)first * PAGE_SIZE, end = (uint64_t)behind * PAGE_SIZE;
    for (uint32_t i = instance.count; i-- > 0;) {
        if (start < instance.regions[i].end && instance.regions[i].start < end)
            cut_region(i, start, end);
    }
}

static uint32_t free_frames(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < instance.count; i++)
        bytes += instance.regions[i].end - instance.regions[i].start;
    return bytes / PAGE_SIZE;
}

static void memblock_init(void)
{
    add_usable();
    boot_ranges_for_each(reserve_range);
    memblock = &instance;
    kprintf("mm: memblock: %u frames free in %u regions\n", free_frames(), instance.count);
}

/*
 * Take `size` bytes at `place`, at or above the cursor of region `index`. Whole frames between
 * the two stay free, as a region of their own: that may be a zone's worth. False when there is no
 * room to note them; less than a frame is lost as padding.
 */
static bool bump(uint32_t index, uint64_t place, size_t size)
{
    struct memblock_region *region = &instance.regions[index];
    uint64_t cut = ROUND_DOWN(place, PAGE_SIZE);
    if (ROUND_UP(region->cursor, PAGE_SIZE) < cut) {
        if (instance.count == MEMBLOCK_MAX)
            return false;
        insert_region(index, region->start, region->cursor, cut);
        region = &instance.regions[index + 1];
        region->start = cut;
    }
    region->cursor = place + size;
    return true;
}

/* First fit in the direct map at or above `floor`. */
static void *alloc_above(uint64_t floor, size_t size, size_t align)
{
    for (uint32_t i = 0; i < instance.count; i++) {
        const struct memblock_region *region = &instance.regions[i];
        uint64_t end = region->end < DIRECT_MAP_SIZE ? region->end : DIRECT_MAP_SIZE;
        uint64_t place = ROUND_UP(region->cursor > floor ? region->cursor : floor, align);
        if (place + size <= end && bump(i, place, size))
            return PHYS_TO_VIRT(place);
    }
    return NULL;
}

void *memblock_alloc(size_t size, size_t align)
{
    alive();
    if (align == 0 || (align & (align - 1)))
        panic("memblock: alignment %u, which is no power of two", (unsigned)align);
    if (size == 0)
        return NULL;
    void *address = alloc_above(DMA_LIMIT, size, align);
    return address ? address : alloc_above(0, size, align);
}

void *memblock_alloc_page(void)
{
    return memblock_alloc(PAGE_SIZE, PAGE_SIZE);
}

/* More than the direct map cannot be had, and may be more bytes than a size_t counts. */
static void *memblock_alloc_contiguous(size_t pages)
{
    alive();
    return pages > PHYS_TO_PFN(DIRECT_MAP_SIZE) ? NULL
                                                : memblock_alloc(pages * PAGE_SIZE, PAGE_SIZE);
}

/* The frame in which the cursor stands has been given out in part, and stays. */
static void memblock_hand_over(void)
{
    struct frame_run run = {0};
    alive();
    for (uint32_t i = 0; i < instance.count; i++) {
        const struct memblock_region *region = &instance.regions[i];
        pfn_t first = ROUND_UP(region->cursor, PAGE_SIZE) / PAGE_SIZE;
        frame_run_add(&run, first, region->end / PAGE_SIZE - first);
    }
    frame_run_end(&run);
    memblock = NULL;
}

const struct early_allocator memblock_allocator = {
    .name = "memblock",
    .init = memblock_init,
    .alloc_page = memblock_alloc_page,
    .alloc_contiguous = memblock_alloc_contiguous,
    .hand_over = memblock_hand_over,
};
