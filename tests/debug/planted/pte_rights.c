/* A page of the kernel's code becomes writable. */
#include "mm/paging/paging.h"
#include "mm/paging/tables.h"
#include "plants.h"

void plant_pte_rights(void)
{
    volatile uint32_t *table = table_at(page_directory[DIRECTORY_INDEX(kernel_text_start)]);

    table[TABLE_INDEX(kernel_text_start) + 2] |= PTE_WRITABLE; /* CULPRIT */
}
