/* Two pages of the heap are behind one frame: each writes over the other's data. */
#include "mm/heap/kmalloc.h"
#include "mm/paging/paging.h"
#include "mm/paging/tables.h"
#include "plants.h"

void plant_aliased_mapping(void)
{
    uintptr_t one = (uintptr_t)kmalloc(100), other = (uintptr_t)kmalloc(100);
    uint32_t *table = table_at(page_directory[DIRECTORY_INDEX(one)]);

    table[TABLE_INDEX(other)] = table[TABLE_INDEX(one)]; /* CULPRIT */
}
