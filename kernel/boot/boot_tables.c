/* The temporary page tables that boot/entry.S fills. */
#include "boot/boot_tables.h"

#include "cpu/registers.h"
#include "mm/layout.h"

static void unmap(phys_t frame)
{
    uint32_t *entries = &boot_page_tables[0][0];

    entries[PHYS_TO_PFN(frame)] = 0;
}

void boot_tables_guard(void)
{
    unmap(0);
    unmap(VIRT_TO_PHYS(boot_stack_guard_low));
    unmap(VIRT_TO_PHYS(boot_stack_guard_high));
    cr3_write(cr3_read());
}
