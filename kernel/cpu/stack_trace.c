/* Return addresses by the chain of frame pointers. */
#include "cpu/stack_trace.h"

#include "lib/print.h"
#include "mm/layout.h"

#define DEPTH_MAX 32

/* What `push %ebp; mov %esp, %ebp` leaves at the frame pointer. */
struct stack_frame {
    uintptr_t caller;
    uintptr_t return_address;
};

static bool on_stack(uintptr_t address)
{
    return address % sizeof(uintptr_t) == 0 && address >= (uintptr_t)boot_stack &&
           address <= (uintptr_t)boot_stack_top - sizeof(struct stack_frame);
}

void stack_trace_print(uintptr_t first, uintptr_t frame_pointer)
{
    kprintf("trace: 0x%08x", first);
    for (unsigned depth = 1; depth < DEPTH_MAX && on_stack(frame_pointer); depth++) {
        const struct stack_frame *frame = (const struct stack_frame *)frame_pointer;

        kprintf(" 0x%08x", frame->return_address);
        if (frame->caller <= frame_pointer)
            break;
        frame_pointer = frame->caller;
    }
    kprintf("\n");
}
