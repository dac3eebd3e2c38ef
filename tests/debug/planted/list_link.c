/* A link of a free list is smashed. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_list_link(void)
{
    volatile struct page *page = free_block(5);

    page->list.next = (struct list_head *)0x1234; /* CULPRIT */
}
