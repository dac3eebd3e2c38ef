#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

/*
 * Where the kernel and its memory lie, in one of two address spaces; LAYOUT=NAME of the build
 * chooses (kernel/rules.mk, linker/NAME.ld).
 *
 * Higher half: linked at 3 GiB + 1 MiB.
 *
 *     0x00000000  page 0, never mapped
 *     0x00001000  user space (nothing is mapped here by the kernel itself)
 *     0xC0000000  direct map: physical 0 .. DIRECT_MAP_SIZE, one to one;
 *                 usable frames and the kernel's image only, frame 0 and stack guards left out
 *     0xF8000000  a hole of 4 MiB: running off the direct map faults
 *     0xF8400000  kernel virtual areas: kmalloc
 *     0xFF800000  a hole of 4 MiB
 *     0xFFC00000  the window: temporary mappings (boot/window.h)
 *
 * Identity: linked where it is loaded, at 1 MiB; of low memory, virtual = physical.
 *
 *     0x00000000  direct map; the page of frame 0, which is where NULL points, is left out
 *     0x38000000  a hole of 128 MiB
 *     0x40000000  kernel virtual areas
 *     0x7F800000  a hole of 4 MiB
 *     0x7FC00000  the window
 *     0x80000000  user space
 *     0xFFC00000  the last 4 MiB, never mapped: no user's address + size wraps
 */
#ifdef LAYOUT_IDENTITY
#define LAYOUT_CHOICE(higher_half, identity) identity
#else
#define LAYOUT_CHOICE(higher_half, identity) higher_half
#endif

/* For boot/entry.S as well, hence plain numbers; C uses the enumerators below. */
#define LAYOUT_KERNEL_BASE LAYOUT_CHOICE(0xC0000000, 0x00000000)
#define LAYOUT_WINDOW_BASE LAYOUT_CHOICE(0xFFC00000, 0x7FC00000)

#ifndef __ASSEMBLER__
#include "lib/types.h"

/*
 * An enum, so that they stand in the debug information. Those of 2 GiB and more are unsigned;
 * KERNEL_BASE may be 0: ask in_direct_map rather than compare with it.
 */
enum {
    KERNEL_BASE = LAYOUT_KERNEL_BASE, /* virtual address of physical 0 in the direct map */
    DIRECT_MAP_SIZE = 0x38000000,     /* 896 MiB */
    AREAS_START = LAYOUT_CHOICE(0xF8400000, 0x40000000),
    AREAS_END = LAYOUT_CHOICE(0xFF800000, 0x7F800000),
    WINDOW_BASE = LAYOUT_WINDOW_BASE,
    USER_START = LAYOUT_CHOICE(0x00001000, 0x80000000),
    USER_END = LAYOUT_CHOICE(0xC0000000, 0xFFC00000),
};

#define PAGE_SHIFT      12
#define PAGE_SIZE       4096u
#define LARGE_PAGE_SIZE 0x400000u
#define DMA_LIMIT       0x1000000u     /* ISA DMA reaches 16 MiB: 24 address lines */
#define ADDRESS_LIMIT   0x100000000ull /* end of 32-bit physical memory */

/* Pages that so many bytes take. */
#define PAGES_FOR(bytes) (((bytes) + PAGE_SIZE - 1) / PAGE_SIZE)

#define PHYS_TO_PFN(address) ((pfn_t)((address) >> PAGE_SHIFT))
#define PFN_TO_PHYS(pfn)     ((phys_t)(pfn) << PAGE_SHIFT)

#define VIRT_TO_PHYS(address) ((phys_t)(uintptr_t)(address) - KERNEL_BASE)
#define PHYS_TO_VIRT(address) ((void *)((uintptr_t)(address) + KERNEL_BASE))

static inline bool in_direct_map(uintptr_t virtual)
{
    return virtual - KERNEL_BASE < DIRECT_MAP_SIZE;
}

/* Given by the linker script; all page aligned. The image ends behind .bss and the boot stack. */
extern char kernel_start[], kernel_end[];
extern char kernel_text_start[], kernel_text_end[];     /* read-only, executable */
extern char kernel_rodata_start[], kernel_rodata_end[]; /* read-only */
extern char boot_stack_guard_low[], boot_stack[], boot_stack_top[], boot_stack_guard_high[];

#endif
#endif
