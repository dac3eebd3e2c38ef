/* One byte too much is written behind an object of a slab. */
#include "mm/heap/slab.h"
#include "plants.h"

void plant_red_zone(void)
{
    struct slab_options options = {
        .name = "plant", .size = 40, .align = 8, .flags = SLAB_GROW | SLAB_DEBUG};
    volatile uint8_t *object = slab_alloc(slab_cache_create(&options));

    for (unsigned i = 0; i <= 40; i++)
        object[i] = 0; /* CULPRIT */
}
