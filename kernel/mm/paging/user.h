#ifndef MM_PAGING_USER_H
#define MM_PAGING_USER_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/paging/space.h"

/*
 * User regions: stretches of an address space below the kernel whose pages come into being when
 * they are touched first. A read finds the one shared page of zeros, which nobody may write to; a
 * write finds a zeroed frame of the page's own. See user_fault.c.
 */
struct user_region {
    struct list_head list; /* in address order */
    uintptr_t start;
    uint32_t pages;
    uint32_t frames; /* pages that have a frame of their own (PAGE_USER) */
};

/* What every page that was only read shows; part of the image's read-only data. */
extern const uint8_t zero_page[];
extern struct record_pool user_records;

enum user_result {
    USER_OK,
    USER_NO_MEMORY, /* for the record */
    USER_OCCUPIED,  /* by another region, or pages that were mapped by hand */
    USER_RANGE,     /* not whole pages of user space, or none */
};

/*
 * A region in the current space at the lowest address at which it fits between others and pages
 * that were mapped by hand; 0 when there is none, or no record. No memory is taken for its pages
 * yet.
 */
uintptr_t user_alloc(size_t pages);
/* The same at a given address. */
enum user_result user_alloc_at(uintptr_t start, size_t pages);
/* Unmap a region of the current space and give its frames back. What is no region's start panics.
 */
void user_free(uintptr_t start);
/* The same for all regions of a space. */
void user_free_all(struct space *space);
/* The region of the space that holds an address, or NULL. */
struct user_region *user_region_of(const struct space *space, uintptr_t address);

#endif
