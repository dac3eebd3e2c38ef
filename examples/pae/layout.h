/*
 * The address space.
 *
 *     0x00000000  nothing
 *     0xC0000000  direct map of physical memory below 768 MiB: usable frames and the image only
 *     0xF0000000  the heap, mapped as far as it has grown
 *     0xF1000000  nothing
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#define KERNEL_BASE 0xC0000000
#define HEAP_START  0xF0000000
#define HEAP_END    0xF1000000

#ifndef __ASSEMBLER__

#include <stdint.h>

#define FRAME_SIZE 4096

/* Frames that are managed: memory from 1 MiB on, as far as the direct map goes. */
enum {
    FIRST_FRAME = 0x100,
    END_FRAME = 0x30000,
    FRAME_COUNT = END_FRAME - FIRST_FRAME,
};

static inline void *direct(uint32_t physical)
{
    return (void *)(physical + KERNEL_BASE);
}

static inline uint32_t physical(const void *address)
{
    return (uint32_t)address - KERNEL_BASE;
}

#endif
#endif
