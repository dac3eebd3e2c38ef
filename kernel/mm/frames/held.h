#ifndef MM_FRAMES_HELD_H
#define MM_FRAMES_HELD_H

#include "lib/types.h"

/*
 * Which frames callers of the frame interface hold, where the frame allocator does not note it:
 * every frame then has somebody who accounts for it, and one that nobody does has leaked.
 */
struct held {
    uint32_t *words; /* in the direct map: one bit a frame from frame 0 up; 1 = held */
    pfn_t frames;    /* bits that mean something */
};

extern struct held held;

/* Take the bitmap's room out of the early allocator; clear it once it can be reached. */
void held_reserve(void);
void held_init(void);

/* The frames lie below the end of usable memory: the frame allocator gave them. */
void held_set(pfn_t first, size_t count);
void held_clear(pfn_t first, size_t count);

#endif
