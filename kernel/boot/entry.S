/*
 * From the Multiboot machine state to C with paging on.
 *
 * On entry (Multiboot 0.6.96, section 3.2): EAX = magic, EBX = physical address of the boot
 * information, flat 32-bit segments, paging and interrupts off. ESP, GDTR and IDTR are undefined:
 * nothing here uses a stack or loads a segment before C has its own descriptors.
 */
#include "mm/layout.h"

#define MULTIBOOT_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT_HEADER_FLAGS 0x00000003 /* modules page aligned; memory size wanted */

#define DIRECTORY_SLOT(virtual) ((virtual) >> 22)
#define PAGE_SIZE       4096
#define BOOT_TABLES     2 /* 4 MiB each; linker/ checks that the image fits */
#define STACK_SIZE      (4 * PAGE_SIZE)
#define PTE_KERNEL      0x003 /* present, writable */
#define CR0_PG          0x80000000
#define CR0_CD_NW       0x60000000 /* set by reset; only firmware would have cleared them */
#define PHYSICAL(symbol) ((symbol) - LAYOUT_KERNEL_BASE)

        .section .boot, "ax"
        .balign 4
multiboot_header:
        .long MULTIBOOT_HEADER_MAGIC
        .long MULTIBOOT_HEADER_FLAGS
        .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_FLAGS)

        .global entry
        .type entry, @function
entry:
        cld
        mov     %eax, %esi

        /* 4 KiB entries only: a 486 has no larger pages. */
        mov     $PHYSICAL(boot_page_tables), %edi
        mov     $PTE_KERNEL, %eax
        mov     $(BOOT_TABLES * 1024), %ecx
fill_tables:
        stosl
        add     $PAGE_SIZE, %eax
        loop    fill_tables

        /* The same tables at 0, for the jump, and where the direct map will be. */
        mov     $PHYSICAL(boot_page_directory), %edi
        mov     $PHYSICAL(boot_page_tables) + PTE_KERNEL, %eax
        mov     $BOOT_TABLES, %ecx
fill_directory:
        mov     %eax, (%edi)
        mov     %eax, (DIRECTORY_SLOT(LAYOUT_KERNEL_BASE) * 4)(%edi)
        add     $4, %edi
        add     $PAGE_SIZE, %eax
        loop    fill_directory
        movl    $PHYSICAL(window_table) + PTE_KERNEL, \
                PHYSICAL(boot_page_directory) + DIRECTORY_SLOT(LAYOUT_WINDOW_BASE) * 4

        mov     $PHYSICAL(boot_page_directory), %eax
        mov     %eax, %cr3
        mov     %cr0, %eax
        and     $~CR0_CD_NW, %eax
        or      $CR0_PG, %eax
        mov     %eax, %cr0
        mov     $paged_entry, %eax
        jmp     *%eax
        .size entry, . - entry

        .text
        .type paged_entry, @function
paged_entry:
        mov     $boot_stack_top, %esp
        push    $0
        popf                    /* NT and AC may be set, and would be felt much later */
        xor     %ebp, %ebp      /* ends the stack trace */
        push    %ebx
        push    %esi
        call    kernel_main     /* does not return */
        .size paged_entry, . - paged_entry

        .section .bss, "aw", @nobits
        .balign PAGE_SIZE
        .global boot_page_directory, boot_page_tables
        .type boot_page_directory, @object
        .type boot_page_tables, @object
boot_page_directory:
        .skip   PAGE_SIZE
        .size boot_page_directory, . - boot_page_directory
boot_page_tables:
        .skip   BOOT_TABLES * PAGE_SIZE
        .size boot_page_tables, . - boot_page_tables

        .global boot_stack_guard_low, boot_stack, boot_stack_top, boot_stack_guard_high
        .type boot_stack, @object
boot_stack_guard_low:
        .skip   PAGE_SIZE
boot_stack:
        .skip   STACK_SIZE
        .size boot_stack, . - boot_stack
boot_stack_top:
boot_stack_guard_high:
        .skip   PAGE_SIZE

        .section .note.GNU-stack, "", @progbits
