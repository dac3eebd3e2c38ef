#ifndef BOOT_BOOT_TABLES_H
#define BOOT_BOOT_TABLES_H

#include "lib/types.h"

/*
 * The temporary page directory, part of the image: the first BOOT_MAP_SIZE bytes of physical memory
 * at 0 and at KERNEL_BASE, in 4 KiB pages, and the window in its slot.
 */
#define BOOT_MAP_SIZE 0x800000u

extern uint32_t boot_page_directory[1024];
extern uint32_t boot_page_tables[2][1024];

/* Take page 0 and the pages around the boot stack out of the map: NULL and an overflow fault. */
void boot_tables_guard(void);

#endif
