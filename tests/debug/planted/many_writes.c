/* The wrong value is the last of very many. */
#include "mm/frames/buddy.h"
#include "plants.h"

void plant_many_writes(void)
{
    volatile uint32_t *counter = &zones[1].free_frames;

    for (uint32_t i = 0; i < 50000; i++)
        *counter = i; /* CULPRIT */
}
