/* The frame interface: the buddy allocator in physical addresses and numbers of frames. */
#include "boot/window.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/frames/buddy.h"
#include "mm/layout.h"

unsigned pages_to_order(size_t pages)
{
    unsigned order = 0;
    while (order <= MAX_ORDER && (size_t)1 << order < pages)
        order++;
    return order;
}

static void zero_frame(phys_t address)
{
    if (address < DIRECT_MAP_SIZE)
        memset(PHYS_TO_VIRT(address), 0, PAGE_SIZE);
    else
        physical_zero_frame(address);
}

phys_t get_free_pages(uint32_t flags, size_t pages)
{
    unsigned order = pages_to_order(pages);
    struct page *page = pages ? __alloc_pages_core(flags, order) : NULL;
    if (!page)
        return 0;
    phys_t address = PFN_TO_PHYS(page_to_pfn(page));
    if (flags & FRAME_ZERO) {
        for (uint32_t i = 0; i < 1u << order; i++)
            zero_frame(address + i * PAGE_SIZE);
    }
    return address;
}

phys_t get_free_page(uint32_t flags)
{
    return get_free_pages(flags, 1);
}

void free_pages(phys_t address, size_t pages)
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

void free_page(phys_t address)
{
    free_pages(address, 1);
}
