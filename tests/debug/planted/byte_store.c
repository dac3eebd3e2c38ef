/* One byte of a heap header is wrong. */
#include "mm/heap/kmalloc.h"
#include "plants.h"

void plant_byte_store(void)
{
    volatile uint8_t *block = kmalloc(100);
    volatile struct block_header *header = (volatile struct block_header *)block - 1;

    ((volatile uint8_t *)&header->magic)[2] = 0x77; /* CULPRIT */
}
