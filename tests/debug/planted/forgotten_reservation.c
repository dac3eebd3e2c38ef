/* A frame of the kernel's image is no longer marked as reserved. */
#include "mm/frames/page.h"
#include "mm/layout.h"
#include "plants.h"

void plant_forgotten_reservation(void)
{
    volatile struct page *page = pfn_to_page(PHYS_TO_PFN(VIRT_TO_PHYS(kernel_start)) + 3);

    page->flags &= ~PAGE_RESERVED; /* CULPRIT */
}
