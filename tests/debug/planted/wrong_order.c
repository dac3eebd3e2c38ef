/* A free block is noted with another order than that of its list. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_wrong_order(void)
{
    volatile struct page *page = free_block(4);

    page->order = 2; /* CULPRIT */
}
