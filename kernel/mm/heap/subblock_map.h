#ifndef MM_HEAP_SUBBLOCK_MAP_H
#define MM_HEAP_SUBBLOCK_MAP_H

#include "lib/types.h"
#include "mm/layout.h"

/* A chunk is a page of memory; what is given out of it is made of sub-blocks. */
enum { SUBBLOCK_SIZE = 32, SUBBLOCKS_A_CHUNK = PAGE_SIZE / SUBBLOCK_SIZE };

/*
 * One byte a sub-block. Those of one allocation share a colour, and it differs from the colours of
 * both neighbours: that is how its end is known. Three colours are enough for that.
 */
enum subblock_value { SUBBLOCK_FREE, SUBBLOCK_METADATA, SUBBLOCK_COLOUR, SUBBLOCK_COLOURS = 3 };

/*
 * The map of one block:
 *
 *     0           metadata                                            count
 *     | metadata  | free, or allocations one behind the other ...     |
 */
struct subblock_map {
    uint8_t *values;
    uint32_t count;
    uint32_t metadata; /* sub-blocks at the start that hold the block's own records; at least 1 */
    uint32_t *longest; /* no run of free sub-blocks is longer; it may be that none is as long */
};

/* Sub-blocks that so many bytes take, exactly: no size wraps. */
static inline uint32_t subblocks_for(size_t size)
{
    return size / SUBBLOCK_SIZE + (size % SUBBLOCK_SIZE != 0);
}

/* Everything free but the metadata. */
void subblock_map_init(const struct subblock_map *map);
/*
 * Take the first run of so many (at least one) free sub-blocks. Its first one, 0 without any: a
 * search in vain tells how long the longest run is, so that the next one is spared.
 */
uint32_t subblock_map_alloc(const struct subblock_map *map, uint32_t wanted);
/* Free the allocation that begins at a sub-block; how many sub-blocks it had. */
uint32_t subblock_map_free(const struct subblock_map *map, uint32_t first);
/* NULL when an allocation begins so many bytes from the block's start, else why none does. */
const char *subblock_map_check(const struct subblock_map *map, uint32_t offset);

#endif
