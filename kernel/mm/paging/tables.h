#ifndef MM_PAGING_TABLES_H
#define MM_PAGING_TABLES_H

#include "lib/types.h"
#include "mm/paging/entry.h"

/* A zeroed frame of the direct map, marked as a page table; 0 when there is none. */
phys_t table_alloc(void);
void table_free(phys_t table);
bool table_empty(const uint32_t *table);
/* The table that a directory entry leads to, at its direct-map address. */
uint32_t *table_at(uint32_t directory_entry);

#endif
