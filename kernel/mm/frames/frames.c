/* Which frame allocator is in charge, and the way to it. */
#include "mm/frames/frames.h"

#include "boot/window.h"
#include "lib/string.h"
#include "mm/choice.h"
#include "mm/frames/bitmap.h"
#include "mm/frames/buddy.h"
#include "mm/frames/held.h"
#include "mm/frames/pair.h"
#include "mm/frames/pmm.h"

/* The first one is the default. */
static const struct frame_allocator *const allocators[] = {&buddy_allocator, &pair_allocator,
                                                           &pmm_allocator, &bitmap_allocator};

const struct frame_allocator *frame_allocator;

void frames_choose(void)
{
    frame_allocator = mm_choose("frames", "frame allocator", allocators, ARRAY_SIZE(allocators));
}

void frames_reserve(void)
{
    frame_allocator->reserve();
    if (!frame_allocator->mark)
        held_reserve();
}

void frames_init(void)
{
    frame_allocator->init();
    if (!frame_allocator->mark)
        held_init();
}

void frame_run_end(struct frame_run *run)
{
    if (run->start < run->end)
        frame_allocator->receive(run->start, run->end - run->start);
    run->start = run->end;
}

static void zero_frame(phys_t address)
{
    if (address < DIRECT_MAP_SIZE)
        memset(PHYS_TO_VIRT(address), 0, PAGE_SIZE);
    else
        physical_zero_frame(address);
}

static __attribute__((noinline)) phys_t zeroed(phys_t address, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        zero_frame(address + i * PAGE_SIZE);
    return address;
}

phys_t get_free_pages(uint32_t flags, size_t pages)
{
    phys_t address = frame_allocator->alloc(flags, pages);
    return flags & FRAME_ZERO && address ? zeroed(address, pages) : address;
}

/* Not by way of get_free_pages: this is the call that everything hangs on. */
phys_t get_free_page(uint32_t flags)
{
    phys_t address = frame_allocator->alloc(flags, 1);
    return flags & FRAME_ZERO && address ? zeroed(address, 1) : address;
}

size_t frames_granted(size_t pages)
{
    return frame_allocator->granted ? frame_allocator->granted(pages) : pages;
}

void frames_mark(phys_t address, size_t pages, enum page_flag use)
{
    size_t granted = frames_granted(pages);
    if (frame_allocator->mark)
        frame_allocator->mark(address, granted, use);
    else if (use == PAGE_HELD)
        held_set(PHYS_TO_PFN(address), granted);
}

void free_pages(phys_t address, size_t pages)
{
    frame_allocator->free(address, pages);
    if (held.words)
        held_clear(PHYS_TO_PFN(address), frames_granted(pages));
}

void free_page(phys_t address)
{
    frame_allocator->free(address, 1);
    if (held.words)
        held_clear(PHYS_TO_PFN(address), frames_granted(1));
}
