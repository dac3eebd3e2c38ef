#ifndef CPU_TRAP_REPORT_H
#define CPU_TRAP_REPORT_H

#include "cpu/trap_frame.h"

/*
 * Report a trap that nobody expected and stop the machine. The console shows, in this order,
 *
 *     panic: page fault at 0x00000004 (write, not present), eip 0xc0101234
 *     registers, two lines and one for the control registers
 *     trace: the trap's EIP and the return addresses below it
 *     panic: end
 */
_Noreturn void trap_panic(const struct trap_frame *frame, uint32_t esp);

#endif
