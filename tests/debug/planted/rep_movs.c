/* A copy of the frame table's elements goes one too far. */
#include "mm/frames/page.h"
#include "plants.h"

void plant_rep_movs(void)
{
    struct page *to = free_block(4);
    const struct page *from = to + 1;
    uint32_t words = 2 * sizeof(struct page) / 4;

    to--; /* the last frame of the block in front of it */
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory"); /* CULPRIT */
}
