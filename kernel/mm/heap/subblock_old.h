#ifndef MM_HEAP_SUBBLOCK_OLD_H
#define MM_HEAP_SUBBLOCK_OLD_H

#include "mm/heap/heap.h"
#include "mm/heap/subblock_map.h"
#include "mm/heap/subblock_statistics.h"

/* A block is one chunk, a frame of the direct map. The newest one is the first on the list. */
struct subblock_old_block {
    struct subblock_old_block *next;
    uint32_t free;                  /* sub-blocks */
    uint32_t longest;               /* no run of them is longer */
    uint8_t map[SUBBLOCKS_A_CHUNK]; /* enum subblock_value */
};

enum {
    SUBBLOCK_OLD_METADATA = (sizeof(struct subblock_old_block) + SUBBLOCK_SIZE - 1) / SUBBLOCK_SIZE,
    /* What a block can hold: 123 sub-blocks, 3,936 bytes. There is no larger allocation. */
    SUBBLOCK_OLD_MOST = SUBBLOCKS_A_CHUNK - SUBBLOCK_OLD_METADATA,
};

/*
 * First fit in the first block on the list that has room, else in a new block; aligned to
 * SUBBLOCK_SIZE. A block with nothing in it is given back when there is such a one already.
 */
struct subblock_old {
    struct subblock_old_block *blocks;
    struct subblock_old_block *spare; /* the one block with nothing in it, or NULL */
    struct subblock_statistics statistics;
};

extern struct subblock_old subblock_old;
extern const struct heap subblock_old_heap;

#endif
