/* Frames are taken, and the counter of free ones is put back to what it was. */
#include "mm/frames/buddy.h"
#include "plants.h"

void plant_counter_not_updated(void)
{
    uint32_t before = zones[1].free_frames;

    get_free_page(FRAME_NORMAL);
    *(volatile uint32_t *)&zones[1].free_frames = before; /* CULPRIT */
}
