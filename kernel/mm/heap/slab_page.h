#ifndef MM_HEAP_SLAB_PAGE_H
#define MM_HEAP_SLAB_PAGE_H

#include "mm/heap/slab.h"

/* One slab: the page, its objects and their state. For slab.c only. */

/* Where objects lie in a slab of these options; capacity 0 when there is no room for one. */
void slab_lay_out(struct slab_cache *cache, const struct slab_options *options);

/* A slab on no list, all objects free and constructed; NULL when there is no frame. */
struct slab *slab_page_make(struct slab_cache *cache);
/* Destruct the objects of a slab that is on no list, and give its frame back. */
void slab_page_release(struct slab *slab);

/* The slab whose page holds this address, any address at all; NULL when there is none. */
struct slab *slab_page_find(const void *address);
bool slab_page_intact(const struct slab *slab);

/* Which object's slot an address lies in; the slab's capacity when it lies in none. */
uint32_t slab_index(const struct slab *slab, const void *address);
void *slab_object(const struct slab *slab, uint32_t index);
bool slab_is_live(const struct slab *slab, uint32_t index);

/* The first free object, live from now on. A free list that leads astray panics. */
void *slab_take(struct slab *slab);
/* A live object is free from now on. */
void slab_put(struct slab *slab, uint32_t index);

#endif
