#ifndef MM_HEAP_SUBBLOCK_STATISTICS_H
#define MM_HEAP_SUBBLOCK_STATISTICS_H

#include "mm/heap/heap.h"
#include "mm/heap/subblock_map.h"

/* What a heap of sub-blocks tells of itself. */
struct subblock_statistics {
    uint32_t live; /* allocations */
    uint32_t used; /* sub-blocks that they take */
    uint32_t chunks;
    uint32_t failures;
};

static inline void subblock_counts(const struct subblock_statistics *statistics,
                                   struct heap_counts *counts)
{
    *counts = (struct heap_counts){.blocks = statistics->live,
                                   .bytes = statistics->used * SUBBLOCK_SIZE,
                                   .frames = statistics->chunks,
                                   .failures = statistics->failures};
}

#endif
