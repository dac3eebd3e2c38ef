/* Bits of frames: searching them, setting and clearing runs of them, by whole words. */
#include "mm/frames/frame_bitmap.h"

#include "lib/panic.h"
#include "lib/string.h"

#define WORD_BITS 32

size_t frame_bitmap_words(pfn_t frames)
{
    return (frames + WORD_BITS - 1) / WORD_BITS;
}

void frame_bitmap_init(struct frame_bitmap *bitmap, uint32_t *words, pfn_t frames)
{
    *bitmap = (struct frame_bitmap){words, frames, 0};
    memset(words, 0xFF, frame_bitmap_words(frames) * sizeof(*words));
}

bool frame_bitmap_taken(const struct frame_bitmap *bitmap, pfn_t frame)
{
    return bitmap->words[frame / WORD_BITS] & 1u << frame % WORD_BITS;
}

/* The first frame of start..end whose bit is not that of `same`, a word of equal bits. */
static inline pfn_t next_other(const uint32_t *words, uint32_t same, pfn_t start, pfn_t end)
{
    while (start < end) {
        uint32_t other = (words[start / WORD_BITS] ^ same) >> start % WORD_BITS;
        if (other) {
            start += __builtin_ctz(other);
            break;
        }
        start = (start / WORD_BITS + 1) * WORD_BITS;
    }
    return start < end ? start : end;
}

pfn_t frame_bitmap_next_taken(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end)
{
    return next_other(bitmap->words, 0, start, end);
}

pfn_t frame_bitmap_next_free(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end)
{
    return next_other(bitmap->words, ~0u, start, end);
}

pfn_t frame_bitmap_find(const struct frame_bitmap *bitmap, pfn_t start, pfn_t end, size_t count)
{
    if (end > bitmap->frames)
        end = bitmap->frames;
    while (count > 0 && start < end) {
        pfn_t first = frame_bitmap_next_free(bitmap, start, end);
        if (count > end - first)
            break;
        pfn_t behind = frame_bitmap_next_taken(bitmap, first, first + count);
        if (behind == first + count)
            return first;
        start = behind + 1;
    }
    return 0;
}

size_t frame_bitmap_longest(const struct frame_bitmap *bitmap)
{
    size_t longest = 0;
    for (pfn_t start = 0; start < bitmap->frames;) {
        pfn_t first = frame_bitmap_next_free(bitmap, start, bitmap->frames);
        start = frame_bitmap_next_taken(bitmap, first, bitmap->frames);
        if (start - first > longest)
            longest = start - first;
    }
    return longest;
}

/* The bits of start's word that lie in start..end. */
static uint32_t word_mask(pfn_t start, pfn_t end)
{
    uint32_t mask = ~0u << start % WORD_BITS;
    if (end / WORD_BITS == start / WORD_BITS)
        mask &= ~(~0u << end % WORD_BITS);
    return mask;
}

static pfn_t next_word(pfn_t frame)
{
    return (frame / WORD_BITS + 1) * WORD_BITS;
}

void frame_bitmap_take(struct frame_bitmap *bitmap, pfn_t first, size_t count)
{
    ASSERT(first + count <= bitmap->frames);
    for (pfn_t frame = first, end = first + count; frame < end; frame = next_word(frame))
        bitmap->words[frame / WORD_BITS] |= word_mask(frame, end);
    bitmap->free -= count;
}

void frame_bitmap_release(struct frame_bitmap *bitmap, pfn_t first, size_t count)
{
    ASSERT(first + count <= bitmap->frames);
    for (pfn_t frame = first, end = first + count; frame < end; frame = next_word(frame))
        bitmap->words[frame / WORD_BITS] &= ~word_mask(frame, end);
    bitmap->free += count;
}
