#ifndef MM_EARLY_EARLY_H
#define MM_EARLY_EARLY_H

#include "lib/types.h"

/*
 * An allocator for the time before there is a frame table: direct-map pointers to whole pages,
 * NULL when there is nothing left. Each tells for itself when it is called at the wrong time.
 */
struct early_allocator {
    const char *name; /* early=NAME on the command line */
    void (*init)(void);
    void *(*alloc_page)(void);
    void *(*alloc_contiguous)(size_t pages);
    void (*free_contiguous)(void *address, size_t pages); /* NULL: it takes nothing back */
    void (*hand_over)(void); /* gives each free frame, ascending, to the frame allocator */
};

/* The one in charge, chosen by early_choose for good. */
extern const struct early_allocator *early_allocator;

/* Choose by early=NAME or the preset; bootmem without either. */
void early_choose(void);
/* Let it look at memory. */
void early_init(void);
void *early_alloc_page(void);
void *early_alloc_contiguous(size_t pages);
/* Panics when the allocator has no free. */
void early_free_contiguous(void *address, size_t pages);
/* The frame allocator has every free frame after this; a later call to the allocator panics. */
void early_hand_over(void);

#endif
