#ifndef MM_FRAMES_PAIR_H
#define MM_FRAMES_PAIR_H

#include "mm/frames/frames.h"
#include "mm/frames/order.h"

/*
 * A buddy allocator without a descriptor for each frame. Free blocks of 2^order frames are linked
 * through their own first bytes, and a bitmap has one bit for each pair of buddies, 1 when exactly
 * one of the two is free as a block of its own. Freeing a block looks at the bit of its pair: 1
 * means that the buddy is free, and the two become one.
 *
 *     base                                                                  base + size
 *      | pair 0 of order 0 | pair 1 of order 0 | …                    | a last one alone |
 *      | pair 0 of order 1                     | …
 *
 * Both halves of a pair are never free at once below max_order, for they would be one block.
 * There each bit says it all: 0 means that neither is. At max_order nothing merges and there is
 * no bit.
 *
 * A list is a stack: the block that was freed or split off last is given out first. Of the free
 * blocks that are large enough the smallest is taken, its lower half is kept at each split.
 *
 * One such allocator for each zone. All usable memory of the zone is managed, whatever its size: a
 * block at the end whose buddy would lie beyond it, or in a hole, never finds that one free.
 *
 * What a free can be wrong in is caught (a panic) where free blocks and the frames that were ever
 * handed over can tell. A block does not say with which order it was allocated, so two mistakes
 * cannot be seen when they are made: a block freed with another order than it was allocated with
 * while no part of it is free, and a frame freed from the inside of an allocated block.
 */

/* At the start of a free block; the rest of the block is not touched. */
struct buddy_node {
    phys_t next;     /* on the same list; 0 at its end */
    phys_t previous; /* 0 at its start */
    uint32_t magic;  /* BUDDY_MAGIC as long as the block is free */
    uint32_t order;
};

/* An enum, so that it stands in the debug information. */
enum buddy_magic { BUDDY_MAGIC = 0x42756464, BUDDY_TAKEN = 0 };

/* Physical addresses and numbers of bytes, except where it says otherwise. */
typedef struct {
    phys_t base;                      /* the zone's start, a multiple of the largest block */
    uint32_t size;                    /* from there to the end of the zone's usable memory */
    phys_t free_lists[MAX_ORDER + 1]; /* the first node of each; a block beyond the direct map has
                                         no pointer */
    uint8_t *map;                     /* in the direct map: the pairs' bits, order 0 first */
    size_t map_size;
    uint8_t max_order;                 /* of the largest block that fits into size */
    uint32_t first_bit[MAX_ORDER + 1]; /* of an order's pairs in map; [max_order]: all bits */
    uint32_t free_blocks[MAX_ORDER + 1];
    uint32_t free_frames, managed_frames;
    uint32_t allocations, frees, failures;
} buddy_t;

extern buddy_t buddies[ZONE_COUNT];

static inline buddy_t *buddy_of(phys_t address)
{
    return &buddies[zone_of(PHYS_TO_PFN(address))];
}

extern const struct frame_allocator pair_allocator;

#endif
