/* The kernel's entry point, with a function of plants in front. */
#include "mm/layout.h"

        .section .boot, "ax"
        .global plant_entry
        .type plant_entry, @function
plant_entry:
        mov     $boot_stack_top - LAYOUT_KERNEL_BASE, %esp
        push    %eax
        push    %ebx
        call    plant_at_entry
        pop     %ebx
        pop     %eax
        jmp     entry
        .size plant_entry, . - plant_entry

        .section .note.GNU-stack, "", @progbits
