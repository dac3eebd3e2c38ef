#ifndef MM_PAGING_TLB_H
#define MM_PAGING_TLB_H

#include "lib/types.h"

/*
 * How the CPU is made to forget translations: one page with invlpg, or everything where the CPU
 * lacks it or the command line says tlb=full.
 */
void tlb_init(void);
void tlb_forget(uintptr_t virtual);
/* All of them, those of global pages too. */
void tlb_forget_everything(void);

#endif
