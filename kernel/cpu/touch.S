/*
 * Accesses that may fault. Each saves its stack pointer in touch_stack, so that the trap handler
 * can let them return from any depth by resuming at touch_recover. C calling convention (cdecl).
 */
        .text

        .macro  begin name
        .global \name
        .type   \name, @function
\name:
        push    %ebp
        mov     %esp, %ebp
        push    %ebx
        push    %esi
        push    %edi
        mov     %esp, touch_stack
        .endm

        .macro  finish name
        jmp     touch_recover
        .size   \name, . - \name
        .endm

        /* void touch_read_raw(uintptr_t address, uint32_t *value) */
        begin   touch_read_raw
        mov     8(%ebp), %eax
        mov     (%eax), %eax
        mov     12(%ebp), %edx
        mov     %eax, (%edx)
        finish  touch_read_raw

        /* void touch_write_raw(uintptr_t address, uint32_t *value) */
        begin   touch_write_raw
        mov     12(%ebp), %edx
        mov     (%edx), %edx
        mov     8(%ebp), %eax
        mov     %edx, (%eax)
        finish  touch_write_raw

        /* void touch_execute_raw(uintptr_t address, uint32_t *value) */
        begin   touch_execute_raw
        call    *8(%ebp)
        mov     12(%ebp), %edx
        mov     %eax, (%edx)
        finish  touch_execute_raw

        .global touch_recover
        .type   touch_recover, @function
touch_recover:
        mov     touch_stack, %esp
        movl    $0, touch_stack
        cld
        pop     %edi
        pop     %esi
        pop     %ebx
        pop     %ebp
        ret
        .size   touch_recover, . - touch_recover

        .section .note.GNU-stack, "", @progbits
