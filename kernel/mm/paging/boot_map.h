#ifndef MM_PAGING_BOOT_MAP_H
#define MM_PAGING_BOOT_MAP_H

/* Give the frames of the boot page tables that came from the early allocator to the frame
 * allocator. */
void boot_map_free_tables(void);

#endif
