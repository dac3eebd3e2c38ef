/* Building the permanent page directory: the direct map and the window; see mm/layout.h. */
#include "boot/window.h"
#include "cpu/descriptors.h"
#include "cpu/features.h"
#include "cpu/registers.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "mm/firmware_map.h"
#include "mm/layout.h"
#include "mm/paging/boot_map.h"
#include "mm/paging/paging.h"
#include "mm/paging/tables.h"
#include "mm/paging/tlb.h"

phys_t page_directory_physical;
uint32_t *page_directory;

static uint32_t global_flag(void)
{
    return cpu_has(CPU_PGE) ? PTE_GLOBAL : 0;
}

/* A page table of the direct map, while it is composed. */
struct chunk {
    uint32_t *entries;
    pfn_t first; /* frame of entries[0] */
};

/* Map those of the frames start..end that are in the chunk; without flags, unmap them. */
static void paint(const struct chunk *chunk, pfn_t start, pfn_t end, uint32_t flags)
{
    pfn_t chunk_end = chunk->first + CHUNK_FRAMES;
    pfn_t first = start > chunk->first ? start : chunk->first;
    pfn_t last = end < chunk_end ? end : chunk_end;
    for (pfn_t frame = first; frame < last; frame++)
        chunk->entries[frame - chunk->first] = flags ? PFN_TO_PHYS(frame) | flags : 0;
}

static void paint_image(const struct chunk *chunk, const char *start, const char *end,
                        uint32_t flags)
{
    paint(chunk, PHYS_TO_PFN(VIRT_TO_PHYS(start)), PHYS_TO_PFN(VIRT_TO_PHYS(end)), flags);
}

static void paint_usable(const struct chunk *chunk, uint32_t flags)
{
    for (uint32_t i = 0; i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        if (region->type == MEMORY_USABLE)
            paint(chunk, region->start, region->end, flags);
    }
}

/* From the general to the particular: what comes later covers what came before. */
static void paint_chunk(const struct chunk *chunk)
{
    uint32_t read_only = PTE_PRESENT | global_flag();
    uint32_t writable = read_only | PTE_WRITABLE;
    paint_usable(chunk, writable);
    paint_image(chunk, kernel_start, kernel_end, writable);
    paint_image(chunk, kernel_text_start, kernel_text_end, read_only);
    paint_image(chunk, kernel_rodata_start, kernel_rodata_end, read_only);
    paint_image(chunk, boot_stack_guard_low, boot_stack, 0);
    paint_image(chunk, boot_stack_top, boot_stack_guard_high + PAGE_SIZE, 0);
    paint(chunk, 0, 1, 0);
}

static bool chunk_meets_image(pfn_t first)
{
    return first < PHYS_TO_PFN(VIRT_TO_PHYS(kernel_end)) &&
           PHYS_TO_PFN(VIRT_TO_PHYS(kernel_start)) < first + CHUNK_FRAMES;
}

/*
 * One 4 MiB page maps all or nothing, with one set of permissions. The first chunk never is one:
 * frame 0 does not count as usable.
 */
static bool chunk_is_large(pfn_t first, uint32_t usable)
{
    return cpu_has(CPU_PSE) && usable == CHUNK_FRAMES && !chunk_meets_image(first);
}

static uint32_t chunk_by_table(pfn_t first)
{
    phys_t table = table_alloc();
    if (!table)
        refuse("no memory for the page tables of the direct map");
    paint_chunk(&(struct chunk){PHYS_TO_VIRT(table), first});
    return table | PTE_PRESENT | PTE_WRITABLE;
}

static uint32_t chunk_entry(pfn_t first)
{
    uint32_t usable = firmware_map_count(first ? first : 1, first + CHUNK_FRAMES);
    if (chunk_is_large(first, usable))
        return PFN_TO_PHYS(first) | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE | global_flag();
    return usable || chunk_meets_image(first) ? chunk_by_table(first) : 0;
}

static void build_directory(void)
{
    page_directory_physical = table_alloc();
    if (!page_directory_physical)
        refuse("no memory for the page directory");
    page_directory = PHYS_TO_VIRT(page_directory_physical);
    for (phys_t chunk = 0; chunk < DIRECT_MAP_SIZE; chunk += LARGE_PAGE_SIZE)
        page_directory[DIRECTORY_INDEX(KERNEL_BASE + chunk)] = chunk_entry(PHYS_TO_PFN(chunk));
    page_directory[DIRECTORY_INDEX(WINDOW_BASE)] =
        VIRT_TO_PHYS(window_table) | PTE_PRESENT | PTE_WRITABLE;
}

/* Global pages are turned on behind the switch: none of the boot directory's may stay. */
static void switch_directory(void)
{
    cr3_write(page_directory_physical);
    double_fault_follow(page_directory_physical);
    if (cpu_has(CPU_WP))
        cr0_write(cr0_read() | CR0_WP);
    if (cpu_has(CPU_PGE))
        cr4_write(cr4_read() | CR4_PGE);
}

void paging_init(void)
{
    tlb_init();
    build_directory();
    switch_directory();
    boot_map_free_tables();
    kprintf("mm: page directory at 0x%08x\n", page_directory_physical);
}
