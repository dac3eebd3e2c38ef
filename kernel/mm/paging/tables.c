/* Frames that are page tables. */
#include "mm/paging/tables.h"

#include "mm/frames/frames.h"
#include "mm/layout.h"

phys_t table_alloc(void)
{
    phys_t table = get_free_page(FRAME_NORMAL | FRAME_ZERO);
    if (table)
        frames_mark(table, 1, PAGE_TABLE);
    return table;
}

void table_free(phys_t table)
{
    free_page(table);
}

bool table_empty(const uint32_t *table)
{
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        if (table[i])
            return false;
    }
    return true;
}

uint32_t *table_at(uint32_t directory_entry)
{
    return PHYS_TO_VIRT(directory_entry & ENTRY_ADDRESS);
}
