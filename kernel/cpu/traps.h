#ifndef CPU_TRAPS_H
#define CPU_TRAPS_H

#include "lib/types.h"

/* What the entry stubs push; the order is the stack's. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

void traps_init(void);

/* What an access on purpose met: see touch_read. */
struct touch {
    bool faulted;
    uint32_t vector;
    uint32_t error;   /* the page fault's error code */
    uint32_t address; /* CR2 */
    uint32_t value;
};

/*
 * Access memory that may fault, and say what happened instead of panicking: the monitor's `touch`
 * and the tests that compare page tables with what the CPU does. 32-bit accesses.
 */
struct touch touch_read(uintptr_t address);
struct touch touch_write(uintptr_t address, uint32_t value);
struct touch touch_execute(uintptr_t address); /* calls it: a `ret` must stand there */

#endif
