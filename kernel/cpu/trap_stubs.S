/* One entry stub for each vector; all push a struct trap_frame (cpu/trap_frame.h) and call C. */

/* Vectors for which the CPU pushes an error code: Intel SDM volume 3, table 6-1. */
#define WITH_ERROR_CODE (1 << 8 | 0x1F << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

#define EXCEPTIONS 32
#define STUB_SIZE  16

#define TRAP_FRAME_EIP 40 /* offset in struct trap_frame */

        .text
        .type trap_stubs, @function
        .global trap_stubs
        .balign STUB_SIZE
trap_stubs:
        .set    vector, 0
        .rept   EXCEPTIONS
        .balign STUB_SIZE
        .if     !((WITH_ERROR_CODE >> vector) & 1)
        push    $0
        .endif
        push    $vector
        jmp     trap_common
        .set    vector, vector + 1
        .endr
        .rept   256 - EXCEPTIONS
        .balign STUB_SIZE
        push    $0
        push    $vector
        jmp     trap_common
        .set    vector, vector + 1
        .endr
        .size trap_stubs, . - trap_stubs

        .type trap_common, @function
trap_common:
        pusha
        cld
        mov     %esp, %eax
        /*
         * A frame like a function's, so that who walks the stack finds what was interrupted. A
         * return address lies behind its call, and so must this one behind its instruction's start.
         */
        mov     TRAP_FRAME_EIP(%eax), %edx
        inc     %edx
        push    %edx
        push    %ebp
        mov     %esp, %ebp
        push    %eax
        call    trap_handle
        add     $12, %esp
        popa
        add     $8, %esp        /* vector and error code */
        iret
        .size trap_common, . - trap_common

        .section .note.GNU-stack, "", @progbits
