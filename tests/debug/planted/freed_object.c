/* An object is written to after it was freed. */
#include "mm/heap/slab.h"
#include "plants.h"

void plant_freed_object(void)
{
    struct slab_options options = {
        .name = "plant", .size = 40, .align = 8, .flags = SLAB_GROW | SLAB_DEBUG};
    struct slab_cache *cache = slab_cache_create(&options);
    volatile uint32_t *object = slab_alloc(cache);

    slab_free(cache, (void *)object);
    object[3] = 1; /* CULPRIT */
}
