/* A temporary mapping is left behind, and somebody writes to the frame table through it. */
#include "boot/window.h"
#include "mm/frames/page.h"
#include "mm/layout.h"
#include "mm/paging/entry.h"
#include "plants.h"

void plant_window_alias(void)
{
    uintptr_t flags = (uintptr_t)&free_block(4)->flags;
    uintptr_t window = WINDOW_BASE + 5 * PAGE_SIZE;

    window_table[5] = (VIRT_TO_PHYS(flags) & -PAGE_SIZE) | PTE_PRESENT | PTE_WRITABLE;
    *(volatile uint8_t *)(window + flags % PAGE_SIZE) = 0; /* CULPRIT */
}
