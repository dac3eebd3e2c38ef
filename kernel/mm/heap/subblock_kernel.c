/* The sub-block heap over frames of the direct map: heap=subblock. */
#include "mm/frames/frames.h"
#include "mm/heap/subblock.h"
#include "mm/layout.h"

static void *take_frames(size_t *chunks)
{
    phys_t frames = get_free_pages(FRAME_NORMAL, *chunks);
    if (!frames)
        return NULL;
    frames_mark(frames, *chunks, PAGE_HEAP);
    *chunks = frames_granted(*chunks);
    return PHYS_TO_VIRT(frames);
}

static void give_frames(void *start, size_t chunks)
{
    free_pages(VIRT_TO_PHYS(start), chunks);
}

static const struct chunk_source frames_source = {take_frames, give_frames};

struct subblock_arena kernel_arena = {.source = &frames_source};

static void *kernel_alloc(size_t size)
{
    return subblock_alloc(&kernel_arena, size);
}

static void kernel_free(void *address)
{
    subblock_free(&kernel_arena, address);
}

static const char *kernel_check(const void *address)
{
    return subblock_check(&kernel_arena, address);
}

static void kernel_count(struct heap_counts *counts)
{
    subblock_counts(&kernel_arena.statistics, counts);
}

const struct heap subblock_heap = {.name = "subblock",
                                   .alloc = kernel_alloc,
                                   .free = kernel_free,
                                   .check = kernel_check,
                                   .count = kernel_count};
