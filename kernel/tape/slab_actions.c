/* What tapes do with slab caches. */
#include "lib/panic.h"
#include "mm/heap/slab.h"
#include "tape/action.h"

/* By its number in the list of caches. */
static struct slab_cache *cache_number(uint32_t number)
{
    list_for_each(node, &slab_caches)
    {
        if (number-- == 0)
            return list_entry(node, struct slab_cache, list);
    }
    panic("tape: a cache that there is not");
}

TAPE_ACTION(TAPE_SLAB_ALLOC, slab_alloc, TAPE_GIVES, TAPE_VIRTUAL)
{
    return (uint32_t)(uintptr_t)slab_alloc(cache_number(operation->cache));
}

TAPE_ACTION(TAPE_SLAB_FREE, slab_free, TAPE_TAKES, TAPE_VIRTUAL)
{
    slab_free(cache_number(operation->cache), (void *)(uintptr_t)value);
    return 0;
}

TAPE_ACTION(TAPE_SLAB_GROW, slab_grow, TAPE_FREE_OF_SLOTS, TAPE_NOWHERE)
{
    return slab_grow(cache_number(operation->cache));
}

TAPE_ACTION(TAPE_SLAB_REAP, slab_reap, TAPE_FREE_OF_SLOTS, TAPE_NOWHERE)
{
    return slab_reap(cache_number(operation->cache));
}
