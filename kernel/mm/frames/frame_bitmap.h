#ifndef MM_FRAMES_FRAME_BITMAP_H
#define MM_FRAMES_FRAME_BITMAP_H

#include "lib/types.h"

/* One bit a frame, from frame 0 up: 1 = taken. Searches look at a word of them at a time. */
struct frame_bitmap {
    uint32_t *words;
    pfn_t frames;  /* bits that mean something; the rest of the last word is 1 */
    uint32_t free; /* zero bits */
};

/* Words that so many frames take. */
size_t frame_bitmap_words(pfn_t frames);
/* All frames are taken. */
void frame_bitmap_init(struct frame_bitmap *bitmap, uint32_t *words, pfn_t frames);

/* The frame lies below the last one. */
bool frame_bitmap_taken(const struct frame_bitmap *bitmap, pfn_t frame);

/* The first taken or free frame of start..end (exclusive, at most `frames`); `end` for none. */
pfn_t frame_bitmap_next_taken(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end);
pfn_t frame_bitmap_next_free(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end);

/*
 * The lowest `count` free frames in a row that lie wholly in start..end; 0 when there are none, or
 * when `count` is 0. `end` may lie beyond the last frame. Assumes that frame 0 is taken.
 */
pfn_t frame_bitmap_find(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end, size_t count);
/* The length of the longest row of free frames. */
size_t frame_bitmap_longest(const struct frame_bitmap *bitmap);

/* All of them are free, or all of them taken; none lies beyond the last frame. */
void frame_bitmap_take(struct frame_bitmap *bitmap, pfn_t first, size_t count);
void frame_bitmap_release(struct frame_bitmap *bitmap, pfn_t first, size_t count);

#endif
