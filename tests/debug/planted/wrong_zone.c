/* A frame is noted in another zone than it lies in. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_wrong_zone(void)
{
    volatile struct page *page = &mem_map[0x1234];

    page->zone = ZONE_DMA; /* CULPRIT */
}
