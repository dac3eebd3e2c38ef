#ifndef CPU_TRAP_FRAME_H
#define CPU_TRAP_FRAME_H

#include "lib/types.h"

/* What the entry stubs push; the order is the stack's. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

#endif
