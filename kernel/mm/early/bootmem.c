/* The first allocator: one bit a frame, in use until the frame table stands. */
#include "mm/early/bootmem.h"

#include "boot/boot_tables.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/early/boot_ranges.h"
#include "mm/firmware_map.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"

#define WORD_BITS 32

static struct bootmem instance;
struct bootmem *bootmem;

static uint32_t bitmap_words(void)
{
    return (instance.frames + WORD_BITS - 1) / WORD_BITS;
}

static uint32_t bitmap_pages(void)
{
    return PAGES_FOR(bitmap_words() * sizeof(uint32_t));
}

static pfn_t bitmap_frame(void)
{
    return PHYS_TO_PFN(VIRT_TO_PHYS(instance.bitmap));
}

static struct bootmem *alive(void)
{
    if (!bootmem)
        panic("bootmem: called before bootmem_init or after bootmem_free_all");
    return bootmem;
}

static bool frame_taken(pfn_t frame)
{
    return instance.bitmap[frame / WORD_BITS] & 1u << frame % WORD_BITS;
}

static void release_frame(pfn_t frame)
{
    instance.bitmap[frame / WORD_BITS] &= ~(1u << frame % WORD_BITS);
    instance.free++;
}

static void take_frame(pfn_t frame)
{
    instance.bitmap[frame / WORD_BITS] |= 1u << frame % WORD_BITS;
    instance.free--;
}

/* The bits of start's word that lie in start..end. */
static uint32_t word_mask(pfn_t start, pfn_t end)
{
    uint32_t mask = ~0u << start % WORD_BITS;
    if (end / WORD_BITS == start / WORD_BITS)
        mask &= ~(~0u << end % WORD_BITS);
    return mask;
}

/* All of them are taken. A word at a time: there are as many frames as there is RAM. */
static void release_range(pfn_t start, pfn_t end)
{
    instance.free += end - start;
    while (start < end) {
        instance.bitmap[start / WORD_BITS] &= ~word_mask(start, end);
        start = (start / WORD_BITS + 1) * WORD_BITS;
    }
}

/* Reservations overlap each other and reach beyond RAM. */
static void reserve_range(pfn_t start, pfn_t end)
{
    for (pfn_t frame = start; frame < end && frame < instance.frames; frame++) {
        if (!frame_taken(frame))
            take_frame(frame);
    }
}

static void release_usable(void)
{
    for (uint32_t i = 0; i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        if (region->type == MEMORY_USABLE)
            release_range(region->start, region->end);
    }
}

/*
 * The lowest `pages` usable frames in a row that hold nothing yet and that the boot page tables
 * reach; 0 when there are none. There is no bitmap to ask yet.
 */
static pfn_t find_bitmap_place(uint32_t pages)
{
    pfn_t place = 1;
    while (place + pages <= PHYS_TO_PFN(BOOT_MAP_SIZE)) {
        pfn_t conflict_end = boot_range_conflict(place, place + pages);
        if (conflict_end)
            place = conflict_end;
        else if (firmware_map_count(place, place + pages) < pages)
            place++;
        else
            return place;
    }
    return 0;
}

static void bootmem_init(void)
{
    instance.frames = firmware_map_end();
    uint32_t pages = bitmap_pages();
    pfn_t place = find_bitmap_place(pages);
    if (!place)
        refuse("no room for bootmem's bitmap: %u free KiB in a row below 8 MiB are needed",
               pages * (PAGE_SIZE / 1024));
    instance.bitmap = PHYS_TO_VIRT(PFN_TO_PHYS(place));
    memset(instance.bitmap, 0xFF, pages * PAGE_SIZE);
    release_usable();
    boot_ranges_for_each(reserve_range);
    reserve_range(place, place + pages);
    bootmem = &instance;
    kprintf("mm: bootmem: %u frames free\n", instance.free);
}

