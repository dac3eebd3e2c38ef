/* Which heap is in charge, and the way to it. */
#include "mm/heap/heap.h"

#include "mm/choice.h"
#include "mm/heap/kmalloc.h"
#include "mm/heap/malloc.h"
#include "mm/heap/subblock.h"
#include "mm/heap/subblock_old.h"

/* The first one is the default. */
static const struct heap *const heaps[] = {&kmalloc_heap, &malloc_heap, &subblock_old_heap,
                                           &subblock_heap};

const struct heap *heap;

void heap_choose(void)
{
    heap = mm_choose("heap", "heap", heaps, ARRAY_SIZE(heaps));
}

void heap_init(void)
{
    if (heap->init)
        heap->init();
}

void *heap_alloc(size_t size)
{
    return heap->alloc(size);
}

void heap_free(void *address)
{
    heap->free(address);
}
