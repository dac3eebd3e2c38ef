/* The virtual memory manager: single pages of address spaces, and the switch between these. */
#include "mm/paging/vmm.h"

#include "cpu/descriptors.h"
#include "cpu/features.h"
#include "cpu/registers.h"
#include "mm/layout.h"
#include "mm/paging/tables.h"
#include "mm/paging/tlb.h"

#define VMM_REGION(identifier, name, start, end, rights) {name, start, (end) - 1, rights},
const struct vmm_region vmm_regions[VMM_REGIONS] = {VMM_MEMORY_MAP(VMM_REGION)};

const struct vmm_region *vmm_region_of(uintptr_t virtual)
{
    for (uint32_t i = 0; i < VMM_REGIONS; i++) {
        const struct vmm_region *region = &vmm_regions[i];
        if (virtual >= region->start && virtual <= region->last)
            return region;
    }
    return NULL;
}

/* What may be done with the page: enum vmm_right, 0 when it may not be changed. */
static uint32_t page_rights(uintptr_t virtual)
{
    const struct vmm_region *region = vmm_region_of(virtual);
    bool single = virtual % PAGE_SIZE == 0 && region && region->rights & VMM_PAGES;
    return single ? region->rights : 0;
}

static bool flags_allowed(uint32_t rights, uint32_t flags)
{
    uint32_t allowed = PTE_GLOBAL;
    allowed |= rights & VMM_WRITABLE ? PTE_WRITABLE : 0;
    allowed |= rights & VMM_USER ? PTE_USER : 0;
    return (flags & ~allowed) == 0;
}

/* The bit of global pages is reserved on CPUs that have none. */
static uint32_t entry_flags(uint32_t rights, uint32_t flags)
{
    if (!(rights & VMM_USER))
        flags |= PTE_GLOBAL;
    return (cpu_has(CPU_PGE) ? flags : flags & ~PTE_GLOBAL) | PTE_PRESENT;
}

static uint32_t *directory_entry(const struct space *space, uintptr_t virtual)
{
    return &((uint32_t *)PHYS_TO_VIRT(space->directory))[DIRECTORY_INDEX(virtual)];
}

/* The entry of a page that may be changed, NULL when its table does not exist. */
static uint32_t *page_entry(const struct space *space, uintptr_t virtual)
{
    uint32_t directory = *directory_entry(space, virtual);
    return directory & PTE_PRESENT ? &table_at(directory)[TABLE_INDEX(virtual)] : NULL;
}

/* The entry of a page that is mapped and may be changed, else NULL. */
static uint32_t *mapped_entry(const struct space *space, uintptr_t virtual)
{
    uint32_t *entry = page_entry(space, virtual);
    return entry && *entry & PTE_PRESENT ? entry : NULL;
}

/* Tables of user space stand in one directory, those of the kernel's regions in all. */
static void set_directory_entry(struct space *space, uintptr_t virtual, uint32_t value)
{
    if (page_rights(virtual) & VMM_USER) {
        *directory_entry(space, virtual) = value;
        return;
    }
    list_for_each(node, &spaces) * directory_entry(list_entry(node, struct space, list), virtual) =
        value;
}

/* A directory entry allows all that its region may allow; the page's own entry decides. */
static bool ensure_table(struct space *space, uintptr_t virtual, uint32_t rights)
{
    if (*directory_entry(space, virtual) & PTE_PRESENT)
        return true;
    phys_t table = table_alloc();
    if (!table)
        return false;
    uint32_t user = rights & VMM_USER ? PTE_USER : 0;
    set_directory_entry(space, virtual, table | PTE_PRESENT | PTE_WRITABLE | user);
    return true;
}

/* The CPU may remember the directory entry as well, so it forgets before the frame goes. */
static void drop_empty_table(struct space *space, uintptr_t virtual)
{
    uint32_t entry = *directory_entry(space, virtual);
    if (!table_empty(table_at(entry)))
        return;
    set_directory_entry(space, virtual, 0);
    tlb_forget(virtual);
    table_free(entry & ENTRY_ADDRESS);
}

static void set_page(struct space *space, uint32_t *entry, phys_t physical, uint32_t flags,
                     uint32_t rights)
{
    *entry = physical | entry_flags(rights, flags);
    if (rights & VMM_USER && *entry & PTE_GLOBAL)
        space->global_pages = true;
}

