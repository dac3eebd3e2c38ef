/* From the boot loader's state (Multiboot 0.6.96, section 3.2) to C: all it takes is a stack. */
#define MAGIC 0x1BADB002
#define FLAGS 0x00000003 /* modules page aligned; a memory map, please */

        .section .multiboot, "a"
        .balign 4
        .long   MAGIC, FLAGS, -(MAGIC + FLAGS)

        .text
        .global _start
        .type   _start, @function
_start:
        cli
        cld
        mov     $stack_top, %esp
        xor     %ebp, %ebp              /* ends the stack trace */
        push    %ebx                    /* the boot information */
        push    %eax                    /* the loader's magic number */
        call    kernel_main             /* does not return */
        .size   _start, . - _start

        .bss
        .balign 16
        .skip   16384
stack_top:

        .section .note.GNU-stack, "", @progbits
