#ifndef MM_HEAP_LARGE_BLOCK_H
#define MM_HEAP_LARGE_BLOCK_H

#include "lib/types.h"

/* Blocks that have whole frames to themselves. For malloc.c only. */

void large_blocks_init(void);
void *large_block_alloc(size_t size); /* NULL when there is no room */
/* NULL for the start of a live large block, else what is wrong with it. Any address. */
const char *large_block_check(const void *block);
void large_block_free(void *block);
size_t large_block_size(const void *block);
/* Another size in the same pages; false when it needs more of them, or fewer. */
bool large_block_resize(void *block, size_t size);

#endif
