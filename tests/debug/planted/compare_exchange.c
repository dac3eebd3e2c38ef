/* A counter is set by a locked compare and exchange. */
#include "mm/frames/buddy.h"
#include "plants.h"

void plant_compare_exchange(void)
{
    uint32_t *counter = &zones[1].free_frames, old = *counter;

    __asm__ volatile("lock cmpxchgl %2, %1" : "+a"(old), "+m"(*counter) : "r"(12345)); /* CULPRIT */
}
