#ifndef MM_EARLY_BOOT_RANGES_H
#define MM_EARLY_BOOT_RANGES_H

#include "lib/types.h"

/*
 * The frames that hold something before any allocator exists: frame 0 (its address is what
 * failure looks like), the kernel's image, and what the boot loader left. Rounded outward; they
 * may overlap each other and lie outside RAM.
 */
void boot_ranges_for_each(void (*visit)(pfn_t start, pfn_t end));
/* The end of one of them that shares a frame with start..end (exclusive), or 0. */
pfn_t boot_range_conflict(pfn_t start, pfn_t end);

#endif
