/* One store that is not aligned changes the end of one word and the beginning of the next. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_unaligned_store(void)
{
    struct page *page = free_block(3) + 1;

    *(volatile uint32_t *)((uintptr_t)page + 10) = 0x03020000; /* CULPRIT */
}
