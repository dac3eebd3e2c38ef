#ifndef MM_HEAP_SUBBLOCK_USER_H
#define MM_HEAP_SUBBLOCK_USER_H

#include "mm/heap/subblock.h"

/*
 * The sub-block heap for user processes: its chunks are pages of user regions, which get frames
 * when they are touched. Its records are in user space too, in that of the kernel's own address
 * space: as long as another one is current, the heap cannot be reached and must be left alone.
 */
extern struct subblock_arena user_arena;

bool user_arena_reachable(void);

#endif
