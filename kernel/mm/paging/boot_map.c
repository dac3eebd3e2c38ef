/*
 * The boot page directory reaches BOOT_MAP_SIZE bytes. The frame table and the page tables to come
 * may lie anywhere in low memory, so the rest of it is added, in steps of 4 MiB.
 */
#include "mm/paging/boot_map.h"

#include "boot/boot_tables.h"
#include "boot/window.h"
#include "cpu/features.h"
#include "cpu/registers.h"
#include "lib/panic.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"
#include "mm/paging/tables.h"

/*
 * The boot page directory reaches BOOT_MAP_SIZE bytes. The frame table and the page tables to come
 * may lie anywhere in low memory, so the rest of it is added, in steps of 4 MiB.
 */
/* A new table may itself lie where nothing is mapped yet: it is composed here, then copied. */
static uint32_t composed[TABLE_ENTRIES];

static uint32_t chunk_by_table(phys_t chunk)
{
    void *page = early_alloc_page();
    if (!page)
        refuse("no room for the boot page tables");
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
        composed[i] = (chunk + i * PAGE_SIZE) | PTE_PRESENT | PTE_WRITABLE;
    physical_write(VIRT_TO_PHYS(page), composed, sizeof(composed));
    return VIRT_TO_PHYS(page) | PTE_PRESENT | PTE_WRITABLE;
}

static uint32_t chunk_entry(phys_t chunk)
{
    if (cpu_has(CPU_PSE))
        return chunk | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE;
    return chunk_by_table(chunk);
}

void paging_reach_low_memory(void)
{
    if (cpu_has(CPU_PSE))
        cr4_write(cr4_read() | CR4_PSE);
    for (phys_t chunk = BOOT_MAP_SIZE; chunk < DIRECT_MAP_SIZE; chunk += LARGE_PAGE_SIZE) {
        pfn_t first = PHYS_TO_PFN(chunk);
        if (firmware_map_count(first, first + CHUNK_FRAMES) > 0)
            boot_page_directory[DIRECTORY_INDEX(KERNEL_BASE + chunk)] = chunk_entry(chunk);
    }
}

void boot_map_free_tables(void)
{
    struct frame_run run = {0};
    for (phys_t chunk = BOOT_MAP_SIZE; chunk < DIRECT_MAP_SIZE; chunk += LARGE_PAGE_SIZE) {
        uint32_t *entry = &boot_page_directory[DIRECTORY_INDEX(KERNEL_BASE + chunk)];
        if (*entry && !(*entry & PTE_LARGE))
            frame_run_add(&run, PHYS_TO_PFN(*entry), 1);
        *entry = 0;
    }
    frame_run_end(&run);
}
