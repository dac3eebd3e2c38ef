/* Blocks in contiguous frames of the direct map, with a header in front. */
#include "mm/heap/large_block.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/heap/malloc.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"

struct list_head large_blocks;

void large_blocks_init(void)
{
    list_init(&large_blocks);
}

/* As many as the frame allocator gives in any case; 0 when that is beyond all address space. */
static size_t pages_for(size_t size)
{
    size_t overhead = sizeof(struct large_block) + PAGE_SIZE - 1;
    return size > SIZE_MAX - overhead ? 0 : frames_granted((size + overhead) / PAGE_SIZE);
}

static uint32_t magic_of(const struct large_block *header)
{
    return MALLOC_MAGIC ^ (uint32_t)(uintptr_t)header;
}

static struct large_block *header_of(const void *block)
{
    return (struct large_block *)block - 1;
}

static void account(const struct large_block *header, int sign)
{
    malloc_statistics.large_blocks += sign;
    malloc_statistics.large_bytes += sign * header->size;
    malloc_statistics.large_pages += sign * header->pages;
}

void *large_block_alloc(size_t size)
{
    size_t pages = pages_for(size);
    phys_t frames = pages ? get_free_pages(FRAME_NORMAL, pages) : 0;
    if (!frames)
        return NULL;
    frames_mark(frames, pages, PAGE_HEAP);
    struct large_block *header = PHYS_TO_VIRT(frames);
    *header = (struct large_block){.magic = magic_of(header), .size = size, .pages = pages};
    list_add_front(&header->list, &large_blocks);
    account(header, 1);
    return header + 1;
}

static bool reachable(const void *address)
{
    phys_t physical;
    uint32_t flags;
    return in_direct_map((uintptr_t)address) &&
           paging_translate((uintptr_t)address, &physical, &flags);
}

const char *large_block_check(const void *block)
{
    const struct large_block *header = header_of(block);
    if ((uintptr_t)header % PAGE_SIZE || !reachable(header) || header->magic != magic_of(header))
        return "not the start of a live block";
    return header->pages == pages_for(header->size) ? NULL : "its header is overwritten";
}

void large_block_free(void *block)
{
    struct large_block *header = header_of(block);
    account(header, -1);
    list_remove(&header->list);
    header->magic = 0;
    free_pages(VIRT_TO_PHYS(header), header->pages);
}

size_t large_block_size(const void *block)
{
    return header_of(block)->size;
}

bool large_block_resize(void *block, size_t size)
{
    struct large_block *header = header_of(block);
    if (pages_for(size) != header->pages)
        return false;
    account(header, -1);
    header->size = size;
    account(header, 1);
    return true;
}
