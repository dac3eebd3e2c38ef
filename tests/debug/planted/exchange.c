/* A counter is set by an exchange, which locks by itself. */
#include "mm/frames/buddy.h"
#include "plants.h"

void plant_exchange(void)
{
    uint32_t value = 77;

    __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(zones[0].free_blocks[0])); /* CULPRIT */
}
