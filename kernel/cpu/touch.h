#ifndef CPU_TOUCH_H
#define CPU_TOUCH_H

#include "cpu/trap_frame.h"

/* What an access on purpose met. */
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

/*
 * For the trap handler: give a trap to the access that asked for it, which then returns. False when
 * the trap is not one that such an access can cause, or none is under way.
 */
bool touch_take(struct trap_frame *frame);

#endif
