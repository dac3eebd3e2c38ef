#ifndef MM_PAGING_PAGING_H
#define MM_PAGING_PAGING_H

#include "lib/types.h"
#include "mm/paging/entry.h"

/* The directory of the address space that the kernel boots into: its frame, and its direct-map
 * address. */
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
 * One 4 KiB page each of the current address space; see vmm.h. Page-aligned addresses, in user
 * space or the kernel's areas; page 0 and what the direct map owns is PAGING_RANGE.
 */
enum paging_result paging_map(uintptr_t virtual, phys_t physical, uint32_t flags);
enum paging_result paging_unmap(uintptr_t virtual, phys_t *physical);
enum paging_result paging_protect(uintptr_t virtual, uint32_t flags);
bool paging_translate(uintptr_t virtual, phys_t *physical, uint32_t *flags);

#endif
