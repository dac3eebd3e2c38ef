#ifndef MM_PAGING_ENTRY_H
#define MM_PAGING_ENTRY_H

#include "lib/types.h"
#include "mm/layout.h"

/* Directory and table entries: Intel SDM volume 3, section 4.3 "32-bit Paging". */
#define TABLE_ENTRIES 1024u
#define ENTRY_ADDRESS 0xFFFFF000u
#define ENTRY_FLAGS   0x00000FFFu

#define DIRECTORY_INDEX(virtual) ((uintptr_t)(virtual) >> 22)
#define TABLE_INDEX(virtual)     ((uintptr_t)(virtual) >> 12 & (TABLE_ENTRIES - 1))

/* Frames that one directory entry covers, by a table or as a 4 MiB page. */
#define CHUNK_FRAMES (LARGE_PAGE_SIZE / PAGE_SIZE)

/* Intel SDM volume 3, tables 4-4 to 4-6. */
enum pte_flag {
    PTE_PRESENT = 1 << 0,
    PTE_WRITABLE = 1 << 1,
    PTE_USER = 1 << 2,
    PTE_CACHE_DISABLE = 1 << 4,
    PTE_ACCESSED = 1 << 5,
    PTE_DIRTY = 1 << 6,
    PTE_LARGE = 1 << 7, /* in a directory entry: 4 MiB */
    PTE_GLOBAL = 1 << 8,
};

#endif
