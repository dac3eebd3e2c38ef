#ifndef MM_PAGING_PAGING_H
#define MM_PAGING_PAGING_H

#include "lib/types.h"
#include "mm/paging/entry.h"

/* The permanent page directory: its frame, and its direct-map address. */
extern phys_t page_directory_physical;
extern uint32_t *page_directory;

/* Make all of low memory reachable through the boot page directory. */
void paging_reach_low_memory(void);
/* Build the permanent directory and switch to it; give the boot tables back. */
void paging_init(void);

enum paging_result {
    PAGING_OK,
    PAGING_NO_MEMORY,
    PAGING_OCCUPIED,
    PAGING_NOT_MAPPED,
    PAGING_RANGE
};

/*
 * One 4 KiB page each, page-aligned addresses, in user space or the kernel's areas; page 0 and what
 * the direct map owns is PAGING_RANGE. Flags are PTE_WRITABLE, PTE_USER (not in the areas) and
 * PTE_GLOBAL, which the areas have in any case. A page table is made on demand and given back when
 * its last page goes.
 */
enum paging_result paging_map(uintptr_t virtual, phys_t physical, uint32_t flags);
enum paging_result paging_unmap(uintptr_t virtual, phys_t *physical);
enum paging_result paging_protect(uintptr_t virtual, uint32_t flags);
/* Any address; follows 4 MiB pages too. flags are those of the entry that maps the page. */
bool paging_translate(uintptr_t virtual, phys_t *physical, uint32_t *flags);

#endif
