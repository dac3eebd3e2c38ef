/* One store goes over the border of two pages that are not neighbours in physical memory. */
#include "mm/heap/kmalloc.h"
#include "mm/layout.h"
#include "plants.h"

void plant_page_crossing(void)
{
    uintptr_t block = (uintptr_t)kmalloc(2000);

    kmalloc(100);
    *(volatile uint32_t *)((block & -PAGE_SIZE) + PAGE_SIZE - 2) = 0x41414141; /* CULPRIT */
}