/* The first run of `count` free frames in start..end, or 0: frame 0 is always taken. */
static pfn_t find_run(pfn_t start, pfn_t end, size_t count)
{
    pfn_t run_start = start;
    for (pfn_t frame = start; frame < end; frame++) {
        if (frame % WORD_BITS == 0 && instance.bitmap[frame / WORD_BITS] == ~0u) {
            frame += WORD_BITS - 1;
            run_start = frame + 1;
        } else if (frame_taken(frame)) {
            run_start = frame + 1;
        } else if (frame + 1 - run_start == count) {
            return run_start;
        }
    }
    return 0;
}

void *bootmem_alloc_contiguous(size_t count)
{
    pfn_t end = alive()->frames;
    if (end > PHYS_TO_PFN(DIRECT_MAP_SIZE))
        end = PHYS_TO_PFN(DIRECT_MAP_SIZE);
    if (count == 0)
        return NULL;
    pfn_t first = find_run(PHYS_TO_PFN(DMA_LIMIT), end, count);
    if (!first)
        first = find_run(0, end, count);
    if (!first)
        return NULL;
    for (pfn_t frame = first; frame < first + count; frame++)
        take_frame(frame);
    return PHYS_TO_VIRT(PFN_TO_PHYS(first));
}

void *bootmem_alloc_page(void)
{
    return bootmem_alloc_contiguous(1);
}

/* Only what bootmem itself gave may come back: usable, taken, and not for a reason of its own. */
static void check_allocated(pfn_t frame)
{
    if (frame >= instance.frames || !firmware_map_usable(frame))
        panic("bootmem: frame 0x%x freed, which is not RAM", frame);
    if (!frame_taken(frame))
        panic("bootmem: frame 0x%x freed twice", frame);
    bool bitmap = frame - bitmap_frame() < bitmap_pages();
    if (bitmap || boot_range_conflict(frame, frame + 1))
        panic("bootmem: frame 0x%x freed, which was never allocated", frame);
}

void bootmem_free_contiguous(void *address, size_t count)
{
    alive();
    uintptr_t virtual = (uintptr_t)address;
    if (!in_direct_map(virtual) || virtual % PAGE_SIZE)
        panic("bootmem: 0x%08x freed, which is no page of the direct map", (unsigned)virtual);
    pfn_t first = PHYS_TO_PFN(VIRT_TO_PHYS(address));
    for (size_t i = 0; i < count; i++) {
        check_allocated(first + i);
        release_frame(first + i);
    }
}

void bootmem_free_page(void *address)
{
    bootmem_free_contiguous(address, 1);
}

/* Only now may the bitmap's own frames go: nobody reads it any more. */
static void free_bitmap(void)
{
    struct frame_run run = {0};
    frame_run_add(&run, bitmap_frame(), bitmap_pages());
    frame_run_end(&run);
}

static void add_clear_bits(struct frame_run *run, uint32_t word, pfn_t first)
{
    for (unsigned bit = 0; bit < WORD_BITS; bit++) {
        if (!(word & 1u << bit))
            frame_run_add(run, first + bit, 1);
    }
}

/* Bits behind the last frame are 1, so that whole words can be read: most are all 0 or all 1. */
static void free_clear_bits(void)
{
    struct frame_run run = {0};
    for (uint32_t i = 0; i < bitmap_words(); i++) {
        if (instance.bitmap[i] == 0)
            frame_run_add(&run, i * WORD_BITS, WORD_BITS);
        else
            add_clear_bits(&run, instance.bitmap[i], i * WORD_BITS);
    }
    frame_run_end(&run);
}

/* Every clear bit's frame, then the bitmap's own. */
static void bootmem_free_all(void)
{
    alive();
    free_clear_bits();
    bootmem = NULL;
    free_bitmap();
}

const struct early_allocator bootmem_allocator = {
    .name = "bootmem",
    .init = bootmem_init,
    .alloc_page = bootmem_alloc_page,
    .alloc_contiguous = bootmem_alloc_contiguous,
    .free_contiguous = bootmem_free_contiguous,
    .hand_over = bootmem_free_all,
};
