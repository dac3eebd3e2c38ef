/* Slabs: one frame each, cut into objects, with a header at its end. */
#include "mm/heap/slab_page.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/heap/slab_debug.h"
#include "mm/paging/paging.h"

#define ROOM (PAGE_SIZE - sizeof(struct slab))

static uint32_t round_up(uint32_t number, uint32_t align)
{
    return (number + align - 1) & ~(align - 1);
}

static uint32_t lay_out_plain(struct slab_cache *cache)
{
    cache->bufctl = 0;
    return cache->size < sizeof(struct bufctl) ? sizeof(struct bufctl) : cache->size;
}

static uint32_t lay_out_constructed(struct slab_cache *cache)
{
    cache->bufctl = round_up(cache->size, sizeof(struct bufctl));
    return cache->bufctl + sizeof(struct bufctl);
}

/* The red zone in front is as long as the alignment makes it. */
static uint32_t lay_out_debug(struct slab_cache *cache, uint32_t align)
{
    cache->first = round_up(SLAB_RED_ZONE_SIZE, align);
    uint32_t behind = cache->size + SLAB_RED_ZONE_SIZE + sizeof(struct bufctl);
    uint32_t slot = round_up(cache->first + behind, align);
    cache->bufctl = slot - cache->first - sizeof(struct bufctl);
    return slot;
}

void slab_lay_out(struct slab_cache *cache, const struct slab_options *options)
{
    uint32_t align = options->align < SLAB_ALIGN_MIN ? SLAB_ALIGN_MIN : options->align;
    uint32_t slot;
    cache->size = options->size;
    cache->first = 0;
    if (options->flags & SLAB_DEBUG)
        slot = lay_out_debug(cache, align);
    else if (options->construct)
        slot = lay_out_constructed(cache);
    else
        slot = lay_out_plain(cache);
    cache->pitch = round_up(slot, align);
    cache->capacity = ROOM / cache->pitch;
}

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address & ~(PAGE_SIZE - 1);
}

static struct slab *header_of(const void *address)
{
    return (struct slab *)(page_of(address) + ROOM);
}

static uint32_t magic_of(const struct slab *slab)
{
    return SLAB_MAGIC ^ (uint32_t)(uintptr_t)slab;
}

bool slab_page_intact(const struct slab *slab)
{
    return slab->magic == magic_of(slab);
}

struct slab *slab_page_find(const void *address)
{
    phys_t physical;
    uint32_t flags;
    if (!in_direct_map((uintptr_t)address) ||
        !paging_translate((uintptr_t)address, &physical, &flags))
        return NULL;
    struct slab *slab = header_of(address);
    return slab_page_intact(slab) ? slab : NULL;
}

uint32_t slab_index(const struct slab *slab, const void *address)
{
    uint32_t index = ((uintptr_t)address - page_of(slab)) / slab->cache->pitch;
    return index < slab->cache->capacity ? index : slab->cache->capacity;
}

void *slab_object(const struct slab *slab, uint32_t index)
{
    return (void *)(page_of(slab) + slab->cache->first + index * slab->cache->pitch);
}

bool slab_is_live(const struct slab *slab, uint32_t index)
{
    return slab->state[index / 32] >> index % 32 & 1;
}

static struct bufctl *bufctl_of(const struct slab_cache *cache, void *object)
{
    return (struct bufctl *)((uintptr_t)object + cache->bufctl);
}

/* The last object first, so that the first one is the first to be given out. */
static void link_all(struct slab *slab)
{
    for (uint32_t index = slab->cache->capacity; index-- > 0;) {
        struct bufctl *bufctl = bufctl_of(slab->cache, slab_object(slab, index));
        bufctl->next = slab->free;
        slab->free = bufctl;
    }
}

static void construct_all(const struct slab *slab)
{
    const struct slab_cache *cache = slab->cache;
    for (uint32_t index = 0; index < cache->capacity; index++) {
        if (cache->flags & SLAB_DEBUG)
            slab_debug_fill(cache, slab_object(slab, index));
        if (cache->construct)
            cache->construct(slab_object(slab, index), cache->size);
    }
}

struct slab *slab_page_make(struct slab_cache *cache)
{
    phys_t frame = get_free_page(FRAME_NORMAL);
    if (!frame)
        return NULL;
    frames_mark(frame, 1, PAGE_SLAB);
    struct slab *slab = header_of(PHYS_TO_VIRT(frame));
    *slab = (struct slab){.magic = magic_of(slab), .cache = cache};
    construct_all(slab);
    link_all(slab);
    return slab;
}

static void destruct_all(const struct slab *slab)
{
    const struct slab_cache *cache = slab->cache;
    for (uint32_t index = 0; index < cache->capacity; index++) {
        if (cache->flags & SLAB_DEBUG)
            slab_debug_require(cache, slab_object(slab, index), false);
        if (cache->destruct)
            cache->destruct(slab_object(slab, index), cache->size);
    }
}

void slab_page_release(struct slab *slab)
{
    ASSERT(slab_page_intact(slab) && slab->in_use == 0);
    destruct_all(slab);
    slab->magic = 0;
    free_page(VIRT_TO_PHYS(page_of(slab)));
}

/* Which object a bufctl of this slab belongs to; whoever writes into free memory leads away. */
static uint32_t free_index(const struct slab *slab, const struct bufctl *bufctl)
{
    const void *object = (const void *)((uintptr_t)bufctl - slab->cache->bufctl);
    uint32_t index = slab_index(slab, object);
    if (index == slab->cache->capacity || slab_object(slab, index) != object ||
        slab_is_live(slab, index))
        panic("slab: %s: the free list of slab 0x%08x leads to 0x%08x, which is no free object",
              slab->cache->name, (unsigned)page_of(slab), (unsigned)(uintptr_t)bufctl);
    return index;
}

static void flip_state(struct slab *slab, uint32_t index)
{
    slab->state[index / 32] ^= 1u << index % 32;
}

void *slab_take(struct slab *slab)
{
    const struct slab_cache *cache = slab->cache;
    uint32_t index = free_index(slab, slab->free);
    void *object = slab_object(slab, index);
    if (cache->flags & SLAB_DEBUG)
        slab_debug_require(cache, object, false);
    slab->free = slab->free->next;
    slab->in_use++;
    flip_state(slab, index);
    return object;
}

void slab_put(struct slab *slab, uint32_t index)
{
    const struct slab_cache *cache = slab->cache;
    void *object = slab_object(slab, index);
    if (cache->flags & SLAB_DEBUG && !cache->construct)
        slab_debug_poison(cache, object);
    bufctl_of(cache, object)->next = slab->free;
    slab->free = bufctl_of(cache, object);
    slab->in_use--;
    flip_state(slab, index);
}
