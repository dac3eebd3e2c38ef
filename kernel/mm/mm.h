#ifndef MM_MM_H
#define MM_MM_H

/* Bring the memory manager up, from the firmware's map to kmalloc; the boot sequence in one page.
 */
void mm_init(void);

#endif
