#ifndef MM_PAGING_TABLES_H
#define MM_PAGING_TABLES_H

#include "lib/types.h"

/* Directory and table entries: Intel SDM volume 3, section 4.3 "32-bit Paging". */
#define TABLE_ENTRIES 1024u
#define ENTRY_ADDRESS 0xFFFFF000u
#define ENTRY_FLAGS   0x00000FFFu

#define DIRECTORY_INDEX(virtual) ((uintptr_t)(virtual) >> 22)
#define TABLE_INDEX(virtual)     ((uintptr_t)(virtual) >> 12 & (TABLE_ENTRIES - 1))

/* A zeroed frame of the direct map, marked as a page table; 0 when there is none. */
phys_t table_alloc(void);
void table_free(phys_t table);
bool table_empty(const uint32_t *table);
/* The table that a directory entry leads to, at its direct-map address. */
uint32_t *table_at(uint32_t directory_entry);

#endif
