#ifndef MM_PAGING_VMM_H
#define MM_PAGING_VMM_H

#include "mm/paging/paging.h"
#include "mm/paging/space.h"

/* What the pages of a region may be. */
enum vmm_right {
    VMM_PAGES = 1 << 0,    /* mapped and unmapped one by one; else they stay as they were built */
    VMM_WRITABLE = 1 << 1, /* open to writing */
    VMM_USER = 1 << 2,     /* open to user programs, and each address space has its own */
};

struct vmm_region {
    const char *name;
    uintptr_t start, last; /* the last byte: an end may be 4 GiB */
    uint32_t rights;       /* enum vmm_right */
};

/*
 * The memory map of every address space: name, start, end and rights of each stretch of addresses
 * that may be mapped. mm/layout.h draws it. What lies between is never mapped.
 */
#define VMM_MEMORY_MAP(REGION)                                                                     \
    REGION(USER, "user space", USER_START, USER_END, VMM_PAGES | VMM_WRITABLE | VMM_USER)          \
    REGION(DIRECT, "direct map", KERNEL_BASE + PAGE_SIZE, KERNEL_BASE + DIRECT_MAP_SIZE,           \
           VMM_WRITABLE)                                                                           \
    REGION(AREAS, "kernel areas", AREAS_START, AREAS_END, VMM_PAGES | VMM_WRITABLE)                \
    REGION(WINDOW, "window", WINDOW_BASE, WINDOW_BASE + LARGE_PAGE_SIZE, VMM_WRITABLE)

#define VMM_REGION_NAME(identifier, name, start, end, rights) VMM_REGION_##identifier,
enum vmm_region_id { VMM_MEMORY_MAP(VMM_REGION_NAME) VMM_REGIONS };
#undef VMM_REGION_NAME

extern const struct vmm_region vmm_regions[VMM_REGIONS];

/* The region that holds an address, or NULL. */
const struct vmm_region *vmm_region_of(uintptr_t virtual);

/*
 * One 4 KiB page of an address space each, page-aligned addresses, in a region with VMM_PAGES;
 * others are PAGING_RANGE. Flags are PTE_WRITABLE, PTE_USER (in user space) and PTE_GLOBAL, which
 * the kernel's regions have in any case. A page table is made on demand and given back when its
 * last page goes; those of the kernel's regions stand in every address space.
 */
enum paging_result vmm_map(struct space *space, uintptr_t virtual, phys_t physical, uint32_t flags);
enum paging_result vmm_unmap(struct space *space, uintptr_t virtual, phys_t *physical);
enum paging_result vmm_protect(struct space *space, uintptr_t virtual, uint32_t flags);
/* Let a mapped page show another frame, with these flags. */
enum paging_result vmm_replace(struct space *space, uintptr_t virtual, phys_t physical,
                               uint32_t flags);
/* Any address; follows 4 MiB pages too. flags are those of the entry that maps the page. */
bool vmm_translate(const struct space *space, uintptr_t virtual, phys_t *physical, uint32_t *flags);
/* The last mapped page of user space from `start` up to `end`, exclusive; 0 when there is none. */
uintptr_t vmm_last_mapped(const struct space *space, uintptr_t start, uintptr_t end);

/* Make an address space the current one. */
void vmm_switch(struct space *space);

#endif
