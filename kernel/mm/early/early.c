/* Which early allocator is in charge, and the way to it. */
#include "mm/early/early.h"

#include "lib/panic.h"
#include "mm/choice.h"
#include "mm/early/bootmem.h"
#include "mm/early/memblock.h"

/* The first one is the default. */
static const struct early_allocator *const allocators[] = {&bootmem_allocator, &memblock_allocator};

const struct early_allocator *early_allocator;

void early_choose(void)
{
    early_allocator = mm_choose("early", "early allocator", allocators, ARRAY_SIZE(allocators));
}

void early_init(void)
{
    early_allocator->init();
}

void *early_alloc_page(void)
{
    return early_allocator->alloc_page();
}

void *early_alloc_contiguous(size_t pages)
{
    return early_allocator->alloc_contiguous(pages);
}

void early_free_contiguous(void *address, size_t pages)
{
    if (!early_allocator->free_contiguous)
        panic("%s: 0x%08x freed, but nothing can be given back to it", early_allocator->name,
              (unsigned)(uintptr_t)address);
    early_allocator->free_contiguous(address, pages);
}

void early_hand_over(void)
{
    early_allocator->hand_over();
}
