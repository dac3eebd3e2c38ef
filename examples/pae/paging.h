/* Page tables with entries of 8 bytes in three levels: Intel SDM volume 3, section 4.4. */
#ifndef PAGING_H
#define PAGING_H

#include <stdbool.h>
#include <stdint.h>

/* Map the direct map and leave the boot tables. */
void paging_init(void);

/* Map a page of data; returns false when there is no frame for a table. */
bool map_data(uint32_t virtual, uint32_t physical);

/* Take the mapping away and return the frame that was there. */
uint32_t unmap(uint32_t virtual);

#endif
