/* A header is filled over byte by byte. */
#include "mm/heap/kmalloc.h"
#include "plants.h"

void plant_rep_stos(void)
{
    struct block_header *header = (struct block_header *)kmalloc(100) - 1;
    uint32_t bytes = sizeof(*header);

    __asm__ volatile("rep stosb" : "+D"(header), "+c"(bytes) : "a"(0x11) : "memory"); /* CULPRIT */
}
