#ifndef MM_HEAP_SLAB_H
#define MM_HEAP_SLAB_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/layout.h"

/*
 * Caches of small objects of one size each (Bonwick, "The Slab Allocator", 1994). A cache has
 * slabs; a slab is one frame of the direct map: objects one behind the other from the page's start,
 * and the slab's header at its end.
 *
 *     0                  pitch               2 * pitch                    PAGE_SIZE
 *     [ slot of object 0 ][ slot of object 1 ]  …  [ never used ][ struct slab ]
 *
 * A slot is what an object takes. Free objects are linked by bufctls, which lie
 *
 *     [ object                     ]  in the object itself, from its first byte …
 *     [ object ][ bufctl ]            … but behind one that stays constructed while it is free …
 *     [ red zone ][ object ][ red zone ][ bufctl ]     … and behind everything in a debug cache.
 */
enum {
    SLAB_OBJECT_MAX = 512, /* bytes */
    SLAB_ALIGN_MIN = 8,
    SLAB_ALIGN_MAX = 2048,
    SLAB_NAME_MAX = 24, /* with the terminator */
    SLAB_STATE_WORDS = PAGE_SIZE / SLAB_ALIGN_MIN / 32,
};

enum slab_flag {
    SLAB_GROW = 1 << 0,  /* take a frame when there is no free object; else only slab_grow does */
    SLAB_DEBUG = 1 << 1, /* red zones, and poison in free objects that are not constructed */
};

/* What a debug cache fills with: bytes that are seldom data. Enums, for debuggers and decoders. */
enum slab_pattern {
    SLAB_RED_ZONE = 0xBB, /* around each object, at least SLAB_RED_ZONE_SIZE bytes */
    SLAB_POISON = 0x6B,   /* in free objects */
};
enum { SLAB_RED_ZONE_SIZE = 8 };

/* Made when a slab is (constructed) and undone when its frame is given back. */
typedef void (*slab_constructor)(void *object, size_t size);

struct slab_options {
    const char *name; /* copied; no other cache's */
    size_t size;      /* of an object, in bytes: 1 to SLAB_OBJECT_MAX */
    size_t align;     /* a power of two up to SLAB_ALIGN_MAX; below SLAB_ALIGN_MIN it is that */
    uint32_t flags;   /* enum slab_flag */
    slab_constructor construct, destruct; /* NULL: none */
};

struct slab_cache {
    struct list_head list;                 /* links slab_caches */
    struct list_head full, partial, empty; /* slabs without, with, and with only free objects */
    char name[SLAB_NAME_MAX];
    uint32_t size;     /* of an object, as asked for */
    uint32_t pitch;    /* from one object to the next */
    uint32_t first;    /* offset of the first object in the page */
    uint32_t bufctl;   /* offset of the bufctl from the object */
    uint32_t capacity; /* objects a slab */
    uint32_t flags;    /* enum slab_flag */
    slab_constructor construct, destruct;
    uint32_t slabs; /* on all three lists */
    uint32_t live;  /* objects */
    uint32_t failures;
};

struct bufctl {
    struct bufctl *next;
};

enum slab_magic { SLAB_MAGIC = 0x51AB51ABu };

struct slab {
    uint32_t magic; /* SLAB_MAGIC ^ the header's own address: no copy of a header is one */
    uint32_t in_use;
    struct list_head list;
    struct slab_cache *cache;
    struct bufctl *free;
    uint32_t state[SLAB_STATE_WORDS]; /* a bit an object: 1 = live */
};

/* Every cache, the one that the caches' own records come from first. */
extern struct list_head slab_caches;

void slab_init(void);

/* NULL when these are right for slab_cache_create, else what is wrong with them, in words. */
const char *slab_options_check(const struct slab_options *options);
/* NULL when the options are wrong, or there is no memory for the cache's record. */
struct slab_cache *slab_cache_create(const struct slab_options *options);
/* Gives all slabs back; false, and nothing is done, while an object is live. */
bool slab_cache_destroy(struct slab_cache *cache);
struct slab_cache *slab_cache_find(const char *name);

/* An object, as constructed or with unspecified contents; NULL when there is none. */
void *slab_alloc(struct slab_cache *cache);
/*
 * NULL does nothing. What is no live object of this cache, or was written around, panics. A slab
 * that becomes empty is kept when it is the only empty one, or when the cache does not grow by
 * itself; else its frame is given back.
 */
void slab_free(struct slab_cache *cache, void *object);
/* NULL when slab_free may be called, else why not, in words. */
const char *slab_check(const struct slab_cache *cache, const void *object);

/* One more slab, empty; false when there is no frame. */
bool slab_grow(struct slab_cache *cache);
/* Give every empty slab's frame back; how many these were. */
uint32_t slab_reap(struct slab_cache *cache);

/*
 * The cache that an address belongs to, and the object that it lies in; NULL outside all objects.
 * Any address may be asked for.
 */
struct slab_cache *slab_owner(const void *address, void **object, bool *live);
/*
 * What the header of a slab says its cache is; NULL where there is no slab. Quick, for those who
 * compare it with caches that they know: somebody may have written there.
 */
const struct slab_cache *slab_header_cache(const void *address);

#endif
