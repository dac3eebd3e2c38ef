/* General sizes: small blocks from slab caches, large ones straight from frames. */
#include "mm/heap/malloc.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mm/frames/frames.h"
#include "mm/heap/large_block.h"
#include "mm/layout.h"

struct slab_cache *malloc_caches[MALLOC_CLASSES];
struct malloc_statistics malloc_statistics;

static const char *const cache_names[MALLOC_CLASSES] = {
    "malloc-16", "malloc-32", "malloc-64", "malloc-128", "malloc-256", "malloc-512",
};

static size_t class_size(unsigned class)
{
    return (size_t)MALLOC_ALIGN << class;
}

static void malloc_init(void)
{
    large_blocks_init();
    for (unsigned class = 0; class < MALLOC_CLASSES; class++) {
        malloc_caches[class] = slab_cache_create(&(struct slab_options){.name = cache_names[class],
                                                                        .size = class_size(class),
                                                                        .align = MALLOC_ALIGN,
                                                                        .flags = SLAB_GROW});
        if (!malloc_caches[class])
            refuse("no memory for the caches of malloc");
    }
}

/* The cache of the smallest objects that hold so many bytes; NULL when none does. */
static struct slab_cache *cache_for(size_t size)
{
    unsigned class = 0;
    while (class < MALLOC_CLASSES && class_size(class) < size)
        class++;
    return class < MALLOC_CLASSES ? malloc_caches[class] : NULL;
}

/* The cache whose slab a block lies in, NULL for one that is in none of malloc's. */
static struct slab_cache *cache_of(const void *block)
{
    const struct slab_cache *owner = slab_header_cache(block);
    for (unsigned class = 0; class < MALLOC_CLASSES; class++) {
        if (owner && malloc_caches[class] == owner)
            return malloc_caches[class];
    }
    return NULL;
}

void *malloc(size_t size)
{
    if (size == 0)
        return NULL;
    struct slab_cache *cache = cache_for(size);
    void *block = cache ? slab_alloc(cache) : large_block_alloc(size);
    if (!block)
        malloc_statistics.failures++;
    return block;
}

const char *malloc_check(const void *block)
{
    const struct slab_cache *cache = block ? cache_of(block) : NULL;
    if (!block)
        return NULL;
    return cache ? slab_check(cache, block) : large_block_check(block);
}

void free(void *block)
{
    if (!block)
        return;
    struct slab_cache *cache = cache_of(block);
    const char *wrong = cache ? NULL : large_block_check(block);
    if (wrong)
        panic("malloc: 0x%08x freed: %s", (unsigned)(uintptr_t)block, wrong);
    if (cache)
        slab_free(cache, block);
    else
        large_block_free(block);
}

void *calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        malloc_statistics.failures++;
        return NULL;
    }
    void *block = malloc(count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

static size_t usable_size(const void *block)
{
    const struct slab_cache *cache = cache_of(block);
    return cache ? cache->size : large_block_size(block);
}

/* Whether the block, as it is, serves for another size. */
static bool resize(void *block, size_t size)
{
    const struct slab_cache *cache = cache_of(block);
    if (cache || cache_for(size))
        return cache && cache == cache_for(size);
    return large_block_resize(block, size);
}

static void *move_block(void *block, size_t size)
{
    void *moved = malloc(size);
    if (!moved)
        return NULL;
    size_t old = usable_size(block);
    memcpy(moved, block, old < size ? old : size);
    free(block);
    return moved;
}

void *realloc(void *block, size_t size)
{
    const char *wrong = malloc_check(block);
    if (wrong)
        panic("malloc: 0x%08x resized: %s", (unsigned)(uintptr_t)block, wrong);
    if (!block)
        return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    return resize(block, size) ? block : move_block(block, size);
}

/* A small block keeps no size of its own: it counts with its cache's. */
static void malloc_count(struct heap_counts *counts)
{
    *counts = (struct heap_counts){.blocks = malloc_statistics.large_blocks,
                                   .bytes = malloc_statistics.large_bytes,
                                   .frames = malloc_statistics.large_pages,
                                   .failures = malloc_statistics.failures};
    for (unsigned class = 0; class < MALLOC_CLASSES; class++) {
        counts->blocks += malloc_caches[class]->live;
        counts->bytes += malloc_caches[class]->live * class_size(class);
        counts->frames += malloc_caches[class]->slabs;
    }
}

const struct heap malloc_heap = {.name = "malloc",
                                 .init = malloc_init,
                                 .alloc = malloc,
                                 .free = free,
                                 .check = malloc_check,
                                 .count = malloc_count};
