/* A bit of the frame table is cleared by an instruction for bits. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_bit_reset(void)
{
    struct page *page = free_block(2);

    __asm__ volatile("lock btrl $1, %0" : "+m"(*(uint32_t *)&page->flags)); /* CULPRIT */
}
