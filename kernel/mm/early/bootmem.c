/* The first allocator: one bit a frame, in use until the frame table stands. */
#include "mm/early/bootmem.h"

#include "boot/boot_tables.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "mm/early/boot_ranges.h"
#include "mm/firmware_map.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"

static struct bootmem instance;
struct bootmem *bootmem;

static uint32_t bitmap_pages(void)
{
    return PAGES_FOR(frame_bitmap_words(instance.map.frames) * sizeof(uint32_t));
}

static pfn_t bitmap_frame(void)
{
    return PHYS_TO_PFN(VIRT_TO_PHYS(instance.map.words));
}

static struct bootmem *alive(void)
{
    if (!bootmem)
        panic("bootmem: called before bootmem_init or after bootmem_free_all");
    return bootmem;
}

/* Reservations overlap each other and reach beyond RAM. */
static void reserve_range(pfn_t start, pfn_t end)
{
    if (end > instance.map.frames)
        end = instance.map.frames;
    while ((start = frame_bitmap_next_free(&instance.map, start, end)) < end) {
        pfn_t taken = frame_bitmap_next_taken(&instance.map, start, end);
        frame_bitmap_take(&instance.map, start, taken - start);
        start = taken;
    }
}

static void release_usable(void)
{
    for (uint32_t i = 0; i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        if (region->type == MEMORY_USABLE)
            frame_bitmap_release(&instance.map, region->start, region->end - region->start);
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
    instance.map.frames = firmware_map_end();
    uint32_t pages = bitmap_pages();
    pfn_t place = find_bitmap_place(pages);
    if (!place)
        refuse("no room for bootmem's bitmap: %u free KiB in a row below 8 MiB are needed",
               pages * (PAGE_SIZE / 1024));
    frame_bitmap_init(&instance.map, PHYS_TO_VIRT(PFN_TO_PHYS(place)), instance.map.frames);
    release_usable();
    boot_ranges_for_each(reserve_range);
    reserve_range(place, place + pages);
    bootmem = &instance;
    kprintf("mm: bootmem: %u frames free\n", instance.map.free);
}

void *bootmem_alloc_contiguous(size_t count)
{
    struct frame_bitmap *map = &alive()->map;
    pfn_t end = PHYS_TO_PFN(DIRECT_MAP_SIZE);
    pfn_t first = frame_bitmap_find(map, PHYS_TO_PFN(DMA_LIMIT), end, count);
    if (!first)
        first = frame_bitmap_find(map, 0, end, count);
    if (!first)
        return NULL;
    frame_bitmap_take(map, first, count);
    return PHYS_TO_VIRT(PFN_TO_PHYS(first));
}

void *bootmem_alloc_page(void)
{
    return bootmem_alloc_contiguous(1);
}

/* Only what bootmem itself gave may come back: usable, taken, and not for a reason of its own. */
static void check_allocated(pfn_t frame)
{
    if (frame >= instance.map.frames || !firmware_map_usable(frame))
        panic("bootmem: frame 0x%x freed, which is not RAM", frame);
    if (!frame_bitmap_taken(&instance.map, frame))
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
        frame_bitmap_release(&instance.map, first + i, 1);
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

static void free_clear_bits(void)
{
    const struct frame_bitmap *map = &instance.map;
    struct frame_run run = {0};
    for (pfn_t first, end = 0;
         (first = frame_bitmap_next_free(map, end, map->frames)) < map->frames;) {
        end = frame_bitmap_next_taken(map, first, map->frames);
        frame_run_add(&run, first, end - first);
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
