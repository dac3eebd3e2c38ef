#ifndef MM_FRAMES_PAGE_H
#define MM_FRAMES_PAGE_H

#include "lib/list.h"
#include "lib/types.h"

/* What the kernel knows of a frame. An enum, so that debuggers and decoders see the names. */
enum page_flag {
    PAGE_RESERVED = 1 << 0, /* never the allocator's: not RAM, image, boot information, metadata */
    PAGE_FREE = 1 << 1,     /* first frame of a free block, on the free list of its order */
    PAGE_TABLE = 1 << 2,    /* a page directory or table */
    PAGE_HEAP = 1 << 3,     /* behind a kmalloc block */
    PAGE_METADATA = 1 << 4, /* the memory manager's own records */
    PAGE_HELD = 1 << 5,     /* given to a caller of the frame interface */
};

enum zone_id {
    ZONE_DMA,    /* below 16 MiB */
    ZONE_NORMAL, /* the rest of the direct map */
    ZONE_HIGH,   /* beyond it: managed, mapped only on demand */
    ZONE_COUNT,
};

/* The order of a frame at which no block begins: inside one, or never the allocator's. */
enum { ORDER_NONE = 0xFF };

struct page {
    struct list_head list; /* links the free block that begins here */
    uint32_t count;        /* users; 0 = free or inside a free block */
    uint8_t flags;         /* enum page_flag */
    uint8_t order;         /* of the free or allocated block that begins here, or ORDER_NONE */
    uint8_t zone;          /* enum zone_id */
};

/* The flat frame table: one struct page for each frame from 0 to mem_map_frames. */
extern struct page *mem_map;
extern pfn_t mem_map_frames;

/*
 * Take frames for mem_map out of the early allocator, before anything smaller cuts the long runs
 * up; fill it once they can be reached.
 */
void mem_map_reserve(void);
void mem_map_init(void);

static inline pfn_t page_to_pfn(const struct page *page)
{
    return page - mem_map;
}

/* NULL outside mem_map. */
static inline struct page *pfn_to_page(pfn_t pfn)
{
    return pfn < mem_map_frames ? &mem_map[pfn] : NULL;
}

/* Note on each of `frames` allocated frames what they are used for. */
void pages_mark(struct page *first, uint32_t frames, enum page_flag use);

#endif
