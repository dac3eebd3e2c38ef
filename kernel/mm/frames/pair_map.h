#ifndef MM_FRAMES_PAIR_MAP_H
#define MM_FRAMES_PAIR_MAP_H

#include "mm/frames/pair.h"

/* The bits of the pair-bitmap buddy: which half of a pair is free, and which frames it manages. */

/* Work out each zone's extent and take room for all bits out of the early allocator. */
void pair_map_reserve(void);
/* All pairs: neither is free. All frames: not managed. */
void pair_map_clear(void);

/* Where all bits lie: one run of pages in the direct map, for the decoders. */
extern uint8_t *pair_records;
extern size_t pair_records_size;

/* The number in `map` of the bit for the pair that `block` belongs to. */
static inline uint32_t pair_number(const buddy_t *buddy, phys_t block, unsigned order)
{
    return buddy->first_bit[order] + ((block - buddy->base) >> (PAGE_SHIFT + 1 + order));
}

/* Is exactly one half of the block's pair free? Assumes order < max_order. */
static inline bool pair_bit(const buddy_t *buddy, phys_t block, unsigned order)
{
    uint32_t bit = pair_number(buddy, block, order);
    return buddy->map[bit / 8] >> bit % 8 & 1;
}

/* One half has become free or is no longer: at max_order there is nothing to note. */
static inline void pair_flip(buddy_t *buddy, phys_t block, unsigned order)
{
    if (order < buddy->max_order) {
        uint32_t bit = pair_number(buddy, block, order);
        buddy->map[bit / 8] ^= 1u << bit % 8;
    }
}

/* Is a part of this block, smaller than all of it, a free block? */
bool pair_any_within(const buddy_t *buddy, phys_t block, unsigned order);

/* Frames that were ever handed over: nothing else may be freed, or looked at as a node. */
struct pair_managed {
    uint8_t *bits; /* one a frame, from frame 0 */
    pfn_t frames;  /* bits that mean something */
};

extern struct pair_managed pair_managed;

static inline bool pair_manages(pfn_t frame)
{
    return frame < pair_managed.frames && pair_managed.bits[frame / 8] >> frame % 8 & 1;
}

void pair_manage(pfn_t first, pfn_t count);
/* The first frame of first..first + count (exclusive) that is not managed, or its end. */
pfn_t pair_managed_end(pfn_t first, pfn_t count);

#endif
