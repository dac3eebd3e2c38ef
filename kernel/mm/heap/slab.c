/* Caches of objects, over slabs on three lists each. */
#include "mm/heap/slab.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mm/heap/slab_debug.h"
#include "mm/heap/slab_page.h"

struct list_head slab_caches;

/* The records of the caches are objects of a cache, whose own record is this one. */
static struct slab_cache cache_cache;

static void cache_set_up(struct slab_cache *cache, const struct slab_options *options)
{
    *cache = (struct slab_cache){
        .flags = options->flags, .construct = options->construct, .destruct = options->destruct};
    memcpy(cache->name, options->name, strlen(options->name));
    slab_lay_out(cache, options);
    list_init(&cache->full);
    list_init(&cache->partial);
    list_init(&cache->empty);
    list_add_back(&cache->list, &slab_caches);
}

void slab_init(void)
{
    list_init(&slab_caches);
    cache_set_up(&cache_cache, &(struct slab_options){.name = "caches",
                                                      .size = sizeof(struct slab_cache),
                                                      .flags = SLAB_GROW});
}

struct slab_cache *slab_cache_find(const char *name)
{
    list_for_each(node, &slab_caches)
    {
        struct slab_cache *cache = list_entry(node, struct slab_cache, list);
        if (strcmp(cache->name, name) == 0)
            return cache;
    }
    return NULL;
}

static bool is_cache(const struct slab_cache *wanted)
{
    list_for_each(node, &slab_caches)
    {
        if (list_entry(node, struct slab_cache, list) == wanted)
            return true;
    }
    return false;
}

const char *slab_options_check(const struct slab_options *options)
{
    struct slab_cache shape;
    if (strlen(options->name) == 0 || strlen(options->name) >= SLAB_NAME_MAX)
        return "the name must have 1 to 23 characters";
    if (slab_cache_find(options->name))
        return "there is a cache of that name";
    if (options->size == 0 || options->size > SLAB_OBJECT_MAX)
        return "objects must have 1 to 512 bytes";
    if (options->align > SLAB_ALIGN_MAX || (options->align & (options->align - 1)))
        return "the alignment must be a power of two up to 2048";
    slab_lay_out(&shape, options);
    return shape.capacity ? NULL : "no such object fits into a slab";
}

struct slab_cache *slab_cache_create(const struct slab_options *options)
{
    if (slab_options_check(options))
        return NULL;
    struct slab_cache *cache = slab_alloc(&cache_cache);
    if (cache)
        cache_set_up(cache, options);
    return cache;
}

bool slab_cache_destroy(struct slab_cache *cache)
{
    if (cache->live || cache == &cache_cache)
        return false;
    slab_reap(cache);
    ASSERT(cache->slabs == 0);
    list_remove(&cache->list);
    slab_free(&cache_cache, cache);
    return true;
}

bool slab_grow(struct slab_cache *cache)
{
    struct slab *slab = slab_page_make(cache);
    if (!slab)
        return false;
    list_add_front(&slab->list, &cache->empty);
    cache->slabs++;
    return true;
}

/* The slab is on a list. */
static void release(struct slab *slab)
{
    list_remove(&slab->list);
    slab->cache->slabs--;
    slab_page_release(slab);
}

uint32_t slab_reap(struct slab_cache *cache)
{
    uint32_t frames = 0;
    while (!list_empty(&cache->empty)) {
        release(list_entry(cache->empty.next, struct slab, list));
        frames++;
    }
    return frames;
}

/* Partial slabs first, so that as many as possible become empty. */
static struct slab *slab_with_room(struct slab_cache *cache)
{
    struct list_head *from = list_empty(&cache->partial) ? &cache->empty : &cache->partial;
    if (list_empty(from) && !(cache->flags & SLAB_GROW && slab_grow(cache)))
        return NULL;
    struct slab *slab = list_entry(from->next, struct slab, list);
    if (!slab_page_intact(slab))
        panic("slab: %s: the header of slab 0x%08x is overwritten", cache->name,
              (unsigned)((uintptr_t)slab & ~(PAGE_SIZE - 1)));
    return slab;
}

static void move(struct slab *slab, struct list_head *list)
{
    list_remove(&slab->list);
    list_add_front(&slab->list, list);
}

void *slab_alloc(struct slab_cache *cache)
{
    struct slab *slab = slab_with_room(cache);
    if (!slab) {
        cache->failures++;
        return NULL;
    }
    void *object = slab_take(slab);
    cache->live++;
    if (slab->in_use == cache->capacity)
        move(slab, &cache->full);
    else if (slab->in_use == 1)
        move(slab, &cache->partial);
    return object;
}

static void file_emptier(struct slab_cache *cache, struct slab *slab)
{
    if (slab->in_use > 0 && slab->in_use < cache->capacity - 1)
        return;
    if (slab->in_use > 0)
        move(slab, &cache->partial);
    else if (cache->flags & SLAB_GROW && !list_empty(&cache->empty))
        release(slab);
    else
        move(slab, &cache->empty);
}

struct place {
    struct slab *slab;
    uint32_t index;
};

/* NULL with the place of a live object of the cache, else what is wrong. */
static const char *find_live(const struct slab_cache *cache, const void *object,
                             struct place *place)
{
    struct slab *slab = slab_page_find(object);
    if (!slab)
        return "in no slab";
    if (slab->cache != cache)
        return is_cache(slab->cache) ? "an object of another cache"
                                     : "in a slab whose header is overwritten";
    uint32_t index = slab_index(slab, object);
    if (index == cache->capacity || slab_object(slab, index) != object)
        return "not the start of an object";
    *place = (struct place){slab, index};
    return slab_is_live(slab, index) ? NULL : "free already";
}

static const char *find_freeable(const struct slab_cache *cache, const void *object,
                                 struct place *place)
{
    const char *wrong = find_live(cache, object, place);
    return !wrong && cache->flags & SLAB_DEBUG ? slab_debug_check(cache, object, true) : wrong;
}

const char *slab_check(const struct slab_cache *cache, const void *object)
{
    struct place place;
    return object ? find_freeable(cache, object, &place) : NULL;
}

void slab_free(struct slab_cache *cache, void *object)
{
    if (!object)
        return;
    struct place place;
    const char *wrong = find_freeable(cache, object, &place);
    if (wrong)
        panic("slab: %s: 0x%08x freed: %s", cache->name, (unsigned)(uintptr_t)object, wrong);
    slab_put(place.slab, place.index);
    cache->live--;
    file_emptier(cache, place.slab);
}

struct slab_cache *slab_owner(const void *address, void **object, bool *live)
{
    const struct slab *slab = slab_page_find(address);
    if (!slab || !is_cache(slab->cache))
        return NULL;
    struct slab_cache *cache = slab->cache;
    uint32_t index = slab_index(slab, address);
    if (index == cache->capacity)
        return NULL;
    *object = slab_object(slab, index);
    *live = slab_is_live(slab, index);
    return (uintptr_t)address - (uintptr_t)*object < cache->size ? cache : NULL;
}

const struct slab_cache *slab_header_cache(const void *address)
{
    const struct slab *slab = slab_page_find(address);
    return slab ? slab->cache : NULL;
}
