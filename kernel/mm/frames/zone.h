#ifndef MM_FRAMES_ZONE_H
#define MM_FRAMES_ZONE_H

#include "mm/layout.h"

/* What a frame can be used for depends on where it lies. */
enum zone_id {
    ZONE_DMA,    /* below 16 MiB */
    ZONE_NORMAL, /* the rest of the direct map */
    ZONE_HIGH,   /* beyond it: managed, mapped only on demand */
    ZONE_COUNT,
};

/* As the console calls them. */
static const char *const zone_names[ZONE_COUNT] __attribute__((unused)) = {"dma", "normal", "high"};

/* Where a frame may come from; with none of the first three: normal, then DMA. */
enum frame_flag {
    FRAME_DMA = 1 << 0,    /* DMA only */
    FRAME_NORMAL = 1 << 1, /* direct map: normal, then DMA */
    FRAME_HIGH = 1 << 2,   /* anywhere: high, then normal, then DMA */
    FRAME_ZERO = 1 << 3,   /* contents zeroed */
};

/* The first frame behind the zone; the next one begins there. */
static inline pfn_t zone_end(enum zone_id zone)
{
    static const pfn_t ends[ZONE_COUNT] = {
        [ZONE_DMA] = PHYS_TO_PFN(DMA_LIMIT),
        [ZONE_NORMAL] = PHYS_TO_PFN(DIRECT_MAP_SIZE),
        [ZONE_HIGH] = PHYS_TO_PFN(ADDRESS_LIMIT),
    };
    return ends[zone];
}

static inline pfn_t zone_start(enum zone_id zone)
{
    return zone == ZONE_DMA ? 0 : zone_end(zone - 1);
}

static inline enum zone_id zone_of(pfn_t frame)
{
    if (frame < zone_end(ZONE_DMA))
        return ZONE_DMA;
    return frame < zone_end(ZONE_NORMAL) ? ZONE_NORMAL : ZONE_HIGH;
}

/* The zone to try first; lower ones follow. The narrowest wish counts. */
static inline enum zone_id zone_highest(uint32_t flags)
{
    if (flags & FRAME_DMA)
        return ZONE_DMA;
    return flags & FRAME_HIGH && !(flags & FRAME_NORMAL) ? ZONE_HIGH : ZONE_NORMAL;
}

#endif
