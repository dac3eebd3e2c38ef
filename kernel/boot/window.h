#ifndef BOOT_WINDOW_H
#define BOOT_WINDOW_H

#include "lib/types.h"

/*
 * Physical memory through one page of virtual address space: works for any physical address, on
 * any CPU, before and after the permanent page directory. The window's page table is part of the
 * kernel's image and serves the 4 MiB at WINDOW_BASE (mm/layout.h) in every page directory. Reads
 * of physical memory that is not there give all ones.
 */
extern uint32_t window_table[1024];

void physical_read(phys_t source, void *destination, size_t length);
void physical_write(phys_t destination, const void *source, size_t length);
void physical_zero_frame(phys_t frame);

/* Is there RAM at this frame? Writes, reads back and restores one word; asks the bus, not a map. */
bool physical_probe(phys_t frame);

#endif
