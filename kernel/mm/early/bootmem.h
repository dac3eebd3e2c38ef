#ifndef MM_EARLY_BOOTMEM_H
#define MM_EARLY_BOOTMEM_H

#include "mm/early/early.h"
#include "mm/frames/frame_bitmap.h"

/* From frame 0 to the end of usable memory. */
struct bootmem {
    struct frame_bitmap map; /* in the direct map */
};

/* NULL before bootmem_init and after bootmem_free_all; a call then is caught (panic). */
extern struct bootmem *bootmem;

extern const struct early_allocator bootmem_allocator;

/*
 * Direct-map pointers, NULL when there is nothing left. First fit, from DMA_LIMIT up first so that
 * the scarce DMA zone is left for those who need it, then below.
 */
void *bootmem_alloc_page(void);
void *bootmem_alloc_contiguous(size_t count);
void bootmem_free_page(void *address);
void bootmem_free_contiguous(void *address, size_t count);

#endif
