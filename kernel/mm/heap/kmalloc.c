/*
 * Blocks of bytes: an area of virtual memory each, with frames mapped behind it and a header in
 * front.
 */
#include "mm/heap/kmalloc.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"
#include "mm/paging/areas.h"
#include "mm/paging/paging.h"

struct kmalloc_statistics kmalloc_statistics;

/* Pages for a block of `size` bytes and its header; 0 when that is beyond all address space. */
static uint32_t block_pages(size_t size)
{
    size_t overhead = sizeof(struct block_header) + PAGE_SIZE - 1;
    return size > SIZE_MAX - overhead ? 0 : (size + overhead) / PAGE_SIZE;
}

static bool back_page(uintptr_t virtual)
{
    phys_t frame = get_free_page(FRAME_HIGH);
    if (!frame)
        return false;
    frames_mark(frame, 1, PAGE_HEAP);
    if (paging_map(virtual, frame, PTE_WRITABLE) == PAGING_OK)
        return true;
    free_page(frame);
    return false;
}

static void unback_pages(uintptr_t start, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        phys_t frame;
        enum paging_result result = paging_unmap(start + i * PAGE_SIZE, &frame);
        ASSERT(result == PAGING_OK);
        free_page(frame);
    }
}

/* All pages, or none. */
static bool back_pages(uintptr_t start, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        if (!back_page(start + i * PAGE_SIZE)) {
            unback_pages(start, i);
            return false;
        }
    }
    return true;
}

static struct block_header *new_block(uint32_t pages)
{
    uintptr_t start = area_alloc(pages);
    if (!start)
        return NULL;
    if (!back_pages(start, pages)) {
        area_free(area_find(start));
        return NULL;
    }
    return (struct block_header *)start;
}

void *kmalloc(size_t size)
{
    if (size == 0)
        return NULL;
    uint32_t pages = block_pages(size);
    struct block_header *header = pages ? new_block(pages) : NULL;
    if (!header) {
        kmalloc_statistics.failures++;
        return NULL;
    }
    *header = (struct block_header){.size = size, .magic = KMALLOC_MAGIC};
    kmalloc_statistics.blocks++;
    kmalloc_statistics.bytes += size;
    kmalloc_statistics.frames += pages;
    return header + 1;
}

/* The used area that begins with this block's header, or NULL. */
static struct area *block_area(const void *address)
{
    uintptr_t start = (uintptr_t)address - sizeof(struct block_header);
    return start % PAGE_SIZE ? NULL : area_find(start);
}

/* The size is checked as well: it was written together with the magic and lies in front of it. */
static bool header_intact(const struct block_header *header, const struct area *area)
{
    return header->magic == KMALLOC_MAGIC && block_pages(header->size) == area->pages;
}

static void release_block(struct block_header *header, struct area *area)
{
    kmalloc_statistics.blocks--;
    kmalloc_statistics.bytes -= header->size;
    kmalloc_statistics.frames -= area->pages;
    header->magic = KMALLOC_FREED;
    unback_pages(area->start, area->pages);
    area_free(area);
}

/* Whether a block may be freed; *area is its area then. */
static enum kfree_result find_block(const void *address, struct area **area)
{
    *area = block_area(address);
    if (!*area)
        return KFREE_NOT_A_BLOCK;
    const struct block_header *header = (const struct block_header *)(*area)->start;
    return header_intact(header, *area) ? KFREE_OK : KFREE_BAD_MAGIC;
}

enum kfree_result kfree_checked(void *address)
{
    if (!address)
        return KFREE_OK;
    struct area *area;
    enum kfree_result result = find_block(address, &area);
    if (result == KFREE_OK)
        release_block((struct block_header *)area->start, area);
    return result;
}

void kfree(void *address)
{
    const struct block_header *header = (struct block_header *)address - 1;
    switch (kfree_checked(address)) {
    case KFREE_OK:
        return;
    case KFREE_NOT_A_BLOCK:
        panic("kfree: 0x%08x is not the start of a live block", (unsigned)(uintptr_t)address);
    case KFREE_BAD_MAGIC:
        panic("kmalloc: block 0x%08x has magic 0x%08x, size %u, its header is overwritten",
              (unsigned)(uintptr_t)address, header->magic, (unsigned)header->size);
    }
}

static const char *kmalloc_check(const void *address)
{
    struct area *area;
    switch (address ? find_block(address, &area) : KFREE_OK) {
    case KFREE_NOT_A_BLOCK:
        return "not the start of a live block";
    case KFREE_BAD_MAGIC:
        return "its header is overwritten";
    default:
        return NULL;
    }
}

static void kmalloc_count(struct heap_counts *counts)
{
    *counts = (struct heap_counts){.blocks = kmalloc_statistics.blocks,
                                   .bytes = kmalloc_statistics.bytes,
                                   .frames = kmalloc_statistics.frames,
                                   .failures = kmalloc_statistics.failures};
}

const struct heap kmalloc_heap = {.name = "kmalloc",
                                  .alloc = kmalloc,
                                  .free = kfree,
                                  .check = kmalloc_check,
                                  .count = kmalloc_count};
