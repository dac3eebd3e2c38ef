/* Single pages in the permanent directory. */
#include "mm/paging/paging.h"

#include "cpu/features.h"
#include "mm/layout.h"
#include "mm/paging/tables.h"
#include "mm/paging/tlb.h"

static bool in_areas(uintptr_t virtual)
{
    return virtual >= AREAS_START && virtual < AREAS_END;
}

static bool may_change(uintptr_t virtual)
{
    bool user = virtual >= PAGE_SIZE && virtual < KERNEL_BASE;
    return virtual % PAGE_SIZE == 0 && (user || in_areas(virtual));
}

static bool flags_allowed(uintptr_t virtual, uint32_t flags)
{
    uint32_t allowed = PTE_WRITABLE | PTE_GLOBAL | (in_areas(virtual) ? 0 : PTE_USER);
    return (flags & ~allowed) == 0;
}

/* The bit of global pages is reserved on CPUs that have none. */
static uint32_t entry_flags(uintptr_t virtual, uint32_t flags)
{
    if (in_areas(virtual))
        flags |= PTE_GLOBAL;
    return (cpu_has(CPU_PGE) ? flags : flags & ~PTE_GLOBAL) | PTE_PRESENT;
}

static uint32_t *directory_entry(uintptr_t virtual)
{
    return &page_directory[DIRECTORY_INDEX(virtual)];
}

/* The entry of a page that may be changed, NULL when its table does not exist. */
static uint32_t *page_entry(uintptr_t virtual)
{
    uint32_t directory = *directory_entry(virtual);
    return directory & PTE_PRESENT ? &table_at(directory)[TABLE_INDEX(virtual)] : NULL;
}

/* A directory entry allows all that its half may allow; the page's own entry decides. */
static bool ensure_table(uintptr_t virtual)
{
    uint32_t *entry = directory_entry(virtual);
    if (*entry & PTE_PRESENT)
        return true;
    phys_t table = table_alloc();
    if (!table)
        return false;
    *entry = table | PTE_PRESENT | PTE_WRITABLE | (virtual < KERNEL_BASE ? PTE_USER : 0);
    return true;
}

/* The CPU may remember the directory entry as well, so it forgets before the frame goes. */
static void drop_empty_table(uintptr_t virtual)
{
    uint32_t *entry = directory_entry(virtual);
    if (!table_empty(table_at(*entry)))
        return;
    phys_t table = *entry & ENTRY_ADDRESS;
    *entry = 0;
    tlb_forget(virtual);
    table_free(table);
}

enum paging_result paging_map(uintptr_t virtual, phys_t physical, uint32_t flags)
{
    if (!may_change(virtual) || physical % PAGE_SIZE || !flags_allowed(virtual, flags))
        return PAGING_RANGE;
    if (!ensure_table(virtual))
        return PAGING_NO_MEMORY;
    uint32_t *entry = page_entry(virtual);
    if (*entry & PTE_PRESENT)
        return PAGING_OCCUPIED;
    *entry = physical | entry_flags(virtual, flags);
    return PAGING_OK;
}

enum paging_result paging_unmap(uintptr_t virtual, phys_t *physical)
{
    if (!may_change(virtual))
        return PAGING_RANGE;
    uint32_t *entry = page_entry(virtual);
    if (!entry || !(*entry & PTE_PRESENT))
        return PAGING_NOT_MAPPED;
    *physical = *entry & ENTRY_ADDRESS;
    *entry = 0;
    tlb_forget(virtual);
    drop_empty_table(virtual);
    return PAGING_OK;
}

enum paging_result paging_protect(uintptr_t virtual, uint32_t flags)
{
    if (!may_change(virtual) || !flags_allowed(virtual, flags))
        return PAGING_RANGE;
    uint32_t *entry = page_entry(virtual);
    if (!entry || !(*entry & PTE_PRESENT))
        return PAGING_NOT_MAPPED;
    *entry = (*entry & ENTRY_ADDRESS) | entry_flags(virtual, flags);
    tlb_forget(virtual);
    return PAGING_OK;
}

static void translation(uint32_t entry, uint32_t page_size, uintptr_t virtual, phys_t *physical,
                        uint32_t *flags)
{
    *physical = (entry & ~(page_size - 1)) | (virtual & (page_size - 1));
    *flags = entry & ENTRY_FLAGS;
}

bool paging_translate(uintptr_t virtual, phys_t *physical, uint32_t *flags)
{
    uint32_t directory = *directory_entry(virtual);
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