enum paging_result vmm_map(struct space *space, uintptr_t virtual, phys_t physical, uint32_t flags)
{
    uint32_t rights = page_rights(virtual);
    if (!rights || physical % PAGE_SIZE || !flags_allowed(rights, flags))
        return PAGING_RANGE;
    if (!ensure_table(space, virtual, rights))
        return PAGING_NO_MEMORY;
    uint32_t *entry = page_entry(space, virtual);
    if (*entry & PTE_PRESENT)
        return PAGING_OCCUPIED;
    set_page(space, entry, physical, flags, rights);
    return PAGING_OK;
}

enum paging_result vmm_unmap(struct space *space, uintptr_t virtual, phys_t *physical)
{
    if (!page_rights(virtual))
        return PAGING_RANGE;
    uint32_t *entry = mapped_entry(space, virtual);
    if (!entry)
        return PAGING_NOT_MAPPED;
    *physical = *entry & ENTRY_ADDRESS;
    *entry = 0;
    tlb_forget(virtual);
    drop_empty_table(space, virtual);
    return PAGING_OK;
}

enum paging_result vmm_replace(struct space *space, uintptr_t virtual, phys_t physical,
                               uint32_t flags)
{
    uint32_t rights = page_rights(virtual);
    if (!rights || physical % PAGE_SIZE || !flags_allowed(rights, flags))
        return PAGING_RANGE;
    uint32_t *entry = mapped_entry(space, virtual);
    if (!entry)
        return PAGING_NOT_MAPPED;
    set_page(space, entry, physical, flags, rights);
    tlb_forget(virtual);
    return PAGING_OK;
}

enum paging_result vmm_protect(struct space *space, uintptr_t virtual, uint32_t flags)
{
    uint32_t *entry = page_rights(virtual) ? mapped_entry(space, virtual) : NULL;
    return vmm_replace(space, virtual, entry ? *entry & ENTRY_ADDRESS : 0, flags);
}

static void translation(uint32_t entry, uint32_t page_size, uintptr_t virtual, phys_t *physical,
                        uint32_t *flags)
{
    *physical = (entry & ~(page_size - 1)) | (virtual & (page_size - 1));
    *flags = entry & ENTRY_FLAGS;
}

bool vmm_translate(const struct space *space, uintptr_t virtual, phys_t *physical, uint32_t *flags)
{
    uint32_t directory = *directory_entry(space, virtual);
    if (!(directory & PTE_PRESENT))
        return false;
    if (directory & PTE_LARGE) {
        translation(directory, LARGE_PAGE_SIZE, virtual, physical, flags);
        return true;
    }
    uint32_t entry = table_at(directory)[TABLE_INDEX(virtual)];
    if (!(entry & PTE_PRESENT))
        return false;
    translation(entry, PAGE_SIZE, virtual, physical, flags);
    return true;
}

/* Downwards: freeing pages from the end, a table shows at its first entry that it is in use. */
uintptr_t vmm_last_mapped(const struct space *space, uintptr_t start, uintptr_t end)
{
    uintptr_t page = end;
    while (page > start) {
        page -= PAGE_SIZE;
        uint32_t *entry = page_entry(space, page);
        if (!entry)
            page &= -LARGE_PAGE_SIZE; /* no table: go on below what it would map */
        else if (*entry & PTE_PRESENT)
            return page;
    }
    return 0;
}

/* Loading CR3 spares global pages, which are the kernel's, unless somebody mapped some by hand. */
void vmm_switch(struct space *space)
{
    bool global_pages = current_space->global_pages;
    current_space = space;
    cr3_write(space->directory);
    double_fault_follow(space->directory);
    if (global_pages)
        tlb_forget_everything();
}

enum paging_result paging_map(uintptr_t virtual, phys_t physical, uint32_t flags)
{
    return vmm_map(current_space, virtual, physical, flags);
}

enum paging_result paging_unmap(uintptr_t virtual, phys_t *physical)
{
    return vmm_unmap(current_space, virtual, physical);
}

enum paging_result paging_protect(uintptr_t virtual, uint32_t flags)
{
    return vmm_protect(current_space, virtual, flags);
}

bool paging_translate(uintptr_t virtual, phys_t *physical, uint32_t *flags)
{
    return vmm_translate(current_space, virtual, physical, flags);
}
