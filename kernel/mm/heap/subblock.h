#ifndef MM_HEAP_SUBBLOCK_H
#define MM_HEAP_SUBBLOCK_H

#include "mm/heap/heap.h"
#include "mm/heap/subblock_map.h"
#include "mm/heap/subblock_statistics.h"

/*
 * Blocks of any number of contiguous chunks, so that an allocation can be as large as the memory
 * that the source of chunks has in one piece. The newest block is the first on the list.
 *
 *     chunks  next  free  longest  map[chunks * 128]  padding  allocations and free sub-blocks
 */
struct subblock_block {
    uint32_t chunks;
    struct subblock_block *next;
    uint32_t free;    /* sub-blocks */
    uint32_t longest; /* no run of them is longer */
    uint8_t map[];    /* enum subblock_value, one a sub-block of all chunks */
};

/* Where the chunks of a heap come from. */
struct chunk_source {
    /* Contiguous chunks that can be written to, at a page's start; NULL when there are none. There
     * may be more than were asked for: says how many. */
    void *(*take)(size_t *chunks);
    void (*give)(void *start, size_t chunks);
};

/*
 * A heap of its own. A block with nothing in it goes back to the source, but one of a single chunk
 * is kept for the next small allocation; it goes back too when the source has nothing else.
 */
struct subblock_arena {
    const struct chunk_source *source;
    struct subblock_block *blocks;
    struct subblock_block *spare; /* the one block with nothing in it, or NULL */
    struct subblock_statistics statistics;
};

/*
 * At least `size` bytes, aligned to SUBBLOCK_SIZE: first fit in the first block on the list that
 * has room, else in a new block. NULL for a size of 0 and when there is no room (nothing is kept).
 */
void *subblock_alloc(struct subblock_arena *arena, size_t size);
/* Of NULL nothing; what subblock_check objects to panics. */
void subblock_free(struct subblock_arena *arena, void *address);
/* NULL when `address` may be freed, else why not. */
const char *subblock_check(const struct subblock_arena *arena, const void *address);

/* The kernel's own, over frames of the direct map. */
extern struct subblock_arena kernel_arena;
extern const struct heap subblock_heap;

#endif
