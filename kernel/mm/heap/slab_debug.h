#ifndef MM_HEAP_SLAB_DEBUG_H
#define MM_HEAP_SLAB_DEBUG_H

#include "mm/heap/slab.h"

/* Red zones around the objects of a debug cache, and poison in the free ones. */

/* A new slot: red zones, and poison where no constructor is going to write. */
void slab_debug_fill(const struct slab_cache *cache, void *object);
void slab_debug_poison(const struct slab_cache *cache, void *object);

/*
 * NULL when nobody wrote where nobody may: into the red zones, and when the object is free, into
 * it. Else the first byte that is wrong, in words that are good until the next call.
 */
const char *slab_debug_check(const struct slab_cache *cache, const void *object, bool live);
/* The same; a wrong byte panics. */
void slab_debug_require(const struct slab_cache *cache, const void *object, bool live);

#endif
