/* An index of -1 hits the header in front of a block. */
#include "mm/heap/kmalloc.h"
#include "plants.h"

void plant_header_underrun(void)
{
    volatile struct block_header *block = kmalloc(100);

    block[-1].size = 0xFFFF; /* CULPRIT */
}
