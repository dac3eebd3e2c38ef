#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

#include "lib/types.h"

/*
 * The higher-half address space.
 *
 *     0x00000000  page 0, never mapped
 *     0x00001000  user space (nothing is mapped here by the kernel itself)
 *     0xC0000000  direct map: physical 0 .. DIRECT_MAP_SIZE, one to one;
 *                 usable frames and the kernel's image only, frame 0 and stack guards left out
 *     0xF8000000  a hole of 4 MiB: running off the direct map faults
 *     0xF8400000  kernel virtual areas: kmalloc
 *     0xFF800000  a hole of 4 MiB
 *     0xFFC00000  the window: temporary mappings (boot/window.h)
 */
#define PAGE_SHIFT      12
#define PAGE_SIZE       4096u
#define LARGE_PAGE_SIZE 0x400000u
#define KERNEL_BASE     0xC0000000u
#define USER_START      0x1000u /* the first byte of user space */
#define USER_END        KERNEL_BASE
#define DIRECT_MAP_SIZE 0x38000000u /* 896 MiB */
#define AREAS_START     0xF8400000u
#define AREAS_END       0xFF800000u
#define WINDOW_BASE     0xFFC00000u
#define DMA_LIMIT       0x1000000u     /* ISA DMA reaches 16 MiB: 24 address lines */
#define ADDRESS_LIMIT   0x100000000ull /* end of 32-bit physical memory */

/* Pages that so many bytes take. */
#define PAGES_FOR(bytes) (((bytes) + PAGE_SIZE - 1) / PAGE_SIZE)

#define PHYS_TO_PFN(address) ((pfn_t)((address) >> PAGE_SHIFT))
#define PFN_TO_PHYS(pfn)     ((phys_t)(pfn) << PAGE_SHIFT)

#define VIRT_TO_PHYS(address) ((phys_t)(uintptr_t)(address) - KERNEL_BASE)
#define PHYS_TO_VIRT(address) ((void *)((uintptr_t)(address) + KERNEL_BASE))

/* Given by the linker script; all page aligned. The image ends behind .bss and the boot stack. */
extern char kernel_start[], kernel_end[];
extern char kernel_text_start[], kernel_text_end[];     /* read-only, executable */
extern char kernel_rodata_start[], kernel_rodata_end[]; /* read-only */
extern char boot_stack_guard_low[], boot_stack[], boot_stack_top[], boot_stack_guard_high[];

#endif
