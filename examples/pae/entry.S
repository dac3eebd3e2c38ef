/*
 * From the boot loader's state (Multiboot 0.6.96, section 3.2) to C in the higher half.
 *
 * Until the kernel has its own tables, one page directory of 2 MiB pages maps the first 1 GiB
 * twice: where it is, and at KERNEL_BASE.
 */
#include "layout.h"

#define MAGIC     0x1BADB002
#define FLAGS     0x00000003 /* modules page aligned; a memory map, please */
#define PRESENT   0x001
#define WRITABLE  0x002
#define LARGE     0x080 /* 2 MiB: Intel SDM volume 3, table 4-9 */
#define CR4_PAE   0x00000020
#define CR0_PG_WP 0x80010000
#define CR0_CD_NW 0x60000000 /* set by reset; only firmware would have cleared them */
#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

        .section .multiboot, "a"
        .balign 4
        .long   MAGIC, FLAGS, -(MAGIC + FLAGS)

        .section .boot, "ax"
        .global _start
        .type   _start, @function
_start:
        cli
        cld
        mov     %eax, %esi

        mov     $PHYSICAL(boot_directory), %edi
        mov     $(LARGE | WRITABLE | PRESENT), %eax
        mov     $512, %ecx
next_entry:
        mov     %eax, (%edi)
        movl    $0, 4(%edi)
        add     $8, %edi
        add     $0x200000, %eax
        loop    next_entry

        movl    $PHYSICAL(boot_directory) + PRESENT, PHYSICAL(boot_pointers)
        movl    $PHYSICAL(boot_directory) + PRESENT, PHYSICAL(boot_pointers) + 24
        mov     %cr4, %eax
        or      $CR4_PAE, %eax
        mov     %eax, %cr4
        mov     $PHYSICAL(boot_pointers), %eax
        mov     %eax, %cr3
        mov     %cr0, %eax
        and     $~CR0_CD_NW, %eax
        or      $CR0_PG_WP, %eax
        mov     %eax, %cr0
        mov     $higher_half, %eax
        jmp     *%eax
        .size   _start, . - _start

        .text
        .type   higher_half, @function
higher_half:
        mov     $stack_top, %esp
        xor     %ebp, %ebp              /* ends the stack trace */
        push    %ebx                    /* the boot information */
        push    %esi                    /* the loader's magic number */
        call    kernel_main             /* does not return */
        .size   higher_half, . - higher_half

        .bss
        .balign 4096
boot_directory:
        .skip   4096
boot_pointers:                          /* page-directory pointers: SDM volume 3, section 4.4.1 */
        .skip   32
        .balign 16
        .skip   16384
stack_top:

        .section .note.GNU-stack, "", @progbits
