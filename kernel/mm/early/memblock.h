#ifndef MM_EARLY_MEMBLOCK_H
#define MM_EARLY_MEMBLOCK_H

#include "boot/multiboot.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"

/*
 * A stretch of free memory that is given out from its start: a bump. Physical addresses in bytes;
 * 64 bits, because the last stretch may end at 4 GiB.
 *
 *     start            cursor                end
 *       | given out      | free               |
 */
struct memblock_region {
    uint64_t start;  /* of a frame */
    uint64_t cursor; /* the first byte that nobody has */
    uint64_t end;    /* of a frame */
};

/*
 * Enough for the firmware map's regions, each cut in two by each thing that must survive (frame 0
 * and the image too), and for the cuts of MEMBLOCK_SKIPS allocations that skip whole frames.
 */
#define MEMBLOCK_SKIPS 64
#define MEMBLOCK_MAX   (FIRMWARE_MAP_MAX + MULTIBOOT_RANGES_MAX + 2 + MEMBLOCK_SKIPS)

/* Ascending, disjoint, and all of the usable memory that holds nothing at boot. */
struct memblock {
    uint32_t count;
    struct memblock_region regions[MEMBLOCK_MAX];
};

/* NULL before memblock_init and after the hand-over; a call then is caught (panic). */
extern struct memblock *memblock;

extern const struct early_allocator memblock_allocator; /* has no free */

/*
 * A direct-map pointer to `size` bytes whose physical address is a multiple of `align`, a power
 * of two; NULL for a size of 0 and when no region has room. First fit, from DMA_LIMIT up first so
 * that the scarce DMA zone is left for those who need it, then below. Not zeroed.
 */
void *memblock_alloc(size_t size, size_t align);
void *memblock_alloc_page(void);

#endif
