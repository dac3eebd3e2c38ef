/* A block's owner writes on beyond its end, into the header of the block behind it. */
#include "mm/heap/kmalloc.h"
#include "mm/layout.h"
#include "plants.h"

void plant_header_overrun(void)
{
    volatile uint8_t *block = kmalloc(2000);

    kmalloc(100);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        block[i] = 0x41; /* CULPRIT */
}
