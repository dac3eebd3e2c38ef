#ifndef CPU_STACK_TRACE_H
#define CPU_STACK_TRACE_H

#include "lib/types.h"

/*
 * Print "trace: 0x… 0x…" on one line: first the address given, then the return addresses that the
 * chain of frame pointers leads to. Safe on a damaged stack: a frame pointer counts only if it lies
 * in the boot stack and above the one before it.
 */
void stack_trace_print(uintptr_t first, uintptr_t frame_pointer);

#endif
