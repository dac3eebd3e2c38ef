#ifndef MM_PAGING_AREAS_H
#define MM_PAGING_AREAS_H

#include "lib/list.h"
#include "lib/types.h"

/*
 * The kernel's virtual areas: AREAS_START..AREAS_END cut into free and used areas, without gaps,
 * on one list in address order; neighbours that are both free are joined. First fit over a list of
 * the free ones; a used one is found by its address, however many there are.
 */
enum area_state { AREA_FREE, AREA_USED };

struct area {
    struct list_head list;
    struct list_head alike; /* of the free areas, in address order; or of used ones of one bucket */
    uintptr_t start;
    uint32_t pages;
    uint32_t state; /* enum area_state */
};

/* Areas live in frames of their own (PAGE_METADATA), chained; unused ones wait on spare_areas. */
struct area_page {
    struct area_page *next;
    struct area areas[];
};

extern struct list_head areas;
extern struct area_page *area_pages;

void areas_init(void);
uintptr_t area_alloc(uint32_t pages); /* 0 when there is none */
/* The used area that begins at this address, or NULL. */
struct area *area_find(uintptr_t start);
void area_free(struct area *area);

#endif
