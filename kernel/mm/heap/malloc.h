#ifndef MM_HEAP_MALLOC_H
#define MM_HEAP_MALLOC_H

#include "mm/heap/heap.h"
#include "mm/heap/slab.h"

/*
 * Blocks of any size: small ones are objects of six caches, 16 to 512 bytes; larger ones have
 * contiguous frames of the direct map to themselves, with a header in front. Every block is
 * aligned to MALLOC_ALIGN.
 */
enum { MALLOC_ALIGN = 16, MALLOC_CLASSES = 6 };

enum malloc_magic { MALLOC_MAGIC = 0xA110CA7Eu };

/* In front of each large block, at the start of its first page. */
struct large_block {
    uint32_t magic; /* MALLOC_MAGIC ^ the header's own address; 0 once freed */
    uint32_t size;  /* asked for, in bytes */
    uint32_t pages; /* that the block has, the header's included */
    struct list_head list;
} __attribute__((aligned(MALLOC_ALIGN)));

/* Cache i has objects of MALLOC_ALIGN << i bytes. */
extern struct slab_cache *malloc_caches[MALLOC_CLASSES];
extern struct list_head large_blocks; /* the newest first */

struct malloc_statistics {
    uint32_t large_blocks, large_bytes, large_pages; /* live */
    uint32_t failures;
};

extern struct malloc_statistics malloc_statistics;

void *malloc(size_t size);               /* NULL when size is 0 or there is no room */
void *calloc(size_t count, size_t size); /* zeroed; NULL also when the product wraps */
void *realloc(void *block, size_t size); /* contents kept up to the smaller size; size 0 frees */
void free(void *block);                  /* NULL: nothing; what is no live block panics */
const char *malloc_check(const void *block); /* NULL when it may be freed, else why not */

extern const struct heap malloc_heap;

#endif
