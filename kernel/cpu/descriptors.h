#ifndef CPU_DESCRIPTORS_H
#define CPU_DESCRIPTORS_H

#include "lib/types.h"

/* Selectors of the kernel's own GDT; flat segments. */
#define KERNEL_CODE       0x08
#define KERNEL_DATA       0x10
#define KERNEL_TASK       0x18
#define DOUBLE_FAULT_TASK 0x20

/* What LGDT and LIDT take: Intel SDM volume 3, section 3.5.1 "Segment Descriptor Tables". */
struct table_register {
    uint16_t limit; /* of the last byte */
    uint32_t base;
} __attribute__((packed));

/* Intel SDM volume 3, section 8.2.1 "Task-State Segment (TSS)". */
struct task_state {
    uint32_t link;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3;
    uint32_t eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs;
    uint32_t ldt;
    uint16_t trap, io_map_base;
};

/* What the CPU was doing when a double fault switched tasks away from it. */
extern struct task_state kernel_task;

/* Load the GDT, its segments and the task register; double faults run `handler` on own stack. */
void descriptors_init(void (*handler)(void));

/* The double fault's task has a CR3 of its own, which must be the directory in use. */
void double_fault_follow(uint32_t cr3);

#endif
