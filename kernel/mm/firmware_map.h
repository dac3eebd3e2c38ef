#ifndef MM_FIRMWARE_MAP_H
#define MM_FIRMWARE_MAP_H

#include "lib/types.h"

/* The firmware's map made sane: page frames, sorted, disjoint, below 4 GiB. */
enum memory_type {
    MEMORY_USABLE = 1,
    MEMORY_RESERVED = 2, /* every type that is not listed here */
    MEMORY_ACPI = 3,
    MEMORY_NVS = 4,
    MEMORY_BAD = 5,
};

struct memory_region {
    pfn_t start; /* first frame */
    pfn_t end;   /* first frame behind it; at most 1 << 20 */
    uint32_t type;
};

#define FIRMWARE_MAP_MAX 256

struct firmware_map {
    uint32_t count;
    struct memory_region regions[FIRMWARE_MAP_MAX];
};

extern struct firmware_map firmware_map;

void firmware_map_init(void);
/* The first frame behind the highest usable one. */
pfn_t firmware_map_end(void);
bool firmware_map_usable(pfn_t frame);

#endif
