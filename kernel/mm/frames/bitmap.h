#ifndef MM_FRAMES_BITMAP_H
#define MM_FRAMES_BITMAP_H

#include "mm/frames/frame_pool.h"

/*
 * Blocks of 4 KiB of physical memory, one frame each, by first fit: the lowest free blocks in a row
 * are given out. Block 0 is always taken, so that 0, its address, can stand for failure.
 *
 * A search costs the more, the more blocks are taken below what it finds: one pass over the bitmap
 * at worst.
 */
extern struct frame_pool bitmap_frames;

extern const struct frame_allocator bitmap_allocator; /* frames=bitmap */

/*
 * Blocks of the direct map, contiguous ones in the second form; 0 on failure, and for a count of 0.
 * Who holds them is for the caller to note (frames_mark) and to forget (held_clear).
 */
phys_t bitmap_alloc_block(void);
phys_t bitmap_alloc_blocks(size_t count);
/* Any part of what was allocated or set. What is not panics: see frame_pool_free. */
void bitmap_free_block(phys_t block);
void bitmap_free_blocks(phys_t block, size_t count);

/*
 * Take or give back blocks that the caller names, wherever they lie. False, and nothing is changed,
 * unless all of them are free (set), or may be freed (unset).
 */
bool bitmap_set_block(phys_t block);
bool bitmap_set_blocks(phys_t block, size_t count);
bool bitmap_unset_block(phys_t block);
bool bitmap_unset_blocks(phys_t block, size_t count);

#endif
