#ifndef MM_FRAMES_PAGE_H
#define MM_FRAMES_PAGE_H

#include "lib/list.h"
#include "mm/frames/frames.h"

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

/* Reserved frames that are in mem_map become frames that the allocator may give out. */
void mem_map_release(pfn_t first, pfn_t count);

static inline pfn_t page_to_pfn(const struct page *page)
{
    return page - mem_map;
}

/* NULL outside mem_map. */
static inline struct page *pfn_to_page(pfn_t pfn)
{
    return pfn < mem_map_frames ? &mem_map[pfn] : NULL;
}

#endif
