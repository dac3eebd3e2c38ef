#ifndef MM_FIRMWARE_MAP_H
#define MM_FIRMWARE_MAP_H

#include "lib/types.h"
#include "mm/memory_type.h"

/*
 * The firmware's map made sane: page frames, sorted, disjoint, below 4 GiB.
 */
struct memory_region {
    pfn_t start; /* first frame */
    pfn_t end;   /* first frame behind it; at most 1 << 20 */
    uint32_t type;
};

/* Enough for any map of 1,000 entries: each can cut at most one usable region in two. */
#define FIRMWARE_MAP_MAX 1024

struct firmware_map {
    uint32_t count;
    struct memory_region regions[FIRMWARE_MAP_MAX];
};

extern struct firmware_map firmware_map;

void firmware_map_init(void);
/* The first frame behind the highest usable one. */
pfn_t firmware_map_end(void);
bool firmware_map_usable(pfn_t frame);
/* How many frames of start..end (exclusive) are usable. */
uint32_t firmware_map_count(pfn_t start, pfn_t end);

#endif
