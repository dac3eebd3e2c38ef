/* The temporary page tables that boot/entry.S fills. */
#include "boot/boot_tables.h"

#include "cpu/registers.h"
#include "mm/layout.h"

static void unmap(const char *page)
{
    uint32_t *entries = &boot_page_tables[0][0];

    entries[VIRT_TO_PHYS(page) >> PAGE_SHIFT] = 0;
}

void boot_tables_guard_stack(void)
{
    unmap(boot_stack_guard_low);
    unmap(boot_stack_guard_high);
    cr3_write(cr3_read());
}
