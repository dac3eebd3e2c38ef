/* One bit a frame: 1 while a caller of the frame interface holds it. */
#include "mm/frames/held.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/layout.h"

#define WORD_BITS 32

struct held held;

static size_t bitmap_pages(void)
{
    size_t words = (held.frames + WORD_BITS - 1) / WORD_BITS;
    return PAGES_FOR(words * sizeof(uint32_t));
}

void held_reserve(void)
{
    held.frames = firmware_map_end();
    held.words = early_alloc_contiguous(bitmap_pages());
    if (!held.words)
        refuse("no room for the bitmap of held frames: %u free KiB in a row below 896 MiB are "
               "needed",
               (unsigned)(bitmap_pages() * (PAGE_SIZE / 1024)));
}

void held_init(void)
{
    memset(held.words, 0, bitmap_pages() * PAGE_SIZE);
}

void held_set(pfn_t first, size_t count)
{
    ASSERT(first + count <= held.frames);
    for (pfn_t frame = first; frame < first + count; frame++)
        held.words[frame / WORD_BITS] |= 1u << frame % WORD_BITS;
}

void held_clear(pfn_t first, size_t count)
{
    ASSERT(first + count <= held.frames);
    for (pfn_t frame = first; frame < first + count; frame++)
        held.words[frame / WORD_BITS] &= ~(1u << frame % WORD_BITS);
}
